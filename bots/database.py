"""The state database (SQLite file or DATABASE_URL): opened, and its tables brought to this program's version.

Each program works with its own version of the tables and with the next one, so that a shared database may be migrated
while the former program still runs, and a new version can be taken back.
"""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .settings import Settings, SettingsError

log = logging.getLogger(__name__)

VERSION_TABLE: Final = "crmchat_version"
_LOCK: Final = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('crmchat:tables', 0))")


def database_url(settings: Settings, folder: Path) -> str:
    """Where state is kept, as SQLAlchemy has it."""
    url = settings.database_url
    if url.startswith(("postgresql://", "postgres://")):
        return "postgresql+psycopg://" + url.partition("://")[2]
    return url or f"sqlite+aiosqlite:///{folder / 'state.db'}"


@asynccontextmanager
async def database(settings: Settings, folder: Path) -> AsyncIterator[AsyncEngine]:
    """Open, with all tables. Raises SettingsError where it cannot be used, or has tables that this program cannot."""
    async with connected(settings, folder) as engine:
        try:
            await upgrade(engine)
        except SQLAlchemyError as e:
            raise SettingsError(
                f"The database cannot be used: {_reason(e)}. See DATABASE_URL, CRMCHAT_DATA_DIR."
            ) from e
        yield engine


@asynccontextmanager
async def connected(settings: Settings, folder: Path) -> AsyncIterator[AsyncEngine]:
    """Open, with whatever tables it has."""
    url = database_url(settings, folder)
    shared = url.startswith("postgresql")
    # A pool outlives its server's restart: each connection is tried before it is lent.
    engine = create_async_engine(url, pool_pre_ping=shared)
    if not shared:
        sa.event.listen(engine.sync_engine, "connect", _prepare)
    try:
        yield engine
    finally:
        await engine.dispose()


async def upgrade(engine: AsyncEngine) -> None:
    """Add what is missing. Safe while other processes do the same, or use the database."""
    have, want = await version(engine), newest()
    if have > want + 1:
        raise SettingsError(
            f"The database has tables of a newer crmchat (version {have}, this one knows {want}). Start that program; "
            "to go back, first run its `crmchat database downgrade`."
        )
    if have > want:
        log.warning("the database was migrated by the next version of crmchat; this one can work with it")
    if have < want:
        await _migrate(engine, "+")
        log.info("the database was migrated from version %d to %d", have, want)


async def downgrade(engine: AsyncEngine) -> int:
    """Take the newest step back, with what it kept; the version that is left. Raises SettingsError at the first."""
    have = await version(engine)
    if have > newest():
        raise SettingsError(f"The tables are of version {have}, which this program does not know: run the newer one.")
    if have <= 1:
        raise SettingsError("The tables are of the first version already.")
    await _migrate(engine, "-")
    return await version(engine)


async def version(engine: AsyncEngine) -> int:
    """The number of the newest step that the database has; 0: none yet."""
    try:
        async with engine.connect() as db:
            found = await db.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  our constant
    except (OperationalError, ProgrammingError):
        async with engine.connect() as db:
            await db.execute(sa.text("SELECT 1"))  # the database is there, the table is not
        return 0
    return int(found or 0)


def newest() -> int:
    """The number of the newest step that this program knows."""
    steps = (Path(__file__).parent / "migrations" / "versions").glob("v*.py")
    return max(int(m[1]) for step in steps if (m := re.match(r"v(\d{4})_", step.name)))


async def _migrate(engine: AsyncEngine, direction: str) -> None:
    async with engine.connect() as db:
        if engine.dialect.name == "postgresql":
            await db.execute(_LOCK)
        else:
            # The driver begins no transaction before DDL by itself; this one also keeps other processes out.
            await db.exec_driver_sql("BEGIN IMMEDIATE")
        await db.run_sync(_run, direction)
        await db.commit()


def _run(connection: sa.Connection, direction: str) -> None:
    from alembic import command  # a quarter of a second, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if direction == "+":
        command.upgrade(config, "head")
    else:
        command.downgrade(config, "-1")


def _reason(e: SQLAlchemyError) -> str:
    return str(e.orig if isinstance(e, DBAPIError) else e).strip().rstrip(".")


def _prepare(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
