"""`crmchat jobs list|show|retry|cancel`: the journal for operators, and its upkeep while the bot serves."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from commands.cipher import FernetCipher
from commands.engine import Engine
from commands.journal import Entry, Journal

from . import settings as settings_module
from .settings import Settings, SettingsError, keys_of

log = logging.getLogger(__name__)

_DEPTH = Gauge("crmchat_jobs_depth", "Jobs that wait or run, in the whole journal.")
_OLDEST = Gauge("crmchat_jobs_oldest_seconds", "Age of the oldest of them.")
_LOOK = 15.0


async def open_journal(settings: Settings, folder: Path) -> Journal:
    """The journal of these settings. Raises SettingsError where there is none."""
    try:
        return await Journal.open(folder, FernetCipher(*keys_of(settings, folder)), postgres_url(settings.database_url))
    except FileNotFoundError as e:
        raise SettingsError(f"There is no journal in {folder} yet; is CRMCHAT_DATA_DIR right?") from e
    except SQLAlchemyError as e:
        raise SettingsError(f"The journal cannot be opened: {e}") from e


def postgres_url(url: str) -> str:
    """DATABASE_URL as the journal wants it; empty where it does not name a PostgreSQL."""
    return f"postgresql://{url.partition('://')[2]}" if url.startswith(("postgresql://", "postgres://")) else ""


async def run_jobs(
    env_file: Path, what: str, job: str, *, everything: bool = False, limit: int = 50
) -> tuple[int, str]:
    """One command: the exit status (1 where the job does not exist or has ended) and what to print."""
    settings = settings_module.load(env_file)
    journal = await open_journal(settings, settings.data_dir)
    try:
        if what == "list":
            entries = await journal.entries(unfinished=not everything, limit=limit)
            return 0, "\n".join(_line(e) for e in entries) or "Nothing waits or runs."
        entry = await journal.entry(job)
        if entry is None:
            return 1, f"There is no job {job}. `crmchat jobs list --all` shows which there are."
        if what == "show":
            return 0, f"{_line(entry)}\nsteps done: {', '.join(entry.steps) or 'none'}"
        if not await (journal.retry(job) if what == "retry" else journal.cancel(job)):
            return 1, f"{job} has ended: {entry.status}"
        if what == "cancel":
            return 0, f"{job}: tried no more; its person is told"
        return 0, f"{job}: {'it is being executed already' if entry.status == 'PENDING' else 'queued again'}"
    finally:
        await journal.close()


def _line(entry: Entry) -> str:
    return f"{entry.id}  {entry.status}  since {entry.created:%Y-%m-%d %H:%M:%S}Z  by {entry.executor or '-'}"


async def look_after(journal: Journal, engine: Engine, forget_state: Callable[[], Awaitable[int]]) -> None:
    """Until cancelled: measure the journal every 15 seconds; every hour one of the processes drops what is too old."""

    async def clean() -> None:
        jobs, rows = await journal.forget_old(), await forget_state()
        log.info("cleaned up: %d ended jobs, %d rows of state", jobs, rows)

    while True:
        try:
            load = await journal.load()
            _DEPTH.set(load.depth)
            _OLDEST.set(load.oldest)
            await engine.once(f"upkeep/{datetime.now(UTC):%Y-%m-%dT%H}", clean)
        except Exception as e:
            log.warning("looking after the journal failed: %s", type(e).__name__)
        await asyncio.sleep(_LOOK)
