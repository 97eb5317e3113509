"""Quotes of every kind that keyboards, phones and chat clients make: "…" “…” „…“ «…» »…« '…' ‘…’ ‚…‘ `…`.

Double quotes must close; a doubled straight one inside is a quote itself. A single quote counts only where it opens a
word and another one closes it before a space: an apostrophe is never a quote.
"""

import re
from typing import Final

from .reading import Unreadable, shown

_INSIDE = r"(?<![\s=(,:])"  # where these stand after a space they open
_DOUBLE: Final = {
    "“": re.compile(f"”|{_INSIDE}“"),
    "„": re.compile('[“”"]'),
    "”": re.compile("”"),
    "«": re.compile("»"),
    "»": re.compile(f"«|{_INSIDE}»"),
}
_END = r"(?=[\s=~<>!,;:.?)\]]|$)"
_SINGLE: Final = {
    opener: re.compile(f"[{closers}]{_END}")
    for opener, closers in {"'": "'’", "‘": "’'", "‚": "‘’'", "‹": "›", "›": "‹", "`": "`"}.items()
}
_STRAIGHT = re.compile('""|"')
_BLOCK: Final = "```"

OPENERS: Final = frozenset({'"', *_DOUBLE, *_SINGLE})
SINGLE: Final = frozenset(_SINGLE)
"""Those that open nothing before a space."""


class Quotes:
    """Finds the quoted pieces of one text, in time linear in its length over calls with rising positions."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._last: dict[str, int] = {}

    def at(self, start: int) -> tuple[str, int] | None:
        """The content of the quote that opens at `start`, and where it ends; None if nothing is quoted there.

        Raises Unreadable if a double quote opens and never closes.
        """
        opener = self.text[start : start + 1]
        if closer := _DOUBLE.get(opener):
            return self._curly(start, opener, closer)
        if opener not in OPENERS:
            return None
        if opener == '"':
            return self._straight(start)
        if opener == "`" and self.text.startswith(_BLOCK, start):
            end = self.text.find(_BLOCK, start + 3)
            return (self.text[start + 3 : end].strip("\n"), end + 3) if end > 0 else None
        return self._single(start)

    def _straight(self, start: int) -> tuple[str, int]:
        text = self.text
        if text.startswith('""', start) and not text.startswith('"""', start):
            return "", start + 2
        pieces, begin = [], start + 1
        for found in _STRAIGHT.finditer(text, begin):
            pieces.append(text[begin : found.start()])
            begin = found.end()
            if found[0] == '"':
                return '"'.join(pieces), begin
        end = text.find("”", start)
        if end < 0:
            raise self._unclosed(start)
        return text[start + 1 : end], end + 1

    def _curly(self, start: int, opener: str, closer: re.Pattern[str]) -> tuple[str, int]:
        found = self._closing(opener, closer, start + 1)
        end = found.start() if found else self.text.find('"', start)
        if end < 0:
            raise self._unclosed(start)
        return self.text[start + 1 : end], end + 1

    def _single(self, start: int) -> tuple[str, int] | None:
        opener = self.text[start]
        if self.text[start + 1 : start + 2].strip() == "":
            return None
        found = self._closing(opener, _SINGLE[opener], start + 2)
        return (self.text[start + 1 : found.start()], found.end()) if found else None

    def _closing(self, opener: str, closer: re.Pattern[str], start: int) -> re.Match[str] | None:
        """The next closer; the last one of the text is remembered, so that no search fails twice over the same rest."""
        if opener not in self._last:
            self._last[opener] = max((m.start() for m in closer.finditer(self.text)), default=-1)
        return closer.search(self.text, start) if start <= self._last[opener] else None

    def _unclosed(self, start: int) -> Unreadable:
        return Unreadable(
            f"The quote before {shown(self.text[start + 1 :], 30)} never closes. "
            f"Add {'”' if self.text[start] in '“”„' else '»' if self.text[start] == '«' else chr(34)} where it ends."
        )


def quote(text: str) -> str:
    """The text in straight quotes, as `Quotes` reads it back."""
    return '"' + text.replace('"', '""') + '"'
