"""Microsoft's SDK for Python: `client.batch` with every operation it has, change sets, and failures inside them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from .sdk import MODES, Sdk, connected


@pytest.fixture(scope="module", params=MODES)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    async with connected(request.param) as found:
        yield found


def statuses(result: Any) -> list[int]:
    return [response.status_code for response in result.responses]


async def test_records(sdk: Sdk) -> None:
    def create(b: Any) -> None:
        b.records.create("account", {"name": "Batch one"})
        b.records.create("account", [{"name": "Batch two"}, {"name": "Batch three"}])
        b.records.create("contact", {"lastname": "Batch & contact", "gendercode": "Female"})

    made = await sdk.batch(create)
    assert statuses(made) == [204, 200, 204]
    one, contact = made.entity_ids
    two, three = made.responses[1].data["Ids"]

    def change(b: Any) -> None:
        b.records.update("account", one, {"description": "changed"})
        b.records.update("account", [two, three], {"description": "changed"})
        b.records.retrieve("account", one, select=["name", "description"])
        b.records.list(
            "account", filter="name eq 'Batch two' or name eq 'no such name'", select=["name"], orderby=["name"], top=5
        )
        b.records.delete("contact", contact)
        b.records.retrieve("contact", contact)

    changed = await sdk.batch(change, continue_on_error=True)
    assert statuses(changed) == [204, 204, 200, 200, 204, 404]
    assert changed.responses[2].data["description"] == "changed"
    assert [row["name"] for row in changed.responses[3].data["value"]] == ["Batch two"]
    assert changed.failed[0].error_code == "0x80040217"

    removed = await sdk.batch(lambda b: b.records.delete("account", [one, two, three]))
    assert statuses(removed) == [200]
    assert removed.responses[0].data["JobId"]
    assert not list(await sdk(lambda c: c.records.list("account", filter="description eq 'changed'")))


async def test_upsert(sdk: Sdk) -> None:
    await sdk(lambda c: c.tables.create_alternate_key("account", "new_Number", ["accountnumber"]))
    items = [{"alternate_key": {"accountnumber": f"B{n}"}, "record": {"name": f"Upserted {n}"}} for n in range(3)]

    def fill(b: Any) -> None:
        b.records.upsert("account", items[:1])
        b.records.upsert("account", items)

    assert statuses(await sdk.batch(fill))[0] == 204
    rows = await sdk(lambda c: c.records.list("account", filter="startswith(accountnumber,'B')"))
    assert len(rows) == 3


async def test_queries(sdk: Sdk) -> None:
    await sdk(lambda c: c.records.create("lead", {"subject": "in a batch", "lastname": "O'Hara"}))
    result = await sdk.batch(lambda b: b.query.sql("SELECT lastname FROM lead WHERE lastname = 'O''Hara'"))
    assert [row["lastname"] for row in result.responses[0].data["value"]] == ["O'Hara"]


async def test_without_continue_on_error_the_first_failure_ends_it(sdk: Sdk) -> None:
    def fill(b: Any) -> None:
        b.records.create("account", {"name": "before the failure"})
        b.records.create("account", {"nosuchcolumn": 1})
        b.records.create("account", {"name": "after the failure"})

    result = await sdk.batch(fill)
    assert statuses(result) == [204, 400]
    assert result.failed[0].error_code == "0x80048d19"
    names = [
        row["name"] for row in await sdk(lambda c: c.records.list("account", filter="contains(name,'the failure')"))
    ]
    assert names == ["before the failure"]


async def test_a_change_set_refers_to_what_it_creates(sdk: Sdk) -> None:
    def fill(b: Any, changes: Any) -> None:
        contact = changes.records.create("contact", {"lastname": "Referred"})
        account = changes.records.create("account", {"name": "Refers", "primarycontactid@odata.bind": contact})
        changes.records.update("contact", contact, {"jobtitle": "Buyer"})
        changes.records.update("account", account, {"description": "complete"})
        b.records.list("account", filter="name eq 'Refers'", expand=["primarycontactid($select=lastname,jobtitle)"])

    result = await sdk.change_set(fill)
    assert statuses(result) == [204, 204, 204, 204, 200]
    account = result.responses[4].data["value"][0]
    assert account["description"] == "complete"
    assert (account["primarycontactid"]["lastname"], account["primarycontactid"]["jobtitle"]) == ("Referred", "Buyer")

    def remove(b: Any, changes: Any) -> None:
        del b
        changes.records.delete("account", account["accountid"])

    assert statuses(await sdk.change_set(remove)) == [204]


async def test_a_failing_change_set_leaves_nothing(sdk: Sdk) -> None:
    def fill(b: Any, changes: Any) -> None:
        changes.records.create("account", {"name": "rolled back"})
        changes.records.create("account", {"name": "x" * 500})
        b.records.create("account", {"name": "outside"})

    result = await sdk.change_set(fill, continue_on_error=True)
    assert statuses(result) == [400, 204]
    assert result.failed[0].error_code == "0x80044331"
    assert not list(await sdk(lambda c: c.records.list("account", filter="name eq 'rolled back'")))
    assert len(await sdk(lambda c: c.records.list("account", filter="name eq 'outside'"))) == 1


async def test_tables(sdk: Sdk) -> None:
    def create(b: Any) -> None:
        b.tables.create("new_Batched", {"new_Count": "int"})
        b.tables.get("new_Batched")
        b.tables.list(filter="IsCustomEntity eq true", select=["LogicalName"])

    made = await sdk.batch(create)
    assert [status < 300 for status in statuses(made)] == [True] * 3
    assert made.responses[1].data["value"][0]["EntitySetName"] == "new_batcheds"

    def extend(b: Any) -> None:
        b.tables.add_columns("new_Batched", {"new_A": "string", "new_B": "decimal"})
        b.tables.create_lookup_field("new_Batched", "new_AccountId", "account")

    assert statuses(await sdk.batch(extend)) == [204, 204, 204]
    named = await sdk.batch(lambda b: b.tables.get_relationship("account_new_batched_new_AccountId"))
    relationship = named.responses[0].data["value"][0]

    def reduce(b: Any) -> None:
        b.tables.delete_relationship(relationship["MetadataId"])
        b.tables.remove_columns("new_Batched", ["new_A", "new_B"])
        b.tables.delete("new_Batched")

    assert statuses(await sdk.batch(reduce)) == [204, 204, 204, 204]
    assert await sdk(lambda c: c.tables.get("new_Batched")) is None


async def test_relationships(sdk: Sdk) -> None:
    from PowerPlatform.Dataverse.models.labels import Label, LocalizedLabel
    from PowerPlatform.Dataverse.models.relationship import (
        LookupAttributeMetadata,
        ManyToManyRelationshipMetadata,
        OneToManyRelationshipMetadata,
    )

    lookup = LookupAttributeMetadata("new_LeadId", Label([LocalizedLabel("Lead", 1033)]))
    one = OneToManyRelationshipMetadata("new_Lead_Accounts", "lead", "account", "leadid")
    many = ManyToManyRelationshipMetadata("new_lead_systemuser", "lead", "systemuser")

    def fill(b: Any) -> None:
        b.tables.create_one_to_many_relationship(lookup, one)
        b.tables.create_many_to_many_relationship(many)

    assert statuses(await sdk.batch(fill)) == [204, 204]
    assert await sdk(lambda c: c.tables.get_relationship("new_Lead_Accounts"))
    assert await sdk(lambda c: c.tables.get_relationship("new_lead_systemuser"))
