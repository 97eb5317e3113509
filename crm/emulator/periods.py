"""The date functions of Dataverse queries (`Today`, `LastXDays`, `ThisMonth` …) as spans of UTC time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from .errors import bad_request
from .values import EPOCH, parse_instant


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` (included) to `end` (excluded), in seconds since 1970; None is open. `outside`: its complement."""

    start: float | None
    end: float | None
    outside: bool = False


_UNITS = {
    "Minutes": "minutes", "Hours": "hours", "Days": "days", "Weeks": "weeks", "Months": "months", "Years": "years",
}  # fmt: skip


def period(name: str, values: Sequence[Any], now: int) -> Span | None:
    """The span that a function means at a moment; None for a name that is no date function.

    Raises: DataverseError 400 for a wrong parameter.
    """
    moment = EPOCH + timedelta(seconds=now)
    today = moment.replace(hour=0, minute=0, second=0)
    if match := re.fullmatch(r"(Last|Next|OlderThan)X(Minutes|Hours|Days|Weeks|Months|Years)", name):
        return _relative(match[1], match[2], _number(name, values), moment)
    if match := re.fullmatch(r"(On|OnOrAfter|OnOrBefore|NotOn)", name):
        return _on(name, values)
    if match := re.fullmatch(r"(Last|This|Next)(Week|Month|Year)", name):
        shift = {"Last": -1, "This": 0, "Next": 1}[match[1]]
        unit = match[2]
        start = {
            "Week": today - timedelta(days=(today.weekday() + 1) % 7),
            "Month": today.replace(day=1),
            "Year": today.replace(month=1, day=1),
        }[unit]
        step = _step(f"{unit}s", 1)
        return _span(start + shift * step, start + (shift + 1) * step)
    days = {"Yesterday": (-1, 0), "Today": (0, 1), "Tomorrow": (1, 2)}.get(name)
    if days:
        return _span(today + timedelta(days=days[0]), today + timedelta(days=days[1]))
    if name == "Last7Days":
        return _span(today - timedelta(days=7), moment + timedelta(seconds=1))
    if name == "Next7Days":
        return _span(moment, today + timedelta(days=8))
    return None


def _step(unit: str, count: int) -> relativedelta:
    return relativedelta(**{_UNITS[unit]: count})  # type: ignore[arg-type]


def _relative(direction: str, unit: str, count: int, moment: datetime) -> Span:
    try:
        if direction == "OlderThan":
            return Span(None, _seconds(moment - _step(unit, count)))
        if direction == "Last":
            start = moment - _step(unit, count)
            # Whole days for units of a day or more, as FetchXML's last-x operators have it.
            if unit not in {"Minutes", "Hours"}:
                start = start.replace(hour=0, minute=0, second=0)
            return _span(start, moment + timedelta(seconds=1))
        end = moment + _step(unit, count)
        if unit not in {"Minutes", "Hours"}:
            end = end.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        return _span(moment, end)
    except (OverflowError, ValueError):
        raise bad_request(f"The number {count} leads outside the calendar.") from None


def _on(name: str, values: Sequence[Any]) -> Span:
    seconds = parse_instant(str(values[0])) if len(values) == 1 else None
    if seconds is None:
        raise bad_request(f"The function '{name}' needs one date.")
    start = seconds - seconds % 86400
    if name == "OnOrAfter":
        return Span(start, None)
    return Span(None if name == "OnOrBefore" else start, start + 86400, outside=name == "NotOn")


def _number(name: str, values: Sequence[Any]) -> int:
    if len(values) != 1 or not re.fullmatch(r"[0-9]{1,6}", str(values[0])) or int(values[0]) < 1:
        raise bad_request(f"The function '{name}' needs one whole number above zero.")
    return int(values[0])


def _span(start: datetime, end: datetime) -> Span:
    return Span(_seconds(start), _seconds(end))


def _seconds(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds()
