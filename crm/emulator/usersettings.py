"""Each user's settings (`usersettingscollection`): there is a row for everybody, made with the user.

Of them the language of the user interface is followed: it decides which label is a person's own (UserLocalizedLabel).
"""

from .catalog import Table
from .errors import INVALID_ARGUMENT, bad_request
from .metadata_labels import BASE_LANGUAGE, INSTALLED
from .registry import Registry
from .session import Change, Row, Session
from .store import Transaction

_TABLE = "usersettings"


def register(registry: Registry) -> None:
    registry.rule_after("systemuser", _follow_user)
    registry.rule_before(_TABLE, _check_language)


def ensure_settings(tx: Transaction) -> None:
    """Give a row to every user who has none."""
    if _TABLE not in tx.catalog:
        return
    missing = tx.execute(
        "SELECT systemuserid FROM systemuser WHERE systemuserid NOT IN (SELECT systemuserid FROM usersettings)"
    ).fetchall()
    for (user,) in missing:
        tx.execute(
            "INSERT INTO usersettings "
            "(systemuserid, uilanguageid, helplanguageid, localeid, timezonecode, versionnumber) "
            "VALUES (?, 0, 0, 1033, 85, ?)",
            (user, tx.next_version()),
        )


def user_language(session: Session) -> int:
    """The caller's language, or the organisation's where they chose none."""
    if _TABLE in session.catalog:
        row = session.tx.execute(
            "SELECT uilanguageid FROM usersettings WHERE systemuserid = ?", (session.caller.user_id,)
        ).fetchone()
        if row is not None and row[0]:
            return int(row[0])
    return BASE_LANGUAGE


def _follow_user(session: Session, change: Change) -> None:
    if change.message == "Create":
        ensure_settings(session.tx)


def _check_language(session: Session, table: Table, values: Row, before: Row | None) -> None:
    del session, table, before
    for name in ("uilanguageid", "helplanguageid"):
        if values.get(name) not in (None, 0, *INSTALLED):
            known = ", ".join(map(str, INSTALLED))
            raise bad_request(f"The language {values[name]} is not installed; installed are {known}.", INVALID_ARGUMENT)
