"""Puts a `Reply` where it belongs: for everyone, for one person alone, or in the place of an earlier card."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from commands.cards import Card, CardKind
from commands.request import DeliveryFailed, Place, PlaceKind, Principal, Reply

from .activity import PERSONAL, Reference
from .connector import Connector, ConnectorError
from .conversations import Conversations
from .drawing import Drawing, for_all
from .memory import Recent
from .port import Message, Port, Turn
from .requests import reference
from .settings import TeamsSettings
from .waiting import Posted, WaitingCards

REMEMBERED: Final = 10_000
OWN_CHAT: Final = "a:"
"""Begins the id of a one-to-one chat of a person and the bot."""

log = logging.getLogger(__name__)


class Delivery:
    """Sends replies into conversations, live in a turn or later by reference."""

    def __init__(
        self,
        port: Port,
        connector: Connector,
        drawing: Drawing,
        settings: TeamsSettings,
        conversations: Conversations,
        waiting: WaitingCards,
    ) -> None:
        self._port, self._connector, self._drawing, self._settings = port, connector, drawing, settings
        self._conversations, self._waiting = conversations, waiting
        self._private = Recent(REMEMBERED)

    async def deliver(self, place: Place, principal: Principal, reply: Reply) -> str:
        """Takes up the conversation of `place` and puts the reply there; returns its id.

        Where the bot is no member (any more), the person gets it in their own chat. Raises DeliveryFailed.
        """
        where = reference(place)
        if not where.service_url:
            raise DeliveryFailed("Teams gave no address for this conversation.", again=False)

        async def put(turn: Turn) -> str:
            return await self.put(turn, place, principal, reply)

        if not await self._conversations.is_away(place.conversation):
            try:
                return await self._port.resume(where, put)
            except ConnectorError as e:
                if not e.gone:
                    raise _failed(e) from e
                await self._conversations.sent_away(place.conversation, whose(place, principal))
        return await self._deliver_alone(place, principal, reply)

    async def _deliver_alone(self, place: Place, principal: Principal, reply: Reply) -> str:
        message = self._drawing.message(place, principal, reply)
        if place.conversation.startswith(OWN_CHAT) or message is None:
            raise _sent_away()

        async def send(turn: Turn) -> str:
            return await turn.send(message)

        try:
            chat = await self._personal_chat(place, principal)
        except ConnectorError as e:
            raise _failed(e) from e
        if await self._conversations.is_away(chat.conversation):
            raise _sent_away()
        try:
            return await self._port.resume(chat, send)
        except ConnectorError as e:
            if e.gone:
                await self._conversations.sent_away(chat.conversation, principal.key)
            raise _failed(e) from e

    async def put(self, turn: Turn, place: Place, principal: Principal, reply: Reply) -> str:
        """The reply as messages of this turn; returns the id of the one with the card. Raises ConnectorError."""
        if self._settings.sso_resource and turn.activity and (asking := _asks_alone(reply, place)):
            return await turn.send(self._drawing.sign_in(asking, place, principal))
        message = self._drawing.message(place, principal, reply)
        posted = await self._put(turn, place, principal, reply, message) if message is not None else ""
        if reply.stub is not None and place.kind is not PlaceKind.PERSONAL:
            await self.tell(place, principal, reply)
        return posted

    async def tell(self, place: Place, principal: Principal, reply: Reply) -> None:
        """Shows the reply's stub to everyone: in the place of the card that was pressed, or as a message in the thread.

        Raises ConnectorError.
        """
        if reply.stub is None:
            return
        message = self._drawing.of_card(reply.stub, place, principal, shown_to_all=True)

        async def put(turn: Turn) -> str:
            former = place.address.get("card", "") if reply.replace else ""
            seen_by_all = former not in self._private
            return former if seen_by_all and await self._update(turn, former, message) else await turn.send(message)

        # By the place and not by the turn: an action on a message comes without the thread that it belongs to.
        await self._port.resume(reference(place), put)

    async def update(self, turn: Turn, activity_id: str, place: Place, principal: Principal, reply: Reply) -> bool:
        """Replaces a message of the bot's by the reply; False where that is not possible."""
        message = self._drawing.message(place, principal, reply)
        return message is not None and await self._update(turn, activity_id, message)

    def is_private(self, activity_id: str) -> bool:
        """Whether one person alone sees this message within a shared conversation."""
        return activity_id in self._private

    async def delete(self, turn: Turn, activity_id: str) -> bool:
        """Takes a message of the bot's away; False where that is not possible."""
        if not activity_id:
            return False
        try:
            await turn.delete(activity_id, private=activity_id in self._private)
        except ConnectorError as e:
            log.info("a message could not be taken away: %s", e)
            return False
        return True

    async def _put(self, turn: Turn, place: Place, principal: Principal, reply: Reply, message: Message) -> str:
        """Into the place of the card that was pressed, or of the one that said to wait; else as a new message."""
        for_person = place.kind is PlaceKind.PERSONAL
        open_to_all = for_person or for_all(reply, place)
        former = place.address.get("card", "") if reply.replace else ""

        async def post() -> Posted:
            # What one person may see never goes into a message of everyone's, nor the other way round.
            fits = for_person or (former in self._private) is not open_to_all
            if fits and await self._update(turn, former, message):
                return Posted(id=former, private=former in self._private)
            if open_to_all:
                return Posted(id=await turn.send(message))
            return await self._post_private(turn, place, principal, message)

        if reply.pending:
            return await self._waiting.post(place, post)
        waits = await self._waiting.find(place) if turn.activity is None else None
        if waits is None:
            return (await post()).id
        posted = await self._answered(turn, place, waits, message, open_to_all=open_to_all, post=post)
        await self._waiting.forget(place)
        return posted

    async def _answered(
        self,
        turn: Turn,
        place: Place,
        waits: Posted,
        message: Message,
        *,
        open_to_all: bool,
        post: Callable[[], Awaitable[Posted]],
    ) -> str:
        """The answer in the place of the card that said to wait; that card goes where it cannot become the answer."""
        if waits.private:
            self._private.add(waits.id)

        async def at_the_card(work: Callable[[Turn], Awaitable[bool]]) -> bool:
            if not waits.conversation:
                return await work(turn)
            return await self._port.resume(own_chat(place, waits.conversation), work)

        seen_by_one = waits.private or bool(waits.conversation)
        fits = place.kind is PlaceKind.PERSONAL or seen_by_one is not open_to_all
        if fits and await at_the_card(lambda turn: self._update(turn, waits.id, message)):
            return waits.id
        posted = await post()
        await at_the_card(lambda turn: self.delete(turn, waits.id))
        return posted.id

    async def _update(self, turn: Turn, activity_id: str, message: Message) -> bool:
        if not activity_id:
            return False
        try:
            await turn.update(activity_id, message, private=activity_id in self._private)
        except ConnectorError as e:
            # Not ours (inserted by a person), deleted, or too old: the caller posts anew.
            log.info("a message could not be replaced: %s", e)
            return False
        return True

    async def _post_private(self, turn: Turn, place: Place, principal: Principal, message: Message) -> Posted:
        """Only the person may see it: within the conversation where Teams can do that, else in their own chat."""
        user = place.address.get("user", "")
        if self._settings.targeted and user:
            try:
                posted = await turn.send(replace(message, private_to=user))
            except ConnectorError as e:
                if e.unknown or e.status in {0, 401, 429} or e.status >= 500:
                    raise
                log.info("no private message within the conversation: %s", e)
            else:
                self._private.add(posted)
                return Posted(id=posted, private=True)

        async def send(turn: Turn) -> str:
            return await turn.send(message)

        chat = await self._personal_chat(place, principal)
        return Posted(id=await self._port.resume(chat, send), conversation=chat.conversation)

    async def _personal_chat(self, place: Place, principal: Principal) -> Reference:
        """The one-to-one chat of the bot and the person who asked."""
        where = reference(place)
        chat = await self._conversations.own_chat(principal.key)
        if not chat:
            chat = await self._connector.open(
                where.service_url,
                {
                    "isGroup": False,
                    "bot": {"id": where.bot},
                    "members": [{"id": where.user}],
                    "tenantId": place.tenant,
                    "channelData": {"tenant": {"id": place.tenant}},
                },
            )
            await self._conversations.opened(chat, principal.key)
        return own_chat(place, chat)


def own_chat(place: Place, conversation: str) -> Reference:
    """The one-to-one chat, of this id, with the person who asked in this place."""
    return replace(reference(place), conversation=conversation, kind=PERSONAL)


def whose(place: Place, principal: Principal) -> str:
    """`Principal.key` of whom the bot is alone with in this place; empty among others."""
    return principal.key if place.kind is PlaceKind.PERSONAL else ""


def _asks_alone(reply: Reply, place: Place) -> Card | None:
    """The sign-in card of a reply, where nobody else reads along and the client knows single sign-on."""
    alone = place.kind is PlaceKind.PERSONAL and place.address.get("client") != "basic"
    return reply.card if alone and reply.card and reply.card.kind is CardKind.SIGN_IN else None


def _sent_away() -> DeliveryFailed:
    return DeliveryFailed("The bot was removed from this conversation, or blocked.", again=False)


def _failed(e: ConnectorError) -> DeliveryFailed:
    if e.gone:
        return _sent_away()
    return DeliveryFailed("Teams does not take the message just now.", again=e.again, retry_after=e.retry_after)
