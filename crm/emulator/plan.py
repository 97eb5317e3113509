"""How a page is found: by a filter's index and then sorted, or along the sort's index and then filtered.

SQLite cannot know how much a range keeps, and on 100,000 rows the wrong choice costs a hundred times the right one.
So the most selective filter is counted first, up to a bound: few rows are sorted, many are soon met along the sorted
index. A column is kept from being used as an index by a `+` before its name (sqlite.org/optoverview.html).
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .odata_tree import Compare, Junction, Literal, Node, Path, QueryFunction, TextMatch
from .operands import Scope, Sql, join
from .options import Order
from .sql import condition
from .sqlite_tables import quote

FEW = 2000
"""About the square root of (page of 50 x 100,000 rows): where both ways cost the same."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Columns of the root table that must not be looked up by index, and whether the sort must not use one."""

    unindexed: frozenset[str] = frozenset()
    sort_found: bool = False


def choose(scope: Scope, node: Node | None, orders: Sequence[Order]) -> Plan:
    """Decide for one list query."""
    terms: dict[str, list[Node]] = {}
    leading = {index.columns[0] for index in scope.table.indexes}
    for name, term in _terms(node):
        column = scope.table.by_wire_name.get(name)
        if column is not None and column.comparable_name in leading:
            terms.setdefault(column.name, []).append(term)
    if not terms:
        return Plan()
    sorted_by = _sort_column(scope, orders)
    if sorted_by in terms:
        # The same column bounds and orders the page: one walk along its index does both.
        return Plan(frozenset(terms) - {sorted_by})
    pairs = {index.columns[:2] for index in scope.table.indexes}
    comparable = scope.table.columns[sorted_by].comparable_name if sorted_by else ""
    counts = {name: _count(scope, items) for name, items in terms.items()}
    best = min(counts, key=lambda name: counts[name])
    if counts[best] <= FEW:
        return Plan(frozenset(terms) - {best}, sort_found=(best, comparable) not in pairs)
    return Plan(frozenset(name for name in terms if (name, comparable) not in pairs))


def _terms(node: Node | None) -> Iterator[tuple[str, Node]]:
    """The conditions that every row of the answer meets and that an index can serve: property and condition."""
    match node:
        case Junction("and", items):
            for item in items:
                yield from _terms(item)
        case Compare(op, Path((name,)), Literal(_, kind)) if op != "ne" and kind != "null":
            yield name, node
        case Compare(op, Literal(_, kind), Path((name,))) if op != "ne" and kind != "null":
            yield name, node
        case TextMatch("startswith", Path((name,)), pattern) if pattern and not set(pattern) & set("%_["):
            yield name, node
        case QueryFunction(function, Path((name,))) if not function.startswith(("Not", "Contain", "DoesNot")):
            yield name, node
        case _:
            return


def _sort_column(scope: Scope, orders: Sequence[Order]) -> str | None:
    if not orders or len(orders[0].path.parts) != 1:
        return scope.table.primary_id if not orders else None
    column = scope.table.by_wire_name.get(orders[0].path.parts[0])
    return column.name if column is not None and column.type != "lookup" else None


def _count(scope: Scope, terms: Sequence[Node]) -> int:
    """How many rows the conditions on one column keep, up to the bound."""
    probe = replace(scope, counter=[1000])
    kept: Sql = join("AND", [condition(probe, term) for term in terms])
    source = f"SELECT 1 FROM {quote(scope.table.logical_name)} {scope.alias} WHERE {kept.text} LIMIT {FEW + 1}"
    found: int = scope.session.tx.execute(f"SELECT count(*) FROM ({source})", kept.values).fetchone()[0]
    return found
