"""What happens in an open form: submitted, grown by *More fields*, looked up in. See `interactions` for the rest."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from commands.cards import CardKind
from commands.press import BadSeal
from commands.request import Place, Principal, Reply, Submitted

from .desk import Desk, gesture, in_view, without_view
from .inputs import field_errors, option, submission
from .modals import MORE, MOST_VIEWS, Unsealed, depth
from .payload import Body, of_interaction, place, used

SUGGEST_SECONDS = 2.0
_ASKS_ON = frozenset({CardKind.CHOICE, CardKind.CONFIRM, CardKind.ERROR})
"""Kinds of card that are part of the question: they stay in the modal."""


class Submissions:
    """Registers itself with Bolt, after what knows a view better. `stale` answers what cannot be opened any more."""

    def __init__(self, desk: Desk, app: AsyncApp, stale: Callable[[AsyncAck, Body], Awaitable[None]]) -> None:
        self._desk, self._stale = desk, stale
        app.action(MORE)(self.more)
        app.options(re.compile(""))(self.options)
        app.view(re.compile(""))(self.submitted)

    async def submitted(self, ack: AsyncAck, body: Body) -> None:
        """A form: field errors stay in it, a question takes its place, success closes it and answers where it began."""
        desk, origin, view = self._desk, of_interaction(body), body["view"]
        principal = desk.people.principal(origin)
        try:
            press, where = desk.modals.opened(view, principal)
        except Unsealed:
            await ack(
                response_action="update", view=desk.modals.card(desk.dispatcher.stale(), principal, place(origin, ""))
            )
            return
        key = f"{origin.key}:{view.get('id', '')}:{view.get('hash', '')}"
        sent = asyncio.get_running_loop().create_future()
        reply = await desk.ask(Submitted(press, submission(view)), principal, where, key, sent=sent)
        card = reply.card
        stays = card and (reply.pending or card.kind in _ASKS_ON or where.conversation == principal.user)
        if (reply.form or stays) and not sent.done():
            sent.set_result(True)  # it travels in the acknowledgement
        if reply.form:
            if errors := field_errors(reply.form, view):
                await ack(response_action="errors", errors=errors)
            else:
                known = await desk.people.known(principal)
                await ack(response_action="update", view=desk.modals.form(reply.form, known, where))
            return
        if card and stays:
            await self._keep_modal(ack, reply, view, principal, where)
            return
        await ack(response_action="clear")
        desk.send(without_view(where), principal, reply, sent)

    async def _keep_modal(self, ack: AsyncAck, reply: Reply, view: Any, principal: Principal, where: Place) -> None:
        desk, card = self._desk, reply.card
        if card is None:
            return
        if card.kind is CardKind.ERROR and depth(view) < MOST_VIEWS:  # on top: closing it shows the filled form again
            on_top = in_view(where, f"{view.get('id', '')}-{view.get('hash', '')}")
            await ack(response_action="push", view=desk.modals.card(card, principal, on_top, title="That did not work"))
        else:
            await ack(response_action="update", view=desk.modals.card(card, principal, where))
        if reply.stub or reply.reaction:
            desk.send(without_view(where), principal, replace(reply, card=None))

    async def more(self, ack: AsyncAck, body: Body) -> None:
        """*More fields*: a longer form with what was typed so far."""
        desk, origin, view = self._desk, of_interaction(body), body.get("view") or {}
        principal = desk.people.principal(origin)
        try:
            where = desk.modals.opened(view, principal)[1]
            press = desk.dispatcher.seal.open(used(body))
        except (Unsealed, BadSeal):
            await self._stale(ack, body)
            return
        reply = await desk.ask(Submitted(press, submission(view)), principal, where, gesture(origin, body))
        await ack()
        desk.send(where, principal, reply)

    async def options(self, ack: AsyncAck, body: Body) -> None:
        """Typeahead of a lookup field. Late or impossible: no entries, never an error."""
        desk, origin = self._desk, of_interaction(body)
        principal = desk.people.principal(origin)
        try:
            press, where = desk.modals.opened(body.get("view") or {}, principal)
            async with asyncio.timeout(SUGGEST_SECONDS):
                found = await desk.dispatcher.browsing.suggest(
                    press, str(body.get("block_id", "")), str(body.get("value", "")), principal, where
                )
        except (Unsealed, TimeoutError):
            found = []
        await ack({"options": [option(o) for o in found[:100]]})
