"""Conditions in plain words."""

import time

import pytest

import commands.operations  # noqa: F401  the catalog
from commands.grammar import HelpAsked, Parsed, parse
from commands.language.filter_prose import formal
from commands.language.names import condition
from commands.operation import CATALOG


def said(verb: str, text: str) -> str:
    """The conditions that a list's text comes to."""
    return formal(text, lambda word: condition(CATALOG[verb], word))


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("closing in Q3", 'close_date="Q3"'),
        ("closing in Q3 2026", 'close_date="Q3 2026"'),
        ("closing before end of Q1", 'close_date<"end of Q1"'),
        ("closing by friday", 'close_date<="friday"'),
        ("closing in 30 days", 'close_date>=today close_date<="in 30 days"'),
        ("over 50k", 'value>"50k"'),
        ("value over 50k", 'value>"50k"'),
        ("at least two million closing this month", 'value>="two million" close_date="this month"'),
        ("between 10k and 50k", 'value>="10k" value<="50k"'),
        ("above 60%", 'probability>"60%"'),
        ("closed last month", 'closed actual_close="last month"'),
        ("overdue", "close_date<today open"),
        ("by value", "sort=-value"),
        ("biggest first", "sort=-value"),
        ("newest 3", "sort=-created top=3"),
        ("top 5", "top=5"),
        ("older than 30 days", 'created<"30 days"'),
        ("for Northwind Traders over 10k", 'customer~"Northwind Traders" value>"10k"'),
        ("owned by Dmitri Volkov", 'owner~"Dmitri Volkov"'),
        ("assigned to me", "mine"),
        ("rating is hot", "rating=hot"),
        ("that are open", "open"),
        ("for Contoso or over 5k", 'customer~"Contoso" or value>"5k"'),
    ],
)
def test_opportunities(text: str, conditions: str) -> None:
    assert said("opportunity list", text) == conditions


@pytest.mark.parametrize(
    ("verb", "text", "conditions"),
    [
        ("lead list", "created between 1 Nov and 15 Nov", 'created>="1 Nov" created<="15 Nov"'),
        ("lead list", "from last week", 'created="last week"'),
        ("lead list", "without email", "email=empty"),
        ("lead list", "from Berlin", '(company~"Berlin" OR city~"Berlin")'),
        ("contact list", "with phone at Contoso", 'phone!=empty company~"Contoso"'),
        ("account list", "in Berlin", 'city~"Berlin"'),
        ("invoice list", "due before friday", 'due<"friday"'),
        ("case list", "created in the last 7 days", 'created="the last 7 days"'),
        ("order list", "over 1,000 newest first", 'total>"1,000" sort=-created'),
    ],
)
def test_other_tables(verb: str, text: str, conditions: str) -> None:
    assert said(verb, text) == conditions


@pytest.mark.parametrize(
    "text",
    [
        *("machine leaks", '"closing in Q3"', "bank of America", "rating=hot,warm mine", "may", "over", "created"),
        *("over the moon", "new york", "in", "for", "created=today", "(open OR priority=high)", "2026", "closing"),
    ],
)
def test_what_may_be_a_name_is_left_alone(text: str) -> None:
    assert said("case list", text) == text


@pytest.mark.parametrize(
    ("text", "verb", "args"),
    [
        ("top 5 opportunities by value", "opportunity list", {"top": "5", "sort": "-value"}),
        ("show my overdue invoices", "invoice list", {"where": "mine due<today open"}),
        ("how many open cases", "case list", {"where": "open"}),
        ("which cases are open", "case list", {"where": "open"}),
        ("opportunities closing in Q3 sort=-value", "opportunity list", {"where": 'close_date="Q3"', "sort": "-value"}),
    ],
)
def test_commands(text: str, verb: str, args: dict[str, str]) -> None:
    found = parse(text)
    assert isinstance(found, Parsed)
    assert (found.operation.verb, found.args) == (verb, args)


def test_what_is_not_understood_whole_lists_nothing() -> None:
    assert not isinstance(parse("purple opportunities"), Parsed)
    assert isinstance(parse("how do I create a case?"), HelpAsked)


@pytest.mark.parametrize("piece", ["for a ", "closing ", "between ", "created in ", "over 1 ", "last 7 ", "a b is "])
def test_it_ends_soon(piece: str) -> None:
    begin = time.process_time()
    for length in (190, 10_000):
        parse(f"opportunity list {piece * (length // len(piece))}")
    assert time.process_time() - begin < 1.0
