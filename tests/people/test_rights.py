"""The rights that the doctor asks for are enough for every operation."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

import commands.operations  # noqa: F401  fills the catalog
from commands.operation import CATALOG
from commands.rights import needed
from tests.bot import Bot
from tests.dialogues.people import OnSlack


@pytest.fixture(scope="module")
async def exactly(bot: Bot) -> AsyncIterator[None]:
    """Sales and service managers hold what the catalog needs, and nothing more."""
    role: dict[str, dict[str, str]] = {"*": {}}
    for table, right in needed():
        role.setdefault(table, {})[right.lower()] = "organization"
    await bot.emulator.reset()
    async with aiohttp.ClientSession() as session:
        answer = await session.put(
            f"{bot.emulator.url}/_emulator/roles", json={"Sales Manager": role, "Customer Service Manager": role}
        )
        assert answer.ok, await answer.text()
    yield
    await bot.emulator.reset()


@pytest.mark.usefixtures("exactly")
async def test_they_are_enough_for_every_example(bot: Bot) -> None:
    for verb, operation in CATALOG.items():
        who = "elena.petrova" if verb.startswith("case ") else "anna.weber"
        person = OnSlack(bot.slack, f"{who}@contoso.example")
        await person.type(operation.example)
        text = await person.sees()
        assert not person.warned, (verb, text)
        await person.close()
    assert [e for e in bot.emulator.requests.entries if e.status == 403] == []
