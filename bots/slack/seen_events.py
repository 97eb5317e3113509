"""Which of Slack's events were taken on, by whom, and which are done; shared by every process."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from .tables import EVENTS, inserted

log = logging.getLogger(__name__)

EVENT_LEASE = 5.0
"""Seconds for which an event is somebody's who does not say that they are still at work on it."""
EVENT_SECONDS = 25 * 3600
"""Slack's Delayed Events retry for 24 hours."""


class Begun(StrEnum):
    """What is known of an event that has just arrived."""

    NEW = "new"
    BUSY = "busy"
    """Somebody works on it, or died doing so a moment ago: let Slack come again."""
    DONE = "done"


class SeenEvents:
    """Events taken on, by Slack's event id: Slack delivers at least once, and Bolt does not sort that out.

    `begin` before the work, `kept` around it, `finish` when it is journalled or done. An event that was begun and never
    finished, because its process died, becomes new again after `EVENT_LEASE`, for a later retry of Slack's.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._swept = 0.0

    async def begin(self, key: str) -> Begun:
        """NEW to exactly one caller among all processes."""
        now, key = time.time(), key[:255]
        async with self._engine.begin() as connection:
            if now - self._swept > 3600:
                self._swept = now
                await connection.execute(sa.delete(EVENTS).where(EVENTS.c.at < now - EVENT_SECONDS))
            if await inserted(connection, EVENTS, {"key": key, "at": now, "done": False}):
                return Begun.NEW
            abandoned = sa.and_(EVENTS.c.key == key, ~EVENTS.c.done, EVENTS.c.at < now - EVENT_LEASE)
            if (await connection.execute(sa.update(EVENTS).where(abandoned).values(at=now))).rowcount == 1:
                return Begun.NEW
            done = (await connection.execute(sa.select(EVENTS.c.done).where(EVENTS.c.key == key))).scalar()
            return Begun.DONE if done else Begun.BUSY

    @asynccontextmanager
    async def kept(self, key: str) -> AsyncIterator[None]:
        """While it lasts, an event that was begun here stays ours, however long the work takes."""
        over = asyncio.Event()
        mine = sa.and_(EVENTS.c.key == key[:255], ~EVENTS.c.done)

        async def renew() -> None:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), EVENT_LEASE / 3)
                    return
                try:
                    async with self._engine.begin() as connection:
                        await connection.execute(sa.update(EVENTS).where(mine).values(at=time.time()))
                except SQLAlchemyError as e:
                    log.warning("an event may be taken on twice: %s", type(e).__name__)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            over.set()  # not cancelled: it may be in the middle of a statement
            await renewing

    async def finish(self, key: str) -> None:
        """Never again."""
        async with self._engine.begin() as connection:
            await connection.execute(sa.update(EVENTS).where(EVENTS.c.key == key[:255]).values(done=True))

    async def forget(self, key: str) -> None:
        """The work failed before it had an effect: let Slack's next delivery try again."""
        async with self._engine.begin() as connection:
            await connection.execute(sa.delete(EVENTS).where(EVENTS.c.key == key[:255]))
