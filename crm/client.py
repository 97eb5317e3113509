"""The Dataverse client: one organisation, one connection pool, many callers.

async with Dataverse(url, auth=auth) as dataverse:
    session = dataverse.acting_as(Impersonated(person))
    ref = await session.create("lead", {"subject": "Hello", "lastname": "Smith"}, id=row_id)
    async for row in session.list(Query("lead").select("subject").where(col("lastname") == "Smith")):
        ...
"""

import hashlib
import os
import ssl
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from . import address
from .application_sign_in import application_auth
from .auth import Application, Caller, Delegated
from .errors import ConfigurationError
from .exchange import Exchange, Retries
from .limits import Breaker, Limits, LocalLimits
from .metadata import Metadata
from .session import Session
from .transport import Transport

__all__ = ["Dataverse", "Session"]


class Dataverse:
    """One organisation. `auth` is the application user's; without it only delegated callers work (or an emulator)."""

    def __init__(
        self,
        url: str,
        *,
        auth: httpx.Auth | None = None,
        limits: Limits | None = None,
        cache_dir: Path | None = None,
        language: int = 1033,
        deadline: float = 60.0,
        retries: Retries = Retries(),  # noqa: B008  immutable
        breaker: Breaker | None = None,
        trusted_hosts: Collection[str] = (),
        ca_file: Path | None = None,
        connections: int = 100,
    ) -> None:
        self.organisation = address.organisation(url, trusted_hosts=trusted_hosts)
        self._transport = Transport(
            self.organisation.url,
            connections=connections,
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
        )
        self._auth = auth
        self._deadline = deadline
        self._exchange = Exchange(
            host=self.organisation.host,
            transport=self._transport,
            auth=auth,
            limits=limits or LocalLimits(),
            breaker=breaker or Breaker(),
            retries=retries,
        )
        self._reader: Caller = Application()
        cache = None
        if cache_dir:
            digest = hashlib.sha256(self.organisation.url.encode()).hexdigest()[:12]
            cache = cache_dir / f"metadata-{self.organisation.host}-{digest}.json"
        self.metadata = Metadata(self._fetch_metadata, cache=cache, language=language)

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """The organisation of `DATAVERSE_URL`, with the sign-in that the `AZURE_…` variables describe."""
        url = os.environ.get("DATAVERSE_URL", "")
        certificate = os.environ.get("AZURE_CLIENT_CERTIFICATE_PATH")
        auth = application_auth(
            url,
            tenant=os.environ.get("AZURE_TENANT_ID", ""),
            client_id=os.environ.get("AZURE_CLIENT_ID", ""),
            secret=os.environ.get("AZURE_CLIENT_SECRET", ""),
            certificate=Path(certificate) if certificate else None,
        )
        return cls(url, auth=auth, **options)

    @property
    def url(self) -> str:
        """The organisation's address, without a slash at the end."""
        return self.organisation.url

    def acting_as(self, caller: Caller, *, deadline: float | None = None) -> "Session":
        """Calls made as somebody; cheap. `deadline`: seconds for each call, retries and waiting included."""
        if isinstance(caller, Delegated):
            if self._auth is None and not self.organisation.loopback:
                self._reader = caller
        elif self._auth is None and not self.organisation.loopback:
            raise ConfigurationError(
                f"No application sign-in is configured for {self.organisation.host}, and this call needs one."
            )
        return Session(
            self.url,
            self._exchange,
            self.metadata,
            caller,
            deadline=self._deadline if deadline is None else deadline,
        )

    async def _fetch_metadata(self, path: str) -> Any:
        session = self.acting_as(self._reader, deadline=max(self._deadline, 120.0))
        return await session.get_json(path, verb="metadata")

    async def aclose(self) -> None:
        """Close connections and background work."""
        await self.metadata.aclose()
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
