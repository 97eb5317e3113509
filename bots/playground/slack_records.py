"""The things that the fake Slack keeps, in the shapes of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    shared: bool = False
    """With another organisation (Slack Connect)."""
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
            "is_ext_shared": self.shared,
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


def refuse(found: list[str], code: str) -> None:
    """Raise the Web API's refusal when there is something to refuse."""
    if found:
        raise SlackError(code, errors=found, response_metadata={"messages": [f"[ERROR] {said}" for said in found]})
