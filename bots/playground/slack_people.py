"""People in the fake Slack: every gesture builds the payload that Slack would send, waits as long as Slack would, and
applies the answer as Slack would."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from . import blockkit, slack_text
from .answer import Answer
from .slack_effects import TROUBLE, SlackEffects, refused
from .slack_payloads import channel_ref
from .slack_records import Message, View
from .slack_state import element_state
from .slack_world import escape, link

_MENTION = re.compile(r"@([\w.-]+)")
SUBSCRIPTIONS = frozenset(
    {
        *("app_home_opened", "app_mention", "app_uninstalled", "tokens_revoked", "entity_details_requested"),
        *("link_shared", "message.channels", "message.groups", "message.im", "reaction_added"),
    }
)
_FAILED = "`{command}` failed with the error “{error}”."


class SlackPeople(SlackEffects):
    """The gestures. `user`, `channel` take ids or names; a `Message` or `View` says where something was clicked."""

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
            "is_enterprise_install": str(self.world.org_wide(place.team)).lower(),
            "response_url": self.response_url(who, place),
            "trigger_id": self.world.trigger(who.id, place.team),
        }
        if enterprise := self.world.teams[place.team].enterprise:
            fields |= {"enterprise_id": enterprise, "enterprise_name": "Grid"}
        answer = await self.post_form(fields, f"{command} {text}".strip())
        body = answer.json if isinstance(answer.json, dict) else {"text": answer.text} if answer.body else {}
        if not answer.error and body:
            if body.get("response_type") == "in_channel":
                self._posted(place, who.id, f"{command} {text}".strip())
            answer = self._show(answer, body, place, who)
        if answer.error:
            self._tell(place, who, _FAILED.format(command=command, error=answer.error))
        return answer

    def wire_text(self, text: str) -> str:
        """Typed text as it goes over the wire: escaped, with `<@U…>` and `<https://…>`."""

        def mention(found: re.Match[str]) -> str:
            name = found.group(1)
            known = next((u for u in self.world.users.values() if name in (u.name, u.id)), None)
            return f"<@{known.id}>" if known else found.group()

        return _MENTION.sub(mention, link(escape(text)))

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
            where.notice = TROUBLE
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
        return refused(answer, "invalid_response", found) if found else answer

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
                "channel": channel_ref(place),
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
            message.files.append(self.world.add_file(name, content, kind, who.id))
            message.subtype = "file_share"
        await self._announce(message)
        return message

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
