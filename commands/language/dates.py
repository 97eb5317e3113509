"""Dates and times as people write them: `30 Jun`, `30.6.`, `next friday`, `in 3 days`, `eom`, `tomorrow 3pm`."""

import re
from datetime import UTC, date, datetime, time, timedelta

from .date_words import (
    AGO,
    CLOCK_UNITS,
    LAST,
    NEXT,
    PHRASE,
    RELATIVE,
    SHORT_UNITS,
    UNITS,
    count,
    months,
    weekdays,
)
from .periods import Period, Toward, around, edge, period, step
from .reading import Reading, Unreadable, shown

__all__ = ["PHRASE", "Period", "Toward", "age", "day", "days", "due", "instant", "past_day", "span"]

_LONGEST = 64

_AHEAD = re.compile(r"(?:in|within|dans|через|\+)\s*(?P<n>\d{1,4}|an?|one|une?|einem|einer)\s*(?P<unit>[^\W\d_]+)")
_BACK = re.compile(
    r"(?:-\s*|vor\s+|il y a\s+)?(?P<n>\d{1,4}|an?|one|une?|einem|einer)\s*(?P<unit>[^\W\d_]+)(?P<ago>\s+(?:ago|назад))?"
)
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
_TIME = re.compile(
    r"(?:^|[\s,T])(?:at\s+|um\s+|à\s+|в\s+)?(?:(?P<h>\d{1,2})[:.h](?P<m>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d{1,6}))?)?"
    r"|(?P<hour>\d{1,2})(?=\s*(?:[ap]\.?m|uhr|h))|(?:(?<=at )|(?<=um )|(?<=à ))(?P<plain>[7-9]|1\d|2[0-3])(?=$))"
    r"\s*(?P<half>[ap]\.?m\.?|uhr|h)?\s*(?P<zone>z|utc|[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)


_LAST_DAYS = re.compile(r"^(?:the )?(?:last|past) (?=\d)")
_LEADING = re.compile(
    r"(?:(?:by|until|bis)\s+)?(?:(?:the|le|la|on|am|den)\s+|(?:in|im)\s+(?!\d|an?\s|one\s))|(?:by|until|bis)\s+"
)


def span(text: str, reading: Reading, toward: Toward = "future") -> Period:
    """The period that is meant; a day is one of its own. Raises Unreadable."""
    words = _folded(text)
    if not words or len(words) > _LONGEST:
        raise _not_a_day(text)
    try:
        words = words[led.end() :] if (led := _LEADING.match(words)) else words
        on = _written(words, reading, toward) or _spoken(words, reading, toward)
        found = Period(on, on) if on else period(words, reading, toward)
    except (ValueError, OverflowError) as e:
        raise _no_such_day(text) if not isinstance(e, Unreadable) else e from e
    if found is None:
        raise _not_a_day(text)
    return found


def day(text: str, reading: Reading, toward: Toward = "future") -> date:
    """The date meant; of a period its first day. Raises Unreadable."""
    return span(text, reading, toward).first


def days(text: str, reading: Reading, toward: Toward = "future") -> Period | None:
    """The period that is named as one, like `Q3` or `last week`; None for any other text. Raises Unreadable."""
    words = _folded(text)
    try:
        return period(words.removeprefix("the "), reading, toward) if len(words) <= _LONGEST else None
    except (ValueError, OverflowError) as e:
        raise _no_such_day(text) from e


def due(text: str, reading: Reading) -> date:
    """The date by which something is to happen: of a period its last day. Raises Unreadable."""
    return span(text, reading).last


def past_day(text: str, reading: Reading) -> date:
    """The date on which something happened. Raises Unreadable, also for a period, which is no day."""
    found = span(text, reading, "past")
    if found.first != found.last:
        raise Unreadable(f"{shown(text)} is more than a day. Write the day, like 2026-06-30 or last friday.")
    return found.first


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
    hour = int(found["h"] or found["hour"] or found["plain"])
    half = (found["half"] or "").replace(".", "").casefold()
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if half == "pm" else 0)
    fraction = (found["f"] or "0").ljust(6, "0")
    return time(hour, int(found["m"] or 0), int(found["s"] or 0), int(fraction))


def age(text: str) -> tuple[int, str] | None:
    """(7, "day") of `7d`, `7 days` or `last 7 days`: a span that ends today; None for any other text."""
    found = _BACK.fullmatch(_LAST_DAYS.sub("", _folded(text)))
    if found is None or found["ago"] or found[0][0] == "-" or found[0].startswith(AGO):
        return None
    unit = UNITS.get(found["unit"]) or CLOCK_UNITS.get(found["unit"], "").rstrip("s")
    return (count(found["n"]), unit) if unit else None


def _clock_step(words: str, reading: Reading, toward: Toward) -> datetime | None:
    for pattern in (_AHEAD, _BACK):
        found = pattern.fullmatch(words)
        unit = CLOCK_UNITS.get(found["unit"]) if found else None
        if found and unit:
            back = pattern is _BACK and (found["ago"] or words[0] == "-" or words.startswith(AGO) or toward == "past")
            return reading.now + timedelta(**{unit: count(found["n"]) * (-1 if back else 1)})
    return None


def _written(words: str, reading: Reading, toward: Toward) -> date | None:
    """A date in figures, or with the month's name."""
    if found := _ISO.fullmatch(words):
        y, m, d = (found[1], found[3], found[4]) if found[1] else (found[5], found[6], found[7])
        return date(int(y), int(m), int(d))
    if found := _NUMERIC.fullmatch(words):
        d, m = _order(int(found[1]), int(found[3]), found[2], reading)
        return _in_year(found[4], m, d, reading, toward)
    names = months(reading.words)
    if (found := _DAY_MONTH.fullmatch(words)) and found[2] in names:
        return _in_year(found[3], names[found[2]], int(found[1]), reading, toward)
    if (found := _MONTH_DAY.fullmatch(words)) and found[1] in names:
        return _in_year(found[3], names[found[1]], int(found[2]), reading, toward)
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
    if words in RELATIVE:
        return today + timedelta(days=RELATIVE[words])
    if words in SHORT_UNITS:
        return around(SHORT_UNITS[words], today).last
    if found := _AHEAD.fullmatch(words):
        return step(today, found["unit"], count(found["n"]))
    if (found := _BACK.fullmatch(words)) and found["unit"] in UNITS:
        back = found["ago"] or words[0] == "-" or words.startswith(AGO) or toward == "past"
        return step(today, found["unit"], count(found["n"]) * (-1 if back else 1))
    return edge(words, reading, toward) or _weekday(words, reading, toward)


def _weekday(words: str, reading: Reading, toward: Toward) -> date | None:
    found = _WEEKDAY.fullmatch(words)
    number = weekdays(reading.words).get(found["day"]) if found else None
    if found is None or number is None:
        return None
    which = (found["after"] or found["which"] or "").strip()
    back = which.startswith(LAST) or (not which and toward == "past")
    ahead = (number - reading.today.weekday()) % 7
    if back:
        return reading.today - timedelta(days=(reading.today.weekday() - number) % 7 or 7)
    if which.startswith(NEXT):
        return reading.today + timedelta(days=ahead or 7)
    return reading.today + timedelta(days=ahead)
