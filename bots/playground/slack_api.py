"""The Web API of the fake Slack: one function per method, in one table with its scopes and its rate tier."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .slack_records import Channel, Message, SlackError, Token, User
from .slack_world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: its arguments with JSON values parsed, its token and the world."""

    method: str
    args: Mapping[str, Any]
    token: Token
    world: World
    small_pages: bool = False

    @property
    def team(self) -> str:
        return str(self.token.team or self.args.get("team_id") or "T1")

    @property
    def bot(self) -> User:
        return self.world.users[self.world.teams[self.team].bot_user]

    def need(self, *names: str) -> list[str]:
        for name in names:
            if self.args.get(name) in (None, ""):
                raise SlackError(
                    "invalid_arguments",
                    response_metadata={"messages": [f"[ERROR] missing required field: {name}"]},
                )
        return [str(self.args[name]) for name in names]

    def flag(self, name: str) -> bool:
        return str(self.args.get(name, "")).lower() in ("true", "1")

    def channel(self, *, member: bool = False) -> Channel:
        """The named channel, as far as the app may see it; `member` when it must have been added there."""
        (name,) = self.need("channel")
        channel = self.world.channels.get(name)
        if channel is None or channel.team != self.team:
            raise SlackError("channel_not_found")
        inside = self.bot.id in channel.members
        if channel.private and not inside:
            raise SlackError("channel_not_found")
        if member and not inside:
            raise SlackError("not_in_channel")
        return channel

    def user(self, name: str = "user") -> User:
        (wanted,) = self.need(name)
        found = self.world.users.get(wanted)
        if found is None or not (found.team == self.team or found.is_bot or self._met(found)):
            raise SlackError("user_not_found")
        return found

    def _met(self, user: User) -> bool:
        """Whether the app reads along with somebody of another workspace, by Slack Connect."""
        return any({self.bot.id, user.id} <= set(c.members) for c in self.world.channels.values())


Method = Callable[[Call], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    run: Method
    scopes: frozenset[str]
    per_minute: int


METHODS: dict[str, Entry] = {}


def method(name: str, *scopes: str, per_minute: int = 100) -> Callable[[Method], Method]:
    """Enter a function in the table. `scopes`: any of them is enough."""

    def enter(run: Method) -> Method:
        METHODS[name] = Entry(run=run, scopes=frozenset(scopes), per_minute=per_minute)
        return run

    return enter


# -- who we are


@method("api.test")
def api_test(call: Call) -> dict[str, Any]:
    return {"args": dict(call.args)}


@method("auth.test", per_minute=600)
def auth_test(call: Call) -> dict[str, Any]:
    team = call.world.teams[call.team]
    return {
        "url": f"https://{team.domain}.slack.com/",
        "team": team.name,
        "team_id": team.id,
        "enterprise_id": team.enterprise,
        "is_enterprise_install": call.token.team is None,
        "user": call.bot.name,
        "user_id": call.token.user or team.bot_user,
        "bot_id": team.bot_id,
    }


@method("auth.revoke")
def auth_revoke(call: Call) -> dict[str, Any]:
    if not call.flag("test"):
        call.token.revoked = True
    return {"revoked": call.token.revoked}


@method("team.info", "team:read")
def team_info(call: Call) -> dict[str, Any]:
    team = call.world.teams[call.team]
    return {"team": {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": ""}}


@method("bots.info", "users:read")
def bots_info(call: Call) -> dict[str, Any]:
    team = call.world.teams[call.team]
    if call.args.get("bot", team.bot_id) != team.bot_id:
        raise SlackError("bot_not_found")
    return {"bot": {"id": team.bot_id, "name": "CRM", "user_id": team.bot_user, "app_id": "APLAYGROUND"}}


# -- people


@method("users.info", "users:read", per_minute=100)
def users_info(call: Call) -> dict[str, Any]:
    user = call.user()
    enterprise = call.world.teams[user.team].enterprise
    grid = {"enterprise_user": {"id": user.id, "enterprise_id": enterprise}} if enterprise else {}
    return {"user": {**user.json("users:read.email" in call.token.scopes), **grid}}


@method("users.lookupByEmail", "users:read.email", per_minute=50)
def users_lookup_by_email(call: Call) -> dict[str, Any]:
    (email,) = call.need("email")
    for user in call.world.users.values():
        if user.email.casefold() == email.casefold() and user.team == call.team:
            return {"user": user.json()}
    raise SlackError("users_not_found")


@method("users.list", "users:read", per_minute=20)
def users_list(call: Call) -> dict[str, Any]:
    everyone = [u for u in call.world.users.values() if u.team == call.team]
    page, metadata = _page(call, everyone)
    return {"members": [u.json("users:read.email" in call.token.scopes) for u in page], **metadata}


# -- conversations

_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
_READ = ("channels:read", "groups:read", "im:read", "mpim:read")


@method("conversations.list", *_READ, per_minute=20)
def conversations_list(call: Call) -> dict[str, Any]:
    kinds = str(call.args.get("types", "public_channel")).split(",")
    names = {"public_channel": "channels", "private_channel": "groups", "im": "im"}
    wanted = {names.get(kind.strip()) for kind in kinds}
    seen = [
        c
        for c in call.world.channels.values()
        if c.team == call.team and c.kind in wanted and (c.kind == "channels" or call.bot.id in c.members)
    ]
    page, metadata = _page(call, seen)
    return {"channels": [_channel_json(call, c) for c in page], **metadata}


@method("conversations.info", *_READ, per_minute=50)
def conversations_info(call: Call) -> dict[str, Any]:
    channel = call.channel()
    _scope_for(call, channel, "read")
    return {"channel": _channel_json(call, channel)}


@method("conversations.members", *_READ)
def conversations_members(call: Call) -> dict[str, Any]:
    page, metadata = _page(call, call.channel().members)
    return {"members": list(page), **metadata}


@method("conversations.open", "im:write", "mpim:write", per_minute=50)
def conversations_open(call: Call) -> dict[str, Any]:
    (users,) = call.need("users")
    wanted = users.split(",")
    if len(wanted) != 1:
        raise SlackError("not_supported")
    if wanted[0] not in call.world.users:
        raise SlackError("user_not_found")
    if call.world.users[wanted[0]].is_bot:
        raise SlackError("cannot_dm_bot")
    return {"channel": {"id": call.world.direct(wanted[0], call.team).id}}


@method("conversations.join", "channels:join", per_minute=50)
def conversations_join(call: Call) -> dict[str, Any]:
    channel = call.channel()
    if channel.kind != "channels":
        raise SlackError("method_not_supported_for_channel_type")
    if call.bot.id not in channel.members:
        channel.members.append(call.bot.id)
    return {"channel": _channel_json(call, channel)}


@method("conversations.history", *_HISTORY, per_minute=50)
def conversations_history(call: Call) -> dict[str, Any]:
    channel = call.channel(member=True)
    _scope_for(call, channel, "history")
    main = [m for m in call.world.messages.get(channel.id, ()) if not m.to and m.thread_ts in ("", m.ts)]
    return _messages(call, list(reversed(_between(call, main))))


@method("conversations.replies", *_HISTORY, per_minute=50)
def conversations_replies(call: Call) -> dict[str, Any]:
    channel = call.channel(member=True)
    _scope_for(call, channel, "history")
    (ts,) = call.need("ts")
    if not call.world.has(channel.id, ts):
        raise SlackError("thread_not_found")
    thread = call.world.find(channel.id, ts).thread_ts or ts
    said = [m for m in call.world.messages[channel.id] if not m.to and thread in (m.ts, m.thread_ts)]
    return _messages(call, _between(call, said))


def _scope_for(call: Call, channel: Channel, what: str) -> None:
    needed = f"{channel.kind}:{what}"
    if needed not in call.token.scopes:
        raise SlackError("missing_scope", needed=needed, provided=",".join(sorted(call.token.scopes)))


def _between(call: Call, messages: list[Message]) -> list[Message]:
    oldest, latest = float(call.args.get("oldest") or 0), float(call.args.get("latest") or "inf")
    inclusive = call.flag("inclusive")
    return [m for m in messages if oldest < float(m.ts) < latest or (inclusive and float(m.ts) in (oldest, latest))]


def _messages(call: Call, messages: list[Message]) -> dict[str, Any]:
    page, metadata = _page(call, messages, most=15 if call.small_pages else 999)
    bodies = [m.json() for m in page]
    for body, message in zip(bodies, page, strict=True):
        if (replies := call.world.replies(message)) and message.thread_ts in ("", message.ts):
            body |= {"thread_ts": message.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
        if not call.flag("include_all_metadata"):
            body.pop("metadata", None)
    return {"messages": bodies, "has_more": bool(metadata["response_metadata"]["next_cursor"]), **metadata}


def _page(call: Call, items: list[Any], most: int = 1000) -> tuple[list[Any], dict[str, Any]]:
    limit = min(int(call.args.get("limit") or 100), most)
    try:
        start = int(base64.b64decode(str(call.args.get("cursor") or ""), validate=True) or b"0")
    except ValueError:
        raise SlackError("invalid_cursor") from None
    more = start + limit < len(items)
    cursor = base64.b64encode(str(start + limit).encode()).decode() if more else ""
    return items[start : start + limit], {"response_metadata": {"next_cursor": cursor}}


def _channel_json(call: Call, channel: Channel) -> dict[str, Any]:
    return {**channel.json(), "is_member": call.bot.id in channel.members}
