"""Text between Teams and us: HTML made plain, and data made harmless for cards.

Cards show data through `TextRun`, which no client parses as Markdown; what is left to neutralise are the card
language's own `{{DATE(…)}}` functions, control characters, and characters that turn the writing direction around.
"""

import re
from datetime import date, datetime, tzinfo
from html import escape
from html.parser import HTMLParser
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time

_BLOCKS: Final = frozenset(
    {
        "address",
        "article",
        "blockquote",
        "div",
        "dl",
        "dt",
        "dd",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    }
    | {"header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul"}
)
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_CONTROLS: Final = dict.fromkeys([*(set(range(32)) - {9, 10}), *range(0x7F, 0xA0), 0xFEFF])
_UNSEEN: Final = _CONTROLS | dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_FUNCTION = re.compile(r"\{(?=\{\s*(?:DATE|TIME)\b)", re.IGNORECASE)
_GAPS = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[ \t\u00a0]+")


def harmless(text: str) -> str:
    """Data as a card may show it; line breaks stay."""
    if text.isprintable() and "{{" not in text:
        return text
    return _FUNCTION.sub("{\u2060", text.translate(_UNSEEN))


def typed(text: str) -> str:
    """A value as an input shows it again: word for word, but for control characters."""
    return text.translate(_CONTROLS)


def one_line(text: str, limit: int) -> str:
    """Harmless, in one line, at most `limit` characters."""
    return clip(" ".join(harmless(text[: limit * 4]).split()), limit)


def for_choice(text: str, limit: int) -> str:
    """For what some clients take for Markdown, like titles of choices and short messages: no links."""
    return one_line(text, limit).replace("](", "]\u2060(")


def clip(text: str, limit: int) -> str:
    """At most `limit` characters; a cut is marked by an ellipsis."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def for_thumbnail(text: str, limit: int) -> str:
    """For the fields of a thumbnail card, which know HTML."""
    return escape(one_line(text, limit))


def show_moment(at: datetime | date, locale: str, zone: tzinfo, *, name_zone: bool, brief: bool = False) -> str:
    """An instant in the reader's zone and language; `name_zone` where several people read; `brief`: the day alone."""
    known = known_locale(locale)
    if not isinstance(at, datetime):
        return format_date(at, "medium", locale=known)
    local = at.astimezone(zone)
    if brief:
        return format_date(local, "medium", locale=known)
    shown = f"{format_date(local, 'medium', locale=known)}, {format_time(local, 'short', locale=known)}"
    return f"{shown} {local:%Z}" if name_zone else shown


def known_locale(name: str) -> Locale:
    """Babel's locale for `en-US`, `de`…; English where it knows none."""
    try:
        return Locale.parse(name or "en-US", sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale("en", "US")


def plain(markup: str) -> str:
    """The text of a Teams message's HTML: paragraphs and items on lines of their own, links with their address."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return tidy("".join(reader.parts))


def tidy(text: str) -> str:
    """Spaces and empty lines reduced to what a reader needs."""
    lines = (_SPACES.sub(" ", line).strip() for line in text.translate(_UNSEEN).split("\n"))
    return _GAPS.sub("\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _SILENT:
            self._silent += 1
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in {"td", "th"}:
            self.parts.append("\t")
        elif tag in {"img", "emoji"}:
            self.parts.append(given.get("alt") or "")
        elif tag == "a":
            self._links.append((given.get("href") or "", len(self.parts)))
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(self._silent - 1, 0)
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            if address.startswith(("http://", "https://", "mailto:")):
                text = "".join(self.parts[start:]).strip()
                if text.rstrip("/") not in {address.rstrip("/"), address.removeprefix("mailto:")}:
                    self.parts.append(f" ({address})")
        elif tag in _BLOCKS and tag != "li":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data.replace("\n", " "))
