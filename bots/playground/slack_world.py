"""What the fake Slack remembers: people, channels, messages, views, files, tokens. No HTTP here."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from . import blockkit
from .seed import Seed
from .slack_records import (
    TRIGGER_SECONDS,
    Channel,
    Message,
    ResponseUrl,
    SlackError,
    Token,
    Trigger,
    User,
    View,
    Workspace,
    refuse,
)
from .slack_state import initial_values, number_blocks


class World:
    """Everything, in memory; the methods keep it consistent and raise `SlackError` as the Web API would."""

    def __init__(self, seed: Seed) -> None:
        self.skew = 0.0
        self.base = ""
        self.teams: dict[str, Workspace] = {}
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, list[Message]] = {}
        self.views: dict[str, View] = {}
        self.stacks: dict[str, list[str]] = {}
        self.homes: dict[str, View] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.tokens: dict[str, Token] = {}
        self.entities: dict[str, dict[str, Any]] = {}
        self.unfurl_ids: dict[str, Message] = {}
        self.watchers: list[Callable[[], None]] = []
        self._last_ts = 0.0
        self._numbers = itertools.count(1)
        self._plant(seed)

    def now(self) -> float:
        """Seconds since 1970, moved ahead by `skew`."""
        return time.time() + self.skew

    def changed(self) -> None:
        for watcher in self.watchers:
            watcher()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers):08d}"

    def new_ts(self, at: float | None = None) -> str:
        """A message timestamp; unique and rising for messages posted now."""
        if at is not None:
            return f"{at:.6f}"
        self._last_ts = max(self.now(), self._last_ts + 0.000001)
        return f"{self._last_ts:.6f}"

    # -- the app's tokens

    def installed(self, team: str) -> list[Token]:
        """The app's living tokens for a workspace, one for its whole organisation among them."""
        enterprise = self.teams[team].enterprise
        found = [t for t in self.tokens.values() if t.kind == "bot" and not t.revoked]
        return [t for t in found if t.team == team or (t.team is None and enterprise and t.enterprise == enterprise)]

    def org_wide(self, team: str) -> bool:
        """Whether the app is installed in the workspace's whole organisation."""
        return any(t.team is None for t in self.installed(team))

    # -- people and places

    def user(self, name: str) -> User:
        """A person by id, name or e-mail."""
        found = self.users.get(name) or next((u for u in self.users.values() if name in (u.name, u.email)), None)
        if found is None:
            raise SlackError("user_not_found")
        return found

    def channel(self, name: str) -> Channel:
        """A channel by id or #name."""
        bare = name.removeprefix("#")
        found = self.channels.get(name) or next((c for c in self.channels.values() if c.name and c.name == bare), None)
        if found is None:
            raise SlackError("channel_not_found")
        return found

    def direct(self, user: str, team: str) -> Channel:
        """The direct message channel between a person and the app, opened on demand."""
        person, bot = self.user(user), self.teams[team].bot_user
        for channel in self.channels.values():
            if channel.im and channel.team == team and set(channel.members) == {person.id, bot}:
                return channel
        made = Channel(
            id=f"D{person.id[1:]}{'' if team == 'T1' else team}", team=team, im=True, members=[person.id, bot]
        )
        self.channels[made.id] = made
        return made

    # -- messages

    def add(self, message: Message) -> Message:
        self.messages.setdefault(message.channel, []).append(message)
        self.changed()
        return message

    def has(self, channel: str, ts: str) -> bool:
        return any(m.ts == ts for m in self.messages.get(channel, ()))

    def find(self, channel: str, ts: str) -> Message:
        for message in self.messages.get(channel, ()):
            if message.ts == ts:
                return message
        raise SlackError("message_not_found")

    def remove(self, message: Message) -> None:
        self.messages[message.channel] = [m for m in self.messages[message.channel] if m is not message]
        self.changed()

    def seen(self, channel: str, user: str, thread: str | None = None) -> list[Message]:
        """What a person sees there: without `thread` the main column, with it the thread from its root."""
        return [
            m
            for m in self.messages.get(channel, ())
            if m.to in ("", user) and (m.thread_ts in ("", m.ts) if thread is None else thread in (m.ts, m.thread_ts))
        ]

    def replies(self, message: Message) -> list[Message]:
        return [m for m in self.messages[message.channel] if m.thread_ts == message.ts and m.ts != message.ts]

    def permalink(self, message: Message) -> str:
        host = f"https://{self.teams[message.team].domain}.slack.com"
        link = f"{host}/archives/{message.channel}/p{message.ts.replace('.', '')}"
        if message.thread_ts and message.thread_ts != message.ts:
            link += f"?thread_ts={message.thread_ts}&cid={message.channel}"
        return link

    # -- triggers, response_urls, files

    def trigger(self, user: str, team: str, view: str = "") -> str:
        name = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self.triggers[name] = Trigger(user=user, team=team, born=self.now(), view=view)
        return name

    def spend(self, name: str) -> Trigger:
        """A trigger, used up: once, and within 3 seconds."""
        trigger = self.triggers.get(name)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.now() - trigger.born > TRIGGER_SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def serve_from(self, base: str) -> None:
        """Where files can be fetched: an address that ends in a slash."""
        self.base = base
        for file in self.files.values():
            file.update(self._addresses(file["id"], file["name"]))

    def _addresses(self, file_id: str, name: str) -> dict[str, str]:
        at = f"{self.base}files-pri/{file_id}"
        return {"url_private": f"{at}/{name}", "url_private_download": f"{at}/download/{name}"}

    def add_file(self, name: str, content: bytes, mimetype: str, user: str) -> dict[str, Any]:
        file_id = self.new_id("F")
        self.contents[file_id] = content
        self.files[file_id] = {
            "id": file_id,
            "name": name,
            "title": name,
            "mimetype": mimetype,
            "filetype": name.rpartition(".")[2],
            "size": len(content),
            "user": user,
            "mode": "hosted",
            **self._addresses(file_id, name),
        }
        return self.files[file_id]

    # -- views

    def open_view(self, body: dict[str, Any], user: str, team: str, under: View | None = None) -> View:
        """A new view on top: of nothing, or (pushed) of another."""
        self.check_view(body)
        stack = self.stacks.setdefault(user, [])
        if under is None:
            stack.clear()
        elif len(stack) >= 3:
            raise SlackError("push_limit_reached")
        self._free_external_id(body, team)
        view_id = self.new_id("V")
        view = View(
            id=view_id,
            team=team,
            user=user,
            body=body,
            hash=self.new_hash(),
            root=under.root if under else view_id,
            previous=under.id if under else "",
        )
        self.views[view_id] = view
        stack.append(view_id)
        view.values = initial_values(view.blocks)
        self.changed()
        return view

    def update_view(self, view: View, body: dict[str, Any], expected_hash: str = "") -> View:
        self.check_view(body)
        if expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        if body.get("external_id") != view.body.get("external_id"):
            self._free_external_id(body, view.team)
        before = {b.get("block_id"): b for b in view.blocks}
        typed = view.values
        view.body = number_blocks(body)
        view.hash = self.new_hash()
        view.errors, view.notice = {}, ""
        view.values = initial_values(view.blocks)
        # what was typed survives an update when block_id and action_id stay the same
        for block_id, values in typed.items():
            if block_id in before and block_id in view.values:
                view.values[block_id].update({a: v for a, v in values.items() if a in view.values[block_id]})
        self.changed()
        return view

    def find_view(self, view_id: str = "", external_id: str = "", team: str = "") -> View:
        if view_id and view_id in self.views:
            return self.views[view_id]
        for view in reversed(self.views.values()):
            if external_id and view.body.get("external_id") == external_id and view.team == team:
                return view
        raise SlackError("not_found")

    def close_view(self, view: View, everything: bool = False) -> None:
        stack = self.stacks.get(view.user, [])
        gone = list(stack) if everything else [view.id]
        self.stacks[view.user] = [v for v in stack if v not in gone]
        for view_id in gone:
            self.views.pop(view_id, None)
        self.changed()

    def top_view(self, user: str) -> View | None:
        stack = self.stacks.get(user)
        return self.views[stack[-1]] if stack else None

    def publish(self, body: dict[str, Any], user: str, team: str, expected_hash: str = "") -> View:
        self.check_view(body)
        old = self.homes.get(user)
        if old is None:
            view_id = self.new_id("V")
            old = View(id=view_id, team=team, user=user, body=body, hash=self.new_hash(), root=view_id)
            self.homes[user] = self.views[view_id] = old
        return self.update_view(old, body, expected_hash)

    def check_view(self, body: dict[str, Any]) -> None:
        refuse(blockkit.view_problems(body), "invalid_arguments")
        number_blocks(body)

    def new_hash(self) -> str:
        return f"{int(self.now())}.{secrets.token_hex(4)}"

    def _free_external_id(self, body: dict[str, Any], team: str) -> None:
        wanted = body.get("external_id")
        if wanted and any(v.body.get("external_id") == wanted and v.team == team for v in self.views.values()):
            raise SlackError("duplicate_external_id")

    # -- the seed

    def add_team(self, team: Workspace) -> Workspace:
        self.teams[team.id] = team
        self.users.setdefault(
            team.bot_user, User(id=team.bot_user, team=team.id, name="crm", real_name="CRM", is_bot=True)
        )
        return team

    def _plant(self, seed: Seed) -> None:
        team = self.add_team(Workspace(id="T1", name=seed.company, domain=seed.domain))
        for person in seed.people:
            self.users[person.slack] = User(
                id=person.slack,
                team=team.id,
                name=person.key,
                real_name=person.name,
                email=person.email,
                title=person.title,
                external=person.external,
            )
        for room in seed.channels:
            members = [seed.person(key).slack for key in room.members]
            self.channels[room.slack] = Channel(
                id=room.slack,
                team=team.id,
                name=room.name,
                topic=room.topic,
                private=room.private,
                shared=any(seed.person(key).external for key in room.members),
                members=[*members, team.bot_user] if room.bot else members,
            )
        for said in seed.messages:
            channel = self.channels[seed.channel(said.channel).slack]
            root = self._plant_message(seed, channel, said, "")
            for reply in said.thread:
                self._plant_message(seed, channel, reply, root.ts)
                root.thread_ts = root.ts
        for user in list(self.users.values()):
            if not user.is_bot:
                self.direct(user.id, team.id)

    def _plant_message(self, seed: Seed, channel: Channel, said: Any, thread: str) -> Message:
        who = seed.person(said.who).slack
        files = [self.add_file(f.name, f.text.encode(), "text/plain", who) for f in said.files]
        ts = self.new_ts(self.now() - 60 * said.minutes_ago)
        text = escape(said.text)
        return self.add(
            Message(ts=ts, channel=channel.id, team=channel.team, user=who, text=text, thread_ts=thread, files=files)
        )


def escape(text: str) -> str:
    """Text as a person typed it -> mrkdwn as the wire has it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_LINK = re.compile(r"https?://[^\s<>|]+")


def link(text: str) -> str:
    """Wrap bare addresses as Slack does: `<https://…>`."""
    return _LINK.sub(lambda found: f"<{found.group()}>", text)
