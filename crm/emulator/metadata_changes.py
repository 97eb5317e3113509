"""RetrieveMetadataChanges: part of the metadata in one request, or what changed in it since a stamp.

Parameters and answer: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievemetadatachanges
and .../reference/{entityqueryexpression, metadatafilterexpression, metadataconditionexpression}.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from . import metadata_versions as versions
from .catalog import Catalog, Table
from .errors import bad_payload, bad_request, not_implemented
from .metadata_labels import Document
from .metadata_relationship_shapes import many_to_many, one_to_many
from .metadata_shapes import column_document, key_document, navigations, table_document
from .registry import Call
from .session import Session
from .wire import Response, json_response

_OPERATORS = frozenset({"Equals", "NotEquals", "In", "NotIn", "GreaterThan", "LessThan"})
_ALWAYS = ("MetadataId", "HasChanged", "@odata.type")
_PARAMETERS = frozenset({"Query", "ClientVersionStamp", "DeletedMetadataFilters", "AppModuleId", "RetrieveAllSettings"})
_QUERY_KEYS = frozenset({
    "Properties", "Criteria", "AttributeQuery", "RelationshipQuery", "KeyQuery", "LabelQuery", "MetadataSubtype",
    "ExtensionData", "SubQuery",
})  # fmt: skip


def retrieve_metadata_changes(session: Session, call: Call) -> Response:
    """Raises: DataverseError 400 for a malformed query and for a stamp that is not this database's."""
    if unknown := set(call.parameters) - _PARAMETERS:
        raise bad_request(f"RetrieveMetadataChanges has no parameter '{min(unknown)}'.")
    query = call.parameters.get("Query")
    if query is None:
        query = {}
    if not isinstance(query, dict) or set(query) - _QUERY_KEYS - {"@odata.type"}:
        raise bad_payload("Query must be an EntityQueryExpression.")
    changed: frozenset[str] | None = None
    deleted: Document | None = None
    client_stamp = call.parameters.get("ClientVersionStamp")
    if client_stamp:
        since = versions.since(session.tx, str(client_stamp))
        changed = since.tables
        deleted = {"Count": len(since.deleted), "IsReadOnly": False, "Keys": ["Entity"] if since.deleted else [],
                   "Values": [{"Items": list(since.deleted)}] if since.deleted else []}  # fmt: skip
    relations = _Relations(session.catalog)
    found = [
        _entity(table, query, relations)
        for table in session.catalog
        if (changed is None or table.logical_name in changed) and _passes(query.get("Criteria"), table_document(table))
    ]
    return json_response(
        {
            "@odata.context": session.context("Microsoft.Dynamics.CRM.RetrieveMetadataChangesResponse"),
            "ServerVersionStamp": versions.stamp(session.tx),
            "DeletedMetadata": deleted,
            "EntityMetadata": found,
        }
    )


class _Relations:
    """The relationships of a catalog, listed once for all tables of an answer, and only if asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._ones: list[Document] | None = None

    def one_to_many(self, key: str, table: Table) -> list[Document]:
        if self._ones is None:
            self._ones = list(one_to_many(self._catalog))
        return [item for item in self._ones if item[key] == table.logical_name]

    def many_to_many(self, table: Table) -> list[Document]:
        name = table.logical_name
        return [r for r in many_to_many(self._catalog) if name in (r["Entity1LogicalName"], r["Entity2LogicalName"])]


def _entity(table: Table, query: Document, relations: _Relations) -> Document:
    wanted = _properties(query.get("Properties"))
    document = _cut(table_document(table), wanted)
    parts: dict[str, tuple[str, Callable[[], Iterable[Document]]]] = {
        "Attributes": ("AttributeQuery", lambda: _columns(table)),
        "Keys": ("KeyQuery", lambda: (key_document(table, key) for key in table.keys.values())),
        "OneToManyRelationships": ("RelationshipQuery", lambda: relations.one_to_many("ReferencedEntity", table)),
        "ManyToOneRelationships": ("RelationshipQuery", lambda: relations.one_to_many("ReferencingEntity", table)),
        "ManyToManyRelationships": ("RelationshipQuery", lambda: relations.many_to_many(table)),
    }
    for name, (query_name, items) in parts.items():
        if wanted is None or name in wanted:
            document[name] = _part(items(), query.get(query_name))
    languages = _languages(query.get("LabelQuery"))
    return _trim_labels(document, languages) if languages else document


def _columns(table: Table) -> Iterable[Document]:
    for number, column in enumerate(table.columns.values(), 1):
        yield {**column_document(table, column, number), **navigations(table, column)}


def _part(items: Iterable[Document], query: Any) -> list[Document]:
    if query is not None and not isinstance(query, dict):
        raise bad_payload("A metadata query must be an object.")
    wanted = _properties(query.get("Properties") if query else None)
    criteria = query.get("Criteria") if query else None
    return [_cut(item, wanted) for item in items if _passes(criteria, item)]


def _properties(value: Any) -> frozenset[str] | None:
    """The property names asked for; None for all."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise bad_payload("Properties must be a MetadataPropertiesExpression.")
    if value.get("AllProperties"):
        return None
    names = _list(value, "PropertyNames")
    if not all(isinstance(name, str) for name in names):
        raise bad_payload("PropertyNames must be a list of names.")
    return frozenset(names)


def _cut(document: Document, wanted: frozenset[str] | None) -> Document:
    if wanted is None:
        return dict(document)
    return {name: value for name, value in document.items() if name in wanted or name in _ALWAYS}


def _passes(criteria: Any, document: Document) -> bool:
    """Whether a document meets a MetadataFilterExpression."""
    if criteria is None:
        return True
    if not isinstance(criteria, dict):
        raise bad_payload("Criteria must be a MetadataFilterExpression.")
    results = [_meets(condition, document) for condition in _list(criteria, "Conditions")]
    results += [_passes(inner, document) for inner in _list(criteria, "Filters")]
    if not results:
        return True
    return any(results) if criteria.get("FilterOperator") == "Or" else all(results)


def _list(document: Document, name: str) -> list[Any]:
    value = document.get(name) or []
    if not isinstance(value, list):
        raise bad_payload(f"{name} must be a list.")
    return value


def _meets(condition: Any, document: Document) -> bool:
    if not isinstance(condition, dict) or not isinstance(condition.get("PropertyName"), str):
        raise bad_payload("A condition needs PropertyName, ConditionOperator and Value.")
    name, operator = condition["PropertyName"], condition.get("ConditionOperator")
    if not isinstance(operator, str) or operator not in _OPERATORS:
        raise not_implemented(f"The metadata condition operator '{operator}'")
    if name not in document:
        if name in _ABSENT_ON_SOME:
            return operator in {"NotEquals", "NotIn"}
        raise bad_request(f"The property '{name}' cannot be used in a metadata filter.")
    held = document[name]
    if isinstance(held, dict) and "Value" in held:
        held = held["Value"]
    value = _condition_value(condition.get("Value"))
    match operator:
        case "Equals":
            return bool(held == value)
        case "NotEquals":
            return bool(held != value)
        case "In" | "NotIn":
            if not isinstance(value, list):
                raise bad_payload(f"The operator {operator} needs a list.")
            return (held in value) is (operator == "In")
        case _:
            if not isinstance(held, int) or not isinstance(value, int):
                raise bad_payload(f"The operator {operator} compares numbers.")
            return held > value if operator == "GreaterThan" else held < value


_ABSENT_ON_SOME = frozenset({
    "MaxLength", "MinValue", "MaxValue", "Precision", "Format", "FormatName", "Targets", "DefaultFormValue",
    "DefaultValue", "MaxSizeInKB", "DateTimeBehavior", "OptionSet", "GlobalOptionSet", "ReferencedEntity",
    "ReferencingEntity", "ReferencedAttribute", "ReferencingAttribute", "Entity1LogicalName", "Entity2LogicalName",
})  # fmt: skip


def _condition_value(value: Any) -> Any:
    """`{"Type": "System.String", "Value": "account"}` -> the value; arrays also as the text of one."""
    if not isinstance(value, dict):
        return value
    inner, kind = value.get("Value"), str(value.get("Type", ""))
    if kind.endswith("[]") and isinstance(inner, str):
        try:
            return json.loads(inner)
        except ValueError:
            return [part.strip().strip("'\"") for part in inner.strip("[]").split(",") if part.strip()]
    if not isinstance(inner, str):
        return inner
    match kind.rpartition(".")[2]:
        case "Boolean":
            return inner.lower() == "true"
        case "Int32" | "Int64":
            return int(inner) if inner.lstrip("-").isdigit() else inner
        case "Guid":
            return inner.lower()
        case _:
            return inner


def _languages(query: Any) -> frozenset[int]:
    found = _list(query, "FilterLanguages") if isinstance(query, dict) else []
    return frozenset(code for code in found if isinstance(code, int))


def _trim_labels(value: Any, languages: frozenset[int]) -> Any:
    """A document whose labels keep these languages only."""
    if isinstance(value, list):
        return [_trim_labels(item, languages) for item in value]
    if not isinstance(value, dict):
        return value
    if "LocalizedLabels" in value:
        return {**value, "LocalizedLabels": [e for e in value["LocalizedLabels"] if e["LanguageCode"] in languages]}
    return {name: _trim_labels(item, languages) for name, item in value.items()}
