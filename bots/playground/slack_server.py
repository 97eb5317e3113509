"""A Slack that runs on loopback: Web API, OAuth, Socket Mode, `response_url`, and people who type and click.

State is made of U1..U6 (people), C1.. (channels), D.. (direct messages, opened on demand), T1 (workspace); `slack.world`
holds it. What the bot sees (each returns an `Answer`: status, headers, body, json, seconds, error):

    command(command, text, user=, channel=)           slash command; the answer's body becomes the message
    click(message | view, action, value=, user=)      block_actions; `action` is an action_id or the visible text
    submit(view, values, user=)                       view_submission; values by action_id, block_id or label
    close(view, user=)                                view_closed, when the view asked for it
    shortcut(callback_id, message=None, user=)        message shortcut, or global without a message
    suggest(message | view, action_id, typed, user=)  block_suggestion
    say(text, user=, channel=, thread=None)           a person posts: message.*, app_mention, link_shared events
    edit(message, text) · delete(message) · react(message, emoji, user=) · open_home(user) · event({...})
    redeliver(delivery, number=1, reason="http_timeout")   the same body again with Slack's retry headers
    raw(body, headers) and sign(body, timestamp=, secret=) for forged and stale requests
    install(start_url, team=) the OAuth dance as a browser · uninstall(team)

What a person sees: `last(channel, user)`, `messages(channel, user, thread=None)`, `view(user)`, `home(user)`,
`transcript(channel, user)`. What the bot did: `calls` (Web API), `deliveries` (to the bot). Switches: `rate_limits`,
`missing_scopes`, `fail(method, error, times=, status=, retry_after=)`, `advance(seconds)` (trigger ids, response_url).
"""
