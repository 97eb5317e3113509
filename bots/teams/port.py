"""The only file that knows botbuilder. A successor of that SDK replaces this file and nothing else.

botbuilder runs the *turn*: its adapter pipeline (middleware included) and its addressing of replies, updates and
proactive messages by conversation reference. Everything around that is ours, through the SDK's own extension point
(`BotAdapter`): what comes in was parsed and authenticated by this room, what goes out travels over `Connector`. So its
defects cannot reach us: invoke answers are plain dicts, mentions are stripped in `activity.py`, and no token or HTTP
call of the SDK's runs at all.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from botbuilder.core import BotAdapter, TurnContext
from botbuilder.schema import Activity as BotActivity
from botbuilder.schema import ChannelAccount, ConversationAccount, ConversationReference, ResourceResponse

from .activity import Activity, Json, Reference
from .connector import Connector

T = TypeVar("T")

_PRIVATE: Final = "private"
CARD: Final = "application/vnd.microsoft.card.adaptive"
OAUTH_CARD: Final = "application/vnd.microsoft.card.oauth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the bot says: a card (Adaptive Card JSON) or text, and how a notification sums it up."""

    card: Json | None = None
    card_type: str = CARD
    """The card's content type."""
    text: str = ""
    summary: str = ""
    private_to: str = ""
    """The channel's id (`29:…`) of the only member who may see it within a shared conversation."""
    alert: bool = False
    """Ask the client to notify the person."""

    def to_json(self) -> dict[str, Any]:
        """The activity's own part of the wire form; addressing is added by the turn."""
        wire: dict[str, Any] = {"type": "message"}
        if self.card is not None:
            wire["attachments"] = [{"contentType": self.card_type, "content": self.card}]
        if self.text:
            wire |= {"text": self.text, "textFormat": "plain"}
        if self.summary:
            wire["summary"] = self.summary
        if self.alert:
            wire["channelData"] = {"notification": {"alert": True}}
        return wire


@dataclass(frozen=True, slots=True)
class Answer:
    """What the HTTP request is answered with: 200 and a body for invokes that have one."""

    status: int = 200
    body: Json | None = None


class Turn:
    """One inbound activity, or a conversation taken up again, and how to speak there."""

    def __init__(self, context: TurnContext, activity: Activity | None) -> None:
        self._context = context
        self.activity = activity

    async def send(self, message: Message) -> str:
        """Posts a message here; returns its id. Raises ConnectorError."""
        response = await self._context.send_activity(_Outgoing.of(message))
        return str(response.id or "") if response else ""

    async def update(self, activity_id: str, message: Message, *, private: bool = False) -> None:
        """Replaces a message of the bot's for all who see it. Raises ConnectorError."""
        outgoing = _Outgoing.of(message)
        outgoing.id, outgoing.private = activity_id, private
        await self._context.update_activity(outgoing)

    async def delete(self, activity_id: str, *, private: bool = False) -> None:
        """Takes back a message of the bot's. Raises ConnectorError."""
        reference = TurnContext.get_conversation_reference(self._context.activity)
        reference.activity_id = activity_id
        reference.additional_properties = {_PRIVATE: private}
        await self._context.delete_activity(reference)


class _Outgoing(BotActivity):  # type: ignore[misc]  # the SDK has no types
    """An SDK activity that carries its wire form, so that neither msrest nor a deep copy touches the card."""

    message: Message
    private: bool = False

    @classmethod
    def of(cls, message: Message) -> "_Outgoing":
        made = cls(type="message")
        made.message = message
        return made

    def __deepcopy__(self, _memo: dict[int, Any]) -> "_Outgoing":
        return _Outgoing.of(self.message)

    def wire(self) -> dict[str, Any]:
        body = self.message.to_json()
        body["from"] = {"id": self.from_property.id} if self.from_property else None
        body["conversation"] = {"id": self.conversation.id}
        return body


class Port(BotAdapter):  # type: ignore[misc]  # the SDK has no types
    """Runs turns: `receive` for inbound activities, `resume` for conversations known by their reference."""

    def __init__(self, connector: Connector) -> None:
        super().__init__()
        self._connector = connector

    async def receive(self, activity: Activity, logic: Callable[[Turn], Awaitable[Answer]]) -> Answer:
        """Runs one inbound turn and returns what `logic` answers; its exceptions pass through."""
        context = TurnContext(self, _inbound(activity))

        async def run(context: TurnContext) -> Answer:
            return await logic(Turn(context, activity))

        answer: Answer = await self.run_pipeline(context, run)
        return answer

    async def resume(self, reference: Reference, logic: Callable[[Turn], Awaitable[T]]) -> T:
        """Takes up a conversation that the bot was in, and returns what `logic` gives."""
        results: list[T] = []

        async def run(context: TurnContext) -> None:
            context.activity.id = None  # the continuation's own id names no message that could be replied to
            results.append(await logic(Turn(context, None)))

        await self.continue_conversation(
            ConversationReference(
                bot=ChannelAccount(id=reference.bot),
                user=ChannelAccount(id=reference.user),
                conversation=ConversationAccount(id=reference.conversation, conversation_type=reference.kind),
                channel_id=reference.channel_id,
                service_url=reference.service_url,
            ),
            run,
        )
        return results[0]

    async def send_activities(self, _context: TurnContext, activities: list[_Outgoing]) -> list[ResourceResponse]:
        """What a turn sends; called by the SDK."""
        return [ResourceResponse(id=await self._send(activity)) for activity in activities]

    async def _send(self, activity: _Outgoing) -> str:
        body, reader = activity.wire(), activity.message.private_to
        if reader:
            body["recipient"] = {"id": reader}
        # A private message answers nobody's message: its route has no room for one.
        reply_to = "" if reader else activity.reply_to_id or ""
        return await self._connector.send(
            activity.service_url, activity.conversation.id, body, reply_to=reply_to, targeted=bool(reader)
        )

    async def update_activity(self, _context: TurnContext, activity: _Outgoing) -> None:
        """What a turn replaces; called by the SDK."""
        body: Mapping[str, Any] = activity.wire() | {"id": activity.id}
        await self._connector.update(
            activity.service_url,
            activity.conversation.id,
            activity.id,
            body,
            targeted=activity.private,
        )

    async def delete_activity(self, _context: TurnContext, reference: ConversationReference) -> None:
        """What a turn takes back; called by the SDK."""
        await self._connector.delete(
            reference.service_url,
            reference.conversation.id,
            reference.activity_id,
            targeted=bool(reference.additional_properties.get(_PRIVATE)),
        )


def _inbound(activity: Activity) -> BotActivity:
    reference = activity.reference
    return BotActivity(
        type=activity.type,
        # An invoke's id names no message, so an answer to one is no reply to it.
        id=activity.id if activity.type == "message" else None,
        name=activity.name,
        text=activity.text,
        value=activity.value,
        locale=activity.locale,
        channel_id=reference.channel_id,
        service_url=reference.service_url,
        from_property=ChannelAccount(id=activity.sender.id, name=activity.sender.name),
        recipient=ChannelAccount(id=activity.bot.id, name=activity.bot.name),
        conversation=ConversationAccount(id=reference.conversation, conversation_type=reference.kind),
    )
