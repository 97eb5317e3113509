"""The inspector's pages: what people see of tables, rows and requests, and that nothing in a row can act."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from .api import Api, api

NASTY = "<script>alert(1)</script>\"'&amp; ünïcödé"


@dataclass
class Page(HTMLParser):
    """The text and links of a page, as a browser would read it."""

    status: int
    headers: dict[str, str]
    links: dict[str, str] = field(default_factory=dict)
    elements: set[str] = field(default_factory=set)
    text: str = ""
    _href: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        if tag == "a":
            self._href = str(dict(attrs).get("href") or "")

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"
        if self._href:
            self.links.setdefault(data, self._href)
            self._href = ""


async def visit(dataverse: Api, path: str = "/_emulator/", **query: str) -> Page:
    url = f"{dataverse.emulator.url}{path}"
    async with dataverse.session.get(url, params=query) as answer:
        page = Page(answer.status, dict(answer.headers))
        page.feed(await answer.text())
        return page


@pytest.fixture(scope="module")
async def contoso() -> AsyncIterator[Api]:
    async with api(seed="contoso") as client:
        yield client


async def test_from_the_tables_to_a_row(contoso: Api) -> None:
    home = await visit(contoso)
    assert home.status == 200
    count = len((await contoso.get("opportunities")).value)
    lines = [line for line in home.text.split("\n") if line.strip()]
    assert lines[lines.index("opportunities") + 1] == str(count)

    table = await visit(contoso, home.links["Opportunity"])
    assert f"opportunity · {count} rows" in table.text
    row = (await contoso.get("opportunities", top="1", filter="_customerid_value ne null")).value[0]
    assert row["name"] in table.links

    detail = await visit(contoso, table.links[row["name"]])
    assert row["opportunityid"] in detail.text
    assert row["_customerid_value"] in detail.text
    customer = (await contoso.get(f"accounts({row['_customerid_value']})", select="name")).body["name"]
    assert detail.links[customer] == f"/_emulator/tables/account/{row['_customerid_value']}"
    address = f"/api/data/v9.2/opportunities({row['opportunityid']})"
    assert detail.links[address] == address
    names = {name for name, value in row.items() if value is None and "@" not in name}
    assert names
    assert all(name in detail.text for name in names), "empty columns are named too"


async def test_every_table_can_be_opened(contoso: Api) -> None:
    home = await visit(contoso)
    tables = [link for link in home.links.values() if "/tables/" in link]
    assert len(tables) > 30
    for link in tables:
        assert (await visit(contoso, link)).status == 200, link


async def test_pages_and_finding(dataverse: Api) -> None:
    rows = [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": f"Number {n:03}"} for n in range(120)]
    made = await dataverse("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": rows})
    assert made.status == 200, made.text
    seen: set[str] = set()
    page, path = await visit(dataverse, "/_emulator/tables/account"), ""
    for number in (1, 2, 3):
        assert f"Page {number} of 3" in page.text
        names = {name for name in page.links if name.startswith("Number ")}
        assert len(names) == (50, 50, 20)[number - 1]
        assert not names & seen
        seen |= names
        path = page.links.get("Older →", "")
        if path:
            page = await visit(dataverse, path)
    assert not path
    assert len(seen) == 120
    found = await visit(dataverse, "/_emulator/tables/account", q="BER 11")
    assert {name for name in found.links if name.startswith("Number")} == {f"Number 11{n}" for n in range(10)}
    for odd in ("0", "-1", "x", "²", "999999", "9" * 30):
        assert (await visit(dataverse, "/_emulator/tables/account", page=odd)).status == 200, odd


async def test_nothing_that_is_shown_can_act(dataverse: Api) -> None:
    key = await dataverse.create("accounts", {"name": NASTY, "description": f"{NASTY}\nsecond line"})
    await dataverse.get("accounts", filter="name eq '<script>alert(2)</script>'")
    await dataverse.get("accounts", headers={"CallerObjectId": "<script>alert(3)</script>"})
    for path, shown in (
        ("/_emulator/", "<script>alert(2)"),
        ("/_emulator/log", "<script>alert(3)"),
        ("/_emulator/tables/account", NASTY),
        (f"/_emulator/tables/account/{key}", NASTY),
    ):
        page = await visit(dataverse, path, q="<script>") if path.endswith("account") else await visit(dataverse, path)
        assert "script" not in page.elements, path
        assert shown in page.text, path
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
        assert page.headers["X-Content-Type-Options"] == "nosniff"


async def test_requests_are_listed_newest_first(dataverse: Api) -> None:
    assert "Nobody has asked anything yet." in (await visit(dataverse)).text
    dataverse.emulator.fail(match="/contacts", status=503)
    for path in ("accounts", "contacts", "nothings"):
        await dataverse.get(path)
    page = await visit(dataverse, "/_emulator/log")
    places = [page.text.index(f"GET /v9.2/{path}") for path in ("nothings", "contacts", "accounts")]
    assert places == sorted(places)
    assert "a fault or limit interfered" in page.text


@pytest.mark.parametrize(
    "path", ["tables/nothing", "tables/account/x", "tables/account/00000000-0000-4000-8000-00000000dead", "nothing"]
)
async def test_what_is_not_there(contoso: Api, path: str) -> None:
    assert (await visit(contoso, f"/_emulator/{path}")).status == 404


async def test_the_style_is_its_own(contoso: Api) -> None:
    page = await visit(contoso, "/_emulator/inspector.css")
    assert page.headers["Content-Type"].startswith("text/css")
    assert "http" not in page.text


async def test_a_records_address_leads_to_its_row(contoso: Api) -> None:
    row = (await contoso.get("leads", top="1")).value[0]
    page = await visit(contoso, "/main.aspx", pagetype="entityrecord", etn="lead", id=row["leadid"])
    assert page.status == 200
    assert row["subject"] in page.text
    for etn, key in (("lead", "nonsense"), ("nonsense", row["leadid"]), ("", "")):
        assert (await visit(contoso, "/main.aspx", etn=etn, id=key)).status == 404


async def test_requests_say_who_asked_by_name(contoso: Api) -> None:
    user = (await contoso.get("systemusers", filter="lastname eq 'Weber'", top="1")).value[0]
    for named in (user["systemuserid"], user["azureactivedirectoryobjectid"].upper()):
        headers = {"MSCRMCallerID" if named == user["systemuserid"] else "CallerObjectId": named}
        async with contoso.session.get(f"{contoso.emulator.url}/api/data/v9.2/leads?$top=1", headers=headers) as answer:
            assert answer.status == 200
        page = await visit(contoso, "/_emulator/log")
        assert f" {named}" in page.text
        assert page.links["Anna Weber"] == f"/_emulator/tables/systemuser/{user['systemuserid']}"
