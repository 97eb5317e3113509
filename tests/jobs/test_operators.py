"""What operators see and do beside a running server, and what the people are told whose work it is."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .harness import Outside, Server, name, names_in, outside, try_again
from .operators import NOTHING, Operator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Outside, Server]]:
    async with outside(tmp_path_factory.mktemp("operators")) as world:
        server = world.server(PYTHONPATH=str(ROOT))
        server.program = (sys.executable, "-m", "tests.jobs.broken")
        await server.start()
        await server.ready(world.session)
        yield world, server


async def _waiting(world: Outside, server: Server, number: int) -> str:
    """A job that Dataverse has put off for minutes."""
    await world.fault(status=503, retry_after=300, count=1000, match="^POST .*/leads")
    text = f"lead create Jane {name(number)} topic=Topic-{number}"
    status, body = await world.slack(server.url, text, f"operators-{number}")
    assert status == 200
    assert "Working on it" in body
    job = (await Operator(server).seen("DELAYED")).split()[0]
    world.emulator.faults.clear()
    assert job.endswith(f"operators-{number}~2")
    return job


async def test_put_off_work_is_cancelled(served: tuple[Outside, Server]) -> None:
    world, server = served
    operator = Operator(server)
    job = await _waiting(world, server, 1)
    assert "steps done: none" in await operator("show", job)
    assert f"{job}: tried no more" in await operator("cancel", job)
    await world.posted("have called this off")
    assert (await world.rows())[name(1)] == 0
    assert f"{job}  ERROR" in await operator("list")
    assert "has ended: ERROR" in await operator("retry", job, status=1)
    # Whoever asks for it again by another gesture begins something new.
    await world.slack(server.url, f"lead create Jane {name(1)} topic=Topic-1", "operators-1-again")
    async with asyncio.timeout(60):
        while (await world.rows())[name(1)] != 1:  # noqa: ASYNC110  the emulator is asked over HTTP
            await asyncio.sleep(0.1)


async def test_put_off_work_is_done_now(served: tuple[Outside, Server]) -> None:
    world, server = served
    operator = Operator(server)
    job = await _waiting(world, server, 2)
    assert f"{job}: queued again" in await operator("retry", job)
    assert name(2) in names_in(await world.posted(name(2)))
    assert (await world.rows())[name(2)] == 1
    await operator.seen(f"{job}  SUCCESS", everything=True)
    assert world.sink.answers[name(2)] == 1


async def test_an_operator_and_the_person_try_again_at_once_after_a_restart(tmp_path: Path) -> None:
    async with outside(tmp_path) as world:
        server = world.server(CRMCHAT_JOB_DEADLINE="3")
        operator = Operator(server)
        await server.start()
        await server.ready(world.session)
        await world.fault(status=503, count=1000, match="^POST .*/leads")
        await world.slack(server.url, f"lead create Jane {name(7)} topic=Topic-7", "both-7")
        button = try_again(await world.posted("what you typed is kept"))
        world.emulator.faults.clear()
        await operator.seen(NOTHING)  # a process that dies before that has the next one say it again
        await server.end()
        # The person's second attempt waits for minutes when the process dies.
        server.env["CRMCHAT_JOB_DEADLINE"] = "600"
        await world.fault(status=503, retry_after=300, count=1000, match="^POST .*/leads")
        await server.start()
        await server.ready(world.session)
        assert await world.slack_press(server.url, button, "both-7-again") == 200
        job = (await operator.seen("DELAYED")).split()[0]
        await server.end()
        world.emulator.faults.clear()
        await server.start()
        await server.ready(world.session)
        with world.slow(1):  # so that the later ones of them come while it is executed
            await asyncio.gather(
                *(operator("retry", job, status=None) for _ in range(3)),
                *(world.slack_press(server.url, button, f"both-7-again-{n}") for n in range(3)),
            )
            assert name(7) in names_in(await world.posted(name(7)))
            await operator.seen(NOTHING)
        assert (await world.rows())[name(7)] == 1
        sent = [
            e
            for e in world.emulator.requests.entries
            if e.method == "POST" and e.path.endswith("/leads") and e.status != 503
        ]
        assert len(sent) == 1, server.log()


async def test_a_job_that_does_not_exist(served: tuple[Outside, Server]) -> None:
    _, server = served
    assert "There is no job nothing~1" in await Operator(server).program("cancel", "nothing~1", status=1)


@pytest.mark.parametrize("slow", ["yes", "no"])
async def test_a_mistake_of_ours_has_a_reference(served: tuple[Outside, Server], slow: str) -> None:
    world, server = served
    status, body = await world.slack(server.url, f"lead break slow={slow}", f"broken-{slow}")
    assert status == 200
    if slow == "yes":
        assert "Working on it" in body
        body = await world.posted("Reference")
    assert "the text of a mistake" not in body
    reference = re.search(r"this reference: ([0-9a-f]{8})", body)
    assert reference, body
    assert reference[1] in server.log()
    assert "ZeroDivisionError" in server.log()
