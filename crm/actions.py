"""What closes, qualifies and converts records: Dataverse's actions, in their exact shapes.

None of these is repeated after a lost answer; look at the record's state first. Status reasons are numbers of the
organisation's own; see `status_reason`. Source: Microsoft, Web API action reference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from .batch import Batch
from .definitions import TableInfo
from .errors import BadAnswer, UnknownChoice
from .lifecycle import State, state_number
from .payload import find_choice
from .query import Query, col
from .records import Json, Ref, Row
from .session import Session

_STATUS = "statuscode"
_TYPE = "Microsoft.Dynamics.CRM."
CASE_RESOLUTION: Final = "incidentresolution"
OPPORTUNITY_CLOSE: Final = "opportunityclose"
ORDER_CLOSE: Final = "orderclose"
"""Activities that closing makes; whoever closes needs the rights to make them."""


def status_reason(info: TableInfo, state: State, reason: str | None = None) -> int:
    """The status reason of this name in a state, or the state's first. Raises UnknownChoice with those there are."""
    column = info.columns[_STATUS]
    choices = [c for c in column.choices if c.state == state_number(info.logical, state)]
    if reason is None:
        return choices[0].value if choices else -1
    found = find_choice(info, column, reason)
    if found not in choices:
        allowed = tuple(c.label() for c in choices)
        raise UnknownChoice(
            f"{found.label()} is no reason for {state}. It may be {', '.join(allowed)}.",
            table=info.logical,
            column=_STATUS,
            label=column.label(),
            value=reason,
            allowed=allowed,
        )
    return found.value


@dataclass(frozen=True, slots=True)
class ActionCall:
    """An action of Dataverse, ready to be called."""

    name: str
    body: dict[str, Json]
    bound: Ref | str | None = None
    """The row, or the table whose collection, it is bound to."""


async def call_and_read(session: Session, call: ActionCall, ref: Ref, columns: Sequence[str]) -> tuple[Row, Json]:
    """Call an action and read what it left of a row, in one request: the row, and what the action answered.

    Not repeated after a lost answer.
    """
    batch = Batch()
    called = batch.action(call.name, call.body, table=ref.table, bound=call.bound)
    left = batch.get(ref, select=columns)
    results = await session.batch(batch)
    answer = results[called].answered()
    return results[left].row(), answer


def qualify_lead(lead: Ref, status: int, *, account: bool, contact: bool, opportunity: bool) -> ActionCall:
    """Turn a lead into what is wanted of an account, a contact and an opportunity."""
    body: dict[str, Json] = {
        "CreateAccount": account,
        "CreateContact": contact,
        "CreateOpportunity": opportunity,
        "Status": status,
    }
    return ActionCall("QualifyLead", body, bound=lead)


def created_tables(answer: Json) -> list[str]:
    """Logical names of the tables in which QualifyLead made rows, from what it answered."""
    made = answer.get("value") if isinstance(answer, dict) else None
    types = (
        [str(item.get("@odata.type", "")) for item in made or () if isinstance(item, dict)]
        if isinstance(made, list)
        else []
    )
    return [name.rpartition(".")[2] for name in types]


def close_opportunity(
    opportunity: Ref,
    status: int,
    *,
    won: bool,
    subject: str,
    revenue: Decimal | None = None,
    on: date | None = None,
    description: str | None = None,
) -> ActionCall:
    """Close as won or as lost."""
    close: dict[str, Json] = {"subject": subject, "opportunityid@odata.bind": opportunity.path("opportunities")}
    if revenue is not None:
        close["actualrevenue"] = float(revenue)
    if on is not None:
        close["actualend"] = on.isoformat()
    if description:
        close["description"] = description
    return ActionCall("WinOpportunity" if won else "LoseOpportunity", {"Status": status, "OpportunityClose": close})


def resolve_case(
    case: Ref, status: int, *, subject: str, minutes: int | None = None, description: str | None = None
) -> ActionCall:
    """Close a case as resolved; `minutes`: time billed."""
    resolution: dict[str, Json] = {
        "subject": subject,
        "incidentid@odata.bind": case.path("incidents"),
        "@odata.type": f"{_TYPE}{CASE_RESOLUTION}",
    }
    if minutes is not None:
        resolution["timespent"] = minutes
    if description:
        resolution["description"] = description
    return ActionCall("CloseIncident", {"IncidentResolution": resolution, "Status": status})


def fulfil_order(order: Ref, status: int, *, subject: str) -> ActionCall:
    """Mark as fulfilled. The action is bound to the collection."""
    body: dict[str, Json] = {"OrderClose": _order_close(order, subject), "Status": status}
    return ActionCall("FulfillSalesOrder", body, bound=order.table)


def cancel_order(order: Ref, status: int, *, subject: str) -> ActionCall:
    """Mark as canceled."""
    return ActionCall("CancelSalesOrder", {"OrderClose": _order_close(order, subject), "Status": status})


async def invoice_order(session: Session, order: Ref, columns: Sequence[str]) -> Row:
    """Make an invoice from an order, and read it, in one request. Not repeated after a lost answer."""
    body: dict[str, Json] = {
        "SalesOrderId": str(order.id),
        "ColumnSet": {"AllColumns": False, "Columns": ["invoiceid"]},
    }
    batch = Batch()
    called = batch.action("ConvertSalesOrderToInvoice", body, table=order.table)
    made = batch.page(invoices_of(order, columns))
    results = await session.batch(batch)
    results[called].answered()
    rows = results[made].rows()
    if not rows:
        raise BadAnswer("Dataverse did not say which invoice it made.", outcome_unknown=True)
    return rows[0]


def invoices_of(order: Ref, columns: Sequence[str]) -> Query:
    """The invoice that was made of an order last."""
    return Query("invoice").select(*columns).where(col("salesorderid") == order).order("createdon", desc=True).top(1)


async def add_to_queue(session: Session, queue: UUID, case: Ref) -> None:
    """Put a case into a queue; again is harmless."""
    target: dict[str, Json] = {"incidentid": str(case.id), "@odata.type": f"{_TYPE}incident"}
    await session.action("AddToQueue", {"Target": target}, bound=Ref("queue", queue), repeatable=True)


def with_notes(case: Mapping[str, Json], notes: Sequence[tuple[UUID, str, str]]) -> dict[str, Json]:
    """A new case's payload with notes (id, subject, text) that are created in the same request, or not at all."""
    nested: list[Json] = [
        {"annotationid": str(id_), "subject": subject, "notetext": text} for id_, subject, text in notes
    ]
    return {**case, "Incident_Annotation": nested}


def _order_close(order: Ref, subject: str) -> dict[str, Json]:
    return {
        "subject": subject,
        "salesorderid@odata.bind": order.path("salesorders"),
        "@odata.type": f"{_TYPE}{ORDER_CLOSE}",
    }
