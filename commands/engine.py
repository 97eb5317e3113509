"""The durable engine under `commands.jobs`: DBOS Transact on SQLite or PostgreSQL, with the settings it needs.

Only this module and `commands.journal` know DBOS. One engine per process (DBOS is a process-wide singleton);
everything that it stores is encrypted. What it does not do by itself: refuse to run twice under one executor id (a
`Claim` does), and take over the work of a dead process (`_adopt` does).
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from contextvars import Context
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, SetEnqueueOptions, SetWorkflowID
from dbos._serialization import Serializer  # its public home is the config's `serializer`; the class has no other
from sqlalchemy.exc import SQLAlchemyError

from .claim import Claim, ClaimError, DatabaseClaim, FolderClaim
from .state import Cipher

log = logging.getLogger(__name__)

QUEUE: Final = "crm"
JOB_NAME: Final = "crm_job"
CHORE_NAME: Final = "crm_chore"
LIVING: Final = ("PENDING", "ENQUEUED", "DELAYED")
"""The states of a job that has not ended."""
_APPLICATION_VERSION: Final = "jobs-1"
"""Pinned: by default DBOS strands waiting work after every edit. Change it for incompatible steps only, drained."""
_DIRECT: Final = 16
"""Jobs at work that were started at once, without the queue's polling delay; more than these wait in the queue."""
_QUEUED: Final = 10
"""Jobs at work that came from the queue."""
_HELD: Final = 100
"""Jobs that a process holds at most. Most of them only wait to be let into a busy conversation: they keep no other
from its work."""
_LOOK: Final = 0.5
"""Seconds between two looks at the lock: how long two processes can believe that a job is theirs."""
_PERIOD: Final = 2.0
"""Seconds between two looks at work that nobody executes. Two must agree, so whoever lost its lock has stopped."""
_TOGETHER: Final = 2
"""Times that a job is begun beside others. Whoever was begun oftener was running when processes died, and is a suspect:
suspects run one at a time, so that a job that ends its process takes no other with it."""
_ALONE: Final = 4
"""Times that a suspect is begun so; one that ends its process each time must not travel for ever."""
_BEGUN: Final = 1000
"""DBOS's own limit, which ends a job without a word; to it a suspect that waits for its turn is begun, too."""
_CRASHES: Final = "crashes"
"""Attribute of a job: how many of its runs ended with their process, before it was last put back into the queue."""
_TRIED: Final = "tried"
"""Attribute of a job: how often it was begun as the only suspect."""
CALLED_OFF: Final = "called_off"
"""Attribute of a job: operators want it tried no more."""
_LOCKED: Final = 0.5
"""Seconds that a new job waits for a locked journal before it is refused."""


class End(StrEnum):
    """Why a job is not tried (any more)."""

    DEADLY = "begun six times, and each time its process died"
    CALLED_OFF = "called off by an operator"


Body = Callable[[str, End | None], Coroutine[Any, Any, str]]
"""Executes a job, given its argument; with an end, only tells its person so."""


class EngineError(Exception):
    """The engine cannot start, or takes no work just now; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Status:
    """A job as the journal has it: ended with a result, or not ended (`result` None)."""

    ended: bool
    result: str | None


class Sealed(Serializer):
    """JSON, encrypted: neither arguments nor results can be read, or turned into code, by whoever reads the file."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def serialize(self, data: Any) -> str:
        """Text for the journal."""
        if isinstance(data, BaseException):
            data = {"error": type(data).__name__}
        return self._cipher.encrypt(json.dumps(data).encode()).decode()

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805  the parent names it so
        """Back from the journal."""
        return json.loads(cls._cipher.decrypt(serialized_data.encode()))

    def name(self) -> str:
        """What the journal calls this format."""
        return "crmchat_sealed_json"


_body: Body | None = None
_running: dict[str, asyncio.Task[Any]] = {}
"""The jobs that this process executes now."""
_first: set[str] = set()
"""The jobs that this process started at once, and whose work is not done: nobody has run them before."""
_queued = asyncio.Semaphore(_QUEUED)
_alone = asyncio.Lock()
"""Held by the only suspect that runs in this process."""


class JobAbandoned(Exception):
    """Ends a job as failed: its person knows, and operators find it in the journal."""


@DBOS.workflow(name=JOB_NAME, max_recovery_attempts=_BEGUN)
async def _crm_job(argument: str) -> str:
    job, task = DBOS.workflow_id, asyncio.current_task()
    if _body is None or job is None or task is None:
        raise EngineError("the engine runs no jobs yet")
    _running[job] = task
    try:
        known = None if job in _first else await _known(job)
        async with _alone if _suspect(known) else nullcontext():
            end = await _end(job, known)
            result = await _body(argument, end)
    except (SQLAlchemyError, EngineError) as e:
        # Only the journal fails so. An ordinary exception would be recorded as the job's end; cancelled, it stays
        # pending, and `_adopt` starts it again.
        log.warning("a job is parked until the journal can be written: %s", type(e).__name__)
        raise asyncio.CancelledError from e
    finally:
        _running.pop(job, None)
        _first.discard(job)
    if end:
        raise JobAbandoned(end)
    return result


_chores: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
"""What this process is about to do for all; a chore whose process died is not made up for, the next one comes soon."""


@DBOS.workflow(name=CHORE_NAME)
async def _crm_chore(name: str) -> str:
    if chore := _chores.get(name):
        await chore()
    return name


async def _outside(asking: Coroutine[Any, Any, Any]) -> Any:
    """Ask the engine without the workflow's own context, where it would be recorded as one of its steps."""
    return await asyncio.create_task(asking, context=Context())


async def _known(job: str) -> Any:
    return await _outside(DBOS.get_workflow_status_async(job))


async def _end(job: str, known: Any) -> End | None:
    """Whether it must not be tried: it was called off, or ended its process each time that it was tried."""
    if known and (known.attributes or {}).get(CALLED_OFF):
        return End.CALLED_OFF
    if not _suspect(known):
        return None
    tried = int((known.attributes or {}).get(_TRIED, 0)) + 1
    await _outside(DBOS.update_workflow_attributes_async(job, {_TRIED: tried}, merge=True))
    if tried > 2 * _ALONE:  # not even telling its person is survived
        raise JobAbandoned(End.DEADLY)
    return End.DEADLY if tried > _ALONE else None


def _suspect(job: Any) -> bool:
    return bool(job) and _crashes(job) + (job.recovery_attempts or 0) > _TOGETHER


def _crashes(job: Any) -> int:
    return int((job.attributes or {}).get(_CRASHES, 0))


class Engine:
    """Starts workflows by id, exactly once each, and finds them again."""

    def __init__(self, folder: Path, cipher: Cipher, *, url: str = "", beside: bool = False) -> None:
        """`folder` holds the SQLite journal and its lock; `url` (postgresql://…) replaces it by a shared database.

        `beside`: where another process executes this journal's jobs, leave them to it and be its client.
        """
        self._path, self._cipher, self._url, self._beside = folder / "journal.db", cipher, url, beside
        self._claim: Claim = DatabaseClaim(url) if url else FolderClaim(folder)
        self._client: DBOSClient | None = None
        self._refuses = ""
        self._suspects: set[str] = set()
        self._silent: set[str] = set()
        self._tending: asyncio.Task[None] | None = None

    async def start(self, body: Body) -> None:
        """Take the lock, migrate, and resume what a former process left. Must run on the loop that runs the bot."""
        global _body, _queued, _alone  # one engine per process, as DBOS has it
        if self._url and self._beside:
            self._client = await asyncio.to_thread(open_client, self._path, self._cipher, self._url)
            return
        try:
            await self._claim.take()
        except ClaimError as e:
            if not self._beside:
                raise EngineError(str(e)) from e
            self._client = await asyncio.to_thread(open_client, self._path, self._cipher, self._url)
            return
        _body, _queued, _alone = body, asyncio.Semaphore(_QUEUED), asyncio.Lock()
        await self._launch()
        self._tending = asyncio.create_task(self._tend())

    async def stop(self, grace: int) -> None:
        """Take nothing more and let what runs finish for `grace` seconds; the rest is parked for the next process."""
        if self._client:
            await asyncio.to_thread(self._client.destroy)
            return
        if self._tending:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        if not self._refuses:
            self._refuses = "This process is stopping and takes no more work."
            if _running or _chores or _first:
                parking = asyncio.get_running_loop().call_later(grace, _park)
                await _destroy(grace + 1)
                parking.cancel()
            else:  # with any grace at all, DBOS looks for what runs after a whole second only
                await _destroy(0)
        await self._claim.release()

    @property
    def elsewhere(self) -> bool:
        """Another process executes what is begun here: its end is seen only in `status`."""
        return self._client is not None

    async def begin(self, job: str, argument: str, *, delay: float = 0.0) -> None:
        """Journal the job and start it (after `delay` seconds); nothing happens if a job of this id exists already.

        Raises EngineError or SQLAlchemyError where it was not journalled and will not be.
        """
        if self._client:
            options: EnqueueOptions = {
                "workflow_name": JOB_NAME,
                "queue_name": QUEUE,
                "workflow_id": job,
                "app_version": _APPLICATION_VERSION,
            }
            await self._client.enqueue_async(options, argument)
            return
        await self._check_writable()
        with SetWorkflowID(job):
            if delay or len(_first) >= _DIRECT or len(_running) >= _HELD:
                with SetEnqueueOptions(delay_seconds=delay or None):
                    await DBOS.enqueue_workflow_async(QUEUE, _crm_job, argument)
                return
            _first.add(job)
            try:
                handle = await DBOS.start_workflow_async(_crm_job, argument)
            except BaseException:
                _first.discard(job)
                raise
        watcher = asyncio.create_task(_watch(handle))
        _WATCHERS.add(watcher)
        watcher.add_done_callback(_WATCHERS.discard)

    async def once(self, name: str, chore: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Do it unless a process that shares the journal has begun a chore of this name; whether this one did.

        `name` says when, too (`upkeep/2026-11-24T07`). Raises what the chore raises, EngineError or SQLAlchemyError.
        """
        if self._client or await self.status(name):
            return False
        mine = False

        async def noted() -> None:
            nonlocal mine
            mine = True
            await chore()

        _chores[name] = noted
        try:
            with SetWorkflowID(name):
                handle = await DBOS.start_workflow_async(_crm_chore, name)
            await handle.get_result()
        finally:
            del _chores[name]
        return mine

    async def status(self, job: str) -> Status | None:
        """The job of this id, or None. Raises EngineError while the journal cannot be reached."""
        if self._client:
            many = await self._client.list_workflows_async(workflow_ids=[job])
            found = many[0] if many else None
        elif self._refuses:
            raise EngineError(self._refuses)
        else:
            found = await DBOS.get_workflow_status_async(job)
        return Status(found.status not in LIVING, found.output) if found else None

    async def waiting(self, job: str) -> str | None:
        """The argument of a job that nobody has begun to execute; None where there is none (any more)."""
        lister = self._client or DBOS
        found = await lister.list_workflows_async(workflow_ids=[job], name=JOB_NAME, status=["DELAYED", "ENQUEUED"])
        return str(found[0].input["args"][0]) if found and found[0].input else None

    async def cancel(self, job: str) -> None:
        """End a job that waits."""
        await (self._client or DBOS).cancel_workflow_async(job)

    async def work(self, name: str, call: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Inside a job: the step of which only so many run at once."""
        job = DBOS.workflow_id or ""
        if job not in _first:
            async with _queued:
                return await self.step(name, call)
        try:
            return await self.step(name, call)
        finally:
            _first.discard(job)

    async def step(self, name: str, call: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Inside a job: do it and remember its result, so that a resumed job does not do it again."""
        result: str = await DBOS.run_step_async({"name": name}, call)
        return result

    async def called_off(self, job: str) -> bool:
        """Inside a job: whether operators want it tried no more."""
        return bool(((await _known(job)).attributes or {}).get(CALLED_OFF))

    async def trouble(self) -> str:
        """Why no work is taken now; empty when it is."""
        try:
            await self._check_writable(thoroughly=True)
        except (EngineError, SQLAlchemyError, sqlite3.Error) as e:
            return str(e)
        return ""

    # -- whose work it is ---------------------------------------------------------------------------------------

    async def _launch(self) -> None:
        config: DBOSConfig = {
            "name": "crmchat",
            "executor_id": self._claim.executor,
            "application_version": _APPLICATION_VERSION,
            "max_executor_threads": 16,
            "serializer": Sealed(self._cipher),
            "log_level": "ERROR",
            "system_database_url": self._url or f"sqlite:///{self._path}",
            "notification_listener_polling_interval_sec": 0.1,  # nothing of ours listens; stopping waits for it
        }
        if isinstance(self._claim, DatabaseClaim):
            async with self._claim.alone():
                DBOS(config=config)
                DBOS.launch()
        else:
            config["system_database_engine"] = sqlite_engine(self._path)
            DBOS(config=config)
            DBOS.launch()
        await DBOS.register_queue_async(QUEUE, worker_concurrency=_HELD, polling_interval_sec=0.1)

    async def _tend(self) -> None:
        """Notice a lost lock; find work that nobody executes. Runs as long as the engine does."""
        clock = asyncio.get_running_loop().time
        next_look = 0.0
        while True:
            try:
                if not await self._claim.held():
                    await self._retake()
                if clock() >= next_look:
                    next_look = clock() + _PERIOD
                    async with asyncio.timeout(30):
                        await self._adopt()
            except Exception as e:
                log.warning("looking after the journal failed: %s: %s", type(e).__name__, e)
            await asyncio.sleep(_LOOK)

    async def _retake(self) -> None:
        """Others may adopt our jobs from now on: stop executing; begin anew under a new id once that is possible."""
        self._refuses = "The journal's database has been lost; this process takes no work until it is back."
        log.error(self._refuses)
        _park()
        await _destroy(0)
        while True:
            try:
                await self._claim.take()
                await self._launch()
            except (ClaimError, SQLAlchemyError, psycopg.Error, OSError) as e:
                log.warning("still without the journal: %s", e)
                await asyncio.sleep(_PERIOD)
            else:
                break
        self._refuses = ""
        log.warning("the journal is back; working as %s", self._claim.executor)

    async def _adopt(self) -> None:
        """Put back into the queue: the pending jobs of dead processes, and our own that ended without a record."""
        pending = await DBOS.list_workflows_async(
            status="PENDING", name=JOB_NAME, load_input=False, load_output=False, limit=1000
        )
        stray: dict[str, Any] = {}
        foreign: defaultdict[str, list[Any]] = defaultdict(list)
        for job in pending:
            if job.executor_id != self._claim.executor:
                foreign[job.executor_id or ""].append(job)
            elif job.workflow_id not in _running:
                stray[job.workflow_id] = job
        # A job that was just taken from the queue, or has just ended, is between two places for a moment.
        if again := stray.keys() & self._suspects:
            log.warning("%d jobs are started again", len(again))
            await self._requeue([stray[job] for job in again], crashed=False)
        self._suspects = stray.keys() - again
        silent: set[str] = set()
        if isinstance(self._claim, DatabaseClaim):
            for executor, jobs in foreign.items():
                async with self._claim.of_dead(executor) as dead:
                    if dead and executor in self._silent:
                        log.warning("%d jobs of %s, which is gone, are taken over", len(jobs), executor)
                        await self._requeue(jobs, crashed=True)
                    elif dead:
                        silent.add(executor)
        self._silent = silent

    async def _requeue(self, jobs: list[Any], *, crashed: bool) -> None:
        """Let them run again, here or elsewhere, without forgetting how many processes they may have killed."""
        for job in jobs:  # putting a job back sets DBOS's own count to nothing
            crashes = _crashes(job) + (job.recovery_attempts or 0) - (0 if crashed else 1)
            await DBOS.update_workflow_attributes_async(job.workflow_id, {_CRASHES: max(0, crashes)}, merge=True)
        await DBOS.resume_workflows_async([job.workflow_id for job in jobs], queue_name=QUEUE)

    async def _check_writable(self, *, thoroughly: bool = False) -> None:
        if self._refuses:
            raise EngineError(self._refuses)
        if isinstance(self._claim, DatabaseClaim):
            if thoroughly and not await self._claim.held():
                raise EngineError("The journal's PostgreSQL does not answer.")
            return
        # DBOS waits for a locked database without limit. Whoever is refused here can be told that nothing was done.
        try:
            await asyncio.to_thread(_probe, self._path, thoroughly)
        except sqlite3.Error as e:
            raise EngineError(f"The journal {self._path} cannot be written: {e}.") from e


_WATCHERS: set[asyncio.Task[None]] = set()


async def _watch(handle: Any) -> None:
    try:
        await handle.get_result()
    except Exception as e:
        log.warning("a job ended badly: %s", type(e).__name__)


def _park() -> None:
    """Stop executing: what is cancelled stays pending in the journal."""
    for task in list(_running.values()):
        task.cancel()


async def _destroy(grace: int) -> None:
    await asyncio.to_thread(lambda: DBOS.destroy(workflow_completion_timeout_sec=grace))
    # DBOS made its pool the loop's own and has just shut it down; whoever stops after us needs one.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def open_client(path: Path, cipher: Cipher, url: str) -> DBOSClient:
    """The journal, for a process that executes nothing of it."""
    given: dict[str, Any] = {} if url else {"system_database_engine": sqlite_engine(path)}
    return DBOSClient(
        system_database_url=url or f"sqlite:///{path}",
        serializer=Sealed(cipher),
        application_name="crmchat",
        **given,
    )


def _probe(path: Path, write: bool) -> None:
    db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_LOCKED, isolation_level=None)
    try:
        db.execute("BEGIN IMMEDIATE")
        if write:
            db.execute("PRAGMA user_version = 1")
        db.execute("COMMIT")
    finally:
        db.close()


def sqlite_engine(path: Path) -> sa.Engine:
    """WAL and two connections: with DBOS's own settings unfair busy waiting makes a long tail before the answer."""
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=2, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if sqlite3.sqlite_version_info < (3, 42):
            # DBOS looks at Python's version, not SQLite's, before it uses this function.
            connection.create_function("unixepoch", 1, lambda _modifier: time.time())

    return engine
