"""FetchXML's filters -> SQL: conditions, their operators, and whether related rows exist."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from xml.etree.ElementTree import Element

from .errors import not_implemented
from .fetchxml_elements import bad_xml
from .joined import Statement, logical_column
from .odata_tree import Literal
from .operands import OPERATORS, Operand, Scope, Sql, compare_value, join, literal_of, negate
from .queryfunctions import function_condition
from .sqlite_tables import quote
from .text import fold, like_glob

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


def read_filter(statement: Statement, element: Element, scope: Scope, depth: int = 0) -> Sql:
    """A `<filter>` on the rows of a scope.

    Raises: DataverseError 400, 501.
    """
    if depth > 30:
        raise bad_xml("filters are nested too deeply.")
    word = {"and": "AND", "or": "OR"}.get(element.get("type", "and"))
    if word is None:
        raise bad_xml(f"the filter type '{element.get('type')}' is not valid.")
    items = []
    for child in element:
        if child.tag == "filter":
            items.append(read_filter(statement, child, scope, depth + 1))
        elif child.tag == "condition":
            items.append(_read_condition(statement, child, scope))
        elif child.tag == "link-entity":
            items.append(_read_link(statement, child, scope, depth))
        else:
            raise bad_xml(f"the element '{child.tag}' cannot stand in a filter.")
    return join(word, items) if items else Sql("1")


def _read_link(statement: Statement, element: Element, parent: Scope, depth: int) -> Sql:
    kind = element.get("link-type", "inner")
    if kind not in {"any", "not any"}:
        raise not_implemented(f"The link-type '{kind}' in a filter")
    found = related_exist(statement, element, parent, depth + 1)
    return negate(found) if kind == "not any" else found


def related_exist(statement: Statement, element: Element, parent: Scope, depth: int = 0) -> Sql:
    """Whether a row of a `<link-entity>` exists that goes with the parent's row and meets the link's own filters.

    Raises: DataverseError 400, 501.
    """
    if depth > 30:
        raise bad_xml("links are nested too deeply.")
    session = statement.session
    statement.count_link()
    table = session.table(element.get("name", ""))
    scope = Scope(session, table, parent.fresh(), counter=parent.counter)
    near, far = logical_column(scope, element.get("from", "")), logical_column(parent, element.get("to", ""))
    kept = [Sql(f"{near.comparable.text} = {far.comparable.text}")]
    for child in element:
        if child.tag == "filter":
            kept.append(read_filter(statement, child, scope, depth + 1))
        elif child.tag == "link-entity" and child.get("link-type", "inner") in {"inner", "exists", "in"}:
            kept.append(related_exist(statement, child, scope, depth + 1))
        elif child.tag == "link-entity":
            raise not_implemented(f"The link-type '{child.get('link-type')}' inside a link that only asks for rows")
        else:
            raise bad_xml(f"a link that only asks whether rows exist returns no columns; remove <{child.tag}>.")
    if allowed := session.security.readable(session, table, scope.alias):
        kept.append(Sql(allowed[0], tuple(allowed[1])))
    condition = join("AND", kept)
    return Sql(
        f"EXISTS (SELECT 1 FROM {quote(table.logical_name)} {scope.alias} WHERE {condition.text})", condition.values
    )


def _read_condition(statement: Statement, element: Element, scope: Scope) -> Sql:
    if name := element.get("entityname"):
        scope = statement.scope(name)
    held = logical_column(scope, element.get("attribute", ""))
    op = element.get("operator", "")
    values = [child.text or "" for child in element if child.tag == "value"]
    if element.get("value") is not None:
        values.insert(0, element.get("value", ""))
    if other := element.get("valueof"):
        alias, _, column = other.rpartition(".")
        return _compare_columns(held, op, logical_column(statement.scope(alias) if alias else scope, column))
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
    return function_condition(statement.session, held, function, values)


def _compare_columns(left: Operand, op: str, right: Operand) -> Sql:
    if op in {"ne", "neq"}:
        return negate(Sql(f"{left.comparable.text} = {right.comparable.text}"))
    sign = OPERATORS.get(op)
    if sign is None:
        raise bad_xml(f"the operator '{op}' cannot compare columns.")
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
