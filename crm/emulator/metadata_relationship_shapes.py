"""Relationships in the shape that the Web API gives them."""

from collections.abc import Iterator

from .catalog import Catalog, Collection, Column, Table, metadata_id
from .metadata_labels import TYPE, Document
from .metadata_shapes import managed

_MENU: Document = {
    "Behavior": "UseCollectionName", "Group": "Details", "Label": {"LocalizedLabels": [], "UserLocalizedLabel": None},
    "Order": None, "IsCustomizable": True, "Icon": None, "ViewId": "00000000-0000-0000-0000-000000000000",
    "AvailableOffline": True, "MenuId": None, "QueryApi": None,
}  # fmt: skip
_CASCADE: Document = {
    "Assign": "NoCascade", "Delete": "RemoveLink", "Archive": "RemoveLink", "Merge": "NoCascade",
    "Reparent": "NoCascade", "Share": "NoCascade", "Unshare": "NoCascade", "RollupView": "NoCascade",
}  # fmt: skip


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


def relationships(catalog: Catalog) -> Iterator[Document]:
    """All of them, of both kinds."""
    yield from one_to_many(catalog)
    yield from many_to_many(catalog)
