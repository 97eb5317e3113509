"""Microsoft's SDK for Python: every public method of `client.records`."""

from collections.abc import AsyncIterator

import pytest
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models.upsert import UpsertItem

from .sdk import MODES, Sdk, connected


@pytest.fixture(scope="module", params=MODES)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    async with connected(request.param) as found:
        yield found


async def test_create_retrieve_update_delete(sdk: Sdk) -> None:
    key = await sdk(lambda c: c.records.create("account", {"Name": "Created", "numberofemployees": 7}))
    row = await sdk(lambda c: c.records.retrieve("account", key, select=["name", "numberofemployees"]))
    assert (row["name"], row["numberofemployees"]) == ("Created", 7)
    assert row.id == key
    assert row.etag.startswith('W/"')
    await sdk(lambda c: c.records.update("account", key, {"name": "Renamed"}))
    assert (await sdk(lambda c: c.records.retrieve("account", key)))["name"] == "Renamed"
    await sdk(lambda c: c.records.delete("account", key))
    assert await sdk(lambda c: c.records.retrieve("account", key)) is None


async def test_update_of_nothing_creates_nothing(sdk: Sdk) -> None:
    absent = "00000000-0000-4000-8000-00000000dead"
    with pytest.raises(HttpError) as caught:
        await sdk(lambda c: c.records.update("account", absent, {"name": "x"}))
    assert caught.value.status_code == 404
    assert await sdk(lambda c: c.records.retrieve("account", absent)) is None


async def test_many_at_once(sdk: Sdk) -> None:
    keys = await sdk(lambda c: c.records.create("account", [{"name": f"Bulk {n}"} for n in range(5)]))
    assert len(set(keys)) == 5
    await sdk(lambda c: c.records.update("account", keys, {"description": "same"}))
    await sdk(lambda c: c.records.update("account", keys[:2], [{"tickersymbol": "A"}, {"tickersymbol": "B"}]))
    rows = await sdk(
        lambda c: c.records.list("account", filter="description eq 'same'", select=["tickersymbol"], orderby=["name"])
    )
    assert [row["tickersymbol"] for row in rows] == ["A", "B", None, None, None]
    job = await sdk(lambda c: c.records.delete("account", keys[:3]))
    assert job
    assert await sdk(lambda c: c.records.delete("account", keys[3:], use_bulk_delete=False)) is None
    assert not list(await sdk(lambda c: c.records.list("account", filter="description eq 'same'")))


async def test_bulk_create_is_all_or_nothing(sdk: Sdk) -> None:
    rows = [{"name": "fits"}, {"name": "x" * 161}]
    with pytest.raises(HttpError) as caught:
        await sdk(lambda c: c.records.create("account", rows))
    assert caught.value.status_code == 400
    assert "maximum allowed length" in str(caught.value)
    assert not list(await sdk(lambda c: c.records.list("account", filter="name eq 'fits'")))


async def test_choices_are_written_by_their_label_in_any_language(sdk: Sdk) -> None:
    for label in ("Preferred Customer", "preferred customer", "Bevorzugter Kunde", "Привилегированный клиент"):
        values = {"name": "Labelled", "accountcategorycode": label}
        key = await sdk(lambda c, values=values: c.records.create("account", values))
        row = await sdk(
            lambda c, key=key: c.records.retrieve(
                "account",
                key,
                select=["accountcategorycode"],
                include_annotations="OData.Community.Display.V1.FormattedValue",
            )
        )
        assert row["accountcategorycode"] == 1
        shown = row["accountcategorycode@OData.Community.Display.V1.FormattedValue"]
        assert shown == "Preferred Customer"


async def test_lookups_and_expand(sdk: Sdk) -> None:
    account = await sdk(lambda c: c.records.create("account", {"name": "Parent O'Brien"}))
    contact = await sdk(
        lambda c: c.records.create(
            "contact", {"lastname": "Child", "parentcustomerid_account@odata.bind": f"/accounts({account})"}
        )
    )
    row = await sdk(lambda c: c.records.retrieve("contact", contact, expand=["parentcustomerid_account($select=name)"]))
    assert row["_parentcustomerid_value"] == account
    assert row["parentcustomerid_account"]["name"] == "Parent O'Brien"
    found = await sdk(
        lambda c: c.records.list(
            "account", filter="name eq 'Parent O''Brien'", select=["name"], expand=["contact_customer_accounts"]
        )
    )
    assert [child["lastname"] for child in found.first()["contact_customer_accounts"]] == ["Child"]


async def test_pages_and_their_limits(sdk: Sdk) -> None:
    await sdk(lambda c: c.records.create("lead", [{"subject": "page", "lastname": f"{n:02}"} for n in range(12)]))
    pages = await sdk.pages(
        lambda c: c.records.list_pages(
            "lead", filter="subject eq 'page'", select=["lastname"], orderby=["lastname"], page_size=5
        )
    )
    assert [len(list(page)) for page in pages] == [5, 5, 2]
    assert [row["lastname"] for page in pages for row in page] == [f"{n:02}" for n in range(12)]
    top = await sdk(lambda c: c.records.list("lead", filter="subject eq 'page'", top=3))
    assert len(top) == 3


async def test_upsert_by_alternate_key(sdk: Sdk) -> None:
    await sdk(lambda c: c.tables.create_alternate_key("account", "new_AccountNumber", ["accountnumber"]))
    one = UpsertItem({"accountnumber": "A'1"}, {"name": "First"})
    await sdk(lambda c: c.records.upsert("account", [one]))
    await sdk(lambda c: c.records.upsert("account", [UpsertItem({"accountnumber": "A'1"}, {"name": "Second"})]))
    both = [
        UpsertItem({"accountnumber": "A'1"}, {"name": "Third"}),
        {"alternate_key": {"accountnumber": "A2"}, "record": {"name": "New"}},
    ]
    await sdk(lambda c: c.records.upsert("account", both))
    rows = await sdk(lambda c: c.records.list("account", filter="accountnumber ne null", orderby=["accountnumber"]))
    assert [(row["accountnumber"], row["name"]) for row in rows] == [("A'1", "Third"), ("A2", "New")]
    by_key = await sdk(lambda c: c.records.retrieve("account", "accountnumber='A2'"))
    assert by_key["name"] == "New"


async def test_errors_carry_dataverse_codes(sdk: Sdk) -> None:
    with pytest.raises(HttpError) as unknown:
        await sdk(lambda c: c.records.create("account", {"nosuchcolumn": 1}))
    assert unknown.value.status_code == 400
    assert unknown.value.details["service_error_code"] == "0x80048d19"
    assert unknown.value.details["service_request_id"]
    with pytest.raises(MetadataError):
        await sdk(lambda c: c.records.create("nosuchtable", {"name": "x"}))
