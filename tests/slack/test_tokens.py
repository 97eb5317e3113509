"""Token rotation: one process at a time refreshes, and what still works serves meanwhile."""

import asyncio
import time

import pytest
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.slack_server import FakeSlack
from bots.slack import SlackFace
from bots.slack.api import NotInstalled, Workspace
from bots.slack.installations import Installations
from bots.slack.tasks import Tasks
from bots.slack.tokens import Tokens

from .conftest import CIPHER, settings_for


async def _tokens(slack: FakeSlack, engine: AsyncEngine, tasks: Tasks) -> Tokens:
    """As of one process: its own memory, the shared database."""
    settings = settings_for(slack, bot_token="", client_id="1.1", client_secret="playground-client-secret")
    tokens = Tokens(settings, Installations(engine, CIPHER, cache_seconds=0), tasks)
    tokens.session = slack.session
    return tokens


async def _ending(store: Installations, seconds: int) -> Installation:
    """The installation, whose token is good for so long."""
    found, _ = await store.read(Workspace("T1"))
    assert found
    found.bot_token_expires_at = int(time.time()) + seconds
    await store.async_save(found)
    return found


async def test_processes_refresh_a_token_once(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    """Slack's refresh tokens work once; a second refresh at the same time would end the installation."""
    _, url = distributed
    slack.oauth.rotation = True
    await slack.install(f"{url}slack/install")
    store, tasks = Installations(engine, CIPHER, cache_seconds=0), Tasks()
    processes = [await _tokens(slack, engine, tasks) for _ in range(3)]
    for left in (30, 3600):  # ended as good as; and early, in the background
        found = await _ending(store, left)
        before = len([c for c in slack.calls if c.args.get("grant_type") == "refresh_token"])
        got = await asyncio.gather(*(p.get(Workspace("T1")) for p in processes for _ in range(5)))
        await tasks.drain(5)
        refreshes = [c for c in slack.calls if c.args.get("grant_type") == "refresh_token"]
        assert len(refreshes) - before == 1
        assert all(c.answer["ok"] for c in refreshes)
        new = await processes[0].get(Workspace("T1"))
        assert new != found.bot_token
        assert set(got) == ({new} if left == 30 else {found.bot_token})


async def test_a_failed_refresh_keeps_the_token_that_still_works(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    _, url = distributed
    slack.oauth.rotation = True
    await slack.install(f"{url}slack/install")
    store = Installations(engine, CIPHER, cache_seconds=0)
    found = await _ending(store, 30)
    tokens = await _tokens(slack, engine, Tasks())
    slack.fail("oauth.v2.access", "internal_error")
    assert await tokens.get(Workspace("T1")) == found.bot_token
    assert await tokens.get(Workspace("T1")) != found.bot_token  # the claim was given back, so the next try succeeds
    with pytest.raises(NotInstalled):
        await tokens.get(Workspace("T2"))
