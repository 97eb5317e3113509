"""A plain HTTP client for the emulator's tests: requests as a stranger would write them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp
from yarl import URL

from crm.emulator import Emulator

API = "/api/data/v9.2"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def value(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.body["value"]
        return rows

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])

    @property
    def id(self) -> str:
        """The GUID in OData-EntityId, read in exactly that case, as the asynchronous SDK does."""
        return dict(self.headers)["OData-EntityId"].rsplit("(", 1)[1].rstrip(")")


class Api:
    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.session = session

    def url(self, path: str) -> str:
        return path if path.startswith("http") else f"{self.emulator.url}{API}/{path}"

    async def __call__(
        self,
        method: str,
        path: str,
        record: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | str | None = None,
        **query: str,
    ) -> Answer:
        """Send one request; `query` names options without their dollar sign (`filter="name eq 'x'"`)."""
        sent = dict(headers or {})
        if record is not None:
            data = json.dumps(record)
            sent.setdefault("Content-Type", "application/json")
        url = URL(self.url(path), encoded=True)
        if query:
            url = url.extend_query({f"${name}": value for name, value in query.items()})
        body = data.encode() if isinstance(data, str) else data
        async with self.session.request(method, url, data=body and BytesIO(body), headers=sent) as response:
            raw = await response.read()
            return Answer(response.status, dict(response.headers), raw.decode("utf-8", "replace"))

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None, **query: str) -> Answer:
        return await self("GET", path, headers=headers, **query)

    async def create(self, entity_set: str, record: Any, **headers: str) -> str:
        """Create a row and give its id."""
        answer = await self("POST", entity_set, record, headers=headers)
        assert answer.status == 204, answer.text
        return answer.id

    async def names(self, entity_set: str, column: str = "name", **query: str) -> list[Any]:
        """One column of a list."""
        answer = await self.get(entity_set, select=column, **query)
        assert answer.status == 200, answer.text
        return [row[column] for row in answer.value]


@asynccontextmanager
async def api(**options: Any) -> AsyncIterator[Api]:
    """An emulator and a client of it."""
    async with Emulator(**options) as emulator, aiohttp.ClientSession() as session:
        yield Api(emulator, session)
