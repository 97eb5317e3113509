"""Dates and times as people write them: `30 Jun`, `30.6.`, `next friday`, `in 3 days`, `eom`, `tomorrow 3pm`."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal

from babel import Locale
from babel.dates import get_day_names, get_month_names
from dateutil.relativedelta import relativedelta

from .reading import Reading, Unreadable, shown

Toward = Literal["future", "past"]
"""Which occurrence of a day without a year, or of a bare weekday, is meant."""

_LONGEST = 64

_RELATIVE: Final = {
    **dict.fromkeys(("today", "eod", "end of day", "heute", "сегодня"), 0),
    **dict.fromkeys(("tomorrow", "tmrw", "tmr", "morgen", "завтра"), 1),
    **dict.fromkeys(("day after tomorrow", "the day after tomorrow", "übermorgen", "послезавтра"), 2),
    **dict.fromkeys(("yesterday", "gestern", "вчера"), -1),
    **dict.fromkeys(("day before yesterday", "the day before yesterday", "vorgestern", "позавчера"), -2),
}
_UNITS: Final = {
    **dict.fromkeys(("d", "day", "days", "tag", "tage", "tagen", "день", "дня", "дней"), "day"),
    **dict.fromkeys(("w", "wk", "week", "weeks", "woche", "wochen", "неделю", "недели", "недель", "неделя"), "week"),
    **dict.fromkeys(("mo", "month", "months", "monat", "monate", "monaten", "месяц", "месяца", "месяцев"), "month"),
    **dict.fromkeys(("q", "quarter", "quarters", "quartal", "quartale", "quartals", "квартал", "квартала"), "quarter"),
    **dict.fromkeys(("y", "yr", "year", "years", "jahr", "jahre", "jahren", "год", "года", "лет"), "year"),
    **dict.fromkeys(("monats",), "month"),
    **dict.fromkeys(("jahres",), "year"),
}
_SHORT_UNITS: Final = {"eow": "week", "eom": "month", "eoq": "quarter", "eoy": "year"}
_CLOCK_UNITS: Final = {
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "stunde", "stunden", "час", "часа", "часов"), "hours"),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "minuten", "минуту", "минуты", "минут"), "minutes"),
}
_AHEAD = re.compile(r"(?:in|within|через|\+)\s*(?P<n>\d{1,4}|an?|one|einem|einer)\s*(?P<unit>[^\W\d_]+)")
_BACK = re.compile(
    r"(?:-\s*|vor\s+)?(?P<n>\d{1,4}|an?|one|einem|einer)\s*(?P<unit>[^\W\d_]+)(?P<ago>\s+(?:ago|назад))?"
)
_PERIOD = re.compile(
    r"(?:(?P<edge>start|beginning|begin|end|anfang|ende|начало|конец)\s+(?:of\s+|of the\s+|des\s+|der\s+)?)?"
    r"(?P<which>this|next|last|previous|coming|the|diese[rsn]?|nächste[rsn]?|letzte[rsn]?)?\s*(?P<unit>[^\W\d_]+)"
)
_QUARTER = re.compile(r"(?P<edge>start|beginning|end)\s+of\s+q(?P<q>[1-4])(?:\s+(?P<y>\d{4}))?")
_WEEKDAY = re.compile(
    r"(?:(?P<which>this|next|coming|last|on|am|nächste[rn]?|kommende[rn]?|letzte[rn]?)\s+)?(?P<day>[^\W\d_]+)\.?"
)
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})|(\d{4})(\d{2})(\d{2})", re.ASCII)
_NUMERIC = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})(?:\s*\2\s*(\d{4}|\d{2})?)?", re.ASCII)
_DAY_MONTH = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|\.)?\s*(?:of\s+)?-?([^\W\d_]+)\.?-?,?\s*(\d{4})?",
)
_MONTH_DAY = re.compile(r"([^\W\d_]+)\.?\s*(\d{1,2})(?:st|nd|rd|th)?,?(?:\s+(\d{4}))?")
_UNIT_WORD = r"(?:day|week|month|quarter|year)"
PHRASE: Final = re.compile(
    rf"(?:(?:start|beginning|end)\s+of\s+(?:the\s+)?(?:(?:this|next|last)\s+)?(?:{_UNIT_WORD}|q[1-4](?:\s+\d{{4}})?)"
    rf"|(?:this|next|last|previous|coming)\s+(?:{_UNIT_WORD}|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
    r"|in\s+(?:\d{1,4}|an?)\s+[^\W\d_]+|(?:\d{1,4}|an?)\s+[^\W\d_]+\s+ago|q[1-4]\s+\d{4}"
    r"|(?:the\s+)?day\s+(?:after\s+tomorrow|before\s+yesterday)"
    r"|\d{1,2}(?:st|nd|rd|th|\.)?\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?(?:,?\s+\d{4})?"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?\s+\d{1,2}(?:st|nd|rd|th)?(?:,?\s+\d{4})?)"
    r"(?:\s+(?:at\s+)?\d{1,2}(?::\d{2})?\s*(?:am|pm)?)?(?=[\s),]|$)",
    re.IGNORECASE,
)
"""A date of several words that may stand without quotes, with or without a time."""

_TIME = re.compile(
    r"(?:^|[\s,T])(?:at\s+|um\s+|в\s+)?(?:(?P<h>\d{1,2})[:.](?P<m>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d{1,6}))?)?"
    r"|(?P<hour>\d{1,2})(?=\s*(?:[ap]\.?m|uhr)))"
    r"\s*(?P<half>[ap]\.?m\.?|uhr)?\s*(?P<zone>z|utc|[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)


def day(text: str, reading: Reading, toward: Toward = "future") -> date:
    """The date meant. Raises Unreadable."""
    words = " ".join(text.split()).casefold()
    if not words or len(words) > _LONGEST:
        raise _not_a_day(text)
    try:
        found = _written(words, reading, toward) or _spoken(words, reading, toward)
    except (ValueError, OverflowError) as e:
        raise _no_such_day(text) if not isinstance(e, Unreadable) else e from e
    if found is None:
        raise _not_a_day(text)
    return found


def instant(text: str, reading: Reading, toward: Toward = "future") -> datetime:
    """The moment meant, aware; a day alone is its start on the person's clock. Raises Unreadable."""
    words = " ".join(text.split())
    if words.casefold() in ("now", "jetzt", "сейчас"):
        return reading.now
    step = _clock_step(words.casefold(), reading, toward)
    if step:
        return step
    found = _TIME.search(words) if len(words) <= _LONGEST else None
    if not found:
        return _at(day(words, reading, toward), time(0), reading)
    rest = words[: found.start()].strip(" ,")
    on = day(rest, reading, toward) if rest else reading.today
    try:
        clock = _clock(found)
    except ValueError:
        raise Unreadable(f"{shown(text)} has no time that exists. Write it like 2026-06-30 14:00.") from None
    zone = found["zone"]
    if not zone:
        return _at(on, clock, reading)
    if zone.casefold() in ("z", "utc"):
        return datetime.combine(on, clock, UTC)
    return datetime.fromisoformat(f"{on.isoformat()}T{clock.isoformat()}{zone}")


def _not_a_day(text: str) -> Unreadable:
    return Unreadable(f"{shown(text)} is not a date that I can read. Write it like 2026-06-30, 30 Jun or next friday.")


def _no_such_day(text: str) -> Unreadable:
    return Unreadable(f"{shown(text)} is not a day that exists. Write it like 2026-06-30.")


def _at(on: date, clock: time, reading: Reading) -> datetime:
    return datetime.combine(on, clock, reading.zone)


def _clock(found: re.Match[str]) -> time:
    hour = int(found["h"] or found["hour"])
    half = (found["half"] or "").replace(".", "").casefold()
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if half == "pm" else 0)
    fraction = (found["f"] or "0").ljust(6, "0")
    return time(hour, int(found["m"] or 0), int(found["s"] or 0), int(fraction))


def age(text: str) -> tuple[int, str] | None:
    """(7, "day") of `7d` or `7 days`: a span that says no direction; None for any other text."""
    found = _BACK.fullmatch(" ".join(text.split()).casefold())
    if found is None or found["ago"] or found[0][0] == "-" or found[0].startswith("vor"):
        return None
    unit = _UNITS.get(found["unit"]) or _CLOCK_UNITS.get(found["unit"], "").rstrip("s")
    return (_count(found["n"]), unit) if unit else None


def _clock_step(words: str, reading: Reading, toward: Toward) -> datetime | None:
    for pattern in (_AHEAD, _BACK):
        found = pattern.fullmatch(words)
        unit = _CLOCK_UNITS.get(found["unit"]) if found else None
        if found and unit:
            back = pattern is _BACK and (found["ago"] or words[0] == "-" or words.startswith("vor") or toward == "past")
            return reading.now + timedelta(**{unit: _count(found["n"]) * (-1 if back else 1)})
    return None


def _count(text: str) -> int:
    return int(text) if text.isdigit() else 1


def _written(words: str, reading: Reading, toward: Toward) -> date | None:
    """A date in figures, or with the month's name."""
    if found := _ISO.fullmatch(words):
        y, m, d = (found[1], found[3], found[4]) if found[1] else (found[5], found[6], found[7])
        return date(int(y), int(m), int(d))
    if found := _NUMERIC.fullmatch(words):
        d, m = _order(int(found[1]), int(found[3]), found[2], reading)
        return _in_year(found[4], m, d, reading, toward)
    months = _months(reading.words)
    if (found := _DAY_MONTH.fullmatch(words)) and found[2] in months:
        return _in_year(found[3], months[found[2]], int(found[1]), reading, toward)
    if (found := _MONTH_DAY.fullmatch(words)) and found[1] in months:
        return _in_year(found[3], months[found[1]], int(found[2]), reading, toward)
    return None


def _order(first: int, second: int, sep: str, reading: Reading) -> tuple[int, int]:
    """(day, month) of two numbers: dots put the day first, otherwise the locale decides unless only one way exists."""
    pattern = str(reading.babel.date_formats["short"].pattern)
    day_first = sep == "." or pattern.find("d") < pattern.find("M")
    if second > 12 >= first:
        return second, first
    if first > 12 or day_first:
        return first, second
    return second, first


def _in_year(year: str | None, month: int, d: int, reading: Reading, toward: Toward) -> date:
    if year:
        return date(int(year) + (2000 if len(year) == 2 else 0), month, d)
    this = reading.today.year
    years = (this, *range(this + 1, this + 9)) if toward == "future" else (this, *range(this - 1, this - 9, -1))
    for candidate in years:
        try:
            found = date(candidate, month, d)
        except ValueError:
            continue  # 29 February of a common year
        if (found >= reading.today) if toward == "future" else (found <= reading.today):
            return found
    raise ValueError


def _spoken(words: str, reading: Reading, toward: Toward) -> date | None:
    today = reading.today
    if words in ("now", "jetzt", "сейчас"):
        return today
    if words in _RELATIVE:
        return today + timedelta(days=_RELATIVE[words])
    if words in _SHORT_UNITS:
        return _edge(_SHORT_UNITS[words], "end", 0, today)
    if found := _AHEAD.fullmatch(words):
        return _step(today, found["unit"], _count(found["n"]))
    if (found := _BACK.fullmatch(words)) and found["unit"] in _UNITS:
        back = found["ago"] or words[0] == "-" or words.startswith("vor") or toward == "past"
        return _step(today, found["unit"], _count(found["n"]) * (-1 if back else 1))
    if found := _QUARTER.fullmatch(words):
        first = date(int(found["y"] or today.year), 3 * int(found["q"]) - 2, 1)
        return _edge("quarter", found["edge"], 0, first)
    if (found := _PERIOD.fullmatch(words)) and found["unit"] in _UNITS and (found["edge"] or found["which"]):
        which = found["which"] or ""
        offset = (
            1 if which.startswith(("next", "coming", "näch")) else -1 if which.startswith(("la", "prev", "let")) else 0
        )
        return _edge(_UNITS[found["unit"]], found["edge"] or "start", offset, today)
    return _weekday(words, reading, toward)


def _step(today: date, unit: str, n: int) -> date | None:
    kind = _UNITS.get(unit)
    if kind is None:
        return None
    steps = {"day": "days", "week": "weeks", "month": "months", "quarter": "months", "year": "years"}
    return today + relativedelta(**{steps[kind]: n * (3 if kind == "quarter" else 1)})  # type: ignore[arg-type]


def _edge(unit: str, edge: str, offset: int, today: date) -> date:
    """The first or last day of a day, week (from Monday), month, quarter or year; `offset` 1 is the next one."""
    if unit == "day":
        return today + timedelta(days=offset)
    if unit == "week":
        first, length = today - timedelta(days=today.weekday()), relativedelta(weeks=1)
    elif unit == "month":
        first, length = today.replace(day=1), relativedelta(months=1)
    elif unit == "quarter":
        first, length = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1), relativedelta(months=3)
    else:
        first, length = date(today.year, 1, 1), relativedelta(years=1)
    first += length * offset
    return first + length - timedelta(days=1) if edge in ("end", "ende", "конец") else first


def _weekday(words: str, reading: Reading, toward: Toward) -> date | None:
    found = _WEEKDAY.fullmatch(words)
    number = _weekdays(reading.words).get(found["day"]) if found else None
    if found is None or number is None:
        return None
    which = found["which"] or ""
    back = which.startswith(("last", "letzt")) or (not which and toward == "past")
    ahead = (number - reading.today.weekday()) % 7
    if back:
        return reading.today - timedelta(days=(reading.today.weekday() - number) % 7 or 7)
    if which.startswith(("next", "coming", "näch", "komm")):
        return reading.today + timedelta(days=ahead or 7)
    return reading.today + timedelta(days=ahead)


@lru_cache(maxsize=64)
def _months(language: str) -> dict[str, int]:
    return _names(language, get_month_names) | {"sept": 9}


@lru_cache(maxsize=64)
def _weekdays(language: str) -> dict[str, int]:
    return _names(language, get_day_names) | {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}


def _names(language: str, get: object) -> dict[str, int]:
    names: dict[str, int] = {}
    for code in dict.fromkeys((language, "en")):
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                table = get(width, context, Locale(code))  # type: ignore[operator]
                for number, name in table.items():
                    names.setdefault(name.casefold().rstrip("."), number)
    return names
