"""A job that ends its process each time is given up: its person is told, operators find it, its neighbours live."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.jobs_command import run_jobs

from . import deadly
from .deadly import KEY, WORK
from .postgres import postgres

ROOT = Path(__file__).parents[2]
NEIGHBOURS = len(deadly.NEIGHBOURS)


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.soak])]
)  # on PostgreSQL each death takes seconds to be believed
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield ""
    else:
        async with postgres() as server:
            yield server.url


async def test_begun_six_times(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.jobs.deadly", tmp_path, *filter(None, [url]),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    output, log = await asyncio.wait_for(program.communicate(), 300)
    lines = output.decode().splitlines()
    assert lines[:6] == ["died"] * 6, log.decode()
    job = f"{WORK.key}~1"
    assert lines[6] == "This could not be finished, and will not be tried again."
    assert lines[-1 - NEIGHBOURS].endswith(f"crmchat jobs show {job}")
    assert lines[-NEIGHBOURS:] == ["neighbour done"] * NEIGHBOURS
    assert f"the job {job} is given up" in log.decode()

    for name, value in (("DATA_DIR", str(tmp_path)), ("SECRET_KEY", KEY.decode())):
        monkeypatch.setenv(f"CRMCHAT_{name}", value)
    monkeypatch.setenv("DATABASE_URL", url)
    status, told = await run_jobs(tmp_path / "no.env", "list", "")
    assert (status, len(told.splitlines())) == (0, 1)
    assert f"{job}  ERROR" in told
    assert await run_jobs(tmp_path / "no.env", "retry", job) == (1, f"{job} has ended: ERROR")
