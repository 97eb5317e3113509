"""What the server sets by itself in a row: ids, stamps, numbers, states, names, amounts in the base currency."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import re
import secrets
import time
import uuid

from .catalog import Column, Table
from .errors import (
    INVALID_STATUS,
    REQUIRED_MISSING,
    DataverseError,
)
from .organization import CURRENCY_ID
from .session import Row, Session
from .values import choice_label, instant_text, parse_instant


def new_id() -> str:
    """A fresh row id. Later ones sort after earlier ones, as a server's sequential GUIDs do: indexes stay compact."""
    moment = int(time.time() * 1000).to_bytes(6, "big")
    tail = bytearray(moment + secrets.token_bytes(10))
    tail[6] = 0x70 | tail[6] & 0x0F
    tail[8] = 0x80 | tail[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(tail)))


def stamp_new(session: Session, table: Table, values: Row) -> None:
    values.update(stamp(session, table, "created"))
    values.update(stamp(session, table, "modified"))
    if "overriddencreatedon" in values and "createdon" in table.columns:
        day = values["overriddencreatedon"]
        if isinstance(day, str):
            values["createdon"] = int(parse_instant(day) or session.now)
    if table.ownership == "user" and "ownerid" in table.columns:
        values.setdefault("ownerid", session.caller.user_id)
        values.setdefault("ownerid__t", "systemuser")
    if table.is_activity and "activitytypecode" in table.columns:
        values["activitytypecode"] = table.logical_name
    if (
        "transactioncurrencyid" in table.columns
        and "exchangerate" in table.columns
        and values.get("transactioncurrencyid") is None
    ):
        values["transactioncurrencyid"] = CURRENCY_ID
    for column in table.auto_numbers:
        if not values.get(column.name):
            values[column.name] = next_number(session, table, column)


def stamp(session: Session, table: Table, verb: str) -> Row:
    found: Row = {"versionnumber": session.tx.next_version()}
    names = table.columns
    if f"{verb}on" in names:
        found[f"{verb}on"] = session.now
    if f"{verb}by" in names:
        found[f"{verb}by"] = session.caller.user_id
    if f"{verb}onbehalfby" in names:
        found[f"{verb}onbehalfby"] = session.caller.acting_id
    return found


def set_state(table: Table, values: Row, before: Row | None) -> None:
    """Keep state and status together: a state brings its default status, a status must belong to the state.

    Raises: DataverseError 400 (0x80048408).
    """
    state, status = table.state_column, table.status_column
    if state is None or status is None:
        return
    if values.get("statecode") is None:
        if before is None:
            values["statecode"] = state.default_value() or 0
        elif values.get("statuscode") is None:
            values.pop("statecode", None)
            values.pop("statuscode", None)
            return
    current = values["statecode"] if values.get("statecode") is not None else (before or {}).get("statecode", 0)
    if values.get("statuscode") is None:
        options = [option for option in status.options if option.state == current]
        default = next((option for option in options if option.default), options[0] if options else None)
        if default is not None and (before is None or before.get("statecode") != current):
            values["statuscode"] = default.value
        return
    option = status.option(values["statuscode"])
    if option is None or (option.state is not None and option.state != current):
        label = (choice_label(state, current) or str(current)).replace(" ", "")
        raise DataverseError(
            400,
            INVALID_STATUS,
            f"{values['statuscode']} is not a valid status code for state code {table.schema_name}State.{label} "
            f"on {table.logical_name} with Id {(before or values)[table.primary_id]}.",
        )


def complete(session: Session, table: Table, values: Row, before: Row | None) -> None:
    """Columns that follow from others: owning user and team, full names, amounts in the base currency."""
    merged = {**(before or {}), **values}
    if "ownerid" in values and table.ownership == "user":
        team = merged.get("ownerid__t") == "team"
        owner = values["ownerid"]
        values["owningteam"] = owner if team else None
        values["owninguser"] = None if team else owner
        if "owningbusinessunit" in table.columns:
            kind = "team" if team else "systemuser"
            row = session.tx.execute(f"SELECT businessunitid FROM {kind} WHERE {kind}id = ?", (owner,)).fetchone()
            values["owningbusinessunit"] = row[0] if row else session.caller.business_unit_id
    for column in table.full_names:
        if "firstname" in values or "lastname" in values:
            names = [merged.get("firstname"), merged.get("lastname")]
            values[column.name] = " ".join(name for name in names if name) or None
    _complete_money(session, table, values, merged, before)


def _complete_money(session: Session, table: Table, values: Row, merged: Row, before: Row | None) -> None:
    if not table.base_amounts or "exchangerate" not in table.columns:
        return
    changed = before is None or values.get("transactioncurrencyid", before.get("transactioncurrencyid")) != before.get(
        "transactioncurrencyid"
    )
    if changed:
        row = session.tx.execute(
            "SELECT exchangerate FROM transactioncurrency WHERE transactioncurrencyid = ?",
            (merged.get("transactioncurrencyid"),),
        ).fetchone()
        values["exchangerate"] = merged["exchangerate"] = (row[0] if row else None) or 1.0
    rate = merged.get("exchangerate") or 1.0
    for column in table.base_amounts:
        source = str(column.base_of)
        if source in values or (changed and before is not None and merged.get(source) is not None):
            amount = merged.get(source)
            values[column.name] = None if amount is None else round(amount / rate, 4)


def require(table: Table, values: Row) -> None:
    for name in table.demanded:
        if values.get(name) is None:
            raise DataverseError(
                400, REQUIRED_MISSING, f"Required field '{name}' is missing on '{table.logical_name}'."
            )


_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


def next_number(session: Session, table: Table, column: Column) -> str:
    """The next value of an auto-number column: `CAS-{SEQNUM:5}-{RANDSTRING:6}`, `{DATETIMEUTC:yyyyMMdd}`."""
    row = session.tx.execute(
        "INSERT INTO _autonumber VALUES (?, ?, 1001) ON CONFLICT DO UPDATE SET next = next + 1 RETURNING next - 1",
        (table.logical_name, column.name),
    ).fetchone()

    def fill(match: re.Match[str]) -> str:
        kind, argument = match[1], match[2] or ""
        if kind == "SEQNUM":
            return f"{row[0]:0{int(argument or 1)}d}"
        if kind == "RANDSTRING":
            return "".join(secrets.choice(_ALPHABET) for _ in range(int(argument or 6)))
        return instant_text(session.now)[:10].replace("-", "")

    return re.sub(r"\{(SEQNUM|RANDSTRING|DATETIMEUTC)(?::(\w+))?\}", fill, column.auto_number or "")
