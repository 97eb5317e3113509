"""Columns and values in SQL: finding what a path means, comparing it with a literal of its type."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .catalog import NUMBERS, Column, Table
from .errors import bad_request
from .odata_tree import Literal, Path
from .session import Session
from .sqlite_tables import quote
from .text import fold
from .values import instant_text, parse_guid, parse_instant

OPERATORS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "=", "ne": "<>"}
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
    return Sql(f"{text} {OPERATORS[op]} ?", values)


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
