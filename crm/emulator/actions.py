"""Business actions that end a record's open life: qualify, win, lose, resolve, fulfil, cancel; queues and locks.

Sources: Microsoft's Web API action reference; shapes as in the Dataverse reference of this project's docs.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from . import write
from .catalog import Table
from .errors import INVALID_ARGUMENT, INVALID_STATUS, DataverseError, bad_request, not_found
from .odata import CRM
from .payload import BIND, resolve_reference
from .registry import Call, Registry
from .serverset import new_id
from .session import Row, Session
from .values import parse_guid
from .wire import Response, json_response

NO_CONTENT = Response(status=204)
_TYPE = "@odata.type"


def register(registry: Registry) -> None:
    registry.action("QualifyLead", qualify_lead, bound="entity", tables=frozenset({"lead"}))
    registry.action("WinOpportunity", win_opportunity)
    registry.action("LoseOpportunity", lose_opportunity)
    registry.action("CloseIncident", close_incident)
    registry.action("FulfillSalesOrder", fulfil_order, bound="collection", tables=frozenset({"salesorder"}))
    registry.action("CancelSalesOrder", cancel_order)
    registry.action("AddToQueue", add_to_queue, bound="entity", tables=frozenset({"queue"}))
    for name, table, key, locked in (
        ("LockSalesOrderPricing", "salesorder", "SalesOrderId", 1),
        ("UnlockSalesOrderPricing", "salesorder", "SalesOrderId", 0),
        ("LockInvoicePricing", "invoice", "InvoiceId", 1),
        ("UnlockInvoicePricing", "invoice", "InvoiceId", 0),
    ):
        registry.action(name, _lock(table, key, locked))


# -- parameters -------------------------------------------------------------------------------------------------


def parameter(call: Call, name: str, kind: type) -> Any:
    """A required parameter of an action. Raises: DataverseError 400."""
    value = call.parameters.get(name)
    if (kind is int and isinstance(value, bool)) or not isinstance(value, kind):
        wanted = {bool: "true or false", int: "a number", dict: "an object", str: "text"}[kind]
        raise bad_request(
            f"The action {call.request.segments[-1].name.removeprefix(CRM)} needs the parameter '{name}' as {wanted}.",
            INVALID_ARGUMENT,
        )
    return value


def guid(call: Call, name: str) -> str:
    """A required GUID parameter. Raises: DataverseError 400."""
    found = parse_guid(str(call.parameters.get(name)))
    if found is None:
        raise bad_request(f"The parameter '{name}' must be a GUID.", INVALID_ARGUMENT)
    return found


def existing(session: Session, table: Table, key: str) -> Row:
    """The row, which the caller may read. Raises: DataverseError 403, 404."""
    row = write.fetch_row(session, table, key)
    if row is None:
        raise not_found(table.logical_name, key)
    session.security.authorise(session, table, "read", row)
    return row


def reference(session: Session, value: Any, name: str) -> tuple[Table, str]:
    """The row that an entity parameter names by `@odata.type` and primary key. Raises: DataverseError 400, 404."""
    kind = str(value.get(_TYPE, "")) if isinstance(value, Mapping) else ""
    table = session.catalog.get(kind.removeprefix("#").removeprefix(CRM))
    if table is None:
        raise bad_request("EdmEntityObject passed should have the key property value set.", INVALID_ARGUMENT)
    key = parse_guid(str(value.get(table.primary_id)))
    if key is None:
        raise bad_request(f"The parameter '{name}' must hold {table.primary_id}.", INVALID_ARGUMENT)
    existing(session, table, key)
    return table, key


def _closing(session: Session, call: Call, parameter_name: str, target: str, lookup: str) -> tuple[Row, dict[str, Any]]:
    """The row that a closing activity closes, and the activity's record."""
    record = dict(parameter(call, parameter_name, dict))
    kind = record.pop(_TYPE, None)
    if kind is None and call.request.path.endswith("CancelSalesOrder"):
        # Its parameter is of an abstract type, so the concrete one must be said.
        raise bad_request("EdmEntityObject passed should have the key property value set.", INVALID_ARGUMENT)
    url = record.get(f"{lookup}{BIND}")
    if not isinstance(url, str):
        raise bad_request(f"{parameter_name} must bind {lookup} to the record that it closes.", INVALID_ARGUMENT)
    found = resolve_reference(session, url)
    if found.table.logical_name != target:
        raise bad_request(f"{lookup} must be a {target}, not a {found.table.logical_name}.", INVALID_ARGUMENT)
    return existing(session, found.table, found.id), record


def _status(table: Table, state: int, given: int) -> int:
    """The status reason to set; -1 is the state's default. Raises: DataverseError 400."""
    column = table.status_column
    options = [option for option in (column.options if column else ()) if option.state == state]
    if given == -1 and options:
        return next((option for option in options if option.default), options[0]).value
    if given not in {option.value for option in options}:
        raise DataverseError(
            400, INVALID_STATUS, f"{given} is not a valid status code for state {state} on {table.logical_name}."
        )
    return given


def _require_open(table: Table, row: Row, states: frozenset[int]) -> None:
    if row.get("statecode", 0) not in states:
        raise DataverseError(
            400,
            INVALID_STATUS,
            f"The {table.logical_name} with Id {row[table.primary_id]} is already closed and cannot be closed again.",
        )


# -- closing ----------------------------------------------------------------------------------------------------


def win_opportunity(session: Session, call: Call) -> Response:
    return _close_opportunity(session, call, state=1)


def lose_opportunity(session: Session, call: Call) -> Response:
    return _close_opportunity(session, call, state=2)


def _close_opportunity(session: Session, call: Call, *, state: int) -> Response:
    row, record = _closing(session, call, "OpportunityClose", "opportunity", "opportunityid")
    table = session.table("opportunity")
    _require_open(table, row, frozenset({0}))
    status = _status(table, state, parameter(call, "Status", int))
    record.setdefault("subject", "Opportunity Closed")
    write.create(session, session.table("opportunityclose"), record)
    actual = record.get("actualrevenue")
    if actual is None:
        actual = row.get("estimatedvalue") if state == 1 else 0
    end = str(record.get("actualend") or "")[:10] or _today(session)
    write.modify(
        session,
        table,
        row,
        {"statecode": state, "statuscode": status, "actualvalue": actual, "actualclosedate": end},
    )
    return NO_CONTENT


def close_incident(session: Session, call: Call) -> Response:
    row, record = _closing(session, call, "IncidentResolution", "incident", "incidentid")
    table = session.table("incident")
    _require_open(table, row, frozenset({0}))
    status = _status(table, 1, parameter(call, "Status", int))
    record.setdefault("subject", "Case resolved")
    write.create(session, session.table("incidentresolution"), record)
    write.modify(session, table, row, {"statecode": 1, "statuscode": status})
    return NO_CONTENT


def fulfil_order(session: Session, call: Call) -> Response:
    return _close_order(session, call, state=3)


def cancel_order(session: Session, call: Call) -> Response:
    return _close_order(session, call, state=2)


def _close_order(session: Session, call: Call, *, state: int) -> Response:
    row, record = _closing(session, call, "OrderClose", "salesorder", "salesorderid")
    table = session.table("salesorder")
    _require_open(table, row, frozenset({0, 1}))
    status = _status(table, state, parameter(call, "Status", int))
    record.setdefault("subject", "Sales Order Close")
    write.create(session, session.table("orderclose"), record)
    values: Row = {"statecode": state, "statuscode": status}
    if state == 3:
        values["datefulfilled"] = _today(session)
    write.modify(session, table, row, values)
    return NO_CONTENT


def _today(session: Session) -> str:
    return datetime.fromtimestamp(session.now, UTC).date().isoformat()


# -- leads ------------------------------------------------------------------------------------------------------

_ADDRESS = ("line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country")
_COMMON = (
    *(f"address1_{part}" for part in _ADDRESS),
    "emailaddress1",
    "telephone1",
    "fax",
    "websiteurl",
    "description",
    "transactioncurrencyid",
)
_TO_ACCOUNT = (*_COMMON, "revenue", "numberofemployees", "industrycode", "sic")
_TO_CONTACT = (
    *_COMMON, "firstname", "middlename", "lastname", "salutation", "jobtitle", "mobilephone", "emailaddress2",
    "emailaddress3", "telephone2", "telephone3", "pager",
)  # fmt: skip
_TO_OPPORTUNITY = (
    "description", "budgetamount", "estimatedclosedate", "transactioncurrencyid", "need", "purchaseprocess",
    "purchasetimeframe", "budgetstatus", "qualificationcomments",
)  # fmt: skip


def qualify_lead(session: Session, call: Call) -> Response:
    """Make the account, contact and opportunity that were asked for, and close the lead as qualified."""
    table = session.table("lead")
    lead = existing(session, table, str(call.id))
    wanted = {name: parameter(call, f"Create{name}", bool) for name in ("Account", "Contact", "Opportunity")}
    _require_open(table, lead, frozenset({0}))
    status = _status(table, 1, parameter(call, "Status", int))
    account, contact = lead.get("parentaccountid"), lead.get("parentcontactid")
    made: list[tuple[Table, str]] = []
    if wanted["Account"]:
        account = _from_lead(
            session, "account", lead, _TO_ACCOUNT, {"name": lead.get("companyname") or lead.get("fullname")}
        )
        made.append((session.table("account"), account))
    if wanted["Contact"]:
        parent = {"parentcustomerid": account, "parentcustomerid__t": "account"} if account else {}
        contact = _from_lead(session, "contact", lead, _TO_CONTACT, parent)
        made.append((session.table("contact"), contact))
    opportunity = None
    if wanted["Opportunity"]:
        opportunity = _opportunity(session, call, lead, account, contact)
        made.append((session.table("opportunity"), opportunity))
    write.modify(
        session,
        table,
        lead,
        {
            "statecode": 1,
            "statuscode": status,
            "parentaccountid": account,
            "parentcontactid": contact,
            "qualifyingopportunityid": opportunity,
        },
    )
    rows = [{_TYPE: f"#{CRM}{t.logical_name}", t.primary_id: key} for t, key in made]
    return json_response({"@odata.context": session.context(f"Collection({CRM}crmbaseentity)"), "value": rows})


def _opportunity(session: Session, call: Call, lead: Row, account: str | None, contact: str | None) -> str:
    values: Row = {
        "name": lead.get("subject") or lead.get("fullname"),
        "estimatedvalue": lead.get("estimatedamount"),
        "parentaccountid": account,
        "parentcontactid": contact,
    }
    customer = call.parameters.get("OpportunityCustomerId")
    if customer is not None:
        target, key = reference(session, customer, "OpportunityCustomerId")
        values |= {"customerid": key, "customerid__t": target.logical_name}
    elif account or contact:
        values |= {"customerid": account or contact, "customerid__t": "account" if account else "contact"}
    currency = call.parameters.get("OpportunityCurrencyId")
    if currency is not None:
        values["transactioncurrencyid"] = reference(session, currency, "OpportunityCurrencyId")[1]
    return _from_lead(session, "opportunity", lead, _TO_OPPORTUNITY, values)


def _from_lead(session: Session, table_name: str, lead: Row, columns: tuple[str, ...], more: Row) -> str:
    table = session.table(table_name)
    values = {name: lead[name] for name in columns if lead.get(name) is not None and name in table.columns}
    values |= {name: value for name, value in more.items() if value is not None}
    values |= {"originatingleadid": lead["leadid"], "ownerid": lead["ownerid"], "ownerid__t": lead.get("ownerid__t")}
    key = new_id()
    write.insert(session, table, key, values)
    return key


# -- queues and locks -------------------------------------------------------------------------------------------


def add_to_queue(session: Session, call: Call) -> Response:
    """Put a record into a queue; one that is in a queue already moves."""
    queue = session.table("queue")
    existing(session, queue, str(call.id))
    target, key = reference(session, call.parameters.get("Target"), "Target")
    items = session.table("queueitem")
    if target.logical_name not in dict(items.columns["objectid"].targets):
        raise bad_request(f"A {target.logical_name} cannot be put into a queue.", INVALID_ARGUMENT)
    found = session.tx.execute("SELECT queueitemid FROM queueitem WHERE objectid = ?", (key,)).fetchone()
    if found:
        item = str(found[0])
        write.modify(session, items, existing(session, items, item), {"queueid": call.id})
    else:
        row = existing(session, target, key)
        item = new_id()
        values = {
            "queueid": call.id,
            "objectid": key,
            "objectid__t": target.logical_name,
            "title": row.get(target.primary_name),
            "enteredon": session.now,
        }
        write.insert(session, items, item, values)
    return json_response({"@odata.context": session.context(f"{CRM}AddToQueueResponse"), "QueueItemId": item})


def _lock(table_name: str, key: str, locked: int) -> Any:
    def handler(session: Session, call: Call) -> Response:
        table = session.table(table_name)
        row = existing(session, table, guid(call, key))
        write.modify(session, table, row, {"ispricelocked": locked})
        return NO_CONTENT

    return handler
