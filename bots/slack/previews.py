"""What is shown without being asked for: the home tab, previews of records' addresses, the pane beside them."""

import html
import logging
from dataclasses import replace
from typing import Any

from slack_bolt.response import BoltResponse

from commands.request import Typed

from .api import NotInstalled, SlackError
from .blocks import render
from .desk import Desk
from .entities import entity
from .fitting import MESSAGE_BLOCKS
from .once import Once
from .payload import Body, event_place, of_event, place

log = logging.getLogger(__name__)


class Previews:
    """The listeners; `Events` registers them."""

    def __init__(self, desk: Desk, once: Once) -> None:
        self._desk, self._once = desk, once

    async def home(self, body: Body) -> BoltResponse | None:
        """The home tab is drawn anew each time it is opened."""
        if body["event"].get("tab") != "home":
            return None
        return await self._once.begun(body, self._publish, "publish a home tab")

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
        return await self._once.begun(body, self._unfurl, "unfurl links")

    async def _unfurl(self, body: Body) -> None:
        desk, event, origin = self._desk, body["event"], of_event(body)
        principal = desk.people.principal(origin)
        composing = event.get("channel") == "COMPOSER"
        where = event_place(origin, body, thread=str(event.get("thread_ts") or ""))
        if composing:  # a draft stands in no channel yet that Slack could be asked about
            where = replace(where, shared=bool(where.shared))
        unfurls: dict[str, Any] = {}
        entities: list[dict[str, Any]] = []
        for shared in (event.get("links") or ())[:5]:
            url = str(shared.get("url") or "")
            card = await desk.dispatcher.browsing.unfurl(html.unescape(url), principal, where)
            if card and (public := card.public()):
                unfurls[url] = {"blocks": render(public, desk.dispatcher.seal, most=MESSAGE_BLOCKS).blocks}
                entities.append(entity(public, url, desk.dispatcher.seal))
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
        return await self._once.begun(body, self._present, "present a record's details")

    async def _present(self, body: Body) -> None:
        desk, event, origin = self._desk, body["event"], of_event(body)
        principal, where = desk.people.principal(origin), place(origin, str(event.get("channel") or ""))
        url = html.unescape(str(event.get("entity_url") or (event.get("link") or {}).get("url") or ""))
        reply = await desk.ask(Typed(url), principal, where, f"{origin.key}:{body.get('event_id') or ''}")
        if reply.card:
            await desk.present(origin.workspace, reply.card, url, str(event.get("trigger_id") or ""))
