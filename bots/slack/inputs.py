"""An input of a form -> its block, and what was entered there -> `Submission`."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from commands.cards import Form, Input, InputKind, Option, Submission

from .blocks import Block, plain_text
from .text import clip

TYPED = 3000
"""Characters that Slack lets a person type into one field."""
TRIMMED = 10
"""Characters of white space that may be gone from the end of what comes back."""
OPTIONS = 100
OPTION_TEXT = 75
OPTION_VALUE = 150
PLACEHOLDER = 150
LABEL = 2000

INPUT = "input"
"""Action id of every input; the block id is the input's name."""

_YES_NO = (Option("Yes", "yes"), Option("No", "no"))
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def input_block(asked: Input, zone: tzinfo = UTC) -> Block:
    """One field. Its block id is its name: Slack keeps what was typed across updates, and shows errors there."""
    hint = asked.hint
    if asked.kind in (InputKind.TEXT, InputKind.MULTILINE) and len(asked.value) > TYPED:
        hint = f"Only the first {TYPED} characters fit here. {hint}".strip()
    block: Block = {
        "type": "input",
        "block_id": asked.name,
        "label": plain_text(asked.label, LABEL),
        "element": _element(asked, zone),
        "optional": not asked.required,
    }
    if hint:
        block["hint"] = plain_text(hint, LABEL)
    return block


def _element(asked: Input, zone: tzinfo) -> Block:
    element = _datetime(asked, zone) if asked.kind is InputKind.DATETIME else _WIDGETS.get(asked.kind, _text)(asked)
    if element is None:  # what was typed before does not fit the widget; a text field keeps it for its owner to mend
        element = _text(asked)
    if asked.placeholder and element["type"] != "datetimepicker":
        element["placeholder"] = plain_text(asked.placeholder, PLACEHOLDER)
    return {**element, "action_id": INPUT}


def _text(asked: Input) -> Block:
    value = asked.value.replace("\r\n", "\n")[:TYPED]
    element: Block = {"type": "plain_text_input", "multiline": asked.kind is InputKind.MULTILINE}
    if value:
        element["initial_value"] = value
    if asked.max_length:  # never below what is there already: Slack would refuse the view, and the text with it
        element["max_length"] = min(max(asked.max_length, len(value)), TYPED)
    return element


def _typed(kind: str, fits: re.Pattern[str]) -> Any:
    def widget(asked: Input) -> Block | None:
        if asked.value and not fits.fullmatch(asked.value):
            return None
        element: Block = {"type": kind, **({"is_decimal_allowed": True} if kind == "number_input" else {})}
        return {**element, "initial_value": asked.value} if asked.value else element

    return widget


def _date(asked: Input) -> Block | None:
    if not asked.value:
        return {"type": "datepicker"}
    try:
        return {"type": "datepicker", "initial_date": date.fromisoformat(asked.value).isoformat()}
    except ValueError:
        return None


def _datetime(asked: Input, zone: tzinfo) -> Block | None:
    """Slack shows and takes instants in the person's zone; a time without one was meant there."""
    if not asked.value:
        return {"type": "datetimepicker"}
    try:
        at = datetime.fromisoformat(asked.value)
    except ValueError:
        return None
    stamp = int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp())
    return {"type": "datetimepicker", "initial_date_time": stamp} if len(str(stamp)) == 10 else None


def _select(kind: str) -> Any:
    def widget(asked: Input) -> Block | None:
        options = [option(o) for o in (asked.options or (_YES_NO if asked.kind is InputKind.BOOLEAN else ()))]
        if not options or len(options) > OPTIONS * OPTIONS:
            return None
        wanted = asked.value.split("\n") if asked.kind is InputKind.CHOICES else [asked.value]
        chosen = [o for o in options if o["value"] in wanted or o["text"]["text"] in wanted]
        if asked.value and len(chosen) != len(wanted):
            return None
        element: Block = {"type": kind}
        if len(options) > OPTIONS:
            element["option_groups"] = _grouped(options)
        else:
            element["options"] = options
        if chosen:
            many = kind == "multi_static_select"
            element["initial_options" if many else "initial_option"] = chosen if many else chosen[0]
        return element

    return widget


def _grouped(options: list[Block]) -> list[Block]:
    groups = [options[start : start + OPTIONS] for start in range(0, len(options), OPTIONS)]
    named = [(g, clip(f"{g[0]['text']['text'][:30]} – {g[-1]['text']['text'][:30]}", OPTION_TEXT)) for g in groups]
    return [{"label": plain_text(name, OPTION_TEXT), "options": group} for group, name in named]


def _lookup(asked: Input) -> Block | None:
    element: Block = {"type": "external_select", "min_query_length": 0}
    if asked.value:
        if len(asked.value) > OPTION_VALUE:
            return None
        element["initial_option"] = option(Option(asked.value_label or asked.value, asked.value))
    return element


def option(choice: Option) -> Block:
    """One entry of a select."""
    return {"text": plain_text(choice.label, OPTION_TEXT), "value": choice.value[:OPTION_VALUE] or "-"}


_WIDGETS: dict[InputKind, Any] = {
    InputKind.NUMBER: _typed("number_input", _NUMBER),
    InputKind.EMAIL: _typed("email_text_input", _EMAIL),
    InputKind.URL: _typed("url_text_input", re.compile(r"https?://\S+")),
    InputKind.DATE: _date,
    InputKind.CHOICE: _select("static_select"),
    InputKind.BOOLEAN: _select("static_select"),
    InputKind.CHOICES: _select("multi_static_select"),
    InputKind.LOOKUP: _lookup,
}


def submission(view: Mapping[str, Any]) -> Submission:
    """What was typed, by input name; a field left empty is left out."""
    values: dict[str, str] = {}
    state = (view.get("state") or {}).get("values") or {}
    for name, elements in state.items():
        for entered in elements.values():
            if text := _entered(entered):
                values[str(name)] = text
    return Submission(values, frozenset(name for name, text in values.items() if len(text) > TYPED - TRIMMED))


def _entered(entered: Mapping[str, Any]) -> str:
    if options := entered.get("selected_options"):
        return "\n".join(str(o["value"]) for o in options)
    if chosen := entered.get("selected_option"):
        return str(chosen["value"])
    if at := entered.get("selected_date_time"):
        return datetime.fromtimestamp(int(at), UTC).isoformat()
    return str(entered.get("selected_date") or entered.get("value") or "")


def field_errors(form: Form, view: Mapping[str, Any]) -> dict[str, str] | None:
    """The form's problems as Slack's `errors`, where they can be shown so: at fields that the open view has.

    None where the view itself must change: a problem of the whole, other fields than before, or none at all.
    """
    there = {b.get("block_id") for b in view.get("blocks") or () if b.get("type") == "input"}
    problems = {i.name: i.problem for i in form.inputs if i.problem}
    if form.problem or not problems or there != {i.name for i in form.inputs}:
        return None
    return {name: clip(problem, LABEL) for name, problem in problems.items()}
