"""Stored rows -> JSON records with the annotations that were asked for."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .catalog import Column, Table
from .errors import bad_request
from .operands import unknown_property
from .session import Row, Session
from .sqlite_tables import quote
from .values import formatted, to_wire
from .wire import Prefer

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


def readable_columns(table: Table) -> list[Column]:
    return [column for column in table.columns.values() if column.read and column.type != "virtual"]


def selected_columns(table: Table, select: Sequence[str] | None) -> list[Column]:
    """The columns of `$select` (None: all), the primary key always among them.

    A navigation property's name is accepted and selects nothing, as in Dataverse.

    Raises: DataverseError 400 for an unknown name.
    """
    if not select or "*" in select:
        return readable_columns(table)
    names = {table.primary_id: table.columns[table.primary_id]}
    for name in select:
        column = table.by_wire_name.get(name)
        if column is not None and column.read and column.type != "virtual":
            names[column.name] = column
        elif name in table.navigation or name in table.collections:
            continue
        elif column is not None:
            raise bad_request(f"The property '{name}' of '{table.logical_name}' cannot be read.")
        else:
            raise unknown_property(name, table)
    return list(names.values())


def fetch_names(table: Table, columns: Iterable[Column], prefer: Prefer) -> list[str]:
    """The SQLite columns that rendering needs."""
    names: dict[str, None] = {table.primary_id: None}
    money = False
    for column in columns:
        names[column.name] = None
        if column.polymorphic:
            names[f"{column.name}__t"] = None
        money = money or column.type == "money"
    if "versionnumber" in table.columns:
        names["versionnumber"] = None
    if money and prefer.formatted and "transactioncurrencyid" in table.columns:
        names["transactioncurrencyid"] = None
    return list(names)


def target_of(column: Column, row: Mapping[str, Any]) -> str:
    """The logical name of the table that a lookup's value is in."""
    if column.polymorphic:
        return str(row.get(f"{column.name}__t") or next(iter(column.targets)))
    return next(iter(column.targets), "")


def render_rows(
    session: Session, rows: Sequence[Row], columns: Sequence[Column], prefer: Prefer
) -> list[dict[str, Any]]:
    """JSON records in the order of the rows."""
    show = {
        FORMATTED: prefer.formatted,
        LOGICAL_NAME: prefer.annotates(LOGICAL_NAME),
        NAVIGATION: prefer.annotates(NAVIGATION),
    }
    names = _lookup_names(session, rows, columns) if show[FORMATTED] else {}
    symbols = _symbols(session) if show[FORMATTED] and any(c.type == "money" for c in columns) else {}
    plain = not any(show.values())
    return [_plain(row, columns) if plain else _annotated(row, columns, show, names, symbols) for row in rows]


def etag(row: Mapping[str, Any]) -> str:
    return f'W/"{row.get("versionnumber", 0)}"'


def _plain(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    record: dict[str, Any] = {"@odata.etag": etag(row)}
    for column in columns:
        record[column.wire_name] = to_wire(column, row.get(column.name))
    return record


def _annotated(
    row: Row,
    columns: Sequence[Column],
    show: Mapping[str, bool],
    names: Mapping[tuple[str, str], str],
    symbols: Mapping[str, str],
) -> dict[str, Any]:
    record: dict[str, Any] = {"@odata.etag": etag(row)}
    symbol = symbols.get(str(row.get("transactioncurrencyid")), "$")
    for column in columns:
        stored, wire = row.get(column.name), column.wire_name
        if stored is not None and column.type == "lookup":
            target = target_of(column, row)
            if show[NAVIGATION] and target in column.targets:
                record[f"{wire}@{NAVIGATION}"] = column.targets[target]
            if show[LOGICAL_NAME]:
                record[f"{wire}@{LOGICAL_NAME}"] = target
            if (target, stored) in names:
                record[f"{wire}@{FORMATTED}"] = names[target, stored]
        elif stored is not None and show[FORMATTED]:
            text = formatted(column, stored, symbol=symbol)
            if text is not None:
                record[f"{wire}@{FORMATTED}"] = text
        record[wire] = to_wire(column, stored)
    return record


def _lookup_names(session: Session, rows: Sequence[Row], columns: Sequence[Column]) -> dict[tuple[str, str], str]:
    """(table, id) -> primary name of every row that the lookups point at, one query per table."""
    wanted: dict[str, set[str]] = {}
    for column in columns:
        if column.type != "lookup":
            continue
        for row in rows:
            value = row.get(column.name)
            if value is not None:
                wanted.setdefault(target_of(column, row), set()).add(value)
    return {
        (logical_name, key): name
        for logical_name, keys in wanted.items()
        for key, name in primary_names(session, logical_name, keys).items()
    }


def primary_names(session: Session, logical_name: str, keys: Iterable[str]) -> dict[str, str]:
    """Id -> primary name for rows of one table; rows without a name are left out."""
    table = session.catalog.get(logical_name)
    if table is None or table.primary_name not in table.columns:
        return {}
    found = session.tx.execute(
        f"SELECT {quote(table.primary_id)}, {quote(table.primary_name)} FROM {quote(logical_name)} "
        f"WHERE {quote(table.primary_id)} IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(keys)),),
    )
    return {key: name for key, name in found if name is not None}


def _symbols(session: Session) -> dict[str, str]:
    found = session.tx.execute("SELECT transactioncurrencyid, currencysymbol FROM transactioncurrency")
    return {key: symbol or "$" for key, symbol in found}
