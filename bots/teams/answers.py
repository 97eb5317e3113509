"""The bodies that Teams expects as answers to invokes, as plain dicts.

Contracts: "Universal Actions for Adaptive Cards", "Dialogs", "Message extensions" (learn.microsoft.com/microsoftteams).
"""

from collections.abc import Iterable
from typing import Any, Final

from commands.cards import Card, Option, to_text

from .elements import Element
from .plain import for_choice, for_thumbnail, one_line
from .port import CARD, Answer

ERROR: Final = "application/vnd.microsoft.error"
MESSAGE: Final = "application/vnd.microsoft.activity.message"
SEARCH: Final = "application/vnd.microsoft.search.searchResponse"
THUMBNAIL: Final = "application/vnd.microsoft.card.thumbnail"

NOT_IMPLEMENTED: Final = Answer(501)
CLOSED: Final = Answer(200, {})
"""Nothing more to show: a dialog closes."""


def shown(card: Element) -> Answer:
    """To `adaptiveCard/action`: this card takes the place of the pressed one, for the person who pressed."""
    return Answer(200, {"statusCode": 200, "type": CARD, "value": card})


def said(text: str) -> Answer:
    """To `adaptiveCard/action`: the card stays, a short message shows below it."""
    return Answer(200, {"statusCode": 200, "type": MESSAGE, "value": for_choice(text, 200)})


def refused(status: int, code: str, message: str) -> Answer:
    """To `adaptiveCard/action`: an error; Teams keeps the card."""
    return Answer(200, {"statusCode": status, "type": ERROR, "value": {"code": code, "message": message}})


def dialog(card: Element, title: str) -> Answer:
    """A dialog that shows a card."""
    value = {
        "title": one_line(title, 64) or "Dynamics 365",
        "height": "large" if len(card.get("body", ())) > 8 else "medium",
        "width": "medium",
        "card": {"contentType": CARD, "content": card},
    }
    return Answer(200, {"task": {"type": "continue", "value": value}})


def dialog_note(text: str) -> Answer:
    """A dialog that says one thing."""
    return Answer(200, {"task": {"type": "message", "value": one_line(text, 400)}})


def choices(options: Iterable[Option]) -> Answer:
    """To `application/search`: what the dropdown offers."""
    results = [{"title": one_line(option.label, 200), "value": option.value} for option in options]
    return Answer(200, {"type": SEARCH, "value": {"results": results}})


def results(found: Iterable[tuple[Card, Element]]) -> Answer:
    """To a message extension. The first of each pair feeds the preview, the second is what gets inserted."""
    attachments = [
        {"contentType": CARD, "content": element, "preview": {"contentType": THUMBNAIL, "content": _preview(card)}}
        for card, element in found
    ]
    return _extension({"type": "result", "attachmentLayout": "list", "attachments": attachments})


def note(text: str) -> Answer:
    """To a message extension: plain text where results would be."""
    return _extension({"type": "message", "text": for_choice(text, 400)})


def sign_in(url: str, title: str) -> Answer:
    """To a message extension: the person must sign in first, at this address; then Teams asks again."""
    action = {"type": "openUrl", "value": url, "title": one_line(title, 40)}
    return _extension({"type": "auth", "suggestedActions": {"actions": [action]}})


def _extension(value: dict[str, Any]) -> Answer:
    return Answer(200, {"composeExtension": value})


def _preview(card: Card) -> dict[str, str]:
    lines = to_text(card).split("\n")
    detail = [card.subtitle, card.status.text if card.status else "", *(lines[1:3] if not card.subtitle else ())]
    return {
        "title": for_thumbnail(card.title, 80),
        "text": for_thumbnail(" · ".join(part for part in detail if part), 120),
    }
