"""The friendly list language: `company~acme created>7d rating=hot,warm mine (open OR priority=high)`.

`parse()` gives a tree of frozen dataclasses that knows nothing of OData: columns are words of the person, values are
text. Whoever runs the list resolves both through metadata, so no value can become syntax.
"""

import re
from collections.abc import Callable, Container, Sequence
from typing import Annotated, Final

from pydantic import PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from .fields import Reads
from .language import markup
from .language.filter_pieces import Token, lex
from .language.filter_tree import And, Compare, Expr, Flag, Is, Not, Op, Or, Term
from .language.reading import Unreadable, shown

__all__ = [
    "And",
    "Compare",
    "Expr",
    "Filter",
    "FilterMark",
    "Flag",
    "Is",
    "Not",
    "Op",
    "Or",
    "Term",
    "canonical",
    "compared",
    "describe",
    "extract",
    "parse",
]

_DEEPEST: Final = 30
_NAMED = re.compile(r"(?<![\w\-])([^\W\d][\w\-]*)[\"”'’]?\s*[=:]")


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
    Op.GT: "is above",
    Op.GE: "is at least",
    Op.LT: "is below",
    Op.LE: "is at most",
}
_FLAG_WORDS: Final = {
    Flag.MINE: "owned by me",
    Flag.TEAM: "owned by one of my teams",
    Flag.OPEN: "open",
    Flag.CLOSED: "closed",
}


def compared(compare: Compare, values: Sequence[str] = ()) -> str:
    """One comparison in words; `values` as they are to be shown, else as they were typed."""
    if not compare.values:
        return f"{compare.key} {'is empty' if compare.op is Op.EQ else 'is not empty'}"
    return f"{compare.key} {_WORDS[compare.op]} {' or '.join(values or map(shown, compare.values))}"


def describe(expr: Expr, said: Callable[[Compare], str] = compared) -> str:
    """The tree in words, for explanations and empty results; `said` words each comparison."""
    if isinstance(expr, Compare):
        return said(expr)
    if isinstance(expr, Term):
        return f"the name contains {shown(expr.text)}"
    if isinstance(expr, Is):
        return _FLAG_WORDS[expr.flag]
    if isinstance(expr, Not):
        return f"not ({describe(expr.part, said)})"
    word = " and " if isinstance(expr, And) else " or "
    return word.join(f"({describe(p, said)})" if isinstance(p, Or) else describe(p, said) for p in expr.parts)


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
    Reads(lambda value, _: _validate(value)),
    PlainSerializer(canonical, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "description": "company~acme created>7d rating=hot,warm mine"}),
    FilterMark(),
]
"""A filter tree; words without a comparison must occur in the name."""
