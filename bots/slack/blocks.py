"""`Card` -> Block Kit. Plain dicts, escaped and clipped here and nowhere else; limits: reference/block-kit of Slack.

Dicts, because slack_sdk's block models with their validation cost 1.8 ms a card; tests hold the output to the limits.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from commands.cards import (
    Action,
    Card,
    CardKind,
    Confirm,
    Fact,
    Link,
    Moment,
    Row,
    Status,
    Style,
    Tone,
    Value,
    to_text,
    value_text,
)
from commands.press import Seal

from .fitting import MESSAGE_BLOCKS, fits, fitted
from .text import clip, clip_escaped, escape, is_web, link, moment

log = logging.getLogger(__name__)

Block = dict[str, Any]

SECTION_TEXT = 3000
FIELD_TEXT = 2000
FIELDS = 10
ACTIONS = 25
BUTTON_TEXT = 75
BUTTON_VALUE = 2000
OPTIONS = 5
OPTION_VALUE = 150
URL = 3000
FALLBACK = 3000
TITLE = 300
"""Ours: a longer title is no title."""
CUT = 200
"""Ours: characters of the line that says what was left out."""
VALUE = 1500
"""Ours: room for the label and for escapes within a field."""

PRESS = "press:"
OPEN = "open:"
MENU = "menu:"
"""Prefixes of action ids: a button that comes back to us; one that only opens an address; a menu of both."""

_GLYPH = {Tone.NEUTRAL: "", Tone.INFO: "🔵 ", Tone.GOOD: "✅ ", Tone.WARNING: "⚠️ ", Tone.BAD: "🔴 "}
"""Beside the status text, never in its place; shapes differ, not only colours."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Blocks with their plain-text twin; `clipped` where something was left out for Slack's limits."""

    text: str
    blocks: list[Block]
    clipped: bool = False

    def message(self) -> dict[str, Any]:
        """As the arguments of a post. Links are never unfurled: their text may come from a record."""
        return {"text": self.text, "blocks": self.blocks, "unfurl_links": False, "unfurl_media": False}


_HELP: dict[int, tuple[Card, Seal, int, Rendered]] = {}


def render(card: Card, seal: Seal, *, most: int = MESSAGE_BLOCKS) -> Rendered:
    """The card for a message (50 blocks) or a view (`most=VIEW_BLOCKS`)."""
    if card.kind is CardKind.HELP:  # asked for often, and the command layer keeps giving the same object
        kept = _HELP.get(id(card))
        if kept and kept[0] is card and kept[1] is seal and kept[2] == most:
            return kept[3]
    rendered = _render(card, seal, most)
    if card.kind is CardKind.HELP:
        _HELP[id(card)] = (card, seal, most, rendered)
        if len(_HELP) > 20:
            _HELP.pop(next(iter(_HELP)))
    return rendered


def _render(card: Card, seal: Seal, most: int) -> Rendered:
    painter = _Painter(seal)
    blocks = list(painter.card(card))
    clipped = painter.clipped
    if not fits(blocks, most):
        kept, tail = fitted(blocks, most, CUT)
        cut = note(f"{len(blocks) - len(kept) - len(tail)} more parts do not fit into one Slack message.")
        blocks, clipped = [*kept, cut, *tail], True
    return Rendered(clip_escaped(to_text(card), FALLBACK), blocks, clipped)


def note(text: str) -> Block:
    """A small grey line."""
    return {"type": "context", "elements": [plain_text(text, FIELD_TEXT)]}


def plain_text(text: str, limit: int) -> Block:
    """Text that Slack shows as it is; an empty one is refused, so it becomes a dash."""
    return {"type": "plain_text", "text": clip(text, limit) or "–", "emoji": False}


def mrkdwn(text: str) -> Block:
    """Markup of ours around escaped text; `verbatim` keeps Slack from linking what only looks like an address."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def value_markup(value: Value, limit: int = VALUE) -> str:
    """A value in mrkdwn, escaped."""
    if isinstance(value, Moment):
        return moment(value.at, value_text(value), brief=value.brief)
    if isinstance(value, Link):
        if not is_web(value.url) or len(value.url) > limit:
            return clip_escaped(value.text, limit)
        return link(value.url, clip(value.text, limit // 2))
    return clip_escaped(value, limit)


def status_markup(status: Status) -> str:
    return _GLYPH[status.tone] + clip_escaped(status.text, 100)


def buttons(actions: Iterable[Action], seal: Seal) -> list[Block]:
    """The actions as buttons, those left out that cannot be one in Slack."""
    painter = _Painter(seal)
    return [b for a in actions if (b := painter.button(a))]


class _Painter:
    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._buttons = 0
        self.clipped = False

    def card(self, card: Card) -> Iterator[Block]:
        yield from self._head(card)
        yield from self._body(card)
        for section in card.sections:
            yield {"type": "divider"}
            if section.title:
                yield self._section(f"*{clip_escaped(section.title, TITLE)}*")
            yield from self._body(section)
            yield from self._actions(section.actions)
        yield from self._actions(card.actions, card.more)
        if card.footer:
            yield {
                "type": "context",
                "elements": [mrkdwn(_within(" · ", (value_markup(v, 400) for v in card.footer), FIELD_TEXT))],
            }

    def _head(self, card: Card) -> Iterator[Block]:
        title = clip(card.title, TITLE)
        shown = link(card.url, title) if card.url and is_web(card.url) and len(card.url) < 1000 else escape(title)
        lines = [f"*{shown}*"] if title else []
        if card.kind is CardKind.ERROR and lines:
            lines[0] = "⚠️ " + lines[0]
        second = [clip_escaped(card.subtitle, TITLE)] if card.subtitle else []
        if card.status:
            second.append(status_markup(card.status))
        if card.badge:
            second.insert(0, f"[{clip_escaped(card.badge, 50)}]")
        if second:
            lines.append(" · ".join(second))
        if lines:
            yield self._section("\n".join(lines))

    def _body(self, card: Card) -> Iterator[Block]:
        for paragraph in card.text:
            if paragraph:
                self._note_length(paragraph, SECTION_TEXT)
                yield {"type": "section", "text": plain_text(paragraph, SECTION_TEXT)}
        yield from self._facts(card.facts)
        for row in card.rows:
            yield self._row(row)

    def _facts(self, facts: Sequence[Fact]) -> Iterator[Block]:
        narrow: list[Block] = []
        for fact in facts:
            if fact.wide:
                yield from _fields(narrow)
                narrow = []
                self._note_length(value_text(fact.value), SECTION_TEXT - 200)
                label = clip_escaped(fact.label, 150)
                yield self._section(f"*{label}*\n{value_markup(fact.value, SECTION_TEXT - 200)}")
            else:
                self._note_length(value_text(fact.value), VALUE)
                narrow.append(mrkdwn(f"*{clip_escaped(fact.label, 150)}*\n{value_markup(fact.value) or '–'}"))
        yield from _fields(narrow)

    def _row(self, row: Row) -> Block:
        first = f"*{clip_escaped(row.title, TITLE)}*" if row.title else ""
        if row.status:
            first += f"  {status_markup(row.status)}"
        second = _within(" · ", (value_markup(v, 400) for v in row.detail), 2000)
        block = self._section("\n".join(line for line in (first, second) if line) or "–")
        if row.action and (button := self.button(row.action)):
            block["accessory"] = button
        return block

    def _actions(self, actions: Iterable[Action], more: Sequence[Action] = ()) -> Iterator[Block]:
        """Buttons, and `more` in a menu; what cannot be an option there is a button, too."""
        offered = [(a, self._option(a)) for a in more]
        options = [o for _, o in offered if o][:OPTIONS]
        if len(options) < 2:  # a menu of one hides it for nothing
            options = []
        rest = [a for a, o in offered if o is None or o not in options]
        elements = [b for a in (*actions, *rest) if (b := self.button(a))]
        if options:
            self._buttons += 1
            elements.append({"type": "overflow", "action_id": f"{MENU}{self._buttons}", "options": options})
        for start in range(0, len(elements), ACTIONS):
            yield {"type": "actions", "elements": elements[start : start + ACTIONS]}

    def _option(self, action: Action) -> Block | None:
        """The action as an option of a menu; None where it needs a question first, or does not fit."""
        if action.confirm or action.style is not Style.DEFAULT:
            return None
        option: Block = {"text": plain_text(action.label, BUTTON_TEXT)}
        if action.url:
            return (
                {**option, "value": OPEN, "url": action.url} if is_web(action.url) and len(action.url) <= URL else None
            )
        token = self._seal.seal(action.press) if action.press else ""
        return {**option, "value": token} if 0 < len(token) <= OPTION_VALUE else None

    def button(self, action: Action) -> Block | None:
        """The button, or None (and a line in the log) where it cannot be one in Slack."""
        self._buttons += 1
        button: Block = {"type": "button", "text": plain_text(action.label, BUTTON_TEXT)}
        if len(action.label) > BUTTON_TEXT:
            button["accessibility_label"] = clip(action.label, BUTTON_TEXT)
        if action.url:
            if len(action.url) > URL or not is_web(action.url):
                self._left_out("its address is too long, or not of the web")
                return None
            button |= {"action_id": f"{OPEN}{self._buttons}", "url": action.url}
        elif action.press:
            if len(token := self._seal.seal(action.press)) > BUTTON_VALUE:
                self._left_out(f"what `{action.press.verb}` carries is too long")
                return None
            button |= {"action_id": f"{PRESS}{self._buttons}", "value": token}
        else:
            return None
        if action.style is not Style.DEFAULT:
            button["style"] = action.style.value
        if action.confirm:
            button["confirm"] = _confirm(action.confirm, action.style)
        return button

    def _left_out(self, why: str) -> None:
        log.warning("a button was left out: %s", why)
        self.clipped = True

    def _note_length(self, text: str, limit: int) -> None:
        self.clipped = self.clipped or len(text) > limit

    @staticmethod
    def _section(markup: str) -> Block:
        return {"type": "section", "text": mrkdwn(markup)}


def _within(separator: str, parts: Iterable[str], limit: int) -> str:
    """As many whole parts as fit: cutting within one could cut an entity or a link in two."""
    joined = ""
    for part in filter(None, parts):
        longer = f"{joined}{separator}{part}" if joined else part
        if len(longer) > limit:
            return f"{joined}{separator}…" if joined else "…"
        joined = longer
    return joined


def _fields(fields: Sequence[Block]) -> Iterator[Block]:
    for start in range(0, len(fields), FIELDS):
        yield {"type": "section", "fields": list(fields[start : start + FIELDS])}


def _confirm(confirm: Confirm, style: Style) -> Block:
    dialog: Block = {
        "title": plain_text(confirm.title, 100),
        "text": plain_text(confirm.text, 300),
        "confirm": plain_text(confirm.yes, 30),
        "deny": plain_text(confirm.no, 30),
    }
    if style is Style.DANGER:
        dialog["style"] = "danger"
    return dialog
