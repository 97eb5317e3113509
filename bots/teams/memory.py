"""What the face remembers for a while: gestures it has answered, and private messages."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

GESTURES: Final = 2_000
AGE: Final = 600.0
"""Seconds for which a repeated delivery is recognised here; later ones are recognised by the journal."""


class Once(Generic[T]):
    """Answers a gesture that the platform delivers several times with the one answer it got."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[str, tuple[float, asyncio.Future[T]]] = OrderedDict()

    async def run(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """Makes the answer, or gives the one made before. A failure is forgotten, so that it can be retried."""
        self._forget_old()
        if key in self._answers:
            return await asyncio.shield(self._answers[key][1])
        # The work is a task of its own: a client that hangs up must not undo it for the one who asks again.
        task = asyncio.ensure_future(make())
        self._answers[key] = (self._clock(), task)
        task.add_done_callback(lambda done: self._after(key, done))
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """Give up what is being made."""
        making = [answer for _, answer in self._answers.values() if not answer.done()]
        for answer in making:
            answer.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    def _after(self, key: str, done: "asyncio.Future[T]") -> None:
        if done.cancelled() or done.exception() is not None:
            self._answers.pop(key, None)

    def _forget_old(self) -> None:
        limit = self._clock() - AGE
        while self._answers and (len(self._answers) > GESTURES or next(iter(self._answers.values()))[0] < limit):
            self._answers.popitem(last=False)


class Recent:
    """A bounded set: the least recently added go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[str, None] = OrderedDict()

    def add(self, item: str) -> None:
        """Remembers an item."""
        self._items[item] = None
        self._items.move_to_end(item)
        if len(self._items) > self._limit:
            self._items.popitem(last=False)

    def discard(self, item: str) -> None:
        """Forgets an item."""
        self._items.pop(item, None)

    def __contains__(self, item: object) -> bool:
        return item in self._items
