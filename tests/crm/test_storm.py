"""Bad weather: every row exactly once, nobody starves, and lists do not fill memory."""

import asyncio
import gc
import os
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid5

import pytest
from aiohttp import web

from crm.auth import Application, Impersonated
from crm.client import Dataverse, Session
from crm.emulator import Emulator
from crm.errors import DuplicateId, NotFound, VersionMismatch
from crm.exchange import Retries
from crm.limits import Breaker, Identity, LocalLimits
from crm.query import Query, col
from crm.records import Ref
from tests.crm.server import Fault, Server

NAMESPACE = UUID("6f1f3a52-6f0e-4a36-9d0c-0d5a3b6c1e11")
PATIENT = Retries(attempts=20, first=0.001, longest=0.01)


ANNA, BEN, CHIARA = (UUID(f"00000000-0000-4000-8000-0000000000a{n}") for n in (1, 2, 3))
WEATHER: tuple[dict[str, Any], ...] = (
    {"status": 429, "retry_after": 0},
    {"status": 503},
    {"status": 504, "commit": True},
    {"drop": "before"},
    {"drop": "after"},
)
"""Each hits six of a hundred requests; two of them carry the request out first."""


async def storm(rows: int) -> tuple[int, int]:
    """Create rows in bad weather, and check them: how many requests it took, and how many of them met a fault."""
    async with Emulator(seed="contoso") as emulator:
        for fault in WEATHER:
            emulator.fail(match="^POST .*/leads", chance=0.06, count=rows, **fault)
        async with Dataverse(emulator.url, retries=PATIENT, breaker=Breaker(failures=10_000)) as dataverse:
            callers = (Application(), Impersonated(ANNA), Impersonated(BEN), Impersonated(CHIARA))
            people = [dataverse.acting_as(caller) for caller in callers]

            async def create(number: int) -> Ref:
                payload = {"subject": f"Row {number}", "lastname": "Storm"}
                return await people[number % 4].create("lead", payload, id=uuid5(NAMESPACE, str(number)))

            refs = await asyncio.gather(*(create(number) for number in range(rows)))
            requests = emulator.requests.matching("^POST .*/leads")
            emulator.faults.clear()
            query = Query("lead").select("subject").where(col("lastname") == "Storm")
            found = [row async for row in people[0].list(query, page_size=500)]
        assert {row.ref for row in found} == set(refs)
        assert sorted(row["subject"] for row in found) == sorted(f"Row {number}" for number in range(rows))
        return len(requests), sum(entry.injected for entry in requests)


async def test_creates_through_a_storm_happen_exactly_once() -> None:
    requests, faults = await storm(200)
    assert requests > 200
    assert faults > 20  # the storm was one


@pytest.mark.soak
async def test_a_thousand_creates_through_a_storm_happen_exactly_once() -> None:
    for _ in range(int(os.environ.get("SOAK_STORMS") or 5)):
        requests, faults = await storm(1000)
        print(f"1,000 rows, {requests} requests, {faults} of them met a fault")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as running:
        yield running


@pytest.fixture
async def patient(emulator: Emulator) -> AsyncIterator[Session]:
    async with Dataverse(emulator.url, retries=PATIENT) as dataverse:
        yield dataverse.acting_as(Application())


async def test_a_lost_answer_with_another_rows_values_is_not_taken_for_ours(
    emulator: Emulator, patient: Session
) -> None:
    theirs = await patient.create("lead", {"subject": "theirs"}, id=uuid5(NAMESPACE, "contested"))
    emulator.fail(drop="before")
    with pytest.raises(DuplicateId) as caught:
        await patient.create("lead", {"subject": "ours"}, id=theirs.id)
    assert caught.value.outcome_unknown
    assert (await patient.get(theirs, select=["subject"]))["subject"] == "theirs"


async def test_an_update_whose_answer_was_lost_says_that_the_mismatch_may_be_its_own_echo(
    emulator: Emulator, patient: Session
) -> None:
    ref = await patient.create("lead", {"subject": "before"})
    etag = (await patient.get(ref)).etag
    assert etag
    emulator.fail(drop="after")
    with pytest.raises(VersionMismatch) as caught:
        await patient.update(ref, {"subject": "after"}, etag=etag)
    assert caught.value.outcome_unknown
    assert await patient.holds(ref, {"subject": "after"})


async def test_a_delete_whose_answer_was_lost_is_a_success(emulator: Emulator, patient: Session) -> None:
    ref = await patient.create("lead", {"subject": "x"})
    emulator.fail(drop="after")
    await patient.delete(ref)
    with pytest.raises(NotFound):
        await patient.get(ref)


async def test_two_hundred_people_share_twenty_places_fairly() -> None:
    """One of them asks for a hundred things at once; the others still get their turn."""
    people = 200
    waits: dict[int, list[float]] = {}
    async with Server() as server:
        server.fault_for = lambda _: Fault(delay=0.01)
        limits = LocalLimits(per_user=8, per_application=20)
        async with Dataverse(server.url, limits=limits) as dataverse:

            async def ask(person: int) -> None:
                start = time.monotonic()
                await dataverse.acting_as(Impersonated(UUID(int=person + 1))).who_am_i()
                waits.setdefault(person, []).append(time.monotonic() - start)

            greedy = [ask(0) for _ in range(100)]
            await asyncio.gather(*greedy, *(ask(person) for person in range(1, people)))
    first = [person_waits[0] for person, person_waits in waits.items() if person]
    assert server.most_in_flight <= 20
    assert len(first) == people - 1
    # Without turns, everyone would stand behind the hundred.
    assert max(first) < sorted(waits[0])[50]


async def test_nothing_exceeds_a_persons_own_limit(server: Server) -> None:
    server.fault_for = lambda _: Fault(delay=0.005)
    async with Dataverse(server.url, limits=LocalLimits(per_user=3, per_application=40)) as dataverse:
        session = dataverse.acting_as(Impersonated(UUID(int=5)))
        await asyncio.gather(*(session.who_am_i() for _ in range(30)))
    assert server.most_in_flight == 3


async def test_giving_up_while_waiting_leaves_the_places_free() -> None:
    limits = LocalLimits(per_user=1, per_application=1)
    identity = Identity("anna", "application")
    entered = asyncio.Event()

    async def hold(until: asyncio.Event) -> None:
        async with limits.slot(identity, patience=9):
            entered.set()
            await until.wait()

    leave = asyncio.Event()
    holder = asyncio.create_task(hold(leave))
    await entered.wait()
    waiting = [asyncio.create_task(hold(leave)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    leave.set()
    waiting[1].cancel()  # in the very moment in which the place may be given to it
    done = await asyncio.gather(holder, *waiting, return_exceptions=True)
    assert [type(result).__name__ for result in done].count("CancelledError") == 4
    async with asyncio.timeout(1), limits.slot(identity, patience=9):
        pass
    assert limits._pools == {}


async def stream(rows: int, page: int) -> tuple[int, int]:
    """Rows read, and the peak of memory in bytes while reading."""
    pages = -(-rows // page)

    async def answer(request: web.Request) -> web.StreamResponse:
        number = int(request.query.get("$skiptoken", 0))
        value = [
            {
                "@odata.etag": 'W/"1"',
                "leadid": str(UUID(int=number * page + n)),
                "subject": f"Row {number * page + n} " + "x" * 80,
            }
            for n in range(min(page, rows - number * page))
        ]
        body: dict[str, object] = {"value": value}
        if number + 1 < pages:
            body["@odata.nextLink"] = f"{server.url}/api/data/v9.2/leads?$skiptoken={number + 1}"
        return web.json_response(body)

    async with Server() as server:
        server.override = answer
        async with Dataverse(server.url) as dataverse:
            session = dataverse.acting_as(Application())
            gc.collect()
            tracemalloc.start()
            read = 0
            async for row in session.list(Query("lead").select("subject"), page_size=page):
                assert row["subject"]
                read += 1
                server.seen.clear()
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    return read, peak


async def test_a_long_list_streams_in_constant_memory() -> None:
    short, long = await stream(1000, 500), await stream(4000, 500)
    assert (short[0], long[0]) == (1000, 4000)
    assert long[1] < short[1] * 1.5


@pytest.mark.soak
async def test_a_hundred_thousand_rows_stream_in_constant_memory() -> None:
    short, long = await stream(2500, 500), await stream(100_000, 500)
    print(f"peak: {short[1] / 2**20:.1f} MB for 2,500 rows, {long[1] / 2**20:.1f} MB for 100,000")
    assert long[0] == 100_000
    assert long[1] < short[1] * 1.5
