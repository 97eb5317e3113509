"""Buttons and inputs of a card: finding them, filling them in, what a press sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import adaptive


def find_action(card: Mapping[str, Any] | None, wanted: str, kind: str = "") -> dict[str, Any]:
    """A button of the card by id, verb or title (or the only one of a kind); LookupError lists what is there."""
    actions = [p for p in adaptive.parts(dict(card or {})) if str(p["type"]).startswith("Action.")]
    for action in actions:
        names = (action.get("id"), action.get("verb"), action.get("title"))
        if (wanted in names if wanted else True) and kind in ("", action["type"]):
            return action
    there = ", ".join(f"{a.get('title')} ({a.get('id') or a.get('verb') or a['type']})" for a in actions)
    raise LookupError(f"no button {wanted or kind!r} here; there are: {there or 'none'}")


def gather(
    card: Mapping[str, Any] | None, action: Mapping[str, Any], inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The data that a button sends: the inputs' values, then its own data on top; and what the client refuses to
    send. Input names are ids or labels."""
    data: dict[str, Any] = {}
    missing: list[str] = []
    known = [p for p in adaptive.parts(dict(card or {})) if str(p["type"]).startswith("Input.") and "id" in p]
    unknown = set(inputs) - {p["id"] for p in known} - {p.get("label") for p in known}
    if unknown:
        raise LookupError(f"no input {sorted(unknown)}; there are: {[p['id'] for p in known]}")
    takes = str(action.get("associatedInputs", "auto")).lower() != "none"
    for part in known if takes else ():
        value = inputs.get(part["id"], inputs.get(part.get("label", ""), part.get("value")))
        value = _chosen(part, value)
        if said := _refused(part, value):
            missing.append(part.get("errorMessage") or f"{part.get('label', part['id'])}: {said}")
        data[part["id"]] = value if value is not None else ""
    own = action.get("data") or {}
    return (data | dict(own) if isinstance(own, Mapping) else data), missing


def _chosen(part: Mapping[str, Any], value: Any) -> Any:
    """A choice may be named by its title."""
    for choice in part.get("choices") or ():
        if value == choice["title"]:
            return choice["value"]
    if part["type"] == "Input.Toggle":
        on, off = part.get("valueOn", "true"), part.get("valueOff", "false")
        return on if value in (True, on) else off
    return value if value is None else str(value)


def _refused(part: Mapping[str, Any], value: Any) -> str:
    if value in (None, ""):
        return "is required" if part.get("isRequired") else ""
    if "maxLength" in part and len(value) > part["maxLength"]:
        return f"at most {part['maxLength']} characters"
    if "regex" in part and not re.search(part["regex"], value):
        return "has the wrong form"
    return ""
