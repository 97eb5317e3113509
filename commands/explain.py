"""Any exception as a card: what happened, what to do next, one button. Nobody sees a stack trace; the log has it.

An unknown error carries a short reference that stands in the log beside it.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy import exc as sql

from crm import errors as crm

from .cards import Action, Card, CardKind, Style
from .errors import BadInput, NotAccepted, NotConnected, SignInNeeded, StaleButton, UnknownCommand, UserError
from .operation import CATALOG, Operation
from .press import Do, Press
from .rights import missing_right
from .views import VIEWS

log = logging.getLogger(__name__)

_NEAREST = 5
_DATABASE_AWAY: Final = (sql.OperationalError, sql.InterfaceError, sql.TimeoutError)
"""Gone, locked, full, or with no connection left."""


def explain(
    exc: BaseException, *, again: Press | None = None, tried: type[Operation] | None = None, ask: str = ""
) -> Card:
    """The card for an exception.

    `again`: the command that failed, for a button that tries it once more. `tried`: what it was, and `ask`: whom to
    ask (empty: an administrator), for the words about a right that is missing.
    """
    if isinstance(exc, crm.Forbidden) and not isinstance(exc, crm.NotAMember):
        title, remedy = missing_right(exc, tried, ask)
        return _card(title, remedy, footer=_request_of(exc))
    if isinstance(exc, UserError):
        return _of_ours(exc, again)
    if isinstance(exc, crm.CrmError):
        return _of_dataverse(exc, again)
    if isinstance(exc, _DATABASE_AWAY):
        log.warning("the database does not answer: %s", type(exc).__name__)
        return _card(
            "This bot's own database does not answer just now.",
            "Try again in a minute; if it persists, tell the people who run this bot.",
            actions=_retry(again),
        )
    return _unknown(exc, again)


def _card(title: str, *text: str, actions: tuple[Action, ...] = (), footer: str = "") -> Card:
    lines = tuple(line for line in text if line)
    return Card(kind=CardKind.ERROR, title=title, text=lines, actions=actions, footer=(footer,) if footer else ())


# -- ours -------------------------------------------------------------------------------------------------------


def _of_ours(exc: UserError, again: Press | None) -> Card:
    actions: tuple[Action, ...] = ()
    match exc:
        case UnknownCommand():
            # Commands that need nothing more run at once; the others open their form.
            actions = tuple(a for verb in exc.nearest[:_NEAREST] if (a := _begin(verb)))
        case SignInNeeded():
            actions = _CONNECT
        case NotAccepted() | NotConnected():
            actions = _retry(again)
        case BadInput():
            actions = _amend(again)
        case StaleButton():
            actions = ()
    return _card(exc.sentence, exc.remedy, actions=actions)


def _begin(verb: str) -> Action | None:
    operation = CATALOG.get(verb)
    if operation is None:
        return None
    asks = any(p.required for p in operation.parameters.values()) or verb.endswith((" create", " update"))
    return Action(label=verb, press=Press(do=Do.FORM if asks else Do.RUN, verb=verb))


def _retry(again: Press | None) -> tuple[Action, ...]:
    return (Action(label="Try again", press=again, style=Style.PRIMARY),) if again else ()


_CONNECT: Final = (
    Action(label="Connect to Dynamics 365", press=Press(do=Do.RUN, verb="connect"), style=Style.PRIMARY),
)
"""For those who must sign in (again)."""


def _amend(again: Press | None) -> tuple[Action, ...]:
    """The form with everything that was said, to change what was wrong."""
    if again is None or again.verb not in CATALOG:
        return ()
    return (Action(label="Change it", press=replace(again, do=Do.FORM), style=Style.PRIMARY),)


# -- Dataverse's ------------------------------------------------------------------------------------------------

Explained = tuple[str, str, tuple[Action, ...]]
"""What happened, what to do, buttons."""


def _of_dataverse(exc: crm.CrmError, again: Press | None) -> Card:
    for cls, explained in _DATAVERSE.items():
        if isinstance(exc, cls):
            title, remedy, actions = explained(exc, again)
            break
    else:
        return _unknown(exc, again)
    unknown = (
        "It is not known whether this was done; Try again looks first and does nothing twice."
        if exc.outcome_unknown and again
        else ""
    )
    return _card(title, remedy, unknown, actions=actions, footer=_request_of(exc))


def _request_of(exc: crm.CrmError) -> str:
    return f"Request {exc.request_id}" if exc.request_id else ""


def _not_a_member(_exc: crm.CrmError, _again: Press | None) -> Explained:
    return "You are not a user of this Dynamics 365 organisation.", "Ask your Dynamics administrator to add you.", ()


def _gone(exc: crm.CrmError, _again: Press | None) -> Explained:
    view = VIEWS.get(exc.table or "")
    noun, plural = (view.noun, view.plural) if view else ("record", "records")
    actions = (Action(label=f"All {plural}", press=Press(do=Do.RUN, verb=f"{noun} list")),) if view else ()
    return (
        f"This {noun} does not exist (any more), or you may not see it.",
        "Check the number or id, or look for it by name." if view else "Look for it by name: search <name>",
        actions,
    )


def _unknown_resource(exc: crm.CrmError, _again: Press | None) -> Explained:
    return "Dynamics 365 does not know what was asked for.", f"It says: {exc.message}", ()


def _value(exc: crm.CrmError, again: Press | None) -> Explained:
    allowed = getattr(exc, "allowed", ())
    listed = f"Possible: {', '.join(allowed[:12])}" if allowed and not any(a in exc.message for a in allowed) else ""
    return exc.message, listed, _amend(again)


def _refused(exc: crm.CrmError, again: Press | None) -> Explained:
    return "Dynamics 365 refused this.", f"It says: {exc.message}", _amend(again)


def _request(exc: crm.CrmError, again: Press | None) -> Explained:
    return (
        "Dynamics 365 could not read this request.",
        f"It says: {exc.message} If you wrote filter=, select= or orderby=, check their spelling.",
        _amend(again),
    )


def _changed(_exc: crm.CrmError, again: Press | None) -> Explained:
    return (
        "Somebody changed this record meanwhile, so nothing was saved.",
        "Open it again and repeat your change.",
        _amend(again),
    )


def _duplicate(exc: crm.CrmError, again: Press | None) -> Explained:
    return "Dynamics 365 has a record like this already.", f"It says: {exc.message}", _amend(again)


def _busy(exc: crm.CrmError, again: Press | None) -> Explained:
    wait = f"in {max(1, round(exc.retry_after))} seconds" if exc.retry_after else "in a minute"
    return "Dynamics 365 has too much to do just now.", f"Try again {wait}.", _retry(again)


def _away(_exc: crm.CrmError, again: Press | None) -> Explained:
    return "Dynamics 365 cannot be reached just now.", "Try again in a minute; what you typed is kept.", _retry(again)


def _sign_in_away(exc: crm.CrmError, again: Press | None) -> Explained:
    log.warning("no sign-in: %s", exc.message)
    return (
        "The sign-in service of Dynamics 365 cannot be reached just now.",
        "Try again in a minute; what you typed is kept.",
        _retry(again),
    )


def _failed(exc: crm.CrmError, again: Press | None) -> Explained:
    log.warning("Dataverse failed: %s", exc.message)
    return (
        "Dynamics 365 had a problem of its own.",
        "Try again in a minute; if it persists, tell your Dynamics administrator.",
        _retry(again),
    )


def _too_large(exc: crm.CrmError, _again: Press | None) -> Explained:
    return "This is too large for Dynamics 365.", exc.message, ()


def _sign_in(exc: crm.CrmError, again: Press | None) -> Explained:
    log.warning("sign-in to Dataverse failed: %s", exc.message)
    return (
        "Signing in to Dynamics 365 did not work.",
        "Connect again; if that does not help, tell the people who run this bot.",
        _retry(again),
    )


def _sign_in_again(exc: crm.CrmError, _again: Press | None) -> Explained:
    return exc.message, "Connect once more; nothing of yours was lost.", _CONNECT


def _configuration(exc: crm.CrmError, _again: Press | None) -> Explained:
    log.error("configuration: %s", exc.message)
    return "This bot is not set up completely.", f"Tell the people who run it: {exc.message}", ()


_DATAVERSE: Final[dict[type[crm.CrmError], Callable[[crm.CrmError, Press | None], Explained]]] = {
    crm.NotAMember: _not_a_member,
    crm.UnknownResource: _unknown_resource,
    crm.NotFound: _gone,
    crm.ValueProblem: _value,
    crm.BadRequest: _request,
    crm.Invalid: _refused,
    crm.VersionMismatch: _changed,
    crm.Conflict: _duplicate,
    crm.Throttled: _busy,
    crm.TooLarge: _too_large,
    crm.SignInRequired: _sign_in_again,
    crm.SignInError: _sign_in,
    crm.ConfigurationError: _configuration,
    crm.SignInAway: _sign_in_away,
    crm.Unavailable: _away,
    crm.Unreachable: _away,
    crm.DeadlineExceeded: _away,
    crm.ServerError: _failed,
    crm.BadAnswer: _failed,
}
"""How each kind of error is explained; the first class that fits counts, so the narrower ones stand first."""


def _unknown(exc: BaseException, again: Press | None) -> Card:
    reference = secrets.token_hex(4)
    log.error("error %s", reference, exc_info=exc)
    return _card(
        "Something went wrong on our side.",
        f"Try again; if it happens once more, tell the people who run this bot this reference: {reference}",
        actions=_retry(again),
        footer=f"Reference {reference}",
    )
