"""A scriptable server on loopback that speaks enough Dataverse for the client's hard cases.

The emulator is the ground for everything ordinary. This server is for what a server should never do: it drops
connections before and after committing, answers nonsense, and counts who asks how often.
"""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote
from uuid import uuid4

from aiohttp import web
from multidict import CIMultiDict

from tests.crm.metadata_sample import TABLES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: str
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Fault:
    """What happens instead of, or after, the ordinary answer."""

    status: int = 0
    code: str = ""
    message: str = "fault"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    commit: bool = False
    """The request is carried out first."""
    drop: bool = False
    """No answer: the connection is cut."""
    delay: float = 0.0
    """Seconds before anything else."""


class Server:
    """`async with Server() as server`: `server.url`, `server.seen`, `server.faults`, `server.rows`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.seen: list[Seen] = []
        self.arrived = asyncio.Event()
        self.faults: deque[Fault | None] = deque()
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.fault_for: Callable[[Seen], Fault | None] = lambda _: None
        self.override: Handler | None = None
        self.tables = json.loads(json.dumps(TABLES))
        self.stamp = 1
        self.in_flight = 0
        self.most_in_flight = 0
        self.version = 0

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=2**28)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(
            request.method,
            request.path.removeprefix("/api/data/v9.2"),
            unquote(request.query_string.replace("+", " ")),
            request.headers.copy(),
            await request.read(),
        )
        self.seen.append(seen)
        self.arrived.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(request, seen)
        finally:
            self.in_flight -= 1

    async def _answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else self.fault_for(seen)
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is None or fault.commit or not (fault.status or fault.drop):
            answer = (self.override and await self.override(request)) or self._ordinary(seen)
        if fault and fault.drop:
            assert request.transport
            request.transport.abort()
            return web.Response()
        if fault and fault.status:
            body = fault.body
            if body is None:
                body = json.dumps({"error": {"code": fault.code, "message": fault.message}}).encode()
            return web.Response(status=fault.status, body=body, content_type=fault.content_type, headers=fault.headers)
        return answer

    def _ordinary(self, seen: Seen) -> web.StreamResponse:
        name = seen.path.partition("?")[0].strip("/")
        if name.startswith("RetrieveMetadataChanges"):
            return self._metadata(seen)
        if name == "WhoAmI":
            return web.json_response({"UserId": str(uuid4()), "OrganizationId": str(uuid4())})
        table_set, _, key = name.partition("(")
        table = next((table for table in self.tables if table["EntitySetName"] == table_set), None)
        if table is None:
            return error(404, "0x8006088a", f"Resource not found for the segment '{name}'.")
        primary = table["PrimaryIdAttribute"]
        rows = self.rows.setdefault(table["LogicalName"], {})
        if seen.method == "POST":
            return self._create(seen, rows, primary, table_set)
        row_id = key.rstrip(")").lower()
        if not key:
            return web.json_response({"value": [dict(row) for row in rows.values()]})
        if row_id not in rows and (seen.method != "PATCH" or "If-Match" in seen.headers):
            return error(404, "0x80040217", f"{table['LogicalName']} With Id = {row_id} Does Not Exist")
        if seen.method == "GET":
            return web.json_response(rows[row_id])
        if seen.method == "DELETE":
            del rows[row_id]
            return web.Response(status=204)
        wanted = seen.headers.get("If-Match", "*")
        if wanted not in {"*", rows.get(row_id, {}).get("@odata.etag", "*")}:
            return error(412, "0x80060882", "The version of the existing record doesn't match the RowVersion property.")
        self.version += 1
        rows[row_id] = {**rows.get(row_id, {}), **seen.json, primary: row_id, "@odata.etag": f'W/"{self.version}"'}
        if "return=representation" in seen.headers.get("Prefer", ""):
            return web.json_response(rows[row_id])
        return web.Response(status=204)

    def _create(self, seen: Seen, rows: dict[str, dict[str, Any]], primary: str, table_set: str) -> web.StreamResponse:
        body = seen.json
        row_id = str(body.get(primary) or uuid4()).lower()
        if row_id in rows:
            return error(412, "0x80040237", "A record with matching key values already exists.")
        self.version += 1
        rows[row_id] = {**body, primary: row_id, "@odata.etag": f'W/"{self.version}"'}
        if "return=representation" in seen.headers.get("Prefer", ""):
            return web.json_response(rows[row_id], status=201)
        return web.Response(status=204, headers={"OData-EntityId": f"{self.url}/api/data/v9.2/{table_set}({row_id})"})

    def _metadata(self, seen: Seen) -> web.StreamResponse:
        query, _, stamp = seen.query.partition("&@p2=")
        wanted = json.loads(query.removeprefix("@p1="))
        names = {condition["Value"]["Value"] for condition in wanted.get("Criteria", {}).get("Conditions", ())}
        tables = [table for table in self.tables if not names or table["LogicalName"] in names]
        if stamp.strip("'") == str(self.stamp):
            tables = []
        if not names:
            tables = [{k: v for k, v in table.items() if k != "Attributes"} for table in tables]
        return web.json_response({"EntityMetadata": tables, "ServerVersionStamp": str(self.stamp)})


def error(status: int, code: str, message: str) -> web.Response:
    """A Dataverse error body."""
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
