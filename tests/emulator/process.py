"""The emulator as a process of its own, for what can only be seen from outside: kills, locks, messages at start."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_PROGRAM = """
import asyncio, sys
from crm.emulator import StoreError, run
def ready(emulator):
    print(emulator.url, flush=True)
try:
    asyncio.run(run(port=0, db=sys.argv[1], seed=None, ready=ready))
except StoreError as error:
    sys.exit(str(error))
"""


async def start(db: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, str(db), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def refusal(db: Path) -> tuple[int, str]:
    """Start it where it must refuse: exit status and what it says."""
    process = await start(db)
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@asynccontextmanager
async def serving(db: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running emulator and its address; killed at the end if it still runs."""
    process = await start(db)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            url = (await process.stdout.readline()).decode().strip()
        if not url:
            _, errors = await process.communicate()
            raise AssertionError(errors.decode())
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
