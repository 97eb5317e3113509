"""`$metadata` (CSDL 4.0) and the service document."""

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from .catalog import Catalog, Column, Table
from .errors import no_segment
from .session import Session
from .wire import Request, Response, json_response

NAMESPACE = "Microsoft.Dynamics.CRM"
_EDM = {
    "string": "Edm.String",
    "memo": "Edm.String",
    "integer": "Edm.Int32",
    "bigint": "Edm.Int64",
    "decimal": "Edm.Decimal",
    "double": "Edm.Double",
    "money": "Edm.Decimal",
    "boolean": "Edm.Boolean",
    "datetime": "Edm.DateTimeOffset",
    "dateonly": "Edm.Date",
    "picklist": "Edm.Int32",
    "multipicklist": "Edm.String",
    "state": "Edm.Int32",
    "status": "Edm.Int32",
    "lookup": "Edm.Guid",
    "uniqueidentifier": "Edm.Guid",
    "file": "Edm.Guid",
    "image": "Edm.Binary",
}


def service_document(session: Session, request: Request) -> Response:
    """The entity sets, as `GET {root}/` lists them."""
    del request
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in sorted(session.catalog.sets)]
    return json_response({"@odata.context": f"{session.base}/$metadata", "value": sets})


def metadata_document(session: Session, request: Request) -> Response:
    """The entity types and sets. Actions and functions are left out: clients address those by name."""
    if len(request.segments) > 1:
        raise no_segment(str(request.segments[1]))
    return Response(200, csdl(session.catalog).encode(), [("Content-Type", "application/xml")])


def csdl(catalog: Catalog) -> str:
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">',
        "<edmx:DataServices>",
        f'<Schema Namespace="{NAMESPACE}" Alias="mscrm" xmlns="http://docs.oasis-open.org/odata/ns/edm">',
        '<EntityType Name="crmbaseentity" Abstract="true"/>',
    ]
    for table in catalog:
        lines.extend(_entity_type(catalog, table))
    lines.append('<EntityContainer Name="System">')
    for table in catalog:
        lines.extend(_entity_set(catalog, table))
    lines.extend(["</EntityContainer>", "</Schema>", "</edmx:DataServices>", "</edmx:Edmx>"])
    return "\n".join(lines) + "\n"


def _entity_type(catalog: Catalog, table: Table) -> Iterator[str]:
    yield f'<EntityType Name={quoteattr(table.logical_name)} BaseType="mscrm.crmbaseentity">'
    yield f"<Key><PropertyRef Name={quoteattr(table.primary_id)}/></Key>"
    for column in table.columns.values():
        if column.type in _EDM:
            yield _property(column)
    for name, (column, targets) in table.navigation.items():
        target = _type_of(catalog, targets)
        if target is None:
            continue
        yield f'<NavigationProperty Name={quoteattr(name)} Type="mscrm.{target}" Nullable="true">'
        if len(targets) == 1:
            key = catalog[targets[0]].primary_id
            yield f'<ReferentialConstraint Property="{column.wire_name}" ReferencedProperty="{key}"/>'
        yield "</NavigationProperty>"
    for collection in table.collections.values():
        yield f'<NavigationProperty Name={quoteattr(collection.name)} Type="Collection(mscrm.{collection.table})"/>'
    yield "</EntityType>"


def _property(column: Column) -> str:
    extra = ' Unicode="false"' if _EDM[column.type] == "Edm.String" else ""
    if _EDM[column.type] == "Edm.Decimal":
        extra = ' Scale="Variable"'
    return f'<Property Name="{column.wire_name}" Type="{_EDM[column.type]}"{extra}/>'


def _type_of(catalog: Catalog, targets: tuple[str, ...]) -> str | None:
    """The type a navigation property leads to; one that leads to several tables leads to their common base."""
    known = [target for target in targets if target in catalog]
    if not known:
        return None
    return known[0] if len(known) == 1 else "crmbaseentity"


def _entity_set(catalog: Catalog, table: Table) -> Iterator[str]:
    yield f'<EntitySet Name={quoteattr(table.entity_set)} EntityType="{NAMESPACE}.{table.logical_name}">'
    for name, (_, targets) in table.navigation.items():
        if len(targets) == 1 and targets[0] in catalog:
            yield f'<NavigationPropertyBinding Path="{name}" Target="{catalog[targets[0]].entity_set}"/>'
    for collection in table.collections.values():
        if collection.table in catalog:
            target = catalog[collection.table].entity_set
            yield f'<NavigationPropertyBinding Path="{collection.name}" Target="{target}"/>'
    yield "</EntitySet>"
