"""`Adoption`: the jobs that nobody executes are found, and put back into the queue."""

import logging
from collections import defaultdict
from typing import Any

from dbos import DBOS

from . import workflows
from .claim import Claim, DatabaseClaim
from .workflows import CRASHES, JOB_NAME, QUEUE

log = logging.getLogger(__name__)


class Adoption:
    """Looks again and again. Two looks must agree, so that whoever lost its lock has stopped."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._suspects: set[str] = set()
        """Our own pending jobs that the last look did not find running."""
        self._silent: set[str] = set()
        """The executors whose lock the last look found free."""

    async def look(self) -> None:
        """Put back into the queue: the pending jobs of dead processes, and our own that ended without a record."""
        pending = await DBOS.list_workflows_async(
            status="PENDING", name=JOB_NAME, load_input=False, load_output=False, limit=1000
        )
        stray: dict[str, Any] = {}
        foreign: defaultdict[str, list[Any]] = defaultdict(list)
        for job in pending:
            if job.executor_id != self._claim.executor:
                foreign[job.executor_id or ""].append(job)
            elif job.workflow_id not in workflows.running:
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
        for job in jobs:
            crashes = workflows.runs(job) - (0 if crashed else 1)
            await DBOS.update_workflow_attributes_async(job.workflow_id, {CRASHES: max(0, crashes)}, merge=True)
        await DBOS.resume_workflows_async([job.workflow_id for job in jobs], queue_name=QUEUE)
