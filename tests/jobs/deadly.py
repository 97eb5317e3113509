"""`python -m tests.jobs.deadly FOLDER [URL]`: a job whose process dies each time that it is begun.

Prints "died" for every process that did. The first that does not gives the job's person their answer, and prints that.
What is imported is imported once: the processes are forks of this one.
"""

import asyncio
import os
import sys
from pathlib import Path

from commands.cards import to_text
from commands.cipher import FernetCipher
from commands.engine import Engine
from commands.jobs import Jobs
from commands.request import Place, Principal, Reply
from commands.work import Answer, Work

KEY = b"a secret key for deadly jobs"
DEATH = 9
WORK = Work(
    key="slack:T1:deadly",
    verb="lead create",
    args={},
    principal=Principal(platform="slack", tenant="T1", user="U1"),
    place=Place(platform="slack", tenant="T1", conversation="C1"),
)


async def die(_work: Work, _resumed: bool) -> Answer:
    os._exit(DEATH)


async def process(folder: Path, url: str, *, first: bool) -> None:
    delivered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def deliver(_work: Work, reply: Reply) -> None:
        delivered.set_result(to_text(reply.card) if reply.card else "")

    jobs = Jobs(Engine(folder, FernetCipher(KEY), url=url), die, deliver)
    await jobs.start()
    if first:
        await jobs.run(WORK, window=30)
    print(await asyncio.wait_for(delivered, 30), flush=True)
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
