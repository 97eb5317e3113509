"""Reading documents and rows by their address alone, as metadata tests do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp

from crm.emulator import Emulator

from .api import Api


class Documents(Api):
    """The plain client, taking addresses as people write them (spaces and all)."""

    def url(self, path: str) -> str:
        return super().url(quote(path, safe="/?&=$%@(),;:'*!+"))

    async def document(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """The body of a GET that succeeds."""
        answer = await self.get(path, headers=headers)
        assert answer.status == 200, answer.text
        return answer.body

    async def rows(self, path: str, headers: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The rows of a collection."""
        found: list[dict[str, Any]] = (await self.document(path, headers))["value"]
        return found


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Documents]:
    """An emulator with these options, and a reader of it."""
    async with Emulator(**options) as emulator, aiohttp.ClientSession() as session:
        yield Documents(emulator, session)
