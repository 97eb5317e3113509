"""`Card` -> Adaptive Card 1.5 as Teams shows it, at most 28 kB."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final

from commands.cards import Action, Card, CardKind, Fact, Link, Moment, Row, Status, Style, Tone, Value, to_text
from commands.press import Do, Press, Seal

from .elements import BUDGET, PRESS, Element, envelope, execute, open_dialog, run, runs, size, submit
from .plain import clip, harmless, one_line, show_moment

REFRESH: Final = "refresh"
"""Verb of the automatic request for a fresh view."""
VIEWERS: Final = 60
"""People who may get a view of their own of one card."""
ACTIONS: Final = 6
"""Buttons that Teams shows on a card before the overflow menu."""

_TONES: Final = {
    Tone.NEUTRAL: "Default",
    Tone.INFO: "Accent",
    Tone.GOOD: "Good",
    Tone.WARNING: "Warning",
    Tone.BAD: "Attention",
}
_STYLES: Final = {Style.PRIMARY: "positive", Style.DANGER: "destructive"}
_FRAMES: Final = {CardKind.ERROR: "attention", CardKind.CONFIRM: "warning"}
_WIDE: Final = frozenset({CardKind.LIST, CardKind.HOME, CardKind.HELP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whose eyes a card is rendered for, and what their client can do."""

    locale: str = "en-US"
    zone: tzinfo = UTC
    alone: bool = True
    """Only this person reads: times are theirs, and need no zone beside them."""
    dialogs: bool = True
    """The client opens dialogs from cards and has wide ones (Teams' clients do; test tools and Outlook do not)."""
    typeahead: bool = True
    """The client asks the bot for choices while the person types."""
    viewers: tuple[str, ...] | None = ()
    """Channel ids of the people whose clients fetch their own, fresh view of the card when they see it; None: everyone
    in the conversation (Teams does so up to 60 members); empty: nobody."""


@dataclass(frozen=True, slots=True)
class _Limits:
    paragraph: int
    lines: int
    rows: int
    facts: int


_LADDER: Final = (
    _Limits(4000, 60, 50, 60),
    _Limits(2500, 40, 25, 60),
    _Limits(1200, 25, 15, 40),
    _Limits(500, 12, 10, 25),
    _Limits(200, 5, 5, 15),
    _Limits(80, 2, 3, 8),
)


def render(card: Card, seal: Seal, reader: Reader, *, dialog: bool = False) -> Element:
    """The Adaptive Card; what does not fit into the budget is clipped, and the card says so.

    `dialog`: it is shown in a dialog, where buttons submit (dialogs know no `Action.Execute`).
    """
    for limits in _LADDER:
        rendered = _Renderer(seal, reader, limits, dialog=dialog).card(card)
        if size(rendered) <= BUDGET:
            return rendered
    bare = Card(kind=card.kind, title=card.title, subtitle=card.subtitle)
    return _Renderer(seal, reader, _LADDER[-1], dialog=dialog).card(bare)


class _Renderer:
    def __init__(self, seal: Seal, reader: Reader, limits: _Limits, *, dialog: bool) -> None:
        self._seal, self._reader, self._limits, self._dialog = seal, reader, limits, dialog
        self._dropped = 0

    def card(self, card: Card) -> Element:
        head = list(self._head(card))
        if frame := _FRAMES.get(card.kind):
            head = [{"type": "Container", "style": frame, "bleed": True, "items": [*head, *self._texts(card.text)]}]
        else:
            head += self._texts(card.text)
        body = [*head, *self._facts(card.facts), *self._rows(card.rows), *map(self._section, card.sections)]
        if self._dropped:
            body.append(runs(run(f"{self._dropped} more did not fit on this card.", isSubtle=True), spacing="Medium"))
        if card.footer:
            footer = " · ".join(self._value(v) for v in card.footer)
            body.append(runs(run(one_line(footer, 400), isSubtle=True, size="Small"), spacing="Medium", separator=True))
        rendered = envelope(
            body,
            self._actions(card.actions, card.more),
            _summary(card),
            wide=self._reader.dialogs and card.kind in _WIDE,
        )
        viewers = () if self._dialog else self._reader.viewers
        if viewers != () and (press := refreshing(card)):
            action = {"type": "Action.Execute", "verb": REFRESH, "data": {PRESS: self._seal.seal(press)}}
            rendered["refresh"] = {"action": action}
            if viewers is not None:
                rendered["refresh"]["userIds"] = list(viewers[:VIEWERS])
        return rendered

    def _head(self, card: Card) -> Iterator[Element]:
        if card.badge:
            yield runs(run(one_line(card.badge, 60), size="Small", weight="Bolder", color="Accent"))
        title = run(one_line(card.title, 300), size="Large", weight="Bolder")
        if _opens(card.url):
            title["selectAction"] = {"type": "Action.OpenUrl", "title": "Open", "url": card.url}
        yield runs(title, spacing="None" if card.badge else "Default", id="title")
        line = []
        if card.subtitle:
            line.append(run(one_line(card.subtitle, 200), isSubtle=True))
        if card.status and card.status.text:
            if line:
                line.append(run(" · ", isSubtle=True))
            line.append(_status(card.status))
        if line:
            yield runs(*line, spacing="None")

    def _texts(self, paragraphs: Iterable[str]) -> Iterator[Element]:
        for paragraph in paragraphs:
            for number, line in enumerate(self._lines(paragraph)):
                yield runs(run(line), spacing="Small" if number else "Default")

    def _lines(self, text: str) -> list[str]:
        lines = clip(harmless(text), self._limits.paragraph).split("\n")
        kept = [line.rstrip() for line in lines[: self._limits.lines]]
        return [*kept, "…"] if len(lines) > len(kept) else kept

    def _facts(self, facts: tuple[Fact, ...]) -> Iterator[Element]:
        self._dropped += max(len(facts) - self._limits.facts, 0)
        for fact in facts[: self._limits.facts]:
            label = runs(run(one_line(fact.label, 80), isSubtle=True, weight="Bolder", size="Small"))
            if fact.wide:
                text = fact.value if isinstance(fact.value, str) else self._value(fact.value)
                lines = [runs(run(line), spacing="None") for line in self._lines(text)]
                yield {"type": "Container", "spacing": "Medium", "items": [label, *lines]}
                continue
            yield {
                "type": "ColumnSet",
                "spacing": "Small",
                "columns": [
                    {"type": "Column", "width": "110px", "items": [label]},
                    {"type": "Column", "width": "stretch", "items": [runs(self._value_run(fact.value))]},
                ],
            }

    def _rows(self, rows: tuple[Row, ...]) -> Iterator[Element]:
        self._dropped += max(len(rows) - self._limits.rows, 0)
        for row in rows[: self._limits.rows]:
            first = [run(one_line(row.title, min(self._limits.paragraph, 200)), weight="Bolder")]
            if row.status and row.status.text:
                first += [run("  "), _status(row.status)]
            items = [runs(*first)]
            detail = " · ".join(filter(None, (self._value(v) for v in row.detail)))
            if detail:
                shown = one_line(detail, min(self._limits.paragraph, 300))
                items.append(runs(run(shown, isSubtle=True, size="Small"), spacing="None"))
            columns: list[Element] = [
                {"type": "Column", "width": "stretch", "verticalContentAlignment": "Center", "items": items}
            ]
            if row.action and _leads(row.action):
                button = {"type": "ActionSet", "actions": [self._action(row.action)]}
                columns.append(
                    {"type": "Column", "width": "auto", "verticalContentAlignment": "Center", "items": [button]}
                )
            yield {"type": "ColumnSet", "separator": True, "spacing": "Small", "columns": columns}

    def _section(self, section: Card) -> Element:
        items: list[Element] = [runs(run(one_line(section.title, 200), weight="Bolder", size="Medium"))]
        items += [*self._texts(section.text), *self._facts(section.facts), *self._rows(section.rows)]
        if actions := self._actions(section.actions, section.more):
            items.append({"type": "ActionSet", "actions": actions})
        return {"type": "Container", "separator": True, "spacing": "Medium", "items": items}

    def _actions(self, actions: tuple[Action, ...], more: tuple[Action, ...]) -> list[Element]:
        shown = tuple(a for a in actions if _leads(a))
        shown, rest = shown[:ACTIONS], (*shown[ACTIONS:], *(a for a in more if _leads(a)))
        return [self._action(a) for a in shown] + [self._action(a, mode="secondary") for a in rest]

    def _action(self, action: Action, **more: Any) -> Element:
        title = one_line(action.label, 80)
        if style := _STYLES.get(action.style):
            more["style"] = style
        if action.press is None:
            return {"type": "Action.OpenUrl", "title": title, "url": action.url, **more}
        if action.confirm is not None:
            ask = action.confirm
            yes = {"style": more["style"]} if "style" in more else {}
            inner = envelope(
                [
                    runs(run(one_line(ask.title, 200), weight="Bolder")),
                    *(runs(run(line)) for line in self._lines(ask.text)),
                ],
                [self._pressing(ask.yes, action.press, **yes)],
                ask.title,
            )
            return {"type": "Action.ShowCard", "title": title, "card": inner, **more}
        return self._pressing(title, action.press, **more)

    def _pressing(self, title: str, press: Press, **more: Any) -> Element:
        if self._dialog:
            return submit(title, press, self._seal, **more)
        if press.do is Do.FORM and self._reader.dialogs:
            return open_dialog(title, press, self._seal, **more)
        return execute(title, press, self._seal, **more)

    def _value(self, value: Value) -> str:
        if isinstance(value, Moment):
            reader = self._reader
            return show_moment(value.at, reader.locale, reader.zone, name_zone=not reader.alone, brief=value.brief)
        return value.text if isinstance(value, Link) else value

    def _value_run(self, value: Value) -> Element:
        shown = run(one_line(self._value(value), min(self._limits.paragraph, 600)))
        if isinstance(value, Link) and _opens(value.url):
            shown |= {"color": "Accent", "selectAction": {"type": "Action.OpenUrl", "url": value.url}}
        return shown


def refreshing(card: Card) -> Press | None:
    """The read-only press that shows this record again, from the card's own buttons or its stub's; None without one."""
    if card.kind not in {CardKind.RECORD, CardKind.STUB} or not card.record:
        return None
    own = card.record.rpartition("/")[2]
    buttons = (*card.buttons(), *(card.stub.buttons() if card.stub else ()))
    presses = (a.press for a in buttons if a.press and shows(a.press))
    return next((press for press in presses if press.args.get("record") == own), None)


def shows(press: Press) -> bool:
    """Whether it shows a record, and changes nothing."""
    return press.do is Do.RUN and press.verb.endswith((" show", " get"))


def _status(status: Status) -> Element:
    return run(one_line(status.text, 60), weight="Bolder", color=_TONES[status.tone])


def _summary(card: Card) -> str:
    return to_text(card).partition("\n")[0] or card.title


def _leads(action: Action) -> bool:
    """Whether a button has somewhere to go: an address that no browser should be sent to gets no button."""
    return action.press is not None or _opens(action.url)


def _opens(url: str | None) -> bool:
    return bool(url) and str(url).startswith(("https://", "http://127.0.0.1:", "http://localhost:"))
