"""What people say and do in conversations: mentions, direct messages, threads, reactions."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.response import BoltResponse

from commands.request import Ask, FromMessage, Place, Standing, Typed
from commands.threads import Happened

from .bolt import Authorize
from .desk import Desk
from .once import Once
from .payload import Body, Origin, event_place, of_event, outside, place
from .rich_text import wire_text
from .text import mentioned_users, without_mention

_OPENERS = frozenset({"", "case", "case create", "create case", "case new", "new case", "log", "log this"})
"""What a mention in a thread may say to make a case of that thread."""
_SPEECH = frozenset({None, "", "file_share", "thread_broadcast"})
"""Message subtypes that are somebody speaking."""
_TOLD = 0.5
"""Seconds, of those that Slack waits, in which an answer that changes nothing may leave before the acknowledgement."""
_HAPPENED = {
    "": Happened.WRITTEN,
    "file_share": Happened.WRITTEN,
    "thread_broadcast": Happened.WRITTEN,
    "message_changed": Happened.EDITED,
    "message_deleted": Happened.DELETED,
}


class Speech:
    """The listeners; `Events` registers them."""

    def __init__(self, desk: Desk, once: Once, authorize: Authorize) -> None:
        self._desk, self._once, self._authorize = desk, once, authorize

    async def mention(self, body: Body) -> BoltResponse | None:
        """`@crm …` in a channel: the same words as `/crm …`; in a thread they are about that thread.

        Slack sends it anew, as another event, each time the message is edited: what was said is done once.
        """
        event, origin = body["event"], of_event(body)
        if _is_bot(event):
            return None
        said = f"{event.get('channel') or ''}:{event['ts']}" if event.get("ts") else ""

        async def work() -> None:
            thread = str(event.get("thread_ts") or "")
            where = event_place(origin, body, thread=thread, message_ts=str(event.get("ts") or ""))
            bot = await self._bot(body, origin)
            words = without_mention(str(event.get("text") or ""), bot)
            ask: Ask = Typed(words)
            if thread and " ".join(words.lower().split()) in _OPENERS:
                ask = FromMessage((await self._desk.reading.one(origin, where.conversation, thread))[0])
            elif thread:  # what is no command may be a note on the case that the thread follows
                quote = await self._desk.reading.quote(origin, where.conversation, _unaddressed(event, bot))
                ask = Typed(words, quote.message)
            await self._answer(ask, origin, where, body, said)

        return await self._once(body, work, f"{origin.key}:{said}" if said else "")

    async def message(self, body: Body) -> BoltResponse | None:
        """A direct message is a command; a reply in a thread may concern a case; anything else is not ours."""
        event, origin = body["event"], of_event(body)
        if event.get("channel_type") != "im":
            return await self._reply(body, event, origin)
        if event.get("subtype") not in _SPEECH or _is_bot(event) or not origin.user:
            return None

        async def work() -> None:
            where = event_place(origin, body, thread=str(event.get("thread_ts") or ""))
            words, bot = str(event.get("text") or ""), await self._bot(body, origin)
            await self._answer(Typed(without_mention(words, bot) if bot else words), origin, where, body)

        return await self._once(body, work)

    async def _reply(self, body: Body, event: Any, origin: Origin) -> BoltResponse | None:
        """Said, edited or deleted in a thread: told to the case that the thread follows, if it follows one."""
        happened = _HAPPENED.get(str(event.get("subtype") or ""))
        before = event.get("previous_message") or {}
        said = event if happened is Happened.WRITTEN else event.get("message") or before
        if happened is None or not said.get("thread_ts") or said["thread_ts"] == said.get("ts") or _is_bot(said):
            return None
        if happened is Happened.EDITED and said.get("text") == before.get("text"):
            return None  # a link that gets its preview counts as a change
        bot = await self._bot(body, origin)
        if bot and bot in mentioned_users(f"{said.get('text') or ''} {before.get('text') or ''}"):
            if happened is Happened.WRITTEN:
                return None  # a command, which comes as `app_mention`
            if happened is Happened.EDITED:  # that event comes again, too, but what was a command stays done
                happened, said = Happened.AMENDED, _unaddressed(said, bot)
        desk, author = self._desk, replace(origin, user=str(said.get("user") or ""))
        where = event_place(author, body, thread=str(said["thread_ts"]), message_ts=str(said.get("ts") or ""))
        if not await desk.dispatcher.listening.follows(where):
            return None

        async def work() -> None:
            quote = await desk.reading.quote(author, where.conversation, said)
            principal = await desk.people.known(desk.people.principal(author))
            if reply := await desk.dispatcher.listening.heard(principal, where, quote.message, happened):
                desk.send(where, principal, reply)

        return await self._once(body, work)

    async def reaction(self, body: Body) -> BoltResponse | None:
        """An emoji that an admin named makes a case of the message, with defaults."""
        event, origin = body["event"], of_event(body)
        item = event.get("item") or {}
        if item.get("type") != "message" or str(event.get("reaction")) not in self._desk.settings.case_reactions:
            return None

        async def work() -> None:
            channel, ts = str(item.get("channel") or ""), str(item.get("ts") or "")
            quote, root = await self._desk.reading.one(origin, channel, ts, str(event.get("item_user") or ""))
            where = place(origin, channel, thread=root, shared=outside(body), message_ts=ts)
            await self._answer(FromMessage(quote, at_once=True), origin, where, body)

        return await self._once(body, work)

    async def _answer(self, ask: Ask, origin: Origin, where: Place, body: Body, said: str = "") -> None:
        desk = self._desk
        principal = await desk.people.known(desk.people.principal(origin))
        if principal.standing is Standing.BOT:
            return
        sent = asyncio.get_running_loop().create_future()
        reply = await desk.ask(ask, principal, where, f"{origin.key}:{said or body.get('event_id') or ''}", sent=sent)
        desk.send(where, principal, reply, sent)
        if not reply.pending:  # nobody else would tell it: if we die before it has left, Slack shall come again
            await asyncio.wait({sent}, timeout=None if reply.unkept else _TOLD)

    async def _bot(self, body: Body, origin: Origin) -> str:
        """The id by which we are mentioned there; the event's own until Slack has told whose token ours is."""
        if known := await self._authorize.bot_user(origin.workspace):
            return known
        authorization = (body.get("authorizations") or [{}])[0]
        return str(authorization.get("user_id") or "") if authorization.get("is_bot") is True else ""


def _unaddressed(message: Mapping[str, Any], bot: str) -> dict[str, Any]:
    """The message as it was typed, without the mention of us."""
    return {**message, "text": without_mention(wire_text(message), bot), "blocks": []}


def _is_bot(event: Mapping[str, Any]) -> bool:
    return bool(event.get("bot_id") or event.get("bot_profile")) or event.get("subtype") == "bot_message"
