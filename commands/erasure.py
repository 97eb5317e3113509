"""Erasure of a person from the journal: tombstones in the place of what they asked and were answered.

Beside DBOS, which changes no ended job: its tables with content are rewritten, and the jobs keep their keys and
outcomes, so that a platform's or a person's repetition still runs nothing twice. Source of the tables: the schema of
the pinned version of DBOS.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from pydantic import TypeAdapter

from .cards import Card, CardKind
from .journal_database import Sealed, sqlite_engine
from .request import Reply
from .state import Cipher
from .work import Answer, Outcome
from .workflows import JOB_NAME, LIVING

KEYS_KEPT: Final = 48 * 3600.0
"""Seconds for which an erased job keeps its key: as long as a platform may repeat what it stands for."""
_LEAST: Final = 5
"""Letters below which a name says too little to look for."""
_ANSWER: Final[TypeAdapter[Answer]] = TypeAdapter(Answer)
_GONE: Final = Reply(card=Card(kind=CardKind.NOTICE, title="This was answered before; its content has been erased."))


@dataclass(frozen=True, slots=True)
class Erased:
    """How many jobs keep a tombstone, were dropped (older than their keys are needed), or run and were left alone."""

    kept: int = 0
    dropped: int = 0
    living: int = 0


async def erase_from_journal(folder: Path, cipher: Cipher, url: str, person: str, names: Iterable[str]) -> Erased:
    """Erase every ended job that `person` (`platform:tenant:user`) asked for, is quoted in, or is named in.

    While jobs of theirs have not ended, these are counted and nothing is erased. A folder without a journal has nothing
    to erase. Raises SQLAlchemyError.
    """
    path = folder / "journal.db"
    if not url and not path.exists():
        return Erased()
    return await asyncio.to_thread(_erase, path, Sealed(cipher), url, _Person(person, names))


class _Person:
    """Recognises somebody in what a job holds."""

    def __init__(self, key: str, names: Iterable[str]) -> None:
        _, self.tenant, self.user = key.split(":", 2)
        self.marks = {key.casefold(), *(name.casefold() for name in names if len(name) >= _LEAST)}

    def learn(self, data: Any) -> None:
        """Take note of what they are called where they ask."""
        for part in _parts(data):
            if isinstance(part, Mapping) and self._is(part):
                told = (str(part.get(field) or "") for field in ("name", "email", "entra_id"))
                self.marks.update(text.casefold() for text in told if len(text) >= _LEAST)

    def is_in(self, data: Any) -> bool:
        """By their ids, or by name."""
        for part in _parts(data):
            if isinstance(part, Mapping) and self._is(part):
                return True
            if isinstance(part, str) and any(mark in part.casefold() for mark in self.marks):
                return True
        return False

    def _is(self, part: Mapping[str, Any]) -> bool:
        return part.get("user") == self.user and part.get("tenant", self.tenant) == self.tenant


def _erase(path: Path, sealed: Sealed, url: str, person: _Person) -> Erased:
    engine = sa.create_engine("postgresql+psycopg://" + url.partition("://")[2]) if url else sqlite_engine(path)
    schema = "dbos" if url else None

    def table(name: str, *columns: str) -> sa.TableClause:
        return sa.table(name, *map(sa.column, ("workflow_uuid", *columns)), schema=schema)

    jobs = table("workflow_status", "name", "status", "created_at")
    inputs, outputs = table("workflow_input", "inputs"), table("workflow_output", "output")
    steps = table("operation_outputs", "output")
    job = jobs.c.workflow_uuid
    found = (
        sa.select(job, jobs.c.status, jobs.c.created_at, inputs.c.inputs, outputs.c.output)
        .select_from(jobs)
        .outerjoin(inputs, inputs.c.workflow_uuid == job)
        .outerjoin(outputs, outputs.c.workflow_uuid == job)
        .where(jobs.c.name == JOB_NAME)
    )
    try:
        with engine.begin() as db:
            rows = db.execute(found).all()
            content = {row.workflow_uuid: (_opened(sealed, row.inputs), _opened(sealed, row.output)) for row in rows}
            for asked, _ in content.values():
                person.learn(asked)
            theirs = [row for row in rows if person.is_in(content[row.workflow_uuid])]
            if living := sum(row.status in LIVING for row in theirs):
                return Erased(living=living)
            needed = (time.time() - KEYS_KEPT) * 1000
            emptied = sealed.serialize({"args": [], "kwargs": {}})
            dropped = 0
            for row in theirs:
                if row.created_at < needed:
                    dropped += 1
                    for each in (steps, outputs, inputs, jobs):
                        db.execute(sa.delete(each).where(each.c.workflow_uuid == row.workflow_uuid))
                    continue
                db.execute(sa.update(inputs).where(inputs.c.workflow_uuid == row.workflow_uuid).values(inputs=emptied))
                answer = _tombstone(sealed, row.output)
                for each in (steps, outputs):
                    theirs_here = each.c.workflow_uuid == row.workflow_uuid, each.c.output.is_not(None)
                    db.execute(sa.update(each).where(*theirs_here).values(output=answer))
        compact(engine, [jobs, inputs, outputs, steps])
        return Erased(kept=len(theirs) - dropped, dropped=dropped)
    finally:
        engine.dispose()


def compact(engine: sa.Engine, tables: Iterable[sa.TableClause]) -> None:
    """Leave nothing of what was deleted in the database's own files; backups and write-ahead archives keep theirs."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        if engine.dialect.name == "sqlite":
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                db.exec_driver_sql(statement)
        else:
            for table in tables:
                db.exec_driver_sql(f"VACUUM (FULL) {engine.dialect.identifier_preparer.format_table(table)}")


def _opened(sealed: Sealed, text: str | None) -> Any:
    """What was stored; nothing where its key is gone."""
    try:
        return sealed.deserialize(text) if text else None
    except ValueError:
        return None


def _parts(data: Any) -> Iterator[Any]:
    """Everything within, JSON inside texts unfolded."""
    yield data
    if isinstance(data, Mapping):
        for value in data.values():
            yield from _parts(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _parts(value)
    elif isinstance(data, str) and data[:1] in ("{", "["):
        try:
            inner = json.loads(data)
        except ValueError:
            return
        yield from _parts(inner)


def _tombstone(sealed: Sealed, output: str | None) -> str:
    """The answer without its content; a failure stays one, so that a new attempt may follow it."""
    try:
        outcome = _ANSWER.validate_json(sealed.deserialize(output)).outcome if output else Outcome.FAILED
    except ValueError:
        outcome = Outcome.DONE  # nothing may run again for what cannot be read
    return sealed.serialize(_ANSWER.dump_json(Answer(outcome, _GONE)).decode())
