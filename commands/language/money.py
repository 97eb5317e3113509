"""Numbers and amounts of money as people write them: `250k`, `€1,5 Mio`, `$5,000,000`, `1.234,56`."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from babel.numbers import get_decimal_symbol, get_group_symbol, get_territory_currencies

from .money_words import CODES, SCALES, SYMBOLS
from .numerals import SPELLED, any_of, figures
from .reading import Reading, Unreadable, shown

_LONGEST = 64  # characters; no amount that anybody means is longer
_PIECES = re.compile(r"[-+−]?[\d.,'’\s]*\d[\d.,'’\s]*|[^\d\s.,'’+−-]+\.?|[-+−]")
_GROUPED = re.compile(r"\d{1,3}(?:(?P<s>[.,])\d{3})(?:(?P=s)\d{3})*|\d{1,2}(?:,\d{2})+,\d{3}")


_ABOUT: Final = r"(?:[~≈]\s*|(?:ca|approx)\.\s*|(?:ca|circa|about|around|approx|approximately|roughly|etwa|около)\s+)"
_NAMES = any_of(word for word in SYMBOLS if len(word) > 2 and word.isalpha())
_UNIT = (
    rf"(?:[€$£¥₽₹₩₺₴₪]|(?:{any_of(w for w in SCALES if w.isalpha())})(?![^\W_])\.?|(?:{_NAMES})(?![^\W_])"
    rf"|(?-i:{any_of(CODES)})\b)"
)
_FIGURES: Final = (
    rf"[-+−]?(?:(?-i:{any_of(CODES)})\s|[^\W\d_]{{0,3}}[€$£¥₽₹₩₺₴₪]\s?)?"
    r"\d[\d.,'’]*(?:\s\d{3}(?!\d))*(?:[.,]\d+)?"
)
PHRASE: Final = re.compile(rf"{_ABOUT}?(?:{_FIGURES}|{SPELLED})(?:\s?{_UNIT})*(?=[\s),]|$)", re.IGNORECASE)
"""An amount of several words that may stand without quotes: `1,5 Mio €`, `250 000 EUR`, `ten thousand dollars`."""
_APPROXIMATELY = re.compile(_ABOUT, re.IGNORECASE)
_PERCENT_SIGN: Final = r"(?:[%٪％]|per\s?cents?|prozent|pour\s?cent|процент(?:а|ов)?)"
_PERCENT = re.compile(rf"\s*{_PERCENT_SIGN}$", re.IGNORECASE)
NUMBER: Final = re.compile(
    rf"(?:[-+−]?\d[\d.,'’]*|{SPELLED})(?:\s?{_PERCENT_SIGN}(?![^\W_]))?(?=[\s),]|$)", re.IGNORECASE
)
"""A number of several words that may stand without quotes: `60 %`, `twenty five`."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount; `currency` is an ISO 4217 code, or empty where none was named."""

    value: Decimal
    currency: str = ""

    def __str__(self) -> str:
        return canonical(self.value) + (f" {self.currency}" if self.currency else "")


def canonical(value: Decimal) -> str:
    """Digits with a point, read alike in every locale: three decimals get a fourth, or they could be thousands."""
    text = format(value, "f")
    whole, point, fraction = text.partition(".")
    return f"{whole}{point}{fraction}0" if len(fraction) == 3 else text


def number(text: str, reading: Reading) -> Decimal:
    """A plain number. Where `1.234` could be thousands, the locale decides. Raises Unreadable."""
    return _decimal(_clean(figures(text), "a number", "1500 or 2.5"), reading, strict=False)


def percent(text: str, reading: Reading) -> Decimal:
    """The number before a percent sign, or alone. Raises Unreadable."""
    found = _PERCENT.search(text.strip())
    try:
        return number(text.strip()[: found.start()] if found else text, reading)
    except Unreadable:
        raise Unreadable(f"{shown(text)} is no percentage. Write it like 60 or 60%.") from None


def whole_percent(text: str, reading: Reading) -> int:
    """A percentage without decimals. Raises Unreadable."""
    value = percent(text, reading)
    if value != value.to_integral_value():
        raise Unreadable(f"{shown(text)} is no whole percentage. Write it like 60 or 60%.")
    return int(value)


def integer(text: str, reading: Reading) -> int:
    """A whole number. Raises Unreadable."""
    value = _decimal(_clean(figures(text), "a whole number", "20"), reading, strict=False)
    if value != value.to_integral_value():
        raise Unreadable(f"{shown(text)} is not a whole number. Write it like 20.")
    return int(value)


def money(text: str, reading: Reading) -> Money:
    """An amount, with or without its currency. Raises Unreadable, and asks where the thousands are in doubt."""
    about = _APPROXIMATELY.match(text.strip())
    cleaned = _clean(
        figures(text.strip()[about.end() :] if about else text.strip()), "an amount", "5000, 250k or €1.5m"
    )
    digits, currency, scale = "", "", None
    for piece in _PIECES.findall(cleaned):
        word = piece.strip().casefold()
        if any(c.isdecimal() for c in word):
            if digits not in ("", "-", "+"):
                raise _not_money(text)
            digits += word
        elif word in ("-", "+", "−"):
            digits += "-" if word == "−" else word
        else:
            code, power = _unit(word, reading)
            if (code and currency) or (power and scale) or not (code or power):
                raise _not_money(text)
            currency, scale = code or currency, power or scale
    if not any(c.isdecimal() for c in digits):
        raise _not_money(text)
    value = _decimal(digits, reading, strict=scale is None, original=text)
    return Money(value.scaleb(scale) if scale else value, currency)


def _not_money(text: str) -> Unreadable:
    return Unreadable(f"{shown(text)} is not an amount. Write it like 5000, 250k or €1.5m.")


def _clean(text: str, what: str, example: str) -> str:
    """The text without what does not matter, digits of every script made Western."""
    cleaned = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    cleaned = "".join(c for c in cleaned if unicodedata.category(c) != "Cf").strip()
    if not cleaned or len(cleaned) > _LONGEST or not any(c.isdecimal() for c in cleaned):
        raise Unreadable(f"{shown(text)} is not {what}. Write it like {example}.")
    return cleaned


def _unit(word: str, reading: Reading) -> tuple[str, int | None]:
    """The currency or the power of ten that a word stands for; `€m` and `kEUR` are both."""
    if word in SCALES:
        return "", SCALES[word]
    if word in SYMBOLS:
        return _meant(SYMBOLS[word], reading), None
    if word.upper() in CODES:
        return word.upper(), None
    for cut in (1, len(word) - 1):
        for a, b in ((word[:cut], word[cut:]), (word[cut:], word[:cut])):
            if a in SCALES and (b in SYMBOLS or b.upper() in CODES):
                return _unit(b, reading)[0], SCALES[a]
    return "", None


def _meant(codes: tuple[str, ...], reading: Reading) -> str:
    territory = reading.babel.territory
    local = get_territory_currencies(territory) if len(codes) > 1 and territory else []
    return next((code for code in local if code in codes), codes[0])


def _decimal(digits: str, reading: Reading, *, strict: bool, original: str = "") -> Decimal:
    """Decide which of `.` and `,` is the decimal point. `strict`: ask instead of reading 1.234 as a fraction."""
    bare = re.sub(r"(?<=\d)[\s'’](?=\d{3}(?:\D|$))", "", digits).replace("−", "-").strip()
    sign = bare[:1] if bare[:1] in ("-", "+") else ""
    body = bare[len(sign) :].strip()
    seps = [c for c in body if c in ".,"]
    if len(set(seps)) == 2:
        point = seps[-1]
        whole, _, fraction = body.rpartition(point)
        if point in whole or not _GROUPED.fullmatch(whole):
            raise _number_problem(original or digits)
        body = f"{re.sub('[.,]', '', whole)}.{fraction}"
    elif len(seps) > 1 or (seps and _GROUPED.fullmatch(body) and _thousands(body, seps[0], reading, strict, original)):
        if not _GROUPED.fullmatch(body):
            raise _number_problem(original or digits)
        body = re.sub("[.,]", "", body)
    else:
        body = body.replace(",", ".")
    try:
        if re.fullmatch(r"\d+(\.\d*)?|\.\d+", body, re.ASCII):
            return Decimal(sign + body)
    except InvalidOperation:
        pass
    raise _number_problem(original or digits)


def _number_problem(text: str) -> Unreadable:
    return Unreadable(f"{shown(text)} is not a number that I can read. Write it like 1500 or 1500.50.")


def _thousands(body: str, sep: str, reading: Reading, strict: bool, original: str) -> bool:
    """Whether the only separator of `1.234` groups thousands."""
    if body.startswith("0"):
        return False
    group, point = get_group_symbol(reading.babel), get_decimal_symbol(reading.babel)
    if sep == group or (group in "'’" and sep != point):
        return True
    if strict:
        whole, _, fraction = body.partition(sep)
        raise Unreadable(
            f"{shown(original or body)} can mean {whole}{fraction} or {whole}{point}{fraction}. "
            f"Write {whole}{fraction}, or {whole}{point}{fraction}0."
        )
    return sep == "," and point != ","
