"""The client and the emulator: round trips as the emulator counts them, and the same names on both sides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from crm.auth import Application
from crm.client import Dataverse, Session
from crm.emulator import Emulator
from crm.errors import CrmError
from crm.metadata import Metadata
from crm.query import Query, col
from crm.records import Row
from crm.tables import CASE, TABLES, Kind


@pytest.fixture(scope="module")
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as running:
        yield running


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[Session]:
    async with Dataverse(emulator.url) as dataverse:
        await dataverse.metadata.load()
        yield dataverse.acting_as(Application())


async def trips(emulator: Emulator, work: Awaitable[object]) -> int:
    """Requests that the work took, by the emulator's own log."""
    emulator.requests.clear()
    await work
    return emulator.requests.count()


async def test_each_thing_costs_as_many_round_trips_as_it_must(emulator: Emulator, session: Session) -> None:
    metadata = session.metadata
    account = await session.create("account", {"name": "Contoso"})

    async def create() -> None:
        payload = await metadata.payload("lead", {"Topic": "x", "rating": "hot", "Owner": None} | {"lastname": "y"})
        payload.pop("ownerid@odata.bind")
        await session.create("lead", payload, returning=["subject", "ownerid"])

    async def named() -> None:
        page = await session.page(Query("account").select("name").where(col("name") == "Contoso").top(2))
        payload = await metadata.payload("incident", {"title": "x", "customer": page.rows[0].ref})
        await session.create("incident", payload)

    async def case_with_transcript() -> None:
        payload = await metadata.payload("incident", {"title": "Printer on fire", "customer": account})
        assert CASE.notes
        notes = [{"subject": "Transcript", "notetext": "It burns."}]
        row = await session.create("incident", {**payload, CASE.notes: notes}, returning=["ticketnumber"])
        assert isinstance(row, Row)

    page = Query("account").select("name").where(col("name").contains("con")).count()
    assert await trips(emulator, create()) == 1
    assert await trips(emulator, session.update(account, {"name": "Contoso Ltd"}, returning=["name"])) == 1
    assert await trips(emulator, session.get(account, select=["name", "ownerid"])) == 1
    assert await trips(emulator, session.page(page, page_size=50)) == 1
    assert await trips(emulator, case_with_transcript()) == 1
    await session.update(account, {"name": "Contoso"})
    assert await trips(emulator, named()) == 2


async def test_a_query_too_long_for_an_address_is_asked_all_the_same(emulator: Emulator, session: Session) -> None:
    names = [f"Long company name {number:04d}" for number in range(1200)]
    for name in names[:5]:
        await session.create("account", {"name": name})
    query = Query("account").select("name").where(col("name").is_in(names)).order("name")

    async def read() -> None:
        found = [row["name"] async for row in session.list(query, page_size=2)]
        assert found == names[:5]

    assert await trips(emulator, read()) == 3
    assert {entry.path for entry in emulator.requests.entries} == {"/api/data/v9.2/$batch"}
    with pytest.raises(CrmError):
        await session.page(Query("account").where(col("nothing").is_in(names)))


async def test_metadata_comes_in_few_requests_and_a_restart_needs_one(emulator: Emulator, tmp_path: Path) -> None:
    async with Dataverse(emulator.url, cache_dir=tmp_path) as first:
        assert await trips(emulator, first.metadata.load()) == 2
    async with Dataverse(emulator.url, cache_dir=tmp_path) as second:
        assert await trips(emulator, second.metadata.load()) == 0
        assert second.metadata._check
        assert await trips(emulator, asyncio.shield(second.metadata._check)) == 1
        assert await second.metadata.refresh() is False


async def test_our_names_are_the_servers(session: Session) -> None:
    """`crm.tables` says which columns exist and what they hold; the organisation must agree."""
    metadata: Metadata = session.metadata
    for table in TABLES.values():
        info = await metadata.table(table.logical)
        assert (info.entity_set, info.primary_id, info.primary_name) == (
            table.entity_set,
            table.primary_id,
            table.primary_name,
        )
        for column in table.columns.values():
            theirs = info.columns[column.logical]
            alike = {column.kind, theirs.kind} <= {Kind.TEXT, Kind.EMAIL, Kind.PHONE, Kind.URL, Kind.MULTILINE}
            # People give a day where some organisations keep a moment.
            alike = alike or (column.kind, theirs.kind) == (Kind.DATE, Kind.DATETIME)
            assert alike or column.kind is theirs.kind, f"{table.logical}.{column.logical}: {theirs.kind}"
            assert set(column.targets) <= set(theirs.targets), f"{table.logical}.{column.logical}: {theirs.targets}"
