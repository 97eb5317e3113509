"""A canned Dataverse: a process that gives two prepared answers as fast as Python can, so that clients are measured."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

ROW_ID = "11111111-2222-3333-4444-555555555555"
ROWS = 50


def _row(number: int) -> dict[str, object]:
    """About 680 bytes, with the annotations that Dataverse adds."""
    owner = "00000000-0000-0000-0000-000000000001"
    return {
        "@odata.etag": f'W/"{1000 + number}"',
        "leadid": f"00000000-0000-0000-0000-{number:012d}",
        "subject": f"Interested in our printers, number {number}",
        "companyname": "Contoso Ltd.",
        "leadqualitycode": 1,
        "leadqualitycode@OData.Community.Display.V1.FormattedValue": "Hot",
        "budgetamount": 12500.5,
        "budgetamount@OData.Community.Display.V1.FormattedValue": "$12,500.50",
        "createdon": "2026-05-04T03:02:01Z",
        "createdon@OData.Community.Display.V1.FormattedValue": "5/4/2026 3:02 AM",
        "_ownerid_value": owner,
        "_ownerid_value@OData.Community.Display.V1.FormattedValue": "Anna Example",
        "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser",
    }


def _answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "OData-Version: 4.0", *headers]
    if body:
        lines += ["Content-Type: application/json; odata.metadata=minimal", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


LIST = _answer("200 OK", orjson.dumps({"@odata.context": "x#leads", "value": [_row(n) for n in range(ROWS)]}))
ENTITY = _answer(
    "200 OK",
    orjson.dumps({"value": [{"LogicalName": "lead", "EntitySetName": "leads", "PrimaryIdAttribute": "leadid"}]}),
)
EMPTY = _answer("200 OK", orjson.dumps({"value": []}))


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""
        host, port = transport.get_extra_info("sockname")[:2]
        entity = f"OData-EntityId: http://{host}:{port}/api/data/v9.2/leads({ROW_ID})"
        self._created = _answer("204 No Content", b"", entity)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(self._answer(head))

    def _answer(self, head: bytes) -> bytes:
        if head.startswith(b"post"):
            return self._created
        if b"attributes" in head.split(b"\r\n", 1)[0]:
            return EMPTY
        return ENTITY if b"entitydefinitions" in head.split(b"\r\n", 1)[0] else LIST


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def canned() -> Iterator[str]:
    """The process; gives its address."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.canned"], stdout=subprocess.PIPE)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_serve())
