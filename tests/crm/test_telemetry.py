"""Spans, counters and logs: everything an operator needs, and no secret."""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from crm.auth import Application, Demand, Token, TokenAuth
from crm.client import Dataverse
from crm.errors import CrmError, Forbidden
from crm.exchange import Retries
from tests.crm.server import Fault, Server

TOKEN = "eyJ-the-secret-token"
BODY = "the-secret-body"


async def give(_: Demand) -> Token:
    return Token(TOKEN, 3600)


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    provider = TracerProvider()
    memory = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    yield memory
    provider.shutdown()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"{name}_total", labels) or 0.0


async def test_a_call_is_one_span_and_one_count(
    server: Server, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    before = counted("crm_calls", table="lead", verb="create", status="204")
    retries = counted("crm_retries", table="lead", verb="create")
    server.faults.append(Fault(status=429, headers={"Retry-After": "0"}))
    async with Dataverse(server.url, auth=TokenAuth(give), retries=Retries(first=0.001)) as dataverse:
        session = dataverse.acting_as(Application())
        await session.create("lead", {"subject": BODY})
        server.faults.append(Fault(status=403, code="0x80040220", headers={"x-ms-service-request-id": "request-9"}))
        with pytest.raises(Forbidden):
            await session.create("lead", {"subject": BODY})
    assert counted("crm_calls", table="lead", verb="create", status="204") == before + 1
    assert counted("crm_retries", table="lead", verb="create") == retries + 1
    done, failed = exporter.get_finished_spans()[-2:]
    assert done.name == "dataverse create"
    assert done.attributes
    assert done.attributes["db.collection.name"] == "lead"
    assert done.attributes["http.request.resend_count"] == 1
    assert failed.attributes
    assert failed.attributes["error.type"] == "0x80040220"
    assert failed.attributes["dataverse.request_id"] == "request-9"
    assert "request-9" in caplog.text
    spoken = caplog.text + "".join(span.to_json() for span in exporter.get_finished_spans())
    assert TOKEN not in spoken
    assert BODY not in spoken


async def test_no_error_or_representation_shows_a_secret(server: Server) -> None:
    from crm.auth import Delegated
    from crm.credentials import Certificate, Secret
    from crm.entra import SignedIn

    shown = [Token(TOKEN, 1), Delegated("anna", TokenAuth(give)), Secret(TOKEN), SignedIn("a", "b", "c", "d", TOKEN)]
    assert TOKEN not in repr(shown)
    assert "passphrase" not in repr(Certificate(path=__file__, passphrase="passphrase"))  # type: ignore[arg-type]
    server.fault_for = lambda _: Fault(status=500)
    async with Dataverse(server.url, auth=TokenAuth(give)) as dataverse:
        with pytest.raises(CrmError) as caught:
            await dataverse.acting_as(Application()).create("lead", {"subject": BODY})
    assert TOKEN not in f"{caught.value!r} {vars(caught.value)}"


async def test_a_call_given_up_is_counted(server: Server) -> None:
    before = counted("crm_calls", table="lead", verb="create", status="cancelled")
    server.fault_for = lambda _: Fault(delay=5)
    async with Dataverse(server.url) as dataverse:
        call = asyncio.create_task(dataverse.acting_as(Application()).create("lead", {"subject": "x"}))
        await asyncio.wait_for(server.arrived.wait(), 60)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert counted("crm_calls", table="lead", verb="create", status="cancelled") == before + 1
