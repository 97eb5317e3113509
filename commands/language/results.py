"""What reading a command can come to: `Parsed`, `OfLast`, `HelpAsked`, `Menu` or `Problem`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from commands.errors import UserError
from commands.fields import ColumnsMark, Reading
from commands.nouns import Noun
from commands.operation import Operation


class Vocabulary(Protocol):
    """The organisation's own column names, from metadata that is loaded already."""

    def column(self, table: str, word: str) -> tuple[str, str] | None:
        """(logical name, label) of the column that a word names in a table (by logical name)."""
        ...

    def choice(self, table: str, label: str) -> tuple[str, str] | None:
        """(logical name, label) of the only choice of a table that is called so."""
        ...

    def names(self, table: str) -> Iterable[str]:
        """Logical names and labels of a table's columns, for did-you-mean."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A command that was understood; its values are still text."""

    operation: type[Operation]
    args: dict[str, str] = field(default_factory=dict)
    """Text by field name."""
    columns: dict[str, str] = field(default_factory=dict)
    """Text by logical name, of columns that the operation does not name."""

    def whole_args(self) -> dict[str, str]:
        """`args`, with `columns` put into the field that takes them."""
        if not self.columns:
            return self.args
        target = next(p.name for p in self.operation.parameters.values() if p.marked(ColumnsMark))
        return {**self.args, target: json.dumps(self.columns, ensure_ascii=False)}

    def read(self, reading: Reading | None = None) -> Operation:
        """The operation. Raises pydantic.ValidationError whose messages are sentences for people."""
        return self.operation.read(self.whole_args(), reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfLast:
    """A verb for `it`, without a noun: which operation that is depends on the record shown last; see `of_last`."""

    verb: str
    """As it was said: `assign`."""
    ways: tuple[type[Operation], ...]
    """What the verb can mean, one for each kind of record."""
    rest: str
    """What stands behind the verb."""


@dataclass(frozen=True, slots=True)
class HelpAsked:
    """Help on an operation, on a noun, or on everything."""

    about: type[Operation] | Noun | None = None


@dataclass(frozen=True, slots=True)
class Menu:
    """Nothing was said: show what can be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What was not understood; `operation` and `args` as far as it was."""

    error: UserError
    operation: type[Operation] | None = None
    args: dict[str, str] = field(default_factory=dict)


Meaning = Parsed | HelpAsked | Menu | Problem
Result = Meaning | OfLast
