"""`python -m tests.jobs.deadly FOLDER [URL]`: a job whose process dies each time that it is begun, and its neighbours.

Prints "died" for every process that did. The first that does not gives the job's person their answer, and prints that
and how its neighbours ended, which were under way each time.
What is imported is imported once: the processes are forks of this one.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from commands.cards import Card, CardKind, to_text
from commands.cipher import FernetCipher
from commands.engine import Engine
from commands.jobs import Jobs
from commands.request import Place, Principal, Reply
from commands.work import Answer, Outcome, Work

KEY = b"a secret key for deadly jobs"
DEATH = 9
WORK = Work(
    key="slack:T1:deadly",
    verb="lead create",
    args={},
    principal=Principal(platform="slack", tenant="T1", user="U1"),
    place=Place(platform="slack", tenant="T1", conversation="C1"),
)


NEIGHBOURS = [replace(WORK, key=f"slack:T1:neighbour{n}") for n in range(5)]
TAKES = 0.2
"""Seconds for a neighbour: longer than until the first death."""


async def perform(work: Work, _resumed: bool) -> Answer:
    if work.key == WORK.key:
        os._exit(DEATH)
    await asyncio.sleep(TAKES)
    return Answer(Outcome.DONE, Reply(card=Card(kind=CardKind.NOTICE, title="done")))


async def process(folder: Path, url: str, *, first: bool) -> None:
    delivered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def deliver(work: Work, reply: Reply) -> None:
        if work.key == WORK.key:
            delivered.set_result(to_text(reply.card) if reply.card else "")

    jobs = Jobs(Engine(folder, FernetCipher(KEY), url=url), perform, deliver)
    await jobs.start()
    if first:
        await asyncio.gather(*(jobs.run(work, window=60) for work in (*NEIGHBOURS, WORK)))
    print(await asyncio.wait_for(delivered, 60), flush=True)
    for work in NEIGHBOURS:
        reply = await jobs.run(work, window=60)
        print("neighbour", to_text(reply.card) if reply and reply.card else "unanswered", flush=True)
    await jobs.stop(2)


def main(folder: Path, url: str = "") -> None:
    for number in range(20):
        child = os.fork()
        if not child:
            asyncio.run(process(folder, url, first=not number))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != DEATH:
            sys.exit(status)
        print("died", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
