"""What is wrong with an Adaptive Card for Teams: shape, version, size, and what Microsoft's renderer warns about.

The shapes come from the published schema (`adaptive.json`, condensed), with Teams' own additions (`msteams`,
`choices.data`). An empty list of `problems` is a card that Teams shows as meant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

SHAPES: Mapping[str, Any] = json.loads(Path(__file__).with_name("adaptive.json").read_text("utf-8"))
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
BUDGET = 28 * 1024
MAX_ACTIONS = 6
MAX_REFRESH_USERS = 60

_PLAIN: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "str": ("string", (str,)),
    "bool": ("boolean", (bool,)),
    "num": ("number", (int, float)),
}

Problem = tuple[str, str]


def problems(card: object, *, version: str = "1.5", budget: int = BUDGET) -> list[str]:
    """What is wrong, each with a JSON pointer. `version` is the newest that may be used (1.3 in link unfurls); `budget`
    is the size in bytes of compact UTF-8 JSON."""
    found = list(_object(card, "AdaptiveCard", "", version))
    if isinstance(card, Mapping):
        if card.get("type") != "AdaptiveCard":
            found.append(("/type", "must be AdaptiveCard"))
        if str(card.get("version")) not in ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")[: int(version[-1]) + 1]:
            found.append(("/version", f"must be at most {version}"))
        found += _whole(card)
        size = len(json.dumps(card, ensure_ascii=False, separators=(",", ":")).encode())
        if size > budget:
            found.append(("", f"{size} bytes; no more than {budget} allowed"))
    return [f"{said} [json-pointer:{where}]" for where, said in found]


def parts(card: object) -> Iterator[dict[str, Any]]:
    """Every typed object of the card, depth first: elements, inputs, actions, nested cards. Data of actions is not
    searched."""
    if isinstance(card, list):
        for item in card:
            yield from parts(item)
    elif isinstance(card, dict):
        if "type" in card:
            yield card
        for key, value in card.items():
            if key not in ("data", "msteams", "fallback"):
                yield from parts(value)


def _whole(card: Mapping[str, Any]) -> Iterator[Problem]:
    """Rules that span the card."""
    ids = [str(part["id"]) for part in parts(card) if "id" in part]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        yield "", f'id "{twice}" is used more than once'
    for part in parts(card):
        kind = str(part.get("type"))
        name = part.get("id") or part.get("title") or kind
        if kind.startswith("Input."):
            if "id" not in part:
                yield "", f"{name}: an input without id is never sent"
            if kind != "Input.Toggle" and not part.get("label"):
                yield "", f"{name}: an input needs a label for screen readers"
            if part.get("isRequired") and not part.get("errorMessage"):
                yield "", f"{name}: a required input needs an errorMessage"
        if kind == "Image" and not part.get("altText"):
            yield "", f"{part.get('url', '')[:60]}: an image needs altText"
        shown = [a for a in part.get("actions") or () if a.get("mode") != "secondary"]
        if len(shown) > MAX_ACTIONS and kind in ("AdaptiveCard", "ActionSet"):
            yield "", f"{name}: no more than {MAX_ACTIONS} actions are shown"
    users = (card.get("refresh") or {}).get("userIds", ())
    if len(users) > MAX_REFRESH_USERS:
        yield "/refresh/userIds", f"no more than {MAX_REFRESH_USERS} items allowed"


def _object(value: object, kind: str, at: str, version: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield at, "must be an object"
        return
    if SHAPES["since"].get(kind, "1.0") > version:
        yield at, f"{kind} needs version {SHAPES['since'][kind]}"
    rules = dict(SHAPES["types"][kind])
    rules = {"type": "any", **SHAPES["shared"].get(rules.pop("is", ""), {}), **rules}
    named = {key.rstrip("!"): rule for key, rule in rules.items()}
    for key in (k[:-1] for k in rules if k.endswith("!") and k[:-1] not in value):
        yield at, f"missing required property: {key}"
    for key, item in value.items():
        if key not in named:
            yield f"{at}/{key}", f"{kind} has no property {key}"
            continue
        rule, _, since = named[key].partition(" @")
        if since > version:
            yield f"{at}/{key}", f"needs version {since}"
        yield from _either(item, rule, f"{at}/{key}", version)


def _either(value: object, rule: str, at: str, version: str) -> Iterator[Problem]:
    """`A / B`: the first alternative without problems, else the problems of the likeliest."""
    tried = [list(_value(value, one, at, version)) for one in rule.split(" / ")] if rule[0] != "[" else []
    if not tried:
        if not isinstance(value, Sequence) or isinstance(value, str):
            yield at, "must be a list"
            return
        for index, item in enumerate(value):
            yield from _either(item, rule[1:-1], f"{at}/{index}", version)
    elif [] not in tried:
        yield from (tried[0] if isinstance(value, Mapping) else tried[-1])


def _value(value: object, rule: str, at: str, version: str) -> Iterator[Problem]:
    match rule[0], rule:
        case "=", _:
            if str(value).lower() not in rule[1:].lower().split("|"):
                yield at, f"must be one of: {rule[1:].replace('|', ', ')}"
        case "@", _:
            kind = value.get("type") if isinstance(value, Mapping) else None
            if kind not in SHAPES["groups"][rule[1:]]:
                yield f"{at}/type", f"unsupported type: {kind}"
            else:
                yield from _object(value, str(kind), at, version)
        case _, "any":
            return
        case _, "str" | "bool" | "num":
            name, wanted = _PLAIN[rule]
            if not isinstance(value, wanted) or (rule == "num" and isinstance(value, bool)):
                yield at, f"must be a {name}"
        case _:
            yield from _object(value, rule, at, version)
