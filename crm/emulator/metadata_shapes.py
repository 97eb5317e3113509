"""Tables, columns, keys and relationships of the catalog as metadata documents.

Shapes: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/{entitymetadata, attributemetadata,
onetomanyrelationshipmetadata, manytomanyrelationshipmetadata, entitykeymetadata}. What is a navigation property there
(OptionSet, Attributes, Keys, …) is added by `$expand` alone, and by RetrieveMetadataChanges when named.
"""

from collections.abc import Iterator

from .catalog import Catalog, Collection, Column, ColumnType, Key, Table, metadata_id
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


def relationship_id(schema_name: str) -> str:
    return metadata_id("relationship", schema_name.lower())


def one_to_many(catalog: Catalog) -> Iterator[Document]:
    """Every 1:N relationship: each lookup towards each of its targets."""
    held: dict[tuple[str, str, str], Collection] = {
        (table.logical_name, collection.table, collection.column): collection
        for table in catalog
        for collection in table.collections.values()
        if collection.intersect is None
    }
    for table in catalog:
        for column in table.columns.values():
            if column.name == "ownerid":
                yield _owner_relationship(table, column)
                continue
            for target, navigation in column.targets.items():
                if target in catalog:
                    yield _lookup_relationship(
                        table, column, catalog[target], navigation,
                        held.get((target, table.logical_name, column.name)),
                    )  # fmt: skip


def _lookup_relationship(
    table: Table, column: Column, target: Table, navigation: str, collection: Collection | None
) -> Document:
    schema = collection.schema_name or collection.name if collection else ""
    schema = schema or f"{target.logical_name}_{table.logical_name}_{column.name}"
    return _one_to_many(
        schema,
        custom=collection.custom if collection else column.custom,
        referenced=(target.logical_name, target.primary_id, collection.name if collection else schema),
        referencing=(table.logical_name, column.name, navigation),
    )


def _owner_relationship(table: Table, column: Column) -> Document:
    """Owners are users and teams; Dataverse relates their common table `owner`."""
    schema = f"owner_{table.entity_set}"
    navigation = next(iter(column.targets.values()))
    return _one_to_many(
        schema,
        custom=table.custom,
        referenced=("owner", "ownerid", schema),
        referencing=(table.logical_name, column.name, navigation),
    )


def _one_to_many(
    schema: str, *, custom: bool, referenced: tuple[str, str, str], referencing: tuple[str, str, str]
) -> Document:
    return {
        "@odata.type": TYPE + "OneToManyRelationshipMetadata",
        "MetadataId": relationship_id(schema),
        "HasChanged": None,
        "SchemaName": schema,
        "RelationshipType": "OneToManyRelationship",
        "IsCustomRelationship": custom,
        "IsManaged": not custom,
        "IsValidForAdvancedFind": True,
        "SecurityTypes": "Append",
        "IntroducedVersion": "1.0" if custom else "5.0.0.0",
        "ReferencedEntity": referenced[0],
        "ReferencedAttribute": referenced[1],
        "ReferencedEntityNavigationPropertyName": referenced[2],
        "ReferencingEntity": referencing[0],
        "ReferencingAttribute": referencing[1],
        "ReferencingEntityNavigationPropertyName": referencing[2],
        "IsHierarchical": False,
        "RelationshipBehavior": 0,
        "EntityKey": None,
        "IsCustomizable": managed(True, "iscustomizable"),
        "AssociatedMenuConfiguration": _MENU,
        "CascadeConfiguration": _CASCADE,
    }


def many_to_many(catalog: Catalog) -> Iterator[Document]:
    """Every N:N relationship, once."""
    seen: set[str] = set()
    for table in catalog:
        for collection in table.collections.values():
            if collection.intersect is None or (collection.schema_name or collection.name) in seen:
                continue
            schema = collection.schema_name or collection.name
            seen.add(schema)
            other = _opposite(catalog, collection)
            yield {
                "@odata.type": TYPE + "ManyToManyRelationshipMetadata",
                "MetadataId": relationship_id(schema),
                "HasChanged": None,
                "SchemaName": schema,
                "RelationshipType": "ManyToManyRelationship",
                "IsCustomRelationship": collection.custom,
                "IsManaged": not collection.custom,
                "IsValidForAdvancedFind": True,
                "SecurityTypes": "None",
                "IntroducedVersion": "1.0" if collection.custom else "5.0.0.0",
                "Entity1LogicalName": table.logical_name,
                "Entity1IntersectAttribute": collection.near,
                "Entity1NavigationPropertyName": collection.name,
                "Entity2LogicalName": collection.table,
                "Entity2IntersectAttribute": collection.far,
                "Entity2NavigationPropertyName": other.name if other else collection.name,
                "IntersectEntityName": collection.intersect,
                "IsCustomizable": managed(True, "iscustomizable"),
                "Entity1AssociatedMenuConfiguration": _MENU,
                "Entity2AssociatedMenuConfiguration": _MENU,
            }


def _opposite(catalog: Catalog, collection: Collection) -> Collection | None:
    table = catalog.get(collection.table)
    if table is None:
        return None
    return next(
        (c for c in table.collections.values() if c.intersect == collection.intersect and c.near == collection.far),
        None,
    )


_MENU: Document = {
    "Behavior": "UseCollectionName", "Group": "Details", "Label": {"LocalizedLabels": [], "UserLocalizedLabel": None},
    "Order": None, "IsCustomizable": True, "Icon": None, "ViewId": "00000000-0000-0000-0000-000000000000",
    "AvailableOffline": True, "MenuId": None, "QueryApi": None,
}  # fmt: skip
_CASCADE: Document = {
    "Assign": "NoCascade", "Delete": "RemoveLink", "Archive": "RemoveLink", "Merge": "NoCascade",
    "Reparent": "NoCascade", "Share": "NoCascade", "Unshare": "NoCascade", "RollupView": "NoCascade",
}  # fmt: skip


def global_option_sets(catalog: Catalog) -> dict[str, Document]:
    """The choices that several columns share, by name."""
    found: dict[str, Document] = {}
    for table in catalog:
        for column in table.columns.values():
            if column.global_option_set and column.global_option_set not in found:
                found[column.global_option_set] = option_set(table, column)
    return found
