"""Help from the declarations: cards for a person, and the command reference (docs/commands.md)."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final

from crm.tables import Kind

from .cards import Action, Card, CardKind, Fact, Row, Style
from .environments import FIELD
from .fields import ColumnsMark
from .filters import FilterMark
from .language.phrases import phrases
from .nouns import NOUNS, Noun, forms
from .operation import CATALOG, ByButton, Effect, Operation, Parameter
from .press import Do, Press

_HOW: Final = {
    Kind.MULTILINE: "text of several lines",
    Kind.EMAIL: "jane.smith@example.com",
    Kind.PHONE: "+49 30 1234567",
    Kind.URL: "https://example.com",
    Kind.CHOICE: "a label or its beginning",
    Kind.LOOKUP: "a name, number, e-mail address or address in Dynamics",
    Kind.ID: "a name, number, e-mail address or address in Dynamics",
    Kind.DATE: "2026-06-30, 30 Jun, next friday",
    Kind.DATETIME: "tomorrow 3pm",
    Kind.MONEY: "5000, 250k, €1.5m",
    Kind.DECIMAL: "2.5",
    Kind.INTEGER: "20",
    Kind.BOOLEAN: "yes or no",
}
_CONDITIONS: Final = "company~acme created>7d rating=hot,warm mine (open OR priority=high)"
_SHOWN_FIELDS: Final = 4
_SHORT: Final = 30
"""Characters of an example that stands in the menu."""
_GENERAL: Final = "General"

_GRAMMAR: Final = f"""\
Say what and with what: `case create` and `create case` are the same. Then come words, and `name=value` pairs in any
order. A value of several words needs quotes, of any kind. Names are the ones listed here, a column's name in Dynamics,
or its label.

Lists take conditions: `{_CONDITIONS}`,
with `=`, `!=`, `~` (contains), `!~`, `>`, `>=`, `<`, `<=`, AND, OR, NOT and parentheses, and `sort=-created top=20`.
A span of time reaches back for what has happened and ahead for what people plan: `created>7d` and `closed>7d` are the
last seven days, `created<7d` longer ago than that; `close<30d` is before the day 30 days from now.

Where the bot works in several organisations, `env=sandbox` names the one that a command goes to.

A record is named by its number, its name, an e-mail address, its id or its address in Dynamics; `it` is the one shown
last, and then needs no word for its kind: `note it "Called back"`, `assign it to me`, `close this ticket`."""


def usage(operation: type[Operation]) -> str:
    """`case create <title> [description=…] …`: what must be given, then the first few of what may be."""
    words = [f"<{word.replace('_', ' ')}>" for word in operation.words]
    fields = [p for p in _fields(operation) if p.name not in operation.words]
    named = [f"{p.name}=…" for p in fields if p.required]
    free = [f"[{p.name}=…]" for p in fields if not p.required]
    dots = ["…"] if len(free) > _SHOWN_FIELDS else []
    return " ".join((operation.verb, *words, *named, *free[:_SHOWN_FIELDS], *dots))


def help_card(about: type[Operation] | Noun | None = None, environments: str = "") -> Card:
    """Help on a command, on a kind of record, or on everything. `environments`: which may be named in a command."""
    if about is None:
        return menu_card()
    if isinstance(about, Noun):
        return _noun_card(about)
    card = _operation_card(about)
    return replace(card, facts=(*card.facts, Fact(FIELD, environments))) if environments else card


def menu_card() -> Card:
    """What can be done, with a button for each kind of record; the same object as long as the catalog is the same."""
    return _menu(tuple(CATALOG.values()), tuple(NOUNS.values()))


@lru_cache(maxsize=4)
def _menu(_operations: tuple[type[Operation], ...], _nouns: tuple[Noun, ...]) -> Card:
    known = phrases()
    rows = []
    for noun in NOUNS.values():
        operations = known.of_noun(noun)
        if operations:
            verbs = ", ".join(op.verb.removeprefix(f"{noun.word} ") for op in operations)
            create = known.verb(noun, "create")
            button = Action(label=f"New {noun.word}", press=Press(do=Do.FORM, verb=create.verb)) if create else None
            rows.append(Row(title=noun.plural.capitalize(), detail=(verbs,), action=button))
    # A long example carries an id that only a button knows.
    alone = [
        Row(title=op.example if len(op.example) <= _SHORT else op.verb, detail=(op.summary(),))
        for op in known.operations
        if not op.noun()
    ]
    return Card(
        kind=CardKind.HELP,
        title="What can I do for you?",
        text=("Write a command, or press a button. “help case” tells more about cases. For example:", *_examples()),
        rows=(*rows, *alone),
        actions=(Action(label="My records", press=Press(do=Do.RUN, verb="home")),),
    )


def _examples() -> Iterator[str]:
    """A few commands to begin with, from the declarations."""
    known = phrases()
    for noun, verb in (("case", "create"), ("lead", "create"), ("lead", "list")):
        found = known.verb(NOUNS[noun], verb)
        if found:
            yield found.example


def _noun_card(noun: Noun) -> Card:
    operations = phrases().of_noun(noun)
    others = [form for form in forms(noun) if form not in (noun.word, noun.plural)]
    return Card(
        kind=CardKind.HELP,
        title=noun.plural.capitalize(),
        subtitle=f"also: {', '.join(others)}" if others else "",
        text=(f"`help {operations[0].verb}` lists what a command takes.",) if operations else (),
        rows=tuple(Row(title=op.example, detail=(op.summary(),), action=_button(op)) for op in operations),
    )


def _operation_card(operation: type[Operation]) -> Card:
    button = _button(operation)
    described = (operation.__doc__ or "").strip().split("\n\n")
    return Card(
        kind=CardKind.HELP,
        title=operation.verb,
        text=(*(" ".join(p.split()) for p in described), f"Example: {operation.example}", f"Usage: {usage(operation)}"),
        facts=tuple(Fact(_field_title(p), _field_help(p)) for p in _fields(operation)),
        actions=(button,) if button else (),
    )


def _button(operation: type[Operation]) -> Action | None:
    """The form of what changes something; a reading command that needs nothing just runs."""
    if operation.effect is not Effect.READ:
        return Action(label="Open form", press=Press(do=Do.FORM, verb=operation.verb), style=Style.DEFAULT)
    if any(p.required for p in operation.parameters.values()):
        return None
    return Action(label="Show", press=Press(do=Do.RUN, verb=operation.verb))


def _fields(operation: type[Operation]) -> list[Parameter]:
    """What a person fills in: required first, without what only we use."""
    ours = (ColumnsMark, ByButton)
    parameters = [p for p in operation.parameters.values() if p.name not in {"user_id", "env"}]
    return sorted((p for p in parameters if not any(map(p.marked, ours))), key=lambda p: not p.required)


def _field_title(parameter: Parameter) -> str:
    return f"{parameter.name}{' (required)' if parameter.required else ''}"


def _field_help(parameter: Parameter) -> str:
    return " ".join(parameter.help.split()) + _how(parameter)


def _how(parameter: Parameter) -> str:
    how = _CONDITIONS if parameter.marked(FilterMark) else _HOW.get(parameter.kind, "")
    return f" ({how})" if how and how not in parameter.help else ""


def reference_markdown() -> str:
    """The command reference: every command with its example, its fields and their names."""
    known = phrases()
    parts = [
        "# Commands",
        "Generated from the declarations by `make generate`; the tests run every example.",
        "In Slack a command follows `/crm`, in Teams the mention; alone with the bot it needs neither.",
        _GRAMMAR,
    ]
    for noun in NOUNS.values():
        if operations := known.of_noun(noun):
            parts.append(f"## {noun.plural.capitalize()}")
            parts.append(f"Also called: {', '.join(forms(noun)[2:])}." if len(forms(noun)) > 2 else "")
            parts.extend(part for op in operations for part in _chapter(op))
    rest = [op for op in known.operations if op.noun() not in NOUNS]
    if rest:
        parts.append(f"## {_GENERAL}")
        parts.extend(part for op in rest for part in _chapter(op))
    return "\n\n".join(part for part in parts if part) + "\n"


def _chapter(operation: type[Operation]) -> Iterator[str]:
    yield f"### {operation.verb}"
    yield (operation.__doc__ or "").strip()
    yield f"```\n{operation.example}\n```"
    others = [f"`{name}`" for name in (*operation.also, operation.slug) if name]
    if others:
        yield f"Also: {', '.join(others)}"
    lines = ["| field | also | what |", "|---|---|---|"]
    for p in _fields(operation):
        also = " ".join(f"`{name}`" for name in p.names[1:])
        star = "\\*" if p.required else ""
        lines.append(f"| `{p.name}`{star} | {also} | {_cell(_field_help(p))} |")
    if len(lines) > 2:
        yield "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
