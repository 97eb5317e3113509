"""`crmchat audit`: export what was done and refused; erase a person."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from commands.audit import Audit, Entry
from commands.cipher import FernetCipher
from commands.erasure import compact, erase_from_journal
from commands.following import FollowedThreads
from commands.state import TABLES, State

from .database import database
from .jobs_command import postgres_url
from .settings import Settings, SettingsError, keys_of, load, private_folder
from .teams import conversations  # noqa: F401  erasure looks through every table that is declared, this one too

_AGO = re.compile(r"(\d{1,5})([hd])")


async def run_audit(
    env_file: Path,
    tell: Callable[[str], None],
    *,
    erase: str = "",
    since: str = "",
    until: str = "",
    person: str = "",
    outcome: str = "",
    record: str = "",
    as_json: bool = False,
) -> int:
    """Export events, or erase `erase` (`platform:tenant:user`). Raises SettingsError for what cannot be read.

    Of several conditions, events must meet all.
    """
    settings = load(env_file)
    async with database(settings, private_folder(settings.data_dir)) as engine:
        audit = Audit(State(engine, _cipher(settings)))
        if erase:
            return await _erase(_person(erase), settings, audit, engine, tell)
        found = audit.entries(
            since=_moment(since, "--since"),
            until=_moment(until, "--until"),
            person=_person(person) if person else "",
            outcome=outcome,
            record=record,
        )
        async for entry in found:
            tell(entry.json() if as_json else _line(entry))
    return 0


async def _erase(
    person: str, settings: Settings, audit: Audit, engine: AsyncEngine, tell: Callable[[str], None]
) -> int:
    """The journal first: where it cannot be erased yet, everything is left for the next try."""
    journal = await erase_from_journal(
        settings.data_dir, _cipher(settings), postgres_url(settings.database_url), person, await audit.names(person)
    )
    if journal.living:
        tell(
            f"{journal.living} jobs of {person} have not ended, so nothing was erased. `crmchat jobs list` shows them; "
            "wait or cancel them, then try again."
        )
        return 1
    count = await audit.erase(person)
    await audit.state.forget_person(person)
    await FollowedThreads(audit.state).erase(person)
    async with engine.connect() as db:
        await db.run_sync(lambda connection: compact(connection.engine, TABLES.sorted_tables))
    tell(
        f"{count} events and {journal.kept} jobs keep a tombstone instead of {person}; {journal.dropped} older jobs "
        "were dropped."
    )
    return 0


def _cipher(settings: Settings) -> FernetCipher:
    return FernetCipher(*keys_of(settings, settings.data_dir))


def _person(text: str) -> str:
    if text.count(":") < 2:
        raise SettingsError(f"{text!r} names nobody: write platform:tenant:user, as `crmchat audit` shows it.")
    return text


def _moment(text: str, option: str) -> datetime | None:
    if not text:
        return None
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{"hours" if ago[2] == "h" else "days": int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError as e:
        raise SettingsError(f"{option} {text}: write a date like 2026-11-01, or 24h, or 7d.") from e
    return at.replace(tzinfo=at.tzinfo or UTC)


def _line(entry: Entry) -> str:
    words = " ".join(f"{k}={v!r}" for k, v in entry.words.items())
    parts = (
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        entry.person,
        entry.environment,
        f"{entry.outcome}:",
        entry.verb,
        words,
        entry.record,
        f"({entry.reason})" if entry.reason else "",
    )
    return " ".join(part for part in parts if part)
