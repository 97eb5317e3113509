"""What was done or refused, by whom, where, in which words: rows are added, never changed, except to erase a person.

What was typed and how the person is called are encrypted. The journal of jobs is kept apart (see commands.jobs).
"""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from .operation import Operation
from .request import Place, Principal
from .state import TABLES, State, drop_older

_AUDIT = sa.Table(
    "audit",
    TABLES,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("person", sa.String(200), nullable=False, index=True),
    sa.Column("place", sa.String(300), nullable=False),
    sa.Column("verb", sa.String(60), nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("record", sa.String(120), nullable=False),
    sa.Column("intent", sa.String(300), nullable=False),
    sa.Column("words", sa.LargeBinary, nullable=False),
)
ERASED = "erased"
"""Stands where a person's identifiers stood."""
DENIED = "denied"
SHARED = "shared"
"""A record's public form was shown to a conversation."""
LEAST = timedelta(days=2)
"""No retention is shorter: a repeated request of two days ago must still be explained."""


_LEAST_LETTERS = 5
"""A shorter name says too little to look for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event. `person` is `platform:tenant:user`; `record` is `table/id`, empty where none was touched."""

    at: datetime
    person: str
    name: str
    place: str
    verb: str
    outcome: str
    record: str
    key: str
    words: dict[str, str]
    reason: str = ""
    environment: str = ""
    """Empty where environments have no names."""

    def json(self) -> str:
        """One line of the export."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({**fields, "at": self.at.isoformat(timespec="milliseconds")}, ensure_ascii=False)


class Audit:
    """The table in the state database."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def note(
        self,
        principal: Principal,
        place: Place,
        operation: Operation | str,
        *,
        key: str,
        outcome: str,
        record: str = "",
        words: Mapping[str, str] | None = None,
        reason: str = "",
        env: str = "",
        once: bool = False,
    ) -> None:
        """Add an event, in this environment. What is done is noted once for its key, however often the job resumes.

        `once`: so is this, which was not done.
        """
        done = outcome == "done"
        once = bool(key) and (once or done)
        same = f"audit\n{principal.key}\n{key}" if done else f"audit\n{principal.key}\n{key}\n{outcome}"
        clear = {"name": principal.name, "words": dict(words or {}), "reason": reason}
        row: dict[str, object] = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, same) if once else uuid.uuid4()),
            "at": datetime.now(UTC),
            "person": principal.key,
            "place": place.key[:300],
            "verb": operation if isinstance(operation, str) else operation.verb,
            "outcome": outcome,
            "record": f"{env}:{record}" if env else record,
            "intent": key[:300],
            "words": self.state.cipher.encrypt(json.dumps(clear, ensure_ascii=False).encode()),
        }
        try:
            async with self.state.engine.begin() as db:
                if once and await db.scalar(sa.select(_AUDIT.c.id).where(_AUDIT.c.id == row["id"])):
                    return
                await db.execute(sa.insert(_AUDIT).values(row))
        except IntegrityError:
            if not once:
                raise
            # Another request, or another process, has noted it meanwhile.

    async def entries(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        person: str = "",
        outcome: str = "",
        record: str = "",
    ) -> AsyncIterator[Entry]:
        """Events in order of time, before `until`; `person` and `record` as `Entry` has them.

        One whose key is gone has no words.
        """
        c = _AUDIT.c
        query = sa.select(_AUDIT).order_by(c.at)
        if since:
            query = query.where(c.at >= since)
        if until:
            query = query.where(c.at < until)
        if person:
            query = query.where(c.person == person)
        if outcome:
            query = query.where(c.outcome == outcome)
        if record:  # of whichever environment
            query = query.where(sa.or_(c.record == record, c.record.endswith(f":{record}", autoescape=True)))
        async with self.state.engine.connect() as db:
            async for row in await db.stream(query):
                yield self._entry(row)

    def _entry(self, row: sa.Row[tuple[object, ...]]) -> Entry:
        got = row._mapping  # noqa: SLF001  SQLAlchemy's public name for it
        try:
            clear = json.loads(self.state.cipher.decrypt(got["words"])) if got["words"] else {}
        except ValueError:
            clear = {"reason": "the words cannot be decrypted: their key is no longer in CRMCHAT_SECRET_KEY"}
        at: datetime = got["at"]
        return Entry(
            at=at.replace(tzinfo=at.tzinfo or UTC),
            person=got["person"],
            name=clear.get("name", ""),
            place=got["place"],
            verb=got["verb"],
            outcome=got["outcome"],
            record=got["record"].rpartition(":")[2],
            environment=got["record"].rpartition(":")[0],
            key=got["intent"],
            words=clear.get("words", {}),
            reason=clear.get("reason", ""),
        )

    async def erase(self, person: str) -> int:
        """A tombstone instead of the person's identifiers, place, key and words; how many events kept it.

        The event, its time, verb, outcome and record stay. Others' events that name the person lose their words.
        """
        c = _AUDIT.c
        names = {name.casefold() for name in await self.names(person) if len(name) >= _LEAST_LETTERS}
        gone = {"person": ERASED, "place": ERASED, "intent": ERASED, "words": b""}
        async with self.state.engine.begin() as db:
            changed = await db.execute(sa.update(_AUDIT).where(c.person == person).values(gone))
            if names:
                rows = (await db.execute(sa.select(c.id, c.words).where(c.words != b""))).all()
                naming = [key for key, words in rows if any(n in self._clear(words).casefold() for n in names)]
                await db.execute(sa.update(_AUDIT).where(c.id.in_(naming)).values(words=b""))
        return changed.rowcount

    def _clear(self, words: bytes) -> str:
        try:
            return self.state.cipher.decrypt(words).decode()
        except ValueError:
            return ""

    async def names(self, person: str) -> set[str]:
        """What a person was called in their events."""
        return {entry.name async for entry in self.entries(person=person) if entry.name}

    async def forget_old(self, days: int) -> int:
        """Drop events older than this; how many went."""
        return await drop_older(self.state.engine, _AUDIT, max(timedelta(days=days), LEAST))
