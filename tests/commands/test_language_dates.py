"""Dates and times, in every dress and locale."""

from datetime import UTC, date, datetime

import pytest

from commands.language.dates import PHRASE, Toward, age, day, days, due, instant, past_day, span
from commands.language.reading import Reading, Unreadable

TUESDAY = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
US = Reading(locale="en-US", timezone="UTC", now=TUESDAY)
GB = Reading(locale="en-GB", timezone="Europe/London", now=TUESDAY)
DE = Reading(locale="de-DE", timezone="Europe/Berlin", now=TUESDAY)
FR = Reading(locale="fr-FR", timezone="UTC", now=TUESDAY)
RU = Reading(locale="ru-RU", timezone="UTC", now=TUESDAY)

TOWARD: tuple[Toward, ...] = ("future", "past")


@pytest.mark.parametrize(
    ("text", "reading", "expected"),
    [
        ("2026-06-30", US, "2026-06-30"),
        ("2026/6/30", DE, "2026-06-30"),
        ("20260630", US, "2026-06-30"),
        ("30 Jun", US, "2027-06-30"),
        ("Jun 30", US, "2027-06-30"),
        ("June 30th, 2026", US, "2026-06-30"),
        ("30th of June 2026", US, "2026-06-30"),
        ("30-Jun-2026", US, "2026-06-30"),
        ("30 Dec", US, "2026-12-30"),
        ("24 Nov", US, "2026-11-24"),
        ("30.6.", US, "2027-06-30"),
        ("30.6.2026", US, "2026-06-30"),
        ("30.6.26", DE, "2026-06-30"),
        ("6/30/2026", US, "2026-06-30"),
        ("30/6/2026", US, "2026-06-30"),
        ("6/7/2026", US, "2026-06-07"),
        ("6/7/2026", GB, "2026-07-06"),
        ("6/7", US, "2027-06-07"),
        ("30. Juni 2026", DE, "2026-06-30"),
        ("30. Juni", DE, "2027-06-30"),
        ("1. März", DE, "2027-03-01"),
        ("30 июня", RU, "2027-06-30"),
        ("29 Feb", US, "2028-02-29"),
        ("today", US, "2026-11-24"),
        ("today", DE, "2026-11-25"),  # half past midnight in Berlin
        ("heute", DE, "2026-11-25"),
        ("сегодня", RU, "2026-11-24"),
        ("tomorrow", US, "2026-11-25"),
        ("TOMORROW", US, "2026-11-25"),
        ("übermorgen", DE, "2026-11-27"),
        ("yesterday", US, "2026-11-23"),
        ("the day after tomorrow", US, "2026-11-26"),
        ("friday", US, "2026-11-27"),
        ("next friday", US, "2026-11-27"),
        ("next tuesday", US, "2026-12-01"),
        ("tuesday", US, "2026-11-24"),
        ("last friday", US, "2026-11-20"),
        ("last tuesday", US, "2026-11-17"),
        ("nächsten Freitag", DE, "2026-11-27"),
        ("fri", US, "2026-11-27"),
        ("in 3 days", US, "2026-11-27"),
        ("in a week", US, "2026-12-01"),
        ("in 2 months", US, "2027-01-24"),
        ("+3d", US, "2026-11-27"),
        ("3d", US, "2026-11-27"),
        ("-7d", US, "2026-11-17"),
        ("2 weeks ago", US, "2026-11-10"),
        ("vor 3 Tagen", DE, "2026-11-22"),
        ("in 3 Tagen", DE, "2026-11-28"),
        ("через 3 дня", RU, "2026-11-27"),
        ("eom", US, "2026-11-30"),
        ("end of month", US, "2026-11-30"),
        ("end of the month", US, "2026-11-30"),
        ("end of next month", US, "2026-12-31"),
        ("end of quarter", US, "2026-12-31"),
        ("end of year", US, "2026-12-31"),
        ("end of week", US, "2026-11-29"),
        ("end of Q3", US, "2027-09-30"),
        ("end of q1 2027", US, "2027-03-31"),
        ("next week", US, "2026-11-30"),
        ("next month", US, "2026-12-01"),
        ("next quarter", US, "2027-01-01"),
        ("Ende des Monats", DE, "2026-11-30"),
        ("Ende nächsten Monats", DE, "2026-12-31"),
        ("Anfang nächster Woche", DE, "2026-11-30"),
        ("Ende Juni", DE, "2027-06-30"),
        ("am Freitag", DE, "2026-11-27"),
        ("end of June", US, "2027-06-30"),
        ("end of Q1", US, "2027-03-31"),
        ("end of Q4", US, "2026-12-31"),
        ("the 30th of June", US, "2027-06-30"),
        ("demain", FR, "2026-11-25"),
        ("aujourd’hui", FR, "2026-11-24"),
        ("après-demain", FR, "2026-11-26"),
        ("30 juin", FR, "2027-06-30"),
        ("le 1er juillet", FR, "2027-07-01"),
        ("1/2/2027", FR, "2027-02-01"),
        ("vendredi prochain", FR, "2026-11-27"),
        ("vendredi dernier", FR, "2026-11-20"),
        ("dans 3 jours", FR, "2026-11-27"),
        ("il y a 3 jours", FR, "2026-11-21"),
        ("la semaine prochaine", FR, "2026-11-30"),
        ("fin du mois", FR, "2026-11-30"),
        ("fin du trimestre", FR, "2026-12-31"),
        ("fin de l'année", FR, "2026-12-31"),
        ("by end of March", US, "2027-03-31"),
        ("by friday", US, "2026-11-27"),
        ("in Q1", US, "2027-01-01"),
        ("im März", DE, "2027-03-01"),
    ],
)
def test_days(text: str, reading: Reading, expected: str) -> None:
    assert day(text, reading) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", "2026-11-17"),
        ("30 Jun", "2026-06-30"),
        ("friday", "2026-11-20"),
        ("2w", "2026-11-10"),
        ("Dec 1", "2025-12-01"),
        ("end of Q4", "2025-12-31"),
        ("end of June", "2026-06-30"),
    ],
)
def test_the_past_is_preferred_where_things_have_happened(text: str, expected: str) -> None:
    assert day(text, US, "past") == date.fromisoformat(expected)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "31 Jun", "2026-02-30", "32.1.2026", "13/13/2026", "q5", "next", "0/0", "in 9999 years", "1 foo"),
        *("99", "２０２６-06-3０x", "a" * 5000, "1" * 5000, "30 Jun " * 500, "-" * 100),
    ],
)
def test_what_is_no_day_is_said(text: str) -> None:
    with pytest.raises(Unreadable, match="Write it like"):
        day(text, US)


@pytest.mark.parametrize(
    ("text", "reading", "expected"),
    [
        ("2026-06-30 14:00", US, "2026-06-30T14:00:00+00:00"),
        ("2026-06-30T14:00:30Z", DE, "2026-06-30T14:00:30+00:00"),
        ("2026-06-30T14:00:00+02:00", US, "2026-06-30T12:00:00+00:00"),
        ("2026-06-30T14:00:00.123456+00:00", US, "2026-06-30T14:00:00.123456+00:00"),
        ("tomorrow 3pm", US, "2026-11-25T15:00:00+00:00"),
        ("tomorrow at 3:30 pm", US, "2026-11-25T15:30:00+00:00"),
        ("tomorrow 12am", US, "2026-11-25T00:00:00+00:00"),
        ("2026-06-30 14:00", DE, "2026-06-30T12:00:00+00:00"),
        ("14:30", US, "2026-11-24T14:30:00+00:00"),
        ("15 Uhr", DE, "2026-11-25T14:00:00+00:00"),
        ("demain à 15h30", FR, "2026-11-25T15:30:00+00:00"),
        ("demain 15h", FR, "2026-11-25T15:00:00+00:00"),
        ("in 2 hours", US, "2026-11-25T01:30:00+00:00"),
        ("30 minutes ago", US, "2026-11-24T23:00:00+00:00"),
        ("now", US, "2026-11-24T23:30:00+00:00"),
        ("tomorrow", DE, "2026-11-25T23:00:00+00:00"),
    ],
)
def test_moments(text: str, reading: Reading, expected: str) -> None:
    assert instant(text, reading) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("text", "future", "past"),
    [
        ("Q3", "2027-07-01 2027-09-30", "2026-07-01 2026-09-30"),
        ("Q4", "2026-10-01 2026-12-31", "2026-10-01 2026-12-31"),
        ("Q3 2026", "2026-07-01 2026-09-30", "2026-07-01 2026-09-30"),
        ("q1/2027", "2027-01-01 2027-03-31", "2027-01-01 2027-03-31"),
        ("third quarter 2027", "2027-07-01 2027-09-30", "2027-07-01 2027-09-30"),
        ("Nov 2026", "2026-11-01 2026-11-30", "2026-11-01 2026-11-30"),
        ("December", "2026-12-01 2026-12-31", "2025-12-01 2025-12-31"),
        ("next quarter", "2027-01-01 2027-03-31", "2027-01-01 2027-03-31"),
        ("last week", "2026-11-16 2026-11-22", "2026-11-16 2026-11-22"),
        ("last 7 days", "2026-11-17 2026-11-24", "2026-11-17 2026-11-24"),
        ("next 2 weeks", "2026-11-24 2026-12-08", "2026-11-24 2026-12-08"),
        ("KW 48", "2026-11-23 2026-11-29", "2026-11-23 2026-11-29"),
    ],
)
def test_periods(text: str, future: str, past: str) -> None:
    found = {"future": future, "past": past}
    assert {toward: " ".join(map(str, span(text, US, toward))) for toward in TOWARD} == found
    assert days(text, US) == span(text, US)
    said = PHRASE.match(text)
    assert said
    assert said[0] == text
    assert str(due(text, US)) == future.split()[1]
    with pytest.raises(Unreadable, match="more than a day"):
        past_day(text, US)


@pytest.mark.parametrize("text", ["2026", "11/2026", "2026-11", "2026-Q4"])
def test_periods_in_figures(text: str) -> None:
    assert days(text, US)
    assert str(due("2027", US)) == "2027-12-31"


def test_a_day_is_no_period() -> None:
    assert days("30 Jun", US) is None
    assert due("30 Jun", US) == past_day("30 Jun 2027", US) == date(2027, 6, 30)
    assert age("last 7 days") == age("7d") == (7, "day")
    assert age("last week") is None


@pytest.mark.parametrize("text", ["week 60", "13/2026"])
def test_a_period_that_does_not_exist_is_said(text: str) -> None:
    with pytest.raises(Unreadable, match="exists"):
        days(text, US)


@pytest.mark.parametrize("text", ["25:00", "tomorrow 13pm", "soon 3pm", "2026-06-30 14:61"])
def test_what_is_no_moment_is_said(text: str) -> None:
    with pytest.raises(Unreadable):
        instant(text, US)


def test_unknown_locales_and_zones_fall_back() -> None:
    odd = Reading(locale="klingon", timezone="Mars/Olympus", now=TUESDAY)
    assert day("6/7/2026", odd) == date(2026, 6, 7)
    assert Reading(timezone="../../etc/passwd", now=TUESDAY).zone is UTC
