"""The bot's own tokens: asked for once per tenant and scope, kept until shortly before they expire."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp

EARLY: Final = 300.0
"""Seconds before its end that a token is renewed."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


class NoToken(Exception):
    """The authority gave no token, or could not be reached; the text is for the log and holds no secret."""

    def __init__(self, text: str, *, unreachable: bool = False) -> None:
        super().__init__(text)
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    expires: float


class AppTokens:
    """Client-credentials tokens of one app; simultaneous callers share one request."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        app_id: str,
        password: str,
        login_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._app_id, self._password = session, app_id, password
        self._login_url, self._clock = login_url.rstrip("/"), clock
        self._tokens: dict[tuple[str, str], _Token] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def get(self, tenant: str, scope: str) -> str:
        """A token that is good for some minutes yet. Raises NoToken."""
        name = (tenant, scope)
        token = self._tokens.get(name)
        if token is None or token.expires <= self._clock():
            async with self._locks.setdefault(name, asyncio.Lock()):
                token = self._tokens.get(name)
                if token is None or token.expires <= self._clock():
                    token = self._tokens[name] = await self._ask(tenant, scope)
        return token.value

    def forget(self, tenant: str, scope: str) -> None:
        """Drops a token that a service refused."""
        self._tokens.pop((tenant, scope), None)

    async def _ask(self, tenant: str, scope: str) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._app_id,
            "client_secret": self._password,
            "scope": scope,
        }
        url = f"{self._login_url}/{tenant}/oauth2/v2.0/token"
        try:
            async with self._session.post(url, data=form, timeout=TIMEOUT, allow_redirects=False) as response:
                answer = await response.json(content_type=None)
            if response.status == 200:
                return _Token(
                    str(answer["access_token"]),
                    self._clock() + max(float(answer.get("expires_in", 3600)) - EARLY, 30.0),
                )
            reason = str(answer.get("error", response.status)) if isinstance(answer, dict) else str(response.status)
        except (aiohttp.ClientConnectionError, TimeoutError) as e:
            raise NoToken(f"{url} cannot be reached: {type(e).__name__}", unreachable=True) from e
        except (aiohttp.ClientError, ValueError, KeyError, TypeError) as e:
            raise NoToken(f"{url} answers with no token: {type(e).__name__}") from e
        raise NoToken(f"{url} refuses to give the bot a token: {reason}")
