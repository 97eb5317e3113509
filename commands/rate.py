"""How fast one person, and one tenant, may ask: a token bucket for each, so that nobody starves the others."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .errors import UserError
from .request import Principal

_KEPT = 20_000


class TooFast(UserError):
    """Asked too often. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`burst` at once, then `per_minute`."""

    per_minute: float
    burst: int


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """In this process; a bucket that nobody has used lately is full, and forgotten. A pace of None is no limit."""

    def __init__(
        self, person: Pace | None, tenant: Pace | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._paces = (person, tenant)
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, principal: Principal) -> None:
        """One request. Raises TooFast saying how long to wait; what is refused costs the tenant nothing."""
        names = (principal.key, f"{principal.platform}:{principal.tenant}")
        buckets = [(pace, self._bucket(n, pace)) for pace, n in zip(self._paces, names, strict=True) if pace]
        for pace, bucket in buckets:
            if bucket.left < 1:
                wait = max(1, round((1 - bucket.left) * 60 / pace.per_minute))
                whose = "You ask" if pace is self._paces[0] else "Your organisation asks"
                raise TooFast(
                    f"{whose} faster than this bot may answer. Nothing was done.",
                    f"Try again in {wait} second{'s' if wait > 1 else ''}.",
                )
        for _, bucket in buckets:
            bucket.left -= 1

    def _bucket(self, name: str, pace: Pace) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(float(pace.burst), now)
            while len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        bucket.left = min(pace.burst, bucket.left + (now - bucket.at) * pace.per_minute / 60)
        bucket.at = now
        return bucket
