"""Whether a sender belongs to the organisation: the activity says who they are, the conversation's roster what.

An activity names the conversation's tenant, not its sender's. In a channel that is shared with other organisations, and
for guests, only the roster tells: `userRole` (`user`, `guest`, `anonymous`), `tenantId`, and a `userPrincipalName` with
`#EXT#`. Somebody who signed in nowhere has no `aadObjectId`. Source: Microsoft, "Get member details", "Build apps for
shared channels", "Apps for anonymous users".
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from commands.request import Principal, Standing

from .activity import PERSONAL, Activity
from .connector import Connector, ConnectorError
from .requests import THREAD
from .times import TIMES

OLD: Final = 24 * 3600.0
"""Seconds for which it serves while Teams does not say it anew."""
PATIENCE: Final = 1.0
"""Seconds; with the window of an answer and that of sending it, an invoke stays within its five."""
_KEPT: Final = 20_000
_ELSEWHERE: Final = frozenset({"MemberNotFoundInConversation", "ConversationNotFound", "BotNotInConversationRoster"})
"""The bot is no member there, or the sender none of its roster: Teams still vouches for the Entra id."""

log = logging.getLogger(__name__)


class Roster:
    """Standings by person and conversation."""

    def __init__(
        self, connector: Connector, tenants: frozenset[str], *, unsigned: bool = False, age: float = TIMES.standing
    ) -> None:
        """`unsigned`: without an app id, on loopback, nobody vouches for anybody: a connector needs no roster.

        `age`: seconds for which a person's standing in a conversation is believed.
        """
        self._age = age
        self._connector, self._tenants = connector, frozenset(t.lower() for t in tenants)
        self._silent = Standing.MEMBER if unsigned else Standing.UNKNOWN
        self._known: OrderedDict[tuple[str, str], tuple[float, Standing]] = OrderedDict()

    async def placed(self, who: Principal, activity: Activity) -> Principal:
        """The sender with their standing; UNKNOWN where Teams should have said it, and did not in time."""
        if not activity.sender.entra:
            return replace(who, standing=Standing.STRANGER)
        standing = await self._standing(activity)
        # An account of another organisation is none that Dynamics could know; a stranger may prove one of ours.
        return replace(who, standing=standing, entra_id="" if standing is Standing.STRANGER else who.entra_id)

    async def _standing(self, activity: Activity) -> Standing:
        conversation = activity.reference.conversation.partition(THREAD)[0]
        # Alone with the bot somebody is the same person wherever that is.
        key = ("" if activity.kind == PERSONAL else conversation, activity.sender.id)
        now = time.monotonic()
        until, standing = self._known.get(key, (0.0, self._silent))
        if now > until:
            try:
                standing = await self._asked(activity.reference.service_url, conversation, activity.sender.id)
                until = now + self._age
            except (ConnectorError, TimeoutError) as e:
                log.info("Teams does not say who somebody is: %s", type(e).__name__)
                if now > until + OLD - self._age:
                    return self._silent
            self._known[key] = (until, standing)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return standing

    async def _asked(self, service_url: str, conversation: str, sender: str) -> Standing:
        try:
            async with asyncio.timeout(PATIENCE):
                member = await self._connector.member(service_url, conversation, sender)
        except ConnectorError as e:
            if unknown_there(e):
                return Standing.MEMBER
            raise
        return self.read(member)

    def read(self, member: Mapping[str, Any]) -> Standing:
        """What an entry of a roster says."""
        role = str(member.get("userRole") or "user").lower()
        tenant = str(member.get("tenantId") or "").lower()
        if role not in ("user", "guest") or (tenant and self._tenants and tenant not in self._tenants):
            return Standing.STRANGER
        guest = role == "guest" or "#ext#" in str(member.get("userPrincipalName") or "").lower()
        return Standing.GUEST if guest else Standing.MEMBER


def unknown_there(e: ConnectorError) -> bool:
    """Teams keeps no roster for us there, or the person is not on it."""
    return e.code in _ELSEWHERE or e.status in (403, 404, 405, 501)
