"""People connect their own account: a link, a page that asks, the provider, and back; and the tokens that this gives.

The link in a sign-in card opens a page that says which chat person it connects; only a press there begins the sign-in,
bound by a cookie to that browser (`bots.signin`). A link that fell into other hands can connect nobody's account
unseen: the page names the person, and the person is told in the chat which account was connected.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from crm.auth import Demand, Token, TokenAuth
from crm.entra import Entra, SignedIn
from crm.errors import CrmError, SignInRequired

from .cards import Action, Card, CardKind, Style
from .connections import LINK_LASTS, Asked, Connection, Connections
from .errors import UserError
from .press import Do, Press
from .request import OUTSIDERS, Principal

log = logging.getLogger(__name__)

START: Final = "/auth/start"
CALLBACK: Final = "/auth/callback"
QUIET: Final = timedelta(days=1)
"""How often somebody who did not ask for anything may be told to connect."""
_IDLE: Final = timedelta(days=60)
"""Refresh tokens die after 90 days without use (learn.microsoft.com, "Refresh tokens in the Microsoft identity
platform"), so they are used before."""
_TRIES: Final = 3
_GRACE: Final = 1.0
"""Seconds in which another process keeps what it has just renewed."""
_QUOTES: Final = frozenset('"“”„‟«»＂')
_NAME: Final = 60
"""Characters of a name that are shown to recognise somebody by."""
_PLATFORMS: Final = {"slack": "Slack", "teams": "Microsoft Teams"}


class LinkRefused(UserError):
    """The sign-in cannot go on: an unusable link, a foreign browser, an account that is not the person's."""


class SignIn:
    """Sign-ins with one tenant's provider, for all organisations."""

    def __init__(
        self,
        connections: Connections,
        entra: Entra,
        *,
        organisation: str,
        public_url: str,
        keeps_tokens: bool,
        bot: Entra | None = None,
    ) -> None:
        self.connections = connections
        self.keeps_tokens = keeps_tokens
        """Calls run with the person's own tokens; else a sign-in only proves who they are, and no token is kept."""
        self._entra, self._bot = entra, bot or entra
        self._by_client = {e.client_id: e for e in (self._bot, entra)}
        self._organisation = organisation.rstrip("/")
        self._public_url = public_url.rstrip("/")

    # -- asking -------------------------------------------------------------------------------------------------

    async def card(self, asked: Asked, *, why: str = "") -> Card:
        """A card with a fresh link for this person."""
        link = secrets.token_urlsafe(32)
        await self.connections.invite(link, asked)
        return Card(
            kind=CardKind.SIGN_IN,
            title="Connect to Dynamics 365",
            text=(
                why or "Connect your own account once, and everything you do here runs as you.",
                f"The button works for {LINK_LASTS.seconds // 60} minutes, and is for you alone: pass it to nobody.",
            ),
            actions=(Action(label="Connect", url=f"{self._public_url}{START}?state={link}", style=Style.PRIMARY),),
        )

    # -- the pages ----------------------------------------------------------------------------------------------

    async def who(self, link: str) -> str:
        """Whom the link connects, in words for the page. Raises LinkRefused."""
        return named((await self._asked(link)).principal)

    async def begin(self, link: str, browser: str) -> str:
        """Begin the sign-in in this browser: the provider's address. Raises LinkRefused, CrmError."""
        asked = await self._asked(link)
        flow = await self._entra.begin_sign_in(
            self._organisation, f"{self._public_url}{CALLBACK}", claims=asked.claims or None
        )
        if not await self.connections.begin(link, flow["state"], browser, flow):
            raise _unusable()
        return str(flow["auth_uri"])

    async def finish(self, answer: Mapping[str, str], browser: str) -> tuple[Asked, Connection]:
        """The person came back with the provider's answer. Raises LinkRefused, CrmError."""
        taken = await self.connections.take(answer.get("state", ""), browser) if browser else None
        if taken is None:
            raise _unusable()
        account = await self._entra.finish_sign_in(taken.flow, answer)
        return taken.asked, await self._connected(taken.asked.principal, account, self._entra)

    async def exchange(self, principal: Principal, token: str) -> Connection | None:
        """Connect with a token that the person's client gave to our app (Teams); None: consent is needed first.

        Raises LinkRefused, CrmError.
        """
        try:
            account = await self._bot.on_behalf_of(self._organisation, token)
        except SignInRequired as e:
            log.info("%s must consent first: %s", principal.key, e.code)
            return None
        return await self._connected(principal, account, self._bot)

    async def _asked(self, link: str) -> Asked:
        asked = await self.connections.asked(link) if link else None
        if asked is None:
            raise _unusable()
        return asked

    async def _connected(self, principal: Principal, account: SignedIn, client: Entra) -> Connection:
        if _is_guid(self._entra.tenant) and account.tenant_id.casefold() != self._entra.tenant.casefold():
            raise LinkRefused(
                "This account belongs to another organisation.",
                "Sign in with the account that you use in Dynamics 365.",
            )
        own = principal.entra_id.casefold()
        if not account.object_id or (own and not hmac.compare_digest(own, account.object_id.casefold())):
            raise LinkRefused(
                f"{account.username or 'This account'} is not the account that you use in Teams.",
                "Sign in with the account that Teams shows under your picture.",
            )
        made = await self.connections.keep(principal.key, account, client=client.client_id, tokens=self.keeps_tokens)
        await self.connections.use_up(principal.key)
        log.info("%s has connected", principal.key)
        return made

    # -- tokens -------------------------------------------------------------------------------------------------

    def auth(self, connection: Connection, organisation: str) -> TokenAuth:
        """The person's own tokens for an organisation. It raises SignInRequired once they must sign in again."""

        async def source(demand: Demand) -> Token:
            return await self._token(connection, organisation, demand)

        return TokenAuth(source)

    async def _token(self, connection: Connection, organisation: str, demand: Demand) -> Token:
        refusal = SignInRequired("You are not connected to Dynamics any more. Please connect again.")
        for _ in range(_TRIES):
            found = await self.connections.tokens(connection.person)
            if found is None or found[0].id != connection.id:
                raise refusal  # disconnected, or somebody else's tokens by now
            now, cache = found
            entra = self._by_client.get(now.client)
            if entra is None:
                await self.connections.end(now)
                raise refusal
            try:
                token, newer = await entra.renewed(organisation, cache, demand)
            except SignInRequired as e:
                refusal = e
                if e.claims:
                    raise
                await asyncio.sleep(_GRACE)
                if await self.connections.end(now):
                    raise
                continue  # another process has renewed it meanwhile, and what it has counts
            if newer != cache:
                await self.connections.renewed(now, newer)
            return token
        raise refusal

    async def renew_idle(self) -> int:
        """Use refresh tokens that would otherwise die of disuse; how many connections were renewed."""
        renewed = 0
        for connection in await self.connections.idle(_IDLE):
            try:
                await self._token(connection, self._organisation, Demand(fresh=True))
                renewed += 1
            except CrmError as e:
                log.info("an idle connection was not renewed: %s", e.code or type(e).__name__)
        return renewed


def connected_card(connection: Connection, *, note: str = "") -> Card:
    """Which account was connected, and a way back."""
    return Card(
        kind=CardKind.NOTICE,
        title=f"Connected to Dynamics 365 as {connection.name or connection.username}",
        subtitle=connection.username,
        text=(note,) if note else (),
        actions=(Action(label="Disconnect", press=Press(do=Do.RUN, verb="disconnect", owner=connection.person)),),
        footer=("If this was not you, disconnect, and tell your administrator.",),
    )


def named(principal: Principal) -> str:
    """A chat person for a reader who must recognise them: name, address, id, platform, workspace or tenant.

    People choose their own names, so theirs stands in quotes, without what would end these or turn the line around.
    """
    platform = _PLATFORMS.get(principal.platform, principal.platform)
    where = "workspace" if principal.platform == "slack" else "tenant"
    name = " ".join("".join(c if c.isprintable() and c not in _QUOTES else " " for c in principal.name).split())
    who = " ".join(filter(None, (f"“{name[:_NAME]}”" if name else "", principal.email)))
    outside = ", somebody from outside that organisation" if principal.standing in OUTSIDERS else ""
    return f"{who} ({principal.user}) in {platform}, {where} {principal.tenant}{outside}".strip()


def _unusable() -> LinkRefused:
    return LinkRefused(
        "This link does not work here (any more).",
        f"Each link works once, for {LINK_LASTS.seconds // 60} minutes, in the browser where you began. "
        "Go back to the chat and type: connect",
    )


def _is_guid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
