"""A server that answers 200 with something that is not what was asked: one CrmError, never another exception."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from aiohttp import web

from crm.auth import Application, Impersonated
from crm.batch import Batch
from crm.client import Dataverse, Session
from crm.errors import BadAnswer, CrmError, Throttled
from crm.exchange import Retries
from crm.query import Query
from crm.records import Ref
from crm.transport import AnswerTooLargeError, Transport, failure
from tests.crm.server import Fault, Server

ID = str(uuid4())
LIES = [
    b"", b"null", b"[]", b"{}", b'"x"', b"5", b"true", b"\xff\xfe", b"[" * 100_000,
    b'{"value": null}', b'{"value": {}}', b'{"value": [null]}', b'{"value": [[]]}', b'{"value": "abc"}',
    b'{"value": [{"leadid": null}]}', b'{"value": [{"leadid": 5}]}', b'{"value": [{"leadid": "zz"}]}',
    b'{"leadid": "zz"}', b'{"leadid": 5}', b'{"value": [], "@odata.nextLink": 5}',
    b'{"UserId": 5}', b'{"UserId": "x"}', b'{"response": 5}', b'{"response": "[]"}',
    b'{"response": "{\\"Value\\": [{}]}"}', f'{{"annotationid": "{ID}", "documentbody": 5}}'.encode(),
    f'{{"annotationid": "{ID}", "documentbody": "###"}}'.encode(),
    b'{"EntityMetadata": 5}', b'{"EntityMetadata": [5]}', b'{"EntityMetadata": [{}]}',
    b'{"EntityMetadata": [{"LogicalName": "lead", "Attributes": 5}]}',
]  # fmt: skip


async def listed(session: Session) -> None:
    async for row in session.list(Query("lead").select("subject")):
        assert row.ref


async def searched(session: Session) -> None:
    for hit in await session.search("abc", {"lead": ["subject"]}):
        assert hit.row


async def read(session: Session) -> None:
    assert (await session.get(Ref("lead", uuid4()), select=["subject"])).ref


CALLS: list[Callable[[Session], Awaitable[object]]] = [
    listed, searched, read,
    lambda s: s.who_am_i(),
    lambda s: s.count(Query("lead")),
    lambda s: s.create("lead", {"subject": "x"}),
    lambda s: s.create("lead", {"subject": "x"}, id=uuid4()),
    lambda s: s.create("lead", {"subject": "x"}, returning=["subject"]),
    lambda s: s.update(Ref("lead", uuid4()), {"subject": "x"}),
    lambda s: s.update(Ref("lead", uuid4()), {"subject": "x"}, returning=["subject"]),
    lambda s: s.delete(Ref("lead", uuid4())),
    lambda s: s.holds(Ref("lead", uuid4()), {"subject": "x"}),
    lambda s: s.read_file(Ref("annotation", uuid4())),
]  # fmt: skip


async def tell(server: Server, calls: list[Callable[[Session], Awaitable[object]]], *, about_tables: bool) -> None:
    """Make the calls while the server lies, or tells the truth about its tables alone."""
    told = bytearray()

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if "RetrieveMetadataChanges" in request.path and not about_tables:
            return None
        return web.Response(body=bytes(told), content_type="application/json")

    server.override = answer
    async with Dataverse(server.url, retries=Retries(attempts=1)) as dataverse:
        session = dataverse.acting_as(Application())
        for lie in LIES:
            told[:] = lie
            for call in calls:
                with contextlib.suppress(CrmError):
                    await call(session)


async def test_no_lie_gets_through(server: Server) -> None:
    await tell(server, CALLS, about_tables=False)


async def test_no_lie_about_tables_gets_through(server: Server) -> None:
    await tell(server, [*CALLS, lambda s: s.metadata.table("lead"), lambda s: s.metadata.refresh()], about_tables=True)


async def test_what_was_known_of_tables_outlives_a_lie(server: Server) -> None:
    async with Dataverse(server.url, retries=Retries(attempts=1)) as dataverse:
        known = await dataverse.metadata.table("lead")
        server.stamp += 1
        whole, server.tables = server.tables, [{"LogicalName": "lead", "Attributes": [5]}]
        with pytest.raises(BadAnswer):
            await dataverse.metadata.refresh()
        assert await dataverse.metadata.table("lead") == known
        server.tables = whole
        assert await dataverse.metadata.refresh()


async def test_a_list_that_leads_to_itself_ends(server: Server, session: Session) -> None:
    link = f"{server.url}/api/data/v9.2/leads?$skiptoken=1"

    async def answer(request: web.Request) -> web.StreamResponse | None:
        return web.json_response({"value": [], "@odata.nextLink": link}) if "leads" in request.path else None

    server.override = answer
    with pytest.raises(BadAnswer, match="leads to itself"):
        await listed(session)


async def test_a_part_of_a_batch_that_lies_spoils_no_other(server: Server, session: Session) -> None:
    parts = [b'{"value": [5]}', json.dumps({"value": [{"leadid": ID, "subject": "x"}]}).encode()]
    head = b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if "$batch" not in request.path:
            return None
        body = b"".join(head + part + b"\r\n" for part in parts) + b"--b--\r\n"
        return web.Response(body=body, headers={"Content-Type": 'multipart/mixed; boundary="b"'})

    server.override = answer
    batch = Batch()
    first, second = batch.page(Query("lead")), batch.page(Query("lead"))
    results = await session.batch(batch)
    with pytest.raises(BadAnswer):
        results[first].page()
    assert results[second].page().rows[0]["subject"] == "x"


async def test_an_answer_that_unpacks_to_more_than_memory_should_hold_is_given_up(server: Server) -> None:
    async def answer(_: web.Request) -> web.StreamResponse | None:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=gzip.compress(b" " * 2**22), headers=headers)

    server.override = answer
    transport = Transport(server.url, largest=2**20)
    with pytest.raises(AnswerTooLargeError) as caught:
        await transport.send("GET", f"{server.url}/api/data/v9.2/WhoAmI", {}, None)
    await transport.aclose()
    error = failure(caught.value, "contoso.example")
    assert (type(error), error.status) == (BadAnswer, 200)
    assert "larger than 1 MB" in error.message


async def test_a_wait_of_days_shuts_nobody_out(server: Server) -> None:
    server.faults.append(Fault(status=429, code="0x80072322", headers={"Retry-After": "9" * 30}))
    async with Dataverse(server.url) as dataverse:
        session = dataverse.acting_as(Impersonated(uuid4()))
        with pytest.raises(Throttled):
            await session.who_am_i()
        with pytest.raises(Throttled, match=r"wait (900|899) s"):
            await session.who_am_i()
        assert len(server.seen) == 1


async def test_a_call_that_is_given_up_in_the_middle_leaves_the_client_whole(server: Server) -> None:
    """Cancelled while the server is at work: the place is free again, the connection is not used for the next."""
    async with Dataverse(server.url) as dataverse:
        session = dataverse.acting_as(Application())
        for _ in range(50):  # more than there are places
            server.faults.append(Fault(delay=60))
            server.arrived.clear()
            call = asyncio.create_task(session.who_am_i())
            await server.arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert await session.who_am_i()
