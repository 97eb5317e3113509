"""Exchanges of single sign-on tokens, each made once by all processes that serve the same bot.

Teams posts one for each client that the person has open, and they may reach several processes at once.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from commands.state import TABLES, State, drop_older

_EXCHANGES = sa.Table(
    "teams_exchanges",
    TABLES,
    sa.Column("identity", sa.String(64), primary_key=True),
    sa.Column("done", sa.Boolean, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
)
_DEAD: Final = timedelta(seconds=15)
"""After which an exchange that has not ended was made by a process that died."""
_KEPT_FOR: Final = timedelta(hours=1)
_LOOK_AGAIN: Final = 0.1

log = logging.getLogger(__name__)


class Exchanges:
    """One database of them. A database that is away stops no exchange."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def once(self, identity: str, exchange: Callable[[], Awaitable[bool]]) -> bool:
        """Makes the exchange, or waits for whoever makes it; what failed may be tried again.

        Whoever waits is told True when it is done, and makes it themselves where the other one failed.
        """
        name = hashlib.sha256(identity.encode()).hexdigest()
        while not await self._claim(name):
            if await self._done(name):
                return True
            await asyncio.sleep(_LOOK_AGAIN)
        try:
            done = await exchange()
        except Exception:
            await self._end(name, done=False)
            raise
        await self._end(name, done=done)
        return done

    async def forget_old(self) -> int:
        """Drop what is past its time; how many rows went."""
        return await drop_older(self._state.engine, _EXCHANGES, _KEPT_FOR)

    async def _claim(self, name: str) -> bool:
        """Whether it falls to the caller."""
        c, now = _EXCHANGES.c, datetime.now(UTC)
        over = sa.or_(c.at < now - _KEPT_FOR, sa.and_(~c.done, c.at < now - _DEAD))
        try:
            async with self._state.engine.begin() as db:
                await db.execute(sa.delete(_EXCHANGES).where(c.identity == name, over))
                await db.execute(sa.insert(_EXCHANGES).values(identity=name, done=False, at=now))
        except IntegrityError:
            return False
        except SQLAlchemyError as e:
            log.warning("an exchange cannot be claimed: %s", type(e).__name__)
        return True

    async def _done(self, name: str) -> bool:
        query = sa.select(_EXCHANGES.c.done).where(_EXCHANGES.c.identity == name)
        async with self._state.engine.connect() as db:
            return bool(await db.scalar(query))

    async def _end(self, name: str, *, done: bool) -> None:
        mine = _EXCHANGES.c.identity == name
        try:
            async with self._state.engine.begin() as db:
                await db.execute(
                    sa.update(_EXCHANGES).where(mine).values(done=True) if done else sa.delete(_EXCHANGES).where(mine)
                )
        except SQLAlchemyError as e:
            log.warning("the end of an exchange cannot be noted: %s", type(e).__name__)
