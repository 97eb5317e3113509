"""Who is calling: checks the bearer token of every inbound activity.

The rules are those of "Authentication with the Bot Connector API" (learn.microsoft.com/azure/bot-service). Unlike the
SDK's own check, a bad token is always `Unauthorised`, keys are fetched without blocking the loop, and a key that is not
known yet is looked up at once, so that Microsoft's key rollover is not an outage.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import jwt

from .activity import Activity
from .times import TIMES

LEEWAY: Final = 300
"""Seconds of clock difference that are forgiven."""
KEYS_AGE: Final = 24 * 3600.0
"""Seconds after which keys are fetched again, while the old ones still serve."""
FETCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
CHANNEL: Final = "msteams"
"""The only channel that is believed. In others (Direct Line, Web Chat) the client itself says who its person is and
which tenant they are of, and the Bot Framework signs that with the same keys."""

log = logging.getLogger(__name__)


class Unauthorised(Exception):
    """The token does not prove that the Bot Framework sent this activity: HTTP 401. The text is for the log only."""


class KeysUnavailable(Exception):
    """The issuer's keys cannot be had just now: HTTP 503, and the Bot Framework tries again."""


@dataclass(frozen=True, slots=True)
class _Key:
    key: Any
    endorsements: frozenset[str]


class SigningKeys:
    """The issuer's public keys by id, fetched over OpenID discovery with one request at a time."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        metadata_url: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        gap: float = TIMES.keys,
    ) -> None:
        """`gap`: seconds between two look-ups of unknown keys."""
        self._session, self._url, self._clock, self._gap = session, metadata_url, clock, gap
        self._keys: dict[str, _Key] = {}
        self._fetched = self._asked = -KEYS_AGE * 2
        self._lock = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    async def get(self, kid: str) -> _Key:
        """The key. Raises Unauthorised for one the issuer does not have, KeysUnavailable when none could be fetched."""
        found = self._keys.get(kid)
        if found is None:
            await self._look_up(kid)
            found = self._keys.get(kid)
            if found is None:
                raise Unauthorised("the token's key is not one of the issuer's")
        elif self._clock() - self._fetched > KEYS_AGE and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._renew())
        return found

    async def warm(self) -> None:
        """Fetches the keys ahead of need; a failure is logged, and the first activity tries again."""
        await self._renew()

    async def close(self) -> None:
        """Ends a renewal that is under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    async def _look_up(self, kid: str) -> None:
        async with self._lock:
            if kid in self._keys or (self._keys and self._clock() - self._asked < self._gap):
                return
            self._asked = self._clock()
            try:
                await self._fetch()
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as e:
                log.warning("the keys of %s cannot be fetched: %r", self._url, e)
                raise KeysUnavailable from e

    async def _renew(self) -> None:
        try:
            async with self._lock:
                self._asked = self._clock()
                await self._fetch()
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as e:
            self._fetched = self._clock() - KEYS_AGE + self._gap
            log.warning("the keys of %s cannot be renewed, the old ones serve on: %r", self._url, e)

    async def _fetch(self) -> None:
        document = await self._json(self._url)
        keys = {}
        for item in (await self._json(document["jwks_uri"]))["keys"]:
            if item.get("kty") == "RSA" and item.get("kid"):
                keys[item["kid"]] = _Key(
                    jwt.PyJWK.from_dict(item, algorithm="RS256").key, frozenset(item.get("endorsements") or ())
                )
        if not keys:
            raise ValueError("no usable key")
        self._keys, self._fetched = keys, self._clock()

    async def _json(self, url: str) -> Any:
        async with self._session.get(url, timeout=FETCH_TIMEOUT, allow_redirects=False) as response:
            response.raise_for_status()
            return await response.json(content_type=None)


class TokenCheck:
    """Decides whether an activity comes from the Bot Framework and is meant for this bot and these tenants."""

    def __init__(
        self,
        keys: SigningKeys,
        *,
        app_id: str,
        issuer: str,
        tenants: frozenset[str],
        may_answer: Callable[[str], bool],
    ) -> None:
        """`may_answer`: whether this service URL may be answered, for what cannot be answered is not done either."""
        self._keys, self._app_id, self._issuer = keys, app_id, issuer
        self._tenants, self._may_answer = frozenset(t.lower() for t in tenants), may_answer

    async def check(self, authorization: str | None, activity: Activity) -> None:
        """Returns when the activity may be believed.

        Raises:
            Unauthorised: no token, or one that is not good for this activity.
            KeysUnavailable: nobody can tell just now.
        """
        claims = await self._claims(authorization)
        address = activity.reference.service_url
        claimed = claims.get("serviceurl") or claims.get("serviceUrl")
        if not address or not isinstance(claimed, str) or claimed.rstrip("/") != address.rstrip("/"):
            raise Unauthorised("the token is for another service URL than the activity names")
        if not self._may_answer(address):
            raise Unauthorised(f"{address[:100]!r} is not an address of Microsoft Teams")
        if activity.reference.channel_id != CHANNEL:
            raise Unauthorised(f"it came by {activity.reference.channel_id[:40]!r} and not by Teams")
        if activity.tenant.lower() not in self._tenants:
            raise Unauthorised(f"people of tenant {activity.tenant or '(none)'} are not let in")

    async def _claims(self, authorization: str | None) -> Mapping[str, Any]:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorised("there is no bearer token")
        token = token.strip()
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if header.get("alg") != "RS256" or not isinstance(kid, str):
                raise Unauthorised("the token is not signed with RS256 and a named key")
            key = await self._keys.get(kid)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                audience=self._app_id,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as e:
            raise Unauthorised(f"the token is not valid: {e}") from e
        if key.endorsements and CHANNEL not in key.endorsements:
            raise Unauthorised("the token's key is not endorsed for Microsoft Teams")
        return claims
