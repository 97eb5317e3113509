"""The friendly list language: `company~acme created>7d rating=hot,warm mine (open OR priority=high)`.

`parse()` gives a tree of frozen dataclasses that knows nothing of OData: columns are words of the person, values are
text. Whoever runs the list resolves both through metadata, so no value can become syntax.
"""

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from .language import dates, markup, money
from .language.quotes import Quotes, quote
from .language.reading import Unreadable, shown

_DEEPEST = 30
_MOST = 500
"""Conditions, words and parentheses."""


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
        key = self.key if _KEY.fullmatch(self.key) and self.key.casefold() not in _RESERVED else quote(self.key)
        return f"{key}{self.op}{','.join(_value(v) for v in self.values)}"


@dataclass(frozen=True, slots=True)
class Term:
    """A word or quoted phrase that the record's name or number must contain."""

    text: str

    def __str__(self) -> str:
        safe = _SAFE_WORD.fullmatch(self.text) and self.text.casefold() not in _RESERVED
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

_FLAGS: Final = {
    **dict.fromkeys(("mine", "my", "@me"), Flag.MINE),
    **dict.fromkeys(("team", "ours"), Flag.TEAM),
    **dict.fromkeys(("open", "active"), Flag.OPEN),
    **dict.fromkeys(("closed", "inactive"), Flag.CLOSED),
}
_AND: Final = {"and", "&&"}
_OR: Final = {"or", "||"}
_NOT: Final = {"not", "!"}
_EMPTY: Final = {"empty", "null"}
_RESERVED: Final = {*_FLAGS, *_AND, *_OR, *_NOT}
_OPS: Final = {"==": Op.EQ, "<>": Op.NE, **{op.value: op for op in Op}}

_KEY = re.compile(r"[^\W\d][\w.\-]*")
_OP = r"(!=|<>|!~|>=|<=|==|=|~|>|<)"
_START = re.compile(rf"([^\W\d][\w.\-]*)\s*{_OP}")
_AFTER_QUOTE = re.compile(rf"\s*{_OP}")
_COLON = re.compile(r"([^\W\d][\w.\-]*):(?![\s/:]|$)")
_RUN = re.compile(r"(?:[^\s(),]|\([^\s()]*\))+")
_RUN_WITH_COMMAS = re.compile(r"(?:[^\s()]|\([^\s()]*\))+")
_WORD = re.compile(r"(?:[^\s()]|\([^\s()]*\))+")
_NAMED = re.compile(r"(?<![\w\-])([^\W\d][\w\-]*)[\"”'’]?\s*[=:]")
_SPACE = re.compile(r"\s*")
_THOUSANDS = re.compile(r"[^\d\s(),]{0,3}\d{1,3}(?:,\d{3})+(?:\.\d+)?(?=[\s)]|$)")
_SAFE_WORD = re.compile(r"[\w@+/.#&%][\w@+/.#&%\-]*")
_SAFE_VALUE = re.compile(r"[\w@+/#&%](?:[\w@+/#&%:\-]|\.(?!\.))*")


def _value(text: str) -> str:
    return text if _SAFE_VALUE.fullmatch(text) and text.casefold() not in _EMPTY else quote(text)


class Token(NamedTuple):
    """A piece of a filter: a condition, a parenthesis, or one of AND, OR, NOT; and where it stands in the text."""

    what: Compare | Term | Is | str
    start: int
    end: int


def lex(text: str, known: Callable[[str], bool] | None = None) -> Iterator[Token]:
    """The tokens of a text; `key:value` counts as `key=value` only for `known` keys. Raises Unreadable."""
    quotes, pos, count = Quotes(text), 0, 0
    while (pos := _skip(text, pos)) < len(text):
        count += 1
        if count > _MOST:
            raise Unreadable("There are too many conditions in this list. Leave some out.")
        if text[pos] in "()":
            yield Token(text[pos], pos, pos + 1)
            pos += 1
            continue
        key, op, after = _key(text, pos, quotes, known)
        if op is None:
            what, end = _word(text, pos, quotes)
            yield from what
            pos = end
            continue
        values, end = _values(text, after, op, quotes)
        yield from _compared(key, op, values, pos, end)
        pos = end


def _skip(text: str, pos: int) -> int:
    found = _SPACE.match(text, pos)
    return found.end() if found else pos


def _key(text: str, pos: int, quotes: Quotes, known: Callable[[str], bool] | None) -> tuple[str, Op | None, int]:
    """The column and the comparison that begin at `pos`, if any do."""
    if found := _START.match(text, pos):
        if found[1].casefold() not in _RESERVED - set(_FLAGS):
            return found[1], _OPS[found[2]], found.end()
    elif quoted := quotes.at(pos):
        if after := _AFTER_QUOTE.match(text, quoted[1]):
            return quoted[0].strip(), _OPS[after[1]], after.end()
    elif known and (found := _COLON.match(text, pos)) and known(found[1]):
        return found[1], Op.EQ, found.end()
    return "", None, pos


def _word(text: str, pos: int, quotes: Quotes) -> tuple[tuple[Token, ...], int]:
    """A word without a comparison; `!mine` is NOT mine."""
    if quoted := quotes.at(pos):
        return ((Token(Term(quoted[0].strip()), pos, quoted[1]),) if quoted[0].strip() else ()), quoted[1]
    if text[pos] == "!" and text[pos + 1 : pos + 2].strip():
        return (Token("NOT", pos, pos + 1),), pos + 1
    found = _WORD.match(text, pos)
    word, end = (found[0], found.end()) if found else (text[pos], pos + 1)
    folded = word.casefold()
    for names, meaning in ((_AND, "AND"), (_OR, "OR"), (_NOT, "NOT")):
        if folded in names:
            return (Token(meaning, pos, end),), end
    what = Is(_FLAGS[folded]) if folded in _FLAGS else Term(word)
    return (Token(what, pos, end),), end


def _values(text: str, pos: int, op: Op, quotes: Quotes) -> tuple[list[tuple[str, bool]], int]:
    """The values after a comparison, each with whether it was quoted, and where they end."""
    values: list[tuple[str, bool]] = []
    begin = _skip(text, pos)
    if begin > pos and _START.match(text, begin):
        return values, pos  # `email= rating=hot`: no value
    pos = begin
    lists = op in (Op.EQ, Op.NE, Op.HAS, Op.HAS_NOT)
    while pos < len(text) and text[pos] != ")":
        if quoted := quotes.at(pos):
            values.append((quoted[0].strip(), True))
            pos = quoted[1]
        else:
            end = _bare(text, pos, lists)
            values.append((text[pos:end], False))
            pos = end
        if not (lists and text[pos : pos + 1] == ","):
            break
        following = _skip(text, pos + 1)
        if following > pos + 1 and (_START.match(text, following) or following == len(text)):
            return values, pos + 1
        pos = following
    return values, pos


def _bare(text: str, pos: int, lists: bool) -> int:
    """Where an unquoted value ends: a run, or a date or an amount of several words."""
    limit = min(len(text), pos + 80)
    found = (_RUN if lists else _RUN_WITH_COMMAS).match(text, pos)
    ends = [found.end() if found else pos + 1]
    patterns = (dates.PHRASE, _THOUSANDS) if lists else (dates.PHRASE, money.PHRASE)
    ends += [found.end() for pattern in patterns if (found := pattern.match(text, pos, limit))]
    return max(ends)


def _compared(key: str, op: Op, values: list[tuple[str, bool]], start: int, end: int) -> Iterator[Token]:
    if op not in (Op.EQ, Op.NE) and not any(v for v, _ in values):
        raise Unreadable(f"Nothing follows {shown(key + op)}. Write a value after it, like {key}{op}{_EXAMPLES[op]}.")
    if len(values) == 1 and not values[0][1] and op is Op.EQ:
        first, dots, last = values[0][0].partition("..")
        if dots and first and last and not last.startswith("."):
            yield Token("(", start, start)
            yield Token(Compare(key, Op.GE, (first,)), start, end)
            yield Token(Compare(key, Op.LE, (last,)), start, end)
            yield Token(")", end, end)
            return
    empty = op in (Op.EQ, Op.NE) and all(not v or (not q and v.casefold() in _EMPTY) for v, q in values)
    yield Token(Compare(key, op, () if empty else tuple(v for v, _ in values if v)), start, end)


_EXAMPLES: Final = {Op.HAS: "acme", Op.HAS_NOT: "acme", Op.GT: "7d", Op.GE: "7d", Op.LT: "30d", Op.LE: "30d"}


def parse(text: str, known: Callable[[str], bool] | None = None) -> Expr:
    """The tree; `And()` for an empty text. Raises Unreadable with what is wrong where."""
    text = markup.targets(markup.tidy(text))
    return _Parser(list(lex(text, known))).whole()


class _Parser:
    """OR binds weaker than AND, AND weaker than NOT; words side by side are joined by AND."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.pos, self.depth = tokens, 0, 0

    def whole(self) -> Expr:
        if not self.tokens:
            return And()
        expr = self.any_of()
        if self.pos < len(self.tokens):
            raise Unreadable("There is a ) without its (. Take it out, or put a ( before it.")
        return expr

    def peek(self) -> object:
        return self.tokens[self.pos].what if self.pos < len(self.tokens) else None

    def any_of(self) -> Expr:
        parts = [self.all_of()]
        while self.peek() == "OR":
            self.pos += 1
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(_flat(parts, Or))

    def all_of(self) -> Expr:
        parts = [self.one()]
        while self.peek() not in (None, ")", "OR"):
            if self.peek() == "AND":
                self.pos += 1
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(_flat(parts, And))

    def one(self) -> Expr:
        negated = False
        while self.peek() == "NOT":
            negated, self.pos = not negated, self.pos + 1
        expr = self.plain()
        if negated:
            return expr.part if isinstance(expr, Not) else Not(expr)
        return expr

    def plain(self) -> Expr:
        what = self.peek()
        if what == "(":
            self.depth += 1
            if self.depth > _DEEPEST:
                raise Unreadable("There are too many parentheses within each other. Use fewer.")
            self.pos += 1
            expr = self.any_of()
            if self.peek() != ")":
                raise Unreadable("A ( never closes. Add ) where it ends.")
            self.depth, self.pos = self.depth - 1, self.pos + 1
            return expr
        if isinstance(what, Compare | Term | Is):
            self.pos += 1
            return what
        where = "at the end" if what is None else f"before {what}"
        raise Unreadable(f"A condition is missing {where}. Write one like rating=hot, or leave the last word out.")


def _flat(parts: list[Expr], kind: type[And] | type[Or]) -> tuple[Expr, ...]:
    flat: list[Expr] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else (part,))
    return tuple(flat)


def extract(text: str, names: Container[str], put: Callable[[str, str], None]) -> str:
    """Take `name=value` pairs of the command itself (`sort`, `top`) out of a filter: what is left.

    Each pair goes to `put(name, value)`. Pairs within parentheses belong to the filter. Raises Unreadable.
    """
    if not any(name in names for name in _NAMED.findall(text)):
        return text
    left, begin, depth = [], 0, 0
    for token in lex(text, names.__contains__):
        what = token.what
        if isinstance(what, str):
            depth += {"(": 1, ")": -1}.get(what, 0)
        elif depth == 0 and isinstance(what, Compare) and what.op is Op.EQ and what.key in names:
            put(what.key, ",".join(what.values))
            left.append(text[begin : token.start])
            begin = token.end
    left.append(text[begin:])
    return " ".join(piece.strip() for piece in left if piece.strip())


_WORDS: Final = {
    Op.EQ: "is",
    Op.NE: "is not",
    Op.HAS: "contains",
    Op.HAS_NOT: "does not contain",
    Op.GT: "is after or above",
    Op.GE: "is at least",
    Op.LT: "is before or below",
    Op.LE: "is at most",
}
_FLAG_WORDS: Final = {
    Flag.MINE: "owned by me",
    Flag.TEAM: "owned by one of my teams",
    Flag.OPEN: "open",
    Flag.CLOSED: "closed",
}


def describe(expr: Expr) -> str:
    """The tree in words, for explanations and empty results."""
    if isinstance(expr, Compare):
        if not expr.values:
            return f"{expr.key} {'is empty' if expr.op is Op.EQ else 'is not empty'}"
        return f"{expr.key} {_WORDS[expr.op]} {' or '.join(shown(v) for v in expr.values)}"
    if isinstance(expr, Term):
        return f"the name contains {shown(expr.text)}"
    if isinstance(expr, Is):
        return _FLAG_WORDS[expr.flag]
    if isinstance(expr, Not):
        return f"not ({describe(expr.part)})"
    word = " and " if isinstance(expr, And) else " or "
    return word.join(f"({describe(p)})" if isinstance(p, Or) else describe(p) for p in expr.parts)


def canonical(expr: Expr) -> str:
    """Text that `parse` reads as the same tree."""
    return markup.escape(str(expr))


class FilterMark:
    """Marks the field that takes conditions in the friendly list language."""


def _validate(value: object) -> Expr:
    if isinstance(value, Compare | Term | Is | Not | And | Or):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("unreadable", "Write conditions as text, like rating=hot mine.")
    try:
        return parse(value)
    except Unreadable as e:
        raise PydanticCustomError("unreadable", "{sentence}", {"sentence": str(e)}) from e


Filter = Annotated[
    Expr,
    PlainValidator(_validate, json_schema_input_type=str),
    PlainSerializer(canonical, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "description": "company~acme created>7d rating=hot,warm mine"}),
    FilterMark(),
]
"""A filter tree; words without a comparison must occur in the name."""
