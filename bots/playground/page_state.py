"""What the page shows, as JSON: one person's view of one place on one platform."""

from __future__ import annotations

from typing import Any

from . import adaptive, slack_records, teams_world
from .answer import Exchange
from .slack_server import FakeSlack
from .teams_server import FakeTeams


def slack_state(slack: FakeSlack, user: str, place: str, thread: str) -> dict[str, Any]:
    """The Slack side; raises SlackError for an unknown person or place."""
    world = slack.world
    who = world.user(user)
    channel = world.channel(place) if place != "home" else None
    view, home = slack.view(who.id), slack.home(who.id)
    rooms = [c for c in world.channels.values() if who.id in c.members]
    shown = world.seen(channel.id, who.id) if channel else []
    replies = world.seen(channel.id, who.id, thread) if channel and thread else []
    return {
        "me": who.id,
        "people": [
            {"id": u.id, "name": u.real_name, "title": u.title, "external": u.external}
            for u in world.users.values()
            if not u.is_bot and u.team == who.team
        ],
        "names": {u.id: u.name for u in world.users.values()} | {c.id: c.name for c in world.channels.values()},
        "rooms": [
            {"id": c.id, "name": c.name or "CRM", "kind": c.kind, "topic": c.topic, "bot": "UBOT" in c.members}
            for c in rooms
        ],
        "messages": [_slack_message(slack, m) for m in shown],
        "thread": [_slack_message(slack, m) for m in replies],
        "view": _view(view) if view else None,
        "home": _view(home) if home else None,
    }


def _slack_message(slack: FakeSlack, message: slack_records.Message) -> dict[str, Any]:
    author = slack.world.users.get(message.user)
    replies = slack.world.replies(message)
    return {
        "id": message.ts,
        "at": float(message.ts),
        "by": "slackbot" if message.user == slack_records.SLACKBOT else "bot" if message.bot_id else message.user,
        "author": author.real_name if author else "Slackbot",
        "text": message.text,
        "blocks": message.blocks,
        "attachments": [*message.attachments, *message.unfurl_attachments()],
        "files": [
            {
                "name": f["title"],
                "size": f["size"],
                "text": slack.world.contents[f["id"]][:2000].decode("utf-8", "replace")
                if f["mimetype"].startswith("text/")
                else "",
            }
            for f in message.files
        ],
        "reactions": [{"name": n, "count": len(u)} for n, u in message.reactions.items() if u],
        "edited": bool(message.edited),
        "private": bool(message.to),
        "root": message.thread_ts,
        "replies": len(replies),
    }


def _view(view: slack_records.View) -> dict[str, Any]:
    return {
        "id": view.id,
        "hash": view.hash,
        "body": view.body,
        "values": view.values,
        "errors": view.errors,
        "notice": view.notice,
    }


def teams_state(teams: FakeTeams, user: str, place: str, thread: str) -> dict[str, Any]:
    """The Teams side; raises KeyError or ConnectorError for an unknown person or place."""
    world = teams.world
    who = world.person(user)
    here = world.conversation(place, user)
    rooms = [c for c in world.conversations.values() if who.teams in c.members]
    dialog = teams.dialog(user)
    return {
        "me": who.key,
        "people": [
            {"id": p.key, "name": p.name, "title": p.title, "external": p.external}
            for p in world.seed.people
            if any(p.teams in c.members for c in world.conversations.values())
        ],
        "rooms": [
            {
                "id": "personal" if c.kind == "personal" else c.id,
                "name": c.name,
                "kind": c.kind,
                "topic": next((r.topic for r in world.seed.channels if r.teams == c.id), ""),
                "bot": c.bot,
            }
            for c in rooms
        ],
        "messages": [_post(teams, p, who.teams, here) for p in world.seen(here, who.teams)],
        "thread": [_post(teams, p, who.teams, here) for p in world.seen(here, who.teams, thread)] if thread else [],
        "dialog": {
            "title": dialog.title,
            "card": dialog.card,
            "message": dialog.message,
            "url": dialog.url,
            "problem": dialog.problem,
        }
        if dialog
        else None,
        "toast": teams.toast(user),
        "results": world.results.get(who.teams),
        "draft": world.drafts.get(who.teams, {}).get("activity"),
    }


def _post(teams: FakeTeams, post: teams_world.Post, reader: str, place: teams_world.Conversation) -> dict[str, Any]:
    attachments = [a for a in post.activity.get("attachments") or () if a.get("contentType") != "text/html"]
    card = post.card(reader)
    if card is not None:
        attachments = [{"contentType": adaptive.CONTENT_TYPE, "content": card}]
    thread = teams.world.seen(place, reader, post.id)[1:] if place.kind == "channel" and not post.root else []
    return {
        "id": post.id,
        "at": post.at,
        "by": "bot" if post.by_bot else teams.world.people[post.sender].key,
        "author": teams_world.BOT_NAME if post.by_bot else teams.world.people[post.sender].name,
        "text": post.text,
        "format": post.activity.get("textFormat", "markdown") if post.by_bot else "plain",
        "attachments": attachments,
        "suggested": [a["title"] for a in (post.activity.get("suggestedActions") or {}).get("actions", ())],
        "reactions": [{"name": n, "count": len(u)} for n, u in post.reactions.items() if u],
        "edited": post.edited,
        "private": bool(post.to),
        "root": post.root,
        "replies": len(thread),
        "thread": [_post(teams, p, reader, place) for p in thread],
    }


def wire_line(number: int, exchange: Exchange) -> dict[str, Any]:
    """One exchange for the wire drawer."""
    return {
        "n": number,
        "at": exchange.at,
        "direction": exchange.direction,
        "label": exchange.label,
        "status": exchange.status,
        "ms": round(exchange.seconds * 1000, 1),
        "request": exchange.request,
        "answer": exchange.answer,
    }
