"""Links between people, conversations and records, kept in one database (SQLite or PostgreSQL).

Everything here may be lost without losing work: jobs have their own journal. Text that people typed is encrypted.
"""

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast
from weakref import WeakValueDictionary

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from crm.records import Ref

from .context import Shown
from .errors import BadInput
from .operation import CATALOG
from .press import Press
from .request import Place, Principal

TABLES = sa.MetaData()
"""Every table of ours; migrations create them."""

_SHOWN = sa.Table(
    "shown",
    TABLES,
    sa.Column("person", sa.String(200), primary_key=True),
    sa.Column("record", sa.String(120), primary_key=True),
    sa.Column("place", sa.String(300), nullable=False),
    sa.Column("title", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Index("shown_by_person", "person", "at"),
)
_KEPT = sa.Table(
    "kept_presses",
    TABLES,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("args", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
)
_LINKS = sa.Table(
    "message_links",
    TABLES,
    sa.Column("message", sa.String(300), primary_key=True),
    sa.Column("record", sa.String(120), nullable=False, index=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

IT_LASTS = timedelta(minutes=30)
"""How long `it` means the record last shown."""
KEPT_FOR = timedelta(days=14)
"""How long a button keeps what was too long to travel inside it."""
UNNAMED = frozenset({""})
"""How the environment is known where none has a name."""
TRAVELS = 900
"""Characters of arguments that fit inside a button (Slack allows 2000 for the sealed whole)."""


class Cipher(Protocol):
    """Encrypts what people typed before it reaches a disk."""

    def encrypt(self, clear: bytes) -> bytes:
        """Authenticated ciphertext."""
        ...

    def decrypt(self, sealed: bytes) -> bytes:
        """Raises ValueError where it was changed or the key is gone."""
        ...


class State:
    """One database, shared by every process that serves the same bot."""

    def __init__(self, engine: AsyncEngine, cipher: Cipher) -> None:
        self.engine = engine
        self.cipher = cipher
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # -- what was shown: `it`, `recent` -------------------------------------------------------------------------

    async def shown(
        self, principal: Principal, place: Place, ref: Ref, title: str, *, env: str = "", only_mentioned: bool = False
    ) -> None:
        """Note that a card has shown this record of this environment to this person here.

        `only_mentioned`: the card is about it without showing it, so a title that is known already stays.
        """
        row = {
            "person": principal.key,
            "record": record_key(ref, env),
            "place": place.key,
            "title": self.cipher.encrypt(title.encode()),
            "at": datetime.now(UTC),
        }
        async with self.turn(principal.key):
            await self.upsert(_SHOWN, row, ("person", "record"), keep=("title",) if only_mentioned else ())

    def turn(self, person: str) -> asyncio.Lock:
        """Held while something is noted for this person: the next command's `it` waits for what was just shown."""
        return self._turns.setdefault(person, asyncio.Lock())

    def memory(self, principal: Principal, place: Place, known_as: frozenset[str] = UNNAMED) -> "PersonMemory":
        """What this person was shown; `it` is what was shown in this thread or conversation.

        `known_as`: the environment, by the names under which things of it may have been kept.
        """
        return PersonMemory(self, principal, place, known_as)

    # -- presses too long to travel -----------------------------------------------------------------------------

    async def keep(self, press: Press) -> Press:
        """The same press, its arguments kept here if they are too long to travel in a button."""
        text = json.dumps(press.args, ensure_ascii=False)
        if len(text.encode()) <= TRAVELS:
            return press
        # Where it goes travels always: a typeahead has no time to look here.
        travels = {name: press.args[name] for name in ("env",) if name in press.args}
        # The id is of the content: rendering the same card again keeps nothing twice.
        key = _kept_id(press.owner, press.verb, text)
        row = {"id": key, "args": self.cipher.encrypt(text.encode()), "at": datetime.now(UTC)}
        await self.upsert(_KEPT, row, ("id",))
        return _with(press, args=travels, kept=key)

    async def unkeep(self, press: Press) -> Press | None:
        """The press with its arguments; None when they are no longer kept."""
        if not press.kept:
            return press
        async with self.engine.connect() as db:
            args = await db.scalar(sa.select(_KEPT.c.args).where(_KEPT.c.id == press.kept))
        return _with(press, args=json.loads(self.cipher.decrypt(args)), kept="") if args else None

    # -- messages that became cases -----------------------------------------------------------------------------

    def links(self, known_as: frozenset[str] = UNNAMED) -> "MessageLinks":
        """Which message became which record of this environment (`known_as`: see `memory`)."""
        return MessageLinks(self, known_as)

    # -- upkeep -------------------------------------------------------------------------------------------------

    async def forget_old(self) -> int:
        """Drop kept presses and shown records past their time; returns how many rows went."""
        return sum([await drop_older(self.engine, table, KEPT_FOR) for table in (_KEPT, _SHOWN)])

    async def forget_person(self, person: str) -> None:
        """Drop what tables keep of this person (`Principal.key`), and what their buttons keep; the audit is apart."""
        async with self.engine.begin() as db:
            for table in TABLES.sorted_tables:
                if "person" in table.c and table.name != "audit":
                    await db.execute(sa.delete(table).where(table.c.person == person))
            rows = (await db.execute(sa.select(_KEPT.c.id, _KEPT.c.args))).all()
            theirs = [key for key, args in rows if key in self._kept_ids(person, args)]
            await db.execute(sa.delete(_KEPT).where(_KEPT.c.id.in_(theirs)))

    def _kept_ids(self, person: str, args: bytes) -> set[str]:
        """The ids under which this person's buttons would keep these arguments."""
        try:
            text = self.cipher.decrypt(args).decode()
        except ValueError:
            return set()
        return {_kept_id(person, verb, text) for verb in CATALOG}

    async def upsert(
        self, table: sa.Table, row: dict[str, object], key: Sequence[str], keep: Sequence[str] = ()
    ) -> None:
        """Insert the row, or change all but `key` and `keep` of the one that is there."""
        # One statement on both databases, so that two processes at once cannot collide.
        statement = inserting(self.engine.dialect, table).values(row)
        changed = {c: statement.excluded[c] for c in row if c not in key and c not in keep}
        async with self.engine.begin() as db:
            await db.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


def inserting(dialect: sa.Dialect, table: sa.Table) -> postgresql.Insert:
    """An INSERT with `on_conflict_do_…`: the two databases that we run on share it, SQLAlchemy has a class for each."""
    of = postgresql if dialect.name == "postgresql" else sqlite
    return cast("postgresql.Insert", of.insert(table))


async def drop_older(engine: AsyncEngine, table: sa.Table, age: timedelta) -> int:
    """Delete the rows whose `at` is longer ago than this; how many went."""
    async with engine.begin() as db:
        return (await db.execute(sa.delete(table).where(table.c.at < datetime.now(UTC) - age))).rowcount


class MessageLinks:
    """`commands.context.Links` of one environment."""

    def __init__(self, state: State, known_as: frozenset[str]) -> None:
        self._state, self._known_as = state, known_as

    async def link(self, message: str, ref: Ref) -> None:
        """See `Links.link`."""
        env = max(self._known_as)  # the name, where there is one
        row = {"message": _prefixed(env, message), "record": f"{ref.table}/{ref.id}", "at": datetime.now(UTC)}
        await self._state.upsert(_LINKS, row, ("message",))

    async def linked(self, message: str) -> Ref | None:
        """See `Links.linked`."""
        keys = [_prefixed(env, message) for env in self._known_as]
        query = sa.select(_LINKS.c.record).where(_LINKS.c.message.in_(keys)).order_by(_LINKS.c.at.desc()).limit(1)
        async with self._state.engine.connect() as db:
            record = await db.scalar(query)
        return parse_record(record) if record else None


class PersonMemory:
    """`commands.context.Memory` for one person in one place."""

    def __init__(self, state: State, principal: Principal, place: Place, known_as: frozenset[str]) -> None:
        self._state, self._principal, self._place, self._known_as = state, principal, place, known_as

    async def last(self, table: str | None = None) -> Ref | None:
        """See `Memory.last`."""
        c = _SHOWN.c
        query = (
            sa.select(c.record)
            .where(c.person == self._principal.key, c.place == self._place.key, c.at > datetime.now(UTC) - IT_LASTS)
            .order_by(c.at.desc())
            .limit(1)
        )
        if table:
            own, named = f"{table}/", f":{table}/"
            query = query.where(c.record.startswith(own, autoescape=True) | c.record.contains(named, autoescape=True))
        async with self._state.turn(self._principal.key), self._state.engine.connect() as db:
            record = await db.scalar(query)
        if record is None:
            return None
        env = record.rpartition(":")[0]
        if env not in self._known_as:
            raise BadInput(
                f"The record shown to you last here is of {env or 'another environment'}.",
                f"Name the one that you mean, or add env={env}." if env else "Name the one that you mean.",
            )
        return parse_record(record)

    async def recent(self, limit: int = 10) -> list[Shown]:
        """See `Memory.recent`."""
        c = _SHOWN.c
        ours = [
            c.record.startswith(f"{env}:", autoescape=True) if env else ~c.record.contains(":")
            for env in self._known_as
        ]
        query = sa.select(c.record, c.title, c.at).where(c.person == self._principal.key, sa.or_(*ours))
        async with self._state.turn(self._principal.key), self._state.engine.connect() as db:
            rows = (await db.execute(query.order_by(c.at.desc()).limit(limit))).all()
        return [
            Shown(parse_record(record), self._state.cipher.decrypt(title).decode(), at.replace(tzinfo=at.tzinfo or UTC))
            for record, title, at in rows
        ]


def _kept_id(owner: str, verb: str, text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{owner}\n{verb}\n{text}"))


def record_key(ref: Ref, env: str = "") -> str:
    """`incident/guid`, or `sandbox:incident/guid` where environments have names."""
    return _prefixed(env, f"{ref.table}/{ref.id}")


def parse_record(record: str) -> Ref:
    """Either as a Ref (see `Card.record`)."""
    table, _, row = record.rpartition(":")[2].partition("/")
    return Ref(table, uuid.UUID(row))


def _prefixed(env: str, text: str) -> str:
    return f"{env}:{text}" if env else text


def _with(press: Press, *, args: dict[str, str], kept: str) -> Press:
    return replace(press, args=args, kept=kept)
