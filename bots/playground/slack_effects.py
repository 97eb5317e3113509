"""What an answer of the bot does: messages appear, modals change, errors show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .answer import Answer
from .slack_payloads import SlackPayloads
from .slack_posting import check_message
from .slack_records import SLACKBOT, Channel, Message, ResponseUrl, SlackError, User, View

TYPED_LINK = re.compile(r"<(https?://[^<>|]+)>")
TROUBLE = "We had some trouble connecting. Try again?"


class SlackEffects(SlackPayloads):
    """Acknowledgements and `response_url` posts, applied as Slack's client and servers would."""

    echo: bool
    subscriptions: set[str]
    unfurl_domains: set[str]

    def _apply_submission(self, view: View, answer: Answer) -> Answer:
        if answer.error:
            view.notice = TROUBLE
            self.world.changed()
            return answer
        body = answer.json if isinstance(answer.json, dict) else {}
        try:
            self._act_on(view, body)
        except SlackError as refusal:
            view.notice = TROUBLE
            answer = refused(answer, "invalid_response", refusal.extra.get("errors", [refusal.code]))
        self.world.changed()
        return answer

    def _act_on(self, view: View, body: Mapping[str, Any]) -> None:
        match body.get("response_action"):
            case None:
                self.world.close_view(view)
            case "clear":
                self.world.close_view(view, everything=True)
            case "update":
                self.world.update_view(view, body["view"])
            case "push":
                self.world.open_view(body["view"], view.user, view.team, under=view)
            case "errors":
                inputs = {b["block_id"] for b in view.blocks if b.get("type") == "input"}
                if not body.get("errors") or set(body["errors"]) - inputs:
                    raise SlackError("invalid_response", errors=[f"errors for no input block: {body.get('errors')}"])
                view.errors = dict(body["errors"])
            case other:
                raise SlackError("invalid_response", errors=[f"unknown response_action {other!r}"])

    def _client_errors(self, view: View) -> dict[str, str]:
        """What Slack's own client refuses before it sends anything."""
        found = {}
        for block in view.blocks:
            if block.get("type") != "input":
                continue
            element = block["element"]
            state = view.values.get(block["block_id"], {}).get(element["action_id"], {})
            value = next((v for key, v in state.items() if key != "type"), None)
            if value in (None, "", []):
                if not block.get("optional"):
                    found[block["block_id"]] = "Please complete this required field."
            elif isinstance(value, str) and (said := _malformed(element, value)):
                found[block["block_id"]] = said
        return found

    def _show(self, answer: Answer, body: Mapping[str, Any], place: Channel, who: User) -> Answer:
        """A command's acknowledgement as a message."""
        try:
            self.respond(body, ResponseUrl(user=who.id, channel=place.id, team=place.team, born=0.0))
        except SlackError as refusal:
            return refused(answer, refusal.code, refusal.extra.get("errors", []))
        return answer

    def respond(self, body: Mapping[str, Any], where: ResponseUrl) -> None:
        """What a `response_url` or an acknowledgement does: post, replace or delete."""
        blocks, attachments = body.get("blocks") or [], body.get("attachments") or []
        text = str(body.get("text") or "")
        if body.get("delete_original"):
            if where.source is None or where.source not in self.world.messages[where.channel]:
                raise SlackError("message_not_found")
            self.world.remove(where.source)
            return
        if not (text or blocks or attachments):
            raise SlackError("no_text")
        check_message(text, blocks, attachments)
        if body.get("replace_original") and where.source is not None:
            message = where.source
            message.text, message.blocks, message.attachments = text, blocks, attachments
            message.edited = "" if message.to else self.world.new_ts()
            self.world.changed()
            return
        public = body.get("response_type") == "in_channel"
        workspace = self.world.teams[where.team]
        message = Message(
            ts=self.world.new_ts(),
            channel=where.channel,
            team=where.team,
            user=workspace.bot_user,
            bot_id=workspace.bot_id,
            text=text,
            blocks=blocks,
            attachments=attachments,
            thread_ts=str(body.get("thread_ts") or ""),
            to="" if public else where.user,
        )
        self.world.add(message)
        if public and self.echo:
            self.spawn(self._announce(message))

    def _tell(self, place: Channel, who: User, text: str) -> None:
        self.world.add(
            Message(ts=self.world.new_ts(), channel=place.id, team=place.team, user=SLACKBOT, text=text, to=who.id)
        )

    def _posted(self, place: Channel, user: str, text: str, root: str = "") -> Message:
        message = Message(
            ts=self.world.new_ts(), channel=place.id, team=place.team, user=user, text=text, thread_ts=root
        )
        return self.world.add(message)

    def _root(self, place: Channel, thread: Message | str) -> str:
        ts = thread.ts if isinstance(thread, Message) else thread
        message = self.world.find(place.id, ts)
        root = self.world.find(place.id, message.thread_ts or ts)
        root.thread_ts = root.ts
        return root.ts

    def _hears(self, event: str, place: Channel) -> bool:
        return event in self.subscriptions and self.world.teams[place.team].bot_user in place.members

    async def _announce(self, message: Message) -> None:
        """The events that a person's message causes: app_mention, message.*, link_shared; in no promised order."""
        place = self.world.channels[message.channel]
        kind = {"channels": "channel", "groups": "group", "im": "im"}[place.kind]
        shared = {**message.json(), "channel": place.id, "event_ts": message.ts}
        bot = self.world.teams[place.team].bot_user
        if f"<@{bot}>" in message.text and not place.im and self._hears("app_mention", place):
            await self.event(shared | {"type": "app_mention"}, team=place.team)
        if self._hears(f"message.{place.kind}", place):
            await self.event(shared | {"channel_type": kind}, team=place.team)
        links = [u for u in TYPED_LINK.findall(message.text) if urlsplit(u).hostname in self.unfurl_domains]
        if links and "link_shared" in self.subscriptions and not message.bot_id:
            await self.event(self._link_event(message, links, "conversations_history"), team=place.team)

    async def _changed_event(self, message: Message, subtype: str, extra: Mapping[str, Any]) -> Answer | None:
        self.world.changed()
        place = self.world.channels[message.channel]
        if not self._hears(f"message.{place.kind}", place):
            return None
        event = {"type": "message", "subtype": subtype, "channel": place.id, "ts": self.world.new_ts(), **extra}
        return await self.event(event, team=place.team)


def _malformed(element: Mapping[str, Any], value: str) -> str:
    match element.get("type"):
        case "number_input":
            pattern = r"-?\d+(\.\d+)?" if element.get("is_decimal_allowed") else r"-?\d+"
            return "" if re.fullmatch(pattern, value) else "Enter a valid number."
        case "email_text_input":
            return "" if re.fullmatch(r"\S+@\S+\.\S+", value) else "Enter a valid email address."
        case "url_text_input":
            return "" if re.fullmatch(r"\w+://\S+", value) else "Enter a valid URL."
        case "plain_text_input" if len(value) > int(element.get("max_length", 3000)):
            return f"Must be at most {element.get('max_length', 3000)} characters."
        case "plain_text_input" if len(value) < int(element.get("min_length", 0)):
            return f"Must be at least {element['min_length']} characters."
    return ""


def refused(answer: Answer, error: str, found: list[str]) -> Answer:
    """The same answer, with what is wrong with it."""
    return Answer(
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        seconds=answer.seconds,
        delivery=answer.delivery,
        error=error,
        problems=tuple(found),
    )
