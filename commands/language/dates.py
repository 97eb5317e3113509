"""Dates and times as people write them: `30 Jun`, `30.6.`, `next friday`, `in 3 days`, `eom`, `tomorrow 3pm`."""

import re
from collections.abc import Iterable
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
    **dict.fromkeys(("today", "eod", "end of day", "heute", "aujourd'hui", "сегодня"), 0),
    **dict.fromkeys(("tomorrow", "tmrw", "tmr", "morgen", "demain", "завтра"), 1),
    **dict.fromkeys(("day after tomorrow", "übermorgen", "après-demain", "послезавтра"), 2),
    **dict.fromkeys(("yesterday", "gestern", "hier", "вчера"), -1),
    **dict.fromkeys(("day before yesterday", "vorgestern", "avant-hier", "позавчера"), -2),
}
_UNITS: Final = {
    **dict.fromkeys(("d", "day", "days", "tag", "tage", "tagen", "jour", "jours", "день", "дня", "дней"), "day"),
    **dict.fromkeys(
        ("w", "wk", "week", "weeks", "woche", "wochen", "semaine", "semaines", "неделю", "недели", "недель", "неделя"),
        "week",
    ),
    **dict.fromkeys(
        ("mo", "month", "months", "monat", "monate", "monaten", "mois", "месяц", "месяца", "месяцев"), "month"
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
        ("y", "yr", "year", "years", "jahr", "jahre", "jahren", "an", "ans", "année", "années", "год", "года", "лет"),
        "year",
    ),
    **dict.fromkeys(("monats",), "month"),
    **dict.fromkeys(("jahres",), "year"),
}
_SHORT_UNITS: Final = {"eow": "week", "eom": "month", "eoq": "quarter", "eoy": "year"}
_CLOCK_UNITS: Final = {
    **dict.fromkeys(
        ("h", "hr", "hrs", "hour", "hours", "stunde", "stunden", "heure", "heures", "час", "часа", "часов"), "hours"
    ),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "minuten", "минуту", "минуты", "минут"), "minutes"),
}
_AGO: Final = ("vor", "il y a")
_NEXT: Final = ("next", "coming", "näch", "komm", "proch", "suiv")
_LAST: Final = ("last", "prev", "letzt", "derni", "passé")
_AHEAD = re.compile(r"(?:in|within|dans|через|\+)\s*(?P<n>\d{1,4}|an?|one|une?|einem|einer)\s*(?P<unit>[^\W\d_]+)")
_BACK = re.compile(
    r"(?:-\s*|vor\s+|il y a\s+)?(?P<n>\d{1,4}|an?|one|une?|einem|einer)\s*(?P<unit>[^\W\d_]+)(?P<ago>\s+(?:ago|назад))?"
)
_EDGES: Final = r"(?P<edge>start|beginning|begin|end|anfang|ende|début|fin|начало|конец)"
_OF: Final = r"(?:(?:of the|of|des|der|du|de la|de)\s+|de l'|d')"
_PERIOD = re.compile(
    rf"(?:{_EDGES}\s+{_OF}?)?"
    r"(?P<which>this|next|last|previous|coming|the|diese[rsn]?|nächste[rsn]?|letzte[rsn]?)?\s*(?P<unit>[^\W\d_]+)"
    r"(?P<after>\s+(?:prochaine?|suivante?|derni(?:er|ère)|passée?))?"
)
_QUARTER = re.compile(r"(?P<edge>start|beginning|end)\s+of\s+q(?P<q>[1-4])(?:\s+(?P<y>\d{4}))?")
_WEEKDAY = re.compile(
    r"(?:(?P<which>this|next|coming|last|nächste[rn]?|kommende[rn]?|letzte[rn]?)\s+)?(?P<day>[^\W\d_]+)\.?"
    r"(?P<after>\s+(?:prochain|suivant|dernier|passé))?"
)
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})|(\d{4})(\d{2})(\d{2})", re.ASCII)
_NUMERIC = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})(?:\s*\2\s*(\d{4}|\d{2})?)?", re.ASCII)
_DAY_MONTH = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th|er|\.)?\s*(?:of\s+)?-?([^\W\d_]+)\.?-?,?\s*(\d{4})?",
)
_MONTH_DAY = re.compile(r"([^\W\d_]+)\.?\s*(\d{1,2})(?:st|nd|rd|th)?,?(?:\s+(\d{4}))?")
_EDGE_MONTH = re.compile(rf"{_EDGES}\s+{_OF}?(?P<month>[^\W\d_]+)(?:\s+(?P<y>\d{{4}}))?")
_LANGUAGES: Final = ("en", "de", "fr", "ru")
"""Those whose words are known above; figures and the names of months and days are read in every language."""


def _any(names: Iterable[str]) -> str:
    return f"(?:{'|'.join(sorted(map(re.escape, names), key=lambda name: -len(name)))})"


def _phrase() -> re.Pattern[str]:
    months = _any({name for language in _LANGUAGES for name in _months(language)})
    days = _any({name for language in _LANGUAGES for name in _weekdays(language)})
    units = _any(unit for unit in (*_UNITS, *_CLOCK_UNITS) if len(unit) > 2 or unit in ("h", "an"))
    which = r"(?:this|next|last|previous|coming|diese[rsnm]?|nächste[rsn]?|kommende[rn]?|letzte[rsn]?)"
    after = r"(?:prochaine?|suivante?|derni(?:er|ère)|passée?)"
    count = r"(?:\d{1,4}|an?|one|une?|einem|einer)"
    return re.compile(
        rf"(?:(?:the|le|la|on|am|den)\s+)?(?:{_EDGES}\s+{_OF}?(?:{which}\s+)?(?:q[1-4]|{months}\b|{units}\b)(?:\s+\d{{4}}|\s+{after})?"
        rf"|{which}\s+(?:{units}|{days})\b|(?:{units}|{days})\s+{after}"
        rf"|(?:in|within|dans|vor|через|il y a)\s+{count}\s+{units}\b|{count}\s+{units}\s+(?:ago|назад)"
        r"|q[1-4]\s+\d{4}"
        r"|day\s+(?:after\s+tomorrow|before\s+yesterday)"
        rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.)?\s+(?:of\s+)?{months}\b\.?(?:,?\s+\d{{4}})?"
        rf"|{months}\b\.?\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?"
        rf"|[^\W\d_]+)"
        r"(?:\s+(?:(?:at|um|à|в)\s+)?\d{1,2}(?:[:h]\d{2}(?:\s*(?:am|pm|uhr))?|\s*(?:am|pm|uhr|h)))?(?=[\s),]|$)",
        re.IGNORECASE,
    )


_TIME = re.compile(
    r"(?:^|[\s,T])(?:at\s+|um\s+|à\s+|в\s+)?(?:(?P<h>\d{1,2})[:.h](?P<m>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d{1,6}))?)?"
    r"|(?P<hour>\d{1,2})(?=\s*(?:[ap]\.?m|uhr|h)))"
    r"\s*(?P<half>[ap]\.?m\.?|uhr|h)?\s*(?P<zone>z|utc|[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)


_LEADING = re.compile(r"(?:the|le|la|on|am|den)\s+")


def day(text: str, reading: Reading, toward: Toward = "future") -> date:
    """The date meant. Raises Unreadable."""
    words = _folded(text)
    if not words or len(words) > _LONGEST:
        raise _not_a_day(text)
    try:
        words = words[led.end() :] if (led := _LEADING.match(words)) else words
        found = _written(words, reading, toward) or _spoken(words, reading, toward)
    except (ValueError, OverflowError) as e:
        raise _no_such_day(text) if not isinstance(e, Unreadable) else e from e
    if found is None:
        raise _not_a_day(text)
    return found


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold().replace("’", "'")


def instant(text: str, reading: Reading, toward: Toward = "future") -> datetime:
    """The moment meant, aware; a day alone is its start on the person's clock. Raises Unreadable."""
    words = _folded(text)
    if words in ("now", "jetzt", "сейчас"):
        return reading.now
    step = _clock_step(words, reading, toward)
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
    found = _BACK.fullmatch(_folded(text))
    if found is None or found["ago"] or found[0][0] == "-" or found[0].startswith(_AGO):
        return None
    unit = _UNITS.get(found["unit"]) or _CLOCK_UNITS.get(found["unit"], "").rstrip("s")
    return (_count(found["n"]), unit) if unit else None


def _clock_step(words: str, reading: Reading, toward: Toward) -> datetime | None:
    for pattern in (_AHEAD, _BACK):
        found = pattern.fullmatch(words)
        unit = _CLOCK_UNITS.get(found["unit"]) if found else None
        if found and unit:
            back = pattern is _BACK and (found["ago"] or words[0] == "-" or words.startswith(_AGO) or toward == "past")
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
        back = found["ago"] or words[0] == "-" or words.startswith(_AGO) or toward == "past"
        return _step(today, found["unit"], _count(found["n"]) * (-1 if back else 1))
    if found := _QUARTER.fullmatch(words):
        return _edge_in_year("quarter", 3 * int(found["q"]) - 2, found, today, toward)
    months = _months(reading.words)
    if (found := _EDGE_MONTH.fullmatch(words)) and found["month"] in months:
        return _edge_in_year("month", months[found["month"]], found, today, toward)
    if (found := _PERIOD.fullmatch(words)) and found["unit"] in _UNITS:
        which = found["which"] or (found["after"] or "").strip()
        if found["edge"] or which:
            offset = 1 if which.startswith(_NEXT) else -1 if which.startswith(_LAST) else 0
            return _edge(_UNITS[found["unit"]], found["edge"] or "start", offset, today)
    return _weekday(words, reading, toward)


def _edge_in_year(unit: str, month: int, found: re.Match[str], today: date, toward: Toward) -> date:
    """The first or last day of a month or quarter; without a year the one that lies ahead (or behind, for the past)."""
    if found["y"]:
        return _edge(unit, found["edge"], 0, date(int(found["y"]), month, 1))
    this = _edge(unit, found["edge"], 0, date(today.year, month, 1))
    other = today.year + (1 if toward == "future" else -1)
    kept = this >= today if toward == "future" else this <= today
    return this if kept else _edge(unit, found["edge"], 0, date(other, month, 1))


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
    return first + length - timedelta(days=1) if edge in ("end", "ende", "fin", "конец") else first


def _weekday(words: str, reading: Reading, toward: Toward) -> date | None:
    found = _WEEKDAY.fullmatch(words)
    number = _weekdays(reading.words).get(found["day"]) if found else None
    if found is None or number is None:
        return None
    which = (found["after"] or found["which"] or "").strip()
    back = which.startswith(_LAST) or (not which and toward == "past")
    ahead = (number - reading.today.weekday()) % 7
    if back:
        return reading.today - timedelta(days=(reading.today.weekday() - number) % 7 or 7)
    if which.startswith(_NEXT):
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


PHRASE: Final = _phrase()
"""A date of several words that may stand without quotes, with or without a time."""
