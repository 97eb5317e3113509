"""Lists, counts and single rows: `$select $filter $orderby $top $count $expand`, pages, links to the next one."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote as encode

from .catalog import Collection, Column, Table
from .errors import bad_request, not_found, not_implemented
from .odata import Node, parse_filter
from .operands import Scope, Sql, join, unknown_property
from .options import Expand, Order, parse_count, parse_expand, parse_names, parse_orderby
from .paging import Cookie, inner_cookie, outer_cookie, read_outer
from .plan import choose
from .render import etag, fetch_names, render_rows, selected_columns, target_of
from .session import Row, Session
from .sorting import SortKey, after, order_by, sort_keys, without_index
from .sql import condition, related
from .store import quote
from .wire import Prefer, Request, Response, json_response

MAX_PAGE = 5000
_OWNERS = frozenset({"ownerid", "owningbusinessunit"})
"""What decides whether a row may be read; a selection may leave out either."""
_OPTIONS = frozenset(
    {"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$apply", "$skiptoken", "$deltatoken"}
)
_SINGLE_OPTIONS = frozenset({"$select", "$expand"})


def check_options(request: Request, allowed: frozenset[str] = _OPTIONS) -> None:
    """Refuse query options that Dataverse does not take.

    Raises: DataverseError 400, 501.
    """
    for name in request.query:
        if name.startswith("@") or name in allowed:
            continue
        if name in {"$skip", "$search", "$format", "$levels"} or name.startswith("$"):
            raise bad_request(f"The query parameter {name} is not supported.")
        if name in {"savedQuery", "userQuery"}:
            raise not_implemented(f"The query parameter {name}")
        raise bad_request(f"The query parameter {name} is not supported. System query options begin with '$'.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A list request, parsed."""

    select: tuple[str, ...] | None = None
    filter: Node | None = None
    orderby: tuple[Order, ...] = ()
    top: int | None = None
    count: bool = False
    expand: tuple[Expand, ...] = ()
    page_size: int = MAX_PAGE
    skiptoken: str | None = None


def parse_list(request: Request) -> ListQuery:
    """Raises: DataverseError 400, 501."""
    check_options(request)
    query = request.query
    top = parse_count("$top", query["$top"]) if "$top" in query else None
    size = request.prefer.max_page_size
    if size is not None:
        top = None  # Dataverse ignores $top when a page size is asked for.
    counted = query.get("$count", "false").lower()
    if counted not in {"true", "false"}:
        raise bad_request(
            f"Invalid value '{counted}' for $count query option found. Valid values are 'true' and 'false'."
        )
    return ListQuery(
        select=parse_names(query["$select"]) if "$select" in query else None,
        filter=parse_filter(query["$filter"], query) if "$filter" in query else None,
        orderby=parse_orderby(query["$orderby"]) if query.get("$orderby") else (),
        top=top,
        count=counted == "true",
        expand=parse_expand(query["$expand"]) if query.get("$expand") else (),
        page_size=min(size or MAX_PAGE, MAX_PAGE),
        skiptoken=query.get("$skiptoken"),
    )


def where(scope: Scope, node: Node | None, *more: Sql) -> Sql:
    """The caller's filter, what the caller may read, and further conditions, as one."""
    items = [*more]
    if node is not None:
        items.append(condition(scope, node))
    allowed = scope.session.security.readable(scope.session, scope.table, scope.alias)
    if allowed is not None:
        items.append(Sql(allowed[0], tuple(allowed[1])))
    return join("AND", items)


def list_rows(session: Session, table: Table, request: Request, *more: Sql, path: str | None = None) -> Response:
    """Answer `GET set` (or a row's collection, narrowed by `more` on alias `t`)."""
    query = parse_list(request)
    document = read_list(session, table, query, request, *more, path=path)
    return json_response(document, annotations=request.prefer.annotations, headers=_page_header(request.prefer))


def _page_header(prefer: Prefer) -> list[tuple[str, str]]:
    if prefer.max_page_size is None or prefer.annotations:
        return []
    return [("Preference-Applied", f"odata.maxpagesize={prefer.max_page_size}")]


def read_list(
    session: Session, table: Table, query: ListQuery, request: Request, *more: Sql, path: str | None = None
) -> dict[str, Any]:
    prefer = request.prefer
    scope = Scope(session, table, "t")
    columns = selected_columns(table, query.select)
    plan = choose(scope, query.filter, query.orderby)
    keys = sort_keys(scope, query.orderby)
    if plan.sort_found:
        keys = without_index(keys)
    scope = replace(scope, unindexed=plan.unindexed)
    kept = where(scope, query.filter, *more)
    cookie = Cookie(1, None)
    if query.skiptoken is not None:
        cookie = read_outer(query.skiptoken, keys)
    limit = min(query.top, MAX_PAGE) if query.top is not None else query.page_size
    extra = 0 if query.top is not None else 1
    rows, places = select_page(scope, fetch_names(table, expand_columns(table, columns, query.expand), prefer), kept,
                               keys, cookie.last, limit + extra)  # fmt: skip
    further = len(rows) > limit
    rows, places = rows[:limit], places[:limit]
    document: dict[str, Any] = {
        "@odata.context": session.context(table.entity_set + projection(query.select, query.expand))
    }
    _add_count(document, scope, kept, query, prefer)
    document["value"] = expanded(session, table, rows, columns, query.expand, prefer)
    if further:
        inner = inner_cookie(keys, cookie.page, places[0], places[-1])
        document["@odata.nextLink"] = next_link(
            session, path or table.entity_set, request, outer_cookie(inner, cookie.page + 1)
        )
    return document


def projection(select: Sequence[str] | None, expands: Sequence[Expand]) -> str:
    """What `@odata.context` says of the columns: `(name,primarycontactid(fullname))`; empty for all of them."""
    parts = [*(select or ()), *(f"{e.name}{projection(e.select, e.expand) or '()'}" for e in expands if not e.ref)]
    parts += [f"{e.name}/$ref()" for e in expands if e.ref]
    return f"({','.join(parts)})" if parts else ""


def _add_count(document: dict[str, Any], scope: Scope, kept: Sql, query: ListQuery, prefer: Prefer) -> None:
    total = -1
    exceeded = False
    if query.count:
        total, exceeded = count_rows(scope, kept)
        document["@odata.count"] = total
    if prefer.annotates("Microsoft.Dynamics.CRM.totalrecordcount"):
        document["@Microsoft.Dynamics.CRM.totalrecordcount"] = total
    if prefer.annotates("Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"):
        document["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = exceeded


def count_rows(scope: Scope, kept: Sql) -> tuple[int, bool]:
    """How many rows match, up to 5000, and whether there are more."""
    source = f"SELECT 1 FROM {quote(scope.table.logical_name)} t WHERE {kept.text} LIMIT {MAX_PAGE + 1}"
    found: int = scope.session.tx.execute(f"SELECT count(*) FROM ({source})", kept.values).fetchone()[0]
    return min(found, MAX_PAGE), found > MAX_PAGE


def select_page(
    scope: Scope,
    names: Sequence[str],
    kept: Sql,
    keys: Sequence[SortKey],
    last: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Row], list[tuple[Any, ...]]]:
    """The rows of one page and each row's sort values."""
    if last is not None:
        kept = join("AND", [kept, after(keys, last)])
    order = order_by(keys)
    listed = ", ".join(f"t.{quote(name)}" for name in names)
    sorted_by = ", ".join(key.sql.text for key in keys)
    sort_values = tuple(value for key in keys for value in key.sql.values)
    found = scope.session.tx.execute(
        f"SELECT {listed}, {sorted_by} FROM {quote(scope.table.logical_name)} t "
        f"WHERE {kept.text} ORDER BY {order.text} LIMIT ?",
        (*sort_values, *kept.values, *order.values, limit),
    ).fetchall()
    width = len(names)
    return [dict(zip(names, row[:width], strict=True)) for row in found], [row[width:] for row in found]


def next_link(session: Session, path: str, request: Request, cookie: str) -> str:
    """The absolute link to the next page: the same query with the place to go on from."""
    kept = [(name, value) for name, value in request.query.items() if name != "$skiptoken"]
    options = [f"{name}={encode(value, safe='')}" for name, value in (*kept, ("$skiptoken", cookie))]
    return f"{session.base}/{path}?{'&'.join(options)}"


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


def collection_scope(
    session: Session, table: Table, key: str, collection: Collection, node: Node | None = None
) -> tuple[Scope, Sql]:
    """The rows of one row's collection: a scope on alias `t` and the condition that keeps them."""
    target = session.table(collection.table)
    scope = Scope(session, target, "t")
    owner = Scope(session, table, "o", counter=scope.counter)
    source = related(owner, collection.name, target, "t")
    text = source.split(" WHERE ", 1)[1].replace(f"o.{quote(table.primary_id)}", "?", 1)
    return scope, where(scope, node, Sql(text, (key,)))


def read_one(session: Session, table: Table, key: str, request: Request) -> Response:
    """Answer `GET set(key)`.

    Raises: DataverseError 400, 404; a 304 is an answer, not an error.
    """
    check_options(request, _SINGLE_OPTIONS)
    document, row = read_record(session, table, key, request)
    match = request.headers.get("if-none-match", "")
    if (
        match.startswith("W/")
        and match == etag(row)
        and not request.query.get("$expand")
        and not request.prefer.annotations
    ):
        return Response(304, b"", [("ETag", etag(row))])
    return json_response(document, headers=[("ETag", etag(row))], annotations=request.prefer.annotations)


def read_record(
    session: Session, table: Table, key: str, request: Request, *, expand: bool = True
) -> tuple[dict[str, Any], Row]:
    """A row as a JSON document with its context, and its storage values.

    Raises: DataverseError 400, 403, 404.
    """
    select = parse_names(request.query["$select"]) if "$select" in request.query else None
    expands = parse_expand(request.query["$expand"]) if expand and request.query.get("$expand") else ()
    columns = selected_columns(table, select)
    names = fetch_names(table, expand_columns(table, columns, expands), request.prefer)
    row = get_row(session, table, key, names)
    record = expanded(session, table, [row], columns, expands, request.prefer)[0]
    context = table.entity_set + projection(select, expands) + "/$entity"
    return {"@odata.context": session.context(context), **record}, row


def get_row(session: Session, table: Table, key: str, names: Sequence[str]) -> Row:
    """One row that the caller may read.

    Raises: DataverseError 403, 404.
    """
    found = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(table.logical_name)} WHERE {quote(table.primary_id)} = ?",
        (key,),
    ).fetchone()
    if found is None:
        raise not_found(table.logical_name, key)
    row = dict(zip(names, found, strict=True))
    session.security.authorise(
        session, table, "read", row if row.keys() >= _OWNERS else _owned(session, table, key, row)
    )
    return row


def _owned(session: Session, table: Table, key: str, row: Row) -> Row:
    if "ownerid" not in table.columns or table.ownership != "user":
        return row
    names = [name for name in ("ownerid", "ownerid__t", "owningbusinessunit") if name.split("__")[0] in table.columns]
    found = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(table.logical_name)} WHERE {quote(table.primary_id)} = ?",
        (key,),
    ).fetchone()
    return {**row, **dict(zip(names, found, strict=True))}
