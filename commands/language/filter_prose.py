"""Conditions in plain words -> the list language: `closing in Q3`, `over 50k`, `for Contoso`, `newest first`, `top 5`.

Only what stands outside quotes and says one thing alone is rewritten; every other word is left to be looked for.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from . import dates, money
from .filter_pieces import Token, lex
from .filter_prose_words import (
    AGED,
    AMOUNT,
    AMOUNT_OPS,
    AMOUNTS,
    BETWEEN,
    CUSTOMERS,
    DATE_OPS,
    DATED,
    EMPTY,
    FIGURES,
    FILLER,
    KEYS,
    NAMELESS,
    NEXT,
    OF,
    ORDER,
    ORDERS,
    OVERDUE,
    OWNER,
    SORTED,
    TO,
    TOP,
    WITHIN,
    WORD_OPS,
    WORDED,
)
from .filter_tree import Flag, Is, Term
from .quotes import OPENERS, quote
from .reading import Reading, Unreadable

Has = Callable[[str], str]
"""A column's name as conditions know it, from a person's word for it; empty where the table has none."""

_READINGS: Final = tuple(Reading(locale=language) for language in ("en", "de", "fr", "ru"))
_LONGEST: Final = 200
"""Characters; nobody says more in words."""
_REACH: Final = 100
_LONGEST_NAME: Final = 10
"""Words."""


def formal(text: str, has: Has) -> str:
    """The text with what it says in words as conditions. Raises Unreadable where it cannot be taken apart."""
    if len(text) > _LONGEST:
        return text
    tokens = list(lex(text))
    prose = _Prose(text, tokens, has)
    left: list[str] = []
    begin = 0
    for number, token in enumerate(tokens):
        if token.start < begin or not _plain(text, token):
            continue
        found = prose.at(token.start, number)
        if found and found[1] > token.start:
            left += (text[begin : token.start], found[0])
            begin = found[1]
    return "".join((*left, text[begin:]))


def _plain(text: str, token: Token) -> bool:
    closed = isinstance(token.what, Is) and token.what.flag is Flag.CLOSED
    return (isinstance(token.what, Term) and text[token.start] not in OPENERS) or closed


class _Prose:
    def __init__(self, text: str, tokens: list[Token], has: Has) -> None:
        self.text, self.tokens, self.has = text, tokens, has
        self.stated: dict[int, tuple[str, int] | None] = {}

    def at(self, pos: int, number: int) -> tuple[str, int] | None:
        """What the words from here on say, as conditions, and where they end."""
        return self._stated(pos) or self._named(pos, number)

    def _stated(self, pos: int) -> tuple[str, int] | None:
        if pos not in self.stated:
            ways = (
                self._filler,
                self._overdue,
                self._within,
                self._between,
                self._aged,
                self._dated,
                self._amount,
                self._empty,
            )
            found = (way(pos) for way in (*ways, self._sorted, self._worded))
            self.stated[pos] = next((said for said in found if said), None)
        return self.stated[pos]

    def _says(self, pos: int) -> bool:
        """Whether something else than a name begins here."""
        return bool(self._match(NEXT, pos) or self._stated(pos))

    def _first(self, names: tuple[str, ...]) -> str:
        return next((found for name in names if (found := self.has(name))), "")

    def _match(self, pattern: re.Pattern[str], pos: int) -> re.Match[str] | None:
        return pattern.match(self.text, pos, min(len(self.text), pos + _REACH))

    def _filler(self, pos: int) -> tuple[str, int] | None:
        found = self._match(FILLER, pos)
        return ("", found.end()) if found else None

    def _overdue(self, pos: int) -> tuple[str, int] | None:
        found, key = self._match(OVERDUE, pos), self._first(KEYS["overdue"])
        return (f"{key}<today open", found.end()) if found and key else None

    def _within(self, pos: int) -> tuple[str, int] | None:
        found = self._match(WITHIN, pos)
        key = self._first(KEYS[found["key"].casefold()]) if found else ""
        last = f"in {found['n']} {found['unit']}" if found else ""
        if not found or not key or not _is_date(last):
            return None
        return f"{key}>=today {key}<={quote(last)}", found.end()

    def _between(self, pos: int) -> tuple[str, int] | None:
        found = self._match(BETWEEN, pos)
        if found is None:
            return None
        for end_of in (self._date_end, self._amount_end):
            first = end_of(found.end())
            to = self._match(TO, first) if first else None
            last = end_of(to.end()) if to else 0
            word = (found["key"] or "").casefold()
            names = KEYS.get(word, (word,) if word else ("created",) if end_of == self._date_end else AMOUNTS)
            if to and last and (key := self._first(names)):
                ends = quote(self.text[found.end() : first]), quote(self.text[to.end() : last])
                return f"{key}>={ends[0]} {key}<={ends[1]}", last
        return None

    def _aged(self, pos: int) -> tuple[str, int] | None:
        found = self._match(AGED, pos)
        if found is None or not dates.age(found["age"]):
            return None
        return f"created{'<' if found['way'].casefold() == 'older' else '>'}{quote(found['age'])}", found.end()

    def _dated(self, pos: int) -> tuple[str, int] | None:
        found = self._match(DATED, pos)
        if found is None:
            return None
        word, op = (found["key"] or "").casefold(), (found["op"] or "").casefold()
        if not word and op != "since" and not self._match(NAMELESS, found.end()):
            return None
        end = self._date_end(found.end())
        if not end:
            return None
        said = self.text[found.end() : end]
        key = self._first(
            KEYS[word] if word else ("close_date", "created") if self.has("probability") else ("created",)
        )
        extra = "closed " if word == "closed" else ""
        way = "=" if op == "from" and not word else DATE_OPS[op]  # `leads from last week`
        return (f"{extra}{key}{way}{quote(said)}", end) if key else None

    def _amount(self, pos: int) -> tuple[str, int] | None:
        found = self._match(AMOUNT, pos)
        end = self._amount_end(found.end()) if found else 0
        if not found or not end:
            return None
        said = self.text[found.end() : end]
        names = (found["key"],) if found["key"] else ("probability",) if said.endswith("%") else AMOUNTS
        key = self._first(names)
        return (f"{key}{AMOUNT_OPS[found['op'].casefold()]}{quote(said)}", end) if key else None

    def _empty(self, pos: int) -> tuple[str, int] | None:
        found = self._match(EMPTY, pos)
        key = self.has(found["key"]) if found else ""
        if not found or not key:
            return None
        return f"{key}{'!' if found['no'].casefold() == 'with' else ''}=empty", found.end()

    def _sorted(self, pos: int) -> tuple[str, int] | None:
        if found := self._match(TOP, pos):
            return f"top={found['n']}", found.end()
        if found := self._match(ORDER, pos):
            sign, names = ORDERS[found["order"].casefold()]
            key = self._first(names)
            top = f" top={found['n']}" if found["n"] else ""
            return (f"sort={sign}{key}{top}", found.end()) if key else None
        found = self._match(SORTED, pos)
        key = self.has(found["key"]) if found else ""
        if not found or not key:
            return None
        falls = found["desc"] or key in AMOUNTS
        return f"sort={'-' if falls else ''}{key}", found.end()

    def _worded(self, pos: int) -> tuple[str, int] | None:
        found = self._match(WORDED, pos)
        key = self.has(found["key"]) if found else ""
        return (f"{key}{WORD_OPS[found['op'].casefold()]}{found['value']}", found.end()) if found and key else None

    def _named(self, pos: int, number: int) -> tuple[str, int] | None:
        """`for Contoso`, `in Berlin`, `owned by Jane Doe`: the words up to the next that says something else."""
        owner, of = self._match(OWNER, pos), self._match(OF, pos)
        if of and of["word"].casefold() == "of" and number and isinstance(self.tokens[number - 1].what, Term):
            of = None  # `bank of America`
        begin = owner.end() if owner else of.end() if of else 0
        name, end = self._name(begin, number) if begin else ("", 0)
        if not name:
            return None
        if owner:
            return ("mine" if name.casefold() in ("me", "myself") else f"owner~{quote(name)}"), end
        word = of["word"].casefold() if of else ""
        names = ("city",) if word == "in" else (self._first(CUSTOMERS), "city") if word == "from" else CUSTOMERS
        keys = [key for key in map(self.has, names) if key][: 2 if word == "from" else 1]
        said = " OR ".join(f"{key}~{quote(name)}" for key in keys)
        return (f"({said})" if len(keys) > 1 else said, end) if keys else None

    def _name(self, begin: int, number: int) -> tuple[str, int]:
        """A quoted name, or the words that follow as far as they say nothing else."""
        words: list[str] = []
        end = 0
        for token in self.tokens[number + 1 : number + 1 + _LONGEST_NAME]:
            if token.start < begin:
                continue
            if not isinstance(token.what, Term) or (words and self._says(token.start)):
                break
            words.append(token.what.text)
            end = token.end
            if self.text[token.start] in OPENERS:
                break
        return " ".join(words), end

    def _date_end(self, pos: int) -> int:
        """Where a date that begins here ends; 0 for none."""
        for pattern in (dates.PHRASE, FIGURES):
            found = self._match(pattern, pos)
            if found and _is_date(found[0]):
                return found.end()
        return 0

    def _amount_end(self, pos: int) -> int:
        """Where an amount that begins here ends; 0 for none."""
        for pattern in (money.NUMBER, money.PHRASE):
            found = self._match(pattern, pos)
            if found and _is_amount(found[0]):
                return found.end()
        return 0


@lru_cache(maxsize=512)
def _is_date(text: str) -> bool:
    for reading in _READINGS:
        try:
            dates.span(text, reading)
        except Unreadable:
            continue
        return True
    return False


@lru_cache(maxsize=512)
def _is_amount(text: str) -> bool:
    for read in (money.percent, money.money):
        try:
            read(text, _READINGS[0])
        except Unreadable:
            continue
        return True
    return False
