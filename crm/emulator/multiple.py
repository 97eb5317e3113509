"""CreateMultiple, UpdateMultiple, UpsertMultiple (all or nothing) and BulkDelete (done at once, not in a job)."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import uuid
from collections.abc import Mapping
from typing import Any

from .catalog import Table
from .errors import bad_payload, bad_request, not_found, not_implemented
from .fetching import where
from .odata_tree import Path
from .operands import Operand, Scope, Sql, join, operand
from .options import parse_key
from .payload import find_row, key_record
from .queryfunctions import function_condition
from .registry import Call, Registry
from .session import Session
from .wire import Response, json_response, no_content, parse_path
from .write import create, delete, update

TYPE = "Microsoft.Dynamics.CRM."


def register(registry: Registry) -> None:
    registry.action("CreateMultiple", create_multiple, bound="collection")
    registry.action("UpdateMultiple", update_multiple, bound="collection")
    registry.action("UpsertMultiple", upsert_multiple, bound="collection")
    registry.action("BulkDelete", bulk_delete)


def _targets(call: Call) -> tuple[Table, list[dict[str, Any]]]:
    table = call.table
    targets = call.parameters.get("Targets")
    if table is None or not isinstance(targets, list) or not targets:
        raise bad_payload("'Targets' must be a list of records that is not empty.")
    for target in targets:
        if not isinstance(target, dict):
            raise bad_payload("Each of 'Targets' must be a JSON object.")
        if str(target.get("@odata.type", "")).lstrip("#") != f"{TYPE}{table.logical_name}":
            raise bad_payload(f'Each of \'Targets\' needs "@odata.type": "{TYPE}{table.logical_name}".')
    return table, targets


def create_multiple(session: Session, call: Call) -> Response:
    table, targets = _targets(call)
    ids = [create(session, table, target) for target in targets]
    return json_response(
        {"@odata.context": session.context("Microsoft.Dynamics.CRM.CreateMultipleResponse"), "Ids": ids}
    )


def update_multiple(session: Session, call: Call) -> Response:
    table, targets = _targets(call)
    for target in targets:
        key = _key(session, table, target)
        if key is None:
            raise not_found(table.logical_name, str(target.get(table.primary_id)))
        update(session, table, key, target)
    return no_content()


def upsert_multiple(session: Session, call: Call) -> Response:
    table, targets = _targets(call)
    results = []
    for target in targets:
        key = _key(session, table, target)
        created = key is None
        if key is None:
            key = create(session, table, target, preset=_preset(table, target))
        else:
            update(session, table, key, target)
        reference = {table.primary_id: key, "@odata.type": f"#{TYPE}{table.logical_name}"}
        results.append({"RecordCreated": created, "Target": reference})
    return json_response(
        {"@odata.context": session.context("Microsoft.Dynamics.CRM.UpsertMultipleResponse"), "Results": results}
    )


def _reference(table: Table, target: Mapping[str, Any]) -> Any:
    """The key in `@odata.id` (`accounts(accountnumber='A1')`), or None."""
    url = target.get("@odata.id")
    if not isinstance(url, str):
        return None
    segments = parse_path(url.rsplit("/api/data/", 1)[-1].split("/", 1)[-1] if "/api/data/" in url else url)
    if len(segments) != 1 or segments[0].args is None or segments[0].name != table.entity_set:
        raise bad_payload(f"'@odata.id' must be a key of '{table.entity_set}', not '{url[:200]}'.")
    return parse_key(segments[0].args)


def _key(session: Session, table: Table, target: Mapping[str, Any]) -> str | None:
    reference = _reference(table, target)
    if reference is None:
        raw = target.get(table.primary_id)
        if raw is None:
            raise bad_payload(f"Each target needs its key: '{table.primary_id}' or '@odata.id'.")
        if not isinstance(raw, str):
            raise bad_payload(f"'{table.primary_id}' must be a GUID.")
        reference = parse_key(raw)
    return find_row(session, table, reference)


def _preset(table: Table, target: Mapping[str, Any]) -> dict[str, Any]:
    reference = _reference(table, target)
    if isinstance(reference, str):
        return {table.primary_id: reference}
    return key_record(table, reference) if reference else {}


def bulk_delete(session: Session, call: Call) -> Response:
    """Deletes what the queries find and answers with the id of a job that is already done."""
    queries = call.parameters.get("QuerySet")
    if not isinstance(queries, list) or not queries:
        raise bad_request("BulkDelete needs a QuerySet.")
    for query in queries:
        if not isinstance(query, dict):
            raise bad_request("Each query of a QuerySet must be a QueryExpression.")
        table = session.table(str(query.get("EntityName")))
        for key in _found(session, table, query):
            delete(session, table, key)
    return json_response(
        {"@odata.context": session.context("Microsoft.Dynamics.CRM.BulkDeleteResponse"), "JobId": str(uuid.uuid4())}
    )


def _found(session: Session, table: Table, query: Mapping[str, Any]) -> list[str]:
    """The ids that a QueryExpression of `column in (…)` or `column = x` conditions finds."""
    criteria = query.get("Criteria") or {}
    if criteria.get("Filters") or query.get("LinkEntities"):
        raise not_implemented("Nested filters and link entities in a QueryExpression")
    scope = Scope(session, table, "t")
    items: list[Sql] = []
    for condition in criteria.get("Conditions") or []:
        column = table.columns.get(str(condition.get("AttributeName")))
        if column is None:
            raise bad_request(f"'{table.logical_name}' has no column '{condition.get('AttributeName')}'.", "0x80041103")
        held: Operand = operand(scope, Path((column.wire_name,)))
        values = [value.get("Value") if isinstance(value, dict) else value for value in condition.get("Values") or []]
        name = {"Equal": "In", "In": "In", "NotIn": "NotIn", "NotEqual": "NotIn"}.get(str(condition.get("Operator")))
        if name is None:
            raise not_implemented(f"The operator '{condition.get('Operator')}' in a QueryExpression")
        items.append(function_condition(session, held, name, values))
    word = "OR" if str(criteria.get("FilterOperator", "And")).lower() == "or" else "AND"
    kept = where(scope, None, *([join(word, items)] if items else []))
    rows = session.tx.execute(
        f'SELECT t."{table.primary_id}" FROM "{table.logical_name}" t WHERE {kept.text}', kept.values
    )
    return [row[0] for row in rows.fetchall()]
