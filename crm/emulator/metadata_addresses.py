"""What the address of a piece of metadata names: a table, a column, a key, a relationship, a cast."""

from collections.abc import Iterable

from .catalog import Catalog, Column, Key, Table, metadata_id
from .errors import DataverseError, bad_request, no_segment
from .metadata_labels import Document
from .metadata_relationship_shapes import relationships
from .odata import CRM, parse_literal
from .values import parse_guid
from .wire import Segment, pairs


def key_of(args: str, name: str) -> tuple[str, str]:
    """`LogicalName='x'` or a MetadataId -> (key name, value).

    Raises: DataverseError 400.
    """
    if guid := parse_guid(args.strip()):
        return "MetadataId", guid
    found = list(pairs(args))
    if len(found) == 1 and found[0][0] in {name, "MetadataId"}:
        value = parse_literal(found[0][1]).value
        if isinstance(value, str):
            return found[0][0], value
    raise bad_request(f"The key '({args[:100]})' is not valid: give a MetadataId or {name}='…'.")


def find_table(catalog: Catalog, segment: Segment) -> Table:
    name, value = key_of(segment.args or "", "LogicalName")
    table = catalog.get(value) if name == "LogicalName" else next((t for t in catalog if t.metadata_id == value), None)
    if table is None:
        raise DataverseError(404, "0x80040217", f"Could not find an entity with {name} {value}.")
    return table


def find_column(table: Table, segment: Segment) -> Column:
    name, value = key_of(segment.args or "", "LogicalName")
    column = (
        table.columns.get(value)
        if name == "LogicalName"
        else next((c for c in table.columns.values() if table.column_id(c.name) == value), None)
    )
    if column is None:
        raise DataverseError(
            404, "0x80040217", f"Could not find an attribute with {name} {value} on {table.logical_name}."
        )
    return column


def find_key(table: Table, segment: Segment) -> Key:
    name, value = key_of(segment.args or "", "LogicalName")
    for key in table.keys.values():
        if value == (key.name if name == "LogicalName" else metadata_id(table.logical_name, "key", key.name)):
            return key
    raise DataverseError(404, "0x80040217", f"Could not find a key with {name} {value} on {table.logical_name}.")


def find_relationship(catalog: Catalog, segment: Segment) -> Document:
    name, value = key_of(segment.args or "", "SchemaName")
    for document in relationships(catalog):
        if document[name] == value:
            return document
    raise DataverseError(404, "0x80040217", f"Could not find a relationship with {name} {value}.")


def cast_of(rest: list[Segment], known: Iterable[str]) -> str | None:
    """The cast that ends a path, if there is one.

    Raises: DataverseError 404.
    """
    if not rest:
        return None
    name = rest[0].name.removeprefix(CRM)
    if len(rest) > 1 or rest[0].args is not None or not rest[0].name.startswith(CRM) or name not in known:
        raise no_segment(str(rest[0]))
    return name
