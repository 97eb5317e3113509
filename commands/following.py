"""`Threads` in the state database: which thread follows which case, and what came from here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from pydantic import TypeAdapter

from crm.records import Ref

from .context import Memory, Shown
from .request import Place, PlaceKind, Principal
from .state import TABLES, UNNAMED, State, drop_older, record_key
from .threads import Following, Threads

_FOLLOWING: Final[TypeAdapter[Following]] = TypeAdapter(Following)

_THREADS = sa.Table(
    "threads",
    TABLES,
    sa.Column("place", sa.String(300), primary_key=True),
    sa.Column("record", sa.String(120), nullable=False, index=True),
    sa.Column("following", sa.LargeBinary, nullable=False),
)
_MARKS = sa.Table(
    "thread_marks",
    TABLES,
    sa.Column("mark", sa.String(500), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
)
_NOBODY: Final = Principal(platform="", tenant="", user="erased")
_OF_A_PERSON: Final = frozenset({"user", "response_url", "response_until"})
"""Parts of a place's address that belong to whoever asked there."""
MARKS_LAST = timedelta(days=30)
"""How long a change counts as told; Dataverse tries again for hours at most."""


async def case_here(threads: Threads | None, place: Place, known_as: frozenset[str] = UNNAMED) -> Ref | None:
    """The case that this thread follows, if it is of the environment of these names."""
    following = await threads.followed(place) if threads else None
    return following.case if following and following.env in known_as else None


class ThreadMemory:
    """`commands.context.Memory`: in a thread that follows a case, `it` is that case until something else is shown."""

    def __init__(self, shown: Memory, threads: Threads | None, place: Place, known_as: frozenset[str]) -> None:
        self._shown, self._threads, self._place, self._known_as = shown, threads, place, known_as

    async def last(self, table: str | None = None) -> Ref | None:
        """See `Memory.last`."""
        if found := await self._shown.last(table):
            return found
        case = await case_here(self._threads, self._place, self._known_as)
        return case if case and table in (None, case.table) else None

    async def recent(self, limit: int = 10) -> list[Shown]:
        """See `Memory.recent`."""
        return await self._shown.recent(limit)


class FollowedThreads:
    """`commands.threads.Threads` over `State`'s database; places and people are encrypted."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def follow(self, following: Following) -> None:
        """See `Threads.follow`."""
        row = {
            "place": following.place.key,
            "record": record_key(following.case, following.env),
            "following": self._state.cipher.encrypt(_FOLLOWING.dump_json(following)),
        }
        async with self._state.engine.begin() as db:
            await db.execute(sa.delete(_THREADS).where(_THREADS.c.place == following.place.key))
            await db.execute(sa.insert(_THREADS).values(row))

    async def unfollow(self, place: Place) -> None:
        """See `Threads.unfollow`."""
        async with self._state.engine.begin() as db:
            await db.execute(sa.delete(_THREADS).where(_THREADS.c.place == place.key))

    async def followed(self, place: Place) -> Following | None:
        """See `Threads.followed`."""
        query = sa.select(_THREADS.c.following).where(_THREADS.c.place == place.key)
        async with self._state.engine.connect() as db:
            found = await db.scalar(query)
        return self._opened(found) if found else None

    async def followers(self, case: Ref, known_as: frozenset[str] = UNNAMED) -> list[Following]:
        """See `Threads.followers`."""
        records = [record_key(case, env) for env in known_as]
        query = sa.select(_THREADS.c.following).where(_THREADS.c.record.in_(records))
        async with self._state.engine.connect() as db:
            return [self._opened(found) for found in (await db.scalars(query)).all()]

    async def first(self, mark: str) -> bool:
        """See `Threads.first`."""
        if await self.known(mark):
            return False
        try:
            async with self._state.engine.begin() as db:
                await db.execute(sa.insert(_MARKS).values(mark=mark[-500:], at=datetime.now(UTC)))
        except sa.exc.IntegrityError:
            return False  # somebody else was faster
        return True

    async def known(self, mark: str) -> bool:
        """See `Threads.known`."""
        async with self._state.engine.connect() as db:
            return await db.scalar(sa.select(_MARKS.c.mark).where(_MARKS.c.mark == mark[-500:])) is not None

    async def forget(self, mark: str) -> None:
        """See `Threads.forget`."""
        async with self._state.engine.begin() as db:
            await db.execute(sa.delete(_MARKS).where(_MARKS.c.mark == mark[-500:]))

    async def newest(self, thing: str, version: str) -> bool:
        """See `Threads.newest`."""
        await self.first(f"{thing}/{version}")
        query = sa.select(_MARKS.c.mark).where(_MARKS.c.mark.startswith(f"{thing}/", autoescape=True))
        async with self._state.engine.connect() as db:  # compared here: databases order text by the rules of a language
            return max((await db.scalars(query)).all(), default="") <= f"{thing}/{version}"

    async def erase(self, person: str) -> int:
        """Leave out who made the cases that threads follow, where that is `person`; how many threads were theirs.

        The threads go on. Those that the person was alone in with the bot end.
        """
        async with self._state.engine.begin() as db:
            rows = (await db.execute(sa.select(_THREADS.c.place, _THREADS.c.following))).all()
            theirs = [(key, found) for key, sealed in rows if (found := self._of(person, sealed))]
            for key, found in theirs:
                if found.place.kind is PlaceKind.PERSONAL:
                    await db.execute(sa.delete(_THREADS).where(_THREADS.c.place == key))
                    continue
                who = replace(_NOBODY, platform=found.principal.platform, tenant=found.principal.tenant)
                address = {k: v for k, v in found.place.address.items() if k not in _OF_A_PERSON}
                left = replace(found, principal=who, place=replace(found.place, address=address))
                sealed = self._state.cipher.encrypt(_FOLLOWING.dump_json(left))
                await db.execute(sa.update(_THREADS).where(_THREADS.c.place == key).values(following=sealed))
        return len(theirs)

    def _of(self, person: str, sealed: bytes) -> Following | None:
        try:
            found = self._opened(sealed)
        except ValueError:
            return None
        return found if found.principal.key == person else None

    async def forget_old(self) -> int:
        """Drop marks past their time; returns how many went."""
        return await drop_older(self._state.engine, _MARKS, MARKS_LAST)

    def _opened(self, sealed: bytes) -> Following:
        return _FOLLOWING.validate_json(self._state.cipher.decrypt(sealed))
