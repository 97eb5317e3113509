"""What the fake Slack remembers: people, channels, messages, views, files, tokens. No HTTP here."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import blockkit
from .seed import Seed

SLACKBOT = "USLACKBOT"
DEFAULT_SCOPES = frozenset(
    {
        *("app_mentions:read", "commands", "chat:write", "chat:write.public", "links:read", "links:write"),
        *("channels:read", "channels:history", "channels:join", "groups:read", "groups:history"),
        *("im:read", "im:write", "im:history", "mpim:read", "mpim:history", "metadata.message:read"),
        *("files:read", "files:write", "reactions:read", "reactions:write"),
        *("team:read", "users:read", "users:read.email"),
    }
)
TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 1800.0
RESPONSE_URL_USES = 5
TOKEN_SECONDS = 43_200


class SlackError(Exception):
    """An `ok: false` answer; `extra` is merged into the body."""

    def __init__(self, code: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.extra = extra


@dataclass(slots=True, kw_only=True)
class Workspace:
    id: str
    name: str
    domain: str
    enterprise: str | None = None
    bot_user: str = "UBOT"
    bot_id: str = "BBOT"


@dataclass(slots=True, kw_only=True)
class User:
    id: str
    team: str
    name: str
    real_name: str
    email: str = ""
    title: str = ""
    tz: str = "Europe/Amsterdam"
    tz_offset: int = 3600
    is_bot: bool = False
    external: bool = False

    def json(self, with_email: bool = True) -> dict[str, Any]:
        profile = {"real_name": self.real_name, "display_name": self.name, "title": self.title}
        if with_email and self.email:
            profile["email"] = self.email
        return {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": False,
            "is_bot": self.is_bot,
            "is_stranger": self.external,
            "tz": self.tz,
            "tz_offset": self.tz_offset,
            "locale": "en-GB",
            "profile": profile,
        }


@dataclass(slots=True, kw_only=True)
class Channel:
    id: str
    team: str
    name: str = ""
    topic: str = ""
    private: bool = False
    im: bool = False
    archived: bool = False
    members: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """As in event types and scopes: channels, groups or im."""
        return "im" if self.im else "groups" if self.private else "channels"

    def json(self) -> dict[str, Any]:
        shared = {"id": self.id, "is_archived": self.archived, "context_team_id": self.team}
        if self.im:
            return {**shared, "is_im": True, "user": next((m for m in self.members if m != "UBOT"), "")}
        return {
            **shared,
            "name": self.name,
            "is_channel": not self.private,
            "is_group": self.private,
            "is_im": False,
            "is_private": self.private,
            "topic": {"value": self.topic},
            "num_members": len(self.members),
        }


@dataclass(slots=True, kw_only=True)
class Message:
    """One message. `to` names the only reader of an ephemeral one."""

    ts: str
    channel: str
    team: str
    user: str = ""
    bot_id: str = ""
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    thread_ts: str = ""
    to: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    edited: str = ""
    metadata: dict[str, Any] | None = None
    subtype: str = ""
    unfurls: dict[str, dict[str, Any]] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"type": "message", "ts": self.ts, "text": self.text, "team": self.team}
        optional = {
            "user": self.user,
            "bot_id": self.bot_id,
            "app_id": "APLAYGROUND" if self.bot_id else "",
            "blocks": self.blocks,
            "attachments": [*self.attachments, *self.unfurl_attachments()],
            "thread_ts": self.thread_ts,
            "files": self.files,
            "subtype": self.subtype,
            "metadata": self.metadata,
            "reactions": [
                {"name": name, "users": users, "count": len(users)} for name, users in self.reactions.items()
            ],
            "edited": {"user": self.user, "ts": self.edited} if self.edited else None,
        }
        return body | {key: value for key, value in optional.items() if value}

    def unfurl_attachments(self) -> list[dict[str, Any]]:
        return [
            {"id": number, "from_url": url, "is_app_unfurl": True, "app_unfurl_url": url, **unfurl}
            for number, (url, unfurl) in enumerate(self.unfurls.items(), 1)
        ]

    def all_blocks(self) -> list[dict[str, Any]]:
        """The message's own blocks, then those of attachments and unfurls: everything that can be clicked."""
        attached = [*self.attachments, *self.unfurls.values()]
        return [*self.blocks, *(block for a in attached for block in a.get("blocks", ()))]


@dataclass(slots=True, kw_only=True)
class View:
    """A modal or a home tab, as Slack keeps it. `errors` are field errors shown now, by block_id."""

    id: str
    team: str
    user: str
    body: dict[str, Any]
    hash: str
    root: str
    previous: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    notice: str = ""

    @property
    def blocks(self) -> list[dict[str, Any]]:
        return list(self.body.get("blocks", ()))

    def json(self, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        defaults = {"private_metadata": "", "callback_id": "", "external_id": "", "close": None, "submit": None}
        return {
            **defaults,
            "clear_on_close": False,
            "notify_on_close": False,
            **self.body,
            "id": self.id,
            "team_id": self.team,
            "app_id": "APLAYGROUND",
            "app_installed_team_id": self.team,
            "bot_id": "BBOT",
            "hash": self.hash,
            "root_view_id": self.root,
            "previous_view_id": self.previous or None,
            "state": {"values": self.values if values is None else values},
        }


@dataclass(slots=True, kw_only=True)
class Token:
    value: str
    kind: str
    team: str | None
    enterprise: str | None = None
    user: str = ""
    scopes: frozenset[str] = DEFAULT_SCOPES
    expires: float | None = None
    revoked: bool = False


@dataclass(slots=True, kw_only=True)
class Trigger:
    user: str
    team: str
    born: float
    used: bool = False
    view: str = ""


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    """Where an interaction may answer. `source` is the app's message that held the control."""

    user: str
    channel: str
    team: str
    born: float
    uses: int = 0
    source: Message | None = None


class World:
    """Everything, in memory; the methods keep it consistent and raise `SlackError` as the Web API would."""

    def __init__(self, seed: Seed) -> None:
        self.skew = 0.0
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

    def add_file(
        self, name: str, content: bytes, mimetype: str, user: str, base: str, title: str = ""
    ) -> dict[str, Any]:
        file_id = self.new_id("F")
        self.contents[file_id] = content
        self.files[file_id] = {
            "id": file_id,
            "name": name,
            "title": title or name,
            "mimetype": mimetype,
            "filetype": name.rpartition(".")[2],
            "size": len(content),
            "user": user,
            "mode": "hosted",
            "url_private": f"{base}files-pri/{file_id}/{name}",
            "url_private_download": f"{base}files-pri/{file_id}/download/{name}",
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
        files = [self.add_file(f.name, f.text.encode(), "text/plain", who, "") for f in said.files]
        ts = self.new_ts(self.now() - 60 * said.minutes_ago)
        text = escape(said.text)
        return self.add(
            Message(ts=ts, channel=channel.id, team=channel.team, user=who, text=text, thread_ts=thread, files=files)
        )


def refuse(found: list[str], code: str) -> None:
    """Raise the Web API's refusal when there is something to refuse."""
    if found:
        raise SlackError(code, errors=found, response_metadata={"messages": [f"[ERROR] {said}" for said in found]})


def number_blocks(body: dict[str, Any]) -> dict[str, Any]:
    """Give every block a block_id, and every element an action_id, as Slack does for those that lack one."""
    for block in body.get("blocks") or ():
        block.setdefault("block_id", secrets.token_urlsafe(4))
        for element in blockkit.elements([block]):
            if isinstance(element, dict) and element.get("type") != "image":
                element.setdefault("action_id", secrets.token_urlsafe(4))
    return body


def initial_values(blocks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """`state.values` before anybody typed: what each stateful element starts with."""
    values: dict[str, dict[str, Any]] = {}
    for block in blocks:
        for element in blockkit.elements([block]):
            if (state := element_state(element)) is not None:
                values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


_STATE_KEYS = {
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "file_input": ("files", ""),
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
}


def element_state(element: Mapping[str, Any], value: Any = ..., label: str = "") -> dict[str, Any] | None:
    """An element's entry in `state.values`; None for what has no state (buttons, overflow). `value` is what the
    person chose: text, a date, an option's value or visible text, or a list of them."""
    kind = str(element.get("type"))
    if kind not in _STATE_KEYS:
        return None
    key, initial = _STATE_KEYS[kind]
    many = key in ("selected_options", "selected_users", "selected_conversations", "selected_channels", "files")
    if value is ...:
        chosen = element.get(initial, [] if many else None)
    elif many:
        wanted = value if isinstance(value, list | tuple) else [value]
        chosen = [_choose(element, v) for v in wanted] if key == "selected_options" else list(wanted)
    elif key == "selected_option":
        chosen = None if value in (None, "") else _choose(element, value, label)
    else:
        chosen = value if value not in (None, "") else None
    return {"type": kind, key: chosen}


def _choose(element: Mapping[str, Any], wanted: Any, label: str = "") -> dict[str, Any]:
    """The option with that value, else with that visible text; an external one is taken as given."""
    if isinstance(wanted, dict):
        return wanted
    options = list(all_options(element))
    for option in options:
        if option["value"] == wanted:
            return option
    for option in options:
        if option["text"]["text"] == wanted:
            return option
    if "external" in str(element.get("type")):
        return {"text": {"type": "plain_text", "text": label or str(wanted), "emoji": True}, "value": str(wanted)}
    raise LookupError(f"no option {wanted!r}; there are: {[o['text']['text'] for o in options]}")


def all_options(element: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from element.get("options") or ()
    for group in element.get("option_groups") or ():
        yield from group["options"]


def escape(text: str) -> str:
    """Text as a person typed it -> mrkdwn as the wire has it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_LINK = re.compile(r"https?://[^\s<>|]+")


def link(text: str) -> str:
    """Wrap bare addresses as Slack does: `<https://…>`."""
    return _LINK.sub(lambda found: f"<{found.group()}>", text)
