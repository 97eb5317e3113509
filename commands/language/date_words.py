"""The words of dates: days, months, units of time, and which of them is meant, in four languages."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.dates import get_day_names, get_month_names

from .numerals import any_of

RELATIVE: Final = {
    **dict.fromkeys(("today", "eod", "end of day", "heute", "aujourd'hui", "сегодня"), 0),
    **dict.fromkeys(("tomorrow", "tmrw", "tmr", "morgen", "demain", "завтра"), 1),
    **dict.fromkeys(("day after tomorrow", "übermorgen", "après-demain", "послезавтра"), 2),
    **dict.fromkeys(("yesterday", "gestern", "hier", "вчера"), -1),
    **dict.fromkeys(("day before yesterday", "vorgestern", "avant-hier", "позавчера"), -2),
}
UNITS: Final = {
    **dict.fromkeys(("d", "day", "days", "tag", "tage", "tagen", "jour", "jours", "день", "дня", "дней"), "day"),
    **dict.fromkeys(
        ("w", "wk", "week", "weeks", "woche", "wochen", "semaine", "semaines", "неделю", "недели", "недель", "неделя"),
        "week",
    ),
    **dict.fromkeys(
        ("mo", "month", "months", "monat", "monate", "monaten", "monats", "mois", "месяц", "месяца", "месяцев"), "month"
    ),
    **dict.fromkeys(
        (
            "q",
            "quarter",
            "quarters",
            "quartal",
            "quartale",
            "quartals",
            "trimestre",
            "trimestres",
            "квартал",
            "квартала",
        ),
        "quarter",
    ),
    **dict.fromkeys(
        (
            "y",
            "yr",
            "year",
            "years",
            "jahr",
            "jahre",
            "jahren",
            "jahres",
            "an",
            "ans",
            "année",
            "années",
            "год",
            "года",
            "лет",
        ),
        "year",
    ),
}
SHORT_UNITS: Final = {"eow": "week", "eom": "month", "eoq": "quarter", "eoy": "year"}
CLOCK_UNITS: Final = {
    **dict.fromkeys(
        ("h", "hr", "hrs", "hour", "hours", "stunde", "stunden", "heure", "heures", "час", "часа", "часов"), "hours"
    ),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "minuten", "минуту", "минуты", "минут"), "minutes"),
}
AGO: Final = ("vor", "il y a")
NEXT: Final = ("next", "coming", "näch", "komm", "proch", "suiv")
LAST: Final = ("last", "prev", "letzt", "derni", "passé")
EDGES: Final = r"(?P<edge>start|beginning|begin|end|anfang|ende|début|fin|начало|конец)"
ENDS: Final = frozenset({"end", "ende", "fin", "конец"})
WHICH: Final = r"(?:this|next|last|previous|coming|diese[rsnm]?|nächste[rsn]?|kommende[rsn]?|letzte[rsn]?)"
AFTER: Final = r"(?:prochaine?|suivante?|derni(?:er|ère)|passée?)"
COUNT: Final = r"(?:\d{1,4}|an?|one|une?|einem|einer)"
OF: Final = r"(?:de l'|d'|(?:of the|of|des|der|du|de la|de)\s+)"


def count(text: str) -> int:
    """The number that `COUNT` found: a word for one, or figures."""
    return int(text) if text.isdigit() else 1


@lru_cache(maxsize=64)
def months(language: str) -> dict[str, int]:
    """Number by folded name, in this language and in English."""
    return _names(language, get_month_names) | {"sept": 9}


@lru_cache(maxsize=64)
def weekdays(language: str) -> dict[str, int]:
    """Number by folded name, Monday 0, in this language and in English."""
    return _names(language, get_day_names) | {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}


def _names(language: str, get: Callable[..., Mapping[int, str]]) -> dict[str, int]:
    names: dict[str, int] = {}
    for code in dict.fromkeys((language, "en")):
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                table = get(width, context, Locale(code))
                for number, name in table.items():
                    names.setdefault(name.casefold().rstrip("."), number)
    return names


_LANGUAGES: Final = ("en", "de", "fr", "ru")
"""Those whose words are known here; figures and the names of months and days are read in every language."""


def _any(names: Iterable[str]) -> str:
    return f"(?:{any_of(names)})"


def _phrase() -> re.Pattern[str]:
    month = _any({name for language in _LANGUAGES for name in months(language)})
    day = _any({name for language in _LANGUAGES for name in weekdays(language)})
    unit = _any(unit for unit in (*UNITS, *CLOCK_UNITS) if len(unit) > 2 or unit in ("h", "an"))
    quarter = (
        r"(?:q[1-4]|(?:[1-4](?:st|nd|rd|th|er|e|\.)?|first|second|third|fourth)\s+(?:quarter|quartal|trimestre)\b)"
    )
    year = r"(?:(?:\s+|\s*/\s*)(?:of\s+)?\d{4})"
    return re.compile(
        rf"(?:(?:by|until|bis)\s+)?(?:(?:the|le|la|on|am|den|in|im)\s+)?"
        rf"(?:{EDGES}\s+{OF}?(?:{WHICH}\s+)?(?:{quarter}|{month}\b|{unit}\b|\d{{4}})(?:{year}|\s+{AFTER})?"
        rf"|(?:{WHICH}|past)\s+{COUNT}\s+{unit}\b"
        rf"|{WHICH}\s+(?:{unit}|{day})\b|(?:{unit}|{day})\s+{AFTER}"
        rf"|(?:in|within|dans|vor|через|il y a)\s+{COUNT}\s+{unit}\b|{COUNT}\s+{unit}\s+(?:ago|назад)"
        rf"|{quarter}{year}?|\d{{4}}\s*q[1-4]|{month}\b\.?{year}|(?:kw|cw|week|woche)\s*\d{{1,2}}{year}?"
        r"|day\s+(?:after\s+tomorrow|before\s+yesterday)"
        rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.)?\s+(?:of\s+)?{month}\b\.?(?:,?\s+\d{{4}})?"
        rf"|{month}\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?"
        rf"|[^\W\d_]+)"
        r"(?:\s+(?:at|um|à)\s+\d{1,2}(?=[\s),]|$)|\s+(?:(?:at|um|à|в)\s+)?\d{1,2}(?:[:h]\d{2}(?:\s*(?:am|pm|uhr))?|\s*(?:am|pm|uhr|h)))?(?=[\s),]|\.\.|$)",
        re.IGNORECASE,
    )


PHRASE: Final = _phrase()
"""A date of several words that may stand without quotes, with or without a time."""
