"""The names of an operation's fields as people write them, and what a misspelt one was meant to be."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from rapidfuzz import fuzz, process, utils

from commands.fields import ColumnsMark
from commands.operation import CATALOG, Operation, Parameter
from crm.tables import Column, Kind

_SURE: Final = 70.0
"""Similarity, 0 to 100, from which a name is offered as what was meant."""


@lru_cache(maxsize=4096)
def squash(name: str) -> str:
    """A name without what people write differently: `Job Title`, `job_title`, `jobtitle`."""
    return "".join(c for c in name.casefold() if c.isalnum())


@lru_cache(maxsize=1024)
def names(operation: type[Operation]) -> dict[str, Parameter]:
    """The operation's fields by every squashed name; the user's words before logical names of other fields."""
    found: dict[str, Parameter] = {}
    parameters = [p for p in operation.parameters.values() if not p.marked(ColumnsMark)]
    for p in parameters:
        found.setdefault(squash(p.name), p)
    for p in parameters:
        for name in p.names:
            found.setdefault(squash(name), p)
    return found


def nearest(word: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The names that a word was probably meant to be, likeliest first."""
    found = process.extract(
        word[:60], list(known), scorer=fuzz.WRatio, processor=utils.default_process, limit=limit, score_cutoff=_SURE
    )
    return [name for name, _, _ in found]


class Names:
    """Membership by squashed name, for functions that ask with `in`."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = frozenset(known)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and squash(name) in self.known


def condition(operation: type[Operation], word: str) -> str:
    """The name that conditions on the operation's table know a column by; empty where it has none of this name."""
    table, word = operation.table, word.casefold()
    if table is None:
        return ""
    if isinstance(getattr(table, word, None), Column):
        return word
    found = (names(op).get(squash(word)) for op in CATALOG.values() if op.table is table)
    return next((p.name for p in found if p and p.column and p.column.kind is not Kind.ID), "")
