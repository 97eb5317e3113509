"""Numbers in words, percentages, and amounts that are made of both."""

import random

import pytest

from commands.language import money
from commands.language.numerals import figures
from commands.language.reading import Reading, Unreadable

US = Reading(locale="en-US")

_ENGLISH = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GERMAN = (
    *("null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    *("dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn"),
)
_ZEHNER = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")


def english(n: int) -> str:
    """`two thousand and forty-one`."""
    if n < 20:
        return _ENGLISH[n]
    if n < 100:
        return _TENS[n // 10 - 2] + (f"-{_ENGLISH[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{_ENGLISH[n // 100]} hundred" + (f" and {english(n % 100)}" if n % 100 else "")
    size, word = next((s, w) for s, w in ((10**6, "million"), (1000, "thousand")) if n >= s)
    rest = n % size
    return f"{english(n // size)} {word}" + (f" {'and ' if rest < 100 else ''}{english(rest)}" if rest else "")


def german(n: int) -> str:
    """`zweitausendeinundvierzig`."""
    if n < 20:
        return _GERMAN[n]
    if n < 100:
        return (f"{_GERMAN[n % 10]}und" if n % 10 else "") + _ZEHNER[n // 10 - 2]
    size, word = (1000, "tausend") if n >= 1000 else (100, "hundert")
    return german(n // size) + word + (german(n % size) if n % size else "")


def test_what_is_spelled_out_is_read_back() -> None:
    some = random.Random(7)
    for n in (*range(200), *(some.randrange(10 ** some.randint(3, 8)) for _ in range(800))):
        assert figures(english(n)) == str(n)
    for n in (*range(2, 200), *(some.randrange(2, 10 ** some.randint(3, 6)) for _ in range(800))):
        assert figures(german(n)) == str(n)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("ten thousand", "10000"),
        ("Two Million", "2000000"),
        ("half a million", "500000"),
        ("a half million", "500000"),
        ("one and a half million", "1500000"),
        ("twenty five thousand euros", "25000 EUR"),
        ("one hundred twenty thousand", "120000"),
        ("two hundred fifty k", "250000"),
        ("1.5 million dollars", "1500000 USD"),
        ("20 grand", "20000"),
        ("five lakh", "500000"),
        ("~50k", "50000"),
        ("about 50k", "50000"),
        ("USD 45,000", "45000 USD"),
        ("zehntausend", "10000"),
        ("eine Million", "1000000"),
        ("eine halbe Million", "500000"),
        ("deux millions d'euros", None),
        ("cent mille", "100000"),
        ("two three", None),
        ("ten twenty", None),
        ("thousand million", None),
        ("a", None),
        ("half", None),
        ("one of many", None),
        ("hundredth", None),
    ],
)
def test_amounts(text: str, amount: str | None) -> None:
    if amount is None:
        with pytest.raises(Unreadable):
            money.money(text, US)
        return
    assert str(money.money(text, US)) == amount
    found = money.PHRASE.match(text)
    assert found
    assert found[0] == text


@pytest.mark.parametrize("text", ["60", "60%", "60 %", "60 percent", "sixty percent", "60 Prozent", "sixty"])
def test_percentages(text: str) -> None:
    assert money.whole_percent(text, US) == 60
    found = money.NUMBER.match(text)
    assert found
    assert found[0] == text


@pytest.mark.parametrize("text", ["0.6", "60 pc", "%", "", "many"])
def test_what_is_no_whole_percentage_is_said(text: str) -> None:
    with pytest.raises(Unreadable, match="60%"):
        money.whole_percent(text, US)
