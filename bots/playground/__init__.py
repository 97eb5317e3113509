"""A browser chat whose clicks are real signed Slack payloads and real Bot Framework activities, and the two servers
behind it: a fake Slack and a fake Bot Framework connector.

The package knows the platforms' wire protocols and nothing else: it reaches the bot over HTTP (`/slack/events`,
`/api/messages`) and the bot reaches it over HTTP (the Web API, `response_url`, the connector). Tests use the same
servers:

    async with FakeSlack() as slack:                       # its own loopback port
        settings = ...SLACK_API_URL=slack.api_url, SLACK_SIGNING_SECRET=slack.signing_secret,
                      SLACK_BOT_TOKEN=slack.bot_token, SLACK_APP_TOKEN=slack.app_token
        slack.bot_url = "http://127.0.0.1:<bot>/slack/events"
        answer = await slack.command("/crm", "lead list", user="U1", channel="C1")
        assert answer.status == 200 and answer.seconds < 3
        card = await slack.until(lambda: slack.last("C1", "U1"))      # polls with a deadline, never sleeps blindly
        await slack.click(card, "open", user="U1")                    # action_id, or the button's visible text
        view = await slack.until(lambda: slack.view("U1"))            # top of U1's stack of modals
        await slack.submit(view, {"title": "Printer on fire"}, user="U1")
        print(slack.transcript("C1", "U1"))

    async with FakeTeams(app_id="…", app_password="…") as teams:
        teams.bot_url = "http://127.0.0.1:<bot>/api/messages"
        # teams.service_url, teams.openid_url (metadata), teams.token_url (client credentials)
        answer = await teams.message("lead list", user="anna", conversation="personal")
        await teams.execute(card_message, "open", user="anna")         # Action.Execute by id, verb or title
        print(teams.transcript("personal", "anna"))

`bots.playground.slack_server` and `bots.playground.teams_server` document every gesture and every switch.
"""

from .page import Playground

__all__ = ["Playground"]
