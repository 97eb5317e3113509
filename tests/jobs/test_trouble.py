"""A journal that cannot be written refuses clearly; a Dataverse that cannot be reached is tried again by itself."""

import asyncio
import resource
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from crm.emulator import Fault

from .harness import Outside, Server, Tally, name, names_in, outside, settle
from .operators import NOTHING, Operator


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Outside, Server]]:
    async with outside(tmp_path_factory.mktemp("trouble")) as world:
        server = world.server()
        await server.start()
        await server.ready(world.session)
        yield world, server


async def _problem(world: Outside, server: Server) -> str:
    async with world.session.get(f"{server.url}/readyz") as answer:
        return str((await answer.json())["problems"].get("journal", ""))


async def _refused_then_accepted(world: Outside, server: Server, number: int) -> None:
    """The same gesture while the journal refuses (by now), and again once it does not."""
    text = f"lead create Jane {name(number)} topic=Topic-{number}"
    body = "not certain"
    while "not certain" in body:  # a busy machine may not come to look at the journal in time
        started = time.monotonic()
        status, body = await world.slack(server.url, text, f"trouble-{number}")
        assert status == 200
        assert time.monotonic() - started < 3
    assert "not accepted, and nothing was done" in body, body
    assert "cannot be written" in await _problem(world, server)


async def _accepted(world: Outside, server: Server, number: int) -> None:
    await server.ready(world.session)
    assert (await world.rows())[name(number)] == 0
    text = f"lead create Jane {name(number)} topic=Topic-{number}"
    status, _ = await world.slack(server.url, text, f"trouble-{number}")
    assert status == 200
    async with asyncio.timeout(60):
        while (await world.rows())[name(number)] != 1:  # noqa: ASYNC110  the emulator is asked over HTTP
            await asyncio.sleep(0.1)


async def test_a_locked_journal(served: tuple[Outside, Server]) -> None:
    world, server = served
    with closing(sqlite3.connect(world.folder / "data" / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await _refused_then_accepted(world, server, 1)
    await _accepted(world, server, 1)


async def test_many_are_refused_at_once_while_the_journal_is_locked(served: tuple[Outside, Server]) -> None:
    """Each has its answer in time, and help needs no journal."""
    world, server = served

    async def refused(number: int) -> bool:
        status, body = await world.slack(server.url, f"lead create Jane {name(number)} topic=No", f"many-{number}")
        assert status == 200
        return "not accepted, and nothing was done" in body

    numbers = range(100, 200)
    with closing(sqlite3.connect(world.folder / "data" / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answers = await asyncio.gather(*map(refused, numbers), world.slack(server.url, "help", "many-help"))
    assert sum(answers[:-1]) > len(numbers) * 0.9, answers
    await server.ready(world.session)
    assert not [n for n, clear in zip(numbers, answers, strict=False) if clear and (await world.rows())[name(n)]]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process can be set on Linux only")
async def test_a_journal_that_cannot_grow(served: tuple[Outside, Server]) -> None:
    """As on a full disk: no file of the process may grow beyond a page."""
    world, server = served
    assert server.process
    pid, unlimited = server.process.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, unlimited))
    try:
        await _refused_then_accepted(world, server, 2)
        status, body = await world.slack(server.url, "help", "trouble-help")
        assert status == 200
        assert "case create" in body
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
    await _accepted(world, server, 2)


async def test_dataverse_away_for_a_while_is_tried_again(served: tuple[Outside, Server]) -> None:
    world, server = served
    world.emulator.faults.add(Fault(count=5, match="^POST .*/leads", status=503))
    tally = Tally(1, 0)
    try:
        status, body = await world.slack(server.url, f"lead create Jane {name(0)} topic=Topic-0", "trouble-later")
        assert status == 200
        tally.in_acknowledgement.update(names_in(body))
        await settle(world, tally, seconds=60)
        assert not tally.lost + tally.twice + tally.unanswered, f"{tally}\n{server.log()}"
        assert not tally.second_copies
    finally:
        world.emulator.faults.clear()
    operator = Operator(server)
    assert await operator.program("list") == f"{NOTHING}\n"
    everything = await operator.program("list", "--all")
    assert everything.count("SUCCESS") >= 2, everything
    job = next(line.split()[0] for line in everything.splitlines() if "SUCCESS" in line)
    assert "steps done: perform, answer" in await operator("show", job)
    assert "has ended: SUCCESS" in await operator("cancel", job, status=1)
