"""What an answer looks like, for every chat platform: `Card`, `Form`, `Action`; and its plain-text twin, `to_text()`.

Everything in here is *data*: text as it is (unescaped, never markup), times as instants, buttons as what they mean.
A face renders it: escaping, clipping to the platform's limits and the reader's time zone happen there and only there.
All classes are frozen dataclasses that pydantic can dump to JSON and read back, so that a journal can keep an answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from .press import Press


class Tone(StrEnum):
    """How a status feels. Never shown by colour alone: the status text always says it too."""

    NEUTRAL = "neutral"
    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant (aware, any zone) that each reader sees in their own zone; a `date` has no zone and never moves."""

    at: datetime | date
    brief: bool = False
    """The day is enough, as in a list: faces leave the time of day out."""


@dataclass(frozen=True, slots=True)
class Link:
    """Text that leads to an https address."""

    text: str
    url: str


Value = str | Moment | Link


@dataclass(frozen=True, slots=True)
class Status:
    """One word or two, with a tone: `Status("High", Tone.WARNING)`."""

    text: str
    tone: Tone = Tone.NEUTRAL


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value. `wide` facts (descriptions) take the full width and keep their line breaks."""

    label: str
    value: Value
    wide: bool = False


class Style(StrEnum):
    """How a button looks: at most one PRIMARY on a card; DANGER for what cannot be undone."""

    DEFAULT = "default"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Confirm:
    """Asked before a press counts."""

    title: str
    text: str
    yes: str = "Yes"
    no: str = "Cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A button: either a `press` that comes back to us, or a `url` that opens."""

    label: str
    press: Press | None = None
    url: str | None = None
    style: Style = Style.DEFAULT
    confirm: Confirm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record in a list or one candidate in a choice."""

    title: str
    detail: tuple[Value, ...] = ()
    """Shown in one line, separated by dots: company, owner, date."""
    status: Status | None = None
    action: Action | None = None
    """What the row's button does: open the record, or choose it."""


class CardKind(StrEnum):
    """What the card is for. Faces may lay kinds out differently; they never branch on anything else."""

    RECORD = "record"
    LIST = "list"
    CHOICE = "choice"
    CONFIRM = "confirm"
    HELP = "help"
    NOTICE = "notice"
    ERROR = "error"
    STUB = "stub"
    HOME = "home"
    SIGN_IN = "sign in"
    """Asks the person to connect: the first action's `url` is the page where they do (`commands.signing_in`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One answer.

    Order on screen: badge · title · subtitle · status; text; facts; rows; sections; actions (then `more` in an
    overflow menu); footer.
    """

    kind: CardKind
    title: str
    subtitle: str = ""
    """What kind of thing and its number: `Case CAS-01042`."""
    url: str | None = None
    """Where the title leads: the record in Dynamics."""
    status: Status | None = None
    badge: str = ""
    """The environment, where there are several: `Sandbox`."""
    text: tuple[str, ...] = ()
    """Paragraphs."""
    facts: tuple[Fact, ...] = ()
    rows: tuple[Row, ...] = ()
    sections: tuple["Card", ...] = ()
    """Cards within a card (home, help); only title, text, facts, rows and actions of these are shown."""
    actions: tuple[Action, ...] = ()
    more: tuple[Action, ...] = ()
    footer: tuple[Value, ...] = ()
    env: str = ""
    """Name of the environment that it comes from; empty where they have no names."""
    record: str = ""
    """`logical_name/guid` of the record shown, for `it` and for updates in place; empty where there is none."""
    etag: str = ""
    stub: "Card | None" = None
    """What everyone may see of this card; see `public()`."""

    def public(self) -> "Card | None":
        """The only form of this card that may reach a shared thread, an unfurl or a cached preview."""
        return self if self.kind is CardKind.STUB else self.stub

    def buttons(self) -> Iterator[Action]:
        """Every action on the card, its rows and its sections."""
        yield from self.actions
        yield from self.more
        yield from (row.action for row in self.rows if row.action)
        for section in self.sections:
            yield from section.buttons()


class InputKind(StrEnum):
    """How a value is typed."""

    TEXT = "text"
    MULTILINE = "multiline"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    CHOICES = "choices"
    LOOKUP = "lookup"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a choice or a typeahead: what is shown, and what comes back."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One field of a form. `value` is what was typed before: a date as ISO text, several choices joined by newlines."""

    name: str
    label: str
    kind: InputKind = InputKind.TEXT
    required: bool = False
    value: str = ""
    value_label: str = ""
    """For LOOKUP: the name of what `value` points at."""
    hint: str = ""
    placeholder: str = ""
    max_length: int | None = None
    options: tuple[Option, ...] = ()
    problem: str = ""
    """Shown at the field: what is wrong with `value` and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Questions to a person. Submitting sends `submit` back with the values by input name (`Submission`)."""

    title: str
    submit: Press
    inputs: tuple[Input, ...]
    submit_label: str = "Save"
    intro: str = ""
    problem: str = ""
    """Shown on top: what was wrong with the whole."""
    more: Press | None = None
    """Shown as *More fields*: sent with the values typed so far, answered by a longer form."""
    more_label: str = "More fields"
    again: Press | None = None
    """Opens it as it is now, where it cannot be shown at once; set on its way out."""
    badge: str = ""

    def with_problems(self, values: dict[str, str], problems: dict[str, str], problem: str = "") -> "Form":
        """The same form with what was typed and what is wrong with it."""
        inputs = tuple(
            replace(i, value=values.get(i.name, i.value), problem=problems.get(i.name, "")) for i in self.inputs
        )
        return replace(self, inputs=inputs, problem=problem)


def value_text(value: Value) -> str:
    """A value as plain text; instants in ISO 8601 UTC, which any reader can place."""
    if isinstance(value, Moment):
        at = value.at
        return at.strftime("%Y-%m-%d %H:%M UTC") if isinstance(at, datetime) else at.isoformat()
    if isinstance(value, Link):
        return f"{value.text} ({value.url})" if value.text != value.url else value.url
    return value


def to_text(card: Card) -> str:
    """The card in plain text: for notifications, screen readers, agents and tests."""
    return "\n".join(_lines(card))


def _lines(card: Card, indent: str = "") -> Iterator[str]:
    head = " · ".join(
        part
        for part in (
            f"[{card.badge}]" if card.badge else "",
            card.title,
            card.subtitle,
            card.status.text if card.status else "",
        )
        if part
    )
    if head:
        yield indent + head
    for paragraph in card.text:
        yield from (indent + line for line in paragraph.splitlines())
    for fact in card.facts:
        yield f"{indent}{fact.label}: {value_text(fact.value)}"
    for number, row in enumerate(card.rows, 1):
        parts = [row.title, row.status.text if row.status else "", *map(value_text, row.detail)]
        yield f"{indent}{number}. " + " · ".join(p for p in parts if p)
    for section in card.sections:
        yield from _lines(section, indent + "  ")
    buttons = [a.label for a in (*card.actions, *card.more)]
    if buttons:
        yield indent + " ".join(f"[{label}]" for label in buttons)
    if card.footer:
        yield indent + " · ".join(map(value_text, card.footer))


@dataclass(frozen=True, slots=True)
class Submission:
    """What a person typed into a form, by input name; several choices joined by newlines, absent fields left out."""

    values: dict[str, str] = field(default_factory=dict)
    cut: frozenset[str] = frozenset()
    """Fields that could show no more than this of a text; a longer one that begins so was left alone."""
