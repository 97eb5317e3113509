"""Durable execution: a write is journalled before the platform is acknowledged, and done exactly once by its key.

A job is one attempt at one intent: its id is intent key + attempt. The same key again joins the attempt that runs, or
gives the answer of the one that succeeded; a new attempt starts only after the former ended in failure or a question.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from .errors import NotAccepted
from .request import Place, Principal, Quote, Reply
from .state import TABLES, State

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything needed to do it, in this process or in the next one."""

    key: str
    """The intent key."""
    verb: str
    args: dict[str, str]
    principal: Principal
    place: Place
    etag: str = "*"
    quote: Quote | None = None
    extra: dict[str, str] = field(default_factory=dict)


class Outcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    QUESTION = "question"
    """Something must be asked first; nothing was written."""
    FAILED = "failed"
    """Nothing more will happen; the reply says why and what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What performing gave."""

    outcome: Outcome
    reply: Reply


Step = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[object]]
Perform = Callable[[Work, Step], Awaitable[Answer]]
"""Runs the operation; never raises (every failure is an Answer)."""
Deliver = Callable[[Work, Reply], Awaitable[None]]
"""Puts a late answer where it was asked for; retries and falls back by itself."""

_JOBS = sa.Table(
    "jobs",
    TABLES,
    sa.Column("key", sa.String(300), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("status", sa.String(20), nullable=False, index=True),
    sa.Column("work", sa.LargeBinary, nullable=False),
    sa.Column("reply", sa.LargeBinary),
    sa.Column("delivered", sa.Boolean, nullable=False, default=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ended", sa.DateTime(timezone=True)),
)
_WORK: TypeAdapter[Work] = TypeAdapter(Work)
_REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)
_RUNNING = "running"


@dataclass(slots=True)
class _Running:
    """An attempt in this process; `late` once the acknowledgement has left without its answer."""

    task: asyncio.Task[Reply]
    late: bool = False


class Jobs:
    """The journal and what executes it."""

    def __init__(self, state: State, perform: Perform, deliver: Deliver) -> None:
        self._state, self._perform, self._deliver = state, perform, deliver
        self._running: dict[str, _Running] = {}

    async def start(self) -> None:
        """Resume what a former process left unfinished."""
        async with self._state.engine.connect() as db:
            left = (
                await db.execute(
                    sa.select(_JOBS.c.key, _JOBS.c.attempt, _JOBS.c.work).where(_JOBS.c.status == _RUNNING)
                )
            ).all()
        for key, attempt, sealed in left:
            work = _WORK.validate_json(self._state.cipher.decrypt(sealed))
            self._begin(key, attempt, work).late = True

    async def stop(self, grace: float = 8.0) -> None:
        """Let what runs finish for `grace` seconds; the rest stays journalled for the next process."""
        tasks = [r.task for r in self._running.values()]
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=grace)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def run(self, work: Work, *, window: float) -> Reply | None:
        """Journal the work, then wait up to `window` seconds for its answer; None: it will be delivered later.

        Raises NotAccepted if it could not be journalled; nothing was done then.
        """
        try:
            running = await self._join_or_begin(work)
        except SQLAlchemyError as e:
            log.warning("the journal refused work: %s", type(e).__name__)
            raise NotAccepted(
                "This was not accepted, and nothing was done: the journal cannot be written just now.",
                "Try again in a minute; if it persists, tell the people who run this bot.",
            ) from e
        if isinstance(running, Reply):
            return running
        try:
            return await asyncio.wait_for(asyncio.shield(running.task), window)
        except TimeoutError:
            running.late = True
            return None

    async def _join_or_begin(self, work: Work) -> "_Running | Reply":
        attempt = 1
        last = await self._last(work.key)
        if last:
            attempt, status, reply = last
            if status == Outcome.DONE and reply:
                return _REPLY.validate_json(self._state.cipher.decrypt(reply))
            if status == _RUNNING:
                return self._running.get(_id(work.key, attempt)) or self._begin(work.key, attempt, work)
            attempt += 1
        row = {
            "key": work.key,
            "attempt": attempt,
            "status": _RUNNING,
            "work": self._state.cipher.encrypt(_WORK.dump_json(work)),
            "delivered": False,
            "created": datetime.now(UTC),
        }
        try:
            async with self._state.engine.begin() as db:
                await db.execute(sa.insert(_JOBS).values(row))
        except IntegrityError:
            return await self._join_or_begin(work)
        return self._begin(work.key, attempt, work)

    def _begin(self, key: str, attempt: int, work: Work) -> _Running:
        job = _id(key, attempt)
        running = _Running(asyncio.create_task(self._execute(key, attempt, work), name=f"job {job}"))
        self._running[job] = running
        running.task.add_done_callback(lambda _task: self._running.pop(job, None))
        return running

    async def _execute(self, key: str, attempt: int, work: Work) -> Reply:
        answer = await self._perform(work, _plain_step)
        await self._note(key, attempt, status=answer.outcome, reply=answer.reply)
        running = self._running.get(_id(key, attempt))
        if running and running.late:
            await self._deliver(work, answer.reply)
        await self._note(key, attempt, delivered=True)
        return answer.reply

    async def _note(self, key: str, attempt: int, *, reply: Reply | None = None, **values: object) -> None:
        if reply is not None:
            values |= {"reply": self._state.cipher.encrypt(_REPLY.dump_json(reply)), "ended": datetime.now(UTC)}
        async with self._state.engine.begin() as db:
            await db.execute(sa.update(_JOBS).where(_JOBS.c.key == key, _JOBS.c.attempt == attempt).values(**values))

    async def _last(self, key: str) -> tuple[int, str, bytes | None] | None:
        query = sa.select(_JOBS.c.attempt, _JOBS.c.status, _JOBS.c.reply).where(_JOBS.c.key == key)
        async with self._state.engine.connect() as db:
            row = (await db.execute(query.order_by(_JOBS.c.attempt.desc()).limit(1))).first()
        return (row[0], row[1], row[2]) if row else None


async def _plain_step(_name: str, call: Callable[[], Awaitable[object]]) -> object:
    return await call()


def _id(key: str, attempt: int) -> str:
    return f"{key}~{attempt}"
