"""The journal as operators see it: list, show, try again, cancel; how much waits; what is old enough to go.

Works beside running processes, on their SQLite file or PostgreSQL. It shows no arguments: they are what people typed.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbos import DBOSClient

from .journal_database import open_client
from .reminders import MARK
from .state import Cipher
from .workflows import CALLED_OFF, CHORE_NAME, JOB_NAME, LIVING, QUEUE

KEPT_FOR = 72 * 3600.0
"""Seconds for which an ended job is kept: as long as a platform or a person might repeat it (Slack and Teams hours)."""
_MANY = 1000
_FAILED = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
"""A person who is told of a failure has had an answer, and the job is done; these ended otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One job."""

    id: str
    status: str
    created: datetime
    updated: datetime
    executor: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """What has not ended and is due: a reminder that has not come yet is no backlog."""

    depth: int
    oldest: float
    """Seconds since the oldest of it was begun; 0 where nothing waits."""


class Journal:
    """Opened for one task, closed at its end; blocking work runs in threads."""

    def __init__(self, client: DBOSClient) -> None:
        self._client = client

    @classmethod
    async def open(cls, folder: Path, cipher: Cipher, url: str = "") -> "Journal":
        """Raises FileNotFoundError where there is no journal yet, SQLAlchemyError where it cannot be reached."""
        path = folder / "journal.db"
        if not url and not path.exists():
            raise FileNotFoundError(path)
        return cls(await asyncio.to_thread(open_client, path, cipher, url))

    async def close(self) -> None:
        """End its connections."""
        await asyncio.to_thread(self._client.destroy)

    async def entries(self, *, unfinished: bool = False, limit: int = 50) -> list[Entry]:
        """The newest jobs first. `unfinished`: what waits, runs, or was given up without an answer of its own."""
        found = await self._client.list_workflows_async(
            name=JOB_NAME, status=[*LIVING, *_FAILED] if unfinished else None, limit=limit, sort_desc=True,
            load_input=False, load_output=False,
        )  # fmt: skip
        return [_entry(w) for w in found]

    async def entry(self, job: str) -> Entry | None:
        """One job with the steps that it has recorded."""
        found = await self._client.list_workflows_async(workflow_ids=[job], load_input=False, load_output=False)
        if not found:
            return None
        steps = await self._client.list_workflow_steps_async(job)
        return _entry(found[0], tuple(str(s["function_name"]) for s in steps))

    async def retry(self, job: str) -> bool:
        """Let a job that waits for its time run now, or one that was given up: after its last step. False: it ended.

        What is queued or runs already goes on: putting that into the queue again would run it twice at once.
        """
        entry = await self.entry(job)
        if entry is None or entry.status in ("SUCCESS", "ERROR"):
            return False
        await self._client.update_workflow_attributes_async(job, {CALLED_OFF: False}, merge=True)
        if entry.status in LIVING:
            await self._client.set_workflow_delay_async(job, delay_seconds=0)  # only where it waits for its time
        else:
            await self._client.resume_workflow_async(job, queue_name=QUEUE)
        return True

    async def cancel(self, job: str) -> bool:
        """Let a job that has not ended be tried no more. False: it ended before.

        Whoever executes it tells its person so, at once or when it is next taken up. A try that is under way is not
        called back: if it succeeds, its person has the answer.
        """
        entry = await self.entry(job)
        if entry is None or entry.status not in LIVING:
            return False
        await self._client.update_workflow_attributes_async(job, {CALLED_OFF: True}, merge=True)
        await self._client.set_workflow_delay_async(job, delay_seconds=0)  # only where it waits for its time
        return True

    async def load(self) -> Load:
        """How much waits or runs."""
        found = await self._client.list_workflows_async(
            name=JOB_NAME, status=list(LIVING), limit=_MANY * 10, load_input=False, load_output=False
        )
        found = [w for w in found if w.status != "DELAYED" or MARK not in w.workflow_id]
        oldest = min((w.created_at or 0 for w in found), default=0) / 1000
        return Load(len(found), time.time() - oldest if found else 0.0)

    async def forget_old(self) -> int:
        """Delete the jobs that ended more than `KEPT_FOR` ago; how many. No setting shortens that: keys go, too."""
        before = datetime.fromtimestamp(time.time() - KEPT_FOR, UTC).isoformat()
        gone = 0
        chores = await self._client.list_workflows_async(
            name=CHORE_NAME, end_time=before, load_input=False, load_output=False
        )
        await self._client.delete_workflows_async([w.workflow_id for w in chores])
        while True:
            found = await self._client.list_workflows_async(
                name=JOB_NAME, status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
                completed_before=before, limit=_MANY, load_input=False, load_output=False,
            )  # fmt: skip
            if not found:
                return gone
            await self._client.delete_workflows_async([w.workflow_id for w in found])
            gone += len(found)


def _entry(found: Any, steps: tuple[str, ...] = ()) -> Entry:
    def at(milliseconds: int | None) -> datetime:
        return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)

    return Entry(
        id=found.workflow_id, status=found.status, created=at(found.created_at), updated=at(found.updated_at),
        executor=found.executor_id or "", steps=steps,
    )  # fmt: skip
