"""Documents made of documents: opportunity -> order or invoice, order -> invoice; templates; duplicates.

Sources: Microsoft's Web API action and function reference.
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from typing import Any, Final

from . import write
from .actions import existing, guid
from .catalog import Table
from .errors import DUPLICATES_FOUND, INVALID_ARGUMENT, DataverseError, bad_request
from .payload import resolve_reference
from .read import read_record
from .registry import Call, Registry
from .render import readable_columns
from .serverset import new_id
from .session import Row, Session
from .sqlite_tables import quote
from .text import fold
from .values import to_storage, to_wire
from .wire import Response, json_response

_HEAD: Final = (
    "name", "description", "customerid", "customerid__t", "pricelevelid", "transactioncurrencyid", "ownerid",
    "ownerid__t", "discountamount", "discountpercentage", "freightamount", "paymenttermscode", "freighttermscode",
    "shippingmethodcode", "opportunityid", "campaignid", "willcall",
)  # fmt: skip
_LINE: Final = (
    "productid", "productdescription", "isproductoverridden", "uomid", "quantity", "priceperunit", "ispriceoverridden",
    "manualdiscountamount", "volumediscountamount", "tax", "description", "transactioncurrencyid", "lineitemnumber",
    "sequencenumber", "producttypecode", "propertyconfigurationstatus",
)  # fmt: skip
DUPLICATE_COLUMNS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "account": (("name",), ("emailaddress1",), ("websiteurl",)),
    "contact": (("emailaddress1",), ("firstname", "lastname"), ("telephone1",)),
    "lead": (("emailaddress1",), ("firstname", "lastname", "companyname")),
}
"""The rules that an organisation is born with (account, contact, lead): any group of equal columns is a duplicate."""


def register(registry: Registry) -> None:
    registry.action("ConvertSalesOrderToInvoice", order_to_invoice)
    registry.action("GenerateInvoiceFromOpportunity", lambda s, c: _from_opportunity(s, c, "invoice"))
    registry.action("GenerateSalesOrderFromOpportunity", lambda s, c: _from_opportunity(s, c, "salesorder"))
    registry.function("InitializeFrom", initialize_from)
    registry.function("RetrieveDuplicates", retrieve_duplicates)
    for table in DUPLICATE_COLUMNS:
        registry.rule_before(table, refuse_duplicate)


def order_to_invoice(session: Session, call: Call) -> Response:
    """An invoice with the order's lines; the order becomes invoiced."""
    orders = session.table("salesorder")
    order = existing(session, orders, guid(call, "SalesOrderId"))
    if order.get("statecode") in {2, 4}:
        raise bad_request("Only an active, submitted or fulfilled order can be invoiced.", INVALID_ARGUMENT)
    invoice = _copy(
        session, order, "salesorderdetail", "salesorderid", "invoice", {"salesorderid": order["salesorderid"]}
    )
    order = existing(session, orders, order["salesorderid"])
    write.modify(session, orders, order, {"statecode": 4, "statuscode": None})
    return _made(session, call, session.table("invoice"), invoice)


def _from_opportunity(session: Session, call: Call, kind: str) -> Response:
    opportunity = existing(session, session.table("opportunity"), guid(call, "OpportunityId"))
    link = {"opportunityid": opportunity["opportunityid"]}
    made = _copy(session, opportunity, "opportunityproduct", "opportunityid", kind, link)
    return _made(session, call, session.table(kind), made)


def _copy(session: Session, source: Row, line_table: str, parent: str, kind: str, link: Row) -> str:
    table = session.table(kind)
    key = new_id()
    head = {
        name: source[name]
        for name in _HEAD
        if source.get(name) is not None and name.partition("__")[0] in table.columns
    }
    write.insert(session, table, key, {**head, **link})
    lines = session.table(line_table)
    target = session.table("salesorderdetail" if kind == "salesorder" else "invoicedetail")
    names = [name for name in _LINE if name in lines.columns and name in target.columns]
    found = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(line_table)} "
        f"WHERE {quote(parent)} = ? ORDER BY lineitemnumber",
        (source[parent],),
    ).fetchall()
    for line in found:
        values = {name: value for name, value in zip(names, line, strict=True) if value is not None}
        # The price was agreed; the price list of the day does not count any more.
        values["ispriceoverridden"] = 1
        write.insert(session, target, new_id(), {**values, table.primary_id: key})
    return key


def _made(session: Session, call: Call, table: Table, key: str) -> Response:
    columns = call.parameters.get("ColumnSet")
    if not isinstance(columns, dict):
        raise bad_request("The parameter 'ColumnSet' must be an object.", INVALID_ARGUMENT)
    names = None if columns.get("AllColumns") else [n for n in columns.get("Columns", ()) if isinstance(n, str)]
    record, _ = read_record(session, table, key, call.request, expand=False)
    if names is not None:
        kept = {table.primary_id, *names, *(f"_{name}_value" for name in names)}
        record = {k: v for k, v in record.items() if k.startswith("@") or k.partition("@")[0] in kept}
    return json_response(record)


def initialize_from(session: Session, call: Call) -> Response:
    """What a child record of another starts with: fields of the same name, and the lookup to its origin."""
    moniker = call.parameters.get("EntityMoniker")
    target = session.table(str(call.parameters.get("TargetEntityName")))
    if not isinstance(moniker, dict) or not isinstance(moniker.get("@odata.id"), str):
        raise bad_request("EntityMoniker must hold '@odata.id'.", INVALID_ARGUMENT)
    found = resolve_reference(session, moniker["@odata.id"])
    source = existing(session, found.table, found.id)
    answer: dict[str, Any] = {
        "@odata.context": session.context(f"{target.entity_set}/$entity"),
        "@odata.type": f"#Microsoft.Dynamics.CRM.{target.logical_name}",
    }
    for column in readable_columns(target):
        origin = found.table.columns.get(column.name)
        if origin is None or not column.create or column.name.startswith(("state", "status", "owner", "owning")):
            continue
        value = source.get(column.name)
        if value is None or origin.type != column.type:
            continue
        if column.targets:
            kind = source.get(f"{column.name}__t") or next(iter(column.targets))
            navigation = dict(column.targets).get(kind)
            if navigation:
                answer[f"{navigation}@odata.bind"] = f"/{session.table(kind).entity_set}({value})"
        else:
            answer[column.name] = to_wire(column, value)
    return json_response(answer)


def duplicates(session: Session, table: Table, values: Row, *, but: str | None = None) -> list[str]:
    """Ids of active rows that the organisation's duplicate rules hold for the same as these storage values."""
    ids: dict[str, None] = {}
    for group in DUPLICATE_COLUMNS.get(table.logical_name, ()):
        if any(values.get(name) in (None, "") for name in group):
            continue
        conditions = " AND ".join(f"{quote(table.columns[name].comparable_name)} = ?" for name in group)
        rows = session.tx.execute(
            f"SELECT {quote(table.primary_id)} FROM {quote(table.logical_name)} "
            f"WHERE {conditions} AND statecode = 0 AND {quote(table.primary_id)} IS NOT ? LIMIT 50",
            (*(fold(str(values[name])) for name in group), but),
        ).fetchall()
        ids |= dict.fromkeys(str(row[0]) for row in rows)
    return list(ids)


def refuse_duplicate(session: Session, table: Table, values: Row, before: Row | None) -> None:
    """A rule: where the caller asked for duplicate detection, a duplicate is not written (0x80040333)."""
    if not session.detect_duplicates:
        return
    merged = {**(before or {}), **values}
    if duplicates(session, table, merged, but=merged.get(table.primary_id)):
        raise DataverseError(
            500,
            DUPLICATES_FOUND,
            "A record was not created or updated because a duplicate of the current record already exists.",
        )


def retrieve_duplicates(session: Session, call: Call) -> Response:
    """Rows that the duplicate rules hold for the same as the record given."""
    entity = call.parameters.get("BusinessEntity")
    matching = session.table(str(call.parameters.get("MatchingEntityName")))
    if not isinstance(entity, dict):
        raise bad_request("The parameter 'BusinessEntity' must be an object.", INVALID_ARGUMENT)
    kind = str(entity.get("@odata.type", ""))
    if kind.removeprefix("#").removeprefix("Microsoft.Dynamics.CRM.") != matching.logical_name:
        raise bad_request("BusinessEntity needs an @odata.type that MatchingEntityName names.", INVALID_ARGUMENT)
    if matching.logical_name not in DUPLICATE_COLUMNS:
        raise bad_request(f"There is no published duplicate rule for {matching.logical_name}.", INVALID_ARGUMENT)
    values = {
        name: to_storage(matching, matching.columns[name], value)
        for name, value in entity.items()
        if name in matching.columns and value is not None
    }
    keys = duplicates(session, matching, values, but=values.get(matching.primary_id))
    records = [read_record(session, matching, key, call.request, expand=False)[0] for key in keys]
    for record in records:
        record.pop("@odata.context", None)
    return json_response({"@odata.context": session.context(matching.entity_set), "value": records})
