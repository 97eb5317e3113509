"""Lists, counts and single rows: `$select $filter $orderby $top $count $expand`, pages, links to the next one."""

from dataclasses import dataclass, replace
from typing import Any

from .catalog import Table
from .errors import bad_request, not_implemented
from .expand import expand_columns, expanded, projection
from .fetching import MAX_PAGE, count_rows, get_row, next_link, select_page, where
from .odata import parse_filter
from .odata_tree import Node
from .operands import Scope, Sql
from .options import Expand, Order, parse_count, parse_expand, parse_names, parse_orderby
from .paging import Cookie, inner_cookie, outer_cookie, read_outer
from .plan import choose
from .render import etag, fetch_names, selected_columns
from .session import Row, Session
from .sorting import sort_keys, without_index
from .wire import Prefer, Request, Response, json_response

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
