"""Column definitions that clients send, as columns of the catalog; new columns and changes to old ones.

Property names: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/attributemetadata.
"""

import re
from dataclasses import replace
from typing import Any

from .catalog import Column, ColumnType, Option, Required, Table
from .errors import NOT_SUPPORTED, DataverseError, bad_payload, not_implemented
from .metadata_labels import BASE_LANGUAGE, Document, read_label, read_options
from .metadata_shapes import REQUIRED

_LEVELS: dict[str, Required] = {"None": "none", "Recommended": "recommended", "ApplicationRequired": "application"}
_TYPES: dict[str, ColumnType] = {
    "StringAttributeMetadata": "string",
    "MemoAttributeMetadata": "memo",
    "IntegerAttributeMetadata": "integer",
    "BigIntAttributeMetadata": "bigint",
    "DecimalAttributeMetadata": "decimal",
    "DoubleAttributeMetadata": "double",
    "MoneyAttributeMetadata": "money",
    "BooleanAttributeMetadata": "boolean",
    "DateTimeAttributeMetadata": "datetime",
    "PicklistAttributeMetadata": "picklist",
    "MultiSelectPicklistAttributeMetadata": "multipicklist",
    "UniqueIdentifierAttributeMetadata": "uniqueidentifier",
    "FileAttributeMetadata": "file",
    "ImageAttributeMetadata": "image",
}
_FORMATS = {"Email": "email", "Phone": "phone", "Url": "url", "TextArea": "textarea", "Text": "text"}
_LIMITS: dict[str, tuple[float, float]] = {
    "integer": (-(2**31), 2**31 - 1),
    "decimal": (-100_000_000_000, 100_000_000_000),
    "double": (-100_000_000_000, 100_000_000_000),
    "money": (-922_337_203_685_477, 922_337_203_685_477),
}
_LENGTHS = {"string": (100, 4000), "memo": (2000, 1_048_576)}
_PRECISIONS = {"decimal": (2, 10), "double": (2, 5), "money": (2, 4)}
_FILE_LIMIT_KB = 32_768
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_SCHEMA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{1,7}_[A-Za-z0-9_]{1,90}")


def schema_name(document: Document, what: str) -> str:
    """A custom item's SchemaName, which must begin with a publisher's prefix (`new_`).

    Raises: DataverseError 400.
    """
    name = document.get("SchemaName")
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name):
        raise bad_payload(
            f"The schema name {name!r} of the {what} is not valid: it begins with a customization prefix and an "
            "underscore (new_Name), then letters, digits and underscores, 100 characters at most."
        )
    return name


def other_name(document: Document, key: str, default: str) -> str:
    """A name that the client may choose (an entity set, a navigation property) or leave to the server.

    Raises: DataverseError 400.
    """
    name = document.get(key) or default
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise bad_payload(f"The {key} {name!r} is not valid: letters, digits and underscores, 100 characters at most.")
    return name


def type_of(document: Document) -> str:
    """The class named in `@odata.type`, without namespace; the Complex… twins of CreateEntities count as the same."""
    name = str(document.get("@odata.type", "")).rpartition(".")[2]
    return name.removeprefix("Complex")


def read_column(document: Any) -> Column:
    """A new custom column.

    Raises: DataverseError 400; 501 for kinds of columns that the emulator does not have.
    """
    if not isinstance(document, dict):
        raise bad_payload("A column definition must be a JSON object.")
    class_name = type_of(document)
    kind = _TYPES.get(class_name)
    if kind is None:
        if class_name == "LookupAttributeMetadata":
            raise bad_payload("A lookup column is created with its relationship: POST RelationshipDefinitions.")
        raise not_implemented(f"A column of the type '{class_name}'")
    name = schema_name(document, "column")
    if kind == "datetime" and _is_date_only(document):
        kind = "dateonly"
    column = Column(
        name=name.lower(),
        schema_name=name,
        type=kind,
        labels={BASE_LANGUAGE: name.partition("_")[2]},
        options=_new_options(document, kind),
        custom=True,
        default=False if kind == "boolean" else None,
        max_size_kb=_FILE_LIMIT_KB if kind in {"file", "image"} else None,
    )
    if kind in _LENGTHS:
        column = replace(column, max_length=_LENGTHS[kind][0])
    if kind in _LIMITS:
        column = replace(column, min=_LIMITS[kind][0], max=_LIMITS[kind][1])
    if kind in _PRECISIONS:
        column = replace(column, precision=_PRECISIONS[kind][0])
    return changed_column(column, document)


def _is_date_only(document: Document) -> bool:
    behavior = document.get("DateTimeBehavior")
    return (isinstance(behavior, dict) and behavior.get("Value") == "DateOnly") or document.get("Format") == "DateOnly"


def _new_options(document: Document, kind: str) -> tuple[Option, ...]:
    options = document.get("OptionSet")
    if kind == "boolean":
        return _boolean_options(options)
    if kind not in {"picklist", "multipicklist"}:
        return ()
    if not isinstance(options, dict):
        raise not_implemented("A choice column without an OptionSet of its own (a global choice)")
    if options.get("IsGlobal"):
        raise not_implemented("A choice column that uses a global choice")
    found = read_options(options.get("Options"))
    if not found:
        raise bad_payload("A choice column needs at least one option.")
    return found


def _boolean_options(options: Any) -> tuple[Option, ...]:
    found = []
    for value, name, text in ((0, "FalseOption", "No"), (1, "TrueOption", "Yes")):
        sent = options.get(name) if isinstance(options, dict) else None
        labels = read_label(sent.get("Label"), {}) if isinstance(sent, dict) else {}
        found.append(Option(value=value, labels=labels or {BASE_LANGUAGE: text}))
    return tuple(found)


def changed_column(column: Column, document: Document, *, merge_labels: bool = True) -> Column:
    """The column with what the document says; what it does not mention stays.

    Raises: DataverseError 400 for values that the column's type does not allow.
    """
    if "DisplayName" in document:
        column = replace(column, labels=read_label(document["DisplayName"], column.labels, merge=merge_labels))
    if "Description" in document:
        held = column.description
        column = replace(column, description=read_label(document["Description"], held, merge=merge_labels))
    if isinstance(level := document.get("RequiredLevel"), dict):
        column = replace(column, required=_required(column, level.get("Value")))
    if column.type in _LENGTHS and document.get("MaxLength") is not None:
        column = replace(column, max_length=_whole("MaxLength", document["MaxLength"], 1, _LENGTHS[column.type][1]))
    if column.type in _LIMITS:
        column = _with_limits(column, document)
    if column.type in _PRECISIONS and document.get("Precision") is not None:
        column = replace(column, precision=_whole("Precision", document["Precision"], 0, _PRECISIONS[column.type][1]))
    if (shape := _format(document)) and column.type in _LENGTHS:
        column = replace(column, format=shape)
    if column.type == "string" and isinstance(document.get("AutoNumberFormat"), str):
        column = replace(column, auto_number=document["AutoNumberFormat"] or None)
    if column.type == "file" and document.get("MaxSizeInKB") is not None:
        column = replace(column, max_size_kb=_whole("MaxSizeInKB", document["MaxSizeInKB"], 1, 10_485_760))
    return _with_default(column, document)


def _required(column: Column, value: Any) -> Required:
    if value == REQUIRED[column.required]:
        return column.required
    if not isinstance(value, str) or value not in _LEVELS:
        raise bad_payload(f"The required level {value!r} is not valid; use {', '.join(_LEVELS)}.")
    if column.required == "system":
        raise bad_payload(f"The required level of the system column '{column.name}' cannot be changed.")
    return _LEVELS[value]


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad_payload(f"{name} must be a whole number from {low} to {high}.")
    return value


def _with_limits(column: Column, document: Document) -> Column:
    low, high = column.min, column.max
    widest = _LIMITS[column.type]
    for name in ("MinValue", "MaxValue"):
        value = document.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not widest[0] <= value <= widest[1]:
            raise bad_payload(f"{name} must be a number from {widest[0]} to {widest[1]}.")
        low, high = (value, high) if name == "MinValue" else (low, value)
    if low is not None and high is not None and low > high:
        raise bad_payload("MinValue must not be greater than MaxValue.")
    return replace(column, min=low, max=high)


def _format(document: Document) -> str | None:
    named = document.get("FormatName")
    value = named.get("Value") if isinstance(named, dict) else document.get("Format")
    return _FORMATS.get(value) if isinstance(value, str) else None


def _with_default(column: Column, document: Document) -> Column:
    if column.type == "boolean" and isinstance(document.get("DefaultValue"), bool):
        return replace(column, default=document["DefaultValue"])
    value = document.get("DefaultFormValue")
    if column.type != "picklist" or not isinstance(value, int) or isinstance(value, bool):
        return column
    if value == -1:
        return replace(column, default=None)
    if column.option(value) is None:
        raise bad_payload(f"DefaultFormValue {value} is not one of the options of '{column.name}'.")
    return replace(column, default=value)


def custom_only(table: Table, column: Column) -> None:
    """Refuse to delete what Microsoft ships.

    Raises: DataverseError 400.
    """
    if not column.custom:
        raise DataverseError(
            400,
            NOT_SUPPORTED,
            f"The column '{column.name}' of '{table.logical_name}' is part of the product and cannot be deleted.",
        )
