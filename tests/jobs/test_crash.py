"""Killed with -9 at random points: every acknowledged write has exactly one row and at least one answer.

CRMCHAT_SOAK_COMMANDS (2000) and CRMCHAT_SOAK_KILLS (50) are the counts of the long run.
"""

import os
from pathlib import Path

import pytest

from .harness import outside, storm

COMMANDS, KILLS = int(os.environ.get("CRMCHAT_SOAK_COMMANDS", "2000")), int(os.environ.get("CRMCHAT_SOAK_KILLS", "50"))


@pytest.mark.parametrize(
    ("commands", "kills", "rate", "seed"),
    [
        pytest.param(48, 2, 8.0, 6, id="short"),
        pytest.param(COMMANDS, KILLS, 10.0, 7, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
    ],
)
async def test_nothing_lost_nothing_twice(tmp_path: Path, commands: int, kills: int, rate: float, seed: int) -> None:
    async with outside(tmp_path) as world:
        server = world.server()
        await server.start()
        await server.ready(world.session)
        tally = await storm(world, commands=commands, kills=kills, rate=rate, seed=seed)
        print(f"\n{tally}")
        print(f"lost {tally.lost}, unanswered {tally.unanswered}")
        assert not tally.lost, server.log()
        assert not tally.twice, server.log()
        assert not tally.unanswered, server.log()
        assert tally.second_copies <= kills * 126, tally  # the jobs that one process holds at most
        assert "Traceback" not in server.log(), server.log()
