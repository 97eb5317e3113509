"""A wrong declaration fails when it is written, with a sentence that contains the fix."""

from typing import Annotated, Any, ClassVar

import pytest

from commands.fields import Text
from commands.operation import CATALOG, Accepts, DeclarationError, Effect, Operation, hides
from commands.operations.records import Update
from crm.tables import CASE

GOOD: dict[str, Any] = {"verb": "thing do", "example": "thing do"}


def declared(doc: str | None = "Do it.", fields: dict[str, Any] | None = None, **keywords: Any) -> None:
    body = {"__module__": __name__, "__qualname__": "Thing", "__doc__": doc, "__annotations__": fields or {}}
    try:
        type(Operation)("Thing", (Operation,), body, **{**GOOD, **keywords})
    finally:
        CATALOG.pop("thing do", None)


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"verb": "Thing Do"}, "lower-case words"),
        ({"verb": "case create"}, "already declared by CreateCase"),
        ({"effect": Effect.WRITE}, "needs table="),
        ({"effect": Effect.ACTION, "table": CASE}, "needs landed()"),
        ({"doc": ""}, "add a docstring"),
        ({"doc": "x" * 151}, "shorten it"),
        ({"example": ""}, 'add example="thing do'),
        ({"words": "nothing"}, "names no field"),
        ({"fields": {"text": Text}}, "put a docstring under text"),
        ({"fields": {"words": Text}}, "cannot be called 'words'"),
        ({"fields": {"verb": Text | None}}, 'Accepts("verb")'),
        ({"fields": {"run": Text}}, "call it run_text"),
    ],
)
def test_a_wrong_declaration_says_how_to_mend_it(keywords: dict[str, Any], says: str) -> None:
    with pytest.raises(DeclarationError) as error:
        declared(**keywords)
    assert says in str(error.value)


def test_one_name_means_one_field() -> None:
    with pytest.raises(DeclarationError, match="means both"):

        class Twice(Operation, verb="thing do", example="thing do"):
            """Do it."""

            first: Annotated[Text | None, Accepts("same")] = None
            """One."""
            second: Annotated[Text | None, Accepts("same")] = None
            """Two."""


def test_what_every_operation_has_may_be_set_for_a_class_and_accepted_as_a_name() -> None:
    class Fine(Operation, verb="thing do", example="thing do"):
        """Do it."""

        slug: ClassVar[str] = ""
        words_text: Annotated[Text | None, Accepts("words")] = None
        """Which words."""

    del CATALOG["thing do"]
    assert Fine.parameters["words_text"].names == ("words_text", "words")


def test_columns_of_the_organisation_never_hide_what_operations_have() -> None:
    assert all(hides(name, Update) for name in ("words", "verb", "values", "payload", "copy"))
    assert not any(hides(name, Update) for name in ("record", "columns", "region"))
