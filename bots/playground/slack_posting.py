"""The Web API of the fake Slack: messages, unfurls, views, reactions, files, Work Objects."""

from __future__ import annotations

from typing import Any

from . import blockkit
from .slack_api import Call, method
from .slack_records import Channel, Message, SlackError, refuse
from .slack_state import number_blocks

MAX_TEXT = 40_000

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
    if blockkit.message_size(blocks) > blockkit.MESSAGE_SIZE:  # a response_url takes more
        raise SlackError("msg_blocks_too_long")
    thread = str(args.get("thread_ts") or "")
    if thread:
        if not call.world.has(channel.id, thread):
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
    made = call.world.add_file(name, b"", "application/octet-stream", call.bot.id)
    made["size"] = int(length)
    return {"upload_url": f"{call.world.base}upload/v1/{made['id']}", "file_id": made["id"]}


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
