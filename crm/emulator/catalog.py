"""The schema that the server serves: tables, columns, choices, relationships.

Immutable; a metadata change builds a new catalog (`with_table`, `without_table`), which the store persists in the same
transaction as the DDL and publishes after the commit. File format: schema/README.md.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from importlib import resources
from typing import Any, Literal, TypeVar, cast, get_args

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


@cache
def load_standard() -> Catalog:
    """The tables that ship in schema/tables, their English labels translated by schema/labels.

    Read once in a process, however many emulators start in it. Raises: SchemaError.
    """
    translations = {int(name.partition(".")[0]): json.loads(text) for name, text in _shipped("labels")}
    return Catalog(
        _translated(read_table(json.loads(text), source=name), translations) for name, text in _shipped("tables")
    )


def _shipped(folder: str) -> list[tuple[str, str]]:
    """(file name, text) of the JSON files in a folder of the schema package."""
    place = resources.files("crm.emulator.schema").joinpath(folder)
    return [
        (entry.name, entry.read_text(encoding="utf-8"))
        for entry in sorted(place.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".json")
    ]


def _translated(table: Table, translations: Mapping[int, Mapping[str, str]]) -> Table:
    """The table with labels in every shipped language that knows the English one; a label given in the file stands."""

    def labels(own: Labels) -> Labels:
        text = own.get(1033, "")
        return {**{code: words[text] for code, words in translations.items() if text in words}, **own}

    columns = {
        name: replace(
            column,
            labels=labels(column.labels),
            options=tuple(replace(option, labels=labels(option.labels)) for option in column.options),
        )
        for name, column in table.columns.items()
    }
    return replace(
        table, labels=labels(table.labels), collection_labels=labels(table.collection_labels), columns=columns
    )


def overlay(standard: Catalog, saved: Iterable[Table]) -> Catalog:
    """The shipped schema plus what was added or changed at run time; everything else follows the shipped files."""
    merged = dict(standard.tables)
    for table in saved:
        base = standard.get(table.logical_name)
        merged[table.logical_name] = (
            table
            if base is None
            else replace(
                table if table.changed else base,
                columns={**base.columns, **_custom(table.columns)},
                collections={**base.collections, **_custom(table.collections)},
                keys={**base.keys, **_custom(table.keys)},
            )
        )
    return Catalog(merged.values())


def _custom(items: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in items.items() if item.custom or getattr(item, "changed", False)}


def read_table(document: Mapping[str, Any], *, source: str = "") -> Table:
    """One schema file as a Table, system columns included.

    Raises: SchemaError with the source and the place.
    """
    where = source or str(document.get("logical_name"))
    try:
        columns = {item["name"]: _read(Column, item, where) for item in document.get("columns", ())}
        collections = {item["name"]: _read(Collection, item, where) for item in document.get("collections", ())}
        keys = {item["name"]: _read(Key, item, where) for item in document.get("keys", ())}
        rest = {k: v for k, v in document.items() if k not in {"columns", "collections", "keys"}}
        table = _read(Table, rest, where)
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"{where}: {error}") from error
    for name, column in _system_columns(table, columns).items():
        columns.setdefault(name, column)
    for key in keys.values():
        if missing := set(key.columns) - set(columns):
            raise SchemaError(f"{where}: key {key.name} names unknown columns {sorted(missing)}")
    return replace(table, columns=columns, collections=collections, keys=keys)


def dump_table(table: Table) -> dict[str, Any]:
    """The table as a schema file's content; `read_table(dump_table(t)) == t`."""
    document = _dump(table)
    document["columns"] = [_dump(column) for column in table.columns.values()]
    document["collections"] = [_dump(collection) for collection in table.collections.values()]
    document["keys"] = [_dump(key) for key in table.keys.values()]
    return document


T = TypeVar("T")


def _read(kind: type[T], item: Mapping[str, Any], where: str) -> T:
    known = {f.name for f in fields(cast("Any", kind))}
    if unknown := set(item) - known:
        raise SchemaError(f"{where}: {item.get('name', '')}: unknown {sorted(unknown)}")
    values = dict(item)
    for name in ("labels", "collection_labels", "description"):
        if name in values:
            values[name] = {int(code): str(text) for code, text in values[name].items()}
    if kind is Column:
        if values["type"] not in get_args(ColumnType):
            raise SchemaError(f"{where}: {values['name']}: unknown type {values['type']!r}")
        values["options"] = tuple(_read(Option, option, where) for option in values.get("options", ()))
    if kind is Key:
        values["columns"] = tuple(values["columns"])
    return kind(**values)


def _dump(item: Any) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for f in fields(item):
        if isinstance(item, Table) and f.name in {"columns", "collections", "keys"}:
            continue
        value = getattr(item, f.name)
        if f.name == "options":
            value = [_dump(option) for option in value]
        elif isinstance(value, Mapping):
            value = {str(key): text for key, text in value.items()}
        elif isinstance(value, tuple):
            value = list(value)
        if value not in (None, [], {}) or f.name == "primary_name":
            document[f.name] = value
    return document


def _system_columns(table: Table, own: Mapping[str, Column]) -> dict[str, Column]:
    """What Dataverse gives every table (learn.microsoft.com/power-apps/developer/data-platform/reference/entities)."""
    suffix = f"_{table.logical_name}" if table.is_activity else ""
    found: dict[str, Column] = {}

    def add(name: str, type_: ColumnType, schema: str, label: str, **more: Any) -> None:
        more = {"create": False, "update": False, "labels": {1033: label}, **more}
        found[name] = Column(name=name, type=type_, schema_name=schema, **more)

    add(table.primary_id, "uniqueidentifier", table.primary_id, table.labels.get(1033, table.schema_name),
        create=True, required="system")  # fmt: skip
    if table.is_intersect:
        add("versionnumber", "bigint", "VersionNumber", "Version Number")
        return found
    add("createdon", "datetime", "CreatedOn", "Created On", indexed=True)
    add("modifiedon", "datetime", "ModifiedOn", "Modified On", indexed=True)
    for name, schema, label in (
        ("createdby", "CreatedBy", "Created By"),
        ("modifiedby", "ModifiedBy", "Modified By"),
        ("createdonbehalfby", "CreatedOnBehalfBy", "Created By (Delegate)"),
        ("modifiedonbehalfby", "ModifiedOnBehalfBy", "Modified By (Delegate)"),
    ):
        add(name, "lookup", schema, label, targets={"systemuser": f"{name}{suffix}"})
    add("versionnumber", "bigint", "VersionNumber", "Version Number", indexed=table.change_tracking)
    add("overriddencreatedon", "dateonly", "OverriddenCreatedOn", "Record Created On", create=True)
    add("importsequencenumber", "integer", "ImportSequenceNumber", "Import Sequence Number", create=True)
    for name, schema, label in (
        ("timezoneruleversionnumber", "TimeZoneRuleVersionNumber", "Time Zone Rule Version Number"),
        ("utcconversiontimezonecode", "UTCConversionTimeZoneCode", "UTC Conversion Time Zone Code"),
    ):
        add(name, "integer", schema, label, create=True, update=True)
    if table.ownership == "user":
        add("ownerid", "lookup", "OwnerId", "Owner", create=True, update=True, required="system", indexed=True,
            targets={"systemuser": f"ownerid{suffix}", "team": f"ownerid{suffix}"})  # fmt: skip
        for name, schema, label, target in (
            ("owninguser", "OwningUser", "Owning User", "systemuser"),
            ("owningteam", "OwningTeam", "Owning Team", "team"),
            ("owningbusinessunit", "OwningBusinessUnit", "Owning Business Unit", "businessunit"),
        ):
            add(name, "lookup", schema, label, targets={target: f"{name}{suffix}"})
    money = [c for c in own.values() if c.type == "money" and not c.base_of and not c.name.endswith("_base")]
    if money:
        add("transactioncurrencyid", "lookup", "TransactionCurrencyId", "Currency", create=True, update=True,
            targets={"transactioncurrency": f"transactioncurrencyid{suffix}"})  # fmt: skip
        add("exchangerate", "decimal", "ExchangeRate", "Exchange Rate", precision=12)
        for column in money:
            add(f"{column.name}_base", "money", f"{column.schema_name}_Base",
                f"{column.labels.get(1033, column.schema_name)} (Base)", precision=4, base_of=column.name)  # fmt: skip
    return found
