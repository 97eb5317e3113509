"""How fast one person, and one tenant, may ask: a token bucket for each, so that nobody starves the others."""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from .errors import UserError
from .request import Principal
from .state import TABLES

log = logging.getLogger(__name__)

_KEPT = 20_000
_DAY = 86_400.0

_PACES: Final = sa.Table(
    "paces",
    TABLES,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("left", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False, index=True),
)


class TooFast(UserError):
    """Asked too often. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`burst` at once, then `per_minute`."""

    per_minute: float
    burst: int


class Rate(Protocol):
    """What the dispatcher asks before anything else."""

    async def take(self, principal: Principal) -> None:
        """One request. Raises TooFast saying how long to wait; what is refused costs the tenant nothing."""
        ...


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """In this process; a bucket that nobody has used lately is full, and forgotten. A pace of None is no limit."""

    def __init__(
        self, person: Pace | None, tenant: Pace | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.person, self.tenant = person, tenant
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def take(self, principal: Principal) -> None:
        """See `Rate.take`."""
        paces = self.paces(principal)
        buckets = [(self._bucket(name, pace), pace, whose) for name, pace, whose in paces]
        for bucket, pace, whose in buckets:
            if bucket.left < 1:
                raise too_fast(whose, pace, bucket.left)
        for bucket, _, _ in buckets:
            bucket.left -= 1

    def paces(self, principal: Principal) -> list[tuple[str, Pace, str]]:
        """The buckets that one request takes from: name, pace, and the sentence's beginning."""
        everyone = f"{principal.platform}:{principal.tenant}"
        both = ((principal.key, self.person, "You ask"), (everyone, self.tenant, "Your organisation asks"))
        return [(name, pace, whose) for name, pace, whose in both if pace]

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


class SharedRateLimit:
    """The same buckets for every process on one PostgreSQL, by the database's clock.

    While the database cannot be asked, each process counts for itself. Names are kept as digests only.
    """

    def __init__(self, engine: AsyncEngine, alone: RateLimit) -> None:
        """`alone`: the paces, and what counts while the database is away."""
        self._engine, self._alone = engine, alone

    async def take(self, principal: Principal) -> None:
        """See `Rate.take`."""
        try:
            async with self._engine.begin() as db:
                # The tenant's row last: it is the one that many wait for.
                for name, pace, whose in self._alone.paces(principal):
                    await _take(db, hashlib.blake2b(name.encode(), digest_size=16).hexdigest(), pace, whose)
        except (SQLAlchemyError, OSError) as e:
            log.warning("the shared rate limit cannot be asked: %s", type(e).__name__)
            await self._alone.take(principal)

    async def forget_old(self) -> int:
        """Drop the buckets that nobody has used for a day: they are full. How many."""
        async with self._engine.begin() as db:
            return (await db.execute(sa.delete(_PACES).where(_PACES.c.at < _now() - _DAY))).rowcount


def too_fast(whose: str, pace: Pace, left: float) -> TooFast:
    """The refusal; `left` is what the bucket holds, below 1."""
    wait = max(1, round((1 - left) * 60 / pace.per_minute))
    return TooFast(
        f"{whose} faster than this bot may answer. Nothing was done.",
        f"Try again in {wait} second{'s' if wait > 1 else ''}.",
    )


def _now() -> sa.Function[float]:
    return sa.func.date_part("epoch", sa.func.clock_timestamp(), type_=sa.Float)


async def _take(db: AsyncConnection, name: str, pace: Pace, whose: str) -> None:
    now = _now()
    # Not below 0: whoever waited for the row reads a clock that another has been past.
    since = sa.func.greatest(0.0, now - _PACES.c.at)
    left = sa.func.least(float(pace.burst), _PACES.c.left + since * (pace.per_minute / 60), type_=sa.Float)
    taken = (
        insert(_PACES)
        .values(name=name, left=float(pace.burst) - 1, at=now)
        .on_conflict_do_update(index_elements=["name"], set_={"left": left - 1, "at": now}, where=left >= 1)
        .returning(_PACES.c.left)
    )
    if (await db.execute(taken)).first():
        return
    raise too_fast(whose, pace, float(await db.scalar(sa.select(left).where(_PACES.c.name == name)) or 0))
