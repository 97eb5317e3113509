"""Slash commands, buttons and shortcuts; what happens in an open form is in `submissions`.

Each listener answers within the acknowledgement window: `Dispatcher.dispatch` keeps it, and what talks to Slack runs
behind the acknowledgement.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from commands.cards import CardKind
from commands.press import BadSeal, Do
from commands.request import FromMessage, Place, PlaceKind, Pressed, Principal, Reply, Typed, Visibility

from .blocks import MENU, OPEN, PRESS, render
from .delivery import invitation
from .desk import Desk, gesture, in_view, without_view
from .inputs import INPUT
from .modals import MOST_VIEWS, SHOWN, Unsealed, depth
from .payload import Body, Origin, of_command, of_interaction, place, used
from .settings import GLOBAL_SHORTCUT, MESSAGE_SHORTCUT
from .submissions import Submissions

PANE = "entity_detail"
"""What Slack calls the pane beside a record's preview: https://docs.slack.dev/messaging/work-objects-implementation"""
_JSON: dict[str, str | Sequence[str]] = {"content-type": "application/json"}


class _Commands(AsyncMiddleware):
    """Answers slash commands, whichever they are. For a listener, Bolt would gather forty arguments twice."""

    def __init__(self, answer: Callable[[Body], Awaitable[BoltResponse]]) -> None:
        self._answer = answer

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002  (Bolt's name)
    ) -> BoltResponse | None:
        return await self._answer(req.body) if "command" in req.body else await next()


class Interactions:
    """Registers itself with Bolt, which tries listeners in order."""

    def __init__(self, desk: Desk, app: AsyncApp) -> None:
        self._desk = desk
        app.use(_Commands(self.command))
        app.action(re.compile(f"^{PRESS}"))(self.pressed)
        app.action(re.compile(f"^{MENU}"))(self.pressed)
        app.action(re.compile(f"^{OPEN}"))(self.nothing)
        app.action(INPUT)(self.nothing)
        app.view(SHOWN)(self.nothing)
        Submissions(desk, app, self.stale)
        app.view_closed(re.compile(""))(self.nothing)
        app.message_shortcut(MESSAGE_SHORTCUT)(self.message_shortcut)
        app.global_shortcut(GLOBAL_SHORTCUT)(self.global_shortcut)
        app.action(re.compile(""))(self.stale)
        app.shortcut(re.compile(""))(self.nothing)

    async def nothing(self, ack: AsyncAck) -> None:
        """Slack tells us; there is nothing to do."""
        await ack()

    # slash commands

    async def command(self, body: Body) -> BoltResponse:
        """`/crm …`: the answer travels in the acknowledgement."""
        desk, origin = self._desk, of_command(body)
        words = desk.settings.shortcuts.get(str(body.get("command")), "")
        text = f"{words} {body.get('text') or ''}".strip()
        where = place(
            origin,
            body.get("channel_id", ""),
            hint=body.get("channel_name", ""),
            name=body.get("channel_name", ""),
            response_url=body.get("response_url", ""),
        )
        principal = desk.people.principal(origin)
        reply = await desk.ask(Typed(text), principal, where, gesture(origin, body))
        trigger = str(body.get("trigger_id") or "")
        if reply.form and not trigger:  # whoever sent this cannot show a modal
            reply = Reply(card=invitation(reply.form))
        if reply.form:
            work = desk.open_reply(reply, trigger, principal, in_view(where, trigger))
            desk.tasks.start(work, "open a form")
        if reply.form or reply.card is None:
            return BoltResponse(status=200)
        shown = render(reply.card, desk.dispatcher.seal)
        everyone = reply.visibility is Visibility.EVERYONE
        said = {"response_type": "in_channel" if everyone else "ephemeral", **shown.message()}
        if reply.stub or reply.reaction:
            desk.send(where, principal, replace(reply, card=None))
        elif shown.clipped:
            desk.tasks.start(desk.delivery.send_whole(where, principal, reply.card), "send a long answer")
        return BoltResponse(status=200, body=orjson.dumps(said).decode(), headers=_JSON)

    # buttons

    async def pressed(self, ack: AsyncAck, body: Body) -> None:
        """A button of a card, or an option of its menu, wherever the card is."""
        if (token := used(body)) == OPEN:
            await ack()
            return
        desk, origin = self._desk, of_interaction(body)
        principal = desk.people.principal(origin)
        where = self._where(body, origin, principal)
        try:
            press = desk.dispatcher.seal.open(token)
        except BadSeal:
            await self.stale(ack, body)
            return
        trigger = str(body.get("trigger_id") or "")
        kind = str((_view(body) or {}).get("type") or "")
        if press.do is Do.DISMISS and not kind and press.owner in ("", principal.key):
            await ack()
            desk.tasks.start(desk.delivery.discard(where), "put a card away")
            return
        if press.do is Do.FORM:
            await self._open_form(
                ack, Pressed(press), principal, where, trigger, gesture(origin, body), kind == "modal"
            )
            return
        if press.do is Do.SHARE and where.kind is PlaceKind.PERSONAL:  # Slack calls it that, whoever it is with
            where = replace(where, kind=PlaceKind.GROUP)
        # In a view what is asked may lead to another view, which is no place for an answer to be kept for.
        sent = None if kind else asyncio.get_running_loop().create_future()
        reply = await desk.ask(Pressed(press), principal, where, gesture(origin, body), sent=sent)
        await ack()
        if not kind:
            if reply.form:
                work = desk.open_reply(reply, trigger, principal, in_view(where, trigger))
                desk.tasks.start(work, "open a form")
                reply = Reply()
            desk.send(where, principal, reply, sent)
            self._renew_pane(reply, body, origin, trigger)
        else:
            desk.tasks.start(self._answer_in_view(reply, body, principal, where, trigger), "answer in a view")

    def _renew_pane(self, reply: Reply, body: Body, origin: Origin, trigger: str) -> None:
        """A record that was changed from the pane beside a message is shown there as it is now."""
        pane = body.get("container") or {}
        if pane.get("type") != PANE or not reply.card or reply.card.kind is not CardKind.RECORD:
            return
        if reply.card.record == (pane.get("external_ref") or {}).get("id"):
            shown = self._desk.present(origin.workspace, reply.card, str(pane.get("entity_url") or ""), trigger)
            self._desk.tasks.start(shown, "renew a pane")

    async def _open_form(
        self,
        ack: AsyncAck,
        ask: Pressed | FromMessage | Typed,
        principal: Principal,
        where: Place,
        trigger: str,
        key: str,
        push: bool,
    ) -> None:
        """Triggers live three seconds, so a loading view opens at once; the answer takes its place."""
        desk, viewed = self._desk, in_view(where, trigger)
        opened = desk.tasks.start(
            desk.open(desk.modals.loading(principal, viewed), trigger, viewed, push=push), "open a loading view"
        )
        reply = await desk.ask(ask, principal, viewed, key)
        await ack()
        desk.tasks.start(self._fill(opened, reply, principal, viewed), "fill a view")

    async def _fill(self, opened: "asyncio.Task[str]", reply: Reply, principal: Principal, viewed: Place) -> None:
        there = bool(await opened)
        self._desk.send(viewed if there else without_view(viewed), principal, reply)

    async def _answer_in_view(self, reply: Reply, body: Body, principal: Principal, where: Place, trigger: str) -> None:
        """A button on the home tab opens a modal; one in a modal changes it, or opens the next on top."""
        desk, view = self._desk, body["view"]
        if reply.card and (reply.visibility is Visibility.EVERYONE or reply.stub):
            desk.send(without_view(where), principal, reply)
            return
        if not (reply.card or reply.form):
            return
        on_top = view.get("type") == "modal"
        if on_top and (reply.replace or depth(view) >= MOST_VIEWS):
            desk.send(where, principal, reply)
            return
        await desk.open_reply(reply, trigger, principal, in_view(where, trigger), push=on_top)

    async def stale(self, ack: AsyncAck, body: Body) -> None:
        """A button that is not ours any more: of an old deployment, or changed on its way."""
        desk, origin = self._desk, of_interaction(body)
        principal = desk.people.principal(origin)
        where = self._where(body, origin, principal)
        await ack()
        reply, view = Reply(card=desk.dispatcher.stale()), _view(body)
        if view:
            work = self._answer_in_view(reply, body, principal, where, str(body.get("trigger_id") or ""))
            desk.tasks.start(work, "explain a stale button")
        else:
            desk.send(where, principal, reply)

    def _where(self, body: Body, origin: Origin, principal: Principal) -> Place:
        """Where a button stands. In an unfurl there is no `message`; in a view, the view remembers the place."""
        if view := _view(body):
            try:
                return self._desk.modals.opened(view, principal)[1]
            except Unsealed:
                return place(origin, "")
        container, message = body.get("container") or {}, body.get("message") or {}
        channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or ""
        thread = str(container.get("thread_ts") or message.get("thread_ts") or "")
        ts = str(container.get("message_ts") or message.get("ts") or "")
        ours = not (container.get("is_ephemeral") or container.get("is_app_unfurl") or container.get("entity_url"))
        address: dict[str, Any] = {"threaded": "yes" if thread else "", "card_ts": ts if ours else ""}
        return place(
            origin,
            channel,
            thread=thread,
            hint=str((body.get("channel") or {}).get("name") or ""),
            response_url=str(body.get("response_url") or ""),
            **address,
        )

    # shortcuts

    async def message_shortcut(self, ack: AsyncAck, body: Body) -> None:
        """*Create case* on a message. A read: nothing to journal, so it is acknowledged at once."""
        await ack()
        self._desk.tasks.start(self._case_from_message(body), "make a form of a message")

    async def _case_from_message(self, body: Body) -> None:
        desk, origin, message = self._desk, of_interaction(body), body.get("message") or {}
        principal, channel = desk.people.principal(origin), body.get("channel") or {}
        ts, thread = str(message.get("ts") or body.get("message_ts") or ""), str(message.get("thread_ts") or "")
        trigger = str(body.get("trigger_id") or "")
        where = place(
            origin,
            channel.get("id", ""),
            thread=thread or ts,
            hint=channel.get("name", ""),
            name=channel.get("name", ""),
            response_url=str(body.get("response_url") or ""),
            message_ts=ts,
        )
        viewed = in_view(where, trigger)
        loading = desk.modals.loading(principal, viewed, text="Reading the message…", title="Create case")
        opened = desk.tasks.start(desk.open(loading, trigger, viewed), "open a loading view")
        quote = await desk.reading.quote(origin, where.conversation, message)
        reply = await desk.ask(FromMessage(quote), principal, viewed, gesture(origin, body))
        await self._fill(opened, reply, principal, viewed)

    async def global_shortcut(self, ack: AsyncAck, body: Body) -> None:
        """*CRM* from Slack's own menu: our menu, in a modal."""
        origin = of_interaction(body)
        principal, trigger = self._desk.people.principal(origin), str(body.get("trigger_id") or "")
        where = place(origin, "")
        await self._open_form(ack, Typed(""), principal, where, trigger, gesture(origin, body), push=False)


def _view(body: Body) -> Mapping[str, Any] | None:
    """The view of ours that a control stands in; Slack may call the pane beside a preview one, too."""
    view: Mapping[str, Any] | None = body.get("view")
    return view if view and view.get("type") != PANE else None
