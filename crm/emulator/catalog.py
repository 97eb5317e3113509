"""The schema that the server serves: tables, columns, choices, relationships.

Immutable; a metadata change builds a new catalog (`with_table`, `without_table`), which the store persists in the same
transaction as the DDL and publishes after the commit. File format: schema/README.md.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from .indexes import Index, build_indexes

ColumnType = Literal[
    "string", "memo", "integer", "bigint", "decimal", "double", "money", "boolean", "datetime", "dateonly",
    "picklist", "multipicklist", "state", "status", "lookup", "uniqueidentifier", "file", "image", "virtual",
]  # fmt: skip
Ownership = Literal["user", "organization", "none", "parent"]
Required = Literal["none", "recommended", "application", "system"]
Labels = Mapping[int, str]

NUMBERS = frozenset({"integer", "bigint", "decimal", "double", "money"})
CHOICES = frozenset({"picklist", "state", "status", "boolean", "multipicklist"})
METADATA_NAMESPACE = uuid.UUID("5b1f2c1e-6f0d-4a5e-9a3c-2f6f3d0c7e11")
_SERVER_SET = frozenset({"ownerid", "createdon", "modifiedon", "createdby", "modifiedby", "versionnumber"})


def metadata_id(*path: str) -> str:
    """The MetadataId of a schema item: the same in every database and every process."""
    return str(uuid.uuid5(METADATA_NAMESPACE, "/".join(path)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    value: int
    labels: Labels
    state: int | None = None
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    schema_name: str
    type: ColumnType
    max_length: int | None = None
    min: float | None = None
    max: float | None = None
    precision: int | None = None
    required: Required = "none"
    labels: Labels = field(default_factory=dict)
    description: Labels = field(default_factory=dict)
    format: str | None = None
    create: bool = True
    update: bool = True
    read: bool = True
    options: tuple[Option, ...] = ()
    default: Any = None
    global_option_set: str | None = None
    targets: Mapping[str, str] = field(default_factory=dict)
    auto_number: str | None = None
    computed: str | None = None
    base_of: str | None = None
    indexed: bool = False
    max_size_kb: int | None = None
    custom: bool = False
    changed: bool = False
    """A shipped column that was changed at run time; the database file keeps it whole."""

    @property
    def wire_name(self) -> str:
        """The property name in JSON and in queries: `_ownerid_value` for a lookup."""
        return f"_{self.name}_value" if self.type == "lookup" else self.name

    @property
    def comparable_name(self) -> str:
        """The SQLite column that filters and sorts use: the folded text of a string."""
        return f"{self.name}__f" if self.type == "string" else self.name

    @property
    def polymorphic(self) -> bool:
        return len(self.targets) > 1

    def option(self, value: int) -> Option | None:
        return next((option for option in self.options if option.value == value), None)

    def default_value(self) -> Any:
        """What a create that does not name the column stores; None when it stores nothing."""
        if self.default is not None:
            return self.default
        return next((option.value for option in self.options if option.default), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection-valued navigation property: 1:N (`column` of `table`), or N:N through `intersect`."""

    name: str
    table: str
    column: str = ""
    intersect: str | None = None
    near: str = ""
    far: str = ""
    schema_name: str = ""
    custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An alternate key; its index is always Active here."""

    name: str
    columns: tuple[str, ...]
    schema_name: str = ""
    labels: Labels = field(default_factory=dict)
    custom: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    logical_name: str
    schema_name: str
    entity_set: str
    object_type_code: int
    primary_id: str
    primary_name: str
    ownership: Ownership
    labels: Labels = field(default_factory=dict)
    collection_labels: Labels = field(default_factory=dict)
    description: Labels = field(default_factory=dict)
    is_activity: bool = False
    is_private: bool = False
    is_intersect: bool = False
    change_tracking: bool = False
    columns: Mapping[str, Column] = field(default_factory=dict)
    collections: Mapping[str, Collection] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    custom: bool = False
    changed: bool = False
    """A shipped table whose own properties (labels, change tracking) were changed at run time."""

    @cached_property
    def by_wire_name(self) -> dict[str, Column]:
        return {column.wire_name: column for column in self.columns.values()}

    @cached_property
    def navigation(self) -> dict[str, tuple[Column, tuple[str, ...]]]:
        """Single-valued navigation property (exact case) -> its lookup column and the tables it may lead to."""
        found: dict[str, tuple[Column, tuple[str, ...]]] = {}
        for column in self.columns.values():
            for target, name in column.targets.items():
                held = found.get(name)
                found[name] = (column, (*held[1], target) if held and held[0] is column else (target,))
        return found

    @cached_property
    def state_column(self) -> Column | None:
        return next((column for column in self.columns.values() if column.type == "state"), None)

    @cached_property
    def status_column(self) -> Column | None:
        return next((column for column in self.columns.values() if column.type == "status"), None)

    @cached_property
    def indexes(self) -> tuple[Index, ...]:
        return build_indexes(self)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What a new row holds where its record says nothing, as storage values; statuses follow their state."""
        found = {column.name: column.default_value() for column in self.columns.values() if column.type != "status"}
        return {name: int(v) if isinstance(v, bool) else v for name, v in found.items() if v is not None}

    @cached_property
    def auto_numbers(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns.values() if column.auto_number)

    @cached_property
    def full_names(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns.values() if column.computed == "fullname")

    @cached_property
    def base_amounts(self) -> tuple[Column, ...]:
        """The `_base` twins of money columns."""
        return tuple(column for column in self.columns.values() if column.base_of)

    @cached_property
    def text_columns(self) -> frozenset[str]:
        """The columns that are stored folded too."""
        return frozenset(column.name for column in self.columns.values() if column.type == "string")

    @cached_property
    def demanded(self) -> tuple[str, ...]:
        """Columns that a create must fill: SystemRequired, and nothing that the server sets by itself."""
        return tuple(
            column.name
            for column in self.columns.values()
            if column.required == "system"
            and column.create
            and column.type not in {"virtual", "boolean", "state", "status"}
            and column.name not in _SERVER_SET
        )

    @property
    def metadata_id(self) -> str:
        return metadata_id(self.logical_name)

    def column_id(self, name: str) -> str:
        """MetadataId of one column."""
        return metadata_id(self.logical_name, name)


class SchemaError(ValueError):
    """A schema file that does not hold together; the message names the file and the place."""


class Catalog:
    """All tables, by logical name and by entity set. Iterating gives the tables in order of logical name."""

    def __init__(self, tables: Iterable[Table] = ()) -> None:
        self.tables: dict[str, Table] = {
            table.logical_name: table for table in sorted(tables, key=lambda t: t.logical_name)
        }
        self.sets: dict[str, Table] = {table.entity_set: table for table in self.tables.values()}

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())

    def __contains__(self, logical_name: object) -> bool:
        return logical_name in self.tables

    def __getitem__(self, logical_name: str) -> Table:
        return self.tables[logical_name]

    def get(self, logical_name: str) -> Table | None:
        return self.tables.get(logical_name)

    def with_table(self, *changed: Table) -> "Catalog":
        """A catalog in which these tables are added or replaced."""
        return Catalog({**self.tables, **{table.logical_name: table for table in changed}}.values())

    def without_table(self, logical_name: str) -> "Catalog":
        return Catalog(table for table in self if table.logical_name != logical_name)

    @cached_property
    def references(self) -> dict[str, list[tuple[Table, Column]]]:
        """Table -> every (table, lookup column) that may point at it."""
        found: dict[str, list[tuple[Table, Column]]] = {}
        for table in self:
            for column in table.columns.values():
                for target in column.targets:
                    found.setdefault(target, []).append((table, column))
        return found
