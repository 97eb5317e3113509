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

from .harness import Outside, Server, Tally, name, names_in, outside, settle

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


class Asked:
    """Commands to one server, and what was said to each."""

    def __init__(self, world: Outside, server: Server, first: int) -> None:
        self._world, self._server, self._next = world, server, first
        self.accepted: list[int] = []
        self.refused: list[int] = []
        self.uncertain: list[int] = []
        self.acknowledged = Tally(0, 0).in_acknowledgement

    async def ask(self, number: int | None = None) -> None:
        """A new command, or one of before with another gesture."""
        given = number
        if number is None:
            number, self._next = self._next, self._next + 1
        text = f"lead create Jane {name(number)} topic=Topic-{number}"
        gesture = f"disk-{number}" if given is None else f"disk-{number}-again"
        status, body = await self._world.slack(self._server.url, text, gesture)
        assert status == 200
        if "not accepted, and nothing was done" in body:
            self.refused.append(number)
        elif "not certain" in body:
            self.uncertain.append(number)
        else:
            self.accepted.append(number)
            self.acknowledged.update(names_in(body))

    async def settled(self) -> None:
        """Everything accepted is done once and answered; nothing refused was done."""
        tally = Tally(0, 0, in_acknowledgement=self.acknowledged)
        async with asyncio.timeout(60):
            while not all(self._answered(n) for n in self.accepted):  # noqa: ASYNC110  they are counted by a server
                await asyncio.sleep(0.1)
        await settle(self._world, tally, seconds=0)
        assert {n: tally.rows[name(n)] for n in self.accepted} == dict.fromkeys(self.accepted, 1), self._server.log()
        assert not [n for n in self.refused if n not in self.accepted and tally.rows[name(n)]], self._server.log()

    def _answered(self, number: int) -> bool:
        return bool(self.acknowledged[name(number)] + self._world.sink.answers[name(number)])


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
        async with asyncio.timeout(30):
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
