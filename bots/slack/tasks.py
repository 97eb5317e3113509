"""Work that outlives the request that began it: tracked, so that a stop can wait for it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Tasks:
    """The face's background tasks; none is lost to the garbage collector, and failures reach the log."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._waiting: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], name: str, *, patient: bool = False) -> asyncio.Task[T]:
        """`patient`: it may wait for ever and leaves nothing undone, so a stop does not wait for it."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        if patient:
            self._waiting.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._waiting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            trace = None if isinstance(error, SQLAlchemyError) else error  # the database is away: one line says it
            log.error("%s failed: %s", task.get_name(), type(error).__name__, exc_info=trace)

    async def drain(self, seconds: float) -> None:
        """Wait for what runs, at most `seconds`, then cancel the rest."""
        for task in set(self._waiting):
            task.cancel()
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1)
