"""Slack's Events API: who listens to what, and what concerns the app itself."""

import logging
import re

from slack_bolt.async_app import AsyncApp

from .api import Workspace
from .bolt import Authorize
from .desk import Desk
from .installations import Installations
from .once import Once
from .payload import Body
from .previews import Previews
from .speech import Speech

log = logging.getLogger(__name__)

CLOCKS_APART = 60
"""Seconds by which Slack's clock and ours may differ."""


class Events:
    """Registers itself with Bolt, a catch-all last: Slack counts unanswered events as failures."""

    def __init__(self, desk: Desk, app: AsyncApp, authorize: Authorize, installations: Installations) -> None:
        self._installations = installations
        once = Once(desk.seen, desk.tasks)
        speech, previews = Speech(desk, once, authorize), Previews(desk, once)
        app.event("app_mention")(speech.mention)
        app.event("message")(speech.message)
        app.event("reaction_added")(speech.reaction)
        app.event("app_home_opened")(previews.home)
        app.event("link_shared")(previews.link)
        app.event("entity_details_requested")(previews.details)
        app.event("app_uninstalled")(self.uninstalled)
        app.event("tokens_revoked")(self.revoked)
        app.event(re.compile(""))(self.other)

    async def other(self) -> None:
        """An event that we did not ask for."""

    async def uninstalled(self, body: Body) -> None:
        """Removed from a workspace: its tokens are forgotten."""
        await self._forget(body)

    async def revoked(self, body: Body) -> None:
        """Tokens taken back; only the bot's end the installation. Comes before or after `app_uninstalled`."""
        if (body["event"].get("tokens") or {}).get("bot"):
            await self._forget(body)

    async def _forget(self, body: Body) -> None:
        """A late delivery (Slack tries again for minutes, or a day) ends no installation that was made since."""
        where, at = _installed_at(body), body.get("event_time")
        if found := (await self._installations.read(where))[0]:
            if isinstance(at, int) and found.installed_at > at + CLOCKS_APART:
                log.info("an uninstallation of %s came after it was installed again", where.team or where.enterprise)
            else:
                await self._installations.delete(where)


def _installed_at(body: Body) -> Workspace:
    """The workspace, or the whole organisation where the installation is of that."""
    team, enterprise = str(body.get("team_id") or ""), str(body.get("enterprise_id") or "")
    authorization = (body.get("authorizations") or [{}])[0]
    if authorization.get("is_enterprise_install") is True and authorization.get("enterprise_id") == enterprise:
        return Workspace("", enterprise)
    return Workspace("" if team == enterprise else team, enterprise)
