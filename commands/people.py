"""From a person on a chat platform to the Dynamics user that their calls run as."""

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from crm.auth import Application, Caller, Delegated, Demand, Impersonated, Token, TokenAuth
from crm.client import Dataverse
from crm.errors import SignInRequired
from crm.query import Condition, Query, col
from crm.session import Session
from crm.tables import USER

from .connections import Connection
from .errors import NotAccepted, NotAllowed, NotConnected, SignInNeeded
from .request import OUTSIDERS, DeliveryFailed, Faces, Principal, Standing
from .signing_in import SignIn


class Identity(StrEnum):
    """CRMCHAT_IDENTITY."""

    IMPERSONATION = "impersonation"
    DELEGATED = "delegated"
    APPLICATION = "application"


NOBODY = "-"
"""The user of an agent that was told nobody to act for; only with an emulator, where it is the application."""
_PROVE = (
    "Guests and people of other organisations can use Dynamics 365 here once they have signed in with an account of "
    "this organisation."
)
_CACHED = 300.0
_CACHE_SIZE = 20_000


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    email: str
    until: float
    connection: str = ""
    """Id of the connection that this was found by; empty where it was found without one."""


class People:
    """Finds the Dynamics user of a principal, and opens a session as that user."""

    def __init__(
        self,
        dataverse: Dataverse,
        *,
        identity: Identity,
        faces: Faces,
        unknown_as_application: bool = False,
        sign_in: SignIn | None = None,
        email_domains: frozenset[str] = frozenset(),
    ) -> None:
        """`email_domains`: in lower case; only addresses of these say who somebody is. Empty: all do."""
        self._dataverse, self._domains = dataverse, email_domains
        self._identity = identity
        self._faces = faces
        self._unknown_as_application = unknown_as_application
        self._sign_in = sign_in
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._auths: OrderedDict[str, TokenAuth] = OrderedDict()
        """Tokens by the connection's id."""

    async def session(self, principal: Principal) -> Session:
        """Dataverse as this person. Raises NotConnected with a sentence that says how to get access."""
        if self._identity is Identity.APPLICATION:
            await self._vouched(principal)
            return self._dataverse.acting_as(Application())
        if self._identity is Identity.DELEGATED:
            return self._dataverse.acting_as(self._delegated(await self._connection(principal)))
        return self._dataverse.acting_as((await self._who(principal)).caller)

    async def admitted(self, principal: Principal) -> Principal:
        """A guest or stranger with whether they proved an account here; everybody else as they are.

        Raises SignInNeeded where they could prove one, and have not.
        """
        if principal.standing not in OUTSIDERS or self._sign_in is None:
            return principal
        if not await self._connected(principal):
            raise SignInNeeded(_PROVE, "If you have one, type: connect")
        return replace(principal, proved=True)

    def nobody(self) -> Session:
        """Dataverse as nobody: every call is refused before it leaves."""
        return self._dataverse.acting_as(Delegated(NOBODY, TokenAuth(_no_token)))

    async def session_of(self, person: str) -> Session:
        """Dataverse as somebody named by an e-mail address or Entra object id; policy has allowed it. See `session`."""
        if self._identity is not Identity.IMPERSONATION:
            raise NotConnected(
                "Acting for somebody else needs CRMCHAT_IDENTITY=impersonation.",
                "Leave out user_id, and act as yourself.",
            )
        column = col(USER.entra_id.logical) == UUID(person) if _is_guid(person) else col(USER.email.logical) == person
        return self._dataverse.acting_as((await self._one(column, person))[0])

    async def identified(self, principal: Principal) -> Principal:
        """The same person by what a policy may call them: the address and Entra id of their Dynamics user.

        Where everybody is the application, the address that the platform vouches for; what is not known stays empty.
        """
        if self._identity is Identity.APPLICATION:
            face = self._faces.get(principal.platform)
            return replace(principal, email=(await face.profile(principal)).email) if face else principal
        if principal.email and principal.entra_id:
            return principal
        who = await self._who(principal)
        own = str(who.caller.object_id) if isinstance(who.caller, Impersonated) else ""
        return replace(principal, email=principal.email or who.email, entra_id=principal.entra_id or own)

    async def _connection(self, principal: Principal) -> Connection:
        connection = await self._connected(principal)
        if connection is None:
            raise SignInNeeded("Connect your own account once, and everything you do here runs as you.")
        return connection

    async def _connected(self, principal: Principal) -> Connection | None:
        """The account that the person connected, looked up each time: other processes disconnect, too."""
        connection = await self._sign_in.connections.find(principal.key) if self._sign_in else None
        own = principal.entra_id.casefold()
        return None if connection and own and own != connection.object_id.casefold() else connection

    def _delegated(self, connection: Connection) -> Delegated:
        auth = self._auths.get(connection.id)
        if auth is None:
            assert self._sign_in is not None  # noqa: S101  it gave the connection
            auth = self._auths[connection.id] = self._sign_in.auth(connection, self._dataverse.url)
            while len(self._auths) > _CACHE_SIZE:
                self._auths.popitem(last=False)
        return Delegated(connection.object_id, auth)

    async def _who(self, principal: Principal) -> _Known:
        link = None
        if self._identity is Identity.DELEGATED:
            link = await self._connection(principal)
        elif self._sign_in and not principal.entra_id:
            link = await self._sign_in.connections.find(principal.key)
        by = link.id if link else ""
        known = self._known.get(principal.key)
        if known is None or known.until < time.monotonic() or known.connection != by:
            found = await (self._entra_user(link.object_id, link.username) if link else self._find(principal))
            known = _Known(*found, time.monotonic() + _CACHED, by)
            self._known[principal.key] = known
            while len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        return known

    async def _find(self, principal: Principal) -> tuple[Caller, str]:
        try:
            return await self._match(principal)
        except NotConnected as e:
            nameless = principal.user == NOBODY and self._dataverse.organisation.loopback
            if self._unknown_as_application or nameless:
                return Application(), ""
            raise self._or_sign_in(e, principal) from e
        except NotAllowed as e:
            raise self._or_sign_in(e, principal) from e

    def _or_sign_in(self, refusal: NotConnected | NotAllowed, principal: Principal) -> NotConnected | NotAllowed:
        """Whom the platform does not vouch for may prove who they are; Teams people are known by their account."""
        if self._sign_in is None or principal.entra_id or principal.standing is Standing.BOT:
            return refusal
        sentence = _PROVE if isinstance(refusal, NotAllowed) else refusal.sentence
        return SignInNeeded(sentence, "If you have a Dynamics 365 account here, connect it.")

    async def _entra_user(self, object_id: str, who: str) -> tuple[Caller, str]:
        return await self._one(col(USER.entra_id.logical) == UUID(object_id), who)

    async def _match(self, principal: Principal) -> tuple[Caller, str]:
        if principal.entra_id and _is_guid(principal.entra_id):
            return await self._entra_user(principal.entra_id, principal.name)
        vouched = await self._vouched(principal)
        if not vouched.email:
            raise NotConnected(
                "Only full members of this workspace with a confirmed e-mail address can use Dynamics 365 here.",
                "Ask a colleague who is a member, or your administrator.",
            )
        return await self._one(col(USER.email.logical) == vouched.email, vouched.email)

    async def _vouched(self, principal: Principal) -> Principal:
        """As the platform vouches for them now. Raises NotAllowed for whom it knows as no full member."""
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
        if face and vouched.email and self._domains and _domain(vouched.email) not in self._domains:
            raise NotConnected(
                f"Addresses of {_domain(vouched.email)} do not say who somebody is in Dynamics 365 here.",
                "Ask an administrator whether this domain belongs to your organisation (CRMCHAT_EMAIL_DOMAINS).",
            )
        return vouched

    async def _one(self, condition: Condition, who: str) -> tuple[Caller, str]:
        app = self._dataverse.acting_as(Application())
        query = (
            Query(USER.logical)
            .select(USER.full_name.logical, USER.entra_id.logical, USER.email.logical, USER.disabled.logical)
            .where(condition, col(USER.disabled.logical) == False)  # noqa: E712  becomes a condition
            .top(2)
        )
        rows = (await app.page(query)).rows
        if len(rows) == 1 and rows[0].get(USER.entra_id.logical):
            return Impersonated(UUID(str(rows[0][USER.entra_id.logical]))), str(rows[0].get(USER.email.logical) or "")
        found = "more than one enabled Dynamics 365 user" if len(rows) > 1 else "no enabled Dynamics 365 user"
        raise NotConnected(
            f"There is {found} for {who or 'you'}.",
            "Ask your Dynamics administrator for a licence and a user with this e-mail address, then try again.",
        )


def _domain(email: str) -> str:
    return email.rpartition("@")[2].casefold()


async def _no_token(_: Demand) -> Token:
    raise SignInRequired("You are not connected to Dynamics. Please connect.")


def _is_guid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
