"""Tables as JSON documents: those that ship in schema/tables, and those that were made at run time."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from importlib import resources
from typing import Any, TypeVar, cast, get_args

from .catalog import (
    Catalog,
    Collection,
    Column,
    ColumnType,
    Key,
    Labels,
    Option,
    SchemaError,
    Table,
)


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
