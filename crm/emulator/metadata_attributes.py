"""`EntityDefinitions(…)/Attributes`: a table's columns, read, made, changed and deleted."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from .catalog import Column, Table
from .errors import DataverseError, no_segment
from .metadata_addresses import cast_of, find_column
from .metadata_answers import allow_only, collection_answer, created_at, merges_labels, property_answer
from .metadata_column_changes import create_column, delete_column, update_column
from .metadata_query import Item, read_options
from .metadata_shapes import (
    CASTS,
    COLUMN_CLASSES,
    attribute_type,
    column_document,
    navigations,
)
from .odata import CRM
from .session import Session
from .wire import Request, Response, Segment, json_response, no_content

_SAMPLE = Table(
    logical_name="", schema_name="", entity_set="", object_type_code=0, primary_id="", primary_name="", ownership="none"
)
COMMON_COLUMN = frozenset(column_document(_SAMPLE, Column(name="", schema_name="", type="virtual")))


def numbered(table: Table) -> Iterable[tuple[int, Column]]:
    return enumerate(table.columns.values(), 1)


def column_item(table: Table, column: Column, number: int) -> Item:
    return Item(
        column_document(table, column, number),
        {name: partial(_navigation, table, column, name) for name in navigations(table, column)},
    )


def _navigation(table: Table, column: Column, name: str) -> Any:
    return navigations(table, column)[name]


def answer_attributes(session: Session, request: Request, table: Table, part: Segment, rest: list[Segment]) -> Response:
    place = f"EntityDefinitions({table.metadata_id})/Attributes"
    if part.args is None:
        cast = cast_of(rest, CASTS)
        if request.method == "POST" and not cast:
            column = create_column(session, table, request.record())
            return no_content(created_at(session, request, table.column_id(column.name)))
        allow_only(request, "GET")
        options = read_options(request, cast or "AttributeMetadata")
        chosen = [
            (n, c) for n, c in numbered(table) if cast in {None, "AttributeMetadata"} or attribute_type(c)[2] == cast
        ]
        known = COMMON_COLUMN if cast is None else _cast_properties(table, cast)
        documents = options.apply((column_item(table, c, n) for n, c in chosen), known)
        return collection_answer(session, request, f"{place}{f'/{CRM}{cast}' if cast else ''}", documents)
    column = find_column(table, part)
    rest, cast = _take_cast(rest, column)
    if rest:
        if not cast:
            raise no_segment(str(rest[0]))
        return _option_set(session, request, table, column, rest)
    if request.method == "GET":
        number = list(table.columns).index(column.name) + 1
        document = read_options(request, cast or "AttributeMetadata").shape(column_item(table, column, number))
        return json_response({"@odata.context": session.context(f"{place}/$entity"), **document})
    if request.method in {"PUT", "PATCH"}:
        update_column(session, table, column, request.record(), merge_labels=merges_labels(request))
        return no_content()
    allow_only(request, "DELETE")
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
    allow_only(request, "GET")
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
    return property_answer(session, request, document or {}, place, rest[1].name)
