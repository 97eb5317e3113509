"""Answers on their way to people: the place that still takes them, then the next best one.

A private card goes to the `response_url` while that lives (5 posts, 30 minutes), else as an ephemeral message, else
into the direct messages; a public one into the channel or thread. What one message cannot hold follows as a file.
"""

import logging
import time
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import aiohttp

from commands.cards import Action, Card, CardKind, Form, to_text
from commands.press import Do, Seal
from commands.request import DeliveryFailed, Place, PlaceKind, Principal, Reply, Visibility

from .api import NotInstalled, SlackApi, SlackError, proxy_for
from .blocks import Rendered, render
from .modals import Modals
from .payload import workspace_at
from .settings import SlackSettings

log = logging.getLogger(__name__)

RESPONSE_USES = 5
REMEMBERED = 10_000
_NOT_THERE = frozenset(
    {
        *("not_in_channel", "channel_not_found", "is_archived", "user_not_in_channel", "restricted_action"),
        *("restricted_action_read_only_channel", "restricted_action_thread_only_channel"),
        *("restricted_action_non_threadable_channel", "restricted_action_thread_locked", "no_permission"),
        *("missing_scope", "cannot_reply_to_message", "thread_not_found", "invalid_thread_ts", "messages_tab_disabled"),
    }
)
"""Codes that say: not in this place, but perhaps in the next."""
_NOT_SO = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
"""Codes that say: not in this form."""


class Delivery:
    """`deliver` is the whole of it; the listeners use the parts."""

    def __init__(self, settings: SlackSettings, api: SlackApi, seal: Seal) -> None:
        self._settings = settings
        self._api = api
        self._seal = seal
        self._modals = Modals(seal)
        self._uses: OrderedDict[str, int] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()

    async def show(self, view: dict[str, Any], place: Place) -> bool:
        """Put this view in the place of the one that `place` remembers. False where it was closed meanwhile."""
        external_id = place.address.get("view", "")
        if not external_id:
            return False
        try:
            await self._api.call(workspace_at(place), "views_update", external_id=external_id, view=view)
        except SlackError as error:
            log.info("the view was not updated: %s", error.code)
            return False
        return True

    async def deliver(self, place: Place, principal: Principal, reply: Reply) -> str:
        """Everything in the reply: stub, reaction, then the card or form. Returns the card's ts where Slack gives one.

        Raises DeliveryFailed only for the card or form itself; a stub or reaction that Slack refuses is told to the
        person in the card.
        """
        try:
            card, form = reply.card, reply.form
            if reply.reaction:
                await self._react(place, reply.reaction)
            if reply.stub and not await self._stub(place, reply.stub) and card:
                sentence = "The thread was not told: I am not a member of that conversation. Invite me, then share."
                card = replace(card, text=(*card.text, sentence))
            if form:
                if await self.show(self._modals.form(form, principal, place), place):
                    return ""
                card = invitation(form)
            if card is None:
                return ""
            private = reply.visibility is Visibility.PRIVATE
            if private and await self.show(self._modals.card(card, principal, place), place):
                return ""
            shown = render(card, self._seal)
            try:
                return await self._message(place, principal, card, shown, reply)
            except SlackError as error:
                if error.code not in _NOT_SO:
                    raise
                log.warning("Slack refused how a card is laid out (%s): its text alone goes instead", error.code)
                return await self._message(place, principal, card, replace(shown, blocks=[], clipped=True), reply)
        except NotInstalled as error:
            raise DeliveryFailed(f"{error}; install it again at /slack/install.", again=False) from error
        except SlackError as error:
            sentence = f"Slack did not take the answer ({error.code})."
            raise DeliveryFailed(sentence, again=error.again, retry_after=error.retry_after) from error

    async def _message(self, place: Place, principal: Principal, card: Card, shown: Rendered, reply: Reply) -> str:
        if reply.visibility is Visibility.EVERYONE:
            return await self._public(place, shown, replacing=reply.replace)
        sent = await self._private(place, principal, shown, replacing=reply.replace)
        if shown.clipped and len(to_text(card)) > len(shown.text):
            await self.send_whole(place, principal, card)
        return sent

    async def _react(self, place: Place, name: str) -> None:
        ts = place.address.get("message_ts", "")
        if not ts:
            return
        try:
            await self._api.call(
                workspace_at(place), "reactions_add", channel=place.conversation, timestamp=ts, name=name
            )
        except SlackError as error:
            if error.code != "already_reacted":
                log.info("no reaction was put on the message: %s", error.code)

    async def _stub(self, place: Place, stub: Card) -> bool:
        """The public part, in the thread of the place. False where Slack does not let us post there."""
        mark = f"{place.key} {stub.record or stub.title}"
        if mark in self._told or not (public := stub.public()):
            return True
        rendered = render(public, self._seal)
        try:
            await self._post(place, rendered)
        except SlackError as error:
            if error.code in _NOT_THERE:
                log.info("the public stub was not posted: %s", error.code)
                return False
            raise
        self._told[mark] = None  # a second try is for the card
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return True

    async def _public(self, place: Place, rendered: Rendered, *, replacing: bool) -> str:
        try:
            if replacing and (ts := place.address.get("card_ts")):
                arguments = {k: v for k, v in rendered.message().items() if not k.startswith("unfurl_")}
                await self._api.call(workspace_at(place), "chat_update", channel=place.conversation, ts=ts, **arguments)
                return ts
            return await self._post(place, rendered)
        except SlackError as error:
            if error.code not in _NOT_THERE:
                raise
            if await self._respond(place, rendered, {"response_type": "in_channel"}, replacing=replacing):
                return ""
            raise

    async def _post(self, place: Place, rendered: Rendered) -> str:
        thread: dict[str, Any] = {"thread_ts": place.thread} if place.thread else {}
        answer = await self._api.call(
            workspace_at(place), "chat_postMessage", channel=place.conversation, **thread, **rendered.message()
        )
        return str(answer.get("ts") or "")

    async def _private(self, place: Place, principal: Principal, rendered: Rendered, *, replacing: bool) -> str:
        where = workspace_at(place)
        if place.kind is PlaceKind.PERSONAL and not place.address.get("response_url"):
            return await self._post(place, rendered)
        if await self._respond(place, rendered, {"response_type": "ephemeral"}, replacing=replacing):
            return ""
        if place.kind is not PlaceKind.PERSONAL:
            try:
                thread: dict[str, Any] = {"thread_ts": place.thread} if place.thread else {}
                answer = await self._api.call(
                    where,
                    "chat_postEphemeral",
                    channel=place.conversation,
                    user=principal.user,
                    **thread,
                    text=rendered.text,
                    blocks=rendered.blocks,
                )
                return str(answer.get("message_ts") or "")
            except SlackError as error:
                if error.code not in _NOT_THERE:
                    raise
                log.info("the answer goes to the direct messages instead: %s", error.code)
        answer = await self._api.call(where, "chat_postMessage", channel=principal.user, **rendered.message())
        return str(answer.get("ts") or "")

    async def _respond(self, place: Place, rendered: Rendered, how: dict[str, Any], *, replacing: bool = False) -> bool:
        """Through the `response_url`, while it lives. It cannot post into a thread that it did not come from."""
        url = place.address.get("response_url", "")
        until = float(place.address.get("response_until", "inf"))
        if not url or time.time() > until or self._uses.get(url, 0) >= RESPONSE_USES:
            return False
        if not self._settings.response_allowed(url):
            log.warning("a response_url that is not Slack's was not used")
            return False
        body = {**rendered.message(), **how, "replace_original": replacing}
        if place.thread and place.address.get("threaded"):
            body["thread_ts"] = place.thread
        return await self._post_response(url, body)

    async def discard(self, place: Place) -> None:
        """Put away the message whose button was pressed."""
        url = place.address.get("response_url", "")
        if url and self._settings.response_allowed(url):
            await self._post_response(url, {"delete_original": True})

    async def _post_response(self, url: str, body: dict[str, Any]) -> bool:
        self._uses[url] = self._uses.get(url, 0) + 1
        self._uses.move_to_end(url)
        while len(self._uses) > REMEMBERED:
            self._uses.popitem(last=False)
        try:
            async with self._api.session.post(url, json=body, proxy=proxy_for(url), allow_redirects=False) as answer:
                if answer.status == 200:
                    return True
                log.info("a response_url answered %d", answer.status)
        except (TimeoutError, aiohttp.ClientError) as error:
            log.info("a response_url could not be reached: %s", type(error).__name__)
        return False

    async def send_whole(self, place: Place, principal: Principal, card: Card) -> None:
        """The whole of a card that was cut, as a text file in the person's direct messages."""
        where = workspace_at(place)
        try:
            opened = await self._api.call(where, "conversations_open", users=[principal.user])
            await self._api.call(
                where,
                "files_upload_v2",
                channel=opened["channel"]["id"],
                filename="answer.txt",
                title=card.title or "Answer",
                content=to_text(card),
                initial_comment="The whole answer: one Slack message could not hold it.",
            )
        except SlackError as error:
            log.info("a long answer was not sent as a file: %s", error.code)


def invitation(form: Form) -> Card:
    """A form where no modal can be opened (the trigger has expired, or there was none): a button that opens it."""
    press = form.again or replace(form.submit, do=Do.FORM)
    return Card(
        kind=CardKind.NOTICE,
        title=form.title,
        text=(form.problem or form.intro or "A few details are needed first.",),
        actions=(Action(label="Open the form", press=press),),
    )
