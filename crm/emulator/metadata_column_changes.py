"""Columns created, changed and deleted at run time, inside the request's transaction; bodies as in metadata_tables."""

from dataclasses import replace
from typing import Any

from . import metadata_versions as versions
from .catalog import Column, Table
from .errors import NOT_SUPPORTED, bad_payload, bad_request
from .metadata_columns import changed_column, custom_only, read_column
from .metadata_labels import Document
from .metadata_tables import DEPENDENCY, DUPLICATE_NAME, save, with_columns
from .session import Session
from .sqlite_tables import quote, twins


def create_column(session: Session, table: Table, document: Any) -> Column:
    """Raises: DataverseError 400, 501."""
    column = read_column(document)
    if column.name in table.columns:
        raise bad_request(
            f"An attribute with the specified name {column.name} already exists for entity {table.logical_name}.",
            DUPLICATE_NAME,
        )
    save(session, with_columns(table, column))
    return column


def update_column(session: Session, table: Table, column: Column, document: Document, *, merge_labels: bool) -> None:
    """Raises: DataverseError 400 for another type or name, and for values that the type does not allow."""
    for key, held in (("LogicalName", column.name), ("SchemaName", column.schema_name)):
        if document.get(key) not in (None, held):
            raise bad_payload(f"The {key} of a column cannot be changed.")
    changed = changed_column(column, document, merge_labels=merge_labels)
    save_column(session, table, changed)


def save_column(session: Session, table: Table, column: Column) -> None:
    """Store a changed column; a shipped one is marked, so that the file keeps it."""
    kept = column if column.custom else replace(column, changed=True)
    save(session, replace(table, columns={**table.columns, column.name: kept}))


def delete_column(session: Session, table: Table, column: Column) -> None:
    """Remove a custom column with its values.

    Raises: DataverseError 400 for shipped columns, the primary name, and columns of a key or a relationship.
    """
    custom_only(table, column)
    if column.name in {table.primary_id, table.primary_name}:
        raise bad_request(f"The primary column '{column.name}' cannot be deleted.", NOT_SUPPORTED)
    if key := next((k for k in table.keys.values() if column.name in k.columns), None):
        raise bad_request(f"The column '{column.name}' belongs to the key '{key.name}'. Delete that first.", DEPENDENCY)
    if column.type == "lookup" and column.targets:
        raise bad_request(f"The column '{column.name}' belongs to a relationship. Delete that instead.", DEPENDENCY)
    drop_column(session, table, column)


def drop_column(session: Session, table: Table, column: Column) -> None:
    gone = [column.name]
    if column.type == "money" and not column.base_of:
        gone.append(f"{column.name}_base")
    if column.type == "file":
        gone.append(f"{column.name}_name")
    for name in gone:
        if name in table.columns:
            _drop_values(session, table, table.columns[name])
    save(session, replace(table, columns={name: c for name, c in table.columns.items() if name not in gone}))
    versions.record(session.tx, deleted=table.column_id(column.name))


def _drop_values(session: Session, table: Table, column: Column) -> None:
    """Forget what the column held, so that a later column of the same name begins empty."""
    name = quote(table.logical_name)
    held = set(twins(column))
    for (index,) in session.tx.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
        (table.logical_name,),
    ).fetchall():
        if held & {row[2] for row in session.tx.execute(f"PRAGMA index_info({quote(index)})")}:
            session.tx.execute(f"DROP INDEX {quote(index)}")
    present = {row[1] for row in session.tx.execute(f"PRAGMA table_info({name})")}
    for item in held & present:
        session.tx.execute(f"ALTER TABLE {name} DROP COLUMN {quote(item)}")
