"""Twenty thousand activities leave no trace in memory; tokens, keys and connections are used again."""

import gc
import os
from pathlib import Path

import pytest

from bots.playground.teams_world import Conversation
from commands.request import Reply

from .samples import CARDS

ACTIVITIES = int(os.environ.get("SOAK_ACTIVITIES", "20000"))
GROWTH = 25.0
"""MB."""


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.soak
@pytest.mark.usefixtures("face")
async def test_memory_is_flat(teams, script):
    script.reply = lambda _request: Reply(card=CARDS["help"])
    anna = teams.world.person("anna")
    wire = teams.activity(anna, teams.world.personal(anna)) | {"type": "message", "text": "help"}

    async def send(first: int, count: int) -> None:
        for number in range(first, first + count):
            chat = Conversation(id=f"a:soak-{number}", kind="personal", name="soak", members=[anna.teams])
            teams.world.conversations[chat.id] = chat
            conversation = {"id": chat.id, "conversationType": "personal"}
            answer = await teams.raw(wire | {"id": f"m{number}", "conversation": conversation}, teams.authorization())
            assert answer.status == 200
            # What the fake Teams and the script remember is not the face's memory.
            await teams.until(lambda chat=chat: next(reversed(teams.world.posts.values())).conversation == chat.id)
            teams.world.posts.popitem()
            del teams.world.conversations[chat.id]
            teams.answers.clear()
            teams.calls.clear()
            script.asked.clear()

    await send(0, min(6_000, ACTIVITIES))  # past every bound of what is remembered
    gc.collect()
    warm = resident()
    await send(10**6, ACTIVITIES)
    gc.collect()
    assert resident() - warm < GROWTH
    assert teams.issuer.token_requests == 1
    assert teams.issuer.metadata_reads == 1
    print(f"{resident() - warm:+.1f} MB over {ACTIVITIES:,} activities")
