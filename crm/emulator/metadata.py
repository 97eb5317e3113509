"""Metadata over the Web API: EntityDefinitions, RelationshipDefinitions, GlobalOptionSetDefinitions, `$metadata`.

Addresses and shapes: learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api. What is read
is computed from the catalog; what is written changes it inside the request's transaction.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from . import metadata_csdl, metadata_options
from .catalog import Catalog, Table
from .errors import DataverseError, bad_payload, no_segment, not_implemented
from .metadata_addresses import cast_of, find_key, find_relationship, find_table, key_of
from .metadata_answers import (
    allow_only,
    collection_answer,
    created_at,
    items,
    merges_labels,
    property_answer,
    wrong_method,
)
from .metadata_attributes import (
    answer_attributes,
    column_item,
    numbered,
)
from .metadata_changes import retrieve_metadata_changes
from .metadata_labels import USER_LANGUAGE, Document
from .metadata_query import Item, read_options
from .metadata_relationship_shapes import many_to_many, one_to_many, relationship_id, relationships
from .metadata_relationships import create_key, create_relationship, delete_key, delete_relationship
from .metadata_shapes import (
    global_option_sets,
    key_document,
    table_document,
)
from .metadata_tables import create_table, delete_table, update_table
from .metadata_versions import stamp
from .registry import Call, Registry
from .session import Session
from .usersettings import user_language
from .wire import Request, Response, Segment, created_headers, json_response, no_content

Asked = TypeVar("Asked", Request, Call)
_RELATIONSHIPS = ("OneToManyRelationships", "ManyToOneRelationships", "ManyToManyRelationships")
_RELATIONSHIP_CASTS = {"OneToManyRelationshipMetadata", "ManyToManyRelationshipMetadata"}


def register(registry: Registry) -> None:
    registry.resource("", metadata_csdl.service_document)
    registry.resource("$metadata", metadata_csdl.metadata_document)
    registry.resource("EntityDefinitions", _in_language(entity_definitions))
    registry.resource("RelationshipDefinitions", _in_language(relationship_definitions))
    registry.resource("GlobalOptionSetDefinitions", _in_language(global_option_set_definitions))
    registry.action("CreateEntities", create_entities)
    registry.function("RetrieveMetadataChanges", _in_language(retrieve_metadata_changes))
    registry.function("RetrieveTimestamp", retrieve_timestamp)
    metadata_options.register(registry)


def _in_language(handler: Callable[[Session, Asked], Response]) -> Callable[[Session, Asked], Response]:
    """Answer with the caller's own labels in the caller's language."""

    def answer(session: Session, asked: Asked) -> Response:
        before = USER_LANGUAGE.set(user_language(session))
        try:
            return handler(session, asked)
        finally:
            USER_LANGUAGE.reset(before)

    return answer


def create_entities(session: Session, call: Call) -> Response:
    """Several tables in one transaction, as the SDK for Python creates them."""
    entities = call.parameters.get("Entities")
    if not isinstance(entities, list) or not entities:
        raise bad_payload("CreateEntities needs Entities: a list of table definitions.")
    tables = [create_table(session, entity) for entity in entities]
    return json_response(
        {
            "@odata.context": session.context("Microsoft.Dynamics.CRM.CreateEntitiesResponse"),
            "EntityIds": [table.metadata_id for table in tables],
            "AttributeIds": [table.column_id(name) for table in tables for name in table.columns],
        }
    )


def retrieve_timestamp(session: Session, call: Call) -> Response:
    """The stamp that changes whenever metadata does."""
    del call
    return json_response(
        {
            "@odata.context": session.context("Microsoft.Dynamics.CRM.RetrieveTimestampResponse"),
            "Timestamp": stamp(session.tx),
        }
    )


def entity_definitions(session: Session, request: Request) -> Response:
    """`EntityDefinitions…`: tables, and through a table its columns, keys and relationships."""
    first, *rest = request.segments
    if first.args is None:
        if rest:
            raise no_segment(str(rest[0]))
        return _tables(session, request)
    table = find_table(session.catalog, first)
    if not rest:
        return _table(session, request, table)
    part, *rest = rest
    if part.name == "Attributes":
        return answer_attributes(session, request, table, part, rest)
    if part.name == "Keys":
        return _keys(session, request, table, part, rest)
    if part.name in _RELATIONSHIPS:
        return _table_relationships(session, request, table, part, rest)
    if rest or part.args is not None:
        raise no_segment(str(part))
    return property_answer(
        session, request, table_document(table), f"EntityDefinitions({table.metadata_id})", part.name
    )


def _tables(session: Session, request: Request) -> Response:
    if request.method == "POST":
        table = create_table(session, request.record())
        return no_content(created_headers(f"{session.base}/EntityDefinitions({table.metadata_id})"))
    allow_only(request, "GET")
    options = read_options(request, "EntityMetadata")
    documents = options.apply(_table_item(session.catalog, table) for table in session.catalog)
    return collection_answer(session, request, "EntityDefinitions", documents)


def _table(session: Session, request: Request, table: Table) -> Response:
    match request.method:
        case "GET":
            document = read_options(request, "EntityMetadata").shape(_table_item(session.catalog, table))
            return json_response({"@odata.context": session.context("EntityDefinitions/$entity"), **document})
        case "PUT" | "PATCH":
            update_table(session, table, request.record(), merge_labels=merges_labels(request))
            return no_content()
        case "DELETE":
            delete_table(session, table)
            return no_content()
        case _:
            raise wrong_method(request)


def _table_item(catalog: Catalog, table: Table) -> Item:
    name = table.logical_name
    return Item(
        table_document(table),
        {
            "Attributes": lambda: [column_item(table, column, n) for n, column in numbered(table)],
            "Keys": lambda: [Item(key_document(table, key), {}) for key in table.keys.values()],
            "OneToManyRelationships": lambda: items(r for r in one_to_many(catalog) if r["ReferencedEntity"] == name),
            "ManyToOneRelationships": lambda: items(r for r in one_to_many(catalog) if r["ReferencingEntity"] == name),
            "ManyToManyRelationships": lambda: items(_many_of(catalog, table)),
        },
    )


def _many_of(catalog: Catalog, table: Table) -> Iterable[Document]:
    name = table.logical_name
    return (r for r in many_to_many(catalog) if name in (r["Entity1LogicalName"], r["Entity2LogicalName"]))


def _keys(session: Session, request: Request, table: Table, part: Segment, rest: list[Segment]) -> Response:
    if rest:
        raise no_segment(str(rest[0]))
    place = f"EntityDefinitions({table.metadata_id})/Keys"
    if part.args is None:
        if request.method == "POST":
            key = create_key(session, table, request.record())
            return no_content(created_at(session, request, key_document(table, key)["MetadataId"]))
        allow_only(request, "GET")
        options = read_options(request, "EntityKeyMetadata")
        return collection_answer(
            session, request, place, options.apply(items(key_document(table, k) for k in table.keys.values()))
        )
    key = find_key(table, part)
    if request.method == "DELETE":
        delete_key(session, table, key)
        return no_content()
    allow_only(request, "GET")
    document = read_options(request, "EntityKeyMetadata").shape(Item(key_document(table, key), {}))
    return json_response({"@odata.context": session.context(f"{place}/$entity"), **document})


def _table_relationships(
    session: Session, request: Request, table: Table, part: Segment, rest: list[Segment]
) -> Response:
    allow_only(request, "GET")
    if part.args is not None:
        raise not_implemented("One relationship through its table (read RelationshipDefinitions instead)")
    if rest:
        raise no_segment(str(rest[0]))
    name = table.logical_name
    sources: dict[str, Callable[[], Iterable[Document]]] = {
        "OneToManyRelationships": lambda: (r for r in one_to_many(session.catalog) if r["ReferencedEntity"] == name),
        "ManyToOneRelationships": lambda: (r for r in one_to_many(session.catalog) if r["ReferencingEntity"] == name),
        "ManyToManyRelationships": lambda: _many_of(session.catalog, table),
    }
    type_name = (
        "ManyToManyRelationshipMetadata" if part.name.startswith("ManyToMany") else "OneToManyRelationshipMetadata"
    )
    options = read_options(request, type_name)
    documents = options.apply(items(_plain(r) for r in sources[part.name]()))
    return collection_answer(session, request, f"EntityDefinitions({table.metadata_id})/{part.name}", documents)


def _plain(document: Document) -> Document:
    """Without `@odata.type`, where the collection says it already."""
    return {name: value for name, value in document.items() if name != "@odata.type"}


def relationship_definitions(session: Session, request: Request) -> Response:
    """`RelationshipDefinitions…`, with or without a cast to one of the two kinds."""
    first, *rest = request.segments
    if first.args is None:
        if request.method == "POST" and not rest:
            schema = create_relationship(session, request.record())
            return no_content(created_headers(f"{session.base}/RelationshipDefinitions({relationship_id(schema)})"))
        allow_only(request, "GET")
        cast = cast_of(rest, _RELATIONSHIP_CASTS)
        options = read_options(request, cast or "RelationshipMetadataBase")
        found = [r for r in relationships(session.catalog) if cast is None or r["@odata.type"].endswith(cast)]
        known = frozenset(name for document in found for name in document)
        return collection_answer(session, request, "RelationshipDefinitions", options.apply(items(found), known))
    document = find_relationship(session.catalog, first)
    cast = cast_of(rest, _RELATIONSHIP_CASTS)
    if cast and not document["@odata.type"].endswith(cast):
        raise DataverseError(404, "0x80060888", f"The relationship is not of the type '{cast}'.")
    if request.method == "DELETE":
        delete_relationship(session, document["SchemaName"])
        return no_content()
    if request.method in {"PUT", "PATCH"}:
        raise not_implemented("Changing a relationship")
    allow_only(request, "GET")
    shaped = read_options(request, cast or "RelationshipMetadataBase").shape(Item(document, {}))
    return json_response({"@odata.context": session.context("RelationshipDefinitions/$entity"), **shaped})


def global_option_set_definitions(session: Session, request: Request) -> Response:
    """`GlobalOptionSetDefinitions…`; shared choices are changed with the option actions."""
    if request.method != "GET":
        raise not_implemented("Creating or changing a global choice as a whole")
    first, *rest = request.segments
    found = global_option_sets(session.catalog)
    cast_of(rest, {"OptionSetMetadata"})
    options = read_options(request, "OptionSetMetadata")
    if first.args is None:
        return collection_answer(session, request, "GlobalOptionSetDefinitions", options.apply(items(found.values())))
    name, value = key_of(first.args, "Name")
    document = next((d for n, d in found.items() if value == (n if name == "Name" else d["MetadataId"])), None)
    if document is None:
        raise DataverseError(404, "0x80040217", f"The global option set '{value}' does not exist.")
    shaped = options.shape(Item(document, {}))
    return json_response({"@odata.context": session.context("GlobalOptionSetDefinitions/$entity"), **shaped})
