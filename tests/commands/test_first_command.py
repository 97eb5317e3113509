"""The very first command of a process, before the organisation's metadata is there."""

from pathlib import Path

import pytest

from bots.playground.answer import until
from tests.jobs.harness import name, outside


@pytest.mark.parametrize("delay", [0.3, 4.0], ids=["within the window", "after the acknowledgement"])
async def test_what_is_required_is_asked_for_all_the_same(tmp_path: Path, delay: float) -> None:
    async with outside(tmp_path) as world:
        await world.fault(match="RetrieveMetadataChanges", delay=delay, count=10)
        server = world.server()
        await server.start()
        await server.ready(world.session)
        status, body = await world.teams(server.url, f"lead create Jane {name(7)}", "first")
        assert status < 300, body
        # The form, with what was typed in it.
        await until(lambda: world.sink.answers[name(7)])
        assert not await world.rows()
