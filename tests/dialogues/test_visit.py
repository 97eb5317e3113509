"""What README.md and the playground propose, typed by the person whom a visitor finds chosen there, comes true."""

import json
import re
from pathlib import Path

import pytest

from tests.bot import Bot

from .people import FACES

ROOT = Path(__file__).parents[2]
PAGE = json.loads((ROOT / "bots/playground/page.json").read_text("utf-8"))
PEOPLE = json.loads((ROOT / "bots/playground/seed.json").read_text("utf-8"))["people"]
SLIPS = {"laed list": "Did you mean lead list"}
"""What is proposed as a mistake, and what it is answered."""


def proposed() -> list[str]:
    """Commands, each once, in the order in which they stand there."""
    readme = re.findall(r"^(?:- Type `)?/crm ([^`\n]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    page = [c["text"] for c in PAGE["commands"]] + [t["type"] for t in PAGE["tries"] if "type" in t]
    return list(dict.fromkeys(text.removeprefix("@crm ") for text in (*readme, *page)))


@pytest.mark.parametrize("face", list(FACES))
async def test_every_proposal_comes_true(bot: Bot, face: str) -> None:
    await bot.emulator.reset()
    person = FACES[face](bot, PEOPLE[0]["email"])
    for text in proposed():
        await person.type(text)
        try:
            await person.sees(*([SLIPS[text]] if text in SLIPS else []))
            assert person.warned is (text in SLIPS), text
        finally:
            await person.close()
    assert len(proposed()) > 10
