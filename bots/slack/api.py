"""Calls to Slack's Web API: one HTTP session for all, Slack's rates respected, tokens looked up per workspace."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

log = logging.getLogger(__name__)

ATTEMPTS = 4
POSTS_APART = 1.1
"""Seconds between posts to one channel: Slack's one a second, with room for what the network shifts."""
LONGEST_PAUSE = 120.0
"""Seconds; a longer Retry-After is the caller's to wait out, not a connection's."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where the app is installed: a workspace, or with an empty `team` a whole Enterprise organisation."""

    team: str
    enterprise: str = ""


class NotInstalled(Exception):
    """No usable token for this workspace: never installed, uninstalled, or revoked."""


class SlackError(Exception):
    """Slack refused a call. `code` is its error word (`channel_not_found`), or `ratelimited`, or `unreachable`."""

    def __init__(self, method: str, code: str, *, again: bool = False, retry_after: float | None = None) -> None:
        super().__init__(f"{method}: {code}")
        self.method, self.code, self.again, self.retry_after = method, code, again, retry_after


class Pace:
    """Turns, a fixed time apart, for each key; and pauses that hold a key back."""

    def __init__(self, apart: float) -> None:
        self._apart = apart
        self._free: dict[object, float] = {}

    async def turn(self, key: object) -> None:
        """Wait for this key's next turn."""
        now = time.monotonic()
        at = max(now, self._free.get(key, 0.0))
        self._free[key] = at + self._apart
        if len(self._free) > 1000:
            self._free = {k: t for k, t in self._free.items() if t > now}
        if at > now:
            await asyncio.sleep(at - now)

    def left(self, key: object) -> float:
        """Seconds until this key's next turn."""
        return max(0.0, self._free.get(key, 0.0) - time.monotonic())

    def hold(self, key: object, seconds: float) -> None:
        """No turn for this key before `seconds` have passed."""
        self._free[key] = max(self._free.get(key, 0.0), time.monotonic() + seconds)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`; unlike slack_sdk's own look-up, `NO_PROXY` counts."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("127.0.0.1", "localhost", "::1") or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)


class _Client(AsyncWebClient):
    """slack_sdk 3.47 makes its Basic header with a class of aiohttp that is to go; this makes it with the successor."""

    async def api_call(
        self, api_method: str, *, auth: dict[str, str] | None = None, headers: dict[str, str] | None = None, **rest: Any
    ) -> AsyncSlackResponse:
        if auth:
            basic = aiohttp.encode_basic_auth(auth["client_id"], auth["client_secret"])
            headers = {**(headers or {}), "Authorization": basic}
        return await super().api_call(api_method, headers=headers, **rest)


def web_client(base_url: str, session: aiohttp.ClientSession | None, token: str | None = None) -> AsyncWebClient:
    """A client over the shared session. Retries are ours (`SlackApi.call`), so that no post is sent twice blindly."""
    client = _Client(token=token, base_url=base_url, session=session, retry_handlers=[])
    client.proxy = proxy_for(base_url)
    return client


class SlackApi:
    """Web API calls on behalf of installed workspaces."""

    def __init__(self, base_url: str, token: Callable[[Workspace], Awaitable[str]]) -> None:
        self._base_url = base_url
        self.token = token
        self._session: aiohttp.ClientSession | None = None
        self._methods = Pace(0.0)
        self._channels = Pace(POSTS_APART)

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20, connect=5))

    async def stop(self) -> None:
        if self._session:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one session of the face. Raises RuntimeError before `start()`."""
        if self._session is None:
            raise RuntimeError("SlackApi.start() has not run")
        return self._session

    async def call(
        self, where: Workspace, method: str, /, *, patience: float = LONGEST_PAUSE, **arguments: Any
    ) -> dict[str, Any]:
        """Call a Web API method by slack_sdk's name for it (`chat_postMessage`).

        Posts to a channel leave one a second, as Slack asks; a 429 holds this method back for this workspace and is
        tried again after `Retry-After`, unless that is more than `patience` seconds. Raises SlackError, NotInstalled.
        """
        client = web_client(self._base_url, self.session, await self.token(where))
        if where.team and where.enterprise:
            client.default_params["team_id"] = where.team  # organisation-wide tokens need to be told which workspace
        key = (method, where)
        if method == "chat_postMessage":
            await self._channels.turn((where, arguments.get("channel")))
        for attempt in range(1, ATTEMPTS + 1):
            if (pause := self._methods.left(key)) > patience:
                raise SlackError(method, "ratelimited", again=True, retry_after=pause)
            await self._methods.turn(key)
            try:
                answer = await getattr(client, method)(**arguments)
            except SlackApiError as error:
                failure = _failure(method, error)
                if failure.retry_after is None or failure.retry_after > patience or attempt == ATTEMPTS:
                    raise failure from error
                log.info("Slack asks %s to wait %.0f s", method, failure.retry_after)
                self._methods.hold(key, failure.retry_after)
            except (TimeoutError, aiohttp.ClientError) as error:
                # A connection that was never made sent nothing; after anything else the outcome is unknown.
                if not isinstance(error, aiohttp.ClientConnectorError) or attempt == ATTEMPTS:
                    raise SlackError(method, "unreachable", again=True) from error
                await asyncio.sleep(0.2 * attempt)
            else:
                return dict(answer.data)
        raise AssertionError("unreachable: the last attempt returns or raises")


def _failure(method: str, error: SlackApiError) -> SlackError:
    response = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    if status == 429:
        try:
            pause = float(response.headers.get("Retry-After", 1))
        except ValueError:
            pause = 1.0
        return SlackError(method, "ratelimited", again=True, retry_after=pause)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if code is None or status >= 500:
        return SlackError(method, code or "unreachable", again=True)
    return SlackError(method, str(code), again=code in ("internal_error", "fatal_error", "service_unavailable"))
