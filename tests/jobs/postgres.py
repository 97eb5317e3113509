"""A PostgreSQL of our own, in a temporary folder, on loopback."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        await _run(
            _BIN / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start"
        )  # fmt: skip

    async def stop(self) -> None:
        await _run(_BIN / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")


@asynccontextmanager
async def postgres() -> AsyncIterator[Postgres]:
    """Running; stopped and deleted at the end."""
    # Not under pytest's folder: its parents are closed to the user that PostgreSQL runs as.
    folder = Path(f"/tmp/crmchat-pg-{os.getpid()}")
    folder.mkdir(mode=0o700)  # noqa: ASYNC240
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        await _run(_BIN / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "--no-sync")
        server = Postgres(folder)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
