"""The workflows that DBOS runs for us, and what this process knows of those that it runs now.

DBOS wants them registered when a module is imported, and is one for the whole process; so is what stands here.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from contextvars import Context
from enum import StrEnum
from typing import Any, Final

from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

QUEUE: Final = "crm"
JOB_NAME: Final = "crm_job"
CHORE_NAME: Final = "crm_chore"
LIVING: Final = ("PENDING", "ENQUEUED", "DELAYED")
"""The states of a job that has not ended."""
_QUEUED: Final = 10
"""Jobs at work that came from the queue."""
_TOGETHER: Final = 2
"""Times that a job is begun beside others. Whoever was begun oftener was running when processes died, and is a suspect:
suspects run one at a time, so that a job that ends its process takes no other with it."""
_ALONE: Final = 4
"""Times that a suspect is begun so; one that ends its process each time must not travel for ever."""
_BEGUN: Final = 1000
"""DBOS's own limit, which ends a job without a word; to it a suspect that waits for its turn is begun, too."""
CRASHES: Final = "crashes"
"""Attribute of a job: how many of its runs ended with their process, before it was last put back into the queue."""
_TRIED: Final = "tried"
"""Attribute of a job: how often it was begun as the only suspect."""
CALLED_OFF: Final = "called_off"
"""Attribute of a job: operators want it tried no more."""


class End(StrEnum):
    """Why a job is not tried (any more)."""

    DEADLY = "begun six times, and each time its process died"
    CALLED_OFF = "called off by an operator"


Body = Callable[[str, End | None], Coroutine[Any, Any, str]]
"""Executes a job, given its argument; with an end, only tells its person so."""


class EngineError(Exception):
    """The engine cannot start, or takes no work just now; the message says what to do."""


_body: Body | None = None


def execute_with(body: Body) -> None:
    """From now on jobs are executed by it, on this loop."""
    global _body, _queued, _alone
    _body, _queued, _alone = body, asyncio.Semaphore(_QUEUED), asyncio.Lock()


running: dict[str, asyncio.Task[Any]] = {}
"""The jobs that this process executes now."""
first: set[str] = set()
"""The jobs that this process started at once, and whose work is not done: nobody has run them before."""
_queued = asyncio.Semaphore(_QUEUED)
_places: set[str] = set()
"""The jobs that were let in by `_queued`, and whose work is not done."""
_alone = asyncio.Lock()
"""Held by the only suspect that runs in this process."""


class JobAbandoned(Exception):
    """Ends a job as failed: its person knows, and operators find it in the journal."""


@DBOS.workflow(name=JOB_NAME, max_recovery_attempts=_BEGUN)
async def crm_job(argument: str) -> str:
    """A job, from its argument to its result."""
    job, task = DBOS.workflow_id, asyncio.current_task()
    if _body is None or job is None or task is None:
        raise EngineError("the engine runs no jobs yet")
    running[job] = task
    try:
        known = None if job in first else await _known(job)
        async with _alone if _suspect(known) else nullcontext():
            if job not in first:
                await _queued.acquire()
                _places.add(job)
            end = await _end(job, known)
            result = await _body(argument, end)
    except (SQLAlchemyError, EngineError) as e:
        # Only the journal fails so. An ordinary exception would be recorded as the job's end; cancelled, it stays
        # pending, and `Adoption` starts it again.
        log.warning("a job is parked until the journal can be written: %s", type(e).__name__)
        raise asyncio.CancelledError from e
    finally:
        running.pop(job, None)
        _make_room(job)
    if end:
        raise JobAbandoned(end)
    return result


chores: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
"""What this process is about to do for all; a chore whose process died is not made up for, the next one comes soon."""


@DBOS.workflow(name=CHORE_NAME)
async def crm_chore(name: str) -> str:
    """What one process does for all that share the journal."""
    if chore := chores.get(name):
        await chore()
    return name


async def _outside(asking: Coroutine[Any, Any, Any]) -> Any:
    """Ask the engine without the workflow's own context, where it would be recorded as one of its steps."""
    return await asyncio.create_task(asking, context=Context())


async def _known(job: str) -> Any:
    return await _outside(DBOS.get_workflow_status_async(job))


async def called_off(job: str) -> bool:
    """Inside a job: whether operators want it tried no more."""
    return _called_off(await _known(job))


def _called_off(job: Any) -> bool:
    return bool((job.attributes or {}).get(CALLED_OFF))


async def _end(job: str, known: Any) -> End | None:
    """Whether it must not be tried: it was called off, or ended its process each time that it was tried."""
    if known and _called_off(known):
        return End.CALLED_OFF
    if not _suspect(known):
        return None
    tried = int((known.attributes or {}).get(_TRIED, 0)) + 1
    await _outside(DBOS.update_workflow_attributes_async(job, {_TRIED: tried}, merge=True))
    if tried > 2 * _ALONE:  # not even telling its person is survived
        raise JobAbandoned(End.DEADLY)
    return End.DEADLY if tried > _ALONE else None


def _suspect(job: Any) -> bool:
    return bool(job) and runs(job) > _TOGETHER


def runs(job: Any) -> int:
    """How often a job that has not ended was begun; putting it back into the queue sets DBOS's own count to nothing."""
    return int((job.attributes or {}).get(CRASHES, 0)) + (job.recovery_attempts or 0)


async def work(name: str, call: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """Inside a job: the last step for which it keeps others from beginning."""
    try:
        return await step(name, call)
    finally:
        _make_room(DBOS.workflow_id or "")


async def step(name: str, call: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """Inside a job: do it and remember its result, so that a resumed job does not do it again."""
    result: str = await DBOS.run_step_async({"name": name}, call)
    return result


def _make_room(job: str) -> None:
    first.discard(job)
    if job in _places:
        _places.remove(job)
        _queued.release()


def park() -> None:
    """Stop executing: what is cancelled stays pending in the journal."""
    if running:
        log.warning("%d jobs are parked; they go on when the journal is taken up again", len(running))
    for task in list(running.values()):
        task.cancel()
