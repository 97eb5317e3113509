"""Slash commands, buttons, modals, typeahead and shortcuts. Each listener answers within the acknowledgement window:
`Dispatcher.dispatch` keeps it, and what talks to Slack runs behind the acknowledgement."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
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
from commands.request import FromMessage, Place, PlaceKind, Pressed, Principal, Reply, Submitted, Typed, Visibility

from .blocks import MENU, OPEN, PRESS, render
from .delivery import invitation
from .desk import Desk, gesture, in_view, without_view
from .modals import INPUT, MORE, SHOWN, Unsealed, field_errors, option, submission
from .payload import Body, Origin, of_command, of_interaction, place
from .settings import GLOBAL_SHORTCUT, MESSAGE_SHORTCUT

SUGGEST_SECONDS = 2.0
_JSON: dict[str, str | Sequence[str]] = {"content-type": "application/json"}
MOST_VIEWS = 3
"""Slack's limit on views on top of each other."""
_ASKS_ON = frozenset({CardKind.CHOICE, CardKind.CONFIRM, CardKind.ERROR})
"""Kinds of card that are part of the question: they stay in the modal."""


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
        app.action(MORE)(self.more)
        app.action(INPUT)(self.nothing)
        app.options(re.compile(""))(self.options)
        app.view(SHOWN)(self.nothing)
        app.view(re.compile(""))(self.submitted)
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
        if (token := _token(body)) == OPEN:
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
        kind = str((body.get("view") or {}).get("type") or "")
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
        else:
            desk.tasks.start(self._answer_in_view(reply, body, principal, where, trigger), "answer in a view")

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
        if on_top and (reply.replace or _depth(view) >= MOST_VIEWS):
            desk.send(where, principal, reply)
            return
        await desk.open_reply(reply, trigger, principal, in_view(where, trigger), push=on_top)

    async def stale(self, ack: AsyncAck, body: Body) -> None:
        """A button that is not ours any more: of an old deployment, or changed on its way."""
        desk, origin = self._desk, of_interaction(body)
        principal = desk.people.principal(origin)
        where = self._where(body, origin, principal)
        await ack()
        reply, view = Reply(card=desk.dispatcher.stale()), body.get("view")
        if view:
            work = self._answer_in_view(reply, body, principal, where, str(body.get("trigger_id") or ""))
            desk.tasks.start(work, "explain a stale button")
        else:
            desk.send(where, principal, reply)

    def _where(self, body: Body, origin: Origin, principal: Principal) -> Place:
        """Where a button stands. In an unfurl there is no `message`; in a view, the view remembers the place."""
        if view := body.get("view"):
            try:
                return self._desk.modals.opened(view, principal)[1]
            except Unsealed:
                return place(origin, "")
        container, message = body.get("container") or {}, body.get("message") or {}
        channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or ""
        thread = str(container.get("thread_ts") or message.get("thread_ts") or "")
        ts = str(container.get("message_ts") or message.get("ts") or "")
        ours = not container.get("is_ephemeral") and not container.get("is_app_unfurl")
        address: dict[str, Any] = {"threaded": "yes" if thread else "", "card_ts": ts if ours else ""}
        return place(
            origin,
            channel,
            thread=thread,
            hint=str((body.get("channel") or {}).get("name") or ""),
            response_url=str(body.get("response_url") or ""),
            **address,
        )

    # modals

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
        if card.kind is CardKind.ERROR and _depth(view) < MOST_VIEWS:  # on top: closing it shows the filled form again
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
            press = desk.dispatcher.seal.open(_token(body))
        except (Unsealed, BadSeal):
            await self.stale(ack, body)
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


def _token(body: Body) -> str:
    """What the control that was used carries: a button's value, or that of the option chosen."""
    used = body["actions"][0]
    return str(used.get("value") or (used.get("selected_option") or {}).get("value") or "")


def _depth(view: Any) -> int:
    """How many views lie on top of each other up to this one."""
    if not view.get("previous_view_id"):
        return 1
    return 2 if view["previous_view_id"] == view.get("root_view_id") else MOST_VIEWS
