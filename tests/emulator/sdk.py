"""Microsoft's SDK for Python, both its clients, unmodified, against an emulator on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
from PowerPlatform.Dataverse.aio.async_client import AsyncDataverseClient
from PowerPlatform.Dataverse.client import DataverseClient

from crm.emulator import Emulator

MODES = ("sync", "async")


class _Token:
    token = "any"
    expires_on = 4_102_444_800


class _Credential:
    def get_token(self, *scopes: str) -> _Token:
        assert scopes[0].endswith("/.default")
        return _Token()


class _AsyncCredential:
    async def get_token(self, *scopes: str) -> _Token:
        return _Credential().get_token(*scopes)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        pass


class Sdk:
    """One way to call both clients: `await sdk(lambda client: client.records.create(…))`."""

    def __init__(self, emulator: Emulator, client: DataverseClient | AsyncDataverseClient) -> None:
        self.emulator = emulator
        self.client: Any = client

    @property
    def is_async(self) -> bool:
        return isinstance(self.client, AsyncDataverseClient)

    async def __call__(self, call: Callable[[Any], Any]) -> Any:
        """The result of a call: awaited, or made in a thread, as a blocking client must be."""
        if self.is_async:
            return await call(self.client)
        return await asyncio.to_thread(call, self.client)

    async def pages(self, call: Callable[[Any], Any]) -> list[Any]:
        """All pages that a call iterates over."""
        if self.is_async:
            return [page async for page in call(self.client)]
        return await asyncio.to_thread(lambda: list(call(self.client)))

    async def batch(self, fill: Callable[[Any], None], **options: Any) -> Any:
        """A batch request, filled and sent."""
        request = self.client.batch.new()
        fill(request)
        if self.is_async:
            return await request.execute(**options)
        return await asyncio.to_thread(lambda: request.execute(**options))

    async def change_set(self, fill: Callable[[Any, Any], None], **options: Any) -> Any:
        """A batch request that holds one change set."""
        request = self.client.batch.new()
        if self.is_async:
            async with request.changeset() as changes:
                fill(request, changes)
            return await request.execute(**options)
        with request.changeset() as changes:
            fill(request, changes)
        return await asyncio.to_thread(lambda: request.execute(**options))


@asynccontextmanager
async def connected(mode: str, *, seed: str | None = None) -> AsyncIterator[Sdk]:
    """A fresh emulator and its client: `sync` over TLS (that client takes nothing else), `async` over plain HTTP."""
    async with Emulator(tls=mode == "sync", seed=seed, require_token=True) as emulator:
        if mode == "async":
            async with AsyncDataverseClient(emulator.url, _AsyncCredential()) as async_client:
                yield Sdk(emulator, async_client)
            return
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("REQUESTS_CA_BUNDLE", str(emulator.certificate))
            client = DataverseClient(emulator.url, _Credential())
            try:
                yield Sdk(emulator, client)
            finally:
                client.close()
