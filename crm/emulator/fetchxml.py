"""FetchXML: `GET set?fetchXml=…`, as clients and Microsoft's SDK send it, page by page."""

from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from .catalog import Table
from .errors import BAD_COOKIE, DataverseError, bad_request
from .fetching import MAX_PAGE
from .fetchxml_elements import bad_xml, flag, number, parse
from .fetchxml_entity import Fetch, read_entity
from .joined import AGGREGATE_ROWS, Output, column_output, logical_column, render, start
from .operands import Sql
from .paging import inner_cookie, outer_cookie, read_inner
from .render import etag, readable_columns
from .session import Session
from .sorting import SortKey, after, order_by
from .sqlite_tables import quote
from .wire import Request, Response, json_response

SIMPLE_PAGING_LIMIT = 50_000


def run_fetchxml(session: Session, table: Table, request: Request) -> Response:
    """Answer a FetchXML query.

    Raises: DataverseError 400, 501.
    """
    unknown = [name for name in request.query if name != "fetchXml" and not name.startswith("@")]
    if unknown:
        raise bad_request(f"The query parameter {unknown[0]} cannot be combined with fetchXml.")
    root = parse(request.query["fetchXml"])
    entity = root[0]
    if entity.get("name") != table.logical_name:
        raise bad_xml(f"the entity '{entity.get('name')}' is not that of the entity set '{table.entity_set}'.")
    statement = start(session, table, entity.get("name", ""))
    fetch = Fetch(statement, flag(root, "aggregate"), flag(root, "useraworderby"), [])
    statement.distinct = flag(root, "distinct")
    read_entity(fetch, entity)
    if fetch.aggregate:
        statement.limit_rows(number(root, "aggregatelimit", AGGREGATE_ROWS, AGGREGATE_ROWS))
    return _page(session, table, request, root, fetch)


def _page(session: Session, table: Table, request: Request, root: Element, fetch: Fetch) -> Response:
    statement = fetch.statement
    page = number(root, "page", 1, 10**6)
    top = root.get("top")
    size = number(root, "top", MAX_PAGE, MAX_PAGE) if top else number(root, "count", MAX_PAGE, MAX_PAGE)
    if top and (root.get("page") or root.get("count")):
        raise bad_xml("top cannot be combined with page or count.")
    keyset = not (fetch.joined or fetch.aggregate or statement.distinct)
    keys = list(fetch.orders)
    if keyset:
        keys.append(
            SortKey(Sql(f"t.{quote(table.primary_id)}"), bool(keys) and keys[-1].descending, False, table.primary_id)
        )
    _default_outputs(fetch, table)
    total = statement.count(MAX_PAGE + 1) if flag(root, "returntotalrecordcount") else None
    offset = (page - 1) * size
    if keyset and (cookie := root.get("paging-cookie")) and page > 1:
        statement.where.append(after(keys, read_inner(_inner_text(cookie), keys)))
        offset = 0
    elif offset >= SIMPLE_PAGING_LIMIT:
        raise DataverseError(400, BAD_COOKIE, f"Paging without a cookie is limited to {SIMPLE_PAGING_LIMIT} rows.")
    visible = len(statement.outputs)
    if keyset:
        statement.outputs.extend(Output(f" {index}", key.sql) for index, key in enumerate(keys))
    statement.order = [order_by([key]) for key in keys]
    rows = statement.run(size + 1, offset)
    more = len(rows) > size and not top
    rows = rows[:size]
    document: dict[str, Any] = {"@odata.context": session.context(table.entity_set)}
    if total is not None:
        document["@Microsoft.Dynamics.CRM.totalrecordcount"] = min(total, MAX_PAGE)
        document["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = total > MAX_PAGE
    if more and keyset:
        places = [row[visible : len(statement.outputs)] for row in (rows[0], rows[-1])]
        document["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"] = outer_cookie(
            inner_cookie(keys, page, places[0], places[1]), page + 1
        )
    if more:
        document["@Microsoft.Dynamics.CRM.morerecords"] = True
    document["value"] = [_record(record) for record in render(statement, rows, request.prefer)]
    return json_response(document, annotations=request.prefer.annotations)


def _default_outputs(fetch: Fetch, table: Table) -> None:
    """The key and the version travel with every row; a query without attributes gives all columns."""
    statement = fetch.statement
    if fetch.aggregate:
        if not statement.outputs:
            raise bad_xml("an aggregate query needs attributes.")
        return
    if not statement.outputs:
        for column in readable_columns(table):
            held = logical_column(statement.root, column.name)
            statement.outputs.append(column_output(statement.root, held, held.column.wire_name))
    if statement.distinct:
        return
    for name in (table.primary_id, "versionnumber"):
        if name in table.columns and not any(o.name == name for o in statement.outputs):
            held = logical_column(statement.root, name)
            output = column_output(statement.root, held, "@version" if name == "versionnumber" else name)
            statement.outputs.append(output)


def _record(record: dict[str, Any]) -> dict[str, Any]:
    """The shape of a row: its etag first, helper columns dropped, empty linked columns left out."""
    version = record.pop("@version", record.get("versionnumber"))
    cleaned = {name: value for name, value in record.items() if not name.startswith((" ", "@version"))}
    return {"@odata.etag": etag({"versionnumber": version}), **cleaned} if version is not None else cleaned


def _inner_text(cookie: str) -> str:
    """A paging-cookie attribute: the inner cookie as XML, or still percent-encoded."""
    text = cookie
    for _ in range(3):
        if text.lstrip().startswith("<"):
            break
        text = unquote(text)
    return text
