"""The Bot Framework connector over one pooled aiohttp session: send, update, delete, open a conversation.

It stands in for the SDK's own client, which opens a session per turn and blocks the loop. Routes: "Bot Connector API
reference" (learn.microsoft.com/azure/bot-service/rest-api); private messages: "Targeted messages" in the Teams docs.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from .clouds import may_send_to
from .credentials import AppTokens, NoToken
from .pace import Pace
from .settings import TeamsSettings

TIMEOUT: Final = aiohttp.ClientTimeout(total=20, connect=5)
TRIES: Final = 4
_PAGE: Final = 500
"""Members on a page of a roster; the most there is."""
LONGEST_WAIT: Final = 30.0
"""Seconds of Retry-After that are waited out here; longer ones go back to the caller."""
AGAIN: Final = frozenset({412, 429, 502, 504})
"""Statuses after which Microsoft asks to try again."""
GONE: Final = frozenset(
    {
        "BotNotInConversationRoster",
        "ConversationBlockedByUser",
        "BotDisabledByAdmin",
        "MessageWritesBlocked",
        "ConversationNotFound",
    }
)
"""Error codes that mean: stop writing there."""
NOT_ALLOWED: Final = "NotAllowed"
"""Our own code for an address that must not see the bot's token."""

log = logging.getLogger(__name__)


class ConnectorError(Exception):
    """Teams did not take a call. `unknown` says that it may have taken it all the same."""

    def __init__(self, status: int, code: str, *, unknown: bool = False, retry_after: float | None = None) -> None:
        super().__init__(f"the Teams connector answered {status or 'nothing'} {code}".rstrip())
        self.status, self.code, self.unknown, self.retry_after = status, code, unknown, retry_after

    @property
    def gone(self) -> bool:
        """The bot was removed, blocked or never there: trying again cannot help."""
        return self.code in GONE

    @property
    def again(self) -> bool:
        """A later try may succeed."""
        if self.gone or self.code == NOT_ALLOWED:
            return False
        return self.status in AGAIN or self.status == 0 or self.status >= 500


class Connector:
    """Calls to `serviceUrl`, each with the bot's token, and only to hosts that may see it."""

    def __init__(self, session: aiohttp.ClientSession, settings: TeamsSettings, tokens: AppTokens | None) -> None:
        self._session, self._settings, self._tokens = session, settings, tokens
        self._pace = Pace()

    async def send(
        self,
        service_url: str,
        conversation: str,
        body: Mapping[str, Any],
        *,
        reply_to: str = "",
        targeted: bool = False,
    ) -> str:
        """Posts an activity; returns its id. `targeted`: only `body["recipient"]` sees it."""
        path = f"conversations/{quote(conversation, safe='')}/activities"
        if reply_to:
            path += f"/{quote(reply_to, safe='')}"
        answer = await self._call("POST", service_url, path, conversation, body, targeted=targeted)
        return str(answer.get("id") or "")

    async def update(
        self, service_url: str, conversation: str, activity: str, body: Mapping[str, Any], *, targeted: bool = False
    ) -> None:
        """Replaces an activity that the bot sent, for everyone who sees it."""
        path = f"conversations/{quote(conversation, safe='')}/activities/{quote(activity, safe='')}"
        await self._call("PUT", service_url, path, conversation, body, targeted=targeted)

    async def delete(self, service_url: str, conversation: str, activity: str, *, targeted: bool = False) -> None:
        """Takes back an activity that the bot sent."""
        path = f"conversations/{quote(conversation, safe='')}/activities/{quote(activity, safe='')}"
        await self._call("DELETE", service_url, path, conversation, None, targeted=targeted)

    async def open(self, service_url: str, body: Mapping[str, Any]) -> str:
        """Opens (or finds) a conversation; returns its id. `body`: bot, members, tenantId, isGroup."""
        answer = await self._call("POST", service_url, "conversations", "", body)
        return str(answer.get("id") or "")

    async def team(self, service_url: str, team: str) -> str:
        """The Entra group behind a team, which is what Microsoft Graph knows it by; empty where there is none."""
        answer = await self._call("GET", service_url, f"teams/{quote(team, safe='')}", "", None)
        return str(answer.get("aadGroupId") or "")

    async def member(self, service_url: str, conversation: str, user: str) -> Mapping[str, Any]:
        """Somebody as the conversation's roster has them: `userRole`, `tenantId`, `userPrincipalName`, …"""
        path = f"conversations/{quote(conversation, safe='')}/members/{quote(user, safe='')}"
        return await self._call("GET", service_url, path, "", None)

    async def members(self, service_url: str, conversation: str) -> AsyncIterator[Mapping[str, Any]]:
        """Everybody on a conversation's roster, page by page; see `member`."""
        path = f"conversations/{quote(conversation, safe='')}/pagedmembers?pageSize={_PAGE}"
        token = ""
        while True:
            page = await self._call("GET", service_url, path + token, "", None)
            for member in page.get("members") or ():
                yield member
            if not (more := page.get("continuationToken")):
                return
            token = f"&continuationToken={quote(str(more), safe='')}"

    async def _headers(self, url: str) -> dict[str, str]:
        if not may_send_to(url, self._settings.addresses, loopback=self._settings.loopback):
            log.error("%r is not an address of Microsoft Teams: nothing is sent there", url[:100])
            raise ConnectorError(0, NOT_ALLOWED)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self._tokens is not None:
            try:
                token = await self._tokens.get(self._settings.token_tenant, self._settings.addresses.scope)
            except NoToken as e:
                raise ConnectorError(0, str(e)) from e
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def _call(
        self,
        method: str,
        service_url: str,
        path: str,
        paced: str,
        body: Mapping[str, Any] | None,
        *,
        targeted: bool = False,
    ) -> Mapping[str, Any]:
        url = f"{service_url.rstrip('/')}/v3/{path}" + ("?isTargetedActivity=true" if targeted else "")
        data = orjson.dumps(body) if body is not None else None
        for attempt in range(1, TRIES + 1):
            if paced and (wait := self._pace.book(paced)) > 0:
                await asyncio.sleep(wait)
            try:
                return await self._once(method, url, data)
            except ConnectorError as e:
                if e.status == 401 and attempt == 1 and self._tokens is not None:
                    self._tokens.forget(self._settings.token_tenant, self._settings.addresses.scope)
                    continue
                wait = e.retry_after if e.retry_after is not None else 0.5 * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                if e.status not in AGAIN or e.gone or attempt == TRIES or wait > LONGEST_WAIT:
                    raise
                if paced and e.status == 429:
                    self._pace.hold(paced, wait)
                else:
                    await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def _once(self, method: str, url: str, data: bytes | None) -> Mapping[str, Any]:
        headers = await self._headers(url)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as response:
                raw = await response.read()
        except aiohttp.ClientConnectorError as e:
            raise ConnectorError(0, "CannotConnect") from e
        except (aiohttp.ClientError, TimeoutError) as e:
            raise ConnectorError(0, type(e).__name__, unknown=True) from e
        answer = _object(raw)
        if response.status < 300:
            return answer
        error = answer.get("error")
        code = str(error.get("code") or "") if isinstance(error, Mapping) else str(answer.get("errorCode") or "")
        raise ConnectorError(response.status, code, retry_after=_seconds(response.headers.get("Retry-After")))


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _seconds(value: str | None) -> float | None:
    try:
        return max(float(value), 0.0) if value else None
    except ValueError:
        return None
