"""What stands behind the verb: words, quoted phrases and `name=value` pairs, in time linear in the text's length."""

import re
from collections.abc import Callable, Container, Iterator
from typing import Final, NamedTuple

from crm.tables import Kind

from . import dates, markup, money
from .quotes import OPENERS, SINGLE, Quotes, quote

_RUN = re.compile(rf"(?:{markup.ATOM.pattern}|\S)+")
_PLAIN = re.compile(f"[^\\s=:<&{re.escape(''.join(sorted(OPENERS)))}][^\\s=:<&]*(?=\\s|$)(?! *=)")
"""A word that can be nothing else."""

_KEY = re.compile(r"(?:--?)?([^\W\d][\w\-]*)( *)=(?!=)( *)")
_KEY_AHEAD = re.compile(r"[ \n]*(?:--?)?[^\W\d][\w\-]*=(?!=)")
_COLON = re.compile(r"([^\W\d][\w\-]*):(?!//)(?=\S)")
_QUOTED_KEY = re.compile(r" *=(?!=)( *)")
_BEFORE_VALUE: Final = (" ", "=")
_PILED = re.compile("(?:““)+(?=“)|(?:»»)+(?=»)")
"""Pairs that say nothing, before one that may."""
_SPACE = re.compile(r"[ \n]*")
_BLANK: Final = ("", " ", "\n")
_PHONE = re.compile(r"\+?[\d(][\d().\-/]*(?: [\d().\-/]+)*(?: ?(?:ext\.?|x|#) ?\d{1,8})?(?=\s|$)", re.IGNORECASE)
_PHRASES: Final = {
    Kind.MONEY: money.PHRASE,
    Kind.INTEGER: money.NUMBER,
    Kind.DECIMAL: money.NUMBER,
    Kind.DATE: dates.PHRASE,
    Kind.DATETIME: dates.PHRASE,
    Kind.PHONE: _PHONE,
}
_REACH = 80
"""Characters within which a date, an amount or a phone number of several words ends."""


class Word(NamedTuple):
    """A word or a quoted phrase."""

    text: str
    start: int
    breaks: int
    """Line breaks before it."""
    quoted: bool = False


class Pair(NamedTuple):
    """`name=value`."""

    key: str
    value: str
    start: int
    quoted: bool
    colon: bool = False


Item = Word | Pair
KindOf = Callable[[str], Kind | None]
"""The kind of the field that a name stands for; None for a name that is not known."""


def items(text: str, kind_of: KindOf) -> Iterator[Item]:
    """Raises Unreadable for a quote that never closes. `text` has been through `markup.tidy`."""
    quotes, pos = Quotes(text), 0
    while True:
        if text[pos : pos + 1] in _BLANK:
            begin = pos + 1 if text[pos + 1 : pos + 2] not in _BLANK else _skip(text, pos)
        else:
            begin = pos
        if begin >= len(text):
            return
        breaks = 0 if begin <= pos + 1 and text[pos] != "\n" else text.count("\n", pos, begin)
        opens = text[begin] in OPENERS
        if not opens and (plain := _PLAIN.match(text, begin)):
            yield Word(plain[0], begin, breaks)
            pos = plain.end()
            continue
        if opens and (piled := _PILED.match(text, begin)):
            pos = piled.end()
            continue
        if opens and text[begin] in SINGLE and text[begin + 1 : begin + 2] in _BLANK:
            yield Word(text[begin], begin, breaks)
            pos = begin + 1
            continue
        if opens and (quoted := quotes.at(begin)):
            content, pos = quoted
            if not content and text[pos : pos + 1] in OPENERS:
                continue  # quotes piled up say nothing
            if text[pos : pos + 1] not in _BEFORE_VALUE or not _QUOTED_KEY.match(text, pos):
                yield Word(content, begin, breaks, True)
                continue
            found = _quoted_pair(text, begin, quoted, quotes, kind_of)
            item, pos = found or (Word(content, begin, breaks, quoted=True), pos)
        else:
            named = text[begin] == "-" or text[begin].isidentifier()
            found = _pair(text, begin, quotes, kind_of) if named else None
            item, pos = found or _word(text, begin, breaks)
        yield item


def _skip(text: str, pos: int) -> int:
    found = _SPACE.match(text, pos)
    return found.end() if found else pos


def _pair(text: str, pos: int, quotes: Quotes, kind_of: KindOf) -> tuple[Pair, int] | None:
    if found := _KEY.match(text, pos):
        key, kind = found[1], kind_of(found[1])
        if kind is None and found[2]:
            return None  # `a = b` is text unless a is a name
        value, end, quoted = _value(text, found.end(), bool(found[3]), kind, quotes)
        return Pair(key, value, pos, quoted), end
    if found := _COLON.match(text, pos):
        kind = kind_of(found[1])
        if kind is None:
            return None
        value, end, quoted = _value(text, found.end(), False, kind, quotes)
        return Pair(found[1], value, pos, quoted, colon=True), end
    return None


def _quoted_pair(text: str, pos: int, key: tuple[str, int], quotes: Quotes, kind_of: KindOf) -> tuple[Pair, int] | None:
    """`"Job title"=CTO`."""
    found = _QUOTED_KEY.match(text, key[1])
    if found is None:
        return None
    value, end, quoted = _value(text, found.end(), bool(found[1]), kind_of(key[0]), quotes)
    return Pair(" ".join(key[0].split()), value, pos, quoted), end


def _value(text: str, pos: int, spaced: bool, kind: Kind | None, quotes: Quotes) -> tuple[str, int, bool]:
    """(value, where it ends, whether it was quoted)."""
    if pos >= len(text) or text[pos] == "\n" or (spaced and _KEY_AHEAD.match(text, pos)):
        return "", pos, True
    if quoted := quotes.at(pos):
        content, end = quoted
        if text[end : end + 1] in (",", ";") and text[end + 1 : end + 2] in ("", " ", "\n"):
            return content, end + 1, True
        tail = _RUN.match(text, end)
        return (content + tail[0], tail.end(), True) if tail else (content, end, True)
    run = _RUN.match(text, pos)
    end = run.end() if run else pos
    if kind in _PHRASES and (phrase := _PHRASES[kind].match(text, pos, min(len(text), pos + _REACH))):
        end = max(end, phrase.end())
    value = text[pos:end]
    if value[-1:] in (",", ";") and len(value) > 1 and _KEY_AHEAD.match(text, end):
        value = value[:-1]
    return value, end, False


def _word(text: str, pos: int, breaks: int) -> tuple[Word, int]:
    run = _RUN.match(text, pos)
    end = run.end() if run else pos + 1
    return Word(text[pos:end], pos, breaks), end


_LABEL = re.compile(r"\s*([^\W\d][\w-]*(?: [\w-]+){0,2}): +(?=\S)")
_BETWEEN_LABELS = re.compile(r"([,;]\s|\n)")


def labelled(text: str, kind_of: KindOf) -> str:
    """`Title: Printer broken, Priority: high` (or a line for each) as pairs; any other text unchanged.

    A single one is text: `Error: cannot log in`.
    """
    if ": " not in text or '"' in text:
        return text
    pairs: list[list[str]] = []
    separator = ""
    for number, piece in enumerate(_BETWEEN_LABELS.split(text)):
        if number % 2:
            separator = piece
            continue
        found = _LABEL.match(piece)
        if found and kind_of(found[1]) is not None:
            pairs.append([found[1], piece[found.end() :]])
        elif pairs:
            pairs[-1][1] += separator + piece
        elif piece.strip():
            return text
    if len(pairs) < 2:
        return text
    return " ".join(f"{quote(key)}={quote(value.strip())}" for key, value in pairs)


_NAME = re.compile(r"\s([^\W\d][\w\-]*)\s*=(?!=)")
_RAW_START = re.compile(r"(?<![\w\-])([^\W\d][\w\-]*)\s*=(?!=)\s*")
_STRING = re.compile(r"'[^']*'?|[^\s']+|\s")


def take_raw(text: str, raw: Container[str], names: Container[str], put: Callable[[str, str], None]) -> str:
    """Take `filter=contains(fullname,'John Smith') and …` out: what is left. Each pair goes to `put(name, value)`.

    The value of a `raw` name runs to the next of `names` that stands before `=`, outside single quotes, or is what
    quotes around the whole of it hold. Raises Unreadable for a quote that never closes.
    """
    if not any(found[1] in raw for found in _RAW_START.finditer(text)):
        return text
    quotes, pos, begin = Quotes(text), 0, 0
    left = []
    while pos < len(text):
        found = _RAW_START.match(text, pos)
        if found and found[1] in raw:
            left.append(text[begin:pos])
            value, pos = _raw_value(text, found.end(), quotes, names)
            put(found[1], value)
            begin = pos
        else:
            quoted = quotes.at(pos)
            run = None if quoted else _RUN.match(text, pos)
            pos = quoted[1] if quoted else run.end() if run else pos
        pos = _skip(text, pos)
    left.append(text[begin:])
    return " ".join(piece.strip() for piece in left if piece.strip())


def _raw_value(text: str, pos: int, quotes: Quotes, names: Container[str]) -> tuple[str, int]:
    if text[pos : pos + 1] not in ("'", "‘") and (quoted := quotes.at(pos)):
        return quoted
    end = pos
    while end < len(text):
        following = _NAME.match(text, end)
        if following and following[1] in names:
            break
        piece = _STRING.match(text, end)
        end = piece.end() if piece else end + 1
    return text[pos:end].strip(), end
