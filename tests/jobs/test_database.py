"""The state database's tables: made at start by however many processes, one version forward and back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine

import bots.teams.face  # noqa: F401  its modules have tables
from bots.database import VERSION_TABLE, connected, database, downgrade, newest, upgrade, version
from bots.database_command import run_database
from bots.settings import Settings, SettingsError
from bots.slack import tables as slack_tables
from commands.state import TABLES

from .postgres import postgres

Opened = Callable[[], AbstractAsyncContextManager[AsyncEngine]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    """Opens one empty database, as each of several processes would."""

    def opened(url: str) -> Opened:
        return lambda: connected(Settings(database_url=url), tmp_path)

    if request.param == "sqlite":
        yield opened("")
    else:
        async with postgres() as server:
            yield opened(server.url)


async def difference(engine: AsyncEngine) -> list[object]:
    """Between the tables that the steps made and those that the program uses."""
    wanted = sa.MetaData()
    for table in (*TABLES.tables.values(), *slack_tables.TABLES.tables.values()):
        table.to_metadata(wanted)

    def compare(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        return list(compare_metadata(context, wanted))

    async with engine.connect() as db:
        return await db.run_sync(compare)


async def test_forward_and_back(empty: Opened) -> None:
    async with empty() as engine:
        assert await version(engine) == 0
        await upgrade(engine)
        assert await version(engine) == newest()
        assert not await difference(engine), "a table was changed: add a step to bots/migrations/versions"
        while await version(engine) > 1:
            await downgrade(engine)
        with pytest.raises(SettingsError, match="first version"):
            await downgrade(engine)
        await upgrade(engine)
        assert not await difference(engine)


async def test_several_processes_start_at_once(empty: Opened) -> None:
    @asynccontextmanager
    async def process() -> AsyncIterator[AsyncEngine]:
        async with empty() as engine:
            await upgrade(engine)
            yield engine

    async def start() -> int:
        async with process() as engine:
            return await version(engine)

    assert await asyncio.gather(*(start() for _ in range(4))) == [newest()] * 4


async def test_a_database_from_before_steps_were_counted(empty: Opened) -> None:
    async with empty() as engine:
        async with engine.begin() as db:
            await db.run_sync(TABLES.create_all, tables=[TABLES.tables["shown"], TABLES.tables["audit"]])
        await upgrade(engine)
        assert not await difference(engine)


async def test_the_next_program_has_migrated_it(empty: Opened, caplog: pytest.LogCaptureFixture) -> None:
    async with empty() as engine:
        await upgrade(engine)
        for ahead in (1, 2):
            async with engine.begin() as db:
                await db.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '{newest() + ahead:04}'"))
            if ahead == 1:
                await upgrade(engine)
                assert "next version" in caplog.text
            else:
                with pytest.raises(SettingsError, match="newer crmchat"):
                    await upgrade(engine)
            with pytest.raises(SettingsError, match="run the newer one"):
                await downgrade(engine)


async def test_a_step_that_fails_leaves_nothing(empty: Opened) -> None:
    async with empty() as engine:
        async with engine.begin() as db:  # in the way of the second step
            await db.execute(sa.text("CREATE TABLE paces (other INTEGER)"))
        with pytest.raises(sa.exc.SQLAlchemyError):
            await upgrade(engine)
        async with engine.begin() as db:
            assert await db.run_sync(lambda c: sa.inspect(c).get_table_names()) == ["paces"]
            await db.execute(sa.text("DROP TABLE paces"))
        await upgrade(engine)
        assert not await difference(engine)


async def test_what_operators_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRMCHAT_DATA_DIR", str(tmp_path))
    env = tmp_path / "no.env"
    assert f"version 0; this program knows {newest()}" in await run_database(env, "version")
    assert f"version {newest()}; this program" in await run_database(env, "upgrade")
    assert f"version {newest() - 1} now" in await run_database(env, "downgrade")
    async with database(Settings(data_dir=tmp_path), tmp_path) as engine:
        assert await version(engine) == newest()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("letters from home, and no database at all\n" * 100)
    with pytest.raises(SettingsError, match="cannot be used"):
        async with database(Settings(), tmp_path):
            pass
