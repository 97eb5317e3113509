"""Elements that hold a value: what a view starts with, and what a person's choice looks like on the wire."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from . import blockkit


def number_blocks(body: dict[str, Any]) -> dict[str, Any]:
    """Give every block a block_id, and every element an action_id, as Slack does for those that lack one."""
    for block in body.get("blocks") or ():
        block.setdefault("block_id", secrets.token_urlsafe(4))
        for element in blockkit.elements([block]):
            if isinstance(element, dict) and element.get("type") != "image":
                element.setdefault("action_id", secrets.token_urlsafe(4))
    return body


def initial_values(blocks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """`state.values` before anybody typed: what each stateful element starts with."""
    values: dict[str, dict[str, Any]] = {}
    for block in blocks:
        for element in blockkit.elements([block]):
            if (state := element_state(element)) is not None:
                values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


_STATE_KEYS = {
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "file_input": ("files", ""),
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
}


def element_state(element: Mapping[str, Any], value: Any = ..., label: str = "") -> dict[str, Any] | None:
    """An element's entry in `state.values`; None for what has no state (buttons, overflow). `value` is what the
    person chose: text, a date, an option's value or visible text, or a list of them."""
    kind = str(element.get("type"))
    if kind not in _STATE_KEYS:
        return None
    key, initial = _STATE_KEYS[kind]
    many = key in ("selected_options", "selected_users", "selected_conversations", "selected_channels", "files")
    if value is ...:
        chosen = element.get(initial, [] if many else None)
    elif many:
        wanted = value if isinstance(value, list | tuple) else [value]
        chosen = [_choose(element, v) for v in wanted] if key == "selected_options" else list(wanted)
    elif key == "selected_option":
        chosen = None if value in (None, "") else _choose(element, value, label)
    else:
        chosen = value if value not in (None, "") else None
    return {"type": kind, key: chosen}


def _choose(element: Mapping[str, Any], wanted: Any, label: str = "") -> dict[str, Any]:
    """The option with that value, else with that visible text; an external one is taken as given."""
    if isinstance(wanted, dict):
        return wanted
    options = list(all_options(element))
    for option in options:
        if option["value"] == wanted:
            return option
    for option in options:
        if option["text"]["text"] == wanted:
            return option
    if "external" in str(element.get("type")):
        return {"text": {"type": "plain_text", "text": label or str(wanted), "emoji": True}, "value": str(wanted)}
    raise LookupError(f"no option {wanted!r}; there are: {[o['text']['text'] for o in options]}")


def all_options(element: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from element.get("options") or ()
    for group in element.get("option_groups") or ():
        yield from group["options"]
