"""Create, update and delete rows, with everything the server sets by itself."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from .catalog import Collection, Column, Table
from .errors import (
    CANNOT_DELETE,
    DUPLICATE_KEY,
    DUPLICATE_RECORD,
    DataverseError,
    bad_request,
    not_found,
)
from .payload import Payload, Target, read_payload, with_twins
from .serverset import complete, new_id, require, set_state, stamp, stamp_new
from .session import Change, Row, Session
from .sqlite_tables import ACTIVITY_VIEW, is_stored, quote, twins

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
                create_under(session, table, key, collection, nested, depth=depth + 1)
    for collection, targets in payload.associated:
        for row in targets:
            associate(session, table, key, collection, row.id)
    return key


def create_under(
    session: Session, table: Table, key: str, collection: Collection, record: Mapping[str, Any], *, depth: int = 0
) -> str:
    """Create a row whose lookup leads to this one, as a member of its one-to-many collection; see `create`."""
    target = session.table(collection.table)
    return create(session, target, record, preset=_under(table, key, target, collection), depth=depth)


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
    set_state(table, values, None)
    stamp_new(session, table, values)
    session.rules.before(session, table, values, None)
    complete(session, table, values, None)
    require(table, values)
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
    set_state(table, values, before)
    values.update(stamp(session, table, "modified"))
    session.rules.before(session, table, values, before)
    complete(session, table, values, before)
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


_UNDELETABLE = frozenset({"systemuser", "organization", "sdkmessage", "sdkmessagefilter", "usersettings"})
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
    middle = _joining(session, table, key, target, row, collection.intersect)
    session.tx.execute(
        f"INSERT INTO {quote(middle.logical_name)} ({quote(middle.primary_id)}, {quote(collection.near)}, "
        f"{quote(collection.far)}, versionnumber) SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM "
        f"{quote(middle.logical_name)} WHERE {quote(collection.near)} = ? AND {quote(collection.far)} = ?)",
        (new_id(), key, other_id, session.tx.next_version(), key, other_id),
    )


def _joining(session: Session, table: Table, key: str, target: Table, row: Row, intersect: str) -> Table:
    """The middle table of a many-to-many relationship, whose two rows the caller may join or part.

    Raises: DataverseError 403.
    """
    middle = session.table(intersect)
    session.security.authorise(session, middle, "append", None)
    session.security.authorise(session, target, "append", row)
    session.security.authorise(session, table, "append", fetch_row(session, table, key))
    return middle


def disassociate(session: Session, table: Table, key: str, collection: Collection, other_id: str) -> None:
    """Detach a row from a collection.

    Raises: DataverseError 400, 403, 404.
    """
    target = session.table(collection.table)
    row = fetch_row(session, target, other_id)
    if row is None:
        raise not_found(target.logical_name, other_id)
    if collection.intersect:
        middle = _joining(session, table, key, target, row, collection.intersect)
        session.tx.execute(
            f"DELETE FROM {quote(middle.logical_name)} "
            f"WHERE {quote(collection.near)} = ? AND {quote(collection.far)} = ?",
            (key, other_id),
        )
    elif row.get(collection.column) == key:
        if target.columns[collection.column].required == "system":
            raise bad_request(f"Attribute '{collection.column}' of '{target.logical_name}' cannot be set to NULL.")
        modify(session, target, row, {collection.column: None})


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
