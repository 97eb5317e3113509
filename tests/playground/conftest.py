from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_sdk.web.async_client import AsyncWebClient

from bots.playground import Playground
from bots.playground.slack_server import FakeSlack

from . import slack_bot, teams_bot


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """The fake Slack with the reference bot behind it."""
    async with FakeSlack() as fake, slack_bot.running(fake):
        yield fake
        await fake.settle()


@pytest.fixture
def unused_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def playground(unused_port: int) -> AsyncIterator[Playground]:
    """The playground on one port with both reference bots, as in the demo."""
    made = Playground(port=unused_port, signing_secret="secret", bot_token="xoxb-page")
    app = web.Application()
    async with aiohttp.ClientSession() as session:
        bolt = slack_bot.build(
            AsyncWebClient(token="xoxb-page", base_url=made.slack_api_url, session=session), "secret"
        )

        async def events(request: web.Request) -> web.Response:
            return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

        app.router.add_post("/slack/events", events)
        app.router.add_post("/api/messages", teams_bot.EchoBot(made.teams, session).receive)
        await made.mount(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", unused_port).start()
        try:
            yield made
        finally:
            await runner.cleanup()
            await made.stop()
