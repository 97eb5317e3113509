"""ORDER BY, and the condition that goes on after the last row of a page."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .errors import bad_request
from .operands import FALSE, Operand, Scope, Sql, join, operand
from .options import Order
from .session import Session
from .sqlite_tables import quote
from .text import fold


@dataclass(frozen=True, slots=True)
class SortKey:
    """One term of ORDER BY, and whether it may be null."""

    sql: Sql
    descending: bool
    nullable: bool
    name: str


_NEVER_NULL = frozenset({"createdon", "modifiedon", "statecode", "statuscode", "versionnumber"})


def by_name(session: Session, held: Operand) -> Sql:
    """What rows are sorted by: a lookup by the primary name of the row it leads to, anything else by its value.

    Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/query/order-rows.
    """
    if held.column.type != "lookup":
        return held.comparable
    names = []
    for logical_name in held.column.targets:
        target = session.catalog.get(logical_name)
        if target is not None and target.primary_name in target.columns:
            name = target.columns[target.primary_name].comparable_name
            names.append(
                f"(SELECT n.{quote(name)} FROM {quote(logical_name)} n "
                f"WHERE n.{quote(target.primary_id)} = {held.stored.text})"
            )
    if len(names) < 2:
        return Sql(names[0]) if names else held.comparable
    return Sql(f"coalesce({', '.join(names)})")


def by_label(held: Operand) -> Sql:
    """A choice's English label, for FetchXML alone sorts choices by their labels."""
    cases, values = "", []
    for option in held.column.options:
        cases += " WHEN ? THEN ?"
        values += [option.value, fold(option.labels.get(1033, ""))]
    return Sql(f"CASE {held.stored.text}{cases} END", tuple(values)) if cases else held.comparable


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
        keys.append(SortKey(by_name(scope.session, held), order.descending, not never_null, str(order.path)))
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
