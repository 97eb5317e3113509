"""Metadata over the Web API: EntityDefinitions, RelationshipDefinitions, GlobalOptionSetDefinitions, `$metadata`.

Addresses and shapes: learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api. What is read
is computed from the catalog; what is written changes it inside the request's transaction.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from . import metadata_csdl, metadata_options
from .catalog import Catalog, Column, Key, Table, metadata_id
from .errors import DataverseError, bad_payload, bad_request, no_segment, not_implemented
from .metadata_changes import retrieve_metadata_changes
from .metadata_labels import USER_LANGUAGE, Document
from .metadata_query import Item, read_options
from .metadata_relationships import create_key, create_relationship, delete_key, delete_relationship
from .metadata_shapes import (
    CASTS,
    COLUMN_CLASSES,
    attribute_type,
    column_document,
    global_option_sets,
    key_document,
    many_to_many,
    navigations,
    one_to_many,
    relationship_id,
    table_document,
)
from .metadata_tables import create_column, create_table, delete_column, delete_table, update_column, update_table
from .metadata_versions import stamp
from .odata import parse_literal
from .registry import Call, Registry
from .session import Session
from .usersettings import user_language
from .values import parse_guid
from .wire import Request, Response, Segment, created_headers, json_response, no_content, pairs

Asked = TypeVar("Asked", Request, Call)
CRM = "Microsoft.Dynamics.CRM."
_RELATIONSHIPS = ("OneToManyRelationships", "ManyToOneRelationships", "ManyToManyRelationships")
_RELATIONSHIP_CASTS = {"OneToManyRelationshipMetadata", "ManyToManyRelationshipMetadata"}
_SAMPLE = Table(
    logical_name="", schema_name="", entity_set="", object_type_code=0, primary_id="", primary_name="", ownership="none"
)
_COMMON_COLUMN = frozenset(column_document(_SAMPLE, Column(name="", schema_name="", type="virtual")))


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
    table = _find_table(session.catalog, first)
    if not rest:
        return _table(session, request, table)
    part, *rest = rest
    if part.name == "Attributes":
        return _attributes(session, request, table, part, rest)
    if part.name == "Keys":
        return _keys(session, request, table, part, rest)
    if part.name in _RELATIONSHIPS:
        return _table_relationships(session, request, table, part, rest)
    if rest or part.args is not None:
        raise no_segment(str(part))
    return _property(session, request, table_document(table), f"EntityDefinitions({table.metadata_id})", part.name)


def _tables(session: Session, request: Request) -> Response:
    if request.method == "POST":
        table = create_table(session, request.record())
        return no_content(created_headers(f"{session.base}/EntityDefinitions({table.metadata_id})"))
    _only(request, "GET")
    options = read_options(request, "EntityMetadata")
    documents = options.apply(_table_item(session.catalog, table) for table in session.catalog)
    return _collection(session, request, "EntityDefinitions", documents)


def _table(session: Session, request: Request, table: Table) -> Response:
    match request.method:
        case "GET":
            document = read_options(request, "EntityMetadata").shape(_table_item(session.catalog, table))
            return json_response({"@odata.context": session.context("EntityDefinitions/$entity"), **document})
        case "PUT" | "PATCH":
            update_table(session, table, request.record(), merge_labels=_merges(request))
            return no_content()
        case "DELETE":
            delete_table(session, table)
            return no_content()
        case _:
            raise _wrong_method(request)


def _table_item(catalog: Catalog, table: Table) -> Item:
    name = table.logical_name
    return Item(
        table_document(table),
        {
            "Attributes": lambda: [_column_item(table, column, n) for n, column in _numbered(table)],
            "Keys": lambda: [Item(key_document(table, key), {}) for key in table.keys.values()],
            "OneToManyRelationships": lambda: _items(r for r in one_to_many(catalog) if r["ReferencedEntity"] == name),
            "ManyToOneRelationships": lambda: _items(r for r in one_to_many(catalog) if r["ReferencingEntity"] == name),
            "ManyToManyRelationships": lambda: _items(_many_of(catalog, table)),
        },
    )


def _items(documents: Iterable[Document]) -> list[Item]:
    return [Item(document, {}) for document in documents]


def _numbered(table: Table) -> Iterable[tuple[int, Column]]:
    return enumerate(table.columns.values(), 1)


def _many_of(catalog: Catalog, table: Table) -> Iterable[Document]:
    name = table.logical_name
    return (r for r in many_to_many(catalog) if name in (r["Entity1LogicalName"], r["Entity2LogicalName"]))


def _column_item(table: Table, column: Column, number: int) -> Item:
    return Item(
        column_document(table, column, number),
        {name: partial(_navigation, table, column, name) for name in navigations(table, column)},
    )


def _navigation(table: Table, column: Column, name: str) -> Any:
    return navigations(table, column)[name]


def _attributes(session: Session, request: Request, table: Table, part: Segment, rest: list[Segment]) -> Response:
    place = f"EntityDefinitions({table.metadata_id})/Attributes"
    if part.args is None:
        cast = _cast(rest, CASTS)
        if request.method == "POST" and not cast:
            column = create_column(session, table, request.record())
            return no_content(_created(session, request, table.column_id(column.name)))
        _only(request, "GET")
        options = read_options(request, cast or "AttributeMetadata")
        chosen = [
            (n, c) for n, c in _numbered(table) if cast in {None, "AttributeMetadata"} or attribute_type(c)[2] == cast
        ]
        known = _COMMON_COLUMN if cast is None else _cast_properties(table, cast)
        documents = options.apply((_column_item(table, c, n) for n, c in chosen), known)
        return _collection(session, request, f"{place}{f'/{CRM}{cast}' if cast else ''}", documents)
    column = _find_column(table, part)
    rest, cast = _take_cast(rest, column)
    if rest:
        if not cast:
            raise no_segment(str(rest[0]))
        return _option_set(session, request, table, column, rest)
    if request.method == "GET":
        number = list(table.columns).index(column.name) + 1
        document = read_options(request, cast or "AttributeMetadata").shape(_column_item(table, column, number))
        return json_response({"@odata.context": session.context(f"{place}/$entity"), **document})
    if request.method in {"PUT", "PATCH"}:
        update_column(session, table, column, request.record(), merge_labels=_merges(request))
        return no_content()
    _only(request, "DELETE")
    delete_column(session, table, column)
    return no_content()


def _cast_properties(table: Table, cast: str) -> frozenset[str]:
    """The properties that columns of this class have, also when the table has none."""
    kind = next(kind for kind, class_name in COLUMN_CLASSES.items() if class_name == cast)
    return frozenset(column_document(table, Column(name="", schema_name="", type=kind))) | {
        "OptionSet",
        "GlobalOptionSet",
    }


def _take_cast(rest: list[Segment], column: Column) -> tuple[list[Segment], str | None]:
    """Strip a cast segment; a cast to another class than the column's finds nothing."""
    if not rest or not rest[0].name.startswith(CRM):
        return rest, None
    cast = rest[0].name.removeprefix(CRM)
    if cast not in {attribute_type(column)[2], "AttributeMetadata"}:
        raise DataverseError(404, "0x80060888", f"The column '{column.name}' is not of the type '{cast}'.")
    return rest[1:], cast


def _option_set(session: Session, request: Request, table: Table, column: Column, rest: list[Segment]) -> Response:
    """`…/PicklistAttributeMetadata/OptionSet`, and `/Options` of it."""
    _only(request, "GET")
    found = navigations(table, column)
    if rest[0].name not in found or rest[0].args is not None:
        raise no_segment(str(rest[0]))
    document = found[rest[0].name]
    place = f"EntityDefinitions({table.metadata_id})/Attributes({table.column_id(column.name)})/{rest[0].name}"
    if len(rest) == 1:
        shaped = read_options(request, "OptionSetMetadata").shape(Item(document or {}, {}))
        return json_response({"@odata.context": session.context(f"{place}/$entity"), **shaped})
    if len(rest) > 2:
        raise no_segment(str(rest[2]))
    return _property(session, request, document or {}, place, rest[1].name)


def _keys(session: Session, request: Request, table: Table, part: Segment, rest: list[Segment]) -> Response:
    if rest:
        raise no_segment(str(rest[0]))
    place = f"EntityDefinitions({table.metadata_id})/Keys"
    if part.args is None:
        if request.method == "POST":
            key = create_key(session, table, request.record())
            return no_content(_created(session, request, key_document(table, key)["MetadataId"]))
        _only(request, "GET")
        options = read_options(request, "EntityKeyMetadata")
        return _collection(
            session, request, place, options.apply(_items(key_document(table, k) for k in table.keys.values()))
        )
    key = _find_key(table, part)
    if request.method == "DELETE":
        delete_key(session, table, key)
        return no_content()
    _only(request, "GET")
    document = read_options(request, "EntityKeyMetadata").shape(Item(key_document(table, key), {}))
    return json_response({"@odata.context": session.context(f"{place}/$entity"), **document})


def _table_relationships(
    session: Session, request: Request, table: Table, part: Segment, rest: list[Segment]
) -> Response:
    _only(request, "GET")
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
    documents = options.apply(_items(_plain(r) for r in sources[part.name]()))
    return _collection(session, request, f"EntityDefinitions({table.metadata_id})/{part.name}", documents)


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
        _only(request, "GET")
        cast = _cast(rest, _RELATIONSHIP_CASTS)
        options = read_options(request, cast or "RelationshipMetadataBase")
        found = [r for r in _relationships(session.catalog) if cast is None or r["@odata.type"].endswith(cast)]
        known = frozenset(name for document in found for name in document)
        return _collection(session, request, "RelationshipDefinitions", options.apply(_items(found), known))
    document = _find_relationship(session.catalog, first)
    cast = _cast(rest, _RELATIONSHIP_CASTS)
    if cast and not document["@odata.type"].endswith(cast):
        raise DataverseError(404, "0x80060888", f"The relationship is not of the type '{cast}'.")
    if request.method == "DELETE":
        delete_relationship(session, document["SchemaName"])
        return no_content()
    if request.method in {"PUT", "PATCH"}:
        raise not_implemented("Changing a relationship")
    _only(request, "GET")
    shaped = read_options(request, cast or "RelationshipMetadataBase").shape(Item(document, {}))
    return json_response({"@odata.context": session.context("RelationshipDefinitions/$entity"), **shaped})


def _relationships(catalog: Catalog) -> Iterable[Document]:
    yield from one_to_many(catalog)
    yield from many_to_many(catalog)


def global_option_set_definitions(session: Session, request: Request) -> Response:
    """`GlobalOptionSetDefinitions…`; shared choices are changed with the option actions."""
    if request.method != "GET":
        raise not_implemented("Creating or changing a global choice as a whole")
    first, *rest = request.segments
    found = global_option_sets(session.catalog)
    _cast(rest, {"OptionSetMetadata"})
    options = read_options(request, "OptionSetMetadata")
    if first.args is None:
        return _collection(session, request, "GlobalOptionSetDefinitions", options.apply(_items(found.values())))
    name, value = _key(first.args, "Name")
    document = next((d for n, d in found.items() if value == (n if name == "Name" else d["MetadataId"])), None)
    if document is None:
        raise DataverseError(404, "0x80040217", f"The global option set '{value}' does not exist.")
    shaped = options.shape(Item(document, {}))
    return json_response({"@odata.context": session.context("GlobalOptionSetDefinitions/$entity"), **shaped})


def _key(args: str, name: str) -> tuple[str, str]:
    """`LogicalName='x'` or a MetadataId -> (key name, value).

    Raises: DataverseError 400.
    """
    if guid := parse_guid(args.strip()):
        return "MetadataId", guid
    found = list(pairs(args))
    if len(found) == 1 and found[0][0] in {name, "MetadataId"}:
        value = parse_literal(found[0][1]).value
        if isinstance(value, str):
            return found[0][0], value
    raise bad_request(f"The key '({args[:100]})' is not valid: give a MetadataId or {name}='…'.")


def _find_table(catalog: Catalog, segment: Segment) -> Table:
    name, value = _key(segment.args or "", "LogicalName")
    table = catalog.get(value) if name == "LogicalName" else next((t for t in catalog if t.metadata_id == value), None)
    if table is None:
        raise DataverseError(404, "0x80040217", f"Could not find an entity with {name} {value}.")
    return table


def _find_column(table: Table, segment: Segment) -> Column:
    name, value = _key(segment.args or "", "LogicalName")
    column = (
        table.columns.get(value)
        if name == "LogicalName"
        else next((c for c in table.columns.values() if table.column_id(c.name) == value), None)
    )
    if column is None:
        raise DataverseError(
            404, "0x80040217", f"Could not find an attribute with {name} {value} on {table.logical_name}."
        )
    return column


def _find_key(table: Table, segment: Segment) -> Key:
    name, value = _key(segment.args or "", "LogicalName")
    for key in table.keys.values():
        if value == (key.name if name == "LogicalName" else metadata_id(table.logical_name, "key", key.name)):
            return key
    raise DataverseError(404, "0x80040217", f"Could not find a key with {name} {value} on {table.logical_name}.")


def _find_relationship(catalog: Catalog, segment: Segment) -> Document:
    name, value = _key(segment.args or "", "SchemaName")
    for document in _relationships(catalog):
        if document[name] == value:
            return document
    raise DataverseError(404, "0x80040217", f"Could not find a relationship with {name} {value}.")


def _cast(rest: list[Segment], known: Iterable[str]) -> str | None:
    """The cast that ends a path, if there is one.

    Raises: DataverseError 404.
    """
    if not rest:
        return None
    name = rest[0].name.removeprefix(CRM)
    if len(rest) > 1 or rest[0].args is not None or not rest[0].name.startswith(CRM) or name not in known:
        raise no_segment(str(rest[0]))
    return name


def _property(session: Session, request: Request, document: Document, place: str, name: str) -> Response:
    _only(request, "GET")
    if name not in document or name.startswith("@"):
        raise no_segment(name)
    return json_response({"@odata.context": session.context(f"{place}/{name}"), "value": document[name]})


def _collection(session: Session, request: Request, place: str, documents: list[Document]) -> Response:
    counted = {"@odata.count": len(documents)} if request.query.get("$count") == "true" else {}
    return json_response({"@odata.context": session.context(place), **counted, "value": documents})


def _created(session: Session, request: Request, new_id: str) -> list[tuple[str, str]]:
    """Where a new part of a table is; the table is addressed as the request did, for clients search this for the id."""
    return created_headers(f"{session.base}/{'/'.join(map(str, request.segments))}({new_id})")


def _merges(request: Request) -> bool:
    return request.headers.get("mscrm.mergelabels", "").lower() == "true"


def _only(request: Request, method: str) -> None:
    if request.method != method:
        raise _wrong_method(request)


def _wrong_method(request: Request) -> DataverseError:
    return DataverseError(405, "0x80060888", f"{request.method} is not possible on '{request.path.strip('/')}'.")
