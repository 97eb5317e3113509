"""What a webhook is told of a change: a RemoteExecutionContext as .NET writes it in JSON.

Source: learn.microsoft.com/power-apps/developer/data-platform/use-webhooks (the sample of the body).
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import orjson

from .catalog import Column
from .organization import ORGANIZATION_ID
from .render import target_of
from .session import Change, Row, Session
from .values import formatted, to_wire

MAX_BODY: Final = 256 * 1024
_REMOVED = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")
"""Left out of a body that would be larger."""
_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
_correlations: WeakKeyDictionary[Session, str] = WeakKeyDictionary()
"""All changes of one request share its id."""


def message(session: Session, change: Change, step: str) -> tuple[str, bytes]:
    """Headers (as JSON) and body of the message about a change."""
    document = _context(session, change, step)
    body = orjson.dumps(document)
    headers = {
        "Content-Type": "application/json",
        "x-ms-dynamics-organization": urlsplit(session.base).netloc,
        "x-ms-dynamics-entity-name": change.table.logical_name,
        "x-ms-dynamics-request-name": change.message,
        "x-ms-correlation-request-id": document["CorrelationId"],
    }
    if len(body) > MAX_BODY:
        headers["x-ms-dynamics-msg-size-exceeded"] = "true"
        body = orjson.dumps({name: value for name, value in document.items() if name not in _REMOVED})
    return json.dumps(headers), body


def _context(session: Session, change: Change, step: str) -> dict[str, Any]:
    """The body, as an asynchronous step of this id after the operation receives it."""
    correlation = _correlations.setdefault(session, str(uuid.uuid4()))
    name = session.tx.execute("SELECT name FROM organization").fetchone()
    return {
        "BusinessUnitId": change.caller.business_unit_id,
        "CorrelationId": correlation,
        "Depth": 1,
        "InitiatingUserId": change.caller.user_id,
        "InputParameters": [{"key": "Target", "value": _target(change)}],
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": change.message,
        "Mode": 1,
        "OperationCreatedOn": f"/Date({session.now * 1000}+0000)/",
        "OperationId": str(uuid.uuid4()),
        "OrganizationId": ORGANIZATION_ID,
        "OrganizationName": name[0] if name else "",
        "OutputParameters": [{"key": "id", "value": change.id}] if change.message == "Create" else [],
        "OwningExtension": _reference("sdkmessageprocessingstep", step, typed=False),
        "ParentContext": None,
        "PostEntityImages": [],
        "PreEntityImages": [],
        "PrimaryEntityId": change.id,
        "PrimaryEntityName": change.table.logical_name,
        "RequestId": correlation,
        "SecondaryEntityName": "none",
        "SharedVariables": [],
        "Stage": 40,
        "UserId": change.caller.user_id,
    }


def _target(change: Change) -> dict[str, Any]:
    """The row as it was written; of a deleted one only which it was."""
    if change.message == "Delete":
        return _reference(change.table.logical_name, change.id)
    values = {**change.values, change.table.primary_id: change.id}
    columns = [
        column for name, column in change.table.columns.items() if name in values and column.name != "versionnumber"
    ]
    labels = (
        (column, formatted(column, values[column.name])) for column in columns if column.type != "uniqueidentifier"
    )
    return {
        "__type": f"Entity:{_CONTRACTS}",
        "Attributes": [{"key": column.name, "value": _value(column, values)} for column in columns],
        "EntityState": None,
        "FormattedValues": [{"key": column.name, "value": text} for column, text in labels if text is not None],
        "Id": change.id,
        "KeyAttributes": [],
        "LogicalName": change.table.logical_name,
        "RelatedEntities": [],
        "RowVersion": str(change.after.get("versionnumber", "")),
    }


def _reference(table: str, key: str, *, typed: bool = True) -> dict[str, Any]:
    kind = {"__type": f"EntityReference:{_CONTRACTS}"} if typed else {}
    return {**kind, "Id": key, "KeyAttributes": [], "LogicalName": table, "Name": None, "RowVersion": None}


def _value(column: Column, row: Row) -> Any:
    stored = row[column.name]
    if stored is None:
        return None
    match column.type:
        case "lookup":
            return _reference(target_of(column, row), stored)
        case "picklist" | "state" | "status":
            return {"__type": f"OptionSetValue:{_CONTRACTS}", "Value": stored}
        case "multipicklist":
            return [{"__type": f"OptionSetValue:{_CONTRACTS}", "Value": int(part)} for part in str(stored).split(",")]
        case "money":
            return {"__type": f"Money:{_CONTRACTS}", "Value": float(stored)}
        case "datetime":
            return f"/Date({int(stored) * 1000})/"
        case "dateonly":
            return f"/Date({int(datetime.fromisoformat(stored).replace(tzinfo=UTC).timestamp()) * 1000})/"
        case _:
            return to_wire(column, stored)
