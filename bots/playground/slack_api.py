"""The Web API of the fake Slack: one function per method, in one table with its scopes and its rate tier."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import blockkit
from .slack_world import (
    Channel,
    Message,
    SlackError,
    Token,
    User,
    World,
    number_blocks,
    refuse,
)

MAX_TEXT = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: its arguments with JSON values parsed, its token, the world, and the server's base address."""

    method: str
    args: Mapping[str, Any]
    token: Token
    world: World
    base: str
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
        if found is None or (found.team != self.team and not found.is_bot):
            raise SlackError("user_not_found")
        return found


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
    return {"user": call.user().json("users:read.email" in call.token.scopes)}


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
    thread = call.world.find(channel.id, ts).thread_ts or ts if _exists(call, channel, ts) else ""
    if not thread:
        raise SlackError("thread_not_found")
    said = [m for m in call.world.messages[channel.id] if not m.to and thread in (m.ts, m.thread_ts)]
    return _messages(call, _between(call, said))


def _exists(call: Call, channel: Channel, ts: str) -> bool:
    return any(m.ts == ts for m in call.world.messages.get(channel.id, ()))


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


# -- posting


@method("chat.postMessage", "chat:write", per_minute=1000)
def chat_post_message(call: Call) -> dict[str, Any]:
    message = _new_message(call, _target(call))
    call.world.add(message)
    return {"channel": message.channel, "ts": message.ts, "message": message.json()}


@method("chat.postEphemeral", "chat:write")
def chat_post_ephemeral(call: Call) -> dict[str, Any]:
    channel, user = call.channel(), call.user()
    if call.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    if user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    message = _new_message(call, channel)
    message.to = user.id
    call.world.add(message)
    return {"message_ts": message.ts}


@method("chat.update", "chat:write", per_minute=50)
def chat_update(call: Call) -> dict[str, Any]:
    message = _own_message(call, "cant_update_message")
    new = _new_message(call, call.world.channels[message.channel], posting=False)
    for key in ("text", "blocks", "attachments"):
        if key in call.args or (key == "attachments" and "blocks" in call.args):
            setattr(message, key, getattr(new, key))
    if "text" in call.args and "blocks" not in call.args:
        message.blocks = []
    if "metadata" in call.args:
        message.metadata = new.metadata
    message.edited = call.world.new_ts()
    call.world.changed()
    return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": message.json()}


@method("chat.delete", "chat:write", per_minute=50)
def chat_delete(call: Call) -> dict[str, Any]:
    message = _own_message(call, "cant_delete_message")
    call.world.remove(message)
    return {"channel": message.channel, "ts": message.ts}


@method("chat.getPermalink", per_minute=500)
def chat_get_permalink(call: Call) -> dict[str, Any]:
    channel = call.channel()
    (ts,) = call.need("message_ts")
    return {"channel": channel.id, "permalink": call.world.permalink(call.world.find(channel.id, ts))}


@method("chat.unfurl", "links:write", per_minute=50)
def chat_unfurl(call: Call) -> dict[str, Any]:
    if "unfurl_id" in call.args:
        known = call.world.unfurl_ids.get(str(call.args["unfurl_id"]))
        if known is None:
            raise SlackError("cannot_find_message")
        message = known
    else:
        (ts,) = call.need("ts")
        message = call.world.find(call.channel().id, ts)
    unfurls = call.args.get("unfurls") or {}
    entities = (call.args.get("metadata") or {}).get("entities", [])
    if not unfurls and not entities and not call.flag("user_auth_required"):
        raise SlackError("missing_unfurls")
    for url, unfurl in unfurls.items():
        if url not in message.text:
            raise SlackError("cannot_unfurl_url")
        refuse(blockkit.problems(unfurl.get("blocks", []), surface="unfurl", at=f"/{url}/blocks"), "invalid_blocks")
        number_blocks(unfurl)
        message.unfurls[url] = unfurl
    for entity in entities:
        if entity["app_unfurl_url"] not in message.text:
            raise SlackError("cannot_unfurl_url")
        message.unfurls[entity["app_unfurl_url"]] = {"entity": entity}
    call.world.changed()
    return {}


def _target(call: Call) -> Channel:
    """Where chat.postMessage posts: a channel, or a person's direct messages by user id."""
    (name,) = call.need("channel")
    if name in call.world.users and not call.world.users[name].is_bot:
        return call.world.direct(name, call.team)
    channel = call.channel()
    inside = call.bot.id in channel.members
    if not inside and (channel.kind != "channels" or "chat:write.public" not in call.token.scopes):
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("is_archived")
    return channel


def _new_message(call: Call, channel: Channel, posting: bool = True) -> Message:
    args = call.args
    blocks, attachments = args.get("blocks") or [], args.get("attachments") or []
    text = str(args.get("text") or "")
    if posting and not (text or blocks or attachments):
        raise SlackError("no_text")
    check_message(text, blocks, attachments)
    thread = str(args.get("thread_ts") or "")
    if thread:
        if not _exists(call, channel, thread):
            raise SlackError("invalid_thread_ts")
        # a reply to a reply goes to the thread's root
        root = call.world.find(channel.id, call.world.find(channel.id, thread).thread_ts or thread)
        thread = root.thread_ts = root.ts
    return Message(
        ts=call.world.new_ts(),
        channel=channel.id,
        team=call.team,
        user=call.bot.id,
        bot_id=call.world.teams[call.team].bot_id,
        text=text,
        blocks=blocks,
        attachments=attachments,
        thread_ts=thread,
        metadata=args.get("metadata"),
    )


def check_message(text: str, blocks: Any, attachments: Any) -> None:
    """Refuse a message that Slack would refuse, and give ids to blocks without."""
    if len(text) > MAX_TEXT:
        raise SlackError("msg_too_long")
    refuse(blockkit.problems(blocks), "invalid_blocks")
    number_blocks({"blocks": blocks})
    for index, attachment in enumerate(attachments):
        found = blockkit.problems(attachment.get("blocks", []), at=f"/attachments/{index}/blocks")
        refuse(found, "invalid_attachments")
        number_blocks(attachment)


def _own_message(call: Call, error: str) -> Message:
    (ts,) = call.need("ts")
    name = str(call.args.get("channel", ""))
    channel = call.world.direct(name, call.team) if name in call.world.users else call.channel()
    message = call.world.find(channel.id, ts)
    if message.to:
        raise SlackError("message_not_found")
    if message.bot_id != call.world.teams[call.team].bot_id:
        raise SlackError(error)
    return message


# -- views


@method("views.open", per_minute=100)
def views_open(call: Call) -> dict[str, Any]:
    view = _object(call, "view")
    trigger = call.world.spend(call.need("trigger_id")[0])
    return {"view": call.world.open_view(view, trigger.user, trigger.team).json()}


@method("views.push", per_minute=100)
def views_push(call: Call) -> dict[str, Any]:
    view = _object(call, "view")
    trigger = call.world.spend(call.need("trigger_id")[0])
    under = call.world.top_view(trigger.user)
    if under is None or not trigger.view:
        raise SlackError("invalid_trigger_id")
    return {"view": call.world.open_view(view, trigger.user, trigger.team, under=under).json()}


@method("views.update", per_minute=100)
def views_update(call: Call) -> dict[str, Any]:
    body = _object(call, "view")
    ids = {name: str(call.args.get(name) or "") for name in ("view_id", "external_id")}
    if not any(ids.values()):
        raise SlackError("invalid_arguments", response_metadata={"messages": ["[ERROR] view_id or external_id"]})
    view = call.world.find_view(**ids, team=call.team)
    return {"view": call.world.update_view(view, body, str(call.args.get("hash") or "")).json()}


@method("views.publish", per_minute=100)
def views_publish(call: Call) -> dict[str, Any]:
    body = _object(call, "view")
    if body.get("type") != "home":
        raise SlackError("invalid_arguments", response_metadata={"messages": ["[ERROR] must be a home view"]})
    user = call.user("user_id")
    return {"view": call.world.publish(body, user.id, call.team, str(call.args.get("hash") or "")).json()}


def _object(call: Call, name: str) -> dict[str, Any]:
    call.need(name)
    value = call.args[name]
    if not isinstance(value, dict):
        raise SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {name} must be an object"]})
    if len(str(value)) > 250_000:
        raise SlackError("view_too_large")
    return value


# -- reactions, files, entities


@method("reactions.add", "reactions:write", per_minute=50)
def reactions_add(call: Call) -> dict[str, Any]:
    name, ts = call.need("name", "timestamp")
    message = call.world.find(call.channel(member=True).id, ts)
    users = message.reactions.setdefault(name.strip(":"), [])
    if call.bot.id in users:
        raise SlackError("already_reacted")
    users.append(call.bot.id)
    call.world.changed()
    return {}


@method("reactions.remove", "reactions:write", per_minute=20)
def reactions_remove(call: Call) -> dict[str, Any]:
    name, ts = call.need("name", "timestamp")
    message = call.world.find(call.channel(member=True).id, ts)
    users = message.reactions.get(name.strip(":"), [])
    if call.bot.id not in users:
        raise SlackError("no_reaction")
    users.remove(call.bot.id)
    call.world.changed()
    return {}


@method("files.info", "files:read")
def files_info(call: Call) -> dict[str, Any]:
    (file_id,) = call.need("file")
    if file_id not in call.world.files:
        raise SlackError("file_not_found")
    return {"file": call.world.files[file_id]}


@method("files.getUploadURLExternal", "files:write")
def files_get_upload_url_external(call: Call) -> dict[str, Any]:
    name, length = call.need("filename", "length")
    if not length.isdigit() or int(length) < 1:
        raise SlackError("invalid_arguments")
    made = call.world.add_file(name, b"", "application/octet-stream", call.bot.id, call.base)
    made["size"] = int(length)
    return {"upload_url": f"{call.base}upload/v1/{made['id']}", "file_id": made["id"]}


@method("files.completeUploadExternal", "files:write")
def files_complete_upload_external(call: Call) -> dict[str, Any]:
    finished = []
    for given in call.args.get("files") or []:
        file = call.world.files.get(given["id"])
        if file is None or len(call.world.contents[given["id"]]) != file["size"]:
            raise SlackError("file_not_found")
        file["title"] = given.get("title") or file["name"]
        finished.append(file)
    if not finished:
        raise SlackError("invalid_arguments")
    if "channel_id" in call.args:
        place = Call(
            method=call.method,
            args={"channel": call.args["channel_id"], "text": call.args.get("initial_comment") or " "}
            | {key: call.args[key] for key in ("thread_ts", "blocks") if key in call.args},
            token=call.token,
            world=call.world,
            base=call.base,
        )
        message = _new_message(place, place.channel(member=True))
        message.files = finished
        call.world.add(message)
    return {"files": finished}


@method("entity.presentDetails", per_minute=100)
def entity_present_details(call: Call) -> dict[str, Any]:
    trigger = call.world.spend(call.need("trigger_id")[0])
    shown = {k: call.args[k] for k in ("metadata", "error", "user_auth_required", "user_auth_url") if k in call.args}
    if not shown:
        raise SlackError("invalid_arguments")
    call.world.entities[trigger.user] = shown
    call.world.changed()
    return {}
