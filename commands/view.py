"""`View`: what has to be said of a table so that people can see it, and the buttons on its records by their state."""

from dataclasses import dataclass
from typing import Final

from crm.lifecycle import State
from crm.tables import Column, Table

from .cards import Tone

TONES: Final[dict[State, Tone]] = {
    State.OPEN: Tone.INFO,
    State.INACTIVE: Tone.NEUTRAL,
    State.QUALIFIED: Tone.GOOD,
    State.DISQUALIFIED: Tone.NEUTRAL,
    State.WON: Tone.GOOD,
    State.LOST: Tone.BAD,
    State.SUBMITTED: Tone.INFO,
    State.FULFILLED: Tone.GOOD,
    State.INVOICED: Tone.GOOD,
    State.CLOSED: Tone.NEUTRAL,
    State.PAID: Tone.GOOD,
    State.RESOLVED: Tone.GOOD,
    State.CANCELED: Tone.NEUTRAL,
}
"""How a state feels. The word always stands beside it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A button on a record card: the verb that it runs on this record."""

    label: str
    verb: str
    ask: bool = False
    """Open the verb's form first."""
    danger: str = ""
    """What cannot be undone, as the question to confirm; empty where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One table as people see it."""

    table: Table
    noun: str
    """The user's word: `case`."""
    plural: str
    sample: str
    """A record of the example data, as it is named in a command: `CAS-01001`."""
    title: Column
    """What a record is called."""
    number: Column | None = None
    """The number that people quote, where there is one."""
    lead_text: Column | None = None
    """Shown under the title, as text."""
    facts: tuple[Column, ...]
    """Key facts, in order; empty ones are left out."""
    wide: tuple[Column, ...] = ()
    """Long texts, after the facts."""
    listed: tuple[Column, ...]
    """Details of a row in a list, in one line."""
    searched: tuple[Column, ...]
    """Columns that free text is looked for in."""
    exact: tuple[Column, ...] = ()
    """Columns that name a record beside its title and number (e-mail addresses)."""
    related: tuple[Column, ...] = ()
    """Lookups that get a button to open their record."""
    steps: dict[State, tuple[Step, ...]]
    """What can be done in each state, the usual thing first."""
    form_columns: tuple[str, ...] = ()
    """Further columns, by logical name, that the settings put on its forms."""
    public: bool = False
    """Number, title and status may be shown to everyone in a conversation."""
    custom: bool = False
    """Of this organisation, found through metadata."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Logical names of all that a record card reads."""
        own = self.table.columns
        wanted = [
            self.title,
            self.number,
            self.lead_text,
            *self.facts,
            *self.wide,
            *self.related,
            *(own[c] for c in ("statecode", "statuscode", "createdon", "modifiedon", "ownerid") if c in own),
        ]
        return tuple(dict.fromkeys(c.logical for c in wanted if c))

    @property
    def list_columns(self) -> tuple[str, ...]:
        """Logical names of all that a row in a list reads."""
        own = self.table.columns
        wanted = [self.title, self.number, *self.listed, *(own[c] for c in ("statecode", "statuscode") if c in own)]
        return tuple(dict.fromkeys(c.logical for c in wanted if c))

    def named(self, word: str) -> str:
        """`Case` for the beginning of a sentence."""
        return word[:1].upper() + word[1:]


def open_steps(noun: str, *steps: Step) -> tuple[Step, ...]:
    """Of a record that people work on: these, then what can be done with any."""
    return (
        *steps,
        Step("Edit", f"{noun} update", ask=True),
        Step("Add note", f"{noun} note", ask=True),
        Step("Assign", f"{noun} assign", ask=True),
    )


def closed_steps(noun: str, *steps: Step) -> tuple[Step, ...]:
    """Of a record that is over: these, and a note."""
    return (*steps, Step("Add note", f"{noun} note", ask=True))


def usual_steps(noun: str) -> dict[State, tuple[Step, ...]]:
    """Of a table that knows active and inactive records only."""
    return {State.OPEN: open_steps(noun), State.INACTIVE: closed_steps(noun)}
