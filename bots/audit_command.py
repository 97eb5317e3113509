"""`crmchat audit`: export what was done and refused; erase a person."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from commands.audit import Audit, Entry
from commands.cipher import FernetCipher
from commands.state import State

from .database import database
from .settings import Settings, SettingsError, kept_secret, load, private_folder

_AGO = re.compile(r"(\d{1,5})([hd])")


async def run_audit(
    env_file: Path,
    tell: Callable[[str], None],
    *,
    erase: str = "",
    since: str = "",
    person: str = "",
    as_json: bool = False,
) -> int:
    """Export events, or erase `erase` (`platform:tenant:user`). Raises SettingsError for what cannot be read."""
    settings = load(env_file)
    async with database(settings, private_folder(settings.data_dir)) as engine:
        audit = Audit(State(engine, _cipher(settings)))
        if erase:
            count = await audit.erase(_person(erase))
            tell(f"{count} events keep a tombstone instead of {erase}.")
            return 0
        async for entry in audit.entries(since=_moment(since), person=_person(person) if person else ""):
            tell(entry.json() if as_json else _line(entry))
    return 0


def _cipher(settings: Settings) -> FernetCipher:
    return FernetCipher(*(settings.secret_keys or [kept_secret(settings.data_dir / "secret.key").encode()]))


def _person(text: str) -> str:
    if text.count(":") < 2:
        raise SettingsError(f"{text!r} names nobody: write platform:tenant:user, as `crmchat audit` shows it.")
    return text


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{"hours" if ago[2] == "h" else "days": int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError as e:
        raise SettingsError(f"--since {text}: write a date like 2026-11-01, or 24h, or 7d.") from e
    return at.replace(tzinfo=at.tzinfo or UTC)


def _line(entry: Entry) -> str:
    words = " ".join(f"{k}={v!r}" for k, v in entry.words.items())
    return f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.person} {entry.outcome}: {entry.verb} {words} {entry.record}".rstrip()
