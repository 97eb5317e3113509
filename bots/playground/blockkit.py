"""Slack's limits on blocks and views, as Slack states its refusals.

`problems(blocks, surface=...)` and `view_problems(view)` give a list of sentences, each ending in a JSON pointer; an
empty list is what Slack would accept. The limits are data (`blockkit.json`); only rules that span keys are code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

Surface = Literal["message", "modal", "home", "unfurl"]

LIMITS: Mapping[str, Any] = json.loads(Path(__file__).with_name("blockkit.json").read_text("utf-8"))

_DECIMAL = re.compile(r"-?\d{1,254}(\.\d{1,254})?")
_TIME = re.compile(r"[0-2]\d:[0-5]\d")
_URL = re.compile(r"[a-z][a-z0-9+.-]*:.+", re.IGNORECASE | re.DOTALL)
_TEXT_TYPES = {"plain": ("plain_text",), "mrkdwn": ("mrkdwn",), "text": ("plain_text", "mrkdwn")}


def problems(blocks: object, *, surface: Surface = "message", at: str = "/blocks") -> list[str]:
    """What Slack would refuse in these blocks, with the place of each."""
    return [f"{said} [json-pointer:{where}]" for where, said in _blocks(blocks, surface, at)]


def view_problems(view: object, *, at: str = "/view") -> list[str]:
    """What Slack would refuse in a modal or a home tab."""
    return [f"{said} [json-pointer:{where}]" for where, said in _view(view, at)]


def options_problems(answer: object) -> list[str]:
    """What Slack would refuse in the answer to a block_suggestion: `{"options": […]}` or `{"option_groups": […]}`."""
    if not isinstance(answer, Mapping) or len({"options", "option_groups"} & set(answer)) != 1:
        return ["must have exactly one of options and option_groups [json-pointer:]"]
    key = "options" if "options" in answer else "option_groups"
    name = "plain_option" if key == "options" else "option_group"
    found = _value(answer[key], f"list:0-100:obj:{name}", f"/{key}")
    return [f"{said} [json-pointer:{where}]" for where, said in found]


MESSAGE_SIZE = 13_200
"""What Slack takes of a message's blocks together; from its maintainers' and users' measurements, it publishes none."""


def message_size(blocks: object) -> int:
    """Characters of the texts, and a few for each block or text around them."""
    if isinstance(blocks, Mapping):
        around = 20 if "type" in blocks else 0
        return around + sum(
            len(v) if k == "text" and isinstance(v, str) else message_size(v) for k, v in blocks.items()
        )
    return sum(map(message_size, blocks)) if isinstance(blocks, list) else 0


Problem = tuple[str, str]


def _view(view: object, at: str) -> Iterator[Problem]:
    if not isinstance(view, Mapping):
        yield at, "must be an object"
        return
    kind = view.get("type")
    if not isinstance(kind, str) or kind not in LIMITS["views"]:
        yield f"{at}/type", f"must be one of: {', '.join(LIMITS['views'])}"
        return
    yield from _fields(view, LIMITS["views"][kind], at)
    blocks = view.get("blocks")
    if isinstance(blocks, Sequence):
        yield from _blocks(blocks, kind, f"{at}/blocks")
        if (
            kind == "modal"
            and "submit" not in view
            and any(isinstance(b, Mapping) and b.get("type") == "input" for b in blocks)
        ):
            yield at, "missing required field: submit, as the view has input blocks"
        focused = sum(1 for element in elements(blocks) if element.get("focus_on_load"))
        if focused > 1:
            yield f"{at}/blocks", "only one element may have focus_on_load"


def _blocks(blocks: object, surface: str, at: str) -> Iterator[Problem]:
    if not isinstance(blocks, Sequence) or isinstance(blocks, str):
        yield at, "must be a list"
        return
    if len(blocks) > (most := LIMITS["blocks_per_surface"][surface]):
        yield at, f"no more than {most} items allowed"
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        yield from _block(block, surface, f"{at}/{index}", seen)
    kinds = [b.get("type") for b in blocks if isinstance(b, Mapping)]
    if kinds.count("table") > 1:
        yield at, "only one table block per message"
    prose = [str(b.get("text", "")) for b in blocks if isinstance(b, Mapping) and b.get("type") == "markdown"]
    if sum(map(len, prose)) > 12_000:
        yield at, "markdown blocks must be less than 12001 characters together"


def _block(block: object, surface: str, at: str, seen: set[str]) -> Iterator[Problem]:
    if not isinstance(block, Mapping):
        yield at, "must be an object"
        return
    kind = block.get("type")
    rules = LIMITS["blocks"].get(kind)
    if rules is None or surface not in rules["on"].split():
        yield f"{at}/type", f"unsupported type: {kind}" + ("" if rules is None else f" in {surface}")
        return
    yield from _fields(block, {**LIMITS["common_block"], **rules}, at)
    if (block_id := block.get("block_id")) is not None:
        if block_id in seen:
            yield f"{at}/block_id", f'block_id "{block_id}" already exists'
        seen.add(str(block_id))
    if kind == "section" and not ("text" in block or "fields" in block):
        yield at, "must define either `text` or `fields`"
    if kind == "image" and ("image_url" in block) == ("slack_file" in block):
        yield at, "must provide exactly one of image_url and slack_file"
    ids = [e["action_id"] for e in elements([block]) if "action_id" in e]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        yield at, f'action_id "{twice}" already exists in this block'


def elements(blocks: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Every interactive element of the blocks, in reading order."""
    for block in blocks:
        if not isinstance(block, Mapping):
            continue
        if block.get("type") == "actions":
            yield from (e for e in block.get("elements") or () if isinstance(e, Mapping))
        for key in ("accessory", "element"):
            if isinstance(block.get(key), Mapping):
                yield block[key]


def _fields(value: Mapping[str, Any], rules: Mapping[str, str], at: str) -> Iterator[Problem]:
    allowed = {key.rstrip("!"): (rule, key.endswith("!")) for key, rule in rules.items() if key != "on"}
    for key, (rule, required) in allowed.items():
        if key not in value:
            if required:
                yield at, f"missing required field: {key}"
            continue
        yield from _value(value[key], rule, f"{at}/{key}")
    for key in value:
        if key not in allowed:
            yield f"{at}/{key}", f"additional property not allowed: {key}"


def _value(value: object, rule: str, at: str) -> Iterator[Problem]:
    kind, _, rest = rule.partition(":")
    yield from _KINDS[kind](value, rest, at)


def _any(*_: object) -> Iterator[Problem]:
    return iter(())


def _str(value: object, rest: str, at: str, least: int = 1) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield at, "must be a string"
    elif len(value) < least:
        yield at, f"must be more than {least - 1} characters"
    elif len(value) > int(rest):
        yield at, f"must be less than {int(rest) + 1} characters"


def _str0(value: object, rest: str, at: str) -> Iterator[Problem]:
    return _str(value, rest, at, least=0)


def _url(value: object, rest: str, at: str) -> Iterator[Problem]:
    yield from _str(value, rest, at)
    if isinstance(value, str) and not _URL.fullmatch(value):
        yield at, "must be a valid URL"


def _number(value: object, rest: str, at: str) -> Iterator[Problem]:
    least, most = map(int, rest.split("-"))
    if not isinstance(value, int) or isinstance(value, bool):
        yield at, "must be an integer"
    elif not least <= value <= most:
        yield at, f"must be between {least} and {most}"


def _day(value: object, _: str, at: str) -> Iterator[Problem]:
    try:
        known = isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        known = False
    if not known:
        yield at, "must be a date in the format YYYY-MM-DD"


def _matching(pattern: re.Pattern[str], said: str) -> Any:
    def check(value: object, _: str, at: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            yield at, said

    return check


def _of_type(kind: type, said: str) -> Any:
    def check(value: object, _: str, at: str) -> Iterator[Problem]:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            yield at, said

    return check


def _enum(value: object, rest: str, at: str) -> Iterator[Problem]:
    if value not in rest.split("|"):
        yield at, f"must be one of: {rest.replace('|', ', ')}"


def _text_object(types: tuple[str, ...]) -> Any:
    def check(value: object, rest: str, at: str) -> Iterator[Problem]:
        if not isinstance(value, Mapping):
            yield at, "must be a text object"
            return
        kind = value.get("type")
        if kind not in types:
            yield f"{at}/type", f"must be one of: {', '.join(types)}"
            return
        yield from _fields(value, {"type!": "any", **LIMITS["elements"][kind], "text!": f"str:{rest}"}, at)

    return check


def _list(value: object, rest: str, at: str) -> Iterator[Problem]:
    span, _, of = rest.partition(":")
    least, most = map(int, span.split("-"))
    if not isinstance(value, Sequence) or isinstance(value, str):
        yield at, "must be a list"
        return
    if len(value) < least:
        yield at, f"no fewer than {least} items allowed"
    if len(value) > most:
        yield at, f"no more than {most} items allowed"
    for index, item in enumerate(value):
        yield from _value(item, of, f"{at}/{index}")


def _one(value: object, rest: str, at: str) -> Iterator[Problem]:
    kind = value.get("type") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or kind not in rest.split("|"):
        yield f"{at}/type", f"unsupported type: {kind}"
        return
    yield from _fields(value, {"type!": "any", **LIMITS["elements"][kind]}, at)
    yield from _choices(value, at)
    yield from _spans(value, at)
    if kind == "image" and ("image_url" in value) == ("slack_file" in value):
        yield at, "must provide exactly one of image_url and slack_file"


def _spans(element: Mapping[str, Any], at: str) -> Iterator[Problem]:
    """Rules between what stands in a field at first and what may be typed there."""
    value, least, most = (element.get(k) for k in ("initial_value", "min_length", "max_length"))
    if isinstance(least, int) and isinstance(most, int) and least > most:
        yield f"{at}/min_length", "must be no more than max_length"
    if isinstance(value, str) and isinstance(most, int) and len(value) > most:
        yield f"{at}/initial_value", f"must be less than {most + 1} characters"
    if isinstance(value, str) and value and element.get("type") == "number_input":
        yield from _KINDS["decimal"](value, "", f"{at}/initial_value")


def _choices(element: Mapping[str, Any], at: str) -> Iterator[Problem]:
    """Rules between an element's options and its initial ones."""
    if str(element.get("type")).endswith("static_select"):
        if ("options" in element) == ("option_groups" in element):
            yield at, "must provide exactly one of options and option_groups"
    elif "options" not in element:
        return
    groups = element.get("option_groups") or ()
    options = [*(element.get("options") or ()), *(o for g in groups for o in g.get("options", ()))]
    given = {_bare(o) for o in options if isinstance(o, Mapping)}
    single = [element["initial_option"]] if "initial_option" in element else []
    for option in [*single, *(element.get("initial_options") or ())]:
        if isinstance(option, Mapping) and _bare(option) not in given:
            yield f"{at}/initial_option{'s' * (not single)}", "must exactly match one of the options"
    if element.get("type") in ("checkboxes", "radio_buttons", "static_select", "overflow"):
        values = [o.get("value") for o in options if isinstance(o, Mapping)]
        if len(values) != len(set(values)):
            yield f"{at}/options", "values must be unique"


def _bare(option: Mapping[str, Any]) -> tuple[Any, Any]:
    text = option.get("text")
    return option.get("value"), text.get("text") if isinstance(text, Mapping) else None


def _obj(value: object, rest: str, at: str) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield at, "must be an object"
        return
    yield from _fields(value, LIMITS["objects"][rest], at)


_KINDS: Mapping[str, Any] = {
    "any": _any,
    "str": _str,
    "str0": _str0,
    "url": _url,
    "date": _day,
    "decimal": _matching(_DECIMAL, "must be a number"),
    "time": _matching(_TIME, "must be a time in the format HH:mm"),
    "bool": _of_type(bool, "must be a boolean"),
    "int": _number,
    "enum": _enum,
    "list": _list,
    "one": _one,
    "obj": _obj,
    **{name: _text_object(types) for name, types in _TEXT_TYPES.items()},
}
