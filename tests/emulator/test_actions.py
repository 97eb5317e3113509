"""Business actions over HTTP, as Dataverse documents them: what they answer and what they leave."""

from typing import Any

import pytest

from .api import Api

CRM = "Microsoft.Dynamics.CRM"


async def _make(api: Api, path: str, **record: Any) -> str:
    answer = await api("POST", path, record)
    assert answer.status == 204, answer.text
    return answer.id


async def _row(api: Api, path: str) -> dict[str, Any]:
    answer = await api("GET", path)
    assert answer.status == 200, answer.text
    row: dict[str, Any] = answer.body
    return row


async def test_qualify_lead_makes_what_was_asked_for(dataverse: Api) -> None:
    lead = await _make(
        dataverse, "leads", subject="50 machines", firstname="Jane", lastname="Smith", companyname="Acme Corp",
        emailaddress1="jane@acme.example", estimatedamount=1000,
    )  # fmt: skip
    body = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3}
    answer = await dataverse("POST", f"leads({lead})/{CRM}.QualifyLead", body)
    assert answer.status == 200
    made = {row["@odata.type"].rpartition(".")[2]: row for row in answer.value}
    assert set(made) == {"account", "contact", "opportunity"}
    contact = await _row(dataverse, f"contacts({made['contact']['contactid']})")
    assert contact["fullname"] == "Jane Smith"
    assert contact["_parentcustomerid_value"] == made["account"]["accountid"]
    opportunity = await _row(dataverse, f"opportunities({made['opportunity']['opportunityid']})")
    assert opportunity["name"] == "50 machines"
    assert opportunity["estimatedvalue"] == 1000
    assert opportunity["_originatingleadid_value"] == lead
    assert opportunity["_customerid_value"] == made["account"]["accountid"]
    row = await _row(dataverse, f"leads({lead})")
    assert (row["statecode"], row["statuscode"]) == (1, 3)
    again = await dataverse("POST", f"leads({lead})/{CRM}.QualifyLead", body)
    assert again.status == 400
    assert (await dataverse("GET", "accounts/$count")).text.lstrip("\ufeff") == "1"


async def test_a_wrong_call_is_told_what_is_wrong(dataverse: Api) -> None:
    lead = await _make(dataverse, "leads", subject="50 machines", lastname="Smith")
    for path in (f"leads({lead})/QualifyLead", "salesorders/FulfillSalesOrder"):
        answer = await dataverse("POST", path, {"Status": 3})
        assert answer.status == 400
        assert "unresolved parameters" in answer.text
    for path, missing in (
        (f"leads({lead})/{CRM}.QualifyLead", "CreateAccount"),
        ("WinOpportunity", "OpportunityClose"),
    ):
        answer = await dataverse("POST", path, {"Status": 3})
        assert answer.status == 400
        assert f"The action {path.rpartition('.')[2]} needs the parameter '{missing}'" in answer.text


@pytest.mark.parametrize(
    ("action", "status", "state"), [("WinOpportunity", 3, 1), ("LoseOpportunity", 4, 2), ("LoseOpportunity", 5, 2)]
)
async def test_opportunities_close_once(dataverse: Api, action: str, status: int, state: int) -> None:
    account = await _make(dataverse, "accounts", name="Contoso")
    opportunity = await _make(
        dataverse, "opportunities", name="Website", estimatedvalue=500,
        **{"customerid_account@odata.bind": f"/accounts({account})"},
    )  # fmt: skip
    close = {"subject": "Closed", "opportunityid@odata.bind": f"/opportunities({opportunity})"}
    body = {"Status": status, "OpportunityClose": close}
    assert (await dataverse("POST", action, body)).status == 204
    row = await _row(dataverse, f"opportunities({opportunity})")
    assert (row["statecode"], row["statuscode"]) == (state, status)
    assert row["actualvalue"] == (500 if state == 1 else 0)
    closes = await dataverse("GET", f"opportunitycloses?$filter=_opportunityid_value%20eq%20{opportunity}")
    assert len(closes.value) == 1
    assert (await dataverse("POST", action, body)).status == 400


async def test_a_case_is_resolved_and_may_be_reopened(dataverse: Api) -> None:
    account = await _make(dataverse, "accounts", name="Contoso")
    case = await _make(
        dataverse, "incidents", title="Printer", **{"customerid_account@odata.bind": f"/accounts({account})"}
    )
    resolution = {"subject": "New toner", "incidentid@odata.bind": f"/incidents({case})"}
    body = {"IncidentResolution": resolution, "Status": -1}
    assert (await dataverse("POST", "CloseIncident", body)).status == 204
    row = await _row(dataverse, f"incidents({case})")
    assert (row["statecode"], row["statuscode"]) == (1, 5)
    assert (await dataverse("POST", "CloseIncident", body)).status == 400
    reopened = await dataverse(
        "PATCH", f"incidents({case})", {"statecode": 0, "statuscode": 1}, headers={"If-Match": "*"}
    )
    assert reopened.status == 204
    assert (await dataverse("POST", "CloseIncident", {**body, "Status": 6})).status == 400


async def _order(api: Api, **more: Any) -> str:
    account = await _make(api, "accounts", name="Contoso")
    order = await _make(
        api, "salesorders", name="Machines", **{"customerid_account@odata.bind": f"/accounts({account})"}, **more
    )
    for quantity, price, tax in ((2, 100, 38), (1, 50, 9.5)):
        await _make(
            api, "salesorderdetails", isproductoverridden=True, productdescription="Machine", quantity=quantity,
            priceperunit=price, tax=tax, **{"salesorderid@odata.bind": f"/salesorders({order})"},
        )  # fmt: skip
    return order


async def test_totals_follow_lines_discount_and_freight(dataverse: Api) -> None:
    order = await _order(dataverse, freightamount=20)
    row = await _row(dataverse, f"salesorders({order})")
    assert row["totallineitemamount"] == 250
    assert row["totaltax"] == 47.5
    assert row["totalamount"] == 317.5
    await dataverse("PATCH", f"salesorders({order})", {"discountamount": 50}, headers={"If-Match": "*"})
    assert (await _row(dataverse, f"salesorders({order})"))["totalamount"] == 267.5
    line = (
        await dataverse("GET", f"salesorderdetails?$filter=_salesorderid_value%20eq%20{order}&$orderby=quantity")
    ).value
    await dataverse("DELETE", f"salesorderdetails({line[0]['salesorderdetailid']})")
    assert (await _row(dataverse, f"salesorders({order})"))["totalamount"] == 208


async def test_an_order_becomes_an_invoice(dataverse: Api) -> None:
    order = await _order(dataverse)
    body = {"SalesOrderId": order, "ColumnSet": {"AllColumns": False, "Columns": ["invoiceid", "totalamount"]}}
    answer = await dataverse("POST", "ConvertSalesOrderToInvoice", body)
    assert answer.status == 200, answer.text
    assert answer.body["totalamount"] == 297.5
    assert "name" not in answer.body
    invoice = await _row(dataverse, f"invoices({answer.body['invoiceid']})")
    assert invoice["_salesorderid_value"] == order
    assert (await _row(dataverse, f"salesorders({order})"))["statecode"] == 4
    assert (await dataverse("POST", "ConvertSalesOrderToInvoice", body)).status == 400


async def test_orders_are_fulfilled_or_cancelled(dataverse: Api) -> None:
    order = await _order(dataverse)
    close = {"subject": "Done", "salesorderid@odata.bind": f"/salesorders({order})"}
    body = {"OrderClose": close, "Status": 100001}
    assert (await dataverse("POST", "FulfillSalesOrder", body)).status in (400, 404)
    assert (await dataverse("POST", f"salesorders/{CRM}.FulfillSalesOrder", body)).status == 204
    row = await _row(dataverse, f"salesorders({order})")
    assert (row["statecode"], row["statuscode"]) == (3, 100001)
    other = await _order(dataverse)
    close = {"subject": "No", "salesorderid@odata.bind": f"/salesorders({other})"}
    assert (await dataverse("POST", "CancelSalesOrder", {"OrderClose": close, "Status": 4})).status == 400
    typed = {**close, "@odata.type": f"{CRM}.orderclose"}
    assert (await dataverse("POST", "CancelSalesOrder", {"OrderClose": typed, "Status": 4})).status == 204
    assert (await _row(dataverse, f"salesorders({other})"))["statecode"] == 2


async def test_a_case_goes_into_a_queue_once(dataverse: Api) -> None:
    account = await _make(dataverse, "accounts", name="Contoso")
    case = await _make(
        dataverse, "incidents", title="Printer", **{"customerid_account@odata.bind": f"/accounts({account})"}
    )
    first, second = await _make(dataverse, "queues", name="A"), await _make(dataverse, "queues", name="B")
    target = {"Target": {"incidentid": case, "@odata.type": f"{CRM}.incident"}}
    one = await dataverse("POST", f"queues({first})/{CRM}.AddToQueue", target)
    assert one.status == 200, one.text
    two = await dataverse("POST", f"queues({second})/{CRM}.AddToQueue", target)
    assert two.body["QueueItemId"] == one.body["QueueItemId"]
    item = await _row(dataverse, f"queueitems({one.body['QueueItemId']})")
    assert item["_queueid_value"] == second


async def test_duplicates_are_refused_only_where_asked(dataverse: Api) -> None:
    lead = {"subject": "x", "lastname": "Smith", "emailaddress1": "jane@acme.example"}
    assert (await dataverse("POST", "leads", lead)).status == 204
    strict = {"MSCRM.SuppressDuplicateDetection": "false"}
    refused = await dataverse("POST", "leads", {**lead, "emailaddress1": "JANE@acme.example"}, headers=strict)
    assert (refused.status, refused.code) == (500, "0x80040333")
    assert (await dataverse("POST", "leads", lead)).status == 204
    query = (
        "RetrieveDuplicates(BusinessEntity=@p1,MatchingEntityName=@p2,PagingInfo=@p3)"
        f'?@p1={{"@odata.type":"{CRM}.lead","emailaddress1":"jane@acme.example"}}&@p2=\'lead\''
        '&@p3={"PageNumber":1,"Count":50}'
    )
    found = await dataverse("GET", query)
    assert found.status == 200, found.text
    assert len(found.value) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("WinOpportunity", {}),
        ("WinOpportunity", {"Status": "3", "OpportunityClose": {}}),
        ("CloseIncident", {"IncidentResolution": {"subject": "x"}, "Status": 5}),
        ("CloseIncident", {"IncidentResolution": None, "Status": 5}),
        ("ConvertSalesOrderToInvoice", {"SalesOrderId": "no guid", "ColumnSet": {}}),
        ("LockSalesOrderPricing", {"SalesOrderId": "00000000-0000-4000-8000-000000000000"}),
        (f"leads(00000000-0000-4000-8000-000000000000)/{CRM}.QualifyLead", {"Status": 3}),
    ],
)
async def test_what_is_missing_or_wrong_is_said(dataverse: Api, path: str, body: dict[str, Any]) -> None:
    answer = await dataverse("POST", path, body)
    assert answer.status in (400, 404)
    assert answer.message
