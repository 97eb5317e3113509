"""The durable engine under `commands.jobs`: DBOS Transact on SQLite or PostgreSQL, with the settings it needs.

One engine per process (DBOS is a process-wide singleton); everything that it stores is encrypted. What DBOS does not do
by itself: refuse to run twice under one executor id (a `Claim` does), take over the work of a dead process (`Adoption`
does), and keep a deadly job away from others (`workflows.crm_job` does).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, SetEnqueueOptions, SetWorkflowID, error
from sqlalchemy.exc import SQLAlchemyError

from . import workflows
from .adoption import Adoption
from .claim import Claim, ClaimError, DatabaseClaim, FolderClaim
from .journal_database import Sealed, open_client, probe, sqlite_engine
from .state import Cipher
from .workflows import JOB_NAME, LIVING, QUEUE, Body, EngineError, crm_chore, crm_job

__all__ = ["Engine", "EngineError", "Status"]

log = logging.getLogger(__name__)

_APPLICATION_VERSION: Final = "jobs-1"
"""Pinned: by default DBOS strands waiting work after every edit. Change it for incompatible steps only, drained."""
_DIRECT: Final = 16
"""Jobs at work that were started at once, without the queue's polling delay; more than these wait in the queue."""
_HELD: Final = 100
"""Jobs that a process holds at most. Most of them only wait to be let into a busy conversation: they keep no other
from its work."""
_POLL: Final = 0.25
"""Seconds between two looks into the queue: what an agent's work waits at most, and most of what an idle bot does."""
_LOOK: Final = 0.5
"""Seconds between two looks at the lock: how long two processes can believe that a job is theirs."""
_PERIOD: Final = 2.0
"""Seconds between two looks at work that nobody executes."""


@dataclass(frozen=True, slots=True)
class Status:
    """A job as the journal has it: ended with a result, or not ended (`result` None)."""

    ended: bool
    result: str | None


class Engine:
    """Starts workflows by id, exactly once each, and finds them again."""

    def __init__(self, folder: Path, cipher: Cipher, *, url: str = "", beside: bool = False) -> None:
        """`folder` holds the SQLite journal and its lock; `url` (postgresql://…) replaces it by a shared database.

        `beside`: where another process executes this journal's jobs, leave them to it and be its client.
        """
        self._path, self._cipher, self._url, self._beside = folder / "journal.db", cipher, url, beside
        self._claim: Claim = DatabaseClaim(url) if url else FolderClaim(folder)
        self._client: DBOSClient | None = None
        """Reads apart from what executes, whose connections a locked database holds fast."""
        self.elsewhere = False
        """Another process executes what is begun here: its end is seen only in `status`."""
        self._refuses = ""
        self._adoption = Adoption(self._claim)
        self._watchers: set[asyncio.Task[None]] = set()
        self._tending: asyncio.Task[None] | None = None
        self._probing: asyncio.Future[None] | None = None

    async def start(self, body: Body) -> None:
        """Take the lock, migrate, and resume what a former process left. Must run on the loop that runs the bot."""
        self.elsewhere = self._beside and bool(self._url)
        if not self.elsewhere:
            try:
                await self._claim.take()
            except ClaimError as e:
                if not self._beside:
                    raise EngineError(str(e)) from e
                self.elsewhere = True
        if not self.elsewhere:
            workflows.execute_with(body)
            await self._launch()
            self._tending = asyncio.create_task(self._tend())
        self._client = await asyncio.to_thread(open_client, self._path, self._cipher, self._url)

    async def stop(self, grace: int) -> None:
        """Take nothing more and let what runs finish for `grace` seconds; the rest is parked for the next process."""
        if not self.elsewhere:
            await self._end(grace)
        if self._client:
            await asyncio.to_thread(self._client.destroy)

    async def _end(self, grace: int) -> None:
        if self._tending:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        if not self._refuses:
            self._refuses = "This process is stopping and takes no more work."
            if workflows.running or self._watchers:
                parking = asyncio.get_running_loop().call_later(grace, workflows.park)
                await _destroy(grace + 1)
                parking.cancel()
            else:  # with any grace at all, DBOS looks for what runs after a whole second only
                await _destroy(0)
        await self._claim.release()

    async def begin(self, job: str, argument: str, *, delay: float = 0.0) -> None:
        """Journal the job and start it (after `delay` seconds); nothing happens if a job of this id exists already.

        Raises EngineError or SQLAlchemyError where it was not journalled and will not be.
        """
        if self.elsewhere:
            options: EnqueueOptions = {
                "workflow_name": JOB_NAME,
                "queue_name": QUEUE,
                "workflow_id": job,
                "app_version": _APPLICATION_VERSION,
            }
            await self._asked.enqueue_async(options, argument)
            return
        await self._check_writable()
        with SetWorkflowID(job):
            if delay or len(workflows.first) >= _DIRECT or len(workflows.running) >= _HELD:
                with SetEnqueueOptions(delay_seconds=delay or None):
                    await DBOS.enqueue_workflow_async(QUEUE, crm_job, argument)
                return
            workflows.first.add(job)
            try:
                handle = await DBOS.start_workflow_async(crm_job, argument)
            except BaseException:
                workflows.first.discard(job)
                raise
        self._watch(handle)

    async def once(self, name: str, chore: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Do it unless a process that shares the journal has begun a chore of this name; whether this one did.

        `name` says when, too (`upkeep/2026-11-24T07`). Raises what the chore raises, EngineError or SQLAlchemyError.
        """
        if self.elsewhere or await self.status(name):
            return False
        mine = False

        async def noted() -> None:
            nonlocal mine
            mine = True
            await chore()

        workflows.chores[name] = noted
        try:
            with SetWorkflowID(name):
                handle = await DBOS.start_workflow_async(crm_chore, name)
            self._watch(handle)
            await handle.get_result()
        finally:
            del workflows.chores[name]
        return mine

    def _watch(self, handle: Any) -> None:
        """Until it is recorded: whoever asked for it may not wait so long."""
        watcher = asyncio.create_task(_recorded(handle))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    @property
    def _asked(self) -> DBOSClient:
        if not self._client:
            raise EngineError("The journal is not open yet.")
        return self._client

    async def status(self, job: str) -> Status | None:
        """The job of this id, or None. Raises EngineError while the journal cannot be reached."""
        if self._refuses:
            raise EngineError(self._refuses)
        try:
            found = await (await self._asked.retrieve_workflow_async(job)).get_status()
        except error.DBOSNonExistentWorkflowError:
            return None
        return Status(found.status not in LIVING, found.output)

    async def waiting(self, job: str) -> str | None:
        """The argument of a job that nobody has begun to execute; None where there is none (any more)."""
        found = await self._asked.list_workflows_async(
            workflow_ids=[job], name=JOB_NAME, status=["DELAYED", "ENQUEUED"]
        )
        return str(found[0].input["args"][0]) if found and found[0].input else None

    async def cancel(self, job: str) -> None:
        """End a job that waits."""
        await self._asked.cancel_workflow_async(job)

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
        await DBOS.register_queue_async(QUEUE, worker_concurrency=_HELD, polling_interval_sec=_POLL)

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
                        await self._adoption.look()
            except Exception as e:
                log.warning("looking after the journal failed: %s: %s", type(e).__name__, e)
            await asyncio.sleep(_LOOK)

    async def _retake(self) -> None:
        """Others may adopt our jobs from now on: stop executing; begin anew under a new id once that is possible."""
        self._refuses = "The journal's database has been lost; this process takes no work until it is back."
        log.error(self._refuses)
        workflows.park()
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

    async def _check_writable(self, *, thoroughly: bool = False) -> None:
        if self._refuses:
            raise EngineError(self._refuses)
        if isinstance(self._claim, DatabaseClaim):
            if thoroughly and not await self._claim.held():
                raise EngineError("The journal's PostgreSQL does not answer.")
            return
        # DBOS waits for a locked database without limit. Whoever is refused here can be told that nothing was done.
        try:
            if thoroughly:
                await asyncio.to_thread(probe, self._path, write=True)
            else:
                await asyncio.shield(self._probe())
        except sqlite3.Error as e:
            raise EngineError(f"The journal {self._path} cannot be written: {e}.") from e

    def _probe(self) -> "asyncio.Future[None]":
        """One look for all who ask meanwhile: each would wait for a locked journal in a thread that others need."""
        if self._probing is None:
            self._probing = asyncio.ensure_future(asyncio.to_thread(probe, self._path, write=False))
            self._probing.add_done_callback(self._probed)
        return self._probing

    def _probed(self, probing: "asyncio.Future[None]") -> None:
        self._probing = None
        if not probing.cancelled():
            probing.exception()  # whoever waits for it says so


async def _recorded(handle: Any) -> None:
    try:
        await handle.get_result()
    except Exception as e:
        log.warning("a workflow ended badly: %s", type(e).__name__)


async def _destroy(grace: int) -> None:
    await asyncio.to_thread(lambda: DBOS.destroy(workflow_completion_timeout_sec=grace))
    # DBOS made its pool the loop's own and has just shut it down; whoever stops after us needs one.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
