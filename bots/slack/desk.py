"""What every listener needs: the door into the command layer, and the ways back to the person."""

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass, replace
from typing import Any

from commands.cards import Card
from commands.dispatch import Dispatcher
from commands.request import Ask, DeliveryFailed, Place, Principal, Reply, Request

from .api import NotInstalled, SlackApi, SlackError, Workspace
from .delivery import Delivery
from .entities import details
from .modals import Modals
from .payload import Body, Origin, workspace_at
from .people import People
from .reading import Reading
from .seen_events import SeenEvents
from .settings import SlackSettings
from .tasks import Tasks

log = logging.getLogger(__name__)

AGAIN = (1.0, 5.0, 30.0)
"""Seconds between tries to deliver what Slack did not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Built once by the face, shared by its listeners."""

    settings: SlackSettings
    dispatcher: Dispatcher
    api: SlackApi
    people: People
    reading: Reading
    delivery: Delivery
    modals: Modals
    tasks: Tasks
    seen: SeenEvents

    async def ask(
        self, ask: Ask, principal: Principal, place: Place, key: str, *, sent: "asyncio.Future[bool] | None" = None
    ) -> Reply:
        """Hand it to the command layer; it answers within the acknowledgement window. `sent`: see `Request.sent`."""
        principal = await self.people.known(principal)
        return await self.dispatcher.dispatch(Request(ask=ask, principal=principal, place=place, key=key, sent=sent))

    def send(
        self, place: Place, principal: Principal, reply: Reply, sent: "asyncio.Future[bool] | None" = None
    ) -> None:
        """Deliver behind the acknowledgement, and say in `sent` whether it arrived."""

        async def sending() -> None:
            arrived = False
            try:
                arrived = await self._deliver(place, principal, reply)
            finally:
                if sent and not sent.done():
                    sent.set_result(arrived)

        self.tasks.start(sending(), "deliver an answer in Slack")

    async def _deliver(self, place: Place, principal: Principal, reply: Reply) -> bool:
        principal = await self.people.known(principal)
        for pause in (*AGAIN, None):
            try:
                await self.delivery.deliver(place, principal, reply)
            except DeliveryFailed as error:
                log.warning("an answer for %s was not delivered: %s", principal.key, error.sentence)
                if not error.again or pause is None:
                    break
                await asyncio.sleep(max(pause, error.retry_after or 0.0))
            else:
                return True
        return False

    async def present(self, where: Workspace, card: Card, url: str, trigger: str) -> None:
        """Show the record of this address in the pane that the trigger came from."""
        shown = details(card, url, self.dispatcher.seal)
        try:
            await self.api.call(where, "entity_presentDetails", trigger_id=trigger, **shown)
        except (SlackError, NotInstalled) as error:
            log.info("a record's details were not presented: %s", error)

    async def open(self, view: dict[str, Any], trigger: str, place: Place, *, push: bool = False) -> str:
        """Open (or push) a view; its hash, or empty where Slack would not: mostly an expired trigger."""
        method = "views_push" if push else "views_open"
        try:
            answer = await self.api.call(workspace_at(place), method, patience=0.5, trigger_id=trigger, view=view)
        except (SlackError, NotInstalled) as error:
            log.info("no view was opened: %s", error)
            return ""
        return str((answer.get("view") or {}).get("hash") or "-")

    async def open_reply(
        self, reply: Reply, trigger: str, principal: Principal, place: Place, *, push: bool = False
    ) -> None:
        """The reply's form (or card) as a view; where none can be opened, it is delivered as a message."""
        principal = await self.people.known(principal)
        if reply.form:
            view = self.modals.form(reply.form, principal, place)
        elif reply.card:
            view = self.modals.card(reply.card, principal, place)
        else:
            return
        if not await self.open(view, trigger, place, push=push):
            await self._deliver(without_view(place), principal, reply)


def in_view(place: Place, trigger: str) -> Place:
    """The place with a name for the view that this trigger opens, by which a late answer finds it."""
    return replace(place, address={**place.address, "view": f"crm-{trigger}"[:255]})


def without_view(place: Place) -> Place:
    """The conversation alone."""
    return replace(place, address={k: v for k, v in place.address.items() if k != "view"})


def gesture(origin: Origin, body: Body) -> str:
    """The intent key of a click or command: Slack's trigger id, new with each gesture and the same on a retry.

    A peer that sends none gets one made of the whole body.
    """
    trigger = str(body.get("trigger_id") or "")
    if not trigger:
        trigger = hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()[:32]
    return f"{origin.key}:{trigger}"
