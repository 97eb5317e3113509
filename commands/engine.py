"""The durable engine under `commands.jobs`: DBOS Transact on SQLite or PostgreSQL, with the settings it needs.

Only this module knows DBOS. One engine per process (DBOS is a process-wide singleton); everything that it stores is
encrypted. What it does not do by itself: refuse to run twice under one executor id (a lock does), and take over the
running work of a dead machine.
"""

import asyncio
import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, SetWorkflowID
from dbos._serialization import Serializer  # its public home is the config's `serializer`; the class has no other

from .state import Cipher

log = logging.getLogger(__name__)

QUEUE: Final = "crm"
_JOB_NAME: Final = "crm_job"
_APPLICATION_VERSION: Final = "jobs-1"
"""Pinned: by default DBOS strands waiting work after every edit. Change it for incompatible steps only, drained."""
_DIRECT: Final = 16
"""Jobs started at once, without the queue's polling delay; more than these wait in the queue."""

Body = Callable[[str], Coroutine[Any, Any, str]]


class EngineError(Exception):
    """The engine cannot start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Status:
    """A job as the journal has it: ended with a result, or not ended (`result` None)."""

    ended: bool
    result: str | None


class _Sealed(Serializer):
    """JSON, encrypted: neither arguments nor results can be read, or turned into code, by whoever reads the file."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            data = {"error": type(data).__name__}
        return self._cipher.encrypt(json.dumps(data).encode()).decode()

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805  the parent names it so
        return json.loads(cls._cipher.decrypt(serialized_data.encode()))

    def name(self) -> str:
        return "crmchat_sealed_json"


_body: Body | None = None


@DBOS.workflow(name=_JOB_NAME, max_recovery_attempts=20)
async def _crm_job(argument: str) -> str:
    if _body is None:
        raise EngineError("the engine runs no jobs yet")
    return await _body(argument)


class Engine:
    """Starts workflows by id, exactly once each, and finds them again."""

    def __init__(self, folder: Path, cipher: Cipher, *, url: str = "", beside: bool = False) -> None:
        """`folder` holds the SQLite journal and its lock; `url` (postgresql://…) replaces it by a shared database.

        `beside`: where another process executes this journal's jobs, leave them to it and be its client.
        """
        self._folder, self._cipher, self._url, self._beside = folder, cipher, url, beside
        self._client: DBOSClient | None = None
        self._lock: int | None = None
        self._direct = 0

    async def start(self, body: Body) -> None:
        """Take the lock, migrate, and resume what a former process left. Must run on the loop that runs the bot."""
        global _body  # noqa: PLW0603  one engine per process, as DBOS has it
        path = self._folder / "journal.db"
        try:
            self._take_lock()
        except EngineError:
            if not self._beside:
                raise
            self._client = await asyncio.to_thread(
                lambda: DBOSClient(
                    system_database_url=f"sqlite:///{path}",
                    system_database_engine=_sqlite(path),
                    serializer=_Sealed(self._cipher),
                    application_name="crmchat",
                )
            )
            return
        _body = body
        config: DBOSConfig = {
            "name": "crmchat",
            "executor_id": "main",
            "application_version": _APPLICATION_VERSION,
            "max_executor_threads": 16,
            "serializer": _Sealed(self._cipher),
            "log_level": "ERROR",
            "system_database_url": self._url or f"sqlite:///{path}",
            "notification_listener_polling_interval_sec": 1.0,
        }
        if not self._url:
            config["system_database_engine"] = _sqlite(path)
        DBOS(config=config)
        DBOS.launch()
        await DBOS.register_queue_async(QUEUE, worker_concurrency=10, polling_interval_sec=0.1)

    async def stop(self, grace: int) -> None:
        """Let what runs finish for `grace` seconds; the rest is resumed by the next process."""
        if self._client:
            await asyncio.to_thread(self._client.destroy)
            return
        await asyncio.to_thread(lambda: DBOS.destroy(workflow_completion_timeout_sec=grace))
        # DBOS made its pool the loop's own and has just shut it down; whoever stops after us needs one.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def elsewhere(self) -> bool:
        """Another process executes what is begun here: its end is seen only in `status`."""
        return self._client is not None

    async def begin(self, job: str, argument: str) -> None:
        """Journal the job and start it; nothing happens if a job of this id exists already."""
        if self._client:
            options: EnqueueOptions = {
                "workflow_name": _JOB_NAME,
                "queue_name": QUEUE,
                "workflow_id": job,
                "app_version": _APPLICATION_VERSION,
            }
            await self._client.enqueue_async(options, argument)
            return
        with SetWorkflowID(job):
            if self._direct >= _DIRECT:
                await DBOS.enqueue_workflow_async(QUEUE, _crm_job, argument)
                return
            self._direct += 1
            try:
                handle = await DBOS.start_workflow_async(_crm_job, argument)
            except BaseException:
                self._direct -= 1
                raise
        watcher = asyncio.create_task(self._watch(handle))
        _WATCHERS.add(watcher)
        watcher.add_done_callback(_WATCHERS.discard)

    async def _watch(self, handle: Any) -> None:
        try:
            await handle.get_result()
        except Exception as e:
            log.warning("a job ended badly: %s", type(e).__name__)
        finally:
            self._direct -= 1

    async def status(self, job: str) -> Status | None:
        """The job of this id, or None."""
        if self._client:
            many = await self._client.list_workflows_async(workflow_ids=[job])
            found = many[0] if many else None
        else:
            found = await DBOS.get_workflow_status_async(job)
        if found is None:
            return None
        return Status(found.status not in ("PENDING", "ENQUEUED", "DELAYED"), found.output)

    async def step(self, name: str, call: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Inside a job: do it and remember its result, so that a resumed job does not do it again."""
        result: str = await DBOS.run_step_async({"name": name}, call)
        return result

    def _take_lock(self) -> None:
        if self._url:
            return
        path = self._folder / "journal.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            os.close(lock)
            raise EngineError(
                f"Another crmchat process works in {self._folder}. Stop it, or give this one its own folder with "
                "CRMCHAT_DATA_DIR, or share one database among many with DATABASE_URL=postgresql://…"
            ) from e
        self._lock = lock


_WATCHERS: set[asyncio.Task[None]] = set()


def _sqlite(path: Path) -> sa.Engine:
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
