"""The face's tables on both databases, and what Slack is told while there is no database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bots.playground.slack_server import FakeSlack
from bots.slack.seen_events import Begun, SeenEvents
from bots.slack.tables import INSTALLATIONS, TABLES, inserted
from tests.jobs.postgres import postgres

from .conftest import Script, serving, settings_for


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def either(request: pytest.FixtureRequest, engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    if request.param == "sqlite":
        yield engine
        return
    async with postgres() as server:
        made = create_async_engine("postgresql+psycopg://" + server.url.partition("://")[2])
        async with made.begin() as db:
            await db.run_sync(TABLES.create_all)
        yield made
        await made.dispose()


async def test_an_event_is_begun_once_and_an_installation_inserted_once(either: AsyncEngine) -> None:
    one, other = SeenEvents(either), SeenEvents(either)
    begun = await asyncio.gather(*(s.begin("Ev1") for s in (one, other, one, other)))
    assert sorted(begun) == [Begun.BUSY, Begun.BUSY, Begun.BUSY, Begun.NEW]
    await one.finish("Ev1")
    assert await other.begin("Ev1") is Begun.DONE
    row = {"enterprise_id": "", "team_id": "T1", "data": b"", "revision": 1}
    async with either.begin() as db:
        assert [await inserted(db, INSTALLATIONS, row) for _ in range(2)] == [True, False]


@contextmanager
def away(engine: AsyncEngine) -> Iterator[None]:
    """Its file is no database for a while."""
    file = Path(str(engine.url.database))
    kept = file.with_suffix(".kept")
    file.rename(kept)
    file.mkdir()
    try:
        yield
    finally:
        file.rmdir()
        kept.rename(file)


async def test_without_a_database_slack_comes_again_and_people_are_told(
    slack: FakeSlack, script: Script, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(slack, bot_token="", client_id="c", client_secret="s")
    async with serving(settings, script, engine) as (face, url):
        slack.bot_url = f"{url}slack/events"
        face.installations._cache_seconds = 0.0
        await engine.dispose()
        with away(engine):
            refused = await slack.command("/crm", "my cases", user="U1")
            assert (refused.status, "not accepted, and nothing was done" in refused.text) == (200, True)
            await slack.say("my cases", user="U1", channel="dm")
            assert slack.answers[-1].status == 503
    assert "Traceback" not in caplog.text


async def test_a_workspace_that_was_served_is_served_on(slack: FakeSlack, script: Script, engine: AsyncEngine) -> None:
    settings = settings_for(slack, bot_token="", client_id="c", client_secret="s")
    async with serving(settings, script, engine) as (face, url):
        slack.bot_url = f"{url}slack/events"
        face.installations._cache_seconds = 0.0
        async with engine.begin() as db:
            data = face.installations._cipher.encrypt(b'{"user_id": "U1", "team_id": "T1", "bot_token": "xoxb-1"}')
            await db.execute(sa.insert(INSTALLATIONS).values(enterprise_id="", team_id="T1", data=data, revision=1))
        assert "You said my cases" in (await slack.command("/crm", "my cases", user="U1")).text
        await engine.dispose()
        with away(engine):
            assert "You said my leads" in (await slack.command("/crm", "my leads", user="U1")).text
