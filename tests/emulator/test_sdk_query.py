"""Microsoft's SDK for Python: the query builder with every kind of filter, SQL, FetchXML, discovery of columns."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.filters import FilterExpression, col, raw
from PowerPlatform.Dataverse.models.query_builder import ExpandOption

from .sdk import MODES, Sdk, connected

ROWS = [
    {"name": "Alpha", "revenue": 100, "numberofemployees": 10, "accountcategorycode": 1, "description": "cheese"},
    {"name": "Beta & Co", "revenue": 200.5, "numberofemployees": 20, "accountcategorycode": 2},
    {"name": "Gamma+Delta", "revenue": 300, "numberofemployees": 30, "creditonhold": True},
    {"name": "O'Neill 100%", "numberofemployees": 40, "description": "bread"},
]
ALL = "Alpha, Beta & Co, Gamma+Delta, O'Neill 100%"


@pytest.fixture(scope="module", params=MODES)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    async with connected(request.param) as found:
        await found(lambda c: c.records.create("account", ROWS))
        yield found


async def names(sdk: Sdk, expression: FilterExpression) -> str:
    rows = await sdk(lambda c: c.query.builder("account").select("name").where(expression).order_by("name").execute())
    return ", ".join(row["name"] for row in rows)


FILTERS: list[tuple[Callable[[], FilterExpression], str]] = [
    (lambda: col("name") == "alpha", "Alpha"),
    (lambda: col("name") == "O'Neill 100%", "O'Neill 100%"),
    (lambda: col("name") == "Beta & Co", "Beta & Co"),
    (lambda: col("name") == "Gamma+Delta", "Gamma+Delta"),
    (lambda: col("name") != "Alpha", "Beta & Co, Gamma+Delta, O'Neill 100%"),
    (lambda: col("revenue") > 200, "Beta & Co, Gamma+Delta"),
    (lambda: col("revenue") >= 200.5, "Beta & Co, Gamma+Delta"),
    (lambda: col("revenue") < 200, "Alpha"),
    (lambda: col("numberofemployees") <= 20, "Alpha, Beta & Co"),
    (lambda: col("revenue").is_null(), "O'Neill 100%"),
    (lambda: col("revenue").is_not_null(), "Alpha, Beta & Co, Gamma+Delta"),
    (lambda: col("description") == None, "Beta & Co, Gamma+Delta"),  # noqa: E711 - the builder overloads ==
    (lambda: col("accountcategorycode").in_([1, 2]), "Alpha, Beta & Co"),
    (lambda: col("name").in_(["Alpha", "Gamma+Delta"]), "Alpha, Gamma+Delta"),
    (lambda: col("numberofemployees").not_in([10, 20, 30]), "O'Neill 100%"),
    (lambda: col("numberofemployees").between(15, 35), "Beta & Co, Gamma+Delta"),
    (lambda: col("numberofemployees").not_between(15, 35), "Alpha, O'Neill 100%"),
    (lambda: col("name").contains("a+d"), "Gamma+Delta"),
    (lambda: col("name").startswith("BETA"), "Beta & Co"),
    (lambda: col("name").endswith("co"), "Beta & Co"),
    (lambda: col("name").like("%eta%"), "Beta & Co"),
    (lambda: col("name").like("Al%"), "Alpha"),
    (lambda: col("name").not_like("%a%"), "O'Neill 100%"),
    (lambda: col("creditonhold") == True, "Gamma+Delta"),  # noqa: E712 - the builder overloads ==
    (lambda: (col("name") == "Alpha") | (col("name") == "Beta & Co"), "Alpha, Beta & Co"),
    (lambda: (col("revenue") > 50) & (col("description") == "cheese"), "Alpha"),
    (lambda: ~(col("numberofemployees") > 10), "Alpha"),
    (lambda: col("createdon") > datetime.now(UTC) - timedelta(hours=1), ALL),
    (lambda: col("createdon") < date(2001, 2, 3), ""),
    (lambda: raw("numberofemployees eq 30"), "Gamma+Delta"),
    (lambda: raw("Microsoft.Dynamics.CRM.Today(PropertyName='createdon')"), ALL),
]  # fmt: skip


async def test_every_filter_of_the_builder(sdk: Sdk) -> None:
    for make, expected in FILTERS:
        expression = make()
        assert await names(sdk, expression) == expected, str(expression)


async def test_builder_options(sdk: Sdk) -> None:
    def query(client: Any) -> Any:
        return (
            client.query.builder("account")
            .select("name", "revenue", "accountcategorycode")
            .where(col("accountcategorycode").is_not_null())
            .order_by("revenue", descending=True)
            .top(1)
            .count()
            .include_formatted_values()
        )

    found = await sdk(lambda c: query(c).execute())
    row = found.first()
    assert len(found) == 1
    assert row["name"] == "Beta & Co"
    assert row["accountcategorycode@OData.Community.Display.V1.FormattedValue"] == "Standard"
    assert row["revenue@OData.Community.Display.V1.FormattedValue"] == "$200.50"
    frame = await sdk(lambda c: query(c).include_annotations("*").execute())
    assert frame.to_dataframe().iloc[0]["name"] == "Beta & Co"


async def test_builder_pages(sdk: Sdk) -> None:
    pages = await sdk.pages(
        lambda c: c.query.builder("account").select("name").order_by("name").page_size(3).execute_pages()
    )
    assert [[row["name"] for row in page] for page in pages] == [
        ["Alpha", "Beta & Co", "Gamma+Delta"],
        ["O'Neill 100%"],
    ]


async def test_builder_expands(sdk: Sdk) -> None:
    account = (await sdk(lambda c: c.records.list("account", filter="name eq 'Alpha'"))).first()["accountid"]
    for subject in ("Task one", "Task two", "Other"):
        values = {"subject": subject, "regardingobjectid_account_task@odata.bind": f"/accounts({account})"}
        await sdk(lambda c, values=values: c.records.create("task", values))
    option = (
        ExpandOption("Account_Tasks").select("subject").filter("contains(subject,'Task')").order_by("subject").top(5)
    )
    rows = await sdk(
        lambda c: c.query.builder("account").select("name").where(col("name") == "Alpha").expand(option).execute()
    )
    assert [task["subject"] for task in rows.first()["Account_Tasks"]] == ["Task one", "Task two"]


SQL = [
    ("SELECT name FROM account WHERE revenue > 150 ORDER BY name", [("Beta & Co",), ("Gamma+Delta",)]),
    ("SELECT TOP 1 name FROM account ORDER BY numberofemployees DESC", [("O'Neill 100%",)]),
    ("SELECT name FROM account WHERE name LIKE 'O''Neill%'", [("O'Neill 100%",)]),
    ("SELECT name FROM account WHERE revenue IS NULL", [("O'Neill 100%",)]),
    ("SELECT name FROM account WHERE numberofemployees BETWEEN 15 AND 25", [("Beta & Co",)]),
    ("SELECT name FROM account WHERE numberofemployees IN (10, 40) ORDER BY name", [("Alpha",), ("O'Neill 100%",)]),
    ("SELECT a.name FROM account a WHERE a.name = 'ALPHA'", [("Alpha",)]),
    ("SELECT COUNT(*) AS n FROM account", [(4,)]),
    ("SELECT SUM(revenue) AS s, MIN(revenue) AS low, MAX(revenue) AS high FROM account", [(600.5, 100, 300)]),
    (
        "SELECT accountcategorycode, COUNT(*) AS n FROM account GROUP BY accountcategorycode ORDER BY n",
        [(1, 1), (2, 1), (None, 2)],
    ),
    ("SELECT name FROM account ORDER BY name OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", [("Beta & Co",), ("Gamma+Delta",)]),
    ("SELECT DISTINCT statecode FROM account", [(0,)]),
]


async def test_sql(sdk: Sdk) -> None:
    for statement, expected in SQL:
        rows = await sdk(lambda c, statement=statement: c.query.sql(statement))
        values = [tuple(v for k, v in row.items() if not k.startswith("@") and k != "accountid") for row in rows]
        assert values == expected, statement


async def test_sql_joins(sdk: Sdk) -> None:
    account = (await sdk(lambda c: c.records.list("account", filter="name eq 'Beta & Co'"))).first()["accountid"]
    await sdk(
        lambda c: c.records.create(
            "contact", {"lastname": "Joined", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
        )
    )
    statement = (
        "SELECT c.lastname, a.name FROM contact c INNER JOIN account a ON c.parentcustomerid = a.accountid "
        "WHERE c.lastname = 'Joined'"
    )
    rows = await sdk(lambda c: c.query.sql(statement))
    assert [(row["lastname"], row["name"]) for row in rows] == [("Joined", "Beta & Co")]


async def test_sql_that_the_server_refuses(sdk: Sdk) -> None:
    with pytest.raises(HttpError) as caught:
        await sdk(lambda c: c.query.sql("SELECT nosuchcolumn FROM account"))
    assert caught.value.status_code == 400


async def test_fetchxml(sdk: Sdk) -> None:
    xml = """<fetch><entity name="account"><attribute name="name"/><attribute name="revenue"/>
      <filter type="or"><condition attribute="name" operator="like" value="%eta%"/>
      <condition attribute="numberofemployees" operator="gt" value="35"/></filter>
      <order attribute="name" descending="true"/></entity></fetch>"""
    rows = await sdk(lambda c: c.query.fetchxml(xml).execute())
    assert [row["name"] for row in rows] == ["O'Neill 100%", "Beta & Co"]


async def test_fetchxml_pages_follow_the_cookie(sdk: Sdk) -> None:
    xml = (
        """<fetch count="3"><entity name="account"><attribute name="name"/><order attribute="name"/></entity></fetch>"""
    )
    pages = await sdk.pages(lambda c: c.query.fetchxml(xml).execute_pages())
    assert [[row["name"] for row in page] for page in pages] == [
        ["Alpha", "Beta & Co", "Gamma+Delta"],
        ["O'Neill 100%"],
    ]


async def test_fetchxml_links(sdk: Sdk) -> None:
    account = (await sdk(lambda c: c.records.list("account", filter="name eq 'Alpha'"))).first()["accountid"]
    values = {"lastname": "Linked", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
    await sdk(lambda c: c.records.create("contact", values))
    xml = """<fetch><entity name="contact"><attribute name="lastname"/>
      <filter><condition attribute="lastname" operator="eq" value="Linked"/></filter>
      <link-entity name="account" from="accountid" to="parentcustomerid" alias="company" link-type="inner">
      <attribute name="name"/></link-entity></entity></fetch>"""
    rows = await sdk(lambda c: c.query.fetchxml(xml).execute())
    assert [(row["lastname"], row["company.name"]) for row in rows] == [("Linked", "Alpha")]


async def test_sql_columns(sdk: Sdk) -> None:
    columns = {column["name"]: column for column in await sdk(lambda c: c.query.sql_columns("account"))}
    assert columns["accountid"]["is_pk"]
    assert columns["name"]["is_name"]
    assert columns["revenue"]["type"] == "Money"
    assert columns["name"]["label"] == "Account Name"
    assert "revenue_base" not in columns
    everything = await sdk(lambda c: c.query.sql_columns("account", include_system=True))
    assert "revenue_base" in {column["name"] for column in everything}


async def test_odata_expands(sdk: Sdk) -> None:
    found = {item["nav_property"]: item for item in await sdk(lambda c: c.query.odata_expands("contact"))}
    assert found["parentcustomerid_account"]["target_entity_set"] == "accounts"
    assert found["parentcustomerid_account"]["relationship"] == "contact_customer_accounts"
    assert found["parentcustomerid_contact"]["target_table"] == "contact"
    tasks = {item["nav_property"] for item in await sdk(lambda c: c.query.odata_expands("task"))}
    assert {"ownerid_task", "regardingobjectid_account_task", "transactioncurrencyid_task"} <= tasks


async def test_deprecated_helpers_of_the_sync_client() -> None:
    async with connected("sync") as sdk:
        with pytest.warns(DeprecationWarning, match="odata_select"):
            assert "name" in await sdk(lambda c: c.query.odata_select("account"))
        with pytest.warns(DeprecationWarning, match="odata_expand"):
            assert await sdk(lambda c: c.query.odata_expand("contact", "account")) == "parentcustomerid_account"
        account = await sdk(lambda c: c.records.create("account", {"name": "Bound"}))
        with pytest.warns(DeprecationWarning, match="odata_bind"):
            bind = await sdk(lambda c: c.query.odata_bind("contact", "account", account))
        key = await sdk(lambda c: c.records.create("contact", {"lastname": "Bound", **bind}))
        row = await sdk(lambda c: c.records.retrieve("contact", key, select=["_parentcustomerid_value"]))
        assert row["_parentcustomerid_value"] == account
