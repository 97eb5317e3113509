"""What people type beside the notation: it is read where it says one thing, and asked about where it does not."""

import importlib

import pytest

from commands.grammar import OfLast, Parsed, Problem, of_last, parse

# ruff: noqa: E501 - a command and its meaning stand on one line

importlib.import_module("commands.operations")  # joins the operations to the catalog


@pytest.mark.parametrize(
    ("text", "verb", "args"),
    [
        ("lead create Jane Smith jane@acme.example topic=x", "lead create", {"first_name": "Jane", "last_name": "Smith", "email": "jane@acme.example", "topic": "x"}),
        ("lead create Jane Smith <mailto:jane@acme.example|jane@acme.example>", "lead create", {"first_name": "Jane", "last_name": "Smith", "email": "jane@acme.example"}),
        ("lead create Jane Smith from Acme Corp, jane@acme.example, +1 206 555 0100", "lead create", {"first_name": "Jane", "last_name": "Smith", "company": "Acme Corp", "email": "jane@acme.example", "phone": "+1 206 555 0100"}),
        ("lead create jane@acme.example", "lead create", {"email": "jane@acme.example"}),
        ("lead create Jane Smith at Acme with email jane@acme.example", "lead create", {"first_name": "Jane", "last_name": "Smith", "company": "Acme", "email": "jane@acme.example"}),
        ("lead create van Gogh, Vincent", "lead create", {"first_name": "Vincent", "last_name": "van Gogh"}),
        ("opportunity create Canteen close_date=by end of March", "opportunity create", {"name": "Canteen", "close_date": "by end of March"}),
        ("lead create Agent 007", "lead create", {"first_name": "Agent", "last_name": "007"}),
        ("lead create Smith, Jane", "lead create", {"first_name": "Jane", "last_name": "Smith"}),
        ("lead create Jane Smith,", "lead create", {"first_name": "Jane", "last_name": "Smith"}),
        ("lead create Jane Smith, topic=Pumps", "lead create", {"first_name": "Jane", "last_name": "Smith", "topic": "Pumps"}),
        ("lead create Name: Jane Smith, company: Acme, Inc., topic: Five machines", "lead create", {"first_name": "Jane", "last_name": "Smith", "company": "Acme, Inc.", "topic": "Five machines"}),
        ("case create\nTitle: No power\nPriority: high\nDescription: hall 3\nand 4", "case create", {"title": "No power", "priority": "high", "description": "hall 3\nand 4"}),
        ("case create Error: cannot log in", "case create", {"title": "Error: cannot log in"}),
        ("case create Down, priority=high", "case create", {"title": "Down", "priority": "high"}),
        ("contact create Ben Miller phone=206-555-0100 ext 5", "contact create", {"first_name": "Ben", "last_name": "Miller", "phone": "206-555-0100 ext 5"}),
        ("opportunity create Canteen probability=60 % value=ten thousand euros", "opportunity create", {"name": "Canteen", "probability": "60 %", "value": "ten thousand euros"}),
        ("case update CAS-01004 set priority to low", "case update", {"record": "CAS-01004", "priority": "low"}),
        ("case update CAS-01004: priority high", "case update", {"record": "CAS-01004", "priority": "high"}),
        ("opportunity update it close date = 30 June", "opportunity update", {"record": "it", "close_date": "30 June"}),
        ("opportunity update 'New kitchen' value to 60k", "opportunity update", {"record": "New kitchen", "value": "60k"}),
        ("invoice ORD-01003 please", "order invoice", {"record": "ORD-01003"}),
    ],
)  # fmt: skip
def test_phrasing(text: str, verb: str, args: dict[str, str]) -> None:
    said = parse(text)
    assert isinstance(said, Parsed), said
    assert (said.operation.verb, said.args) == (verb, args)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("lead create Jane Smith (Acme Corp) topic=x", "(Acme Corp)"),
        ("lead create Jane Smith, CEO topic=x", "CEO"),
        ("lead create Jane Smith & Ben Carter topic=x", "& Ben Carter"),
        ("opportunity create Canteen probability=60 pc", "pc"),
        ("opportunity win it for 68k", "for 68k"),
        ("opportunity lose 'New kitchen' went with a competitor", "went with a competitor"),
        ("case update CAS-01004 printer is broken", "printer is broken"),
        ("opportunity update 'New kitchen' value 80k and rating hot", "value 80k and rating hot"),
    ],
)
def test_what_may_mean_two_things_is_asked_about(text: str, asks: str) -> None:
    said = parse(text)
    assert isinstance(said, Problem), said
    assert asks in f"{said.error.sentence} {said.error.remedy}"


def test_what_is_marked_as_won_is_won() -> None:
    said = parse("mark it as won")
    assert isinstance(said, OfLast)
    meant = of_last(said, "opportunity")
    assert isinstance(meant, Parsed)
    assert (meant.operation.verb, meant.args) == ("opportunity win", {"record": "it"})
