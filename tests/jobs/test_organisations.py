"""kill -9 amid changes of two organisations: each lands once, in its own."""

import asyncio
from collections import Counter
from pathlib import Path

from bots.playground.answer import until
from crm.emulator import Emulator, Fault

from .harness import name, outside

COMMANDS = 6
FILE = """\
version: 1
ask: somebody
environments:
  production: {{production: true}}
  sandbox: {{url: {url}}}
"""


async def test_rows_land_in_the_right_one(tmp_path: Path) -> None:
    async with outside(tmp_path) as world, Emulator(seed="contoso") as sandbox:
        policy = tmp_path / "policy.yaml"
        policy.write_text(FILE.format(url=sandbox.url))
        server = world.server(CRMCHAT_POLICY=str(policy))
        await server.start()
        await server.ready(world.session)
        for emulator in (world.emulator, sandbox):
            emulator.faults.add(Fault(count=COMMANDS, match="^POST .*/leads", delay=30))

        async def ask(number: int) -> None:
            where = ("production", "sandbox")[number % 2]
            status, text = await world.slack(
                server.url, f"lead create Jane {name(number)} topic=Pumps env={where}", f"two{number}"
            )
            assert status == 200, text
            assert "Working on it" in text

        await asyncio.gather(*map(ask, range(COMMANDS)))
        await server.end()
        for emulator in (world.emulator, sandbox):
            emulator.faults.clear()
        await server.start()
        await server.ready(world.session)

        async def rows(emulator: Emulator) -> Counter[str]:
            url = f"{emulator.url}/api/data/v9.2/leads?$select=lastname&$filter=startswith(lastname,'Person-')"
            async with world.session.get(url) as answer:
                return Counter(row["lastname"] for row in (await answer.json())["value"])

        async def all_there() -> bool:
            return sum([sum((await rows(e)).values()) for e in (world.emulator, sandbox)]) >= COMMANDS

        await until(all_there, 60)
        wanted = [Counter(name(n) for n in range(first, COMMANDS, 2)) for first in (0, 1)]
        assert [await rows(world.emulator), await rows(sandbox)] == wanted

        def answers(number: int) -> list[str]:
            return [t for t in world.sink.texts if name(number) in t and "Lead created." in t]

        await until(lambda: all(answers(n) for n in range(COMMANDS)), 60)
        for number in range(COMMANDS):
            badges = {("Production" in text, "Sandbox" in text) for text in answers(number)}
            assert badges == {(number % 2 == 0, number % 2 == 1)}, answers(number)
        await server.end()
