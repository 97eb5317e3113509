"""Twenty thousand activities leave no trace in memory, and nothing on the loop waits for anything."""

import asyncio
import gc
import os
import time
from pathlib import Path

import pytest

from bots.playground.teams_world import Conversation
from commands.request import Reply

from .samples import CARDS

ACTIVITIES = 20_000
GROWTH = 25.0
"""MB."""
LAG = 0.5
"""Seconds that the loop may be late at worst, on a busy machine."""


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.soak
@pytest.mark.usefixtures("face")
async def test_memory_is_flat_and_the_loop_never_stands_still(teams, script):
    script.reply = lambda _request: Reply(card=CARDS["help"])
    anna = teams.world.person("anna")
    wire = teams.activity(anna, teams.world.personal(anna)) | {"type": "message", "text": "help"}
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            worst = max(worst, time.perf_counter() - before - 0.01)

    async def send(first: int, count: int) -> None:
        for number in range(first, first + count):
            chat = Conversation(id=f"a:soak-{number}", kind="personal", name="soak", members=[anna.teams])
            teams.world.conversations[chat.id] = chat
            conversation = {"id": chat.id, "conversationType": "personal"}
            answer = await teams.raw(wire | {"id": f"m{number}", "conversation": conversation}, teams.authorization())
            assert answer.status == 200
            # What the fake Teams and the script remember is not the face's memory.
            del teams.world.conversations[chat.id]
            assert teams.world.posts.popitem()[1].conversation == chat.id
            teams.answers.clear()
            teams.calls.clear()
            script.asked.clear()

    await send(0, 6_000)  # past every bound of what is remembered
    gc.collect()
    warm = resident()
    watching = asyncio.create_task(watch())
    await send(10**6, ACTIVITIES)
    watching.cancel()
    gc.collect()
    assert resident() - warm < GROWTH
    assert worst < LAG
    assert teams.issuer.token_requests == 1
    assert teams.issuer.metadata_reads == 1
    print(f"{resident() - warm:+.1f} MB over {ACTIVITIES:,} activities; the loop late by {worst * 1000:.0f} ms at most")
