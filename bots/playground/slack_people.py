"""People in the fake Slack: every gesture builds the payload that Slack would send, waits as long as Slack would, and
applies the answer as Slack would."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePath
from typing import Any, TypeVar
from urllib.parse import urlsplit

from . import blockkit, slack_text
from .answer import Answer, until
from .slack_api import check_message
from .slack_delivery import BotLink
from .slack_world import (
    SLACKBOT,
    Channel,
    Message,
    ResponseUrl,
    SlackError,
    User,
    View,
    all_options,
    element_state,
    escape,
    link,
)

T = TypeVar("T")
_MENTION = re.compile(r"@([\w.-]+)")
_TYPED_LINK = re.compile(r"<(https?://[^<>|]+)>")
SUBSCRIPTIONS = frozenset(
    {
        *("app_home_opened", "app_mention", "app_uninstalled", "tokens_revoked", "entity_details_requested"),
        *("link_shared", "message.channels", "message.groups", "message.im", "reaction_added"),
    }
)
_FAILED = "`{command}` failed with the error “{error}”."
_TROUBLE = "We had some trouble connecting. Try again?"


class SlackPeople(BotLink):
    """The gestures. `user`, `channel` take ids or names; a `Message` or `View` says where something was clicked."""

    base_url: str
    subscriptions: set[str]
    unfurl_domains: set[str]
    echo: bool

    # -- slash commands

    async def command(self, command: str, text: str = "", *, user: str = "U1", channel: str = "C1") -> Answer:
        """Type a slash command. Its acknowledgement becomes a message: private, unless it says `in_channel`."""
        who, place = self.world.user(user), self.place(channel, user)
        fields = {
            "token": "legacy",
            "team_id": place.team,
            "team_domain": self.world.teams[place.team].domain,
            "channel_id": place.id,
            "channel_name": "directmessage" if place.im else place.name,
            "user_id": who.id,
            "user_name": who.name,
            "command": command,
            "text": text,
            "api_app_id": "APLAYGROUND",
            "is_enterprise_install": "false",
            "response_url": self.response_url(who, place),
            "trigger_id": self.world.trigger(who.id, place.team),
        }
        answer = await self.post_form(fields, f"{command} {text}".strip())
        body = answer.json if isinstance(answer.json, dict) else {"text": answer.text} if answer.body else {}
        if not answer.error and body:
            if body.get("response_type") == "in_channel":
                self._posted(place, who.id, f"{command} {text}".strip())
            answer = self._show(answer, body, place, who)
        if answer.error:
            self._tell(place, who, _FAILED.format(command=command, error=answer.error))
        return answer

    # -- clicks

    async def click(
        self,
        where: Message | View,
        action: str,
        value: Any = None,
        *,
        user: str = "",
        nth: int = 0,
        block_id: str = "",
    ) -> Answer:
        """Press, choose or pick. `action` is an action_id or what can be read on the control; `value` the option (its
        value or text), date or typed text; `nth` or `block_id` tell equal controls apart."""
        block, element, chosen = self.find_control(where, action, value, nth, block_id=block_id)
        who = self.world.user(user or self._reader(where))
        if isinstance(where, View) and (state := element_state(element, chosen)) is not None:
            where.values.setdefault(block["block_id"], {})[element["action_id"]] = state
        at = f"{time.time():.6f}"
        acted = self._acted(block, element, chosen) | {"action_ts": at}
        payload = self._payload("block_actions", who, where) | {"actions": [acted]}
        answer = await self.post_payload(payload, f"click {slack_text.element_text(element)}")
        if answer.error and isinstance(where, View):
            where.notice = _TROUBLE
        return answer

    async def suggest(
        self, where: Message | View, action: str, typed: str, *, user: str = "", block_id: str = ""
    ) -> Answer:
        """Type into an external select; `answer.json["options"]` are what the person may pick. Nothing is sent before
        `min_query_length` letters (3 unless the element says otherwise)."""
        block, element, _ = self.find_control(where, action, None, 0, block_id=block_id)
        if len(typed) < int(element.get("min_query_length", 3)):
            return Answer(status=0, error="too_short")
        who = self.world.user(user or self._reader(where))
        payload = self._payload("block_suggestion", who, where)
        payload |= {"action_id": element["action_id"], "block_id": block["block_id"], "value": typed}
        for key in ("trigger_id", "response_url", "state"):
            payload.pop(key, None)
        answer = await self.post_payload(payload, f"suggest {typed!r}")
        if answer.error:
            return answer
        found = blockkit.options_problems(answer.json)
        return _refused(answer, "invalid_response", found) if found else answer

    # -- modals and the home tab

    async def submit(self, view: View, values: Mapping[str, Any] | None = None, *, user: str = "") -> Answer:
        """Fill in and submit. Keys are action_id, block_id or label; what Slack's own client would not send (an empty
        required field, no number) is refused here: `error="required_field"`, with `view.errors`."""
        for key, value in (values or {}).items():
            self.fill(view, key, value)
        view.errors, view.notice = self._client_errors(view), ""
        if view.errors:
            self.world.changed()
            return Answer(status=0, error="required_field")
        who = self.world.user(user or view.user)
        payload = self._payload("view_submission", who, view) | {"response_urls": []}
        payload.pop("container", None)
        answer = await self.post_payload(payload, f"submit {view.body.get('callback_id', '')}".strip())
        return self._apply_submission(view, answer)

    def fill(self, view: View, key: str, value: Any) -> None:
        """Type into one field of a view without sending anything."""
        block, element, _ = self.find_control(view, key, value, 0, stateful=True)
        state = element_state(element, value)
        if state is not None:
            view.values.setdefault(block["block_id"], {})[element["action_id"]] = state

    async def close_view(self, view: View, *, user: str = "") -> Answer | None:
        """Dismiss a modal; the bot hears of it only when the view asked for it."""
        self.world.close_view(view)
        if not view.body.get("notify_on_close"):
            return None
        payload = self._payload("view_closed", self.world.user(user or view.user), view) | {"is_cleared": False}
        for key in ("trigger_id", "container"):
            payload.pop(key, None)
        return await self.post_payload(payload, "close")

    async def open_home(self, user: str = "U1", tab: str = "home") -> Answer:
        """Open the app's page."""
        who = self.world.user(user)
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": who.id,
            "channel": self.world.direct(who.id, who.team).id,
            "tab": tab,
        }
        if who.id in self.world.homes:
            event |= {"view": self.world.homes[who.id].json()}
        return await self.event(event, team=who.team)

    # -- shortcuts

    async def shortcut(self, callback_id: str, message: Message | None = None, *, user: str = "U1") -> Answer:
        """A message shortcut from the message's menu, or a global one without a message."""
        who = self.world.user(user)
        if message is None:
            payload = self._payload("shortcut", who, None)
        else:
            if message.to:
                raise LookupError("Slack offers no shortcuts on ephemeral messages")
            place = self.world.channels[message.channel]
            payload = self._payload("message_action", who, None) | {
                "channel": _channel_ref(place),
                "message_ts": message.ts,
                "message": message.json(),
                # from a thread this can only post to the parent conversation
                "response_url": self.response_url(who, place, message if message.bot_id else None),
            }
        payload |= {"callback_id": callback_id, "action_ts": f"{time.time():.6f}"}
        return await self.post_payload(payload, f"shortcut {callback_id}")

    # -- what people say and do

    async def say(
        self,
        text: str,
        *,
        user: str = "U1",
        channel: str = "C1",
        thread: Message | str = "",
        files: Mapping[str, bytes] | None = None,
    ) -> Message:
        """Post as a person, and send the events the app subscribed to. `@crm` and `@name` become mentions; files are
        name -> content. The answers are in `slack.answers`."""
        who, place = self.world.user(user), self.place(channel, user)
        root = self._root(place, thread) if thread else ""
        message = self._posted(place, who.id, self.wire_text(text), root)
        for name, content in (files or {}).items():
            kind = "text/plain" if PurePath(name).suffix in (".txt", ".log", ".csv") else "application/octet-stream"
            message.files.append(self.world.add_file(name, content, kind, who.id, self.base_url))
            message.subtype = "file_share"
        await self._announce(message)
        return message

    def wire_text(self, text: str) -> str:
        """Typed text as it goes over the wire: escaped, with `<@U…>` and `<https://…>`."""

        def mention(found: re.Match[str]) -> str:
            name = found.group(1)
            known = next((u for u in self.world.users.values() if name in (u.name, u.id)), None)
            return f"<@{known.id}>" if known else found.group()

        return _MENTION.sub(mention, link(escape(text)))

    async def edit(self, message: Message, text: str) -> Answer | None:
        """Change a person's own message."""
        before = message.json()
        message.text, message.edited = self.wire_text(text), self.world.new_ts()
        return await self._changed_event(
            message, "message_changed", {"message": message.json(), "previous_message": before}
        )

    async def delete(self, message: Message) -> Answer | None:
        """Delete a person's own message."""
        self.world.remove(message)
        extra = {"deleted_ts": message.ts, "previous_message": message.json()}
        return await self._changed_event(message, "message_deleted", extra)

    async def react(self, message: Message, emoji: str, *, user: str = "U1") -> Answer | None:
        """Add a reaction."""
        who = self.world.user(user)
        message.reactions.setdefault(emoji, []).append(who.id)
        place = self.world.channels[message.channel]
        if not self._hears("reaction_added", place):
            return None
        item = {"type": "message", "channel": message.channel, "ts": message.ts}
        event = {"type": "reaction_added", "user": who.id, "reaction": emoji, "item": item, "item_user": message.user}
        return await self.event(event, team=message.team)

    async def compose(self, url: str, *, user: str = "U1") -> Answer:
        """Type a link without sending it: link_shared from the composer, where there is no channel yet."""
        who = self.world.user(user)
        draft = Message(ts=self.world.new_ts(), channel="COMPOSER", team=who.team, user=who.id, text=link(escape(url)))
        return await self.event(self._link_event(draft, [escape(url)], "composer"), team=who.team)

    async def open_entity(self, url: str, *, user: str = "U1", reference: Mapping[str, str] | None = None) -> Answer:
        """Open a Work Object's side pane; what the bot presented is in `world.entities[user]`."""
        who = self.world.user(user)
        event: dict[str, Any] = {
            "type": "entity_details_requested",
            "user": who.id,
            "entity_url": url,
            "link": {"url": url, "domain": urlsplit(url).hostname},
            "app_unfurl_url": url,
            "trigger_id": self.world.trigger(who.id, who.team),
            "user_locale": "en-GB",
        }
        if reference:
            event["external_ref"] = dict(reference)
        return await self.event(event, team=who.team)

    async def event(self, event: Mapping[str, Any], *, team: str = "T1", event_id: str = "") -> Answer:
        """Any event in the envelope of the Events API."""
        workspace = self.world.teams[team]
        envelope = {
            "token": "legacy",
            "type": "event_callback",
            "team_id": team,
            "context_team_id": team,
            "api_app_id": "APLAYGROUND",
            "event": {"event_ts": self.world.new_ts(), **event},
            "event_id": event_id or self.world.new_id("Ev"),
            "event_time": int(time.time()),
            "authorizations": [
                {
                    "enterprise_id": workspace.enterprise,
                    "team_id": team,
                    "user_id": workspace.bot_user,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }
        return await self.post_event(envelope, f"event {event.get('type')}")

    # -- what people see

    def place(self, channel: str, user: str = "U1") -> Channel:
        """A channel by id or name; "dm" is the person's direct messages with the app."""
        if channel in ("dm", "personal"):
            who = self.world.user(user)
            return self.world.direct(who.id, who.team)
        return self.world.channel(channel)

    def messages(self, channel: str = "C1", user: str = "U1", thread: Message | str | None = None) -> list[Message]:
        """The main column there, or a thread from its root."""
        ts = thread.ts if isinstance(thread, Message) else thread
        return self.world.seen(self.place(channel, user).id, self.world.user(user).id, ts)

    def last(self, channel: str = "C1", user: str = "U1", *, bot: bool = True) -> Message | None:
        """The newest message there that the person sees, threads included: the app's, or (`bot=False`) another's."""
        place, who = self.place(channel, user), self.world.user(user).id
        found = [m for m in self.world.messages.get(place.id, ()) if m.to in ("", who) and bool(m.bot_id) is bot]
        return found[-1] if found else None

    def view(self, user: str = "U1") -> View | None:
        """The modal on top."""
        return self.world.top_view(self.world.user(user).id)

    def home(self, user: str = "U1") -> View | None:
        return self.world.homes.get(self.world.user(user).id)

    def text(self, what: Message | View) -> str:
        """A message or view as a person reads it."""
        if isinstance(what, View):
            return slack_text.view_text(what, self.world)
        return "\n".join(slack_text.message_text(what, self.world))

    def transcript(self, channel: str = "C1", user: str = "U1", *, since: Message | str = "") -> str:
        """Everything that the person sees there, threads indented under their roots, an open modal last."""
        place, who = self.place(channel, user), self.world.user(user)
        start = since.ts if isinstance(since, Message) else since
        lines: list[str] = []
        for message in self.world.seen(place.id, who.id):
            if message.ts >= start:
                lines += slack_text.message_text(message, self.world)
            for reply in self.world.seen(place.id, who.id, message.ts)[1:]:
                if reply.ts >= start:
                    lines += [f"    {line}" for line in slack_text.message_text(reply, self.world)]
        if (view := self.view(user)) is not None:
            lines.append(self.text(view))
        return "\n".join(lines)

    async def until(
        self, probe: Callable[[], T | None] | Callable[[], Awaitable[T | None]], deadline: float = 5.0
    ) -> T:
        """Poll until the probe gives something true; TimeoutError otherwise."""
        return await until(probe, deadline)

    # -- how it is done

    def response_url(self, who: User, place: Channel, source: Message | None = None) -> str:
        name = self.world.new_id("R")
        self.world.response_urls[name] = ResponseUrl(
            user=who.id, channel=place.id, team=place.team, born=self.world.now(), source=source
        )
        return f"{self.base_url}response/{name}"

    def find_control(
        self, where: Message | View, wanted: str, value: Any, nth: int, *, stateful: bool = False, block_id: str = ""
    ) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """A block, the element in it, and the value to send; LookupError lists what is there."""
        blocks = where.blocks if isinstance(where, View) else where.all_blocks()
        found, there = [], []
        for block in blocks if not block_id else [b for b in blocks if b.get("block_id") == block_id]:
            for element in blockkit.elements([block]):
                if not isinstance(element, dict) or element.get("type") == "image":
                    continue
                label = slack_text.words(block.get("label")) or slack_text.element_text(element).strip("[]")
                there.append(f"{element.get('action_id')} ({label})")
                names = {element.get("action_id"), label, slack_text.words(element.get("text"))}
                if block.get("type") == "input" or stateful:
                    names.add(block.get("block_id"))
                if wanted in names:
                    found.append((block, element, element.get("value") if value is None else value))
                elif element.get("type") == "overflow":
                    found += [(block, element, o["value"]) for o in element["options"] if slack_text.words(o) == wanted]
        exact = [f for f in found if value is not None and f[1].get("value") == value] or found
        if nth >= len(exact):
            raise LookupError(f"no control {wanted!r} here; there are: {', '.join(there) or 'none'}")
        return exact[nth]

    def _acted(self, block: Mapping[str, Any], element: Mapping[str, Any], value: Any) -> dict[str, Any]:
        acted = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
        if element["type"] == "button":
            return acted | {k: element[k] for k in ("text", "value", "url", "style") if k in element}
        if element["type"] == "overflow":
            wanted = [o for o in all_options(element) if value in (o["value"], slack_text.words(o))]
            return acted | {"selected_option": wanted[0]}
        return acted | (element_state(element, value) or {})

    def _payload(self, kind: str, who: User, where: Message | View | None) -> dict[str, Any]:
        team = where.team if where is not None else who.team
        workspace = self.world.teams[team]
        payload: dict[str, Any] = {
            "type": kind,
            "team": {"id": team, "domain": workspace.domain},
            "user": {"id": who.id, "username": who.name, "name": who.name, "team_id": who.team},
            "api_app_id": "APLAYGROUND",
            "token": "legacy",
            "enterprise": {"id": workspace.enterprise, "name": "Grid"} if workspace.enterprise else None,
            "is_enterprise_install": False,
            "trigger_id": self.world.trigger(who.id, team, where.id if isinstance(where, View) else ""),
        }
        if isinstance(where, View):
            return payload | {"container": {"type": "view", "view_id": where.id}, "view": where.json()}
        if where is None:
            return payload
        place = self.world.channels[where.channel]
        container = {"message_ts": where.ts, "channel_id": where.channel, "is_ephemeral": bool(where.to)}
        payload |= {
            "channel": _channel_ref(place),
            "state": {"values": {}},
            "response_url": self.response_url(who, place, where if where.bot_id else None),
        }
        if where.thread_ts:
            container["thread_ts"] = where.thread_ts
        if where.unfurls and not where.bot_id:
            unfurl = where.unfurl_attachments()[0]
            container |= {"is_app_unfurl": True, "app_unfurl_url": unfurl["from_url"], "attachment_id": 1}
            return payload | {"container": {"type": "message_attachment", **container}, "app_unfurl": unfurl}
        payload["container"] = {"type": "message", **container}
        # Slack keeps no ephemeral messages, so their content does not come back
        return payload if where.to else payload | {"message": where.json()}

    def _reader(self, where: Message | View) -> str:
        return where.user if isinstance(where, View) else where.to or "U1"

    def _apply_submission(self, view: View, answer: Answer) -> Answer:
        if answer.error:
            view.notice = _TROUBLE
            self.world.changed()
            return answer
        body = answer.json if isinstance(answer.json, dict) else {}
        try:
            self._act_on(view, body)
        except SlackError as refusal:
            view.notice = _TROUBLE
            answer = _refused(answer, "invalid_response", refusal.extra.get("errors", [refusal.code]))
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
            return _refused(answer, refusal.code, refusal.extra.get("errors", []))
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
        links = [u for u in _TYPED_LINK.findall(message.text) if urlsplit(u).hostname in self.unfurl_domains]
        if links and "link_shared" in self.subscriptions and not message.bot_id:
            await self.event(self._link_event(message, links, "conversations_history"), team=place.team)

    def _link_event(self, message: Message, links: list[str], source: str) -> dict[str, Any]:
        unfurl_id = f"{message.ts}.unfurl"
        self.world.unfurl_ids[unfurl_id] = message
        place = self.world.channels.get(message.channel)
        event = {
            "type": "link_shared",
            "channel": message.channel,
            "is_bot_user_member": place is not None and self.world.teams[message.team].bot_user in place.members,
            "user": message.user,
            "message_ts": unfurl_id if source == "composer" else message.ts,
            "unfurl_id": unfurl_id,
            "source": source,
            "links": [{"url": url, "domain": urlsplit(url).hostname} for url in links],
        }
        return event | ({"thread_ts": message.thread_ts} if message.thread_ts else {})

    async def _changed_event(self, message: Message, subtype: str, extra: Mapping[str, Any]) -> Answer | None:
        self.world.changed()
        place = self.world.channels[message.channel]
        if not self._hears(f"message.{place.kind}", place):
            return None
        event = {"type": "message", "subtype": subtype, "channel": place.id, "ts": self.world.new_ts(), **extra}
        return await self.event(event, team=place.team)


def _channel_ref(place: Channel) -> dict[str, str]:
    return {"id": place.id, "name": "directmessage" if place.im else place.name}


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


def _refused(answer: Answer, error: str, found: list[str]) -> Answer:
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
