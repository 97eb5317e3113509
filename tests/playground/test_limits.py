"""The checkers of blocks and of Adaptive Cards: each limit at its edge, and one beyond."""

from __future__ import annotations

from typing import Any

import pytest

from bots.playground import adaptive, blockkit


def plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words}


def section(**fields: Any) -> dict[str, Any]:
    return {"type": "section", **fields}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def button(number: int = 0, words: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": str(number), "text": plain(words), **more}


def options(count: int, words: str = "o") -> list[dict[str, Any]]:
    return [{"text": plain(words), "value": str(i)} for i in range(count)]


def select(count: int, **more: Any) -> dict[str, Any]:
    return {"type": "static_select", "action_id": "s", "options": options(count), **more}


IMAGE = {"type": "image", "image_url": "https://x/y"}
CONTEXT = {"type": "context"}
BLOCK_EDGES: list[tuple[str, Any, Any]] = [
    ("blocks", [{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
    ("header", [{"type": "header", "text": plain("x" * 150)}], [{"type": "header", "text": plain("x" * 151)}]),
    ("section", [section(text=plain("x" * 3000))], [section(text=plain("x" * 3001))]),
    ("fields", [section(fields=[plain("x" * 2000)] * 10)], [section(fields=[plain("x")] * 11)]),
    ("field", [section(fields=[plain("x" * 2000)])], [section(fields=[plain("x" * 2001)])]),
    ("elements", [actions(*map(button, range(25)))], [actions(*map(button, range(26)))]),
    ("button text", [actions(button(words="x" * 75))], [actions(button(words="x" * 76))]),
    ("button value", [actions(button(value="x" * 2000))], [actions(button(value="x" * 2001))]),
    ("style", [actions(button(style="danger"))], [actions(button(style="loud"))]),
    ("action_id", [actions(button(1), button(2))], [actions(button(1), button(1))]),
    ("options", [actions(select(100))], [actions(select(101))]),
    ("empty text", [section(text=plain("x"))], [section(text=plain(""))]),
    ("initial", [actions(select(2, initial_option=options(1)[0]))], [actions(select(1, initial_option=options(2)[1]))]),
    ("unknown key", [section(text=plain("x"))], [section(text=plain("x"), colour="red")]),
    ("block_id", [{"type": "divider", "block_id": "a"}], [{"type": "divider", "block_id": "a"}] * 2),
    (
        "alt",
        [{"type": "image", "image_url": "https://x/y", "alt_text": "a"}],
        [{"type": "image", "image_url": "https://x/y"}],
    ),
    (
        "context",
        [{"type": "context", "elements": [plain("x")] * 10}],
        [{"type": "context", "elements": [plain("x")] * 11}],
    ),
]


@pytest.mark.parametrize(("good", "bad"), [e[1:] for e in BLOCK_EDGES], ids=[e[0] for e in BLOCK_EDGES])
def test_block_limits_at_their_edges(good: Any, bad: Any) -> None:
    assert blockkit.problems(good) == []
    assert len(blockkit.problems(bad)) == 1


def test_surfaces_take_what_they_take() -> None:
    text = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}]
    assert blockkit.problems(text) == []
    assert blockkit.problems(text, surface="unfurl") == [
        "unsupported type: rich_text in unfurl [json-pointer:/blocks/0/type]"
    ]
    assert blockkit.problems([{"type": "markdown", "text": "x"}], surface="modal")
    assert blockkit.problems([{"type": "divider"}] * 100, surface="home") == []


def test_a_view_with_inputs_needs_a_submit_button() -> None:
    entry = {"type": "input", "label": plain("L"), "element": {"type": "plain_text_input", "action_id": "a"}}
    view = {"type": "modal", "title": plain("x" * 24), "blocks": [entry]}
    assert blockkit.view_problems(view) == [
        "missing required field: submit, as the view has input blocks [json-pointer:/view]"
    ]
    assert blockkit.view_problems(view | {"submit": plain("Go")}) == []
    assert blockkit.view_problems(view | {"submit": plain("Go"), "private_metadata": "x" * 3001})


@pytest.mark.parametrize("nonsense", [None, 7, "blocks", [None], [[]], [{}], [{"type": "section", "text": "bare"}]])
def test_nonsense_is_a_problem_and_no_crash(nonsense: Any) -> None:
    assert blockkit.problems(nonsense)
    assert adaptive.problems(nonsense)


def card(*body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "AdaptiveCard", "version": "1.5", "body": list(body), **more}


TEXT = {"type": "TextBlock", "text": "x"}
INPUT = {"type": "Input.Text", "id": "a", "label": "A"}
EXECUTE = {"type": "Action.Execute", "title": "Go", "verb": "go"}
CARD_EDGES: list[tuple[str, Any, Any]] = [
    ("element", card(TEXT), card({"type": "TextBlok", "text": "x"})),
    ("property", card(TEXT), card({**TEXT, "colour": "red"})),
    ("required", card(TEXT), card({"type": "TextBlock"})),
    ("word", card({**TEXT, "size": "Large"}), card({**TEXT, "size": "Huge"})),
    ("kind", card({**TEXT, "wrap": True}), card({**TEXT, "wrap": "yes"})),
    ("version", card(TEXT), card(TEXT) | {"version": "1.6"}),
    ("label", card(INPUT), card({**INPUT, "label": ""})),
    ("message", card({**INPUT, "isRequired": True, "errorMessage": "!"}), card({**INPUT, "isRequired": True})),
    ("id", card(INPUT), card(INPUT, INPUT)),
    ("actions", card(actions=[EXECUTE] * 6), card(actions=[EXECUTE] * 7)),
    ("fallback", card(actions=[{**EXECUTE, "fallback": "drop"}]), card(actions=[{**EXECUTE, "fallback": "keep"}])),
    ("size", card({**TEXT, "text": "x" * 28_000}), card({**TEXT, "text": "x" * 29_000})),
    ("msteams", card(TEXT, msteams={"width": "Full"}), card(TEXT, slack={})),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad"), [e[1:] for e in CARD_EDGES], ids=[e[0] for e in CARD_EDGES])
def test_card_shapes_and_limits(good: Any, bad: Any) -> None:
    assert adaptive.problems(good) == []
    assert len(adaptive.problems(bad)) == 1


def test_an_older_version_takes_no_newer_features() -> None:
    assert adaptive.problems(card(TEXT) | {"version": "1.3"}, version="1.3") == []
    assert any("needs version 1.4" in said for said in adaptive.problems(card(actions=[EXECUTE]), version="1.3"))
