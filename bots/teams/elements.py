"""The parts that all Adaptive Cards are made of: plain dicts, and data that no client parses.

Schema: adaptivecards.io/explorer; what Teams supports of it: "Cards reference" and "Universal Actions for Adaptive
Cards" (learn.microsoft.com/microsoftteams/platform/task-modules-and-cards).
"""

from typing import Any, Final

import orjson

from commands.press import Press, Seal

from .plain import for_choice, harmless, one_line

BUDGET: Final = 28_000
"""Bytes of UTF-8 that a card may have; Teams refuses messages above 28 to 100 kB, depending on the way they come."""
HARD_LIMIT: Final = 80_000
"""Bytes of UTF-8 above which Teams may refuse a message (100 kB as UTF-16, envelope included)."""
PRESS: Final = "press"
"""Key of the sealed press in an action's data."""

Element = dict[str, Any]


def size(card: Element) -> int:
    """Bytes on the wire."""
    return len(orjson.dumps(card))


def execute(title: str, press: Press, seal: Seal, **more: Any) -> Element:
    """A button that comes back as `adaptiveCard/action`, and as a message from clients that do not know that."""
    data = {PRESS: seal.seal(press)}
    return {
        "type": "Action.Execute",
        "title": one_line(title, 80),
        "verb": press.do.value,
        "data": data,
        "fallback": {"type": "Action.Submit", "title": one_line(title, 80), "data": data},
        **more,
    }


def submit(title: str, press: Press, seal: Seal, **more: Any) -> Element:
    """A button within a dialog (`task/submit`)."""
    return {"type": "Action.Submit", "title": one_line(title, 80), "data": {PRESS: seal.seal(press)}, **more}


def open_dialog(title: str, press: Press, seal: Seal, **more: Any) -> Element:
    """A button that opens a dialog (`task/fetch`)."""
    data = {PRESS: seal.seal(press), "msteams": {"type": "task/fetch"}}
    return {"type": "Action.Submit", "title": one_line(title, 80), "data": data, **more}


def runs(*runs: Element, **more: Any) -> Element:
    """A RichTextBlock."""
    return {"type": "RichTextBlock", "inlines": list(runs), **more}


def run(text: str, **more: Any) -> Element:
    """A TextRun: text that no client parses."""
    return {"type": "TextRun", "text": harmless(text) or " ", **more}


def envelope(body: list[Element], actions: list[Element], fallback: str, *, wide: bool = False) -> Element:
    """An Adaptive Card around its elements."""
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": for_choice(fallback, 300),
        "body": body,
    }
    if actions:
        card["actions"] = actions
    if wide:
        card["msteams"] = {"width": "Full"}
    return card
