"""`python -m tests.jobs.recorded FOLDER`: asks for a job again whose former process died between its last two records.

Everything was done and said then; only that the job had ended was not recorded. Prints what whoever asks again is told,
and what is delivered.
"""

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

from commands.cards import Card, CardKind, to_text
from commands.cipher import FernetCipher
from commands.engine import Engine
from commands.jobs import Jobs
from commands.request import Reply
from commands.work import Answer, Outcome, Work

from .deadly import KEY, WORK


async def perform(_work: Work, _resumed: bool) -> Answer:
    print("performed", flush=True)
    return Answer(Outcome.DONE, Reply(card=Card(kind=CardKind.NOTICE, title="done")))


async def deliver(_work: Work, _reply: Reply) -> None:
    print("delivered", flush=True)


async def process(folder: Path, *, first: bool) -> None:
    jobs = Jobs(Engine(folder, FernetCipher(KEY)), perform, deliver)
    await jobs.start()
    if not first:
        with sqlite3.connect(folder / "journal.db", timeout=10) as db:
            changed = db.execute(
                "UPDATE workflow_status SET status = 'PENDING', output = NULL WHERE status = 'SUCCESS'"
            )
            print("pending", changed.rowcount, flush=True)
        db.close()
    reply = await jobs.run(WORK, window=60)
    print(to_text(reply.card) if reply and reply.card else "unanswered", flush=True)
    await jobs.stop(8)


def main(folder: Path) -> None:
    for first in (True, False):
        if not os.fork():
            asyncio.run(process(folder, first=first))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.wait()[1])
        if status:
            sys.exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
