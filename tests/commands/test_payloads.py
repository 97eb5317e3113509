"""The twelve named tools: what they send to Dataverse is golden, and friendly words send the same."""

import pytest

from .organisation import Desk
from .payloads import FOLDER, FRIENDLY, TOOLS, friendly, text_of, toolkit


@pytest.mark.parametrize("tool", list(TOOLS))
async def test_the_payload_is_golden(desk: Desk, tool: str) -> None:
    golden = (FOLDER / f"{tool.lower()}.json").read_text(encoding="utf-8")
    assert text_of(await toolkit(desk, tool)) == golden, "if the change is meant, run: make generate"


@pytest.mark.parametrize("tool", list(FRIENDLY))
async def test_friendly_words_send_the_same(desk: Desk, tool: str) -> None:
    golden = (FOLDER / f"{tool.lower()}.json").read_text(encoding="utf-8")
    assert text_of(await friendly(desk, tool)) == golden


def test_there_is_one_for_each_of_the_twelve() -> None:
    assert len(TOOLS) == 12
    assert {p.stem for p in FOLDER.glob("*.json")} == {tool.lower() for tool in TOOLS}
