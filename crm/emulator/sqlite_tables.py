"""The tables of the catalog as SQLite's: columns, their twins for comparing, indexes."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import sqlite3
from functools import lru_cache

from .catalog import Catalog, Column, Table
from .indexes import Index

ACTIVITY_VIEW = "activitypointer"
_SQL_TYPES = {
    "integer": "INTEGER", "bigint": "INTEGER", "boolean": "INTEGER", "picklist": "INTEGER", "state": "INTEGER",
    "status": "INTEGER", "datetime": "INTEGER", "decimal": "REAL", "double": "REAL", "money": "REAL",
}  # fmt: skip


@lru_cache(maxsize=16384)
def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def twins(column: Column) -> list[str]:
    """The SQLite columns that hold one Dataverse column."""
    if column.type == "string":
        return [column.name, f"{column.name}__f"]
    if column.type == "lookup" and column.polymorphic:
        return [column.name, f"{column.name}__t"]
    return [column.name]


def create_activity_view(connection: sqlite3.Connection, catalog: Catalog) -> None:
    """`activitypointers` shows every activity, whatever its table (as Dataverse has it)."""
    pointer = catalog.get(ACTIVITY_VIEW)
    activities = [table for table in catalog if table.is_activity and table.logical_name != ACTIVITY_VIEW]
    if pointer is None or not activities:
        return
    names = [(column.name, name) for column in pointer.columns.values() if is_stored(column) for name in twins(column)]
    selects = []
    for table in activities:
        present = {name for column in table.columns.values() if is_stored(column) for name in twins(column)}
        listed = []
        for column, name in names:
            if name in present:
                listed.append(quote(name))
            elif name.endswith("__t") and column in present:
                listed.append(f"'{next(iter(table.columns[column].targets), '')}' AS {quote(name)}")
            else:
                listed.append(f"NULL AS {quote(name)}")
        selects.append(f"SELECT {', '.join(listed)} FROM {quote(table.logical_name)}")
    connection.execute(f"DROP VIEW IF EXISTS {quote(ACTIVITY_VIEW)}")
    connection.execute(f"CREATE VIEW {quote(ACTIVITY_VIEW)} AS {' UNION ALL '.join(selects)}")


def is_stored(column: Column) -> bool:
    return column.type != "virtual"


def _definitions(table: Table) -> list[str]:
    found = []
    for column in table.columns.values():
        if not is_stored(column):
            continue
        if column.name == table.primary_id:
            found.append(f"{quote(column.name)} TEXT NOT NULL PRIMARY KEY")
            continue
        for name in twins(column):
            kind = _SQL_TYPES.get(column.type, "TEXT")
            found.append(f"{quote(name)} {kind}")
    return found


def _index_statement(table: Table, index: Index) -> str:
    condition = " AND ".join(f"{quote(name)} IS NOT NULL" for name in index.present)
    name = quote(f"_ix_{table.logical_name}_{index.name}")
    return (
        f"CREATE {'UNIQUE ' if index.unique else ''}INDEX IF NOT EXISTS {name} "
        f"ON {quote(table.logical_name)} ({', '.join(map(quote, index.columns))})"
        f"{f' WHERE {condition}' if condition else ''}"
    )


def create_table(connection: sqlite3.Connection, table: Table) -> None:
    """Create or extend the SQLite table to match the schema. Columns that left the schema stay unread."""
    if table.logical_name == ACTIVITY_VIEW:
        return
    name = quote(table.logical_name)
    definitions = _definitions(table)
    present = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
    if not present:
        connection.execute(f"CREATE TABLE {name} ({', '.join(definitions)})")
    else:
        for definition in definitions:
            column = definition.split(" ")[0].strip('"')
            if column not in present:
                connection.execute(f"ALTER TABLE {name} ADD COLUMN {definition}")
    for index in table.indexes:
        connection.execute(_index_statement(table, index))
