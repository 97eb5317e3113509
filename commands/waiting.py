"""Commands that wait until their person has signed in: kept encrypted, so that a restart loses none."""

import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from pydantic import TypeAdapter

from .request import Ask, Place, Principal, Request
from .state import TABLES, State, drop_older
from .work import Work

log = logging.getLogger(__name__)

Command = Request | Work
"""As it was asked; or, where it had been journalled, as the work that it became."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What of a request outlives the process."""

    ask: Ask
    principal: Principal
    place: Place
    key: str


_KEPT: Final[TypeAdapter[_Asked | Work]] = TypeAdapter(_Asked | Work)
_WAITING = sa.Table(
    "waiting_commands",
    TABLES,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("person", sa.String(200), nullable=False, index=True),
    sa.Column("command", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("claimed", sa.DateTime(timezone=True)),
)
MOST: Final = 20
"""Commands that are kept for one person."""
_KEPT_FOR: Final = timedelta(days=2)
CLAIM: Final = timedelta(seconds=15)
"""Whoever has taken a command and said nothing of it for so long is dead."""


@dataclass(frozen=True, slots=True)
class Waited:
    """A command whose time has come."""

    id: str
    command: Command
    since: timedelta
    """How long it has waited."""


class WaitingCommands:
    """One database of them."""

    def __init__(self, state: State, *, claim: timedelta = CLAIM) -> None:
        """`claim`: how long a command is somebody's who has taken it and not said what became of it."""
        self._engine, self._cipher, self._claim = state.engine, state.cipher, claim

    async def keep(self, command: Command) -> bool:
        """Keep it until its person has signed in; the same one again is kept once. False: too many wait already."""
        person = command.principal.key
        row = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{person}\n{command.key}")),
            "person": person,
            "command": self._cipher.encrypt(_KEPT.dump_json(_outliving(command))),
            "at": datetime.now(UTC),
        }
        c = _WAITING.c
        async with self._engine.begin() as db:
            kept = await db.scalar(sa.select(sa.func.count()).where(c.person == person, c.id != row["id"]))
            if (kept or 0) >= MOST:
                return False
            await db.execute(sa.delete(_WAITING).where(c.id == row["id"]))
            await db.execute(sa.insert(_WAITING).values(row))
        return True

    async def claim(self, person: str) -> None:
        """Say that what waits for this person is about to be taken: if this process ends meanwhile, others take it."""
        mine = sa.update(_WAITING).where(_WAITING.c.person == person, _WAITING.c.claimed.is_(None))
        async with self._engine.begin() as db:  # as if taken long ago, so that whoever comes may have it
            await db.execute(mine.values(claimed=datetime.now(UTC) - self._claim))

    async def take(self, person: str) -> AsyncIterator[Waited]:
        """What waits for this person, in the order asked. Each is given to one taker, whoever else asks.

        Until that one has said `forget` it stays kept: if they say nothing for `claim`, another may take it.
        """
        c, now = _WAITING.c, datetime.now(UTC)
        async with self._engine.connect() as db:
            rows = (await db.execute(sa.select(c.id, c.command, c.at).where(c.person == person).order_by(c.at))).all()
        for key, sealed, at in rows:
            command = self._command(sealed)
            if await self._claimed(key):
                if command is None:
                    await self.forget(key)
                else:
                    yield Waited(key, command, now - at.replace(tzinfo=at.tzinfo or UTC))

    async def _claimed(self, key: str) -> bool:
        c, now = _WAITING.c, datetime.now(UTC)
        free = sa.or_(c.claimed.is_(None), c.claimed <= now - self._claim)
        async with self._engine.begin() as db:
            taken = await db.execute(sa.update(_WAITING).where(c.id == key, free).values(claimed=now))
        return taken.rowcount == 1

    async def forget(self, key: str) -> None:
        """It is in the journal, or answered; unless it has been kept anew meanwhile, because it still must wait."""
        async with self._engine.begin() as db:
            await db.execute(sa.delete(_WAITING).where(_WAITING.c.id == key, _WAITING.c.claimed.is_not(None)))

    async def abandoned(self) -> list[str]:
        """Whose commands were taken by somebody who is dead."""
        dead = _WAITING.c.claimed <= datetime.now(UTC) - self._claim
        async with self._engine.connect() as db:
            return list(await db.scalars(sa.select(_WAITING.c.person).where(dead).distinct()))

    def _command(self, sealed: bytes) -> Command | None:
        try:
            kept = _KEPT.validate_json(self._cipher.decrypt(sealed))
        except ValueError:
            log.warning("a command that waited cannot be read any more: another key, or another version")
            return None
        if isinstance(kept, Work):
            return kept
        return Request(ask=kept.ask, principal=kept.principal, place=kept.place, key=kept.key)

    async def people(self) -> list[str]:
        """For whom something waits."""
        async with self._engine.connect() as db:
            return list(await db.scalars(sa.select(_WAITING.c.person).distinct()))

    async def forget_old(self) -> int:
        """Drop what nobody came back for; how many."""
        return await drop_older(self._engine, _WAITING, _KEPT_FOR)


def _outliving(command: Command) -> _Asked | Work:
    if isinstance(command, Work):
        return command
    return _Asked(ask=command.ask, principal=command.principal, place=command.place, key=command.key)
