"""Metadata: few requests, a copy on disk, names in any language, and payloads built from it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from crm import errors
from crm.auth import Application
from crm.client import Dataverse
from crm.metadata import Metadata
from crm.query import Query
from crm.records import Ref
from crm.tables import Kind
from tests.crm.metadata_sample import label, option
from tests.crm.server import Server

ID = UUID("00000000-0000-0000-0000-00000000000a")


@pytest.fixture
async def metadata(server: Server) -> AsyncIterator[Metadata]:
    async with Dataverse(server.url) as dataverse:
        yield dataverse.metadata


def named(server: Server, table: str, column: str) -> dict[str, Any]:
    """The raw metadata of a column, to be changed by a test."""
    attributes = next(t for t in server.tables if t["LogicalName"] == table)["Attributes"]
    return next(attribute for attribute in attributes if attribute["LogicalName"] == column)


async def test_everything_is_loaded_once_in_two_requests(server: Server, metadata: Metadata) -> None:
    leads = await asyncio.gather(*(metadata.table("lead") for _ in range(20)))
    assert len(server.seen) == 2
    assert leads[0].columns["subject"].max_length == 300
    assert leads[0].columns["customerid"].targets == {"account": "customerid_account", "contact": "customerid_contact"}
    assert "parentaccountidname" not in leads[0].columns
    assert (await metadata.table("account")).keys == (("accountnumber",),)


async def test_a_custom_table_is_fetched_when_it_is_first_needed(server: Server, metadata: Metadata) -> None:
    machine = await metadata.find_table("Maschinen")
    assert (machine.logical, machine.entity_set) == ("new_machine", "new_machines")
    assert len(server.seen) == 3
    await metadata.table("new_machine")
    assert len(server.seen) == 3


async def test_a_start_begins_with_the_copy_on_disk_and_asks_what_changed(server: Server, tmp_path: Path) -> None:
    async with Dataverse(server.url, cache_dir=tmp_path) as first:
        await first.metadata.load()
    server.seen.clear()
    async with Dataverse(server.url, cache_dir=tmp_path) as second:
        await second.metadata.load()
        assert second.metadata.known("lead")
        assert server.seen == []
        assert second.metadata._check
        await second.metadata._check
        assert len(server.seen) == 1
        assert await second.metadata.refresh() is False
        named(server, "lead", "subject")["DisplayName"] = label("Headline")
        server.stamp += 1
        assert await second.metadata.refresh() is True
        assert (await second.metadata.find_column("lead", "headline")).logical == "subject"


async def test_a_spoilt_copy_is_replaced(server: Server, tmp_path: Path) -> None:
    async with Dataverse(server.url, cache_dir=tmp_path) as first:
        await first.metadata.load()
    (copy,) = await asyncio.to_thread(lambda: list(tmp_path.glob("metadata-*.json")))
    copy.write_bytes(copy.read_bytes()[:-200])
    async with Dataverse(server.url, cache_dir=tmp_path) as second:
        await second.metadata.load()
        assert second.metadata.known("lead")
    assert copy.read_bytes().endswith(b"}")


async def test_a_renamed_label_appears_when_an_answer_tells_of_new_metadata(server: Server) -> None:
    version = "1"

    async def answer(request: Any) -> Any:
        from aiohttp import web

        if not request.path.endswith("/leads"):
            return None
        return web.json_response({"value": [], "@Microsoft.Dynamics.CRM.globalmetadataversion": version})

    server.override = answer
    async with Dataverse(server.url) as dataverse:
        await dataverse.metadata.load()
        session = dataverse.acting_as(Application())
        await session.page(Query("lead"))
        named(server, "lead", "leadqualitycode")["OptionSet"]["Options"][0] = option(1, "Blazing")
        server.stamp, version = 2, "2"
        await session.page(Query("lead"))
        assert dataverse.metadata._check
        await dataverse.metadata._check
        assert await dataverse.metadata.payload("lead", {"rating": "blazing"}) == {"leadqualitycode": 1}


async def test_columns_are_found_by_any_of_their_names(metadata: Metadata) -> None:
    for word in ("subject", "Subject", "TOPIC", "thema", "Th\u00e9ma"):
        assert (await metadata.find_column("lead", word)).logical == "subject"
    assert (await metadata.find_column("lead", "No. of employees")).kind is Kind.INTEGER
    with pytest.raises(errors.UnknownColumn, match="Did you mean") as caught:
        await metadata.find_column("lead", "topik")
    assert caught.value.allowed[0] == "Topic"
    with pytest.raises(errors.UnknownTable, match="Lead") as unknown:
        await metadata.find_table("leed")
    assert unknown.value.allowed[0].casefold() == "lead"


@pytest.mark.parametrize(
    ("values", "payload"),
    [
        ({"Topic": "Hi", "lastname": None}, {"subject": "Hi", "lastname": None}),
        ({"rating": "hot"}, {"leadqualitycode": 1}),
        ({"Bewertung": "heiss"}, {"leadqualitycode": 1}),
        ({"rating": "kal"}, {"leadqualitycode": 3}),
        ({"rating": 2}, {"leadqualitycode": 2}),
        ({"rating": "2"}, {"leadqualitycode": 2}),
        ({"tier": "gold"}, {"new_tier": 100000000}),
        ({"interests": "printers, 30"}, {"new_interests": "10,30"}),
        ({"interests": ["Paper"]}, {"new_interests": "30"}),
        ({"interests": []}, {"new_interests": None}),
        ({"donotemail": "Allow"}, {"donotemail": False}),
        ({"donotemail": True}, {"donotemail": True}),
        ({"budgetamount": Decimal("12.50")}, {"budgetamount": 12.5}),
        ({"budgetamount": "250000"}, {"budgetamount": 250000}),
        ({"numberofemployees": "12"}, {"numberofemployees": 12}),
        ({"estimatedclosedate": date(2026, 6, 30)}, {"estimatedclosedate": "2026-06-30"}),
        ({"estimatedclosedate": "2026-06-30"}, {"estimatedclosedate": "2026-06-30"}),
        ({"new_visit": datetime(2026, 6, 30, 12, tzinfo=UTC)}, {"new_visit": "2026-06-30T12:00:00Z"}),
        ({"parentaccountid": Ref("account", ID)}, {"parentaccountid@odata.bind": f"/accounts({ID})"}),
        ({"parentaccountid": str(ID)}, {"parentaccountid@odata.bind": f"/accounts({ID})"}),
        ({"customer": Ref("contact", ID)}, {"customerid_contact@odata.bind": f"/contacts({ID})"}),
        ({"owner": Ref("team", ID)}, {"ownerid@odata.bind": f"/teams({ID})"}),
        ({"parentaccountid": None}, {"parentaccountid@odata.bind": None}),
    ],
)
async def test_values_become_what_dataverse_takes(
    metadata: Metadata, values: dict[str, object], payload: dict[str, object]
) -> None:
    assert await metadata.payload("lead", values) == payload


@pytest.mark.parametrize(
    ("values", "expected", "says", "allowed"),
    [
        ({"nonsense": 1}, errors.UnknownColumn, "nonsense", ()),
        ({"rating": "boiling"}, errors.UnknownChoice, "It may be Hot, Warm or Cold", ("Hot", "Warm", "Cold")),
        ({"rating": 9}, errors.UnknownChoice, "Rating cannot be 9", ("Hot", "Warm", "Cold")),
        ({"tier": "g"}, errors.UnknownChoice, "may be Gold or Gold Plus", ("Gold", "Gold Plus")),
        ({"lastname": "x" * 51}, errors.ValueTooLong, "at most 50 characters; this has 51", ()),
        ({"lastname": "😀" * 26}, errors.ValueTooLong, "this has 52", ()),
        ({"numberofemployees": -1}, errors.ValueOutOfRange, "between 0 and 1,000,000", ()),
        ({"numberofemployees": 1.5}, errors.WrongType, "whole number", ()),
        ({"budgetamount": "much"}, errors.WrongType, "needs a number", ()),
        ({"budgetamount": "NaN"}, errors.WrongType, "needs a number", ()),
        ({"budgetamount": 1e13}, errors.ValueOutOfRange, "Budget Amount", ()),
        ({"estimatedclosedate": "soon"}, errors.WrongType, "needs a date", ()),
        ({"donotemail": "perhaps"}, errors.UnknownChoice, "Allow", ("Do Not Allow", "Allow")),
        ({"fullname": "x"}, errors.ReadOnlyColumn, "cannot be set", ()),
        ({"parentaccountid": Ref("contact", ID)}, errors.WrongType, "only of account", ("account",)),
        ({"customer": str(ID)}, errors.WrongType, "say which", ("account", "contact")),
        ({"parentaccountid": "Contoso"}, errors.WrongType, "needs a row", ()),
        ({"subject": "a", "Topic": "b"}, errors.ValueProblem, "given twice, as 'subject' and as 'Topic'", ()),
        ({"subject": {"a": 1}}, errors.WrongType, "needs a text", ()),
    ],
)
async def test_a_wrong_value_is_refused_before_anything_is_sent(
    server: Server,
    metadata: Metadata,
    values: dict[str, object],
    expected: type[errors.ValueProblem],
    says: str,
    allowed: tuple[str, ...],
) -> None:
    with pytest.raises(errors.ValueProblem, match=says) as caught:
        await metadata.payload("lead", values)
    assert type(caught.value) is expected
    assert set(allowed) <= set(caught.value.allowed)
    assert caught.value.table == "lead"
    assert caught.value.column
    assert all("Metadata" in seen.path for seen in server.seen)


async def test_what_may_be_set_may_not_always_be_changed(metadata: Metadata) -> None:
    assert await metadata.payload("lead", {"leadid": ID}) == {"leadid": str(ID)}
    with pytest.raises(errors.ReadOnlyColumn, match="cannot be changed"):
        await metadata.payload("lead", {"leadid": ID}, for_update=True)
