"""From a command that needs a sign-in to its answer: it is kept, the person is asked once, and then it runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from crm.errors import SignInRequired

from .cards import Action, Card, CardKind, Style
from .connections import LINK_LASTS, Asked, Connection
from .delivery import Delivery
from .errors import SignInNeeded
from .explain import explain
from .press import Do, Press
from .request import Place, Principal, Reply
from .signing_in import QUIET, SignIn, connected_card
from .state import State
from .waiting import Command, Waited, WaitingCommands

log = logging.getLogger(__name__)

AT_ONCE: Final = timedelta(minutes=30)
"""A change that waited longer is offered, not made: the person may have thought better of it."""

_LOOK: Final = 10.0

Forget = Callable[[], Awaitable[None]]
Run = Callable[[Command, Forget], Awaitable[None]]
"""Runs a command, has it forgotten once it is journalled or answered, and delivers its answer where it was asked."""
Changes = Callable[[Command], tuple[bool, Press | None]]
"""Whether a command would change something at once, and a button that does the same."""

Note = Callable[[Principal, Place, Connection], Awaitable[None]]
"""Notes for the record which account a person has connected."""


class SignInFlow:
    """Built by the dispatcher."""

    def __init__(
        self,
        sign_in: SignIn,
        state: State,
        delivery: Delivery,
        run: Run,
        changes: Changes,
        note: Note,
        *,
        look: float = _LOOK,
    ) -> None:
        """`look`: seconds between two looks at commands that a process had taken which died since."""
        self._sign_in, self._delivery, self._run, self._changes, self._note = sign_in, delivery, run, changes, note
        self._look = look
        self._waiting = WaitingCommands(state)

    @property
    def keeps_tokens(self) -> bool:
        """See `SignIn.keeps_tokens`."""
        return self._sign_in.keeps_tokens

    # -- asking -------------------------------------------------------------------------------------------------

    async def ask(self, command: Command, *, why: str = "", claims: str = "", quietly: bool = False) -> Reply:
        """Keep the command, and ask its person to sign in: with one card a conversation, however many commands wait.

        `quietly`: they asked nothing of us, so they are told once a day and nothing else.
        """
        kept = await self._waiting.keep(command)
        principal, place = command.principal, command.place
        asked = Asked(principal=principal, place=place, claims=claims)
        if await self._sign_in.connections.claim(asked, within=QUIET if quietly else LINK_LASTS):
            return Reply(card=await self._sign_in.card(asked, why=why))
        if quietly:
            return Reply()
        return Reply(
            card=Card(
                kind=CardKind.NOTICE,
                title="This waits until you have connected to Dynamics 365",
                text=("It runs by itself then." if kept else "Too many commands wait, so this one was not kept.",),
                actions=(Action(label="Connect", press=Press(do=Do.RUN, verb="connect"), style=Style.PRIMARY),),
            )
        )

    # -- the pages, and Teams' single sign-on -------------------------------------------------------------------

    async def who(self, link: str) -> str:
        """See `SignIn.who`."""
        return await self._sign_in.who(link)

    async def begin(self, link: str, browser: str) -> str:
        """See `SignIn.begin`."""
        return await self._sign_in.begin(link, browser)

    async def finish(self, answer: Mapping[str, str], browser: str) -> tuple[Asked, Connection]:
        """See `SignIn.finish`; then the person is told in the chat, and what waited runs."""
        asked, connection = await self._sign_in.finish(answer, browser)
        await self._waiting.claim(asked.principal.key)
        self._delivery.behind(self._connected(asked.principal, asked.place, connection))
        return asked, connection

    async def exchange(self, principal: Principal, token: str) -> bool:
        """See `Dispatcher.exchange`."""
        asked = await self._sign_in.connections.last_asked(principal.key)
        connection = await self._sign_in.exchange(principal, token)
        if connection is None:
            return False
        await self._waiting.claim(principal.key)
        self._delivery.behind(self._connected(principal, asked.place if asked else None, connection))
        return True

    async def resume(self) -> None:
        """At the start: what waited for people who had connected when the former process ended.

        From then on, too, what any process had taken that has died meanwhile.
        """
        for person in await self._waiting.people():
            if connection := await self._sign_in.connections.find(person):
                self._delivery.behind(self._run_waiting(connection.person))
        self._delivery.behind(self._take_over())

    # -- and then -----------------------------------------------------------------------------------------------

    async def _connected(self, principal: Principal, place: Place | None, connection: Connection) -> None:
        alone = Place(platform=principal.platform, tenant=principal.tenant, conversation=principal.user)
        await self._note(principal, place or alone, connection)
        if place:
            await self._delivery.late(place, principal, Reply(card=connected_card(connection)))
        await self._run_waiting(principal.key)

    async def _run_waiting(self, person: str) -> None:
        async for waited in self._waiting.take(person):
            principal = waited.command.principal
            changing, press = self._changes(waited.command)
            forget = partial(self._waiting.forget, waited.id)
            if changing and waited.since > AT_ONCE:
                await self._delivery.late(waited.command.place, principal, Reply(card=_offer(waited, press)))
                await forget()
            else:
                await self._run(waited.command, forget)

    async def _take_over(self) -> None:
        while True:
            await asyncio.sleep(self._look)
            try:
                for person in await self._waiting.abandoned():
                    await self._run_waiting(person)
            except SQLAlchemyError as e:
                log.warning("what waited for a sign-in cannot be looked at: %s", type(e).__name__)

    async def forget_old(self) -> int:
        """Drop links and kept commands past their time, and renew what would die of disuse; how many rows went."""
        await self._sign_in.renew_idle()
        return await self._sign_in.connections.forget_old() + await self._waiting.forget_old()


def _offer(waited: Waited, press: Press | None) -> Card:
    hours = waited.since.total_seconds() / 3600
    actions = (Action(label="Do it now", press=press, style=Style.PRIMARY),) if press else ()
    return Card(
        kind=CardKind.NOTICE,
        title="This has waited for you to connect, and was not done",
        subtitle=press.verb if press else "",
        text=(f"You asked for it {hours:.1f} hours ago." + ("" if press else " Ask for it once more."),),
        actions=actions,
    )


async def ask_to_connect(
    flow: SignInFlow | None, command: Command, e: SignInNeeded | SignInRequired, *, quietly: bool = False
) -> Reply:
    """Keep the command until its person has signed in, and ask them to; explain where that cannot help."""
    if flow is None or (isinstance(e, SignInRequired) and not flow.keeps_tokens):
        return Reply(card=explain(e))
    claims = e.claims or "" if isinstance(e, SignInRequired) else ""
    return await flow.ask(command, why=str(e), claims=claims, quietly=quietly)
