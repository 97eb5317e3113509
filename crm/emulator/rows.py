"""What can be asked of entity sets and rows, by the shape of the URL."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from collections.abc import Mapping

from .calls import call_bound, refuse_unqualified
from .catalog import Collection, Column, Table
from .delta import list_changes
from .errors import DUPLICATE_RECORD, QUERY, VERSION_MISMATCH, DataverseError, bad_request, no_segment, not_found
from .fetching import collection_scope, count_rows, get_row, where
from .fetchxml import run_fetchxml
from .filecolumns import answer_file
from .grouping import run_apply
from .odata import CRM, parse_filter
from .odata_tree import Literal
from .operands import Scope, unknown_property
from .options import parse_key
from .payload import find_row, key_record, resolve_reference
from .read import check_options, list_rows, read_one, read_record
from .registry import Registry
from .render import etag, fetch_names
from .session import Session
from .sqlquery import run_sql
from .values import to_wire
from .wire import Request, Response, Segment, created_headers, json_response, no_content, parse_prefer
from .write import associate, create, create_under, delete, disassociate, fetch_row, update

_WRITE_OPTIONS = frozenset({"$select", "$expand"})


def method_not_allowed(request: Request, *allowed: str) -> DataverseError:
    return DataverseError(
        405,
        QUERY,
        f"The requested resource does not support http method '{request.method}'.",
        {"Allow": ", ".join(allowed)},
    )


def answer_rows(session: Session, request: Request, registry: Registry) -> Response:
    """Answer a request whose first segment is an entity set.

    Raises: DataverseError.
    """
    first, *rest = request.segments
    table = session.set(first.name)
    if first.args is None:
        return _answer_set(session, table, rest, request, registry)
    key = parse_key(first.args, request.query)
    if not rest:
        return _answer_row(session, table, key, request)
    row_id = find_row(session, table, key)
    if row_id is None:
        raise _absent(table, key)
    if rest[0].name.startswith(CRM):
        return call_bound(session, table, row_id, rest, request, registry)
    refuse_unqualified(registry, table, rest, request, row=True)
    return _answer_property(session, table, row_id, rest, request)


def _absent(table: Table, key: str | Mapping[str, Literal]) -> DataverseError:
    if isinstance(key, str):
        return not_found(table.logical_name, key)
    return DataverseError(404, "0x80060891", "A record with the specified key values does not exist in "
                          f"{table.logical_name} entity")  # fmt: skip


def _answer_set(session: Session, table: Table, rest: list[Segment], request: Request, registry: Registry) -> Response:
    if not rest:
        if request.method == "GET":
            return _list(session, table, request)
        if request.method == "POST":
            return _create(session, table, request)
        raise method_not_allowed(request, "GET", "POST")
    if rest[0].name == "$count" and len(rest) == 1 and request.method == "GET":
        return _count(session, table, request)
    if rest[0].name.startswith(CRM):
        return call_bound(session, table, None, rest, request, registry)
    refuse_unqualified(registry, table, rest, request, row=False)
    raise no_segment(rest[0].name)


def _list(session: Session, table: Table, request: Request) -> Response:
    query = request.query
    special = [name for name in ("fetchXml", "sql", "$apply") if name in query]
    if len(special) > 1:
        raise bad_request(f"The query parameters {' and '.join(special)} cannot be used together.")
    if "fetchXml" in query:
        return run_fetchxml(session, table, request)
    if "sql" in query:
        return run_sql(session, table, request)
    if "$apply" in query:
        return run_apply(session, table, request)
    if request.prefer.track_changes or "$deltatoken" in query or query.get("$skiptoken", "").startswith("tracking:"):
        return list_changes(session, table, request)
    return list_rows(session, table, request)


def _count(session: Session, table: Table, request: Request) -> Response:
    if "$deltatoken" in request.query:
        return list_changes(session, table, request, counting=True)
    check_options(request, frozenset({"$filter"}))
    scope = Scope(session, table, "t")
    text = request.query.get("$filter")
    kept = where(scope, parse_filter(text, request.query) if text else None)
    return _plain_count(count_rows(scope, kept)[0])


def _plain_count(count: int) -> Response:
    return Response(200, f"\ufeff{count}".encode(), [("Content-Type", "text/plain")])


def _create(session: Session, table: Table, request: Request) -> Response:
    check_options(request, _WRITE_OPTIONS)
    row_id = create(session, table, request.record())
    return _written(session, table, row_id, request, created=True)


def _written(session: Session, table: Table, row_id: str, request: Request, *, created: bool) -> Response:
    """204 with the row's URL, or the row itself under `return=representation`."""
    if not request.prefer.representation:
        return no_content(created_headers(session.url(table, row_id)))
    document, row = read_record(session, table, row_id, request, expand=created)
    headers = [("Preference-Applied", "return=representation"), ("ETag", etag(row))]
    if created:
        headers.append(("Location", session.url(table, row_id)))
    return json_response(document, 201 if created else 200, headers)


def _answer_row(session: Session, table: Table, key: str | dict[str, Literal], request: Request) -> Response:
    row_id = find_row(session, table, key)
    match request.method:
        case "GET":
            if row_id is None:
                raise _absent(table, key)
            return read_one(session, table, row_id, request)
        case "PATCH":
            return _patch(session, table, key, row_id, request)
        case "DELETE":
            if row_id is None:
                raise _absent(table, key)
            check_etag(session, table, row_id, request)
            delete(session, table, row_id)
            return no_content()
        case _:
            raise method_not_allowed(request, "GET", "PATCH", "DELETE")


def _patch(
    session: Session, table: Table, key: str | dict[str, Literal], row_id: str | None, request: Request
) -> Response:
    """Update, or create what is not there (upsert), as If-Match and If-None-Match allow."""
    check_options(request, _WRITE_OPTIONS)
    record = request.record()
    if row_id is None:
        if request.headers.get("if-match"):
            raise _absent(table, key)
        if isinstance(key, str):
            row_id = create(session, table, record, row_id=key)
        else:
            row_id = create(session, table, record, preset=key_record(table, key))
        return _written(session, table, row_id, request, created=True)
    if request.headers.get("if-none-match", "").strip() == "*":
        raise DataverseError(412, DUPLICATE_RECORD, "A record with matching key values already exists.")
    check_etag(session, table, row_id, request)
    update(session, table, row_id, record)
    return _written(session, table, row_id, request, created=False)


def check_etag(session: Session, table: Table, row_id: str, request: Request) -> None:
    """Optimistic concurrency: If-Match names the version that the client saw.

    Raises: DataverseError 412.
    """
    match = request.headers.get("if-match", "").strip()
    if not match or match == "*":
        return
    row = fetch_row(session, table, row_id)
    if row is not None and match != etag(row):
        raise DataverseError(
            412, VERSION_MISMATCH, "The version of the existing record doesn't match the RowVersion property provided."
        )


def _answer_property(session: Session, table: Table, row_id: str, rest: list[Segment], request: Request) -> Response:
    name = rest[0].name
    tail = [str(segment) for segment in rest[1:]]
    if name in table.collections:
        return _answer_collection(session, table, row_id, table.collections[name], rest, request)
    if name in table.navigation and rest[0].args is None:
        return _answer_lookup(session, table, row_id, name, tail, request)
    column = table.by_wire_name.get(name) or table.columns.get(name)
    if column is None or rest[0].args is not None or not column.read:
        raise no_segment(name) if column is None else unknown_property(name, table)
    if column.type in {"file", "image"}:
        return answer_file(session, table, row_id, column, tail, request)
    return _answer_column(session, table, row_id, column, tail, request)


def _answer_column(
    session: Session, table: Table, row_id: str, column: Column, tail: list[str], request: Request
) -> Response:
    if tail == ["$value"] and request.method == "GET":
        value = to_wire(column, get_row(session, table, row_id, [column.name])[column.name])
        if value is None:
            return no_content()
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return Response(200, text.encode(), [("Content-Type", "text/plain; charset=utf-8")])
    if tail:
        raise no_segment(tail[0])
    if request.method == "GET":
        value = to_wire(column, get_row(session, table, row_id, [column.name])[column.name])
        if value is None:
            return no_content()
        path = f"{table.entity_set}({row_id})/{column.wire_name}"
        return json_response({"@odata.context": session.context(path), "value": value})
    if column.type == "lookup":
        raise bad_request(f"'{column.wire_name}' cannot be set directly; use the navigation property with $ref.")
    if request.method == "PUT":
        record = request.record()
        if "value" not in record:
            raise bad_request('The body of a single property is {"value": …}.')
        update(session, table, row_id, {column.name: record["value"]})
        return no_content()
    if request.method == "DELETE":
        update(session, table, row_id, {column.name: None})
        return no_content()
    raise method_not_allowed(request, "GET", "PUT", "DELETE")


def _answer_lookup(
    session: Session, table: Table, row_id: str, navigation: str, tail: list[str], request: Request
) -> Response:
    column, targets = table.navigation[navigation]
    row = get_row(session, table, row_id, fetch_names(table, [column], parse_prefer("")))
    value = row[column.name]
    logical_name = row.get(f"{column.name}__t") or targets[0]
    present = value is not None and logical_name in targets
    if tail == ["$ref"]:
        if request.method == "GET":
            if not present:
                return no_content()
            url = session.url(session.table(logical_name), value)
            return json_response({"@odata.context": session.context("$ref"), "@odata.id": url})
        if request.method == "PUT":
            update(session, table, row_id, {f"{navigation}@odata.bind": _reference_url(request)})
            return no_content()
        if request.method == "DELETE":
            update(session, table, row_id, {f"{navigation}@odata.bind": None})
            return no_content()
        raise method_not_allowed(request, "GET", "PUT", "DELETE")
    if request.method != "GET":
        raise method_not_allowed(request, "GET")
    if not present:
        return no_content()
    target = session.table(logical_name)
    if tail:
        return _answer_property(session, target, value, [Segment(name) for name in tail], request)
    return read_one(session, target, value, request)


def _reference_url(request: Request) -> str:
    url = request.record().get("@odata.id")
    if not isinstance(url, str):
        raise bad_request('The body of a reference is {"@odata.id": "URL of a row"}.')
    return url


def _answer_collection(
    session: Session, table: Table, row_id: str, collection: Collection, rest: list[Segment], request: Request
) -> Response:
    target = session.table(collection.table)
    tail = [str(segment) for segment in rest[1:]]
    if rest[0].args is not None:
        if tail != ["$ref"] or request.method != "DELETE":
            raise no_segment(str(rest[0]))
        other = find_row(session, target, parse_key(rest[0].args))
        if other is None:
            raise not_found(target.logical_name, rest[0].args)
        disassociate(session, table, row_id, collection, other)
        return no_content()
    if tail == ["$ref"]:
        return _collection_reference(session, table, row_id, collection, request)
    if request.method == "POST" and not tail:
        return _create_related(session, table, row_id, collection, request)
    if request.method != "GET":
        raise method_not_allowed(request, "GET", "POST")
    get_row(session, table, row_id, [table.primary_id])
    if tail == ["$count"]:
        check_options(request, frozenset({"$filter"}))
        text = request.query.get("$filter")
        node = parse_filter(text, request.query) if text else None
        return _plain_count(count_rows(*collection_scope(session, table, row_id, collection, node))[0])
    if tail:
        raise no_segment(tail[0])
    _, kept = collection_scope(session, table, row_id, collection)
    return list_rows(session, target, request, kept, path=f"{table.entity_set}({row_id})/{collection.name}")


def _create_related(session: Session, table: Table, row_id: str, collection: Collection, request: Request) -> Response:
    """Create a row and put it into the collection."""
    check_options(request, _WRITE_OPTIONS)
    target = session.table(collection.table)
    if collection.intersect:
        key = create(session, target, request.record())
        associate(session, table, row_id, collection, key)
    else:
        key = create_under(session, table, row_id, collection, request.record())
    return _written(session, target, key, request, created=True)


def _collection_reference(
    session: Session, table: Table, row_id: str, collection: Collection, request: Request
) -> Response:
    target = session.table(collection.table)
    if request.method == "POST":
        row = resolve_reference(session, _reference_url(request))
        if row.table.logical_name != collection.table:
            raise bad_request(
                f"'{collection.name}' holds rows of '{collection.table}', not of '{row.table.logical_name}'."
            )
        associate(session, table, row_id, collection, row.id)
        return no_content()
    if request.method == "DELETE" and "$id" in request.query:
        row = resolve_reference(session, request.query["$id"])
        disassociate(session, table, row_id, collection, row.id)
        return no_content()
    if request.method == "GET":
        _, kept = collection_scope(session, table, row_id, collection)
        ids = session.tx.execute(
            f'SELECT t."{target.primary_id}" FROM "{target.logical_name}" t WHERE {kept.text} LIMIT 5000', kept.values
        )
        links = [{"@odata.id": session.url(target, key)} for (key,) in ids]
        return json_response({"@odata.context": session.context("Collection($ref)"), "value": links})
    raise method_not_allowed(request, "GET", "POST", "DELETE")
