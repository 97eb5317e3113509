"""What a Dataverse webhook says has happened. Delivery is at least once and in any order.

Source: Microsoft, "Use webhooks to create external handlers" (RemoteExecutionContext as JSON).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from .records import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that was created, changed or deleted."""

    ref: Ref
    message: str
    """`Create`, `Update` or `Delete`."""
    id: str
    """The same for every delivery of this change."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Columns that were written, by logical name; lookups as Ref. Empty where the message was too large for them."""
    by: UUID | None = None
    """`systemuserid` of whoever did it."""


def read_change(body: Mapping[str, Any]) -> Change:
    """From the webhook's JSON. Raises ValueError for anything else."""
    try:
        ref = Ref(str(body["PrimaryEntityName"]), UUID(str(body["PrimaryEntityId"])))
        message = str(body["MessageName"])
        parameters = {p["key"]: p["value"] for p in body.get("InputParameters") or ()}
        target = parameters.get("Target")
        attributes = target.get("Attributes") or () if isinstance(target, dict) else ()
        values = {a["key"]: _value(a["value"]) for a in attributes}
        stamp = body.get("OperationId") or body.get("RequestId") or body.get("CorrelationId") or ""
        by = body.get("UserId")
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise ValueError("This is no message of a Dataverse webhook.") from e
    return Change(
        ref=ref,
        message=message,
        id=f"{message}/{ref.table}/{ref.id}/{stamp}",
        values=values,
        by=UUID(str(by)) if by else None,
    )


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind = str(value.get("__type", "")).partition(":")[0]
    if kind == "EntityReference":
        return Ref(str(value["LogicalName"]), UUID(str(value["Id"])), value.get("Name"))
    return value.get("Value", value)
