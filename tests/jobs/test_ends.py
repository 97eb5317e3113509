"""How work ends that does not simply succeed: too late, or stopped."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from .harness import Outside, Server, Tally, name, names_in, outside, settle, try_again

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Outside, Server]]:
    async with outside(tmp_path_factory.mktemp("ends")) as world:
        server = world.server()
        await server.start()
        await server.ready(world.session)
        yield world, server


async def _create(world: Outside, server: Server, number: int) -> str:
    text = f"lead create Jane {name(number)} topic=Topic-{number}"
    status, body = await world.slack(server.url, text, f"ends-{number}")
    assert status == 200
    return body


async def test_too_late_with_what_was_typed_kept(tmp_path: Path) -> None:
    async with outside(tmp_path) as world:
        server = world.server(CRMCHAT_JOB_DEADLINE="4")
        await server.start()
        await server.ready(world.session)
        await world.fault(status=503, count=1000, match="^POST .*/leads")
        assert "Working on it" in await _create(world, server, 1)
        button = try_again(await world.posted("what you typed is kept"))
        world.emulator.faults.clear()
        assert (await world.rows())[name(1)] == 0
        assert await world.slack_press(server.url, button, "again-1") == 200
        async with asyncio.timeout(60):
            while (await world.rows())[name(1)] != 1:  # noqa: ASYNC110  the emulator is asked over HTTP
                await asyncio.sleep(0.1)
        assert name(1) in names_in(await world.posted(name(1)))


async def test_asked_again_what_a_dead_process_had_done_and_said(tmp_path: Path) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.jobs.recorded", tmp_path, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(program.communicate(), 120)
    assert output.decode().splitlines() == ["performed", "done", "delivered", "pending 1", "done"]


async def test_told_to_stop_while_dataverse_hangs(served: tuple[Outside, Server]) -> None:
    world, server = served
    await world.fault(delay=60, count=1000, match="^POST .*/leads")
    assert "Working on it" in await _create(world, server, 4)
    assert server.process
    server.process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    said: set[str] = set()
    while server.process.returncode is None and time.monotonic() - told < 12:
        try:
            async with world.session.get(f"{server.url}/readyz") as answer:
                said.add(f"{answer.status} {(await answer.json())['problems'].get('journal', '')}")
            async with world.session.get(f"{server.url}/healthz") as alive:
                assert alive.status == 200
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    assert await asyncio.wait_for(server.process.wait(), 1) == 0, server.log()
    assert time.monotonic() - told < 10
    assert "503 This process is stopping and takes no more work." in said, said
    world.emulator.faults.clear()
    await server.start()
    tally = Tally(5, 0)
    await server.ready(world.session)
    assert name(4) in names_in(await world.posted(name(4)))
    await settle(world, tally, seconds=0)
    assert tally.rows[name(4)] == 1
    assert tally.delivered[name(4)] == 1
