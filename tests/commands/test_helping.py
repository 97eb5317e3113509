"""Help that comes from the declarations."""

import pytest

import commands.operations  # joins the operations to the catalog
from commands.cards import CardKind, to_text
from commands.grammar import HelpAsked, parse
from commands.helping import help_card, menu_card, reference_markdown, usage
from commands.nouns import NOUNS, Noun
from commands.operation import CATALOG, Effect, Operation
from commands.press import Do

assert commands.operations

OPERATIONS = list(CATALOG.values())


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda op: op.verb)
def test_help_on_a_command(kind: type[Operation]) -> None:
    said = parse(f"help {kind.verb}")
    assert said == HelpAsked(kind)
    card = help_card(kind)
    text = to_text(card)
    assert card.kind is CardKind.HELP
    assert kind.example in text
    assert usage(kind) in text
    for name, parameter in kind.parameters.items():
        if parameter.required:
            assert f"{name} (required)" in text
    for action in card.buttons():
        assert action.press
        assert CATALOG[action.press.verb] is kind
        assert action.press.do is (Do.RUN if kind.effect is Effect.READ else Do.FORM)


@pytest.mark.parametrize("noun", [noun for noun in NOUNS.values() if any(op.noun() == noun.word for op in OPERATIONS)])
def test_help_on_a_noun(noun: Noun) -> None:
    card = help_card(noun)
    assert all(any(row.title == op.example for op in OPERATIONS) for row in card.rows)
    assert len(card.rows) >= 5


def test_the_menu_offers_every_noun() -> None:
    text = to_text(menu_card())
    for noun in {op.noun() for op in OPERATIONS} - {""}:
        assert NOUNS[noun].plural.capitalize() in text
    for action in menu_card().buttons():
        assert action.press
        assert action.press.verb in CATALOG


def test_usage() -> None:
    assert usage(CATALOG["search"]) == "search <text>"
    assert usage(CATALOG["case note"]).startswith("case note <record> <text>")


def test_the_reference_names_everything() -> None:
    text = reference_markdown()
    for operation in OPERATIONS:
        assert f"### {operation.verb}\n" in text
        assert f"```\n{operation.example}\n```" in text
        assert not operation.slug or f"`{operation.slug}`" in text
    assert not [
        line for line in text.splitlines() if line.startswith("| `") and line.count("|") - line.count("\\|") != 4
    ]
