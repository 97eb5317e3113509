"""Alternate keys and relationships created and deleted at run time, inside the request's transaction.

Bodies: learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-relationships-using-web-api
and .../data-platform/define-alternate-keys-entity.
"""

# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from dataclasses import replace

from . import metadata_versions as versions
from .catalog import Collection, Column, Key, Table, metadata_id
from .catalog_json import dump_table, read_table
from .errors import DUPLICATE_KEY, NOT_SUPPORTED, DataverseError, bad_payload, bad_request
from .metadata_column_changes import drop_column
from .metadata_columns import changed_column, other_name, schema_name, type_of
from .metadata_labels import BASE_LANGUAGE, Document, read_label
from .metadata_relationship_shapes import relationship_id
from .metadata_tables import DUPLICATE_NAME, next_object_type_code, save, with_columns
from .session import Session
from .sqlite_tables import quote, twins


def create_key(session: Session, table: Table, document: Document) -> Key:
    """An alternate key over columns that exist; its index is built at once.

    Raises: DataverseError 400; 412 when rows share the key's values.
    """
    schema = schema_name(document, "key")
    names = document.get("KeyAttributes")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise bad_payload("KeyAttributes must be a list of column names.")
    for name in names:
        column = table.columns.get(name)
        if column is None:
            raise bad_request(f"The column '{name}' does not exist on '{table.logical_name}'.", "0x80041103")
        if column.type not in {"string", "integer", "decimal", "datetime", "dateonly", "lookup", "picklist"}:
            raise bad_payload(f"A column of the type of '{name}' cannot be part of a key.")
    if schema.lower() in table.keys:
        raise bad_request(f"The key '{schema}' already exists on '{table.logical_name}'.", DUPLICATE_NAME)
    key = Key(
        name=schema.lower(),
        schema_name=schema,
        columns=tuple(names),
        labels=read_label(document.get("DisplayName"), {}) or {BASE_LANGUAGE: schema},
        custom=True,
    )
    _refuse_duplicates(session, table, key)
    save(session, replace(table, keys={**table.keys, key.name: key}))
    return key


def _refuse_duplicates(session: Session, table: Table, key: Key) -> None:
    columns = [twins(c)[-1] if c.type == "string" else c.name for c in (table.columns[n] for n in key.columns)]
    listed = ", ".join(map(quote, columns))
    present = " AND ".join(f"{quote(column)} IS NOT NULL" for column in columns)
    sql = f"SELECT 1 FROM {quote(table.logical_name)} WHERE {present} GROUP BY {listed} HAVING count(*) > 1 LIMIT 1"
    if session.tx.execute(sql).fetchone():
        raise DataverseError(
            412,
            DUPLICATE_KEY,
            f"The key '{key.schema_name}' cannot be created: rows of '{table.logical_name}' share its values.",
        )


def delete_key(session: Session, table: Table, key: Key) -> None:
    session.tx.execute(f"DROP INDEX IF EXISTS {quote(f'_ix_{table.logical_name}_key_{key.name}')}")
    save(session, replace(table, keys={name: k for name, k in table.keys.items() if name != key.name}))
    versions.record(session.tx, deleted=metadata_id(table.logical_name, "key", key.name))


def create_relationship(session: Session, document: Document) -> str:
    """A 1:N relationship with its lookup column, or an N:N relationship. Returns its schema name.

    Raises: DataverseError 400.
    """
    schema = schema_name(document, "relationship")
    for table in session.catalog:
        if any((c.schema_name or c.name).lower() == schema.lower() for c in table.collections.values()):
            raise bad_request(f"A relationship with the schema name {schema} already exists.", DUPLICATE_NAME)
    if type_of(document) == "OneToManyRelationshipMetadata":
        _create_one_to_many(session, schema, document)
    elif type_of(document) == "ManyToManyRelationshipMetadata":
        _create_many_to_many(session, schema, document)
    else:
        raise bad_payload(
            "A relationship needs @odata.type: OneToManyRelationshipMetadata or ManyToManyRelationshipMetadata."
        )
    return schema


def _create_one_to_many(session: Session, schema: str, document: Document) -> None:
    lookup = document.get("Lookup")
    if not isinstance(lookup, dict):
        raise bad_payload("A one-to-many relationship needs Lookup: the definition of its lookup column.")
    referenced = session.table(str(document.get("ReferencedEntity")))
    referencing = session.table(str(document.get("ReferencingEntity")))
    name = schema_name(lookup, "lookup column")
    column_name = name.lower()
    if column_name in referencing.columns:
        raise bad_request(
            f"An attribute with the specified name {column_name} already exists for entity {referencing.logical_name}.",
            DUPLICATE_NAME,
        )
    navigation = other_name(document, "ReferencingEntityNavigationPropertyName", name)
    _refuse_clash(referencing, navigation)
    column = Column(
        name=column_name,
        schema_name=name,
        type="lookup",
        labels={BASE_LANGUAGE: name.partition("_")[2]},
        targets={referenced.logical_name: navigation},
        custom=True,
    )
    referencing = with_columns(referencing, changed_column(column, lookup))
    referenced = referencing if referenced.logical_name == referencing.logical_name else referenced
    collection = Collection(
        name=other_name(document, "ReferencedEntityNavigationPropertyName", schema),
        schema_name=schema,
        table=referencing.logical_name,
        column=column.name,
        custom=True,
    )
    _refuse_clash(referenced, collection.name)
    referenced = replace(referenced, collections={**referenced.collections, collection.name: collection})
    save(session, referencing, referenced)


def _refuse_clash(table: Table, name: str) -> None:
    """Raises: DataverseError 400 when the table has a property of this name."""
    if name in table.by_wire_name or name in table.navigation or name in table.collections:
        raise bad_request(f"The table '{table.logical_name}' already has a property named '{name}'.", DUPLICATE_NAME)


def _create_many_to_many(session: Session, schema: str, document: Document) -> None:
    first = session.table(str(document.get("Entity1LogicalName")))
    second = session.table(str(document.get("Entity2LogicalName")))
    middle_schema = other_name(document, "IntersectEntityName", schema)
    middle = middle_schema.lower()
    if middle in session.catalog:
        raise bad_request(f"An entity with the specified name {middle} already exists.", DUPLICATE_NAME)
    same = first.logical_name == second.logical_name
    near = f"{first.primary_id}{'one' if same else ''}"
    far = f"{second.primary_id}{'two' if same else ''}"
    intersect = Table(
        logical_name=middle,
        schema_name=middle_schema,
        entity_set=f"{middle}set",
        object_type_code=next_object_type_code(session),
        primary_id=f"{middle}id",
        primary_name="",
        ownership="none",
        labels={BASE_LANGUAGE: middle_schema},
        collection_labels={BASE_LANGUAGE: middle_schema},
        is_intersect=True,
        custom=True,
        columns={
            name: Column(name=name, schema_name=name, type="uniqueidentifier", update=False, indexed=True, custom=True)
            for name in (near, far)
        },
    )
    save(session, read_table(dump_table(intersect)))
    one = Collection(
        name=other_name(document, "Entity1NavigationPropertyName", schema),
        schema_name=schema,
        table=second.logical_name,
        intersect=middle,
        near=near,
        far=far,
        custom=True,
    )
    _refuse_clash(first, one.name)
    save(session, replace(first, collections={**first.collections, one.name: one}))
    if same:
        return
    second = session.table(second.logical_name)
    two = replace(
        one,
        name=other_name(document, "Entity2NavigationPropertyName", schema),
        table=first.logical_name,
        near=far,
        far=near,
    )
    _refuse_clash(second, two.name)
    save(session, replace(second, collections={**second.collections, two.name: two}))


def delete_relationship(session: Session, schema: str) -> None:
    """Remove a custom relationship with its lookup column or its middle table.

    Raises: DataverseError 400 for shipped ones, 404 for unknown ones.
    """
    found = [
        (table, collection)
        for table in session.catalog
        for collection in table.collections.values()
        if (collection.schema_name or collection.name).lower() == schema.lower()
    ]
    if not found:
        raise DataverseError(404, "0x80040217", f"A relationship with the name '{schema}' does not exist.")
    if not all(collection.custom for _, collection in found):
        raise bad_request(f"The relationship '{schema}' is part of the product and cannot be deleted.", NOT_SUPPORTED)
    for table, collection in found:
        held = session.table(table.logical_name)
        save(session, replace(held, collections={n: c for n, c in held.collections.items() if n != collection.name}))
    collection = found[0][1]
    if collection.intersect is not None:
        session.tx.drop_table(collection.intersect)
        versions.record_deleted_table(session.tx, collection.intersect)
    else:
        referencing = session.table(collection.table)
        drop_column(session, referencing, referencing.columns[collection.column])
    versions.record(session.tx, deleted=relationship_id(schema))
