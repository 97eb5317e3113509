"""Slack's Events API: mentions, direct messages, threads, reactions, links, the home tab, uninstalls.

Slack delivers an event at least once, Bolt runs it each time. So each is begun in `SeenEvents` first; what it asks is
journalled before the acknowledgement; and only then is it finished there and acknowledged.
"""

import asyncio
import html
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from commands.request import Ask, FromMessage, Place, Standing, Typed
from commands.threads import Happened

from .api import NotInstalled, SlackError, Workspace
from .blocks import render
from .bolt import Authorize
from .desk import Desk
from .entities import details, entity
from .fitting import MESSAGE_BLOCKS
from .installations import Installations
from .payload import Body, Origin, of_event, place
from .seen_events import Begun
from .text import without_mention

log = logging.getLogger(__name__)

_OPENERS = frozenset({"", "case", "case create", "create case", "case new", "new case", "log", "log this"})
"""What a mention in a thread may say to make a case of that thread."""
_SPEECH = frozenset({None, "", "file_share", "thread_broadcast"})
"""Message subtypes that are somebody speaking."""

EVENT_SECONDS = 2.7
"""Slack waits three."""
_TOLD = 0.5
"""Seconds of these in which an answer that is in no journal may leave before the event is acknowledged."""
CLOCKS_APART = 60
"""Seconds by which Slack's clock and ours may differ."""
_HAPPENED = {
    "": Happened.WRITTEN,
    "file_share": Happened.WRITTEN,
    "thread_broadcast": Happened.WRITTEN,
    "message_changed": Happened.EDITED,
    "message_deleted": Happened.DELETED,
}

Work = Callable[[], Awaitable[None]]


class Events:
    """Registers itself with Bolt, a catch-all last: Slack counts unanswered events as failures."""

    def __init__(self, desk: Desk, app: AsyncApp, authorize: Authorize, installations: Installations) -> None:
        self._desk, self._authorize, self._installations = desk, authorize, installations
        app.event("app_mention")(self.mention)
        app.event("message")(self.message)
        app.event("reaction_added")(self.reaction)
        app.event("app_home_opened")(self.home)
        app.event("link_shared")(self.link)
        app.event("entity_details_requested")(self.details)
        app.event("app_uninstalled")(self.uninstalled)
        app.event("tokens_revoked")(self.revoked)
        app.event(re.compile(""))(self.other)

    async def other(self) -> None:
        """An event that we did not ask for."""

    async def _once(self, body: Body, work: Work, name: str = "") -> BoltResponse | None:
        """Do it unless it was done; while another delivery of it is at work, have Slack come again later.

        `name`: what it is about, where several events may be about the same.
        """
        key = f"slack:{name or body.get('event_id') or ''}"
        begun = await self._desk.seen.begin(key)
        if begun is Begun.DONE:
            return None
        if begun is Begun.BUSY:
            return BoltResponse(status=503, body="busy")
        task = self._desk.tasks.start(self._finish(key, work), "take on an event")
        done, _ = await asyncio.wait({task}, timeout=EVENT_SECONDS)
        if not done:  # not journalled yet, so not ours yet: Slack comes again, and finds it done
            return BoltResponse(status=503, body="busy")
        task.result()
        return None

    async def _finish(self, key: str, work: Work) -> None:
        try:
            async with self._desk.seen.kept(key):
                await work()
        except BaseException:
            await self._desk.seen.forget(key)
            raise
        await self._desk.seen.finish(key)

    async def _start_once(
        self, body: Body, work: Callable[[Body], Coroutine[Any, Any, None]], name: str
    ) -> BoltResponse | None:
        """What is only shown is begun once, and not waited for."""

        async def begin() -> None:
            self._desk.tasks.start(work(body), name)

        return await self._once(body, begin)

    # words

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
            where = self._place(origin, body, thread=thread, message_ts=str(event.get("ts") or ""))
            words = without_mention(str(event.get("text") or ""), await self._authorize.bot_user(origin.workspace))
            ask: Ask = Typed(words)
            if thread and " ".join(words.lower().split()) in _OPENERS:
                ask = FromMessage((await self._desk.reading.one(origin, where.conversation, thread))[0])
            elif thread:  # what is no command may be a note on the case that the thread follows
                quote = await self._desk.reading.quote(
                    origin, where.conversation, {**event, "text": words, "blocks": []}
                )
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
            where = self._place(origin, body, thread=str(event.get("thread_ts") or ""))
            await self._answer(Typed(str(event.get("text") or "")), origin, where, body)

        return await self._once(body, work)

    async def _reply(self, body: Body, event: Any, origin: Origin) -> BoltResponse | None:
        """Said, edited or deleted in a thread: told to the case that the thread follows, if it follows one."""
        happened = _HAPPENED.get(str(event.get("subtype") or ""))
        said = (
            event
            if happened is Happened.WRITTEN
            else event.get("message" if "message" in event else "previous_message")
        )
        if happened is None or not said or not said.get("thread_ts") or said["thread_ts"] == said.get("ts"):
            return None
        unchanged = happened is Happened.EDITED and said.get("text") == (event.get("previous_message") or {}).get(
            "text"
        )
        bot = await self._authorize.bot_user(origin.workspace)
        command = bot and f"<@{bot}" in str(said.get("text") or "") and happened is not Happened.DELETED
        if _is_bot(said) or unchanged or command:
            return None  # a mention is a command (`app_mention`), and a link that gets its preview counts as a change
        desk, author = self._desk, replace(origin, user=str(said.get("user") or ""))
        where = self._place(author, body, thread=str(said["thread_ts"]), message_ts=str(said.get("ts") or ""))
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
            where = place(origin, channel, thread=root, shared=_shared(body), message_ts=ts)
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
            await asyncio.wait({sent}, timeout=_TOLD)

    def _place(self, origin: Origin, body: Body, *, thread: str, message_ts: str = "") -> Place:
        event = body["event"]
        return place(
            origin,
            str(event.get("channel") or ""),
            thread=thread,
            hint=str(event.get("channel_type") or ""),
            shared=_shared(body),
            message_ts=message_ts,
        )

    # what is shown without being asked for

    async def home(self, body: Body) -> BoltResponse | None:
        """The home tab is drawn anew each time it is opened."""
        if body["event"].get("tab") != "home":
            return None
        return await self._start_once(body, self._publish, "publish a home tab")

    async def _publish(self, body: Body) -> None:
        desk, origin = self._desk, of_event(body)
        where = place(origin, "")
        principal = desk.people.principal(origin)
        card = await desk.dispatcher.browsing.home(principal, where)
        shown = desk.modals.home(card, principal, where)
        try:
            await desk.api.call(origin.workspace, "views_publish", user_id=origin.user, view=shown)
        except (SlackError, NotInstalled) as error:
            log.warning("the home tab was not published: %s", error)

    async def link(self, body: Body) -> BoltResponse | None:
        """A record's address in a message: what everyone there may see of it, and a button for the rest."""
        return await self._start_once(body, self._unfurl, "unfurl links")

    async def _unfurl(self, body: Body) -> None:
        desk, event, origin = self._desk, body["event"], of_event(body)
        principal = desk.people.principal(origin)
        composing = event.get("channel") == "COMPOSER"
        where = self._place(origin, body, thread=str(event.get("thread_ts") or ""))
        if composing:  # a draft stands in no channel yet that Slack could be asked about
            where = replace(where, shared=bool(where.shared))
        unfurls: dict[str, Any] = {}
        entities: list[dict[str, Any]] = []
        for shared in (event.get("links") or ())[:5]:
            url = str(shared.get("url") or "")
            card = await desk.dispatcher.browsing.unfurl(html.unescape(url), principal, where)
            if card and (public := card.public()):
                unfurls[url] = {"blocks": render(public, desk.dispatcher.seal, most=MESSAGE_BLOCKS).blocks}
                entities.append(entity(public, url))
        if not unfurls:
            return
        shown: dict[str, Any] = {"unfurls": unfurls}
        if desk.settings.work_objects:
            shown = {"metadata": {"entities": entities}}
        if event.get("unfurl_id") and (composing or event.get("source")):
            target = {"unfurl_id": event["unfurl_id"], "source": event.get("source")}
        else:
            target = {"channel": event.get("channel"), "ts": event.get("message_ts")}
        try:
            await desk.api.call(origin.workspace, "chat_unfurl", **target, **shown)
        except (SlackError, NotInstalled) as error:
            log.info("a link was not unfurled: %s", error)

    async def details(self, body: Body) -> BoltResponse | None:
        """The side pane of a record (Work Object): what this viewer may see, as themselves."""
        return await self._start_once(body, self._present, "present a record's details")

    async def _present(self, body: Body) -> None:
        desk, event, origin = self._desk, body["event"], of_event(body)
        principal, where = desk.people.principal(origin), place(origin, str(event.get("channel") or ""))
        url = html.unescape(str(event.get("entity_url") or (event.get("link") or {}).get("url") or ""))
        reply = await desk.ask(Typed(url), principal, where, f"{origin.key}:{body.get('event_id') or ''}")
        if reply.card is None:
            return
        trigger = str(event.get("trigger_id") or "")
        try:
            await desk.api.call(
                origin.workspace, "entity_presentDetails", trigger_id=trigger, **details(reply.card, url)
            )
        except (SlackError, NotInstalled) as error:
            log.info("a record's details were not presented: %s", error)

    # the app itself

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


def _is_bot(event: Any) -> bool:
    return bool(event.get("bot_id") or event.get("bot_profile")) or event.get("subtype") == "bot_message"


def _shared(body: Body) -> bool | None:
    said = body.get("is_ext_shared_channel")
    return said if isinstance(said, bool) else None
