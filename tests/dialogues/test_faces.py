"""The same dialogues before both chat platforms: what a person sees there holds what the dialogue says."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.bot import Bot

from .people import FACES, Person, pieces
from .runner import FOLDER, dialogues, read, speaker_of

IN_A_CHANNEL = sorted((FOLDER / "channel").glob("*.txt"))


@pytest.fixture(scope="module", params=list(FACES))
async def face(bot: Bot, request: pytest.FixtureRequest) -> str:
    """A platform, and an organisation in which none of the dialogues has been held."""
    await bot.emulator.reset()
    return str(request.param)


@pytest.mark.parametrize("path", [*dialogues(), *IN_A_CHANNEL], ids=lambda p: p.stem)
async def test_dialogue(bot: Bot, face: str, path: Path) -> None:
    person = FACES[face](bot, speaker_of(path), channel=path in IN_A_CHANNEL)
    try:
        for turn in read(path):
            await _do(person, turn.said)
            try:
                if turn.expected:
                    await person.sees(*(p for line in turn.expected for p in pieces(line)))
            except AssertionError as e:
                raise AssertionError(f"{path.name}:{turn.line}: > {turn.said}\n{e}") from None
    finally:
        await person.close()
    assert bot.teams.card_problems == []


async def test_two_who_make_a_case_of_one_message_at_once_see_the_same_case(bot: Bot, face: str) -> None:
    title = f"Both of us saw this on {face}"
    first, second = (
        FACES[face](bot, f"{who}@contoso.example", channel=True) for who in ("elena.petrova", "farid.rahimi")
    )
    other = FACES[face](bot, "chiara.rossi@contoso.example", channel=True)
    await first.post(title)
    other.watch()
    try:
        for person in (first, second):
            await person.capture()
            await person.sees("Create case", title)
        await asyncio.gather(*(person.fill({"customer": "Litware"}) for person in (first, second)))
        found = [set(re.findall(r"CAS-[\w-]+", await p.sees(title, "CAS-", "Litware, Inc."))) for p in (first, second)]
    finally:
        await first.close()
        await second.close()
    assert len(found[0]) == 1
    assert found[0] == found[1]
    assert "Litware" not in await other.sees(title, *found[0])


async def _do(person: Person, said: str) -> None:
    match said[0], said[-1]:
        case "[", "]":
            await person.press(said[1:-1])
        case "{", "}":
            pairs = (pair.partition(":") for pair in said[1:-1].split(";"))
            await person.fill({name.strip(): value.strip().removeprefix("-") for name, _, value in pairs})
        case "(", ")":
            await person.capture()
        case "“", "”":
            await person.post(said[1:-1])
        case "@", _:
            await person.mention(said.removeprefix("@crm").strip())
        case _:
            await person.type(said.removeprefix("/crm").strip())
