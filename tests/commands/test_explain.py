"""Errors as cards: what happened, what to do, one button, and no secrets."""

import inspect
import logging

import pytest

from commands import errors as ours
from commands.cards import CardKind, to_text
from commands.explain import explain
from commands.press import Do, Press
from crm import errors as crm

AGAIN = Press(do=Do.RUN, verb="case create", args={"title": "x"}, key="k")


def _dataverse() -> list[crm.CrmError]:
    found: list[crm.CrmError] = []
    for cls in vars(crm).values():
        if not (inspect.isclass(cls) and issubclass(cls, crm.CrmError)):
            continue
        if issubclass(cls, crm.ValueProblem):
            found.append(
                cls("Rating cannot be 'blue'.", table="lead", column="leadqualitycode", allowed=("Hot", "Warm"))
            )
        else:
            found.append(cls("Something about it."))
    return found


@pytest.mark.parametrize("exc", _dataverse(), ids=lambda e: type(e).__name__)
def test_every_dataverse_error_is_a_card_with_a_way_on(exc: crm.CrmError) -> None:
    card = explain(exc, again=AGAIN)
    assert card.kind is CardKind.ERROR
    assert card.title
    assert len(card.actions) <= 1
    assert "Traceback" not in to_text(card)
    assert any(card.text), "it must say what to do"


def test_transient_errors_offer_the_same_command_again() -> None:
    for exc in (crm.Throttled("x", retry_after=7.2), crm.Unavailable("x"), crm.Unreachable("x")):
        card = explain(exc, again=AGAIN)
        assert card.actions[0].press == AGAIN
    assert "in 7 seconds" in to_text(explain(crm.Throttled("x", retry_after=7.2)))


def test_wrong_values_offer_the_form_with_everything_that_was_typed() -> None:
    card = explain(ours.BadInput("No.", "Write it like this."), again=AGAIN)
    press = card.actions[0].press
    assert press
    assert (press.do, press.args) == (Do.FORM, {"title": "x"})


def test_an_unknown_outcome_is_said() -> None:
    card = explain(crm.Unreachable("x", outcome_unknown=True), again=AGAIN)
    assert "not known whether" in to_text(card)


def test_unknown_errors_carry_a_reference_that_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        card = explain(RuntimeError("password=hunter2"), again=AGAIN)
    reference = str(card.footer[0]).removeprefix("Reference ")
    assert reference in caplog.text
    assert "hunter2" not in to_text(card)
    assert card.actions[0].label == "Try again"


def test_unknown_commands_offer_the_nearest() -> None:
    import commands.operations  # noqa: F401  fills the catalog

    card = explain(ours.UnknownCommand("No such command.", nearest=("lead list", "lead create")))
    presses = [a.press for a in card.actions if a.press]
    assert [(p.do, p.verb) for p in presses] == [(Do.RUN, "lead list"), (Do.FORM, "lead create")]


def test_who_must_sign_in_gets_a_button() -> None:
    for needed in (ours.SignInNeeded("You are not connected."), crm.SignInRequired("Your sign-in has expired.")):
        card = explain(needed)
        assert card.actions[0].press == Press(do=Do.RUN, verb="connect")


def test_the_missing_privilege_is_named() -> None:
    exc = crm.Forbidden("x")
    exc.privilege = "prvCreateLead"
    assert "prvCreateLead" in explain(exc).title
