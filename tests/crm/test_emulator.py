"""The client and the emulator, with a server between them that counts round trips and spoils the weather."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid5

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from crm.auth import Application
from crm.client import Dataverse, Session
from crm.emulator import Emulator
from crm.exchange import Retries
from crm.limits import Breaker
from crm.metadata import Metadata
from crm.query import Query, col
from crm.records import Row
from crm.tables import CASE, TABLES, Kind
from tests.crm.server import Fault, Seen, Server
from tests.crm.test_storm import weather

NAMESPACE = UUID("6f1f3a52-6f0e-4a36-9d0c-0d5a3b6c1e12")


@pytest.fixture
async def between() -> AsyncIterator[Server]:
    async with Emulator(db=":memory:") as emulator, aiohttp.ClientSession() as http, Server() as server:

        async def forward(request: web.Request) -> web.StreamResponse:
            url = URL(emulator.url + request.raw_path, encoded=True)
            body = await request.read()
            async with http.request(request.method, url, headers=request.headers, data=body or None) as answer:
                headers = {k: v for k, v in answer.headers.items() if k not in {"Content-Length", "Transfer-Encoding"}}
                return web.Response(status=answer.status, body=await answer.read(), headers=headers)

        server.override = forward
        yield server


@pytest.fixture
async def session(between: Server) -> AsyncIterator[Session]:
    retries = Retries(attempts=20, first=0.001, longest=0.01)
    async with Dataverse(between.url, retries=retries, breaker=Breaker(failures=10_000)) as dataverse:
        await dataverse.metadata.load()
        yield dataverse.acting_as(Application())


async def trips(server: Server, work: object) -> int:
    server.seen.clear()
    await work  # type: ignore[misc]
    return len(server.seen)


async def test_each_thing_costs_as_many_round_trips_as_it_must(between: Server, session: Session) -> None:
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
    assert await trips(between, create()) == 1
    assert await trips(between, session.update(account, {"name": "Contoso Ltd"}, returning=["name"])) == 1
    assert await trips(between, session.get(account, select=["name", "ownerid"])) == 1
    assert await trips(between, session.page(page, page_size=50)) == 1
    assert await trips(between, case_with_transcript()) == 1
    await session.update(account, {"name": "Contoso"})
    assert await trips(between, named()) == 2


async def test_a_storm_in_front_of_the_emulator_leaves_every_row_exactly_once(
    between: Server, session: Session
) -> None:
    faults = weather(7)

    def fault_for(_: Seen) -> Fault | None:
        return faults[len(between.seen) % len(faults)]

    between.fault_for = fault_for
    keys = [uuid5(NAMESPACE, str(number)) for number in range(60)]
    await asyncio.gather(
        *(session.create("lead", {"subject": f"Row {n}", "lastname": "x"}, id=key) for n, key in enumerate(keys))
    )
    between.fault_for = lambda _: None
    rows = [row async for row in session.list(Query("lead").select("subject"), page_size=25)]
    assert sorted(row["subject"] for row in rows) == sorted(f"Row {number}" for number in range(60))
    assert {row.ref.id for row in rows} == set(keys)


async def test_metadata_comes_in_few_requests_and_a_restart_needs_one(between: Server, tmp_path: Path) -> None:
    async with Dataverse(between.url, cache_dir=tmp_path) as first:
        assert await trips(between, first.metadata.load()) == 2
    async with Dataverse(between.url, cache_dir=tmp_path) as second:
        assert await trips(between, second.metadata.load()) == 0
        assert second.metadata._check
        assert await trips(between, asyncio.shield(second.metadata._check)) == 1
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
