"""Durable execution: a write is journalled before the platform is acknowledged, and done exactly once by its key.

A job is one attempt at one intent: its id is intent key + attempt. The same key again joins the attempt that runs, or
gives the answer of the one that succeeded; a new attempt starts only after the former ended in failure or a question.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter
from sqlalchemy.exc import SQLAlchemyError

from .engine import Engine
from .errors import NotAccepted
from .request import Place, Principal, Quote, Reply

log = logging.getLogger(__name__)

ATTEMPTS = 50
"""Attempts at one intent; a person who has pressed *Try again* so often needs other help."""

_ANSWERED = 1000
_POLL = 0.1


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


Perform = Callable[[Work, bool], Awaitable[Answer]]
"""Runs the operation; never raises: every failure is an Answer. The flag: an earlier try may have got through."""
Deliver = Callable[[Work, Reply], Awaitable[None]]
"""Puts a late answer where it was asked for; retries and falls back by itself."""


@dataclass(frozen=True, slots=True)
class _Job:
    attempt: int
    work: Work


_JOB: TypeAdapter[_Job] = TypeAdapter(_Job)
_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


@dataclass(slots=True)
class _Slot:
    """An acknowledgement that waits for its answer; `late` once it has left without."""

    answer: asyncio.Future[Answer]
    late: bool = False


class Jobs:
    """The journal and what executes it."""

    def __init__(self, engine: Engine, perform: Perform, deliver: Deliver) -> None:
        self._engine, self._perform, self._deliver = engine, perform, deliver
        self._slots: dict[str, _Slot] = {}
        self._fresh: set[str] = set()
        self._answered: OrderedDict[str, Answer] = OrderedDict()

    async def start(self) -> None:
        """Resume what a former process left unfinished."""
        await self._engine.start(self._execute)

    async def stop(self, grace: int = 8) -> None:
        """Let what runs finish for `grace` seconds; the rest stays journalled for the next process."""
        await self._engine.stop(grace)

    async def run(self, work: Work, *, window: float) -> Reply | None:
        """Journal the work, then wait up to `window` seconds for its answer; None: it will be delivered later.

        Raises NotAccepted if it could not be journalled; nothing was done then.
        """
        try:
            job, ended = await self._latest(work.key)
            if ended and ended.outcome is Outcome.DONE:
                return ended.reply
            slot = self._slots.get(job)
            if slot is None:
                slot = self._slots[job] = _Slot(asyncio.get_running_loop().create_future())
                self._fresh.add(job)
                attempt = int(job.rpartition("~")[2])
                await self._engine.begin(job, _JOB.dump_json(_Job(attempt, work)).decode())
        except SQLAlchemyError as e:
            self._slots.pop(job, None)
            log.warning("the journal refused work: %s", type(e).__name__)
            raise NotAccepted(
                "This was not accepted, and nothing was done: the journal cannot be written just now.",
                "Try again in a minute; if it persists, tell the people who run this bot.",
            ) from e
        if self._engine.elsewhere:
            self._slots.pop(job, None)
            return await self._poll(job, window)
        done, _ = await asyncio.wait({slot.answer}, timeout=window)
        if done:
            return slot.answer.result().reply
        slot.late = True
        return None

    async def _poll(self, job: str, window: float) -> Reply | None:
        """Wait for a job that another process executes."""
        until = time.monotonic() + window
        while time.monotonic() < until:
            status = await self._engine.status(job)
            if status and status.ended and status.result:
                return _ANSWER.validate_json(status.result).reply
            await asyncio.sleep(_POLL)
        return None

    async def _latest(self, key: str) -> tuple[str, Answer | None]:
        """The id to run under, and the answer there is already, if the work is done."""
        for attempt in range(1, ATTEMPTS + 1):
            job = f"{key}~{attempt}"
            answer = self._answered.get(job)
            if answer is None:
                status = await self._engine.status(job)
                if status is None or not status.ended:
                    return job, None
                answer = _ANSWER.validate_json(status.result) if status.result else None
            if answer and answer.outcome is Outcome.DONE:
                return job, answer
        raise NotAccepted(f"This has been tried {ATTEMPTS} times.", "Type the command again to start afresh.")

    async def _execute(self, argument: str) -> str:
        given = _JOB.validate_json(argument)
        work, job = given.work, f"{given.work.key}~{given.attempt}"
        resumed = job not in self._fresh

        async def perform() -> str:
            return _ANSWER.dump_json(await self._perform(work, resumed)).decode()

        async def hand_over() -> str:
            self._remember(job, answer)
            slot = self._slots.pop(job, None)
            if slot and not slot.late:
                slot.answer.set_result(answer)
                return "acknowledgement"
            await self._deliver(work, answer.reply)
            return "delivered"

        try:
            result = await self._engine.step("perform", perform)
            answer = _ANSWER.validate_json(result)
            await self._engine.step("answer", hand_over)
        finally:
            self._fresh.discard(job)
            self._slots.pop(job, None)
        return result

    def _remember(self, job: str, answer: Answer) -> None:
        """Between the answer and the journal's last entry a repeated request must not wait for nothing."""
        self._answered[job] = answer
        while len(self._answered) > _ANSWERED:
            self._answered.popitem(last=False)
