"""The people who run the bot: `crmchat jobs` beside a server, as a program and as the function behind it."""

import asyncio
import os
import sys
from pathlib import Path

from bots.jobs_command import run_jobs

from .harness import Server

NOTHING = "Nothing waits or runs."


class Operator:
    """Asks the journal of one server. Starting the program takes as long as a hundred questions."""

    def __init__(self, server: Server) -> None:
        self._server, self._settings = server, server.folder / f"operator-{server.port}.env"
        names = ("CRMCHAT_DATA_DIR", "CRMCHAT_SECRET_KEY", "DATABASE_URL")
        self._settings.write_text("".join(f"{n}={server.env[n]}\n" for n in names if n in server.env))

    async def __call__(self, what: str, job: str = "", *, everything: bool = False, status: int | None = 0) -> str:
        """What the command prints, which ends with this status (None: with any)."""
        found, told = await run_jobs(self._settings, what, job, everything=everything)
        assert status in (None, found), told
        return told

    async def seen(self, words: str, *, everything: bool = False) -> str:
        """The line of the list with these words, once there is one."""
        async with asyncio.timeout(60):
            while True:
                listed = (await self("list", everything=everything)).splitlines()
                if line := next((x for x in listed if words in x), ""):
                    return line
                await asyncio.sleep(0.1)

    async def program(self, *arguments: str, status: int = 0) -> str:
        """What `crmchat jobs …` prints."""
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("crmchat"), "jobs", *arguments, cwd=self._server.folder,
            env={**self._server.env, "PATH": os.environ["PATH"]},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == status, errors.decode()
        return output.decode()
