"""From a person on a chat platform to the Dynamics user that their calls run as."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from crm.auth import Application, Caller, Impersonated
from crm.client import Dataverse
from crm.query import Condition, Query, col
from crm.session import Session
from crm.tables import USER

from .errors import NotAccepted, NotAllowed, NotConnected
from .request import DeliveryFailed, Faces, Principal, Standing


class Identity(StrEnum):
    """CRMCHAT_IDENTITY."""

    IMPERSONATION = "impersonation"
    APPLICATION = "application"


NOBODY = "-"
"""The user of an agent that was told nobody to act for; only with an emulator, where it is the application."""
_CACHED = 300.0
_CACHE_SIZE = 20_000


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    email: str
    until: float


class People:
    """Finds the Dynamics user of a principal, and opens a session as that user."""

    def __init__(
        self, dataverse: Dataverse, *, identity: Identity, faces: Faces, unknown_as_application: bool = False
    ) -> None:
        self._dataverse = dataverse
        self._identity = identity
        self._faces = faces
        self._unknown_as_application = unknown_as_application
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def session(self, principal: Principal) -> Session:
        """Dataverse as this person. Raises NotConnected with a sentence that says how to get access."""
        if self._identity is Identity.APPLICATION:
            return self._dataverse.acting_as(Application())
        return self._dataverse.acting_as((await self._who(principal)).caller)

    async def session_of(self, person: str) -> Session:
        """Dataverse as somebody named by an e-mail address or Entra object id; policy has allowed it. See `session`."""
        if self._identity is not Identity.IMPERSONATION:
            raise NotConnected(
                "Acting for somebody else needs CRMCHAT_IDENTITY=impersonation.",
                "Leave out user_id, and act as yourself.",
            )
        column = col(USER.entra_id.logical) == UUID(person) if _is_guid(person) else col(USER.email.logical) == person
        return self._dataverse.acting_as((await self._one(column, person))[0])

    async def email(self, principal: Principal) -> str:
        """The address that the person's Dynamics user has; else the one that the platform vouches for, or nothing."""
        if self._identity is Identity.APPLICATION:
            face = self._faces.get(principal.platform)
            return (await face.profile(principal) if face else principal).email
        return (await self._who(principal)).email

    async def _who(self, principal: Principal) -> _Known:
        known = self._known.get(principal.key)
        if known is None or known.until < time.monotonic():
            known = _Known(*await self._find(principal), time.monotonic() + _CACHED)
            self._known[principal.key] = known
            while len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        return known

    async def _find(self, principal: Principal) -> tuple[Caller, str]:
        try:
            return await self._match(principal)
        except NotConnected:
            nameless = principal.user == NOBODY and self._dataverse.organisation.loopback
            if self._unknown_as_application or nameless:
                return Application(), ""
            raise

    async def _match(self, principal: Principal) -> tuple[Caller, str]:
        if principal.entra_id and _is_guid(principal.entra_id):
            return await self._one(col(USER.entra_id.logical) == UUID(principal.entra_id), principal.name)
        face = self._faces.get(principal.platform)
        try:
            vouched = await face.profile(principal) if face else principal
        except DeliveryFailed as e:
            raise NotAccepted(
                "Who you are cannot be checked just now, so nothing was done.", "Try again in a minute."
            ) from e
        if vouched.standing is not Standing.MEMBER:
            # Not NotConnected: nobody else's access may stand in for a guest's or a stranger's.
            raise NotAllowed(
                "Guests and people of other organisations cannot use Dynamics 365 here.",
                "Ask a colleague who is a full member, or your administrator.",
            )
        if not vouched.email:
            raise NotConnected(
                "Only full members of this workspace with a confirmed e-mail address can use Dynamics 365 here.",
                "Ask a colleague who is a member, or your administrator.",
            )
        return await self._one(col(USER.email.logical) == vouched.email, vouched.email)

    async def _one(self, condition: Condition, who: str) -> tuple[Caller, str]:
        app = self._dataverse.acting_as(Application())
        query = (
            Query(USER.logical)
            .select(USER.full_name.logical, USER.entra_id.logical, USER.email.logical, USER.disabled.logical)
            .where(condition)
            .top(3)
        )
        rows = [r for r in (await app.page(query)).rows if not r.get(USER.disabled.logical)]
        if len(rows) == 1 and rows[0].get(USER.entra_id.logical):
            return Impersonated(UUID(str(rows[0][USER.entra_id.logical]))), str(rows[0].get(USER.email.logical) or "")
        found = "more than one enabled Dynamics 365 user" if len(rows) > 1 else "no enabled Dynamics 365 user"
        raise NotConnected(
            f"There is {found} for {who or 'you'}.",
            "Ask your Dynamics administrator for a licence and a user with this e-mail address, then try again.",
        )


def _is_guid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
