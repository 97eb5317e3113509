"""What an organisation's metadata says about a table and its columns, as frozen data.

Built from the JSON of `RetrieveMetadataChanges`; see `crm.metadata` for loading and looking up.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from .tables import TABLES, Kind

Labels = dict[int, str]
"""Text by language code (LCID: 1033 English, 1031 German, 1049 Russian)."""


class Required(StrEnum):
    """Dataverse's required levels. Only SYSTEM is enforced by the server; APPLICATION is a form rule."""

    NONE = "None"
    RECOMMENDED = "Recommended"
    APPLICATION = "ApplicationRequired"
    SYSTEM = "SystemRequired"


def fold(text: str) -> str:
    """The text without case, accents, spaces and punctuation, for comparing names as people type them."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def label_in(labels: Labels, language: int, default: str) -> str:
    """The text in a language, else in English, else in any, else the default."""
    return labels.get(language) or labels.get(1033) or next(iter(labels.values()), default)


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a choice column."""

    value: int
    labels: Labels
    state: int | None = None
    """For a status reason: the state it belongs to."""

    def label(self, language: int = 1033) -> str:
        """The text people see."""
        return label_in(self.labels, language, str(self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """One column of one table."""

    logical: str
    schema_name: str
    kind: Kind
    labels: Labels
    required: Required = Required.NONE
    creatable: bool = True
    updatable: bool = True
    max_length: int | None = None
    """Characters, for texts."""
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None
    """Decimal places."""
    choices: tuple[Choice, ...] = ()
    """For choices, and for yes/no (values 1 and 0)."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """For lookups: navigation property (exact case, for `@odata.bind`) by target table."""
    date_only: bool = False
    """The wire type is a date without time."""

    def label(self, language: int = 1033) -> str:
        """The name people see."""
        return label_in(self.labels, language, self.logical)

    def choice(self, value: object) -> Choice | None:
        """The choice with this number."""
        return next((choice for choice in self.choices if choice.value == value), None)


@dataclass(frozen=True, slots=True)
class Names:
    """What a request must know about a table."""

    entity_set: str
    primary_id: str
    lookups: frozenset[str]
    """Logical names of the lookup columns, which `$select` wants as `_x_value`."""


STANDARD_NAMES = {
    table.logical: Names(
        table.entity_set,
        table.primary_id,
        frozenset(name for name, column in table.columns.items() if column.kind is Kind.LOOKUP),
    )
    for table in TABLES.values()
}
"""For the standard tables, so that a request need not wait for metadata."""


@dataclass(frozen=True, kw_only=True)
class TableInfo:
    """One table."""

    logical: str
    schema_name: str
    entity_set: str
    primary_id: str
    primary_name: str | None
    labels: Labels
    plural_labels: Labels
    object_type_code: int | None = None
    columns: Mapping[str, ColumnInfo] = field(default_factory=dict)
    keys: tuple[tuple[str, ...], ...] = ()
    """Alternate keys, each as its columns."""

    def label(self, language: int = 1033) -> str:
        """The singular name people see."""
        return label_in(self.labels, language, self.logical)

    @cached_property
    def wire(self) -> Names:
        """What a request must know about this table."""
        lookups = frozenset(name for name, column in self.columns.items() if column.kind is Kind.LOOKUP)
        return Names(self.entity_set, self.primary_id, lookups)

    @cached_property
    def words(self) -> dict[str, list[ColumnInfo]]:
        """Columns by folded logical name, schema name and label in any language, the best match first."""
        found: dict[str, list[ColumnInfo]] = {}
        for column in self.columns.values():
            found.setdefault(fold(column.logical), []).insert(0, column)
        for column in self.columns.values():
            for text in (column.schema_name, *column.labels.values()):
                known = found.setdefault(fold(text), [])
                if column not in known:
                    known.append(column)
        return found


_KINDS = {
    "Memo": Kind.MULTILINE,
    "Picklist": Kind.CHOICE,
    "State": Kind.CHOICE,
    "Status": Kind.CHOICE,
    "Boolean": Kind.BOOLEAN,
    "Integer": Kind.INTEGER,
    "BigInt": Kind.INTEGER,
    "Decimal": Kind.DECIMAL,
    "Double": Kind.DECIMAL,
    "Money": Kind.MONEY,
    "Lookup": Kind.LOOKUP,
    "Customer": Kind.LOOKUP,
    "Owner": Kind.LOOKUP,
    "Uniqueidentifier": Kind.ID,
    "EntityName": Kind.TEXT,
}
_FORMATS = {"Email": Kind.EMAIL, "Phone": Kind.PHONE, "Url": Kind.URL, "TextArea": Kind.MULTILINE}


def _value(item: Any) -> Any:
    """Managed and constant properties come as `{"Value": …}`."""
    return item.get("Value") if isinstance(item, dict) else item


def _labels(item: Any) -> Labels:
    if not item:
        return {}
    return {entry["LanguageCode"]: entry["Label"] for entry in item.get("LocalizedLabels") or () if entry["Label"]}


def _kind(item: dict[str, Any]) -> Kind | None:
    """None for what cannot be read or written as a value (images, files, party lists, virtual names)."""
    kind = item.get("AttributeType")
    if kind == "String":
        return _FORMATS.get(_value(item.get("FormatName")) or item.get("Format") or "", Kind.TEXT)
    if kind == "DateTime":
        return Kind.DATE if item.get("Format") == "DateOnly" else Kind.DATETIME
    if kind == "Virtual" and _value(item.get("AttributeTypeName")) == "MultiSelectPicklistType":
        return Kind.CHOICES
    return _KINDS.get(str(kind))


def _choices(options: dict[str, Any] | None) -> tuple[Choice, ...]:
    if not options:
        return ()
    entries = options.get("Options") or [
        entry for entry in (options.get("TrueOption"), options.get("FalseOption")) if entry
    ]
    return tuple(Choice(entry["Value"], _labels(entry.get("Label")), entry.get("State")) for entry in entries)


def column_from(item: dict[str, Any], targets: Mapping[str, str]) -> ColumnInfo | None:
    """A column from its AttributeMetadata JSON; None for columns that hold no value of their own."""
    kind = _kind(item)
    if kind is None or item.get("AttributeOf"):
        return None
    behavior = _value(item.get("DateTimeBehavior"))
    return ColumnInfo(
        logical=item["LogicalName"],
        schema_name=item.get("SchemaName") or item["LogicalName"],
        kind=kind,
        labels=_labels(item.get("DisplayName")),
        required=Required(_value(item.get("RequiredLevel")) or "None"),
        creatable=item.get("IsValidForCreate") is not False,
        updatable=item.get("IsValidForUpdate") is not False,
        max_length=item.get("MaxLength"),
        minimum=item.get("MinValue") if kind is not Kind.DATETIME else None,
        maximum=item.get("MaxValue") if kind is not Kind.DATETIME else None,
        precision=item.get("Precision"),
        choices=_choices(item.get("OptionSet") or item.get("GlobalOptionSet")),
        targets=targets,
        date_only=kind is Kind.DATE and behavior in {None, "DateOnly"},
    )


def table_from(item: dict[str, Any]) -> TableInfo:
    """A table from its EntityMetadata JSON, with whatever columns, relationships and keys are in it."""
    navigation: dict[str, dict[str, str]] = {}
    for relation in item.get("ManyToOneRelationships") or ():
        property_name = relation.get("ReferencingEntityNavigationPropertyName")
        if property_name:
            referenced = relation["ReferencedEntity"]
            # `owner` is what users and teams have in common; nobody is one without being either.
            for target in ("systemuser", "team") if referenced == "owner" else (referenced,):
                navigation.setdefault(relation["ReferencingAttribute"], {})[target] = property_name
    for targets in navigation.values():
        # Owners are described as pointing at the abstract table `owner`, whose rows are users and teams.
        if owner := targets.pop("owner", None):
            targets.update(systemuser=owner, team=owner)
    columns = {}
    for attribute in item.get("Attributes") or ():
        column = column_from(attribute, navigation.get(attribute["LogicalName"], {}))
        if column:
            columns[column.logical] = column
    return TableInfo(
        logical=item["LogicalName"],
        schema_name=item.get("SchemaName") or item["LogicalName"],
        entity_set=item.get("EntitySetName") or item["LogicalName"] + "s",
        primary_id=item.get("PrimaryIdAttribute") or item["LogicalName"] + "id",
        primary_name=item.get("PrimaryNameAttribute"),
        labels=_labels(item.get("DisplayName")),
        plural_labels=_labels(item.get("DisplayCollectionName")),
        object_type_code=item.get("ObjectTypeCode"),
        columns=columns,
        keys=tuple(tuple(key.get("KeyAttributes") or ()) for key in item.get("Keys") or ()),
    )
