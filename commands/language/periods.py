"""Periods as people name them: `Q3`, `Q3 2026`, `November`, `2026`, `next quarter`, `last 7 days`, `KW 48`."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from dateutil.relativedelta import relativedelta

from .date_words import AFTER, COUNT, EDGES, ENDS, LAST, NEXT, OF, UNITS, WHICH, count, months, weekdays
from .reading import Reading

Toward = Literal["future", "past"]
"""Which occurrence of a day without a year, or of a bare weekday, is meant."""


class Period(NamedTuple):
    """Its first and its last day."""

    first: date
    last: date


_YEAR: Final = r"(?:[\s/-]*(?:of\s+)?(?P<y>\d{4}))?"
_QUARTER = re.compile(
    rf"(?:(?:the\s+)?(?:q(?P<q>[1-4])|(?P<n>[1-4])(?:st|nd|rd|th|er|e|\.)?\s*(?:quarter|quartal|trimestre)"
    rf"|(?P<word>first|second|third|fourth)\s+quarter){_YEAR}|(?P<before>\d{{4}})[\s/-]*q(?P<after>[1-4]))"
)
_ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_MONTH = re.compile(rf"(?P<month>[^\W\d_]+)\.?{_YEAR}")
_MONTH_IN_FIGURES = re.compile(r"(?P<m>\d{1,2})\s*[/.]\s*(?P<y>\d{4})|(?P<y2>\d{4})-(?P<m2>\d{2})", re.ASCII)
_WEEK = re.compile(rf"(?:kw|cw|week|woche)\s*(?P<w>\d{{1,2}}){_YEAR}")
_ONE_YEAR = re.compile(r"(?:the\s+year\s+)?(20\d\d)", re.ASCII)
_NAMED = re.compile(rf"(?P<which>{WHICH}|the)?\s*(?P<unit>[^\W\d_]+)(?P<after>\s+{AFTER})?")
_COUNTED = re.compile(rf"(?:the\s+)?(?P<which>{WHICH}|past)\s+(?P<n>{COUNT})\s+(?P<unit>[^\W\d_]+)")
_EDGED = re.compile(rf"{EDGES}\s+{OF}?(?P<of>.+)")


def edge(words: str, reading: Reading, toward: Toward) -> date | None:
    """The day of `end of Q3`, `start of next month`, `Ende Juni`."""
    found = _EDGED.fullmatch(words)
    if found is None:
        return None
    ends = found["edge"] in ENDS

    def meant(span: Period) -> date:
        return span.last if ends else span.first

    span = _of_year(found["of"], reading, toward, meant) or _relative(found["of"], reading.today, bare=True)
    return meant(span) if span else None


def period(words: str, reading: Reading, toward: Toward) -> Period | None:
    """The period that folded words name; without a year the one whose end lies ahead (its start behind: past)."""

    def meant(span: Period) -> date:
        return span.last if toward == "future" else span.first

    return _of_year(words, reading, toward, meant) or _relative(words, reading.today) or _counted(words, reading.today)


def _of_year(words: str, reading: Reading, toward: Toward, meant: Callable[[Period], date]) -> Period | None:
    """A quarter, month or week, with or without its year; or a year. Raises ValueError for one that does not exist."""
    if found := _ONE_YEAR.fullmatch(words):
        return around("year", date(int(found[1]), 1, 1))
    if found := _MONTH_IN_FIGURES.fullmatch(words):
        return around("month", date(int(found["y"] or found["y2"]), int(found["m"] or found["m2"]), 1))
    if found := _QUARTER.fullmatch(words):
        quarter = int(found["q"] or found["n"] or found["after"] or _ORDINALS[found["word"]])
        return _nearest(
            lambda year: around("quarter", date(year, 3 * quarter - 2, 1)),
            found["y"] or found["before"], reading, toward, meant,
        )  # fmt: skip
    if found := _WEEK.fullmatch(words):
        week = int(found["w"])
        return _nearest(
            lambda year: around("week", date.fromisocalendar(year, week, 1)), found["y"], reading, toward, meant
        )
    if (found := _MONTH.fullmatch(words)) and (found["y"] or found["month"] not in weekdays(reading.words)):
        month = months(reading.words).get(found["month"])
        if month:
            return _nearest(lambda year: around("month", date(year, month, 1)), found["y"], reading, toward, meant)
    return None


def _nearest(
    of: Callable[[int], Period], year: str | None, reading: Reading, toward: Toward, meant: Callable[[Period], date]
) -> Period:
    today = reading.today
    if year:
        return of(int(year))
    this = of(today.year)
    if toward == "future":
        return this if meant(this) >= today else of(today.year + 1)
    return this if meant(this) <= today else of(today.year - 1)


def _relative(words: str, today: date, *, bare: bool = False) -> Period | None:
    """`next quarter`; `bare`: `quarter` alone is this one."""
    found = _NAMED.fullmatch(words)
    if found is None or found["unit"] not in UNITS:
        return None
    which = found["which"] or (found["after"] or "").strip()
    if not which and not bare:
        return None
    return around(UNITS[found["unit"]], today, 1 if which.startswith(NEXT) else -1 if which.startswith(LAST) else 0)


def _counted(words: str, today: date) -> Period | None:
    """`last 7 days`: until today; `next 2 weeks`: from today."""
    found = _COUNTED.fullmatch(words)
    if found is None:
        return None
    back = found["which"].startswith((*LAST, "past"))
    n = count(found["n"])
    if not back and not found["which"].startswith(NEXT):
        return None
    other = step(today, found["unit"], -n if back else n)
    if other is None:
        return None
    return Period(other, today) if back else Period(today, other)


def step(today: date, unit: str, n: int) -> date | None:
    """The day that lies `n` of these units ahead; None for what is no unit."""
    kind = UNITS.get(unit)
    if kind is None:
        return None
    steps = {
        "day": relativedelta(days=n),
        "week": relativedelta(weeks=n),
        "month": relativedelta(months=n),
        "quarter": relativedelta(months=3 * n),
        "year": relativedelta(years=n),
    }
    return today + steps[kind]


def around(unit: str, day: date, offset: int = 0) -> Period:
    """The day, week (from Monday), month, quarter or year in which a day lies; `offset` 1 is the next one."""
    if unit == "day":
        first, length = day, relativedelta(days=1)
    elif unit == "week":
        first, length = day - timedelta(days=day.weekday()), relativedelta(weeks=1)
    elif unit == "month":
        first, length = day.replace(day=1), relativedelta(months=1)
    elif unit == "quarter":
        first, length = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1), relativedelta(months=3)
    else:
        first, length = date(day.year, 1, 1), relativedelta(years=1)
    first += length * offset
    return Period(first, first + length - timedelta(days=1))
