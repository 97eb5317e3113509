"""Who people are: as the payload says, as Slack vouches for them, and what their clients speak."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from commands.request import DeliveryFailed, Principal, Standing

from .api import NotInstalled, SlackApi, SlackError, Workspace
from .payload import Origin
from .tasks import Tasks

log = logging.getLogger(__name__)

PROFILE_SECONDS = 300.0
PROFILES = 20_000
FIRST_SECONDS = 0.4
SILENT_SECONDS = 30.0
"""How long Slack is left alone after it did not say who somebody is."""


class People:
    """Profiles are asked for once in five minutes; older ones serve for language and zone, never for identity."""

    def __init__(self, api: SlackApi, tasks: Tasks) -> None:
        self._api = api
        self._tasks = tasks
        self._asking: dict[tuple[Workspace, str], asyncio.Task[None]] = {}
        self._people: OrderedDict[tuple[Workspace, str], tuple[float, dict[str, Any]]] = OrderedDict()
        self._workspaces: OrderedDict[str, Workspace] = OrderedDict()

    def principal(self, origin: Origin) -> Principal:
        """Who acts, with what is known of them without asking Slack."""
        principal = origin.principal()
        self._workspaces[principal.key] = origin.workspace
        self._workspaces.move_to_end(principal.key)
        while len(self._workspaces) > PROFILES:
            self._workspaces.popitem(last=False)
        return principal

    async def known(self, principal: Principal) -> Principal:
        """The person with the locale and zone that dates and amounts are read by, even if Slack is slow to say them.

        What was known once serves at once and is renewed behind; the first time, Slack has `FIRST_SECONDS`.
        """
        where = self._workspaces.get(principal.key)
        if where is None:
            return principal
        kept = self._people.get((where, principal.user))
        if kept is None or kept[0] < time.monotonic():
            asked = self._asking.get((where, principal.user))
            if asked is None:
                asked = self._tasks.start(self._renew(where, principal.user), "ask Slack who somebody is")
                self._asking[where, principal.user] = asked
            if kept is None:
                await asyncio.wait({asked}, timeout=FIRST_SECONDS)
                kept = self._people.get((where, principal.user))
        return profiled(principal, where, kept[1]) if kept and kept[1] else principal

    async def _renew(self, where: Workspace, user: str) -> None:
        try:
            await self.user(where, user)
        except (SlackError, NotInstalled) as error:
            log.info("Slack does not say who somebody is: %s", error)
            old = self._people.get((where, user))
            self._people[where, user] = (time.monotonic() + SILENT_SECONDS, old[1] if old else {})
        finally:
            self._asking.pop((where, user), None)

    async def profile(self, principal: Principal) -> Principal:
        """The person as Slack vouches for them now. Raises DeliveryFailed where Slack cannot say."""
        where = self._workspaces.get(principal.key)
        if where is None:  # after a restart; an organisation's id starts with E
            enterprise = principal.tenant.startswith("E")
            where = Workspace("", principal.tenant) if enterprise else Workspace(principal.tenant)
        try:
            return profiled(principal, where, await self.user(where, principal.user))
        except SlackError as error:
            if error.code in ("user_not_found", "user_not_visible"):
                return replace(principal, standing=Standing.STRANGER, email="")
            sentence = f"Slack cannot say who you are just now ({error.code}). Nothing was done; try again in a minute."
            raise DeliveryFailed(sentence, again=error.again, retry_after=error.retry_after) from error
        except NotInstalled as error:
            raise DeliveryFailed(f"{error}; install it again at /slack/install.", again=False) from error

    async def user(self, where: Workspace, user: str) -> dict[str, Any]:
        """Slack's record of a user, at most five minutes old. Raises SlackError, NotInstalled."""
        kept = self._people.get((where, user))
        if kept and kept[0] > time.monotonic() and kept[1]:
            return kept[1]
        answer = await self._api.call(where, "users_info", patience=2.0, user=user, include_locale=True)
        found = dict(answer["user"])
        self._people[where, user] = (time.monotonic() + PROFILE_SECONDS, found)
        while len(self._people) > PROFILES:
            self._people.popitem(last=False)
        return found

    async def names(self, where: Workspace, users: Iterable[str]) -> dict[str, str]:
        """Display names by user id, as far as Slack tells them."""
        found = {}
        for user in users:
            try:
                found[user] = name_of(await self.user(where, user))
            except (SlackError, NotInstalled):
                continue
        return found


def name_of(user: Mapping[str, Any]) -> str:
    """How a user is called."""
    profile = user.get("profile") or {}
    return str(
        profile.get("real_name") or user.get("real_name") or profile.get("display_name") or user.get("name") or ""
    )


def profiled(principal: Principal, where: Workspace, user: Mapping[str, Any]) -> Principal:
    """The person with what Slack's record vouches for; an e-mail address only of a full member who has confirmed it."""
    standing = _standing(where, user)
    profile = user.get("profile") or {}
    vouched = standing is Standing.MEMBER and user.get("is_email_confirmed") is not False
    return replace(
        principal,
        name=name_of(user) or principal.name,
        email=str(profile.get("email") or "") if vouched else "",
        locale=str(user.get("locale") or principal.locale),
        timezone=str(user.get("tz") or principal.timezone),
        standing=Standing.STRANGER if principal.standing is Standing.STRANGER else standing,
    )


def _standing(where: Workspace, user: Mapping[str, Any]) -> Standing:
    if user.get("is_bot") or user.get("id") == "USLACKBOT":
        return Standing.BOT
    enterprise = (user.get("enterprise_user") or {}).get("enterprise_id", "")
    home = user.get("team_id", "")
    # In an organisation the payload's workspace may be the person's own, so it vouches for nothing.
    ours = where.enterprise in (enterprise, home) if where.enterprise else home == where.team
    if user.get("deleted") or user.get("is_stranger") or (home and not ours):
        return Standing.STRANGER
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Standing.GUEST
    return Standing.MEMBER
