"""Socket Mode: no public address."""

from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.slack_server import FakeSlack

from .conftest import Script, serving, settings_for


async def test_socket_mode_needs_no_address_of_ours(slack: FakeSlack, script: Script, engine: AsyncEngine) -> None:
    settings = settings_for(slack, app_token=slack.app_token, signing_secret="")
    async with serving(settings, script, engine) as (_, url):
        slack.bot_url = ""
        await slack.until(lambda: slack.sockets)
        answer = await slack.command("/crm", "my cases")
        assert "You said my cases" in answer.text
        await slack.say("my leads", user="U2", channel="dm")
        assert "my leads" in slack.text(await slack.until(lambda: slack.last("dm", "U2")))
        async with slack.session.post(f"{url}slack/events", data={"command": "/crm"}) as refused:
            assert refused.status == 401


async def test_socket_mode_connects_again_and_takes_an_envelope_once(
    slack: FakeSlack, script: Script, engine: AsyncEngine
) -> None:
    settings = settings_for(slack, app_token=slack.app_token, signing_secret="")

    def connected(times: int) -> bool:
        return bool(slack.sockets) and times == len([c for c in slack.calls if c.method == "apps.connections.open"])

    async with serving(settings, script, engine):
        slack.bot_url = ""
        await slack.until(lambda: connected(1))
        for times, reason in ((2, "warning"), (3, "refresh_requested")):
            await slack.sockets[-1].send_json({"type": "disconnect", "reason": reason})
            await slack.until(partial(connected, times))
            assert "You said my cases" in (await slack.command("/crm", "my cases")).text
        asked = len(script.asked)
        await slack.say("@crm my leads", user="U1", channel="C1")
        mention = next(a.delivery for a in slack.answers if a.delivery and b"app_mention" in a.delivery.body)
        assert [(await slack.redeliver(mention, number=n)).status for n in (1, 2)] == [200, 200]
        assert len(script.asked) == asked + 1


async def test_an_app_token_that_slack_does_not_take_is_one_line_in_the_log(
    slack: FakeSlack, script: Script, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(settings_for(slack, app_token="xapp-of-another-app"), script, engine):
        await slack.until(lambda: "Failed to connect" in caplog.text)
    [line] = [r for r in caplog.records if "Failed to connect" in r.getMessage()]
    assert "invalid_auth" in line.getMessage()
    assert "Traceback" not in caplog.text
    assert "xapp-of" not in caplog.text
