"""The words of amounts: currencies and powers of ten."""

from typing import Final

from babel.numbers import list_currencies

SYMBOLS: Final = {
    "€": ("EUR",),
    "£": ("GBP",),
    "₽": ("RUB",),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "₴": ("UAH",),
    "₪": ("ILS",),
    "₫": ("VND",),
    "฿": ("THB",),
    "₦": ("NGN",),
    "zł": ("PLN",),
    "kč": ("CZK",),
    "ft": ("HUF",),
    "руб": ("RUB",),
    "руб.": ("RUB",),
    "fr": ("CHF",),
    "fr.": ("CHF",),
    "sfr": ("CHF",),
    "r$": ("BRL",),
    "us$": ("USD",),
    "a$": ("AUD",),
    "c$": ("CAD",),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "$": ("USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "CLP", "COP", "ARS", "TWD"),
    "pounds": ("GBP",),
    "rubles": ("RUB",),
    "francs": ("CHF",),
    "franken": ("CHF",),
    "euro": ("EUR",),
    "euros": ("EUR",),
    "eur": ("EUR",),
    "dollar": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD"),
    "dollars": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD"),
}
"""Currencies that a symbol may mean; the one of the person's country first, else the first here."""

SCALES: Final = {
    **dict.fromkeys(("k", "tsd", "tsd.", "thousand", "grand", "tausend", "т", "тыс", "тыс.", "mille"), 3),
    **dict.fromkeys(("lakh", "lakhs"), 5),
    **dict.fromkeys(("crore", "crores"), 7),
    **dict.fromkeys(("m", "mm", "mn", "mio", "mio.", "mln", "million", "millions", "millionen", "млн", "млн."), 6),
    **dict.fromkeys(("b", "bn", "mrd", "mrd.", "billion", "billions", "milliarden", "млрд", "млрд."), 9),
}
"""Powers of ten. `billion` is 10^9, as in English; German Billion (10^12) is nothing that a CRM's amounts reach."""

CODES: Final = frozenset(list_currencies())
