"""Amounts and numbers, in every dress and locale."""

from decimal import Decimal

import pytest

from commands.language.money import Money, canonical, integer, money, number
from commands.language.reading import Reading, Unreadable

US, DE, CH, FR, CA, JP, CN = (
    Reading(locale=x) for x in ("en-US", "de-DE", "de-CH", "fr-FR", "en-CA", "ja-JP", "zh-CN")
)


@pytest.mark.parametrize(
    ("text", "reading", "value", "currency"),
    [
        ("250k", US, "250000", ""),
        ("250 K", US, "250000", ""),
        ("€1,5 Mio", DE, "1500000", "EUR"),
        ("1,5 Mio. €", DE, "1500000", "EUR"),
        ("€1.5m", US, "1500000", "EUR"),
        ("€1.5m", DE, "1500000", "EUR"),
        ("$5,000,000", US, "5000000", "USD"),
        ("$5,000,000", DE, "5000000", "USD"),
        ("$5", CA, "5", "CAD"),
        ("1.234,56", DE, "1234.56", ""),
        ("1.234,56", US, "1234.56", ""),
        ("1,234.56", DE, "1234.56", ""),
        ("1,234", US, "1234", ""),
        ("1.234", DE, "1234", ""),
        ("1.234.567", US, "1234567", ""),
        ("1'234.50", CH, "1234.50", ""),
        ("1’234’567.50 CHF", CH, "1234567.50", "CHF"),
        ("1 234,50 €", FR, "1234.50", "EUR"),
        ("1\u202f234\u00a0567,5", FR, "1234567.5", ""),
        ("12,34,567", US, "1234567", ""),
        ("0,5", DE, "0.5", ""),
        ("0.125", US, "0.125", ""),
        (".5", US, "0.5", ""),
        ("5.", US, "5", ""),
        ("-5", US, "-5", ""),
        ("−5", US, "-5", ""),
        ("+5", US, "5", ""),
        ("EUR 5", US, "5", "EUR"),
        ("5 eur", US, "5", "EUR"),
        ("5 euros", US, "5", "EUR"),
        ("kEUR 5", US, "5000", "EUR"),
        ("5 k€", US, "5000", "EUR"),
        ("2 Mrd", DE, "2000000000", ""),
        ("2bn", US, "2000000000", ""),
        ("3 тыс руб", Reading(locale="ru-RU"), "3000", "RUB"),
        ("1.234 Mio", US, "1234000", ""),
        ("1,234 Mio", DE, "1234000", ""),
        ("¥500", JP, "500", "JPY"),
        ("¥500", CN, "500", "CNY"),
        ("٢٥٠", US, "250", ""),
        ("２５０", US, "250", ""),
        ("1234.567", US, "1234.567", ""),
        ("1234,567", US, "1234.567", ""),
    ],
)
def test_amounts(text: str, reading: Reading, value: str, currency: str) -> None:
    read = money(text, reading)
    assert read == Money(Decimal(value), currency)
    assert all(money(str(read), other) == read for other in (US, DE, CH, FR)), str(read)


@pytest.mark.parametrize(
    ("text", "reading", "says"),
    [
        ("1,234", DE, "can mean 1234 or 1,234"),
        ("1.234", US, "can mean 1234 or 1.234"),
        ("€1.234", US, "can mean"),
        ("1.234", FR, "can mean"),
        ("lots", US, "not an amount"),
        ("", US, "not an amount"),
        ("5 apples", US, "not an amount"),
        ("5 5 x", US, "not an amount"),
        ("5 EUR USD", US, "not an amount"),
        ("5 k m", US, "not an amount"),
        ("1,23,4", US, "not a number"),
        ("1.2.3", US, "not a number"),
        ("1,234.567.890", US, "not a number"),
        ("5 - 3", US, "not an amount"),
        ("9" * 100, US, "not an amount"),
        ("²", US, "not an amount"),
        ("∞", US, "not an amount"),
        ("NaN", US, "not an amount"),
        ("1e9", US, "not an amount"),
    ],
)
def test_what_is_no_amount_is_said(text: str, reading: Reading, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        money(text, reading)


def test_asking_offers_ways_that_work() -> None:
    with pytest.raises(Unreadable) as caught:
        money("1,234", DE)
    assert "Write 1234, or 1,2340." in str(caught.value)
    assert money("1,2340", DE).value == Decimal("1.234")


@pytest.mark.parametrize(
    ("text", "reading", "value"),
    [("2.5", US, "2.5"), ("2,5", DE, "2.5"), ("1.234", US, "1.234"), ("1.234", DE, "1234"), ("1,234", US, "1234")],
)
def test_numbers_follow_the_locale(text: str, reading: Reading, value: str) -> None:
    assert number(text, reading) == Decimal(value)


def test_whole_numbers() -> None:
    assert integer("1,000", US) == 1000
    assert integer("20.0", US) == 20
    with pytest.raises(Unreadable, match="not a whole number"):
        integer("2.5", US)


@pytest.mark.parametrize("text", ["1.234", "0.001", "-1.5", "1E+3", "1E-7", "1234567.891"])
def test_the_canonical_form_reads_alike_everywhere(text: str) -> None:
    value = Decimal(text)
    for reading in (US, DE, CH, FR):
        assert number(canonical(value), reading) == value
        assert money(canonical(value), reading).value == value
