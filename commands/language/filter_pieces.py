"""The pieces of a filter's text: conditions, words, parentheses, AND, OR, NOT."""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from . import dates, money
from .filter_tree import AND, EMPTY, FLAGS, NOT, OR, RESERVED, Compare, Is, Op, Term
from .quotes import Quotes
from .reading import Unreadable, shown

_MOST: Final = 500
"""Conditions, words and parentheses."""

_OPS: Final = {"==": Op.EQ, "<>": Op.NE, **{op.value: op for op in Op}}

_OP = r"(!=|<>|!~|>=|<=|==|=|~|>|<)"
_START = re.compile(rf"([^\W\d][\w.\-]*)\s*{_OP}")
_AFTER_QUOTE = re.compile(rf"\s*{_OP}")
_COLON = re.compile(r"([^\W\d][\w.\-]*):(?![\s/:]|$)")
_RUN = re.compile(r"(?:[^\s(),]|\([^\s()]*\))+")
_RUN_WITH_COMMAS = re.compile(r"(?:[^\s()]|\([^\s()]*\))+")
_WORD = re.compile(r"(?:[^\s()]|\([^\s()]*\))+")
_SPACE = re.compile(r"\s*")
_FROM_TO = re.compile(r"\.\.[^\s.]")
_PERCENT = re.compile(r"\d[\d.]* ?%(?=[\s),]|$)")
_THOUSANDS = re.compile(r"[^\d\s(),]{0,3}\d{1,3}(?:,\d{3})+(?:\.\d+)?(?=[\s)]|$)")


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
        if found[1].casefold() not in RESERVED - set(FLAGS):
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
    for names, meaning in ((AND, "AND"), (OR, "OR"), (NOT, "NOT")):
        if folded in names:
            return (Token(meaning, pos, end),), end
    what = Is(FLAGS[folded]) if folded in FLAGS else Term(word)
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
    patterns = (dates.PHRASE, _THOUSANDS, _PERCENT) if lists else (dates.PHRASE, money.PHRASE, money.NUMBER)
    ends += [found.end() for pattern in patterns if (found := pattern.match(text, pos, limit))]
    end = max(ends)
    if lists and _FROM_TO.match(text, end):
        return _bare(text, end + 2, False)  # `1 Nov..15 Nov`
    return end


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
    empty = op in (Op.EQ, Op.NE) and all(not v or (not q and v.casefold() in EMPTY) for v, q in values)
    yield Token(Compare(key, op, () if empty else tuple(v for v, _ in values if v)), start, end)


_EXAMPLES: Final = {Op.HAS: "acme", Op.HAS_NOT: "acme", Op.GT: "7d", Op.GE: "7d", Op.LT: "30d", Op.LE: "30d"}
