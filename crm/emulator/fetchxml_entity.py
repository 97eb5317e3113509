"""FetchXML's `<entity>` and `<link-entity>` -> a statement: columns, groups, links, filters and orders."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from .catalog import CHOICES
from .errors import bad_request, not_implemented
from .fetchxml_elements import bad_xml, flag
from .fetchxml_filter import read_filter, related_exist
from .joined import AGGREGATES, Output, Statement, aggregate_output, check_alias, column_output, logical_column
from .operands import Operand, Scope, Sql
from .render import readable_columns
from .sorting import SortKey, by_label, by_name


@dataclass(slots=True)
class Fetch:
    """What the reading of one query gathers besides the statement."""

    statement: Statement
    aggregate: bool
    raw_order: bool
    """Choices sort by their numbers (`useraworderby`), not by their labels."""
    orders: list[SortKey]
    joined: bool = False


def read_entity(fetch: Fetch, element: Element) -> None:
    """Read the query's `<entity>`.

    Raises: DataverseError 400, 501.
    """
    statement = fetch.statement
    statement.where.extend(_read_children(fetch, element, statement.root, ""))


def _read_children(fetch: Fetch, element: Element, scope: Scope, prefix: str, depth: int = 0) -> list[Sql]:
    """Read the children of <entity> or <link-entity>; returns the filters, which the caller places.

    Links come first, wherever they stand: filters and orders name their aliases. A link's filter that names another
    table holds after the join ("Filter rows using FetchXml"). Orders of an element go before those of the links in it
    ("Order rows using FetchXml", both learn.microsoft.com).
    """
    if depth > 15:
        raise bad_xml("links are nested too deeply.")
    filters: list[Sql] = []
    place = len(fetch.orders)
    for child in element:
        match child.tag:
            case "attribute":
                _read_attribute(fetch, child, scope, prefix)
            case "all-attributes":
                for column in readable_columns(scope.table):
                    held = logical_column(scope, column.name)
                    fetch.statement.outputs.append(column_output(scope, held, _name(held, prefix), sparse=bool(prefix)))
            case "link-entity":
                filters.extend(_read_link(fetch, child, scope, depth))
            case "filter" | "order":
                pass
            case _:
                raise bad_xml(f"the element '{child.tag}' cannot stand in <{element.tag}>.")
    for child in element:
        if child.tag == "filter":
            after_join = prefix and any(c.get("entityname") or "." in c.get("valueof", "") for c in child.iter())
            (fetch.statement.where if after_join else filters).append(read_filter(fetch.statement, child, scope))
    fetch.orders[place:place] = [_read_order(fetch, child, scope) for child in element if child.tag == "order"]
    return filters


def _name(held: Operand, prefix: str) -> str:
    return f"{prefix}.{held.column.name}" if prefix else held.column.wire_name


def _read_attribute(fetch: Fetch, element: Element, scope: Scope, prefix: str) -> None:
    held = logical_column(scope, element.get("name", ""))
    alias = element.get("alias")
    if alias is not None:
        check_alias(alias)
    if not fetch.aggregate:
        if element.get("aggregate") or element.get("groupby"):
            raise bad_xml('aggregates need aggregate="true" on <fetch>.')
        name = alias or _name(held, prefix)
        fetch.statement.outputs.append(column_output(scope, held, name, sparse=bool(prefix or alias)))
        return
    if alias is None:
        raise bad_xml("each attribute of an aggregate query needs an alias.")
    function = element.get("aggregate")
    if element.get("dategrouping"):
        fetch.statement.outputs.append(_date_group(fetch, held, alias, element.get("dategrouping", "")))
    elif flag(element, "groupby"):
        fetch.statement.group.append(held.comparable)
        fetch.statement.outputs.append(column_output(scope, held, alias, sparse=True))
    elif function in AGGREGATES:
        if function == "countcolumn" and flag(element, "distinct"):
            function = "countdistinct"
        fetch.statement.outputs.append(aggregate_output(held, function, alias))
    else:
        raise bad_xml(f"the attribute '{held.column.name}' needs an aggregate or groupby.")


_DATE_PARTS = {"day": "%d", "month": "%m", "year": "%Y", "week": "%W"}


def _date_group(fetch: Fetch, held: Operand, alias: str, part: str) -> Output:
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
    return Output(alias, Sql(text), sparse=True)


def _read_order(fetch: Fetch, element: Element, scope: Scope) -> SortKey:
    descending = flag(element, "descending")
    alias = element.get("alias")
    if fetch.aggregate:
        output = next((o for o in fetch.statement.outputs if o.name == alias), None)
        if output is None:
            raise bad_xml("the order of an aggregate query names an alias of an attribute.")
        return SortKey(output.sql, descending, True, output.name)
    if name := element.get("entityname"):
        scope = fetch.statement.scope(name)
    held = logical_column(scope, element.get("attribute", ""))
    sql = by_name(scope.session, held)
    if held.column.type in CHOICES and not fetch.raw_order:
        sql = by_label(held)
    nullable = held.column.name not in {"createdon", "modifiedon", scope.table.primary_id}
    return SortKey(sql, descending, nullable or scope.alias != "t", held.column.name)


def _read_link(fetch: Fetch, element: Element, parent: Scope, depth: int) -> list[Sql]:
    """A join; or the condition that related rows exist, which the caller places."""
    kind = element.get("link-type", "inner")
    if kind in {"exists", "in"}:
        return [related_exist(fetch.statement, element, parent)]
    if kind in {"any", "not any", "all", "not all"}:
        raise bad_request(f"The link-type '{kind}' belongs into a <filter>.")
    if kind not in {"inner", "outer"}:
        raise not_implemented(f"The link-type '{kind}'")
    fetch.joined = True
    statement = fetch.statement
    statement.count_link()
    table = statement.session.table(element.get("name", ""))
    alias = check_alias(element.get("alias") or f"{table.logical_name}{len(statement.scopes)}")
    scope = statement.new_scope(table, alias)
    near, far = logical_column(scope, element.get("from", "")), logical_column(parent, element.get("to", ""))
    on = [Sql(f"{near.comparable.text} = {far.comparable.text}")]
    place = len(statement.joins)
    filters = _read_children(fetch, element, scope, alias, depth + 1)
    inner = statement.joins[place:]
    del statement.joins[place:]
    statement.add_join(scope, [*on, *filters], outer=kind == "outer")
    statement.joins.extend(inner)
    return []
