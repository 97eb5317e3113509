"""How many requests may be under way, for whom; and when to stop trying.

Dataverse's service protection counts per user: 6,000 requests and 20 minutes of execution in 300 seconds, 52 at once.
The application user carries the calls of everyone it impersonates, so those share one wider limit.
"""

import asyncio
import time
from collections import deque
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from .errors import CircuitOpen, Throttled


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a request counts for."""

    user: str
    """The effective user: the unit that Dataverse throttles and that a 429 pauses."""
    pool: str | None = None
    """The application user whose connection limit is shared, if any."""


class Limits(Protocol):
    """Admission to Dataverse; several processes may share one by implementing this over a shared store."""

    def slot(self, identity: Identity, *, patience: float) -> AbstractAsyncContextManager[None]:
        """Wait for a turn; Throttled at once where the identity is paused for longer than `patience` seconds."""
        ...

    def pause(self, identity: Identity, seconds: float) -> None:
        """Let nothing of this identity through for so long."""
        ...


@dataclass(slots=True, eq=False)
class _User:
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    in_flight: int = 0
    paused_until: float = 0.0


@dataclass(slots=True, eq=False)
class _Pool:
    limit: int
    in_flight: int = 0
    users: dict[str, _User] = field(default_factory=dict)
    ring: deque[_User] = field(default_factory=deque)
    """Users who wait, in the order of their turns."""


class LocalLimits:
    """Limits of one process. Whoever waits gets a turn in rotation, one request per person at a time."""

    def __init__(self, *, per_user: int = 8, per_application: int = 40) -> None:
        self.per_user = per_user
        self.per_application = per_application
        self._pools: dict[str, _Pool] = {}

    def slot(self, identity: Identity, *, patience: float) -> AbstractAsyncContextManager[None]:
        """See `Limits.slot`."""
        return _Slot(self, identity, patience)

    async def enter(self, identity: Identity, patience: float) -> tuple[_Pool, _User]:
        """Take a place, waiting for a turn."""
        name = _pool_name(identity)
        pool = self._pools.get(name)
        if pool is None:
            limit = self.per_application if identity.pool else self.per_user
            pool = self._pools[name] = _Pool(limit)
        user = pool.users.get(identity.user)
        if user is None:
            user = pool.users[identity.user] = _User()
        pause = user.paused_until and user.paused_until - time.monotonic()
        if pause > patience:
            raise Throttled(
                f"Dataverse asked us to wait {pause:.0f} s before this person's next request.", retry_after=pause
            )
        if not user.waiting and self._free(pool, user):
            user.in_flight += 1
            pool.in_flight += 1
        else:
            await self._wait(pool, user)
        return pool, user

    def leave(self, identity: Identity, place: tuple[_Pool, _User] | None) -> None:
        """Give the place back, if one was had."""
        if place:
            self._release(*place)
        self._forget(identity)

    def pause(self, identity: Identity, seconds: float) -> None:
        """See `Limits.pause`."""
        pool = self._pools.get(_pool_name(identity))
        user = pool and pool.users.get(identity.user)
        if pool is None or not user:
            return  # nobody is under way, so nobody was told to wait

        def over() -> None:
            self._grant(pool)
            self._forget(identity)

        user.paused_until = max(user.paused_until, time.monotonic() + seconds)
        asyncio.get_running_loop().call_later(seconds + 0.001, over)

    def _free(self, pool: _Pool, user: _User) -> bool:
        return (
            pool.in_flight < pool.limit
            and user.in_flight < self.per_user
            and (not user.paused_until or user.paused_until <= time.monotonic())
        )

    async def _wait(self, pool: _Pool, user: _User) -> None:
        turn = asyncio.get_running_loop().create_future()
        if not user.waiting:
            pool.ring.append(user)
        user.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(pool, user)  # the turn came in the same moment: hand it on
            elif turn in user.waiting:
                user.waiting.remove(turn)
                if not user.waiting:
                    pool.ring.remove(user)
            raise

    def _release(self, pool: _Pool, user: _User) -> None:
        user.in_flight -= 1
        pool.in_flight -= 1
        if pool.ring:
            self._grant(pool)

    def _grant(self, pool: _Pool) -> None:
        """Give free places to those who wait, one person after the other."""
        skipped = 0
        while pool.in_flight < pool.limit and skipped < len(pool.ring):
            user = pool.ring.popleft()
            if not self._free(pool, user):
                pool.ring.append(user)
                skipped += 1
                continue
            skipped = 0
            turn = user.waiting.popleft()
            if not turn.done():
                user.in_flight += 1
                pool.in_flight += 1
                turn.set_result(None)
            if user.waiting:
                pool.ring.append(user)

    def _forget(self, identity: Identity) -> None:
        name = _pool_name(identity)
        pool = self._pools.get(name)
        user = pool and pool.users.get(identity.user)
        if not pool or not user or user.in_flight or user.waiting:
            return
        if not user.paused_until or user.paused_until <= time.monotonic():
            del pool.users[identity.user]
            if not pool.users:
                del self._pools[name]


class _Slot(AbstractAsyncContextManager[None]):
    __slots__ = ("_identity", "_limits", "_patience", "_place")

    def __init__(self, limits: LocalLimits, identity: Identity, patience: float) -> None:
        self._limits = limits
        self._identity = identity
        self._patience = patience

    async def __aenter__(self) -> None:
        try:
            self._place = await self._limits.enter(self._identity, self._patience)
        except BaseException:
            self._limits.leave(self._identity, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._limits.leave(self._identity, self._place)


def _pool_name(identity: Identity) -> str:
    return identity.pool or identity.user


class Breaker:
    """Stops asking a Dataverse that keeps failing, for a while that doubles up to a minute."""

    def __init__(self, *, failures: int = 10, pause: float = 5.0, longest: float = 60.0) -> None:
        self._threshold = failures
        self._first = pause
        self._longest = longest
        self._failures = 0
        self._pause = 0.0
        self._until = 0.0

    def check(self) -> None:
        """Raise CircuitOpen while closed to calls; after the pause one call is let through to try."""
        if not self._pause:
            return
        now = time.monotonic()
        if now < self._until:
            left = self._until - now
            raise CircuitOpen(
                f"Dataverse failed {self._failures} times in a row; we try it again in {left:.0f} s.", retry_after=left
            )
        self._until = now + self._pause

    def success(self) -> None:
        """Dataverse answered, whatever it said."""
        self._failures = 0
        self._pause = 0.0

    def failure(self) -> None:
        """No answer, or one that says "not now"."""
        self._failures += 1
        if self._failures >= self._threshold:
            self._pause = min(self._pause * 2 or self._first, self._longest)
            self._until = time.monotonic() + self._pause
