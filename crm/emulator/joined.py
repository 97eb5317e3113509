"""Queries that name their own columns and joins (FetchXML, SQL, `$apply`): building the statement, reading its rows."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .catalog import CHOICES, Column, Table
from .errors import AGGREGATE_LIMIT, NO_ATTRIBUTE, TOO_MANY_LINKS, DataverseError, bad_request
from .odata_tree import Path
from .operands import Operand, Scope, Sql, join, operand
from .render import FORMATTED, LOGICAL_NAME, primary_names
from .session import Session
from .sqlite_tables import quote
from .values import formatted, to_wire
from .wire import Prefer

MAX_LINKS = 15
AGGREGATE_ROWS = 50_000
"""Rows that an aggregate may go over (learn.microsoft.com, "Aggregate data using FetchXml")."""
AGGREGATES = frozenset({"count", "countcolumn", "countdistinct", "sum", "avg", "min", "max"})


@dataclass(frozen=True, slots=True)
class Output:
    """One property of the answer.

    Attributes:
        column: whose value it is, for conversion and formatting; None for a plain number.
        target: SQL of the table that a polymorphic lookup's value is in.
        sparse: left out of a row that has no value, as Dataverse does with whatever has an alias.
    """

    name: str
    sql: Sql
    column: Column | None = None
    table: Table | None = None
    target: Sql | None = None
    sparse: bool = False


@dataclass(slots=True)
class Statement:
    """A SELECT in the making; `scopes` maps the query's aliases (lower case) to tables."""

    session: Session
    root: Scope
    scopes: dict[str, Scope] = field(default_factory=dict)
    joins: list[Sql] = field(default_factory=list)
    where: list[Sql] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    group: list[Sql] = field(default_factory=list)
    order: list[Sql] = field(default_factory=list)
    distinct: bool = False
    links: int = 0

    def count_link(self) -> None:
        """Raises: DataverseError 400 beyond 15 links (learn.microsoft.com, "Join tables using FetchXml")."""
        self.links += 1
        if self.links > MAX_LINKS:
            raise bad_request("Number of link entities in query exceeded maximum limit.", TOO_MANY_LINKS)

    def scope(self, alias: str) -> Scope:
        """The table that an alias stands for.

        Raises: DataverseError 400.
        """
        found = self.scopes.get(alias.lower())
        if found is None:
            raise bad_request(f"'{alias[:100]}' is no alias of a link of this query.")
        return found

    def new_scope(self, table: Table, alias: str) -> Scope:
        scope = Scope(self.session, table, self.root.fresh(), counter=self.root.counter)
        if alias.lower() in self.scopes:
            raise bad_request(f"The alias '{alias}' is used twice.")
        self.scopes[alias.lower()] = scope
        return scope

    def add_join(self, scope: Scope, on: Sequence[Sql], *, outer: bool) -> None:
        allowed = self.session.security.readable(self.session, scope.table, scope.alias)
        conditions = [*on, *([Sql(allowed[0], tuple(allowed[1]))] if allowed else [])]
        condition = join("AND", conditions)
        word = "LEFT JOIN" if outer else "JOIN"
        self.joins.append(
            Sql(f"{word} {quote(scope.table.logical_name)} {scope.alias} ON {condition.text}", condition.values)
        )

    def run(self, limit: int, offset: int = 0) -> list[tuple[Any, ...]]:
        """The rows: each output's value, then each output's target table where it has one."""
        targets = [output.target or Sql("NULL") for output in self.outputs]
        listed = _comma([output.sql for output in self.outputs] + targets)
        kept = self._kept()
        text = f"SELECT {'DISTINCT ' if self.distinct else ''}{listed.text} FROM {self._source()} WHERE {kept.text}"
        values = [*listed.values, *(value for item in self.joins for value in item.values), *kept.values]
        for word, items in (("GROUP BY", self.group), ("ORDER BY", self.order)):
            if items:
                text += f" {word} {_comma(items).text}"
                values.extend(_comma(items).values)
        return self.session.tx.execute(f"{text} LIMIT ? OFFSET ?", (*values, limit, offset)).fetchall()

    def count(self, limit: int) -> int:
        """How many rows the joins and conditions give, up to a limit."""
        kept = self._kept()
        values = [*(value for item in self.joins for value in item.values), *kept.values, limit]
        text = f"SELECT count(*) FROM (SELECT 1 FROM {self._source()} WHERE {kept.text} LIMIT ?)"
        found: int = self.session.tx.execute(text, values).fetchone()[0]
        return found

    def limit_rows(self, limit: int) -> None:
        """Raises: DataverseError 400 for an aggregate over more rows than this."""
        if self.count(limit + 1) > limit:
            raise bad_request("The maximum record limit is exceeded. Reduce the number of records.", AGGREGATE_LIMIT)

    def _kept(self) -> Sql:
        allowed = self.session.security.readable(self.session, self.root.table, self.root.alias)
        return join("AND", [*self.where, *([Sql(allowed[0], tuple(allowed[1]))] if allowed else [])])

    def _source(self) -> str:
        joins = " ".join(item.text for item in self.joins)
        return f"{quote(self.root.table.logical_name)} {self.root.alias} {joins}"


def start(session: Session, table: Table, alias: str) -> Statement:
    """A statement on one table."""
    root = Scope(session, table, "t")
    statement = Statement(session, root)
    statement.scopes[alias.lower()] = root
    return statement


def _comma(items: Sequence[Sql]) -> Sql:
    return Sql(", ".join(item.text for item in items), tuple(value for item in items for value in item.values))


def logical_column(scope: Scope, name: str) -> Operand:
    """A column by its logical name (`ownerid`, not `_ownerid_value`).

    Raises: DataverseError 400 (0x80041103).
    """
    column = scope.table.columns.get(name.lower())
    if column is None or column.type == "virtual" or not column.read:
        raise DataverseError(
            400,
            NO_ATTRIBUTE,
            f"'{scope.table.logical_name}' entity doesn't contain attribute with Name = '{name}'.",
        )
    return operand(scope, Path((column.wire_name,)))


def column_output(scope: Scope, held: Operand, name: str, *, sparse: bool = False) -> Output:
    target = None
    if held.column.polymorphic:
        target = Sql(f"{scope.alias}.{quote(held.column.name + '__t')}")
    return Output(name, held.stored, held.column, held.table, target, sparse)


def aggregate_output(held: Operand | None, function: str, name: str) -> Output:
    """`count` `countcolumn` `countdistinct` `sum` `avg` `min` `max`.

    Raises: DataverseError 400 for a function that does not go with the column's type.
    """
    if function == "count" or held is None:
        return Output(name, Sql("count(*)"))
    column = held.column
    if function in {"countcolumn", "countdistinct"}:
        inner = f"DISTINCT {held.comparable.text}" if function == "countdistinct" else held.stored.text
        return Output(name, Sql(f"count({inner})", held.stored.values))
    numeric = column.type in {"integer", "bigint", "decimal", "double", "money"}
    if not numeric and (function in {"sum", "avg"} or column.type not in {"datetime", "dateonly"} | CHOICES):
        raise bad_request(
            f"The aggregate '{function}' cannot be used on the column '{column.name}' of type {column.type}."
        )
    text = f"{function}({held.stored.text})"
    if function in {"sum", "avg"} and column.type in {"decimal", "double", "money"}:
        text = f"round({text}, {10 if column.type == 'double' else column.precision or 2})"
    if function == "avg" and column.type in {"integer", "bigint"}:
        text = f"CAST({text} AS INTEGER)"
    if function == "sum":
        text = f"coalesce({text}, 0)"
    return Output(name, Sql(text, held.stored.values), column, sparse=True)


def render(statement: Statement, rows: Sequence[tuple[Any, ...]], prefer: Prefer) -> list[dict[str, Any]]:
    """JSON records with the outputs' names; only sparse outputs without a value are left out."""
    outputs = statement.outputs
    width = len(outputs)
    names = _names(statement.session, outputs, rows) if prefer.formatted else {}
    records = []
    for row in rows:
        record: dict[str, Any] = {}
        for index, output in enumerate(outputs):
            value, target = row[index], row[width + index]
            if value is None and output.sparse:
                continue
            if value is not None:
                _annotate(record, output, value, target, names, prefer)
            record[output.name] = value if output.column is None else to_wire(output.column, value)
        records.append(record)
    return records


def _annotate(
    record: dict[str, Any],
    output: Output,
    value: Any,
    target: Any,
    names: Mapping[tuple[str, str], str],
    prefer: Prefer,
) -> None:
    column = output.column
    if column is None:
        if prefer.formatted and isinstance(value, int):
            record[f"{output.name}@{FORMATTED}"] = f"{value:,}"
    elif column.type == "lookup":
        logical_name = target or next(iter(column.targets), "")
        if prefer.annotates(LOGICAL_NAME):
            record[f"{output.name}@{LOGICAL_NAME}"] = logical_name
        if (logical_name, value) in names:
            record[f"{output.name}@{FORMATTED}"] = names[logical_name, value]
    elif prefer.formatted and (text := formatted(column, value)) is not None:
        record[f"{output.name}@{FORMATTED}"] = text


def _names(session: Session, outputs: Sequence[Output], rows: Sequence[tuple[Any, ...]]) -> dict[tuple[str, str], str]:
    wanted: dict[str, set[str]] = {}
    for index, output in enumerate(outputs):
        if output.column is None or output.column.type != "lookup":
            continue
        for row in rows:
            if row[index] is not None:
                logical_name = row[len(outputs) + index] or next(iter(output.column.targets), "")
                wanted.setdefault(logical_name, set()).add(row[index])
    return {
        (logical_name, key): name
        for logical_name, keys in wanted.items()
        for key, name in primary_names(session, logical_name, keys).items()
    }


def check_alias(alias: str) -> str:
    """Raises: DataverseError 400 for a name that is no identifier."""
    if not re.fullmatch(r"\w{1,128}", alias):
        raise bad_request(f"'{alias[:100]}' is no valid alias.")
    return alias
