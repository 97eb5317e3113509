"""A JSON record -> the values to store and the related records to write with it."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .catalog import Collection, Column, Table
from .errors import DataverseError, bad_payload, bad_request, not_found
from .odata_tree import Literal
from .operands import comparable_value
from .options import parse_key
from .session import Row, Session
from .sqlite_tables import quote, twins
from .text import fold
from .values import to_storage
from .wire import parse_path

BIND = "@odata.bind"


@dataclass(frozen=True, slots=True)
class Target:
    """A row that a lookup points at."""

    table: Table
    id: str


@dataclass(slots=True)
class Payload:
    """What a record asks for.

    Attributes:
        row_id: the primary key in the body, if any.
        values: storage values of plain columns.
        lookups: lookup column -> its new target (None clears it).
        parents: lookup column -> record to create first and point at (deep insert).
        children: collection -> records to create under this one.
        associated: collection -> existing rows to attach.
    """

    row_id: str | None = None
    values: Row = field(default_factory=dict)
    lookups: dict[str, Target | None] = field(default_factory=dict)
    parents: dict[str, tuple[Table, Mapping[str, Any]]] = field(default_factory=dict)
    children: list[tuple[Collection, list[Mapping[str, Any]]]] = field(default_factory=list)
    associated: list[tuple[Collection, list[Target]]] = field(default_factory=list)


def undeclared(table: Table, name: str) -> DataverseError:
    """A property that the table does not have, in the words that clients know (0x80048d19)."""
    if name.endswith(BIND):
        reason = (
            f"An undeclared property '{name.removesuffix(BIND)}' which only has property annotations in the payload "
            "but no property value was found in the payload. In OData, only declared navigation properties and "
            "declared named streams can be represented as properties without values."
        )
    else:
        reason = (
            f"Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{table.logical_name}'. ---> "
            f"The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{table.logical_name}'. Make sure to "
            "only use property names that are defined by the type."
        )
    return bad_payload(f"Error identified in Payload provided by the user for Entity :'{table.entity_set}': {reason}")


def read_payload(session: Session, table: Table, record: Mapping[str, Any], *, creating: bool) -> Payload:
    """Check every property of a record against the schema.

    Columns that clients cannot write (`createdon` …) are passed over, as Dataverse does.

    Raises: DataverseError 400, 404 (a bound row that does not exist).
    """
    payload = Payload()
    for name, value in record.items():
        if name.endswith(BIND):
            _read_bind(session, table, payload, name.removesuffix(BIND), value)
        elif "@" in name:
            _check_annotation(table, name, value)
        elif name == table.primary_id:
            payload.row_id = to_storage(table, table.columns[name], value)
        elif name in table.by_wire_name and table.by_wire_name[name].type != "lookup":
            column = table.by_wire_name[name]
            if column.create if creating else column.update:
                payload.values[column.name] = to_storage(table, column, value)
        elif name in table.navigation:
            _read_navigation(session, table, payload, name, value, creating=creating)
        elif name in table.collections:
            _read_collection(table, payload, name, value, creating=creating)
        elif name in table.by_wire_name or name in table.columns:
            raise bad_payload(
                f"Error identified in Payload provided by the user for Entity :'{table.entity_set}': '{name}' cannot "
                f"be set directly. Use the navigation property: {_bind_examples(table, name)}."
            )
        else:
            raise undeclared(table, name)
    return payload


def _bind_examples(table: Table, name: str) -> str:
    column = table.by_wire_name.get(name) or table.columns[name]
    return ", ".join(f'"{navigation}{BIND}"' for navigation in dict.fromkeys(column.targets.values()))


def _check_annotation(table: Table, name: str, value: Any) -> None:
    if name == "@odata.type" and isinstance(value, str):
        stated = value.lstrip("#").rsplit(".", 1)[-1]
        if stated != table.logical_name:
            raise bad_payload(
                f"A type named '{value}' is not compatible with the expected type "
                f"'Microsoft.Dynamics.CRM.{table.logical_name}'."
            )


def _read_bind(session: Session, table: Table, payload: Payload, navigation: str, value: Any) -> None:
    if navigation in table.navigation:
        column, targets = table.navigation[navigation]
        if value is None:
            _check_clear(table, column)
            payload.lookups[column.name] = None
            return
        if not isinstance(value, str):
            raise bad_payload(f"The value of '{navigation}{BIND}' must be the URL of a row.")
        target = resolve_reference(session, value)
        if target.table.logical_name not in targets:
            raise bad_payload(
                f"'{navigation}' cannot refer to a row of '{target.table.logical_name}'; "
                f"it refers to {' or '.join(targets)}."
            )
        payload.lookups[column.name] = target
    elif navigation in table.collections and isinstance(value, list):
        collection = table.collections[navigation]
        rows = [resolve_reference(session, item) for item in value if isinstance(item, str)]
        if len(rows) != len(value) or any(row.table.logical_name != collection.table for row in rows):
            raise bad_payload(f"The value of '{navigation}{BIND}' must be a list of URLs of '{collection.table}' rows.")
        payload.associated.append((collection, rows))
    else:
        raise undeclared(table, f"{navigation}{BIND}")


def _check_clear(table: Table, column: Column) -> None:
    if column.required == "system":
        raise bad_payload(f"Attribute '{column.name}' of '{table.logical_name}' cannot be set to NULL.")


def _read_navigation(
    session: Session, table: Table, payload: Payload, name: str, value: Any, *, creating: bool
) -> None:
    column, targets = table.navigation[name]
    if value is None:
        if not creating:
            _check_clear(table, column)
            payload.lookups[column.name] = None
        return
    if not isinstance(value, dict):
        raise bad_payload(f"'{name}' is a navigation property: a JSON object was expected, or use '{name}{BIND}'.")
    if not creating:
        raise bad_payload(f"Deep update of navigation properties is not allowed. Property: '{name}'.")
    stated = str(value.get("@odata.type", "")).rsplit(".", 1)[-1]
    target = stated or targets[0]
    if target not in targets:
        raise bad_payload(f"'{name}' cannot hold a record of type '{stated}'.")
    payload.parents[column.name] = (session.table(target), value)


def _read_collection(table: Table, payload: Payload, name: str, value: Any, *, creating: bool) -> None:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad_payload(f"'{name}' is a collection: a list of JSON objects was expected.")
    if not creating:
        raise bad_payload(f"Deep update of navigation properties is not allowed. Property: '{name}'.")
    payload.children.append((table.collections[name], value))


def resolve_reference(session: Session, url: str) -> Target:
    """The row that a URL means: `/contacts(guid)`, `contacts(key='x')`, an absolute URL, `$1` in a change set.

    Raises: DataverseError 400, 404.
    """
    if url.startswith(("$", "/$")):
        name = url.strip("/")[1:]
        if name not in session.references:
            raise bad_request(f"Content-ID Reference: '${name}' does not exist in the batch context.")
        url = session.references[name]
    if match := re.match(r"https?://[^/]+", url, re.IGNORECASE):
        url = url[match.end() :]
    if match := re.match(r"/?api/data/v9\.\d/", url, re.IGNORECASE):
        url = url[match.end() :]
    segments = parse_path(url)
    if len(segments) != 1 or segments[0].args is None:
        raise bad_payload(f"'{url}' is not the URL of a row: '/contacts(00000000-0000-0000-0000-000000000000)' is one.")
    table = session.catalog.sets.get(segments[0].name)
    if table is None:
        raise bad_payload(f"Resource not found for the segment '{segments[0].name}'.")
    row_id = find_row(session, table, parse_key(segments[0].args))
    if row_id is None:
        raise not_found(table.logical_name, segments[0].args)
    return Target(table, row_id)


def key_values(table: Table, key: Mapping[str, Literal]) -> dict[str, Any]:
    """An alternate key's parts as comparable SQLite columns and values.

    Raises: DataverseError 400 when the table has no such key.
    """
    names = {}
    for name, literal in key.items():
        column = table.by_wire_name.get(name) or table.columns.get(name)
        if column is None:
            raise bad_request(
                f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table.logical_name}'."
            )
        names[column.name] = (column, literal)
    if set(names) == {table.primary_id}:
        column, literal = names[table.primary_id]
        return {table.primary_id: comparable_value(column, literal)}
    if not any(set(alternate.columns) == set(names) for alternate in table.keys.values()):
        raise bad_request(
            f"The specified key properties ({', '.join(sorted(key))}) are not a defined alternate key "
            f"of entity '{table.logical_name}'."
        )
    found = {}
    for column, literal in names.values():
        if literal.kind == "null":
            raise bad_request(f"The key property '{column.name}' cannot be null.")
        stored = twins(column)[-1] if column.type == "string" else column.name
        found[stored] = comparable_value(column, literal)
    return found


def find_row(session: Session, table: Table, key: str | Mapping[str, Literal]) -> str | None:
    """The id of the row with this key (a GUID or an alternate key), or None."""
    wanted = {table.primary_id: key} if isinstance(key, str) else key_values(table, key)
    condition = " AND ".join(f"{quote(name)} = ?" for name in wanted)
    row = session.tx.execute(
        f"SELECT {quote(table.primary_id)} FROM {quote(table.logical_name)} WHERE {condition}", wanted.values()
    ).fetchone()
    return None if row is None else str(row[0])


def key_record(table: Table, key: Mapping[str, Literal]) -> dict[str, Any]:
    """The parts of an alternate key as storage values of a new row."""
    found: dict[str, Any] = {}
    for name, literal in key.items():
        column = table.by_wire_name.get(name) or table.columns[name]
        if column.type in {"lookup", "datetime"}:
            found[column.name] = comparable_value(column, literal)
        else:
            found[column.name] = to_storage(table, column, literal.value)
    return found


def with_twins(table: Table, values: Row) -> Row:
    """The values with the folded text that SQLite columns `name__f` hold."""
    full = dict(values)
    for name in table.text_columns & values.keys():
        value = values[name]
        full[f"{name}__f"] = None if value is None else fold(value)
    return full
