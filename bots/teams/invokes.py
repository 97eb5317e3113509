"""Invokes: the gestures that Teams waits for an answer to, each within five seconds.

One method per invoke name; the table is `Invokes.routes`. Shapes: "Invoke activities" in the Teams docs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from commands.cards import Card, CardKind
from commands.dispatch import Dispatcher
from commands.press import BadSeal, Do
from commands.request import Ask, FromMessage, Place, PlaceKind, Pressed, Principal, Reply, Request, Submitted

from . import answers, requests
from .activity import Activity
from .adaptive import refreshing, render, shows
from .answers import CLOSED
from .delivery import Delivery
from .drawing import Drawing, for_all
from .elements import run, runs, submit
from .extension import Extension
from .forms import pressed, read_dataset, render_form, submission
from .port import Answer, Turn
from .quoting import Quoting
from .sending import Sending
from .signin import SignIn

INSTALL: Final = "justInTimeInstall"

log = logging.getLogger(__name__)

Handler = Callable[["Gesture"], Awaitable[Answer]]


class Gesture:
    """One inbound activity with everything that answering it takes."""

    def __init__(self, turn: Turn, activity: Activity, *, basic: bool) -> None:
        self.turn, self.activity = turn, activity
        self.who: Principal = requests.principal(activity)
        self.where: Place = requests.place(activity, basic=basic)
        self.key: str = requests.key(activity)
        self.followed = False
        """The answer is still on its way, and whoever sends it settles how it ends."""
        self._sent: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def value(self) -> Mapping[str, Any]:
        """The invoke's value; empty where it is no object."""
        return self.activity.value if isinstance(self.activity.value, Mapping) else {}

    @property
    def personal(self) -> bool:
        """Nobody else reads along."""
        return self.where.kind is PlaceKind.PERSONAL

    def request(self, ask: Ask) -> Request:
        """The request for the command layer."""
        return Request(ask=ask, principal=self.who, place=self.where, key=self.key, sent=self._sent)

    def settle(self, *, arrived: bool) -> None:
        """Say to the job that made the answer, once, whether it arrived; else the job delivers it by itself."""
        if not self._sent.done():
            self._sent.set_result(arrived)


class Invokes:
    """Answers invokes by name."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        drawing: Drawing,
        delivery: Delivery,
        sending: Sending,
        extension: Extension,
        sign_in: SignIn,
        quoting: Quoting,
        *,
        patience: float,
    ) -> None:
        """`patience`: seconds that a call to Teams may take before an invoke is answered without it."""
        self._dispatcher, self._drawing, self._delivery, self._sending = dispatcher, drawing, delivery, sending
        self._seal, self._quoting, self._patience = dispatcher.seal, quoting, patience
        self.routes: Mapping[str, Handler] = {
            "adaptiveCard/action": self._execute,
            "application/search": self._typeahead,
            "task/fetch": self._open_dialog,
            "task/submit": self._submit_dialog,
            "composeExtension/fetchTask": self._open_on_message,
            "composeExtension/submitAction": self._submit_on_message,
            "composeExtension/query": extension.query,
            "composeExtension/queryLink": extension.link,
            "composeExtension/anonymousQueryLink": extension.anonymous_link,
            "signin/tokenExchange": sign_in.exchange,
            "signin/verifyState": sign_in.verify,
            "signin/failure": sign_in.failure,
        }

    async def answer(self, gesture: Gesture) -> Answer:
        """The answer to an invoke; 501 for one that this bot does not know."""
        handler = self.routes.get(gesture.activity.name)
        if handler is None:
            log.info("an invoke that is not handled: %s", gesture.activity.name)
            return answers.NOT_IMPLEMENTED
        try:
            answer = await handler(gesture)
        except BaseException:
            gesture.settle(arrived=False)
            raise
        if not gesture.followed:  # it travels in the answer to the invoke, or has been posted
            gesture.settle(arrived=True)
        return answer

    def ask(self, data: Any) -> Pressed | Submitted | None:
        """What a button or a form means; None when its seal does not hold."""
        try:
            press = self._seal.open(pressed(data))
        except BadSeal:
            return None
        typed = submission(data)
        if press.do is Do.SUBMIT or (press.do is Do.FORM and typed.values):
            return Submitted(press, typed)
        return Pressed(press)

    async def _execute(self, gesture: Gesture) -> Answer:
        action = gesture.value.get("action")
        if not isinstance(action, Mapping) or action.get("type") != "Action.Execute":
            return answers.refused(400, "BadRequest", "The action is not an Action.Execute.")
        ask = self.ask(action.get("data"))
        automatic = gesture.value.get("trigger") == "automatic" or action.get("verb") == "refresh"
        if automatic:
            return await self._refresh(gesture, ask)
        if ask is None:
            return answers.shown(self._drawing.card(self._dispatcher.stale(), gesture.where, gesture.who))
        if ask.press.do is Do.DISMISS:
            return await self._dismiss(gesture)
        reply = await self._dispatcher.dispatch(gesture.request(ask))
        if gesture.personal:
            return await self._execute_alone(gesture, ask, reply)
        return await self._execute_among_others(gesture, ask, reply)

    async def _execute_alone(self, gesture: Gesture, ask: Pressed | Submitted, reply: Reply) -> Answer:
        """In a personal chat, what a form becomes takes the form's place; other answers follow as messages."""
        if reply.card and reply.card.kind is CardKind.SIGN_IN:
            # The card that was pressed will be needed again.
            return await self._post(gesture, replace(reply, replace=False))
        if isinstance(ask, Submitted):
            reply = replace(reply, replace=True)
        if reply.replace and not reply.pending:
            card = gesture.activity.reply_to
            update = self._delivery.update(gesture.turn, card, gesture.where, gesture.who, reply)
            if await self._sending.soon(update, within=self._patience, otherwise=True):
                return self._in_place(gesture, reply)
            reply = replace(reply, replace=False)
        return await self._post(gesture, reply)

    async def _execute_among_others(self, gesture: Gesture, ask: Pressed | Submitted, reply: Reply) -> Answer:
        """In a shared conversation the answer to a press is seen by the person alone, in the place of the card."""
        if reply.pending:
            return answers.said(_title(reply))  # a view of one person's cannot be replaced later
        if for_all(reply, gesture.where):
            return await self._post(gesture, reply)
        if reply.stub is not None:
            await self._tell_all(gesture, reply)
        card, asks = gesture.activity.reply_to, reply.card is not None and reply.card.kind is CardKind.SIGN_IN
        if self._delivery.is_private(card) and not asks and (reply.replace or isinstance(ask, Submitted)):
            # Its only reader shall not find the former card there again, like a form that has been sent.
            self._sending.behind(self._delivery.update(gesture.turn, card, gesture.where, gesture.who, reply))
        return self._in_place(gesture, reply)

    async def _post(self, gesture: Gesture, reply: Reply) -> Answer:
        """The answer as a message; in the card's place where Teams does not take the message."""
        if await self._sending.post(gesture, reply, within=self._patience):
            return answers.said(_title(reply))
        return self._in_place(gesture, reply)

    def _in_place(self, gesture: Gesture, reply: Reply) -> Answer:
        message = self._drawing.message(gesture.where, gesture.who, reply)
        return answers.shown(dict(message.card)) if message and message.card else answers.said("")

    async def _refresh(self, gesture: Gesture, ask: Pressed | Submitted | None) -> Answer:
        """A fresh view for one reader; whoever may not see the record keeps the card that everyone sees."""
        if isinstance(ask, Pressed) and shows(ask.press):
            reply = await self._dispatcher.dispatch(gesture.request(ask))
            if reply.card is not None and reply.card.kind is CardKind.RECORD and not reply.pending:
                return answers.shown(self._drawing.card(reply.card, gesture.where, gesture.who))
        return answers.refused(404, "NoView", "There is no other view of this card.")

    async def _dismiss(self, gesture: Gesture) -> Answer:
        card = gesture.activity.reply_to
        # In a shared conversation the form may stand, for this person alone, where everyone else sees a card.
        own = gesture.personal or self._delivery.is_private(card)
        if own:
            deleting = self._delivery.delete(gesture.turn, card)
            if await self._sending.soon(deleting, within=self._patience, otherwise=True):
                return answers.said("")
        gone = Card(kind=CardKind.NOTICE, title="Put away.")
        return answers.shown(self._drawing.card(gone, gesture.where, gesture.who))

    async def _typeahead(self, gesture: Gesture) -> Answer:
        press, field = read_dataset(str(gesture.value.get("dataset") or ""))
        typed = str(gesture.value.get("queryText") or "")
        return answers.choices(
            await self._dispatcher.browsing.suggest(press, field, typed[:200], gesture.who, gesture.where)
        )

    async def _open_dialog(self, gesture: Gesture) -> Answer:
        ask = self.ask(gesture.value.get("data"))
        if ask is None:
            return self._dialog(gesture, Reply(card=self._dispatcher.stale()))
        return self._dialog(gesture, await self._dispatcher.dispatch(gesture.request(ask)))

    async def _submit_dialog(self, gesture: Gesture) -> Answer:
        ask = self.ask(gesture.value.get("data"))
        if ask is None:
            return self._dialog(gesture, Reply(card=self._dispatcher.stale()))
        if ask.press.do is Do.DISMISS:
            return CLOSED
        reply = await self._dispatcher.dispatch(gesture.request(ask))
        failed = reply.card is not None and reply.card.kind in {CardKind.ERROR, CardKind.SIGN_IN}
        if reply.form is not None or failed or not (reply.card or reply.stub):
            return self._dialog(gesture, reply)
        if gesture.personal or for_all(reply, gesture.where):
            posted = await self._sending.post(gesture, reply, within=self._patience)
            return CLOSED if posted else self._dialog(gesture, reply)
        if reply.stub is not None:
            await self._tell_all(gesture, reply)
        return self._dialog(gesture, reply)

    async def _open_on_message(self, gesture: Gesture) -> Answer:
        payload = gesture.value.get("messagePayload")
        if gesture.value.get("commandId") != "createCase" or not isinstance(payload, Mapping) or not payload.get("id"):
            return answers.dialog_note("Pick “Create case” in the menu of a message.")
        ask = FromMessage(await self._quoting.quote(payload, gesture.where))
        reply = await self._dispatcher.dispatch(gesture.request(ask))
        installed = True
        if reply.stub is not None and not gesture.personal:
            installed = await self._tell_all(gesture, reply)
        return self._dialog(gesture, reply, install=not installed)

    async def _submit_on_message(self, gesture: Gesture) -> Answer:
        data = gesture.value.get("data")
        ask = self.ask(data)
        if isinstance(data, Mapping) and isinstance(data.get("msteams"), Mapping) and data["msteams"].get(INSTALL):
            return await self._installed(gesture, ask)
        if ask is None:
            return self._dialog(gesture, Reply(card=self._dispatcher.stale()))
        if ask.press.do is Do.DISMISS:
            return CLOSED
        reply = await self._dispatcher.dispatch(gesture.request(ask))
        installed = True
        if reply.stub is not None and not gesture.personal:
            installed = await self._tell_all(gesture, reply)
        return self._dialog(gesture, reply, install=not installed)

    async def _installed(self, gesture: Gesture, ask: Pressed | Submitted | None) -> Answer:
        """The person let the bot in just now: the others are told what they could not be told before."""
        if not isinstance(ask, Pressed):
            return self._dialog(gesture, Reply(card=self._dispatcher.stale()))
        reply = await self._dispatcher.dispatch(gesture.request(ask))
        reply = replace(reply, stub=reply.card.public() if reply.card else None)
        if reply.stub is not None:
            await self._tell_all(gesture, reply)
        return self._dialog(gesture, reply)

    async def _tell_all(self, gesture: Gesture, reply: Reply) -> bool:
        """Posts the stub for everyone; False where the bot is not a member of the conversation."""
        return await self._sending.tell(gesture, reply, within=self._patience)

    def _dialog(self, gesture: Gesture, reply: Reply, *, install: bool = False) -> Answer:
        reader = requests.reader(gesture.who, gesture.where)
        if reply.form is not None:
            return answers.dialog(render_form(reply.form, self._seal, reader, dialog=True), reply.form.title)
        if reply.card is None:
            return CLOSED
        element = render(reply.card, self._seal, reader, dialog=True)
        if install and (press := refreshing(reply.card)):
            told = run("This app is not a member of the conversation, so the others were not told.")
            element["body"].append(runs(told, spacing="Medium"))
            button = submit("Add the app and tell them", press, self._seal)
            button["data"]["msteams"] = {INSTALL: True}
            element.setdefault("actions", []).insert(0, button)
        return answers.dialog(element, reply.card.subtitle or reply.card.title)


def _title(reply: Reply) -> str:
    return reply.card.title if reply.card else reply.form.title if reply.form else ""
