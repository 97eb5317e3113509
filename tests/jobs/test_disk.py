"""The journal's disk is full, or can only be read: nothing acknowledged is lost, what is refused is not done.

The disk is a file system of its own, mounted for the test, and full means full: the program's own files compete with
ours for its last page.
"""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .asked import Asked
from .harness import Outside, Server, outside

_MEGABYTES = 8


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Something mounted there; skips where that is not allowed."""
    if not shutil.which("mount"):
        pytest.skip("needs a file system of its own, and there is no mount here")
    made = subprocess.run(["mount", *options, folder], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"needs a file system of its own, and mounting is not possible here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Whoever opens a file there from now on can only read it."""
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Outside, Server]]:
    folder = tmp_path_factory.mktemp("disk")
    data = folder / "data"
    data.mkdir(mode=0o700)
    with mounted(data, "-t", "tmpfs", "-o", f"size={_MEGABYTES}m,mode=0700", "none"):
        async with outside(folder) as world:
            server = world.server()
            await server.start()
            await server.ready(world.session)
            yield world, server


def fill(disk: Path) -> Path:
    """A file that takes what is left."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return ballast


async def _problem(world: Outside, server: Server) -> str:
    async with world.session.get(f"{server.url}/readyz") as answer:
        problems = await answer.json()
        assert answer.status == (503 if problems["problems"] else 200)
        return str(problems["problems"].get("journal", ""))


async def _helps(world: Outside, server: Server) -> None:
    async with world.session.get(f"{server.url}/healthz") as alive:
        assert alive.status == 200
    _, body = await world.slack(server.url, "help", "disk-help")
    assert "case create" in body


async def test_a_full_disk(served: tuple[Outside, Server]) -> None:
    world, server = served
    asked = Asked(world, server, 0)
    # Work is under way when the disk becomes full.
    with world.slow(1.8):
        await asyncio.gather(*(asked.ask() for _ in range(3)))
        ballast = fill(world.folder / "data")
        async with asyncio.timeout(60):
            while not asked.refused:
                await asked.ask()
        problem = await _problem(world, server)
        await _helps(world, server)
    ballast.unlink()
    assert "cannot be written" in problem
    await server.ready(world.session)
    print(f"\nfull: {len(asked.accepted)} accepted, {len(asked.refused)} refused, {len(asked.uncertain)} uncertain")
    await asked.ask(asked.refused[0])
    assert asked.accepted[-1] == asked.refused[0]
    await asked.settled()


async def test_a_disk_that_can_only_be_read(served: tuple[Outside, Server]) -> None:
    world, server = served
    asked = Asked(world, server, 100)
    with world.slow(1.8):
        await asked.ask()
        with read_only(world.folder / "data"):
            await asked.ask()
            assert asked.refused
            assert "cannot be written" in await _problem(world, server)
            await _helps(world, server)
    await server.ready(world.session)
    await asked.ask(asked.refused[0])
    await asked.settled()
