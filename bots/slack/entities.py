"""A card as Slack's Work Object of the generic type `item`: title, number, custom fields, buttons.

https://docs.slack.dev/messaging/work-objects-implementation: `external_ref` must stay the same for ever; at most two
buttons and five more in a menu, which ask nothing before they count. Fields are not declared editable: what comes back
from such a field names the record alone, so that neither the form's seal nor the version that was seen would.
"""

import html
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from commands.cards import Card, CardKind, Fact, Link, Moment, Value, to_text, value_text
from commands.press import Seal

from .blocks import buttons
from .text import clip

FIELDS = 50
BUTTONS = 2
IN_MENU = 5


def entity(card: Card, url: str, seal: Seal) -> dict[str, Any]:
    """The entity of a card; `url` is the address as it was received."""
    attributes: dict[str, Any] = {"title": {"text": clip(card.title, 150)}, "product_name": "Dynamics 365"}
    if card.subtitle:
        attributes["display_id"] = clip(card.subtitle, 100)
    facts = card.facts[:FIELDS]
    if card.status:
        facts = (Fact("Status", card.status.text), *facts)
    return {
        "app_unfurl_url": url,
        "url": card.url or html.unescape(url),
        "external_ref": {"id": card.record or html.unescape(url)},
        "entity_type": "slack#/entities/item",
        "entity_payload": {
            "attributes": attributes,
            "custom_fields": [_field(n, f) for n, f in enumerate(facts)],
            **_actions(card, seal),
        },
    }


def details(card: Card, url: str, seal: Seal) -> dict[str, Any]:
    """What `entity.presentDetails` is given for one viewer: the record, the way to sign in, or why there is neither.

    https://docs.slack.dev/reference/methods/entity.presentDetails: a message of ours is shown for `custom` alone.
    """
    if card.kind is CardKind.RECORD:
        return {"metadata": {k: v for k, v in entity(card, url, seal).items() if k != "app_unfurl_url"}}
    page = next((a.url for a in card.actions if a.url), "") if card.kind is CardKind.SIGN_IN else ""
    if page:
        return {"user_auth_required": True, "user_auth_url": page}
    said = to_text(replace(card, title="", actions=(), more=()))
    error = {"status": "custom", "custom_title": clip(card.title, 150), "custom_message": clip(said, 1000)}
    return {"error": {k: v for k, v in error.items() if v}}


def _actions(card: Card, seal: Seal) -> dict[str, Any]:
    """What needs a question first stays on the card, where one can be asked."""
    offered = buttons((a for a in (*card.actions, *card.more) if not a.confirm), seal)
    shown = [{k: v["text"] if k == "text" else v for k, v in b.items() if k != "type"} for b in offered]
    if not shown:
        return {}
    return {"actions": {"primary_actions": shown[:BUTTONS], "overflow_actions": shown[BUTTONS:][:IN_MENU]}}


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
