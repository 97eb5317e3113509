"""`$expand`: related rows in a row's JSON."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import json
from collections.abc import Sequence
from typing import Any

from .catalog import Column, Table
from .errors import bad_request
from .fetching import MAX_PAGE, collection_scope, next_link, select_page, where
from .operands import Scope, Sql, unknown_property
from .options import Expand
from .paging import inner_cookie, outer_cookie
from .render import fetch_names, render_rows, selected_columns, target_of
from .session import Row, Session
from .sorting import SortKey, sort_keys
from .sqlite_tables import quote
from .wire import Prefer, Request


def projection(select: Sequence[str] | None, expands: Sequence[Expand]) -> str:
    """What `@odata.context` says of the columns: `(name,primarycontactid(fullname))`; empty for all of them."""
    parts = [*(select or ()), *(f"{e.name}{projection(e.select, e.expand) or '()'}" for e in expands if not e.ref)]
    parts += [f"{e.name}/$ref()" for e in expands if e.ref]
    return f"({','.join(parts)})" if parts else ""


def expand_columns(table: Table, columns: Sequence[Column], expands: Sequence[Expand]) -> list[Column]:
    """The selected columns and the lookups that expanding needs."""
    found = {column.name: column for column in columns}
    for expand in expands:
        if expand.name in table.navigation:
            column = table.navigation[expand.name][0]
            found.setdefault(column.name, column)
    return list(found.values())


def expanded(
    session: Session,
    table: Table,
    rows: Sequence[Row],
    columns: Sequence[Column],
    expands: Sequence[Expand],
    prefer: Prefer,
    *,
    depth: int = 0,
) -> list[dict[str, Any]]:
    """The rows as JSON, related rows included.

    Raises: DataverseError 400.
    """
    records = render_rows(session, rows, columns, prefer)
    for expand in expands:
        if expand.name in table.navigation:
            _expand_lookup(session, table, rows, records, expand, prefer, depth)
        elif expand.name in table.collections:
            _expand_collection(session, table, rows, records, expand, prefer, depth)
        else:
            raise unknown_property(expand.name, table)
    return records


def _expand_lookup(
    session: Session,
    table: Table,
    rows: Sequence[Row],
    records: Sequence[dict[str, Any]],
    expand: Expand,
    prefer: Prefer,
    depth: int,
) -> None:
    column, targets = table.navigation[expand.name]
    if expand.filter is not None or expand.orderby or expand.top is not None:
        raise bad_request(f"$filter, $orderby and $top cannot be used on the single-valued '{expand.name}'.")
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for logical_name in targets:
        target = session.table(logical_name)
        ids = sorted({row[column.name] for row in rows if row[column.name] and target_of(column, row) == logical_name})
        if not ids and len(targets) > 1:
            continue
        for key, record in _related_records(session, target, ids, expand, prefer, depth).items():
            found[logical_name, key] = record
    for row, record in zip(rows, records, strict=True):
        value = row[column.name]
        related_record = found.get((target_of(column, row), value)) if value else None
        if expand.ref and related_record is not None:
            target = session.table(target_of(column, row))
            record[expand.name] = {"@odata.id": session.url(target, value)}
        else:
            record[expand.name] = related_record


def _related_records(
    session: Session, target: Table, ids: Sequence[str], expand: Expand, prefer: Prefer, depth: int
) -> dict[str, dict[str, Any]]:
    columns = selected_columns(target, expand.select)
    names = fetch_names(target, expand_columns(target, columns, expand.expand), prefer)
    scope = Scope(session, target, "t")
    among = Sql(f"t.{quote(target.primary_id)} IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    kept = where(scope, None, among)
    rows, _ = select_page(scope, names, kept, sort_keys(scope, ()), None, len(ids))
    records = expanded(session, target, rows, columns, expand.expand, prefer, depth=depth + 1)
    return {row[target.primary_id]: record for row, record in zip(rows, records, strict=True)}


def _expand_collection(
    session: Session,
    table: Table,
    rows: Sequence[Row],
    records: Sequence[dict[str, Any]],
    expand: Expand,
    prefer: Prefer,
    depth: int,
) -> None:
    collection = table.collections[expand.name]
    if expand.ref:
        raise bad_request("Expand with $ref is only supported on lookup type navigation property.")
    if depth and (expand.orderby or expand.top is not None):
        raise bad_request("$orderby and $top are not supported in a nested $expand of a collection.")
    if collection.intersect and depth:
        raise bad_request("A many-to-many collection cannot be expanded inside another $expand.")
    target = session.table(collection.table)
    columns = selected_columns(target, expand.select)
    names = fetch_names(target, expand_columns(target, columns, expand.expand), prefer)
    size = min(prefer.max_page_size or MAX_PAGE, MAX_PAGE) if expand.top is None else min(expand.top, MAX_PAGE)
    for row, record in zip(rows, records, strict=True):
        key = row[table.primary_id]
        scope, kept = collection_scope(session, table, key, collection, expand.filter)
        keys = sort_keys(scope, expand.orderby)
        found, places = select_page(scope, names, kept, keys, None, size + 1)
        more = len(found) > size
        found, places = found[:size], places[:size]
        record[expand.name] = expanded(session, target, found, columns, expand.expand, prefer, depth=depth + 1)
        if expand.top is None and (more or not depth):
            record[f"{expand.name}@odata.nextLink"] = _collection_link(session, table, key, expand, keys, places)


def _collection_link(
    session: Session,
    table: Table,
    key: str,
    expand: Expand,
    keys: Sequence[SortKey],
    places: Sequence[tuple[Any, ...]],
) -> str:
    """A link to what follows in the collection; present even when nothing does, as Dataverse has it."""
    options = {}
    if expand.select:
        options["$select"] = ",".join(expand.select)
    if expand.orderby:
        options["$orderby"] = ",".join(f"{o.path}{' desc' if o.descending else ''}" for o in expand.orderby)
    if expand.filter_text:
        options["$filter"] = expand.filter_text
    request = Request(method="GET", path="", query=options)
    path = f"{table.entity_set}({key})/{expand.name}"
    if not places:
        return f"{session.base}/{path}"
    return next_link(session, path, request, outer_cookie(inner_cookie(keys, 1, places[0], places[-1]), 2))
