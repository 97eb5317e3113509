"""`Form` -> Adaptive Card with inputs, and what came back -> `Submission`.

The same card serves as a dialog (`Action.Submit`, answered by `task/submit`) and inside a conversation
(`Action.Execute`). Input elements: adaptivecards.io/explorer; typeahead: "Typeahead search in Adaptive Cards".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from commands.cards import Form, Input, InputKind, Option, Submission
from commands.environments import FIELD as ENVIRONMENT
from commands.press import Do, Press, Seal

from .adaptive import Reader
from .elements import BUDGET, HARD_LIMIT, PRESS, Element, envelope, execute, run, runs, size, submit
from .plain import clip, for_choice, harmless, one_line, typed

FIELD: Final = "f."
"""Begins the id of an input, so that what people type never mixes with what we put into an action's data."""
MANY: Final = "m."
"""Begins it where several choices may come back."""
TIME: Final = ".time"
KEPT: Final = "kept"
"""Key, in an action's data, of what fields look like while nobody touches them and what they stand for then:
`{name: [shown, value]}`. It repeats what the form shows, so it needs no seal."""
FILTER_FROM: Final = 10
"""Choices from which on a list can be searched by typing."""
WITHIN: Final = 30
"""Characters of a hint that can be read within a field that is as wide as a phone."""
SHORTENED: Final = "This was too long for a form and was shortened."

_TEXT_STYLES: Final = {InputKind.EMAIL: "Email", InputKind.PHONE: "Tel", InputKind.URL: "Url"}


@dataclass(frozen=True, slots=True)
class _Limits:
    choices: int
    words: int
    """Characters of a label, a hint, a problem."""
    value: int


_WHOLE: Final = 100_000
_LADDER: Final = (_Limits(100, 400, _WHOLE), _Limits(30, 200, _WHOLE), _Limits(10, 80, _WHOLE), _Limits(5, 40, _WHOLE))
_LAST: Final = (_Limits(5, 40, 4_000), _Limits(5, 40, 500))


def render_form(form: Form, seal: Seal, reader: Reader, *, dialog: bool) -> Element:
    """The form's card. `dialog`: it is shown in a dialog, which has its own frame, title and way to close.

    What does not fit into a card is cut: choices first, then words around the fields. What was typed is cut only where
    Teams would refuse the whole, because what a form does not show whole, it cannot give back whole.
    """
    for limits in _LADDER:
        rendered = _render(form, seal, reader, limits, dialog=dialog)
        if size(rendered) <= BUDGET:
            return rendered
    for limits in _LAST:
        if size(rendered) <= HARD_LIMIT:
            break
        rendered = _render(form, seal, reader, limits, dialog=dialog)
    return rendered


def _render(form: Form, seal: Seal, reader: Reader, limits: _Limits, *, dialog: bool) -> Element:
    body: list[Element] = []
    if form.badge:
        body.append(runs(run(one_line(form.badge, 60), size="Small", weight="Bolder", color="Accent")))
    if not dialog:
        body.append(runs(run(one_line(form.title, 300), size="Large", weight="Bolder")))
    if form.problem:
        lines = [runs(run(line)) for line in harmless(clip(form.problem, limits.words * 3)).split("\n")]
        body.append({"type": "Container", "style": "attention", "bleed": not dialog, "items": lines})
    if form.intro:
        body += [runs(run(line)) for line in harmless(clip(form.intro, limits.words * 3)).split("\n")]
    for field in form.inputs:
        body += _field(field, form, reader, limits)
    buttons = _buttons(form, seal, dialog=dialog)
    if kept := _kept(form, reader):
        for button in buttons:
            for action in (button, button.get("fallback", button)):
                action["data"] = action["data"] | {KEPT: kept}
    return envelope(body, buttons, form.title)


def _kept(form: Form, reader: Reader) -> dict[str, list[str]]:
    """The fields whose value is not what their input gives back untouched."""
    kept = {}
    for field in form.inputs:
        shown = _shown(field, reader)
        if field.value and shown != field.value:
            kept[field.name] = [shown, field.value]
    return kept


def _shown(field: Input, reader: Reader) -> str:
    """What an untouched field gives back."""
    if field.kind is InputKind.LOOKUP and not reader.typeahead:
        return field.value_label or field.value
    if field.kind in {InputKind.DATE, InputKind.DATETIME}:
        day, clock = _instant(field.value, reader)
        return f"{day}T{clock}" if clock and field.kind is InputKind.DATETIME else day
    return field.value


def _buttons(form: Form, seal: Seal, *, dialog: bool) -> list[Element]:
    if dialog:
        buttons = [submit(form.submit_label, form.submit, seal, style="positive")]
        if form.more:
            buttons.append(submit(form.more_label, form.more, seal))
        return buttons
    buttons = [execute(form.submit_label, form.submit, seal, style="positive")]
    if form.more:
        buttons.append(execute(form.more_label, form.more, seal))
    dismiss = Press(do=Do.DISMISS, verb=form.submit.verb, owner=form.submit.owner)
    buttons.append(execute("Cancel", dismiss, seal, associatedInputs="none"))
    return buttons


def _field(field: Input, form: Form, reader: Reader, limits: _Limits) -> list[Element]:
    elements = _inputs(field, form, reader, limits)
    if field.hint and not any(element.get("placeholder") == one_line(field.hint, 200) for element in elements):
        elements.append(runs(run(one_line(field.hint, limits.words), isSubtle=True, size="Small"), spacing="None"))
    problems = [field.problem] if field.problem else []
    if len(field.value) > limits.value:
        problems.append(SHORTENED)
    for problem in problems:
        elements.append(runs(run(one_line(problem, limits.words), color="Attention"), spacing="None"))
    return elements


def _inputs(field: Input, form: Form, reader: Reader, limits: _Limits) -> list[Element]:
    named: Element = {"id": FIELD + field.name, "label": one_line(field.label, min(limits.words, 200))}
    if field.required:
        named |= {"isRequired": True, "errorMessage": f"{for_choice(field.label, 40)} is needed."}
    value = clip(typed(field.value), limits.value)
    if field.kind in {InputKind.DATE, InputKind.DATETIME}:
        day, clock = _instant(field.value, reader)
        elements: list[Element] = [{"type": "Input.Date", **named, **_if(value=day)}]
        if field.kind is InputKind.DATETIME:
            name = FIELD + field.name + TIME
            elements.append({"type": "Input.Time", "id": name, "label": "Time", **_if(value=clock)})
        return elements
    if field.kind is InputKind.LOOKUP and reader.typeahead:
        chosen = (Option(field.value_label or field.value, field.value),) if field.value else ()
        query = {"type": "Data.Query", "dataset": dataset(form.submit, field.name)}
        return [
            _choice_set(field, named, (*chosen, *field.options), limits)
            | {"style": "filtered", "choices.data": query, **_if(placeholder=_placeholder(field))}
        ]
    if field.kind is InputKind.BOOLEAN:
        return [_choice_set(field, named, field.options or (Option("Yes", "yes"), Option("No", "no")), limits)]
    if field.options or field.kind in {InputKind.CHOICE, InputKind.CHOICES}:
        return [_choice_set(field, named, field.options, limits)]
    return [_text(field, named, value)]


def _text(field: Input, named: Element, value: str) -> Element:
    shown = field.value_label or value if field.kind is InputKind.LOOKUP else value
    element = {"type": "Input.Text", **named, **_if(value=shown, placeholder=_placeholder(field))}
    if field.kind is InputKind.MULTILINE:
        element["isMultiline"] = True
    if style := _TEXT_STYLES.get(field.kind):
        element["style"] = style
    if field.max_length:
        element["maxLength"] = field.max_length
    return element


def _choice_set(field: Input, named: Element, options: tuple[Option, ...], limits: _Limits) -> Element:
    many = field.kind is InputKind.CHOICES
    chosen = field.value.split("\n") if many else [field.value]
    # What is chosen already comes first, so that no cut can lose it.
    ordered = (
        sorted(options, key=lambda option: option.value not in chosen) if len(options) > limits.choices else options
    )
    unique = {option.value: option for option in ordered[: limits.choices]}
    shown = [
        {
            "title": for_choice(option.label, min(limits.words, 200)) or option.value,
            "value": _pack(option.value) if many else option.value,
        }
        for option in unique.values()
    ]
    element: Element = {
        "type": "Input.ChoiceSet",
        **named,
        "id": (MANY if many else FIELD) + field.name,
        "choices": shown,
        "style": "filtered" if len(shown) >= FILTER_FROM and not many else "compact",
    }
    if chosen := [value for value in chosen if value in unique]:
        element["value"] = ",".join(_pack(v) for v in chosen) if many else chosen[0]
    if many:
        element["isMultiSelect"] = True
    return element


def _placeholder(field: Input) -> str:
    """The hint, where a phone has room for it within the field; else, and at choices, it stands below the field."""
    hint = one_line(field.placeholder or field.hint, 200)
    return hint if len(hint) <= WITHIN or field.kind is InputKind.MULTILINE else ""


def dataset(submit: Press, field: str) -> str:
    """What a typeahead request says it is for: verb, field, and the environment where there are several."""
    return "/".join(filter(None, (submit.verb, field, submit.args.get(ENVIRONMENT, ""))))


def read_dataset(name: str) -> tuple[Press, str]:
    """`dataset`, taken apart: a press as far as suggestions need it, and the field."""
    verb, field, environment = [*name.split("/", 2), "", ""][:3]
    return Press(do=Do.SUBMIT, verb=verb, args={ENVIRONMENT: environment} if environment else {}), field


def pressed(data: Any) -> str:
    """The sealed press of an action's data; empty where there is none."""
    token = data.get(PRESS) if isinstance(data, Mapping) else None
    return token if isinstance(token, str) else ""


def submission(data: Any) -> Submission:
    """The values that came with an action, by input name; fields left empty are left out."""
    given: dict[str, str] = {}
    for name, value in data.items() if isinstance(data, Mapping) else ():
        if not isinstance(name, str) or not isinstance(value, str | int | float):
            continue
        if name.startswith(FIELD):
            given[name.removeprefix(FIELD)] = str(value)
        elif name.startswith(MANY):
            given[name.removeprefix(MANY)] = "\n".join(_unpack(part) for part in str(value).split(",") if part)
    times = {name.removesuffix(TIME): given.pop(name) for name in list(given) if name.endswith(TIME)}
    for name, clock in times.items():
        if clock and given.get(name):
            given[name] = f"{given[name]}T{clock}"
    kept = data.get(KEPT) if isinstance(data, Mapping) else None
    for name, pair in kept.items() if isinstance(kept, Mapping) else ():
        match pair:
            case [str(shown), str(value)] if given.get(name) == shown:
                given[name] = value
    return Submission({name: value.strip() for name, value in given.items() if value.strip()})


def _pack(value: str) -> str:
    return value.replace("%", "%25").replace(",", "%2C")


def _unpack(value: str) -> str:
    return value.replace("%2C", ",").replace("%25", "%")


def _instant(value: str, reader: Reader) -> tuple[str, str]:
    """A day and a time of day on the reader's clock, in ISO 8601; empty where the value has none."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        try:
            return date.fromisoformat(value[:10]).isoformat(), ""
        except ValueError:
            return "", ""
    if len(value) <= len("2026-01-01"):
        return at.date().isoformat(), ""
    at = at.astimezone(reader.zone) if at.tzinfo else at
    return at.date().isoformat(), f"{at:%H:%M}"


def _if(**given: str) -> dict[str, str]:
    """Only the properties that say something."""
    return {name: value for name, value in given.items() if value}
