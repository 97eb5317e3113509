"""Syntax trees -> parameterised SQL conditions over the store's tables.

Truth is two-valued, as plain Python has it: a comparison with a missing value is false, and `not` and `ne` are exact
complements, so `name ne 'x'` finds rows without a name too.
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .catalog import NUMBERS, Column, Table
from .errors import bad_request, not_implemented
from .odata import Compare, Junction, Lambda, Literal, Node, Not, Order, Path, QueryFunction, TextMatch
from .periods import period
from .session import Session
from .store import quote
from .text import fold, like_glob
from .values import instant_text, parse_guid, parse_instant

_OPERATORS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=", "ne": "<>"}
_MIRROR = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
_EDM = {
    "string": "Edm.String", "number": "Edm.Int32", "boolean": "Edm.Boolean", "guid": "Edm.Guid", "null": "null",
    "instant": "Edm.DateTimeOffset", "date": "Edm.Date", "enum": "enum",
}  # fmt: skip
TEXT = frozenset({"string", "memo", "multipicklist"})
GUIDS = frozenset({"uniqueidentifier", "lookup", "file", "image"})
WHOLE = frozenset({"integer", "bigint", "picklist", "state", "status"})


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values of its question marks, in order."""

    text: str
    values: tuple[Any, ...] = ()


TRUE, FALSE = Sql("1"), Sql("0")


@dataclass(frozen=True, slots=True)
class Scope:
    """The row that a condition speaks of: an SQL alias of a table, and the range variables around it."""

    session: Session
    table: Table
    alias: str
    variables: dict[str, "Scope"] = field(default_factory=dict)
    counter: list[int] = field(default_factory=lambda: [0])
    unindexed: frozenset[str] = frozenset()
    """Columns that are compared without their index (see plan)."""

    def fresh(self) -> str:
        self.counter[0] += 1
        return f"j{self.counter[0]}"


@dataclass(frozen=True, slots=True)
class Operand:
    """A column's value in SQL: as stored, and in the form that comparisons use."""

    column: Column
    table: Table
    stored: Sql
    comparable: Sql


def unknown_property(name: str, table: Table) -> Any:
    return bad_request(
        f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table.logical_name}'."
    )


def operand(scope: Scope, path: Path) -> Operand:
    """The value at a property path.

    Raises: DataverseError 400 for a name that does not exist.
    """
    parts = path.parts
    if len(parts) > 1 and parts[0] in scope.variables:
        return operand(scope.variables[parts[0]], Path(parts[1:]))
    table, alias = scope.table, scope.alias
    wraps: list[tuple[str, str, Table]] = []  # alias of the joined row, condition, its table
    for name in parts[:-1]:
        held = table.navigation.get(name)
        if held is None:
            raise unknown_property(name, table)
        column, targets = held
        target = scope.session.table(targets[0])
        inner = scope.fresh()
        condition = f"{inner}.{quote(target.primary_id)} = {alias}.{quote(column.name)}"
        if column.polymorphic:
            condition += f" AND {alias}.{quote(column.name + '__t')} = '{target.logical_name}'"
        wraps.append((inner, condition, target))
        table, alias = target, inner
    column_ = table.by_wire_name.get(parts[-1])
    if column_ is None or column_.type == "virtual":
        raise unknown_property(parts[-1], table)
    stored = f"{alias}.{quote(column_.name)}"
    comparable = stored
    if column_.type == "string":
        comparable = f"{alias}.{quote(column_.comparable_name)}"
    elif column_.type == "memo":
        comparable = f"fold({stored})"
    if not wraps and column_.name in scope.unindexed:
        stored, comparable = f"+{stored}", f"+{comparable}"
    for inner, condition, target in reversed(wraps):
        stored = f"(SELECT {stored} FROM {quote(target.logical_name)} {inner} WHERE {condition})"
        comparable = f"(SELECT {comparable} FROM {quote(target.logical_name)} {inner} WHERE {condition})"
    return Operand(column_, table, Sql(stored), Sql(comparable))


def condition(scope: Scope, node: Node) -> Sql:
    """A `$filter` tree as an SQL condition.

    Raises: DataverseError 400, 501.
    """
    match node:
        case Junction(op, items):
            return join(op.upper(), [condition(scope, item) for item in items])
        case Not(item):
            return negate(condition(scope, item))
        case Compare():
            return _compare(scope, node)
        case TextMatch(function, path, pattern):
            return _text_match(operand(scope, path), function, pattern)
        case QueryFunction():
            return _query_function(scope, node)
        case Lambda():
            return _lambda(scope, node)
        case Path():
            held = operand(scope, node)
            if held.column.type != "boolean":
                raise bad_request(f"The property '{node}' is no condition: compare it with a value.")
            return Sql(f"{held.stored.text} = 1")


def join(word: str, items: Sequence[Sql]) -> Sql:
    """Conditions joined in balanced brackets, so that long lists stay within SQLite's expression depth."""
    if not items:
        return TRUE if word == "AND" else FALSE
    if len(items) == 1:
        return items[0]
    middle = len(items) // 2
    left, right = join(word, items[:middle]), join(word, items[middle:])
    return Sql(f"({left.text} {word} {right.text})", left.values + right.values)


def negate(item: Sql) -> Sql:
    return Sql(f"NOT coalesce({item.text}, 0)", item.values)


def _compare(scope: Scope, node: Compare) -> Sql:
    left, op, right = node.left, node.op, node.right
    if isinstance(left, Literal):
        if isinstance(right, Literal):
            raise bad_request("A comparison needs a property on one side.")
        left, op, right = right, _MIRROR[op], left
    held = operand(scope, left)
    if isinstance(right, Path):
        return _compare_columns(held, op, operand(scope, right))
    return compare_value(held, op, right)


def _compare_columns(left: Operand, op: str, right: Operand) -> Sql:
    if _family(left.column) != _family(right.column):
        raise bad_request(
            f"The columns '{left.column.name}' and '{right.column.name}' have different types and cannot be compared."
        )
    values = left.comparable.values + right.comparable.values
    if op == "ne":
        return negate(Sql(f"{left.comparable.text} = {right.comparable.text}", values))
    return Sql(f"{left.comparable.text} {_OPERATORS[op]} {right.comparable.text}", values)


def _family(column: Column) -> str:
    if column.type in TEXT:
        return "text"
    if column.type in NUMBERS or column.type in WHOLE:
        return "number"
    return "guid" if column.type in GUIDS else column.type


def compare_value(held: Operand, op: str, literal: Literal) -> Sql:
    """`column op literal`, literal checked against the column's type."""
    text = held.comparable.text
    if literal.kind == "null":
        if op not in {"eq", "ne"}:
            raise bad_request(f"The operator '{op}' cannot compare with null.")
        return Sql(f"{held.stored.text} IS {'NOT ' if op == 'ne' else ''}NULL", held.stored.values)
    value = comparable_value(held.column, literal, op)
    values = (*held.comparable.values, value)
    if op == "ne":
        return Sql(f"{text} IS NOT ?", values)
    return Sql(f"{text} {_OPERATORS[op]} ?", values)


def comparable_value(column: Column, literal: Literal, op: str = "eq") -> Any:
    """The literal in the form that `Operand.comparable` has.

    Raises: DataverseError 400 when the types do not go together.
    """
    kind, value = literal.kind, literal.value
    if column.type in TEXT and kind == "string":
        return fold(value)
    if column.type in WHOLE and kind == "number":
        return value
    if column.type in NUMBERS and kind == "number":
        return float(value)
    if column.type == "boolean" and kind == "boolean":
        return int(value)
    if column.type in GUIDS and kind == "guid":
        return value
    if column.type == "datetime":
        if kind == "instant":
            return value
        if kind == "date":
            return parse_instant(value)
    if column.type == "dateonly":
        if kind == "date":
            return value
        if kind == "instant":
            return instant_text(value)[:10]
    raise bad_request(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{_edm(column)}' and '{_EDM[kind]}' for operator kind '{op}' on property '{column.wire_name}'."
    )


def _edm(column: Column) -> str:
    kinds = {
        "boolean": "Edm.Boolean", "datetime": "Edm.DateTimeOffset", "dateonly": "Edm.Date", "double": "Edm.Double",
        "decimal": "Edm.Decimal", "money": "Edm.Decimal", "bigint": "Edm.Int64",
    }  # fmt: skip
    if column.type in TEXT:
        return "Edm.String"
    return kinds.get(column.type, "Edm.Guid" if column.type in GUIDS else "Edm.Int32")


def _text_match(held: Operand, function: str, pattern: str) -> Sql:
    if held.column.type not in TEXT:
        raise bad_request(f"The function '{function}' needs a text column; '{held.column.wire_name}' is none.")
    return text_match(held.comparable, function, pattern)


def text_match(comparable: Sql, function: str, pattern: str) -> Sql:
    """`contains`, `startswith`, `endswith` on folded text; `%`, `_`, `[…]` in the pattern are wildcards."""
    folded, text = fold(pattern), comparable.text
    if any(char in folded for char in "%_["):
        glob = like_glob(folded)
        before = "" if function == "startswith" else "*"
        after = "" if function == "endswith" else "*"
        return Sql(f"{text} GLOB ?", (*comparable.values, f"{before}{glob}{after}"))
    if not folded:
        return Sql(f"{text} IS NOT NULL", comparable.values)
    if function == "contains":
        return Sql(f"instr({text}, ?) > 0", (*comparable.values, folded))
    if function == "startswith":
        upper = folded[:-1] + chr(min(ord(folded[-1]) + 1, 0x10FFFF))
        if 0xD800 <= ord(upper[-1]) <= 0xDFFF:
            upper = folded[:-1] + "\ue000"
        twice = comparable.values + comparable.values
        if ord(folded[-1]) == 0x10FFFF:
            return Sql(f"substr({text}, 1, ?) = ?", (*comparable.values, len(folded), folded))
        if len(comparable.values):
            return Sql(f"substr({text}, 1, ?) = ?", (*comparable.values, len(folded), folded))
        return Sql(f"({text} >= ? AND {text} < ?)", (*twice, folded, upper))
    return Sql(f"substr({text}, ?) = ?", (*comparable.values, -len(folded), folded))


def _lambda(scope: Scope, node: Lambda) -> Sql:
    parts = node.collection.parts
    owner = scope
    if len(parts) > 1 and parts[0] in scope.variables:
        owner, parts = scope.variables[parts[0]], parts[1:]
    if len(parts) != 1:
        raise not_implemented("A collection behind a lookup in any or all")
    collection = owner.table.collections.get(parts[0])
    if collection is None:
        raise unknown_property(parts[0], owner.table)
    target = scope.session.table(collection.table)
    alias = scope.fresh()
    source = related(owner, collection.name, target, alias)
    body = TRUE
    if node.body is not None:
        inner = Scope(scope.session, target, alias, dict(scope.variables), scope.counter)
        inner.variables[node.variable] = inner
        outer = replace(scope, variables={**scope.variables, node.variable: inner})
        body = condition(outer, node.body)
    if node.quantifier == "any":
        return Sql(f"EXISTS (SELECT 1 FROM {source} AND {body.text})", body.values)
    body = negate(body)
    return Sql(f"NOT EXISTS (SELECT 1 FROM {source} AND {body.text})", body.values)


def related(owner: Scope, name: str, target: Table, alias: str) -> str:
    """`table alias WHERE …`: the rows of a collection of the owner's row."""
    collection = owner.table.collections[name]
    key = f"{owner.alias}.{quote(owner.table.primary_id)}"
    if collection.intersect:
        middle = owner.fresh()
        return (
            f"{quote(target.logical_name)} {alias} WHERE EXISTS (SELECT 1 FROM {quote(collection.intersect)} {middle} "
            f"WHERE {middle}.{quote(collection.near)} = {key} "
            f"AND {middle}.{quote(collection.far)} = {alias}.{quote(target.primary_id)})"
        )
    column = target.columns.get(collection.column)
    if column is None:
        raise unknown_property(name, owner.table)
    text = f"{quote(target.logical_name)} {alias} WHERE {alias}.{quote(column.name)} = {key}"
    if column.polymorphic:
        text += f" AND {alias}.{quote(column.name + '__t')} = '{owner.table.logical_name}'"
    return text


def any_of(held: Operand, values: Iterable[Any], *, exclude: bool = False) -> Sql:
    """`column IN (…)` for any number of values: they travel as one JSON parameter."""
    listed = json.dumps(list(values))
    text = f"{held.comparable.text} IN (SELECT value FROM json_each(?))"
    sql = Sql(text, (*held.comparable.values, listed))
    return negate(sql) if exclude else sql


def value_of(column: Column, raw: Any) -> Any:
    """A query function's parameter, usually text (`"1"`), as a comparable value.

    Raises: DataverseError 400.
    """
    return comparable_value(column, literal_of(column, raw))


def literal_of(column: Column, raw: Any) -> Literal:
    """Untyped text as a literal of the column's type.

    Raises: DataverseError 400.
    """
    if isinstance(raw, bool):
        return Literal(raw, "boolean")
    if isinstance(raw, int | float):
        if column.type in TEXT:
            return Literal(str(raw), "string")
        return Literal(bool(raw), "boolean") if column.type == "boolean" else Literal(raw, "number")
    if isinstance(raw, str):
        text = raw.strip()
        if column.type in TEXT:
            return Literal(raw, "string")
        if column.type == "boolean" and text.lower() in {"0", "1", "true", "false"}:
            return Literal(text.lower() in {"1", "true"}, "boolean")
        if column.type in NUMBERS or column.type in WHOLE:
            try:
                number = float(text)
            except ValueError:
                number = float("nan")
            if abs(number) < 2**63:
                return Literal(int(number) if number.is_integer() else number, "number")
        if column.type in GUIDS and (guid := parse_guid(text)):
            return Literal(guid, "guid")
        if column.type in {"datetime", "dateonly"} and (seconds := parse_instant(text)) is not None:
            return Literal(seconds, "instant")
    raise bad_request(f"The value {str(raw)[:100]!r} does not fit the column '{column.name}' of type {column.type}.")


def _query_function(scope: Scope, node: QueryFunction) -> Sql:
    *way, last = node.path.parts
    # Functions take a lookup by its logical name (`ownerid`); `_ownerid_value` is understood, too.
    column = scope.table.columns.get(last) if not way else None
    path = Path((column.wire_name,)) if column else node.path
    return function_condition(scope.session, operand(scope, path), node.name, node.values)


def function_condition(session: Session, held: Operand, name: str, values: Sequence[Any]) -> Sql:
    """A Dataverse query function (also FetchXML's operators, under the same names) on a column."""
    column = held.column
    match name:
        case "In" | "NotIn":
            _count(name, values, minimum=1)
            return any_of(held, [value_of(column, value) for value in values], exclude=name == "NotIn")
        case "Between" | "NotBetween":
            _count(name, values, exactly=2)
            low, high = (value_of(column, value) for value in values)
            between = Sql(f"{held.comparable.text} BETWEEN ? AND ?", (*held.comparable.values, low, high))
            return negate(between) if name == "NotBetween" else between
        case "ContainValues" | "DoesNotContainValues":
            return _contain_values(held, name, values)
        case "EqualUserId" | "NotEqualUserId":
            return compare_value(held, _op(name), Literal(session.caller.user_id, "guid"))
        case "EqualBusinessId" | "NotEqualBusinessId":
            return compare_value(held, _op(name), Literal(session.caller.business_unit_id, "guid"))
        case "EqualUserTeams" | "EqualUserOrUserTeams":
            teams = user_teams(session)
            return any_of(held, [*teams, session.caller.user_id] if "OrUser" in name else teams)
        case _:
            return _dates(session, held, name, values)


def user_teams(session: Session) -> list[str]:
    """The teams that the caller belongs to."""
    if "teammembership" not in session.catalog:
        return []
    rows = session.tx.execute("SELECT teamid FROM teammembership WHERE systemuserid = ?", (session.caller.user_id,))
    return [row[0] for row in rows]


def _op(name: str) -> str:
    return "ne" if name.startswith("Not") else "eq"


def _count(name: str, values: Sequence[Any], *, exactly: int | None = None, minimum: int = 0) -> None:
    if len(values) < minimum or (exactly is not None and len(values) != exactly):
        raise bad_request(
            f"The function '{name}' needs {exactly or f'at least {minimum}'} value(s), not {len(values)}."
        )


def _contain_values(held: Operand, name: str, values: Sequence[Any]) -> Sql:
    if held.column.type != "multipicklist":
        raise bad_request(f"The function '{name}' needs a multi-select choice column.")
    _count(name, values, minimum=1)
    items = []
    for value in values:
        if not str(value).strip().lstrip("-").isdecimal():
            raise bad_request(f"The value {value!r} is no choice.")
        text = f"instr(',' || {held.stored.text} || ',', ?) > 0"
        items.append(Sql(text, (*held.stored.values, f",{int(str(value))},")))
    found = join("OR", items)
    return negate(found) if name == "DoesNotContainValues" else found


def _dates(session: Session, held: Operand, name: str, values: Sequence[Any]) -> Sql:
    span = period(name, values, session.now)
    if span is None:
        raise not_implemented(f"The query function '{name}'")
    if held.column.type not in {"datetime", "dateonly"}:
        raise bad_request(f"The function '{name}' needs a date column; '{held.column.wire_name}' is none.")
    items = []
    for op, bound in ((">=", span.start), ("<", span.end)):
        if bound is not None:
            value: Any = bound
            if held.column.type == "dateonly":
                value = instant_text(bound)[:10]
            items.append(Sql(f"{held.comparable.text} {op} ?", (*held.comparable.values, value)))
    found = join("AND", items)
    return negate(found) if span.outside else found


@dataclass(frozen=True, slots=True)
class SortKey:
    """One term of ORDER BY, and whether it may be null."""

    sql: Sql
    descending: bool
    nullable: bool
    name: str


_NEVER_NULL = frozenset({"createdon", "modifiedon", "statecode", "statuscode", "versionnumber", "ownerid"})


def sort_keys(scope: Scope, orders: Sequence[Order]) -> list[SortKey]:
    """ORDER BY terms, ended by the primary key so that every order is total.

    Raises: DataverseError 400.
    """
    keys: list[SortKey] = []
    for order in orders:
        held = operand(scope, order.path)
        if held.column.type in {"file", "image"}:
            raise bad_request(f"Rows cannot be sorted by '{order.path}'.")
        name = held.column.name
        never_null = len(order.path.parts) == 1 and (name in _NEVER_NULL or name == scope.table.primary_id)
        keys.append(SortKey(held.comparable, order.descending, not never_null, str(order.path)))
    primary = Sql(f"{scope.alias}.{quote(scope.table.primary_id)}")
    if not any(key.sql.text == primary.text for key in keys):
        descending = bool(keys) and keys[-1].descending
        keys.append(SortKey(primary, descending, False, scope.table.primary_id))
    return keys


def without_index(keys: Sequence[SortKey]) -> list[SortKey]:
    """The same order, sorted rather than read along an index."""
    return [replace(key, sql=Sql(f"+{key.sql.text}", key.sql.values)) for key in keys]


def order_by(keys: Sequence[SortKey]) -> Sql:
    return Sql(
        ", ".join(f"{key.sql.text}{' DESC' if key.descending else ''}" for key in keys),
        tuple(value for key in keys for value in key.sql.values),
    )


def after(keys: Sequence[SortKey], last: Sequence[Any]) -> Sql:
    """The condition that keeps what comes after the row with these sort values (keyset paging)."""
    alike = len({key.descending for key in keys}) == 1
    if alike and not any(key.nullable for key in keys):
        sign = "<" if keys[0].descending else ">"
        left = ", ".join(key.sql.text for key in keys)
        marks = ", ".join("?" * len(keys))
        values = tuple(value for key in keys for value in key.sql.values)
        return Sql(f"({left}) {sign} ({marks})", (*values, *last))
    return _after(keys, last)


def _after(keys: Sequence[SortKey], last: Sequence[Any]) -> Sql:
    key, value = keys[0], last[0]
    text, values = key.sql.text, key.sql.values
    if value is None:
        beyond = FALSE if key.descending else Sql(f"{text} IS NOT NULL", values)
        same = Sql(f"{text} IS NULL", values)
    else:
        sign = "<" if key.descending else ">"
        beyond = Sql(f"{text} {sign} ?", (*values, value))
        if key.descending and key.nullable:
            beyond = join("OR", [beyond, Sql(f"{text} IS NULL", values)])
        same = Sql(f"{text} = ?", (*values, value))
    if len(keys) == 1:
        return beyond
    rest = join("OR", [beyond, join("AND", [same, _after(keys[1:], last[1:])])])
    if value is not None and not key.descending:
        # Implied by the rest, and says to SQLite that the index can be entered at this point.
        return join("AND", [Sql(f"{text} >= ?", (*values, value)), rest])
    return rest
