from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bots.playground.slack_server import FakeSlack

from . import slack_bot


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """The fake Slack with the reference bot behind it."""
    async with FakeSlack() as fake, slack_bot.running(fake):
        yield fake
        await fake.settle()
