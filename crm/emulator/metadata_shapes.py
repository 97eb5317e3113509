"""Tables, columns, keys and relationships of the catalog as metadata documents.

Shapes: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/{entitymetadata, attributemetadata,
onetomanyrelationshipmetadata, manytomanyrelationshipmetadata, entitykeymetadata}. What is a navigation property there
(OptionSet, Attributes, Keys, …) is added by `$expand` alone, and by RetrieveMetadataChanges when named.
"""

from .catalog import Catalog, Column, ColumnType, Key, Table, metadata_id
from .metadata_labels import TYPE, Document, label, option_set, with_default_status
from .privileges import privilege_documents

REQUIRED = {
    "none": "None",
    "recommended": "Recommended",
    "application": "ApplicationRequired",
    "system": "SystemRequired",
}
OWNERSHIP = {"user": "UserOwned", "organization": "OrganizationOwned", "none": "None", "parent": "UserOwned"}
_ATTRIBUTE_TYPES: dict[ColumnType, tuple[str, str, str]] = {
    "string": ("String", "StringType", "StringAttributeMetadata"),
    "memo": ("Memo", "MemoType", "MemoAttributeMetadata"),
    "integer": ("Integer", "IntegerType", "IntegerAttributeMetadata"),
    "bigint": ("BigInt", "BigIntType", "BigIntAttributeMetadata"),
    "decimal": ("Decimal", "DecimalType", "DecimalAttributeMetadata"),
    "double": ("Double", "DoubleType", "DoubleAttributeMetadata"),
    "money": ("Money", "MoneyType", "MoneyAttributeMetadata"),
    "boolean": ("Boolean", "BooleanType", "BooleanAttributeMetadata"),
    "datetime": ("DateTime", "DateTimeType", "DateTimeAttributeMetadata"),
    "dateonly": ("DateTime", "DateTimeType", "DateTimeAttributeMetadata"),
    "picklist": ("Picklist", "PicklistType", "PicklistAttributeMetadata"),
    "multipicklist": ("Virtual", "MultiSelectPicklistType", "MultiSelectPicklistAttributeMetadata"),
    "state": ("State", "StateType", "StateAttributeMetadata"),
    "status": ("Status", "StatusType", "StatusAttributeMetadata"),
    "lookup": ("Lookup", "LookupType", "LookupAttributeMetadata"),
    "uniqueidentifier": ("Uniqueidentifier", "UniqueidentifierType", "UniqueIdentifierAttributeMetadata"),
    "file": ("Virtual", "FileType", "FileAttributeMetadata"),
    "image": ("Virtual", "ImageType", "ImageAttributeMetadata"),
    "virtual": ("Virtual", "VirtualType", "AttributeMetadata"),
}
COLUMN_CLASSES: dict[ColumnType, str] = {kind: names[2] for kind, names in _ATTRIBUTE_TYPES.items()}
"""Column type -> the metadata class that describes it."""
CASTS = frozenset(COLUMN_CLASSES.values())
_STRING_FORMATS = {"email": "Email", "phone": "Phone", "url": "Url", "textarea": "TextArea", "text": "Text"}


def managed(value: bool, name: str) -> Document:
    return {"Value": value, "CanBeChanged": False, "ManagedPropertyLogicalName": name}


def table_document(table: Table) -> Document:
    """EntityMetadata without its navigation properties."""
    name = table.logical_name
    return {
        "MetadataId": table.metadata_id,
        "HasChanged": None,
        "LogicalName": name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "CollectionSchemaName": table.entity_set,
        "ObjectTypeCode": table.object_type_code,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name or None,
        "PrimaryImageAttribute": None,
        "DisplayName": label(table.labels, name, "name"),
        "DisplayCollectionName": label(table.collection_labels, name, "collection"),
        "Description": label(table.description, name, "description"),
        "OwnershipType": OWNERSHIP[table.ownership],
        "TableType": "Standard",
        "DataProviderId": None,
        "IsActivity": table.is_activity,
        "IsActivityParty": "activityparty" in {c.table for c in table.collections.values()},
        "IsCustomEntity": table.custom,
        "IsManaged": not table.custom,
        "IsPrivate": table.is_private,
        "IsIntersect": table.is_intersect,
        "IsChildEntity": table.ownership == "parent",
        "IsLogicalEntity": False,
        "IsStateModelAware": table.state_column is not None,
        "IsValidForAdvancedFind": not table.is_intersect,
        "IsEnabledForCharts": not table.is_intersect,
        "IsOptimisticConcurrencyEnabled": not table.is_intersect,
        "ChangeTrackingEnabled": table.change_tracking,
        "HasNotes": any(c.table == "annotation" for c in table.collections.values()),
        "HasActivities": any(c.table == "task" for c in table.collections.values()),
        "IntroducedVersion": "1.0" if table.custom else "5.0.0.0",
        "IsCustomizable": managed(True, "iscustomizable"),
        "IsRenameable": managed(True, "isrenameable"),
        "CanCreateAttributes": managed(not table.is_intersect, "cancreateattributes"),
        "CanChangeTrackingBeEnabled": managed(True, "canchangetrackingbeenabled"),
        "IsDuplicateDetectionEnabled": managed(True, "isduplicatedetectionenabled"),
        "IsValidForQueue": managed("queueitem" in {c.table for c in table.collections.values()}, "isvalidforqueue"),
        "Privileges": privilege_documents(table),
    }


def attribute_type(column: Column) -> tuple[str, str, str]:
    """(AttributeType, AttributeTypeName, metadata class); owners and customers are lookups with a type of their own."""
    if column.name == "ownerid" and column.type == "lookup":
        return "Owner", "OwnerType", "LookupAttributeMetadata"
    if column.type == "lookup" and set(column.targets) == {"account", "contact"}:
        return "Customer", "CustomerType", "LookupAttributeMetadata"
    return _ATTRIBUTE_TYPES[column.type]


def column_document(table: Table, column: Column, number: int = 0) -> Document:
    """AttributeMetadata with the properties of its class, without navigation properties."""
    kind, kind_name, class_name = attribute_type(column)
    name = table.logical_name
    primary = column.name == table.primary_name
    return {
        "@odata.type": TYPE + class_name,
        "MetadataId": table.column_id(column.name),
        "HasChanged": None,
        "AttributeOf": _attribute_of(table, column),
        "AttributeType": kind,
        "AttributeTypeName": {"Value": kind_name},
        "ColumnNumber": number,
        "LogicalName": column.name,
        "SchemaName": column.schema_name,
        "EntityLogicalName": name,
        "DisplayName": label(column.labels, name, column.name, "name"),
        "Description": label(column.description, name, column.name, "description"),
        "RequiredLevel": {
            "Value": REQUIRED[column.required],
            "CanBeChanged": column.required != "system",
            "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
        },
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": primary,
        "IsCustomAttribute": column.custom,
        "IsManaged": not column.custom,
        "IsLogical": False,
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "IsValidForRead": column.read,
        "IsValidForForm": column.read,
        "IsValidForGrid": column.read,
        "IsValidODataAttribute": True,
        "IsSearchable": column.type == "string",
        "IsFilterable": column.type not in {"file", "image", "virtual"},
        "IsRetrievable": column.read,
        "IsSecured": False,
        "SourceType": None if column.type in {"lookup", "uniqueidentifier"} else 0,
        "AutoNumberFormat": column.auto_number or "",
        "ExternalName": None,
        "IntroducedVersion": "1.0" if column.custom else "5.0.0.0",
        "IsCustomizable": managed(True, "iscustomizable"),
        "IsRenameable": managed(True, "isrenameable"),
        "IsValidForAdvancedFind": managed(True, "canmodifysearchsettings"),
        **_specific(column),
    }


def _attribute_of(table: Table, column: Column) -> str | None:
    """The column that this one only shows another side of: the file whose name it holds."""
    owner = table.columns.get(column.name.removesuffix("_name"))
    return owner.name if owner is not None and owner.type == "file" and owner is not column else None


def _specific(column: Column) -> Document:
    match column.type:
        case "string" | "memo":
            return _text(column)
        case "integer" | "bigint":
            return {
                "MinValue": column.min,
                "MaxValue": column.max,
                **({"Format": "None"} if column.type == "integer" else {}),
            }
        case "decimal" | "double" | "money":
            return _number(column)
        case "datetime" | "dateonly":
            only = column.type == "dateonly"
            return {
                "Format": "DateOnly" if only else "DateAndTime",
                "DateTimeBehavior": {"Value": "DateOnly" if only else "UserLocal"},
                "CanChangeDateTimeBehavior": managed(False, "canchangedatetimebehavior"),
                "ImeMode": "Inactive",
            }
        case "picklist" | "multipicklist" | "state" | "status":
            value = column.default_value()
            return {"DefaultFormValue": -1 if value is None else value, "ParentPicklistLogicalName": None}
        case "boolean":
            return {"DefaultValue": bool(column.default)}
        case "lookup":
            return {"Targets": list(column.targets), "Format": "None"}
        case "file" | "image":
            return {"MaxSizeInKB": column.max_size_kb}
        case _:
            return {}


def _text(column: Column) -> Document:
    shape = _STRING_FORMATS.get(column.format or "", "TextArea" if column.type == "memo" else "Text")
    document: Document = {
        "MaxLength": column.max_length, "Format": shape, "FormatName": {"Value": shape}, "ImeMode": "Auto",
        "IsLocalizable": False,
    }  # fmt: skip
    if column.type == "string":
        document["DatabaseLength"] = (column.max_length or 0) * 2
        document["YomiOf"] = None
    return document


def _number(column: Column) -> Document:
    document: Document = {
        "MinValue": column.min, "MaxValue": column.max, "Precision": column.precision, "ImeMode": "Disabled"
    }  # fmt: skip
    if column.type == "money":
        document["PrecisionSource"] = 2
        document["CalculationOf"] = column.base_of
        document["IsBaseCurrency"] = column.base_of is not None
    return document


def navigations(table: Table, column: Column) -> Document:
    """What `$expand` may add to a column: OptionSet and GlobalOptionSet."""
    if column.type not in {"picklist", "multipicklist", "state", "status", "boolean"}:
        return {}
    document = option_set(table, column)
    if column.type == "state":
        document = with_default_status(table, document)
    shared = column.global_option_set is not None
    return {"OptionSet": document, "GlobalOptionSet": document if shared else None}


def key_document(table: Table, key: Key) -> Document:
    """EntityKeyMetadata; an index is ready as soon as the key exists."""
    return {
        "MetadataId": metadata_id(table.logical_name, "key", key.name),
        "HasChanged": None,
        "LogicalName": key.name,
        "SchemaName": key.schema_name or key.name,
        "EntityLogicalName": table.logical_name,
        "KeyAttributes": list(key.columns),
        "DisplayName": label(key.labels, table.logical_name, "key", key.name),
        "EntityKeyIndexStatus": "Active",
        "AsyncJob": None,
        "IsManaged": not key.custom,
        "IsSynchronous": False,
        "IsExportKey": False,
        "IsSecondaryKey": False,
        "IntroducedVersion": "1.0",
        "IsCustomizable": managed(True, "iscustomizable"),
    }


def global_option_sets(catalog: Catalog) -> dict[str, Document]:
    """The choices that several columns share, by name."""
    found: dict[str, Document] = {}
    for table in catalog:
        for column in table.columns.values():
            if column.global_option_set and column.global_option_set not in found:
                found[column.global_option_set] = option_set(table, column)
    return found
