"""Who calls, and the bearer token that proves it. Where tokens come from: `crm.entra`."""

import asyncio
import base64
import binascii
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeAlias
from uuid import UUID

import httpx

from .errors import CrmError

log = logging.getLogger("crm")


@dataclass(frozen=True, slots=True)
class Application:
    """The application user itself."""


@dataclass(frozen=True, slots=True)
class Impersonated:
    """A person, through the application user (`CallerObjectId`): rights are those that both have."""

    object_id: UUID
    """The person's Entra object id."""


@dataclass(frozen=True, slots=True)
class Delegated:
    """A person who signed in."""

    user: str
    """Names the person in limits and logs; the Entra object id."""
    auth: httpx.Auth = field(repr=False, compare=False)


Caller: TypeAlias = Application | Impersonated | Delegated


@dataclass(frozen=True, slots=True)
class Token:
    """An access token."""

    value: str = field(repr=False)
    expires_in: float
    """Seconds from now."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a new token must be better at than the present one."""

    fresh: bool = False
    """The present token was refused: a cached one will not do."""
    claims: str | None = None
    """A claims challenge to answer, as JSON."""


TokenSource = Callable[[Demand], Awaitable[Token]]

_CLAIMS = re.compile(r'claims="([^"]+)"')


def claims_challenge(header: str) -> str | None:
    """The claims that a `WWW-Authenticate` header asks for, as JSON.

    Source: Microsoft, "Claims challenges": `error="insufficient_claims", claims="<base64url>"`.
    """
    found = _CLAIMS.search(header)
    if not found or "insufficient_claims" not in header:
        return None
    text = found[1]
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


class TokenAuth(httpx.Auth):
    """Puts a bearer token on every request; gets a new one before it expires, or once when it is refused.

    However many requests wait, one of them asks for the token and the others share it.
    """

    def __init__(self, source: TokenSource, *, early: float = 300.0) -> None:
        self._source = source
        self._early = early
        self._token: str | None = None
        self._expires = 0.0
        self._failure: CrmError | None = None
        self._failed = 0.0
        self._lock = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    async def token(self, *, refused: str | None = None, claims: str | None = None) -> str:
        """A valid token, and another one than `refused`. Raises SignInError or Unreachable."""
        token = self._token
        if token is not None and token != refused:
            left = self._expires - monotonic()
            if left > self._early:
                return token
            if left > 0:
                # Still good: renew it behind the scenes, and do not make this request wait.
                if self._renewal is None or self._renewal.done():
                    self._renewal = asyncio.create_task(self._renew_quietly(), name="token renewal")
                return token
        began = monotonic()
        async with self._lock:
            if self._token is not None and self._token != refused and self._expires > monotonic():
                return self._token
            if self._failure and self._failed >= began:
                raise self._failure  # of whoever asked while we waited: asking again at once would not help
            return await self._renew(Demand(fresh=refused is not None, claims=claims))

    async def token_after(self, refused: str, challenge: str) -> str:
        """A token instead of one that was refused with this `WWW-Authenticate` header."""
        return await self.token(refused=refused, claims=claims_challenge(challenge))

    async def _renew(self, demand: Demand) -> str:
        try:
            token = await self._source(demand)
        except CrmError as error:
            self._failure, self._failed = error, monotonic()
            raise
        self._token = token.value
        self._expires = monotonic() + token.expires_in
        return token.value

    async def _renew_quietly(self) -> None:
        async with self._lock:
            if self._expires - monotonic() > self._early:
                return
            try:
                await self._renew(Demand(fresh=True))
            except CrmError as error:
                log.warning("the token could not be renewed yet, it is still valid: %s", error.message)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            token = await self.token_after(token, response.headers.get("WWW-Authenticate", ""))
            request.headers["Authorization"] = f"Bearer {token}"
            yield request

    def sync_auth_flow(
        self,
        request: httpx.Request,  # noqa: ARG002  httpx's signature
    ) -> Generator[httpx.Request, httpx.Response, None]:
        raise RuntimeError("TokenAuth works with httpx's async client only.")
