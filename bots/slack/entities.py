"""A card as Slack's Work Object of the generic type `item`: title, number and custom fields.

https://docs.slack.dev/messaging/work-objects-implementation: `external_ref` must stay the same for ever.
"""

import html
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from commands.cards import Card, CardKind, Fact, Link, Moment, Status, Value, to_text, value_text

from .text import clip

FIELDS = 50


def entity(card: Card, url: str) -> dict[str, Any]:
    """The entity of a card; `url` is the address as it was received."""
    attributes: dict[str, Any] = {"title": {"text": clip(card.title, 150)}, "product_name": "Dynamics 365"}
    if card.subtitle:
        attributes["display_id"] = clip(card.subtitle, 100)
    facts = card.facts[:FIELDS]
    if card.status:
        facts = (Fact("Status", _status(card.status)), *facts)
    return {
        "app_unfurl_url": url,
        "url": card.url or html.unescape(url),
        "external_ref": {"id": card.record or html.unescape(url)},
        "entity_type": "slack#/entities/item",
        "entity_payload": {"attributes": attributes, "custom_fields": [_field(n, f) for n, f in enumerate(facts)]},
    }


def details(card: Card, url: str) -> dict[str, Any]:
    """What `entity.presentDetails` is given for one viewer: the record, the way to sign in, or why there is neither.

    https://docs.slack.dev/reference/methods/entity.presentDetails: a message of ours is shown for `custom` alone.
    """
    if card.kind is CardKind.RECORD:
        return {"metadata": {k: v for k, v in entity(card, url).items() if k != "app_unfurl_url"}}
    page = next((a.url for a in card.actions if a.url), "") if card.kind is CardKind.SIGN_IN else ""
    if page:
        return {"user_auth_required": True, "user_auth_url": page}
    said = to_text(replace(card, title="", actions=(), more=()))
    error = {"status": "custom", "custom_title": clip(card.title, 150), "custom_message": clip(said, 1000)}
    return {"error": {k: v for k, v in error.items() if v}}


def _status(status: Status) -> str:
    return status.text


def _field(number: int, fact: Fact) -> dict[str, Any]:
    return {"key": f"field_{number}", "label": clip(fact.label, 100), **_typed(fact.value)}


def _typed(value: Value) -> dict[str, Any]:
    if isinstance(value, Moment) and isinstance(value.at, datetime):
        at = value.at if value.at.tzinfo else value.at.replace(tzinfo=UTC)
        return {"type": "slack#/types/timestamp", "value": int(at.timestamp())}
    if isinstance(value, Moment):
        return {"type": "slack#/types/date", "value": value.at.isoformat()}
    if isinstance(value, Link) and value.url.startswith("https://"):
        return {"type": "slack#/types/link", "value": value.url}
    return {"type": "string", "value": clip(value_text(value), 1000)}
