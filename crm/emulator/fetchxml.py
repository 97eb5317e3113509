"""FetchXML: `GET set?fetchXml=…`, as clients and Microsoft's SDK send it.

Language: learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference. The rest is refused by name.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from .catalog import Table
from .errors import BAD_QUERY_XML, DataverseError, bad_request, not_implemented
from .joined import (
    AGGREGATES,
    Output,
    Statement,
    aggregate_output,
    check_alias,
    column_output,
    logical_column,
    render,
    start,
)
from .odata import Literal
from .operands import Operand, Scope, Sql, compare_value, join, literal_of, negate
from .paging import inner_cookie, outer_cookie, read_inner
from .queryfunctions import function_condition
from .read import MAX_PAGE
from .render import etag, readable_columns
from .session import Session
from .sorting import SortKey, after, order_by
from .store import quote
from .text import fold, like_glob
from .wire import Request, Response, json_response

SIMPLE_PAGING_LIMIT = 50_000
_FETCH = {
    "version", "mapping", "output-format", "no-lock", "distinct", "top", "count", "page", "paging-cookie", "aggregate",
    "returntotalrecordcount", "latematerialize", "useraworderby", "aggregatelimit", "options", "datasource",
}  # fmt: skip
_COMPARE = {
    "eq": "eq", "ne": "ne", "neq": "ne", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le",
    "on": "On", "on-or-after": "OnOrAfter", "on-or-before": "OnOrBefore", "not-on": "NotOn",
    "in": "In", "not-in": "NotIn", "between": "Between", "not-between": "NotBetween",
    "contain-values": "ContainValues", "not-contain-values": "DoesNotContainValues",
    "eq-userid": "EqualUserId", "ne-userid": "NotEqualUserId", "eq-businessid": "EqualBusinessId",
    "ne-businessid": "NotEqualBusinessId", "eq-userteams": "EqualUserTeams",
    "eq-useroruserteams": "EqualUserOrUserTeams",
    "today": "Today", "yesterday": "Yesterday", "tomorrow": "Tomorrow", "last-seven-days": "Last7Days",
    "next-seven-days": "Next7Days",
}  # fmt: skip
for _unit in ("Minutes", "Hours", "Days", "Weeks", "Months", "Years"):
    _COMPARE[f"olderthan-x-{_unit.lower()}"] = f"OlderThanX{_unit}"
    for _way in ("Last", "Next"):
        _COMPARE[f"{_way.lower()}-x-{_unit.lower()}"] = f"{_way}X{_unit}"
for _unit in ("Week", "Month", "Year"):
    for _way in ("Last", "This", "Next"):
        _COMPARE[f"{_way.lower()}-{_unit.lower()}"] = f"{_way}{_unit}"
_TEXT = {"like", "not-like", "begins-with", "not-begin-with", "ends-with", "not-end-with"}


def bad_xml(detail: str) -> DataverseError:
    return DataverseError(400, BAD_QUERY_XML, f"Invalid XML: {detail}")


@dataclass(slots=True)
class _Fetch:
    """What the reading of one query gathers besides the statement."""

    statement: Statement
    aggregate: bool
    orders: list[SortKey]
    joined: bool = False


def run_fetchxml(session: Session, table: Table, request: Request) -> Response:
    """Answer a FetchXML query.

    Raises: DataverseError 400, 501.
    """
    unknown = [name for name in request.query if name != "fetchXml" and not name.startswith("@")]
    if unknown:
        raise bad_request(f"The query parameter {unknown[0]} cannot be combined with fetchXml.")
    root = _parse(request.query["fetchXml"])
    entity = root[0]
    if entity.get("name") != table.logical_name:
        raise bad_xml(f"the entity '{entity.get('name')}' is not that of the entity set '{table.entity_set}'.")
    statement = start(session, table, entity.get("name", ""))
    fetch = _Fetch(statement, _flag(root, "aggregate"), [])
    statement.distinct = _flag(root, "distinct")
    _read_entity(fetch, entity, statement.root, "")
    return _page(session, table, request, root, fetch)


def _parse(text: str) -> Element:
    try:
        root: Element = fromstring(text)
    except Exception:
        raise bad_xml("the query is not well-formed XML, or holds a DTD or entities.") from None
    if root.tag != "fetch" or [child.tag for child in root] != ["entity"]:
        raise bad_xml("a <fetch> element with one <entity> was expected.")
    if unknown := set(root.attrib) - _FETCH:
        raise bad_xml(f"the attribute '{min(unknown)}' is not valid on <fetch>.")
    return root


def _flag(element: Element, name: str) -> bool:
    return element.get(name, "false").lower() in {"true", "1"}


def _number(element: Element, name: str, default: int, high: int) -> int:
    text = element.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= high:
        raise bad_xml(f"the attribute '{name}' must be a number from 1 to {high}.")
    return int(text)


def _read_entity(fetch: _Fetch, element: Element, scope: Scope, prefix: str, depth: int = 0) -> list[Sql]:
    """Read the children of <entity> or <link-entity>; returns the filters, which the caller places."""
    if depth > 15:
        raise bad_xml("links are nested too deeply.")
    filters: list[Sql] = []
    for child in element:
        match child.tag:
            case "attribute":
                _read_attribute(fetch, child, scope, prefix)
            case "all-attributes":
                for column in readable_columns(scope.table):
                    held = logical_column(scope, column.name)
                    fetch.statement.outputs.append(column_output(scope, held, _name(held, prefix)))
            case "order":
                _read_order(fetch, child, scope)
            case "filter":
                filters.append(_read_filter(fetch, child, scope))
            case "link-entity":
                _read_link(fetch, child, scope, depth)
            case _:
                raise not_implemented(f"The FetchXML element '{child.tag}'")
    if not prefix:
        fetch.statement.where.extend(filters)
    return filters


def _name(held: Operand, prefix: str) -> str:
    return f"{prefix}.{held.column.name}" if prefix else held.column.wire_name


def _read_attribute(fetch: _Fetch, element: Element, scope: Scope, prefix: str) -> None:
    held = logical_column(scope, element.get("name", ""))
    alias = element.get("alias")
    if alias is not None:
        check_alias(alias)
    if not fetch.aggregate:
        if element.get("aggregate") or element.get("groupby"):
            raise bad_xml('aggregates need aggregate="true" on <fetch>.')
        fetch.statement.outputs.append(column_output(scope, held, alias or _name(held, prefix)))
        return
    if alias is None:
        raise bad_xml("each attribute of an aggregate query needs an alias.")
    function = element.get("aggregate")
    if element.get("dategrouping"):
        fetch.statement.outputs.append(_date_group(fetch, held, alias, element.get("dategrouping", "")))
    elif _flag(element, "groupby"):
        fetch.statement.group.append(held.comparable)
        fetch.statement.outputs.append(column_output(scope, held, alias))
    elif function in AGGREGATES:
        if function == "countcolumn" and _flag(element, "distinct"):
            function = "countdistinct"
        fetch.statement.outputs.append(aggregate_output(held, function, alias))
    else:
        raise bad_xml(f"the attribute '{held.column.name}' needs an aggregate or groupby.")


_DATE_PARTS = {"day": "%d", "month": "%m", "year": "%Y", "week": "%W"}


def _date_group(fetch: _Fetch, held: Operand, alias: str, part: str) -> Output:
    if held.column.type not in {"datetime", "dateonly"}:
        raise bad_xml(f"dategrouping needs a date column; '{held.column.name}' is none.")
    source = f"{held.stored.text}, 'unixepoch'" if held.column.type == "datetime" else held.stored.text
    if part == "quarter":
        text = f"(CAST(strftime('%m', {source}) AS INTEGER) + 2) / 3"
    elif part in _DATE_PARTS:
        text = f"CAST(strftime('{_DATE_PARTS[part]}', {source}) AS INTEGER)"
    else:
        raise not_implemented(f"The date grouping '{part}'")
    fetch.statement.group.append(Sql(text))
    return Output(alias, Sql(text))


def _read_order(fetch: _Fetch, element: Element, scope: Scope) -> None:
    descending = _flag(element, "descending")
    alias = element.get("alias")
    if fetch.aggregate:
        output = next((o for o in fetch.statement.outputs if o.name == alias), None)
        if output is None:
            raise bad_xml("the order of an aggregate query names an alias of an attribute before it.")
        fetch.orders.append(SortKey(output.sql, descending, True, output.name))
        return
    held = logical_column(scope, element.get("attribute", ""))
    nullable = held.column.name not in {"createdon", "modifiedon", scope.table.primary_id}
    fetch.orders.append(SortKey(held.comparable, descending, nullable or scope.alias != "t", held.column.name))


def _read_link(fetch: _Fetch, element: Element, parent: Scope, depth: int) -> None:
    kind = element.get("link-type", "inner")
    if kind not in {"inner", "outer"}:
        raise not_implemented(f"The link-type '{kind}'")
    fetch.joined = True
    session = fetch.statement.session
    table = session.table(element.get("name", ""))
    alias = check_alias(element.get("alias") or f"{table.logical_name}{len(fetch.statement.scopes)}")
    scope = fetch.statement.new_scope(table, alias)
    near, far = logical_column(scope, element.get("from", "")), logical_column(parent, element.get("to", ""))
    on = [Sql(f"{near.comparable.text} = {far.comparable.text}")]
    place = len(fetch.statement.joins)
    filters = _read_entity(fetch, element, scope, alias, depth + 1)
    inner = fetch.statement.joins[place:]
    del fetch.statement.joins[place:]
    fetch.statement.add_join(scope, [*on, *filters], outer=kind == "outer")
    fetch.statement.joins.extend(inner)


def _read_filter(fetch: _Fetch, element: Element, scope: Scope, depth: int = 0) -> Sql:
    if depth > 30:
        raise bad_xml("filters are nested too deeply.")
    word = {"and": "AND", "or": "OR"}.get(element.get("type", "and"))
    if word is None:
        raise bad_xml(f"the filter type '{element.get('type')}' is not valid.")
    items = []
    for child in element:
        if child.tag == "filter":
            items.append(_read_filter(fetch, child, scope, depth + 1))
        elif child.tag == "condition":
            items.append(_read_condition(fetch, child, scope))
        else:
            raise not_implemented(f"The element '{child.tag}' in a filter")
    return join(word, items) if items else Sql("1")


def _read_condition(fetch: _Fetch, element: Element, scope: Scope) -> Sql:
    if name := element.get("entityname"):
        found = fetch.statement.scopes.get(name.lower())
        if found is None:
            raise bad_xml(f"the condition's entityname '{name}' is no alias of a link before it.")
        scope = found
    held = logical_column(scope, element.get("attribute", ""))
    op = element.get("operator", "")
    values = [child.text or "" for child in element if child.tag == "value"]
    if element.get("value") is not None:
        values.insert(0, element.get("value", ""))
    if other := element.get("valueof"):
        return _compare_columns(held, op, logical_column(scope, other))
    if op in {"null", "not-null"}:
        return compare_value(held, "eq" if op == "null" else "ne", Literal(None, "null"))
    if op in _TEXT:
        return _text(held, op, values)
    function = _COMPARE.get(op)
    if function is None:
        raise not_implemented(f"The FetchXML operator '{op}'")
    if function[0].islower():
        if len(values) != 1:
            raise bad_xml(f"the operator '{op}' needs one value.")
        return compare_value(held, function, literal_of(held.column, values[0]))
    return function_condition(fetch.statement.session, held, function, values)


def _compare_columns(left: Operand, op: str, right: Operand) -> Sql:
    sign = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}.get(op)
    if op in {"ne", "neq"}:
        return negate(Sql(f"{left.comparable.text} = {right.comparable.text}"))
    if sign is None:
        raise not_implemented(f"The operator '{op}' with valueof")
    return Sql(f"{left.comparable.text} {sign} {right.comparable.text}")


def _text(held: Operand, op: str, values: list[str]) -> Sql:
    if held.column.type not in {"string", "memo"} or len(values) != 1:
        raise bad_xml(f"the operator '{op}' needs a text column and one value.")
    pattern = like_glob(fold(values[0]))
    if "begin" in op:
        pattern += "*"
    elif "end" in op:
        pattern = "*" + pattern
    found = Sql(f"{held.comparable.text} GLOB ?", (pattern,))
    return negate(found) if op.startswith("not-") else found


def _page(session: Session, table: Table, request: Request, root: Element, fetch: _Fetch) -> Response:
    statement = fetch.statement
    page = _number(root, "page", 1, 10**6)
    top = root.get("top")
    size = _number(root, "top", MAX_PAGE, MAX_PAGE) if top else _number(root, "count", MAX_PAGE, MAX_PAGE)
    if top and (root.get("page") or root.get("count")):
        raise bad_xml("top cannot be combined with page or count.")
    keyset = not (fetch.joined or fetch.aggregate or statement.distinct)
    keys = list(fetch.orders)
    if keyset:
        keys.append(
            SortKey(Sql(f"t.{quote(table.primary_id)}"), bool(keys) and keys[-1].descending, False, table.primary_id)
        )
    _default_outputs(fetch, table)
    total = statement.count(MAX_PAGE + 1) if _flag(root, "returntotalrecordcount") else None
    offset = (page - 1) * size
    if keyset and (cookie := root.get("paging-cookie")) and page > 1:
        statement.where.append(after(keys, read_inner(_inner_text(cookie), keys)))
        offset = 0
    elif offset >= SIMPLE_PAGING_LIMIT:
        raise DataverseError(400, "0x8004112a", f"Paging without a cookie is limited to {SIMPLE_PAGING_LIMIT} rows.")
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


def _default_outputs(fetch: _Fetch, table: Table) -> None:
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
