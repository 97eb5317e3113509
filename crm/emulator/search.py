"""Dataverse search: `POST searchquery`. Words match the beginnings of words; every term counts.

Shapes: learn.microsoft.com/power-apps/developer/data-platform/search/query. Unlike the service it is never behind.
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from dataclasses import dataclass
from typing import Any

import orjson

from .catalog import Column, Table
from .errors import DataverseError, bad_request, not_implemented
from .fetching import where
from .odata import parse_filter
from .odata_tree import Node
from .operands import Scope, Sql, join
from .registry import Call, Registry
from .session import Session
from .sqlite_tables import quote
from .text import fold
from .values import to_wire
from .wire import Response, json_response

DEFAULT_TABLES = ("account", "contact", "lead", "opportunity", "incident", "salesorder", "invoice")
_SEARCHED = frozenset({
    "name", "fullname", "title", "subject", "companyname", "accountnumber", "ticketnumber", "ordernumber",
    "invoicenumber",     "emailaddress1", "emailaddress", "telephone1", "mobilephone", "jobtitle",
})  # fmt: skip
_PER_TABLE = 1000


def register(registry: Registry) -> None:
    registry.action("searchquery", search_query, reads=True)
    registry.function("searchstatus", search_status)


@dataclass(frozen=True, slots=True)
class _Source:
    """One table of a search: where to look, what to show, what else must hold."""

    table: Table
    searched: list[Column]
    shown: list[Column]
    filter: Node | None


def search_status(session: Session, call: Call) -> Response:
    del call
    value = {"value": {"status": "provisioned", "lockboxstatus": "Disabled", "cmkstatus": "Disabled"}}
    return json_response(
        {"@odata.context": session.context("searchstatusResponse"), "response": orjson.dumps(value).decode()}
    )


def search_query(session: Session, call: Call) -> Response:
    """Answer a search.

    Raises: DataverseError 400, 501.
    """
    parameters = call.parameters
    text = parameters.get("search")
    if not isinstance(text, str) or not 3 <= len(text.strip()) <= 100:
        raise bad_request("The search text must have 3 to 100 characters.", "0x80048d0b")
    for name in ("facets", "propertybag"):
        if parameters.get(name) not in (None, "", "[]", []):
            raise not_implemented(f"'{name}' in searchquery")
    orderby = _embedded(parameters.get("orderby"), "orderby") or ["@search.score desc"]
    if orderby != ["@search.score desc"]:
        raise not_implemented("An order other than '@search.score desc' in searchquery")
    options = _embedded(parameters.get("options"), "options") or {}
    everywhere = str(options.get("searchmode", "any")).lower() == "all" if isinstance(options, dict) else False
    terms = [fold(term) for term in text.replace('"', " ").split() if term.strip("*")]
    hits = [
        hit
        for source in _sources(session, parameters)
        for hit in _find(session, source, [term.strip("*") for term in terms], everywhere=everywhere)
    ]
    hits.sort(key=lambda hit: (-hit["Score"], hit["EntityName"], hit["Id"]))
    top, skip = _whole(parameters, "top", 50, 100), _whole(parameters, "skip", 0, 100_000)
    answer: dict[str, Any] = {
        "Error": None,
        "Value": hits[skip : skip + top],
        "Facets": {},
        "QueryContext": None,
        "Count": len(hits) if parameters.get("count") is True else -1,
    }
    return json_response(
        {"@odata.context": session.context("searchqueryResponse"), "response": orjson.dumps(answer).decode()}
    )


def _whole(parameters: dict[str, Any], name: str, default: int, high: int) -> int:
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
        raise bad_request(f"'{name}' must be a number from 0 to {high}.")
    return value


def _embedded(value: Any, name: str) -> Any:
    """A parameter that is JSON inside a JSON string."""
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise bad_request(f"'{name}' must be an escaped JSON string.")
    try:
        return orjson.loads(value)
    except ValueError:
        raise bad_request(f"'{name}' is not valid JSON.") from None


def _sources(session: Session, parameters: dict[str, Any]) -> list[_Source]:
    common = parameters.get("filter")
    entities = _embedded(parameters.get("entities"), "entities")
    if entities is None:
        entities = [{"name": name} for name in DEFAULT_TABLES if name in session.catalog]
    if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
        raise bad_request("'entities' must be a list of objects with a name.")
    found = []
    for entity in entities:
        table = session.table(str(entity.get("name")))
        searched = _columns(table, entity.get("searchColumns")) or _default_columns(table)
        if wrong := [column.name for column in searched if column.type not in {"string", "memo"}]:
            raise bad_request(f"The column '{wrong[0]}' is not searchable.")
        shown = _columns(table, entity.get("selectColumns")) or [table.columns[table.primary_name]]
        texts = [text for text in (common, entity.get("filter")) if text]
        if not all(isinstance(text, str) for text in texts):
            raise bad_request("'filter' must be a text.")
        node = parse_filter(" and ".join(f"({text})" for text in texts)) if texts else None
        found.append(_Source(table, searched, shown, node))
    return found


def _columns(table: Table, names: Any) -> list[Column]:
    if names is None:
        return []
    columns = [table.columns.get(str(name)) for name in names] if isinstance(names, list) else [None]
    present = [column for column in columns if column is not None and column.type != "virtual"]
    if len(present) != len(columns):
        raise bad_request(f"The columns {names!r} do not all exist on '{table.logical_name}'.")
    return present


def _default_columns(table: Table) -> list[Column]:
    return [
        c
        for c in table.columns.values()
        if c.type == "string" and (c.name in _SEARCHED or c.name == table.primary_name)
    ]


def _find(session: Session, source: _Source, terms: list[str], *, everywhere: bool) -> list[dict[str, Any]]:
    table = source.table
    scope = Scope(session, table, "t")
    folded = [
        f"t.{quote(column.name + '__f')}" if column.type == "string" else f"fold(t.{quote(column.name)})"
        for column in source.searched
    ]
    matches = [join("OR", [Sql(f"instr(' ' || {text}, ?) > 0", (f" {term}",)) for text in folded]) for term in terms]
    if not matches:
        raise DataverseError(400, "0x80048d0b", "The search text holds no word.")
    kept = where(scope, source.filter, join("AND" if everywhere else "OR", matches))
    columns = list(dict.fromkeys([table.primary_id, *(c.name for c in (*source.searched, *source.shown))]))
    listed = ", ".join(f"t.{quote(name)}" for name in columns)
    rows = session.tx.execute(
        f"SELECT {listed} FROM {quote(table.logical_name)} t WHERE {kept.text} LIMIT {_PER_TABLE}", kept.values
    )
    return [_hit(source, dict(zip(columns, row, strict=True)), terms) for row in rows]


def _hit(source: _Source, row: dict[str, Any], terms: list[str]) -> dict[str, Any]:
    highlights: dict[str, list[str]] = {}
    score = 0.0
    for column in source.searched:
        words = str(row.get(column.name) or "").split()
        marked = [word for word in words if any(fold(word).startswith(term) for term in terms)]
        if marked:
            text = " ".join(f"{{crmhit}}{word}{{/crmhit}}" if word in marked else word for word in words)
            highlights[column.name] = [text]
            weight = 2.0 if column.name == source.table.primary_name else 1.0
            score += weight * len(marked) / len(words)
    table = source.table
    return {
        "Id": row[table.primary_id],
        "EntityName": table.logical_name,
        "ObjectTypeCode": table.object_type_code,
        "Attributes": {
            "@search.objecttypecode": table.object_type_code,
            **{column.name: to_wire(column, row[column.name]) for column in source.shown},
        },
        "Highlights": highlights,
        "Score": round(score, 6),
    }
