"""`Form` -> modal view, and what was typed into one -> `Submission`."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from commands.cards import Card, Form, Input, InputKind, Option, Submission
from commands.press import BadSeal, Do, Press, Seal
from commands.request import Place, PlaceKind, Principal

from .blocks import SECTION_TEXT, Block, note, plain_text, render
from .fitting import VIEW_BLOCKS
from .text import clip

TYPED = 3000
"""Characters that Slack lets a person type into one field."""
TRIMMED = 10
"""Characters of white space that may be gone from the end of what comes back."""
METADATA = 3000
OPTIONS = 100
OPTION_TEXT = 75
OPTION_VALUE = 150
PLACEHOLDER = 150
LABEL = 2000

FORM = "form"
SHOWN = "shown"
"""Callback ids of views: one that asks, one that only shows."""
MORE = "more_fields"
INPUT = "input"
"""Action id of every input; the block id is the input's name."""

_YES_NO = (Option("Yes", "yes"), Option("No", "no"))
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Unsealed(Exception):
    """A view's metadata is not ours, or is of an old deployment."""


class Modals:
    """Builds views whose `private_metadata` is sealed: the press that a submit sends back, and where it was asked."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def form(self, form: Form, principal: Principal, place: Place) -> Block:
        """The form as a view. Inputs beyond Slack's 100 blocks are left out, and the view says so."""
        blocks = list(self._form_blocks(form, _zone(principal)))
        if len(blocks) > VIEW_BLOCKS:
            blocks = [*blocks[: VIEW_BLOCKS - 1], note("More fields than Slack shows: add the rest by command.")]
        return {
            "type": "modal",
            "callback_id": FORM,
            "title": plain_text(form.title, 24),
            "submit": plain_text(form.submit_label, 24),
            "close": plain_text("Cancel", 24),
            "private_metadata": self._metadata(form.submit, principal, place),
            "blocks": blocks,
            **_known_by(place),
        }

    def card(self, card: Card, principal: Principal, place: Place, *, title: str = "") -> Block:
        """A card as a view, for the surfaces that have no conversation: home tab, global shortcut, a modal's answer."""
        shown = render(card, self._seal, most=VIEW_BLOCKS)
        return {
            "type": "modal",
            "callback_id": SHOWN,
            "title": plain_text(title or card.subtitle or card.title or "CRM", 24),
            "close": plain_text("Close", 24),
            "private_metadata": self._metadata(Press(do=Do.DISMISS), principal, place),
            "blocks": shown.blocks or [note("Done.")],
            **_known_by(place),
        }

    def home(self, card: Card, principal: Principal, place: Place) -> Block:
        """A card as the home tab."""
        return {
            "type": "home",
            "private_metadata": self._metadata(Press(do=Do.DISMISS), principal, place),
            "blocks": render(card, self._seal, most=VIEW_BLOCKS).blocks or [note("Nothing to show yet.")],
        }

    def loading(self, principal: Principal, place: Place, *, text: str = "Loading…", title: str = "CRM") -> Block:
        """Shown at once, because trigger ids live three seconds; the real view follows as an update."""
        return {
            "type": "modal",
            "callback_id": SHOWN,
            "title": plain_text(title, 24),
            "close": plain_text("Close", 24),
            "private_metadata": self._metadata(Press(do=Do.DISMISS), principal, place),
            "blocks": [{"type": "section", "text": plain_text(text, SECTION_TEXT)}],
            **_known_by(place),
        }

    def _metadata(self, submit: Press, principal: Principal, place: Place) -> str:
        where = Press(do=Do.DISMISS, verb="place", args=_flat(place), owner=principal.key)
        metadata = f"{self._seal.seal(submit)} {self._seal.seal(where)}"
        if len(metadata) > METADATA:
            raise ValueError(f"what the form of `{submit.verb}` carries is too long for a Slack view")
        return metadata

    def opened(self, view: Mapping[str, Any], principal: Principal) -> tuple[Press, Place]:
        """What a view of ours carries. Raises Unsealed, also where it was made for another person."""
        try:
            submit, where = (self._seal.open(token) for token in str(view.get("private_metadata") or "").split(" "))
        except (BadSeal, ValueError) as error:
            raise Unsealed from error
        if where.verb != "place" or where.owner != principal.key:
            raise Unsealed
        return submit, _placed(where.args)

    def _form_blocks(self, form: Form, zone: tzinfo) -> Iterator[Block]:
        if form.badge:
            yield note(form.badge)
        if form.problem:
            yield {"type": "section", "text": plain_text(f"⚠️ {form.problem}", SECTION_TEXT)}
        if form.intro:
            yield {"type": "section", "text": plain_text(form.intro, SECTION_TEXT)}
        for asked in form.inputs:
            yield input_block(asked, zone)
            if asked.problem:
                yield note(f"⚠️ {asked.problem}")
        if form.more:
            button = {
                "type": "button",
                "action_id": MORE,
                "text": plain_text(form.more_label, 75),
                "value": self._seal.seal(form.more),
            }
            yield {"type": "actions", "elements": [button]}


def _known_by(place: Place) -> dict[str, str]:
    """Our own name for the view, so that a late answer finds it; an update that leaves it out would drop it."""
    return {"external_id": name} if (name := place.address.get("view", "")) else {}


def _flat(place: Place) -> dict[str, str]:
    fields = {
        "tenant": place.tenant,
        "conversation": place.conversation,
        "thread": place.thread,
        "kind": place.kind.value,
        "shared": "" if place.shared is None else "yes" if place.shared else "no",
        **{f"address.{k}": v for k, v in place.address.items()},
    }
    return {k: v for k, v in fields.items() if v}


def _placed(fields: Mapping[str, str]) -> Place:
    return Place(
        platform="slack",
        tenant=fields.get("tenant", ""),
        conversation=fields.get("conversation", ""),
        thread=fields.get("thread", ""),
        kind=PlaceKind(fields.get("kind", PlaceKind.PERSONAL)),
        shared=fields["shared"] == "yes" if "shared" in fields else None,
        address={k.removeprefix("address."): v for k, v in fields.items() if k.startswith("address.")},
    )


def _zone(principal: Principal) -> tzinfo:
    try:
        return ZoneInfo(principal.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


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
