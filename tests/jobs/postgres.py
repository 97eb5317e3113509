"""A PostgreSQL of our own, in a temporary folder, on loopback."""

import asyncio
import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from tests.ports import free_port

_BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path())


async def _run(*command: str | Path) -> None:
    # PostgreSQL refuses to run as root.
    given = ["runuser", "-u", "postgres", "--", *map(str, command)] if os.geteuid() == 0 else [*map(str, command)]
    process = await asyncio.create_subprocess_exec(
        *given, cwd="/", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()


class Postgres:
    """Can be stopped and started again, as when its machine restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    async def start(self) -> None:
        # Its own processes may die, and do; this machine does not.
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        await _run(
            _BIN / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start"
        )  # fmt: skip

    async def stop(self) -> None:
        await _run(_BIN / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")


_numbers = itertools.count(1)


@cache
def _folder() -> Path:
    """For all clusters of this process; deleted when it ends."""
    # Not under pytest's folder: its parents are closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="crmchat-pg-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    return folder


async def _template() -> Path:
    """A new cluster to copy: making one takes as long as the rest of a test."""
    template = _folder() / "template"
    if not template.exists():
        await _run(_BIN / "initdb", "-D", template, "-U", "postgres", "-A", "trust", "--no-sync")
    return template


@asynccontextmanager
async def postgres() -> AsyncIterator[Postgres]:
    """Running; stopped and deleted at the end."""
    template = await _template()
    server = Postgres(_folder() / str(next(_numbers)))
    try:
        await _run("mkdir", "-m", "700", server.folder)
        await _run("cp", "-a", template, server.folder / "data")
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)
