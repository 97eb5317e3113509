"""The tree of a filter, and the text that each part prints as."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .quotes import quote


class Op(StrEnum):
    """How a column is compared. EQ and NE with several values mean one of them, none of them."""

    EQ = "="
    NE = "!="
    HAS = "~"
    HAS_NOT = "!~"
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="


@dataclass(frozen=True, slots=True)
class Compare:
    """`rating=hot,warm`. No values with EQ or NE: the column is empty, is not empty."""

    key: str
    """The column in the person's words: a friendly name, a logical name or a label."""
    op: Op
    values: tuple[str, ...]

    def __str__(self) -> str:
        key = self.key if _KEY.fullmatch(self.key) and self.key.casefold() not in RESERVED else quote(self.key)
        return f"{key}{self.op}{','.join(_value(v) for v in self.values)}"


@dataclass(frozen=True, slots=True)
class Term:
    """A word or quoted phrase that the record's name or number must contain."""

    text: str

    def __str__(self) -> str:
        safe = _SAFE_WORD.fullmatch(self.text) and self.text.casefold() not in RESERVED
        return self.text if safe else quote(self.text)


class Flag(StrEnum):
    """A word that stands for a condition of its own."""

    MINE = "mine"
    TEAM = "team"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Is:
    """`mine`, `open`."""

    flag: Flag

    def __str__(self) -> str:
        return self.flag


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Expr"

    def __str__(self) -> str:
        return f"NOT {self.part}" if not isinstance(self.part, And | Or) else f"NOT ({self.part})"


@dataclass(frozen=True, slots=True)
class And:
    """All of them; without parts: no condition."""

    parts: tuple["Expr", ...] = ()

    def __str__(self) -> str:
        return " ".join(f"({p})" if isinstance(p, Or) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple["Expr", ...]

    def __str__(self) -> str:
        return " OR ".join(str(p) for p in self.parts)


Expr = Compare | Term | Is | Not | And | Or

FLAGS: Final = {
    **dict.fromkeys(("mine", "my", "@me"), Flag.MINE),
    **dict.fromkeys(("team", "ours"), Flag.TEAM),
    **dict.fromkeys(("open", "active"), Flag.OPEN),
    **dict.fromkeys(("closed", "inactive"), Flag.CLOSED),
}
AND: Final = {"and", "&&"}
OR: Final = {"or", "||"}
NOT: Final = {"not", "!"}
EMPTY: Final = {"empty", "null"}
RESERVED: Final = {*FLAGS, *AND, *OR, *NOT}
_KEY = re.compile(r"[^\W\d][\w.\-]*")
_SAFE_WORD = re.compile(r"[\w@+/.#&%][\w@+/.#&%\-]*")
_SAFE_VALUE = re.compile(r"[\w@+/#&%](?:[\w@+/#&%:\-]|\.(?!\.))*")


def _value(text: str) -> str:
    return text if _SAFE_VALUE.fullmatch(text) and text.casefold() not in EMPTY else quote(text)
