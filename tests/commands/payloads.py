"""What the twelve named tools send to Dataverse for one example each, in the toolkit's names and in friendly ones.

`python -m tests.commands.payloads` writes the golden files anew; `make generate` does so, too.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from commands.operation import Operation, by_slug

from .organisation import Call, Desk, organisation

FOLDER = Path(__file__).parent.parent / "golden" / "payloads"
_PREFIX = "DYNAMICS365_DYNAMICSCRM_"

LEAD = "lead show 'Luis Alverca'"
OPPORTUNITY = "opportunity show 'Warehouse canteen'"
ORDER = "order show ORD-01003"
ACCOUNT = "account show 'Contoso'"
CONTACT = "contact show 'Yvonne McKay'"

TOOLS: dict[str, dict[str, str]] = {
    "CREATE_LEAD": {
        "firstname": "Jane",
        "lastname": "Smith",
        "emailaddress1": "jane.smith@example.com",
        "telephone1": "+1 555 0100",
        "companyname": "Acme Corp",
        "subject": "Interested in Enterprise plan",
    },
    "UPDATE_LEAD": {"lead_id": f"<{LEAD}>", "telephone1": "+1 555 0101", "companyname": "Acme"},
    "GET_A_LEAD": {"lead_id": f"<{LEAD}>"},
    "GET_ALL_LEADS": {
        "filter": "contains(fullname,'a')",
        "select": "fullname,emailaddress1",
        "orderby": "createdon desc",
        "top": "5",
    },
    "CREATE_ACCOUNT": {
        "name": "Fabrikam Robotics",
        "description": "Makes robots",
        "revenue": "5000000",
        "accountcategorycode": "1",
        "creditonhold": "false",
    },
    "CREATE_CONTACT": {
        "firstname": "Ada",
        "lastname": "Lovelace",
        "emailaddress1": "ada@example.com",
        "telephone1": "+44 20 7946 0000",
        "mobilephone": "+44 7700 900000",
        "jobtitle": "Analyst",
        "address1_city": "London",
        "address1_stateorprovince": "Greater London",
        "address1_postalcode": "SW1Y 4JH",
        "address1_country": "United Kingdom",
    },
    "CREATE_OPPORTUNITY": {
        "name": "New canteen",
        "description": "Forty seats",
        "estimatedvalue": "250000",
        "estimatedclosedate": "2027-06-30",
        "customer_account_id": f"<{ACCOUNT}>",
        "customer_contact_id": f"<{CONTACT}>",
    },
    "UPDATE_OPPORTUNITY": {
        "opportunity_id": f"<{OPPORTUNITY}>",
        "opportunityratingcode": "1",
        "salesstagecode": "1",
        "estimatedvalue": "300000.50",
    },
    "CREATE_SALES_ORDER": {
        "name": "Ten machines",
        "description": "For the new canteen",
        "account_id": f"/accounts(<{ACCOUNT}>)",
        "currency_id": "/transactioncurrencies(<currency>)",
        "price_level_id": "/pricelevels(<price list>)",
    },
    "UPDATE_SALES_ORDER": {
        "salesorder_id": f"<{ORDER}>",
        "name": "Water filters, two boxes",
        "discountamount": "5",
        "freightamount": "9.9",
    },
    "CREATE_INVOICE": {
        "name": "Invoice #12345",
        "description": "First half",
        "account_id": f"/accounts(<{ACCOUNT}>)",
        "currency_id": "/transactioncurrencies(<currency>)",
        "price_level_id": "/pricelevels(<price list>)",
    },
    "CREATE_CASE": {
        "title": "Printer on fire",
        "description": "Smoke on floor 2",
        "prioritycode": "1",
        "caseorigincode": "1",
        "account_id": f"/accounts(<{ACCOUNT}>)",
        "contact_id": f"/contacts(<{CONTACT}>)",
    },
}
"""Parameters by tool; `<…>` stands for the id of the record that a command shows."""

FRIENDLY: dict[str, str] = {
    "CREATE_LEAD": "lead create Jane Smith email=jane.smith@example.com phone='+1 555 0100' company='Acme Corp' "
    "topic='Interested in Enterprise plan'",
    "UPDATE_LEAD": "lead update <id> phone='+1 555 0101' company=Acme",
    "GET_A_LEAD": "lead show <id>",
    "GET_ALL_LEADS": "lead list filter=\"contains(fullname,'a')\" select=fullname,emailaddress1 "
    "orderby='createdon desc' top=5",
    "CREATE_ACCOUNT": "account create 'Fabrikam Robotics' description='Makes robots' revenue=5m category=preferred "
    "credit_hold=no",
    "CREATE_CASE": "case create 'Printer on fire' description='Smoke on floor 2' priority=high origin=phone "
    "account=/accounts(<account>) contact=/contacts(<contact>)",
}
"""The same wishes in words."""


async def toolkit(desk: Desk, tool: str) -> list[dict[str, Any]]:
    """The requests that a tool causes, called with its own parameter names."""
    operation = by_slug(_PREFIX + tool)
    assert operation
    ids = await _ids(desk)
    args = {_field(operation, name): _filled(value, ids) for name, value in TOOLS[tool].items()}
    return await _requests(desk, f"golden/{tool}", operation.read(args))


async def friendly(desk: Desk, tool: str) -> list[dict[str, Any]]:
    """The requests that the same wish causes in words."""
    ids = await _ids(desk)
    text = FRIENDLY[tool].replace("<id>", ids[LEAD]).replace("<account>", ids[ACCOUNT])
    return await _requests(desk, f"friendly/{tool}", desk.read(text.replace("<contact>", ids[CONTACT])))


async def _requests(desk: Desk, key: str, operation: Operation) -> list[dict[str, Any]]:
    with desk.requests() as calls:
        reply = await desk.run(operation, desk.context(key))
    assert reply.card, reply.form
    assert reply.card.kind not in {"error", "choice"}, reply.card
    table = operation.table
    return [_kept(call, table.primary_id if table else "") for call in calls]


def _kept(call: Call, primary_id: str) -> dict[str, Any]:
    """The request, without the id of the new row, which the wish decides."""
    body = call.body
    if isinstance(body, dict) and primary_id in body:
        body = {**body, primary_id: "<id of the wish>"}
    return {"method": call.method, "path": call.path, "headers": call.headers, "body": body}


def _field(operation: type[Operation], name: str) -> str:
    return next(p.name for p in operation.parameters.values() if name in p.names)


def _filled(value: str, ids: dict[str, str]) -> str:
    for name, id_ in ids.items():
        value = value.replace(f"<{name}>", id_)
    return value


async def _ids(desk: Desk) -> dict[str, str]:
    ids = {}
    for text in (LEAD, OPPORTUNITY, ORDER, ACCOUNT, CONTACT):
        reply = await desk.say(text)
        assert reply.card, text
        ids[text] = reply.card.record.partition("/")[2]
    crm = desk.context().crm
    for name, table in (("currency", "transactioncurrency"), ("price list", "pricelevel")):
        ids[name] = await _usd(crm, table)
    return ids


async def _usd(crm: Any, table: str) -> str:
    from crm.query import Query, col

    where = col("isocurrencycode") == "USD" if table == "transactioncurrency" else col("name") == "Retail (USD)"
    return str((await crm.page(Query(table).where(where))).rows[0].ref.id)


def text_of(calls: list[dict[str, Any]]) -> str:
    """As the golden file has it."""
    return json.dumps(calls, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


async def generate() -> None:
    """Write the golden files anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with organisation() as desk:
        for tool in TOOLS:
            (FOLDER / f"{tool.lower()}.json").write_text(text_of(await toolkit(desk, tool)), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(generate())
