"""What the fake Teams remembers: people, conversations, messages, dialogs. No HTTP here."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from . import adaptive
from .seed import Person, Seed

Kind = Literal["personal", "groupChat", "channel"]
BOT_NAME = "CRM"
MAX_MESSAGE_BYTES = 100 * 1024


class ConnectorError(Exception):
    """An error answer of the connector: `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code


@dataclass(slots=True, kw_only=True)
class Conversation:
    """`members` are people's `29:` ids; `bot` says whether the app is installed there. `refuses` is the error code that
    the bot gets when it writes, for people who blocked it."""

    id: str
    kind: Kind
    name: str
    members: list[str]
    bot: bool = True
    refuses: str = ""


@dataclass(slots=True, kw_only=True)
class Post:
    """One message. `views` are the cards that single people see instead of the shared one (user-specific views)."""

    id: str
    conversation: str
    root: str
    sender: str
    activity: dict[str, Any]
    at: float
    to: str = ""
    edited: bool = False
    deleted: bool = False
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    reactions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def by_bot(self) -> bool:
        return self.sender == "bot"

    @property
    def text(self) -> str:
        return str(self.activity.get("text") or "")

    def card(self, user: str = "") -> dict[str, Any] | None:
        """The Adaptive Card as this person sees it."""
        if user in self.views:
            return self.views[user]
        for attachment in self.activity.get("attachments") or ():
            if attachment.get("contentType") == adaptive.CONTENT_TYPE:
                return dict(attachment["content"])
        return None


@dataclass(slots=True, kw_only=True)
class Dialog:
    """An open dialog: a card, a message or an address. `source` says which invokes its buttons make; `context` goes
    along with each."""

    user: str
    conversation: str
    source: Literal["task", "compose"]
    title: str = ""
    card: dict[str, Any] | None = None
    message: str = ""
    url: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


class World:
    """Everything, in memory."""

    def __init__(self, seed: Seed) -> None:
        self.seed = seed
        self.tenant = seed.tenant
        self.people: dict[str, Person] = {p.teams: p for p in seed.people}
        self.conversations: dict[str, Conversation] = {}
        self.posts: dict[str, Post] = {}
        self.dialogs: dict[str, Dialog] = {}
        self.drafts: dict[str, dict[str, Any]] = {}
        self.toasts: dict[str, str] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.roster: dict[str, dict[str, Any]] = {}
        """What the roster says otherwise of a person, by key: `{"ben": {"tenantId": "another"}}`."""
        self.watchers: list[Callable[[], None]] = []
        self.skew = 0.0
        self.timezone = "Europe/Amsterdam"
        """Of everybody's client, an IANA name."""
        self._last_id = 0
        self._plant(seed)

    def now(self) -> float:
        return time.time() + self.skew

    def changed(self) -> None:
        for watcher in self.watchers:
            watcher()

    def new_id(self) -> str:
        """Message ids are milliseconds since 1970, unique and rising."""
        self._last_id = max(int(self.now() * 1000), self._last_id + 1)
        return str(self._last_id)

    # -- people and places

    def person(self, name: str) -> Person:
        return self.seed.person(name)

    def conversation(self, name: str, user: str = "") -> Conversation:
        """By id (with or without `;messageid=`), room name, or "personal", "group", "channel"."""
        if name == "personal":
            return self.personal(self.person(user))
        bare = name.partition(";messageid=")[0]
        kinds = {"group": "groupChat", "channel": "channel"}
        for conversation in self.conversations.values():
            if bare in (conversation.id, conversation.name) or kinds.get(bare) == conversation.kind:
                return conversation
        raise ConnectorError(404, "ConversationNotFound", f"no conversation {name!r}")

    def personal(self, person: Person) -> Conversation:
        conversation_id = f"a:1{person.key}"
        if conversation_id not in self.conversations:
            self.conversations[conversation_id] = Conversation(
                id=conversation_id, kind="personal", name=BOT_NAME, members=[person.teams]
            )
        return self.conversations[conversation_id]

    def member(self, person: Person) -> dict[str, Any]:
        """As the connector's member endpoints give it."""
        given, _, surname = person.name.rpartition(" ")
        return {
            "id": person.teams,
            "objectId": person.aad,
            "aadObjectId": person.aad,
            "name": person.name,
            "givenName": given,
            "surname": surname,
            "email": person.email,
            "userPrincipalName": person.email,
            "tenantId": self.tenant,
            "userRole": "guest" if person.external else "user",
            **self.roster.get(person.key, {}),
        }

    # -- messages

    def add(self, post: Post) -> Post:
        self.posts[post.id] = post
        self.changed()
        return post

    def find(self, activity_id: str, conversation: Conversation) -> Post:
        post = self.posts.get(activity_id)
        if post is None or post.conversation != conversation.id or post.deleted:
            raise ConnectorError(404, "ActivityNotFoundInConversation")
        return post

    def seen(self, conversation: Conversation, user: str, root: str | None = None) -> list[Post]:
        """What a person sees there: the main column, or with `root` that thread."""
        return [
            p
            for p in self.posts.values()
            if p.conversation == conversation.id
            and not p.deleted
            and p.to in ("", user)
            and (root in (p.id, p.root) if root else not p.root or conversation.kind != "channel")
        ]

    def permalink(self, post: Post) -> str:
        return f"https://teams.microsoft.com/l/message/{post.conversation}/{post.id}?tenantId={self.tenant}"

    def payload(self, post: Post) -> dict[str, Any]:
        """A message as a message extension's `messagePayload` has it; files and thread do not come along."""
        person = self.people.get(post.sender)
        author = (
            {"user": {"userIdentityType": "aadUser", "id": person.aad, "displayName": person.name}}
            if person
            else {"application": {"applicationIdentityType": "bot", "id": "bot", "displayName": BOT_NAME}}
        )
        html = next(
            (a["content"] for a in post.activity.get("attachments") or () if a.get("contentType") == "text/html"),
            post.text,
        )
        return {
            "id": post.id,
            "replyToId": post.root or None,
            "createdDateTime": iso(post.at),
            "lastModifiedDateTime": None,
            "deleted": False,
            "subject": None,
            "summary": None,
            "importance": "normal",
            "locale": "en-gb",
            "linkToMessage": self.permalink(post),
            "from": author,
            "body": {"contentType": "html", "content": html},
            "attachments": [],
            "mentions": [],
            "reactions": [],
        }

    # -- the seed

    def _plant(self, seed: Seed) -> None:
        for room in seed.channels:
            members = [seed.person(key).teams for key in room.members]
            self.conversations[room.teams] = Conversation(
                id=room.teams, kind="channel", name=room.name, members=members, bot=room.bot
            )
        team = [p.teams for p in seed.people if not p.external]
        self.conversations["19:group-chat@thread.v2"] = Conversation(
            id="19:group-chat@thread.v2", kind="groupChat", name="Service duty", members=team
        )
        for said in seed.messages:
            conversation = self.conversation(seed.channel(said.channel).teams)
            root = self._plant_post(conversation, seed.person(said.who), said.text, said.minutes_ago, "")
            for reply in said.thread:
                self._plant_post(conversation, seed.person(reply.who), reply.text, reply.minutes_ago, root.id)
        for person in seed.people:
            if not person.external:
                self.personal(person)

    def _plant_post(self, place: Conversation, who: Person, text: str, minutes_ago: float, root: str) -> Post:
        at = self.now() - 60 * minutes_ago
        post_id = str(int(at * 1000) + len(self.posts) % 1000)
        return self.add(
            Post(id=post_id, conversation=place.id, root=root, sender=who.teams, activity=said(text), at=at)
        )


def said(text: str) -> dict[str, Any]:
    """A person's message with the HTML twin that Teams adds."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
    return {"text": text, "attachments": [{"contentType": "text/html", "content": f"<div>{escaped}</div>"}]}


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_guid() -> str:
    return str(uuid.uuid4())
