"""Numbers in words -> figures: `ten thousand`, `one and a half million`, `fünfundzwanzigtausend`, `deux millions`."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from .money_words import SCALES

_ENGLISH: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_GERMAN: Final = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
)
_FRENCH: Final = "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
_ONES: Final = (_ENGLISH, _GERMAN, _FRENCH)
_TENS: Final = (
    "twenty thirty forty fifty sixty seventy eighty ninety",
    "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "vingt trente quarante cinquante soixante",
)
_VALUES: Final = {
    **{word: n for line in _ONES for n, word in enumerate(line.split())},
    **{word: 10 * n for line in _TENS for n, word in enumerate(line.split(), 2)},
    "dreissig": 30,
}
_ARTICLES: Final = frozenset({"a", "an", "ein", "eine", "einen", "une"})
_HUNDREDS: Final = frozenset({"hundred", "hundert", "cent", "cents"})
_HALVES: Final = frozenset({"half", "halbe"})
_JOINS: Final = frozenset({"and", "und", "et"})
_SCALES: Final = {word: power for word, power in SCALES.items() if len(word) > 3 and word.isalpha()}


def any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(sorted(map(re.escape, words), key=lambda word: (-len(word), word)))


_GLUED: Final = re.compile(
    any_of({*_ONES[1].split(), *_TENS[1].split(), "ein", "dreissig", "und", "hundert", "tausend"})
)
"""What German writes in one word."""
_WORD: Final = (
    rf"(?:(?:{_GLUED.pattern}){{2,12}}|{any_of({*_VALUES, *_ARTICLES, *_HUNDREDS, *_HALVES, *_SCALES})})(?![^\W_])"
)
SPELLED: Final = rf"{_WORD}(?:[ -](?:(?:{any_of(_JOINS)})[ -])?{_WORD}){{0,20}}"
"""A pattern for words that may be a number."""
_WORDS: Final = re.compile(SPELLED, re.IGNORECASE)
_GLUED_WHOLE: Final = re.compile(rf"(?:{_GLUED.pattern}){{2,12}}")
_GAP: Final = re.compile(r"[ -]+")


def figures(text: str) -> str:
    """The text with the number in words at its beginning in figures; any other text unchanged."""
    found = _WORDS.match(text)
    value = _value(list(_pieces(found[0]))) if found else None
    return f"{value.normalize():f}{text[found.end() :]}" if found and value is not None else text


def _pieces(text: str) -> Iterator[str]:
    for word in _GAP.split(text.casefold()):
        yield from _GLUED.findall(word) if word not in _VALUES and _GLUED_WHOLE.fullmatch(word) else (word,)


def _value(words: list[str]) -> Decimal | None:
    """What the words come to; None where they do not belong together."""
    total = part = Decimal(0)
    power, joined, counted = 99, False, False
    for at, word in enumerate(words):
        if word in _ARTICLES and not _HALVES.isdisjoint(words[max(at - 1, 0) : at + 2]):
            continue  # `half a million`, `one and a half million`
        if word in _JOINS:
            joined = True
            continue
        added = _VALUES.get(word)
        if word in _SCALES:
            if _SCALES[word] >= power:
                return None
            power = _SCALES[word]
            total, part, counted = total + (part or Decimal(1)).scaleb(power), Decimal(0), True
        elif word in _HUNDREDS:
            if not (0 <= part < 100 and part == int(part)):
                return None
            part, counted = (part or Decimal(1)) * 100, True
        elif word in _HALVES and (joined or not part):
            part += Decimal("0.5")
        elif word in _ARTICLES and (not part or (word == "ein" and part % 100 == 0)):
            part += 1  # `a hundred`, `hunderteinundzwanzig`
        elif added is not None and _fits(part, added, joined=joined):
            part, counted = part + added, True
        else:
            return None
        joined = False
    return total + part if counted and part == int(part) else None


def _fits(part: Decimal, added: int, *, joined: bool) -> bool:
    """Whether a number may follow: `twenty` `five`, `hundred` `twelve`, and in German `fünf` `und` `zwanzig`."""
    last = part % 100
    if last == 0:
        return True
    return (last >= 20 and last % 10 == 0 and 0 < added < 10) or (joined and last < 10 and added >= 20)
