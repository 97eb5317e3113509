"""Bot tokens: the one from the settings, or each workspace's own, refreshed by one process at a time.

Slack's refresh tokens work once, and an installation has at most two live access tokens, so a refresh that runs twice
at once revokes tokens in use. Bolt's own rotation has no lock; this one claims the row first (`Installations`).
"""

import asyncio
import logging
import time

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation

from .api import NotInstalled, SlackError, Workspace, web_client
from .installations import Installations, workspace_of
from .settings import SlackSettings
from .tasks import Tasks

log = logging.getLogger(__name__)

EARLY = 2 * 3600
"""Seconds before its end at which a token is refreshed in the background; Slack's tokens live twelve hours."""
LATE = 60
"""Seconds before its end at which a call waits for the new token."""
CLAIM = 30.0
"""Seconds that one process has for a refresh."""


class Tokens:
    """`get` is what every call to Slack asks for its token."""

    def __init__(self, settings: SlackSettings, installations: Installations, tasks: Tasks) -> None:
        self._settings = settings
        self._installations = installations
        self._tasks = tasks
        self._locks: dict[Workspace, asyncio.Lock] = {}
        self.session: aiohttp.ClientSession | None = None

    async def get(self, where: Workspace) -> str:
        """A usable bot token. Raises NotInstalled; SlackError if it has ended and cannot be refreshed now."""
        if self._settings.bot_token:
            return self._settings.bot_token
        found = await self._installations.find(where)
        if found is None or not found.bot_token:
            raise NotInstalled(f"crmchat is not installed in {where.team or where.enterprise}")
        if found.bot_token_expires_at is not None:
            left = found.bot_token_expires_at - time.time()
            if left < LATE:
                return await self.refresh(workspace_of(found), LATE)
            if left < EARLY and not self._lock(workspace_of(found)).locked():
                self._tasks.start(self.refresh(workspace_of(found), EARLY), "refresh a Slack token")
        return found.bot_token

    def _lock(self, where: Workspace) -> asyncio.Lock:
        return self._locks.setdefault(where, asyncio.Lock())

    async def refresh(self, where: Workspace, margin: float) -> str:
        """The token of this row, made new unless it lives longer than `margin` seconds."""
        async with self._lock(where):
            for _ in range(int(CLAIM) * 5):
                found, revision = await self._installations.read(where)
                if found is None or not found.bot_token:
                    raise NotInstalled(f"crmchat is not installed in {where.team or where.enterprise}")
                left = (found.bot_token_expires_at or float("inf")) - time.time()
                if left > margin:
                    return found.bot_token
                if owner := await self._installations.claim_rotation(where, revision, CLAIM):
                    return await self._rotate(where, found, owner)
                if left > LATE:  # another process is at it, and the old token still serves
                    return found.bot_token
                await asyncio.sleep(0.2)
        raise SlackError("oauth_v2_access", "ratelimited", again=True, retry_after=CLAIM)

    async def _rotate(self, where: Workspace, found: Installation, owner: str) -> str:
        client = web_client(self._settings.api_url, self.session)
        try:
            answer = await client.oauth_v2_access(
                client_id=self._settings.client_id,
                client_secret=self._settings.client_secret,
                grant_type="refresh_token",
                refresh_token=found.bot_refresh_token,
            )
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            await self._installations.release_rotation(where, owner)
            code = error.response.get("error", "") if isinstance(error, SlackApiError) else "unreachable"
            log.warning("the Slack token of %s could not be refreshed: %s", where.team or where.enterprise, code)
            if found.bot_token and (found.bot_token_expires_at or 0) > time.time():
                return found.bot_token
            raise SlackError("oauth_v2_access", str(code), again=code == "unreachable") from error
        found.bot_token = str(answer["access_token"])
        found.bot_refresh_token = answer.get("refresh_token")
        found.bot_token_expires_at = int(time.time()) + int(answer.get("expires_in") or 43_200)
        if not await self._installations.save_rotated(found, owner):
            log.warning("%s was uninstalled while its token was refreshed", where.team or where.enterprise)
        return found.bot_token
