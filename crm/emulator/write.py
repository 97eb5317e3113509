"""Create, update and delete rows, with everything the server sets by itself."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import re
import secrets
import sqlite3
import time
import uuid
from collections.abc import Mapping
from typing import Any

from .catalog import Collection, Column, Table
from .errors import (
    CANNOT_DELETE,
    DUPLICATE_KEY,
    DUPLICATE_RECORD,
    INVALID_STATUS,
    REQUIRED_MISSING,
    DataverseError,
    bad_request,
    not_found,
)
from .organization import CURRENCY_ID
from .payload import Payload, Target, read_payload, with_twins
from .session import Change, Row, Session
from .store import ACTIVITY_VIEW, is_stored, quote, twins
from .values import choice_label

MAX_DEPTH = 16
Preset = Mapping[str, Target | Any]


def create(
    session: Session,
    table: Table,
    record: Mapping[str, Any],
    *,
    row_id: str | None = None,
    preset: Row | None = None,
    depth: int = 0,
) -> str:
    """Create a row and what is nested in its record.

    Args:
        row_id: the id that a URL gave; else the body's, else a new one.
        preset: storage values that the surroundings set (the parent of a nested record, an alternate key's parts).

    Returns: the row's id.
    Raises: DataverseError 400, 403, 404, 412.
    """
    if depth > MAX_DEPTH:
        raise bad_request("The record is nested too deeply.")
    refuse_read_only(table)
    payload = read_payload(session, table, record, creating=True)
    for column, (parent, nested) in payload.parents.items():
        payload.lookups[column] = Target(parent, create(session, parent, nested, depth=depth + 1))
    given = dict(preset or {})
    given.update(payload.values)
    given.update(_lookup_values(session, table, payload, None))
    key = row_id or payload.row_id or new_id()
    insert(session, table, key, given)
    for collection, records in payload.children:
        target = session.table(collection.table)
        for nested in records:
            if collection.intersect:
                associate(session, table, key, collection, create(session, target, nested, depth=depth + 1))
            else:
                create(session, target, nested, preset=_under(table, key, target, collection), depth=depth + 1)
    for collection, targets in payload.associated:
        for row in targets:
            associate(session, table, key, collection, row.id)
    return key


def new_id() -> str:
    """A fresh row id. Later ones sort after earlier ones, as a server's sequential GUIDs do: indexes stay compact."""
    moment = int(time.time() * 1000).to_bytes(6, "big")
    tail = bytearray(moment + secrets.token_bytes(10))
    tail[6] = 0x70 | tail[6] & 0x0F
    tail[8] = 0x80 | tail[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(tail)))


def _under(table: Table, key: str, target: Table, collection: Collection) -> Row:
    values: Row = {collection.column: key}
    if target.columns[collection.column].polymorphic:
        values[f"{collection.column}__t"] = table.logical_name
    return values


def insert(session: Session, table: Table, key: str, given: Row) -> Row:
    """Store a new row: `given` holds storage values; the server's own columns, defaults and rules are added.

    Raises: DataverseError 400, 403, 412.
    """
    values: Row = {**table.defaults, table.primary_id: key, **given}
    _set_state(table, values, None)
    _stamp_new(session, table, values)
    session.rules.before(session, table, values, None)
    _complete(session, table, values, None)
    _require(table, values)
    session.security.authorise(session, table, "create", values)
    row = {name: value for name, value in values.items() if value is not None}
    full = with_twins(table, row)
    names = ", ".join(map(quote, full))
    marks = ", ".join("?" * len(full))
    try:
        session.tx.execute(f"INSERT INTO {quote(table.logical_name)} ({names}) VALUES ({marks})", full.values())
    except sqlite3.IntegrityError as error:
        raise _duplicate(table, error) from None
    change = Change(message="Create", table=table, id=key, caller=session.caller, values=row, after=row, before={})
    session.changes.append(change)
    session.rules.after(session, change)
    return row


def update(session: Session, table: Table, key: str, record: Mapping[str, Any]) -> None:
    """Change the columns that a record names.

    Raises: DataverseError 400, 403, 404, 412.
    """
    refuse_read_only(table)
    payload = read_payload(session, table, record, creating=False)
    given = dict(payload.values)
    before = fetch_row(session, table, key)
    if before is None:
        raise not_found(table.logical_name, key)
    given.update(_lookup_values(session, table, payload, before))
    modify(session, table, before, given)
    for collection, targets in payload.associated:
        for row in targets:
            associate(session, table, key, collection, row.id)


def modify(session: Session, table: Table, before: Row, given: Row) -> Row:
    """Write storage values over a row; the server's own columns follow.

    Returns: the row after. Raises: DataverseError 400, 403, 412.
    """
    key = before[table.primary_id]
    session.security.authorise(session, table, "write", before)
    values = dict(given)
    if values.get("ownerid") not in (None, before.get("ownerid")):
        session.security.authorise(session, table, "assign", before)
    _set_state(table, values, before)
    values.update(_stamp(session, table, "modified"))
    session.rules.before(session, table, values, before)
    _complete(session, table, values, before)
    full = with_twins(table, values)
    assignments = ", ".join(f"{quote(name)} = ?" for name in full)
    try:
        session.tx.execute(
            f"UPDATE {quote(table.logical_name)} SET {assignments} WHERE {quote(table.primary_id)} = ?",
            (*full.values(), key),
        )
    except sqlite3.IntegrityError as error:
        raise _duplicate(table, error) from None
    after = {name: value for name, value in {**before, **values}.items() if value is not None}
    change = Change(
        message="Update", table=table, id=key, caller=session.caller, values=values, before=before, after=after
    )
    session.changes.append(change)
    session.rules.after(session, change)
    return after


def delete(session: Session, table: Table, key: str) -> None:
    """Delete a row; what belongs to it goes with it, other lookups to it are cleared.

    Raises: DataverseError 403, 404, 405.
    """
    refuse_read_only(table)
    row = fetch_row(session, table, key)
    if row is None:
        raise not_found(table.logical_name, key)
    if table.logical_name in _UNDELETABLE:
        raise DataverseError(
            405, CANNOT_DELETE, f"The '{table.logical_name}' entity does not support deletion of this row."
        )
    session.security.authorise(session, table, "delete", row)
    session.tx.execute(f"DELETE FROM {quote(table.logical_name)} WHERE {quote(table.primary_id)} = ?", (key,))
    session.tx.execute(
        "INSERT INTO _deleted VALUES (?, ?, ?, ?)", (session.tx.next_version(), table.logical_name, key, session.now)
    )
    session.tx.execute("DELETE FROM _chunk WHERE file IN (SELECT id FROM _file WHERE owner = ?)", (key,))
    session.tx.execute("DELETE FROM _file WHERE owner = ?", (key,))
    for other, column in session.catalog.references.get(table.logical_name, ()):
        if not other.is_intersect and other.logical_name != ACTIVITY_VIEW:
            _release(session, table, key, other, column)
    for collection in table.collections.values():
        if collection.intersect:
            session.tx.execute(f"DELETE FROM {quote(collection.intersect)} WHERE {quote(collection.near)} = ?", (key,))
    change = Change(message="Delete", table=table, id=key, caller=session.caller, before=row)
    session.changes.append(change)
    session.rules.after(session, change)


_UNDELETABLE = frozenset({"systemuser", "organization"})
_BELONGS = frozenset({"regardingobjectid", "objectid", "activityid"})


def _release(session: Session, table: Table, key: str, other: Table, column: Column) -> None:
    """Rows whose lookup leads to a deleted row: deleted when they belong to it, else unlinked."""
    condition = f"{quote(column.name)} = ?"
    values: list[Any] = [key]
    if column.polymorphic:
        condition += f" AND {quote(column.name + '__t')} = ?"
        values.append(table.logical_name)
    found = session.tx.execute(
        f"SELECT {quote(other.primary_id)} FROM {quote(other.logical_name)} WHERE {condition}", values
    ).fetchall()
    belongs = column.required == "system" or column.name in _BELONGS or other.ownership == "parent"
    for (row_id,) in found:
        if belongs:
            delete(session, other, row_id)
        else:
            session.tx.execute(
                f"UPDATE {quote(other.logical_name)} SET {quote(column.name)} = NULL, versionnumber = ? "
                f"WHERE {quote(other.primary_id)} = ?",
                (session.tx.next_version(), row_id),
            )


def associate(session: Session, table: Table, key: str, collection: Collection, other_id: str) -> None:
    """Attach an existing row to a collection.

    Raises: DataverseError 400, 403, 404.
    """
    target = session.table(collection.table)
    row = fetch_row(session, target, other_id)
    if row is None:
        raise not_found(target.logical_name, other_id)
    if not collection.intersect:
        modify(session, target, row, _under(table, key, target, collection))
        return
    middle = session.table(collection.intersect)
    session.security.authorise(session, target, "append", row)
    session.tx.execute(
        f"INSERT INTO {quote(middle.logical_name)} ({quote(middle.primary_id)}, {quote(collection.near)}, "
        f"{quote(collection.far)}, versionnumber) SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM "
        f"{quote(middle.logical_name)} WHERE {quote(collection.near)} = ? AND {quote(collection.far)} = ?)",
        (new_id(), key, other_id, session.tx.next_version(), key, other_id),
    )


def disassociate(session: Session, table: Table, key: str, collection: Collection, other_id: str) -> None:
    """Detach a row from a collection.

    Raises: DataverseError 400, 404.
    """
    target = session.table(collection.table)
    row = fetch_row(session, target, other_id)
    if row is None:
        raise not_found(target.logical_name, other_id)
    if collection.intersect:
        session.tx.execute(
            f"DELETE FROM {quote(collection.intersect)} "
            f"WHERE {quote(collection.near)} = ? AND {quote(collection.far)} = ?",
            (key, other_id),
        )
    elif row.get(collection.column) == key:
        if target.columns[collection.column].required == "system":
            raise bad_request(f"Attribute '{collection.column}' of '{target.logical_name}' cannot be set to NULL.")
        modify(session, target, row, {collection.column: None})
    del table


def fetch_row(session: Session, table: Table, key: str) -> Row | None:
    """A row's storage values (nulls left out), or None."""
    names = [name for column in table.columns.values() if is_stored(column) for name in stored_names(column)]
    row = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(table.logical_name)} WHERE {quote(table.primary_id)} = ?",
        (key,),
    ).fetchone()
    return None if row is None else {n: v for n, v in zip(names, row, strict=True) if v is not None}


def stored_names(column: Column) -> list[str]:
    """The SQLite columns that carry information (folded text does not)."""
    return [name for name in twins(column) if not name.endswith("__f")]


def refuse_read_only(table: Table) -> None:
    """Raises: DataverseError 405 for a table that is only a view of others."""
    if table.logical_name == ACTIVITY_VIEW:
        raise DataverseError(
            405, "0x80040800", "The 'activitypointer' entity cannot be written: write the activity itself."
        )


def _lookup_values(session: Session, table: Table, payload: Payload, before: Row | None) -> Row:
    values: Row = {}
    for name, target in payload.lookups.items():
        column = table.columns[name]
        if not (column.create if before is None else column.update):
            continue
        values[name] = target.id if target else None
        if column.polymorphic:
            values[f"{name}__t"] = target.table.logical_name if target else None
        if target is not None and name != "ownerid":
            session.security.authorise(session, target.table, "appendto", fetch_row(session, target.table, target.id))
    return values


def _stamp_new(session: Session, table: Table, values: Row) -> None:
    values.update(_stamp(session, table, "created"))
    values.update(_stamp(session, table, "modified"))
    if "overriddencreatedon" in values and "createdon" in table.columns:
        day = values["overriddencreatedon"]
        if isinstance(day, str):
            from .values import parse_instant

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


def _stamp(session: Session, table: Table, verb: str) -> Row:
    found: Row = {"versionnumber": session.tx.next_version()}
    names = table.columns
    if f"{verb}on" in names:
        found[f"{verb}on"] = session.now
    if f"{verb}by" in names:
        found[f"{verb}by"] = session.caller.user_id
    if f"{verb}onbehalfby" in names:
        found[f"{verb}onbehalfby"] = session.caller.acting_id
    return found


def _set_state(table: Table, values: Row, before: Row | None) -> None:
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


def _complete(session: Session, table: Table, values: Row, before: Row | None) -> None:
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


def _require(table: Table, values: Row) -> None:
    for name in table.demanded:
        if values.get(name) is None:
            raise DataverseError(
                400, REQUIRED_MISSING, f"Required field '{name}' is missing on '{table.logical_name}'."
            )


def _duplicate(table: Table, error: sqlite3.IntegrityError) -> DataverseError:
    columns = {part.rsplit(".", 1)[-1].removesuffix("__f") for part in re.findall(r"\w+\.\w+", str(error))}
    if columns == {table.primary_id} or "UNIQUE" not in str(error):
        return DataverseError(412, DUPLICATE_RECORD, "A record with matching key values already exists.")
    named = next((key.name for key in table.keys.values() if set(key.columns) == columns), "")
    return DataverseError(
        412,
        DUPLICATE_KEY,
        f"A record that has the attribute values {', '.join(sorted(columns))} already exists. The entity key {named} "
        "requires that this set of attributes contains unique values. Select unique values and try again.",
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
        from .values import instant_text

        return instant_text(session.now)[:10].replace("-", "")

    return re.sub(r"\{(SEQNUM|RANDSTRING|DATETIMEUTC)(?::(\w+))?\}", fill, column.auto_number or "")
