"""What a face hands in (`Request`) and gets back (`Reply`), and who and where that is."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from .cards import Card, Form, Submission
from .press import Press


class Standing(StrEnum):
    """What the platform says of a person. A MEMBER gets records; a GUEST or STRANGER once they proved an account."""

    MEMBER = "member"
    GUEST = "guest"
    STRANGER = "stranger"
    """Somebody of another workspace or tenant, seen in a shared channel."""
    BOT = "bot"
    UNKNOWN = "unknown"
    """The platform should say it, and does not just now."""


OUTSIDERS: Final = frozenset({Standing.GUEST, Standing.STRANGER})
"""Whom the platform vouches for as no member here; they may prove an account of this organisation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The person who asks. Identities are keyed by (platform, tenant, user), never by a bare user id."""

    platform: str
    """`slack`, `teams`, `mcp`."""
    tenant: str
    user: str
    name: str = ""
    locale: str = "en-US"
    timezone: str = "UTC"
    entra_id: str = ""
    """Teams: the Entra object id that the platform vouches for."""
    email: str = ""
    """Confirmed by the platform; empty where it is not known yet (a face then answers `Face.profile`)."""
    standing: Standing = Standing.MEMBER
    proved: bool = False
    """A guest or stranger who signed in with an account of this organisation (`People.admitted`)."""
    memberships: frozenset[str] | None = None
    """Roles and teams in Dynamics, as policies name them; None where they were not asked for."""

    @property
    def key(self) -> str:
        """`platform:tenant:user`."""
        return f"{self.platform}:{self.tenant}:{self.user}"


class PlaceKind(StrEnum):
    """Who reads along."""

    PERSONAL = "personal"
    GROUP = "group"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it was asked, and how to answer there later. Plain data: it is kept in the journal (encrypted)."""

    platform: str
    tenant: str
    conversation: str
    thread: str = ""
    kind: PlaceKind = PlaceKind.PERSONAL
    shared: bool | None = None
    """People outside the organisation read along (Slack Connect, shared channels, guests); None: not said with the
    request, so `Face.outsiders` is asked where it matters."""
    name: str = ""
    address: dict[str, str] = field(default_factory=dict)
    """What only the face understands: response_url, activity id, service URL, message to replace."""

    @property
    def key(self) -> str:
        """`platform:tenant:conversation:thread`."""
        return f"{self.platform}:{self.tenant}:{self.conversation}:{self.thread}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The author of a message."""

    name: str
    user: str = ""
    email: str = ""
    entra_id: str = ""
    bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedFile:
    """A file on a message; `source` is what the face needs to fetch it."""

    id: str
    name: str
    size: int = 0
    mime: str = "application/octet-stream"
    source: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, its text made plain."""

    key: str
    """team + channel + ts, or conversation + message id: the same message always has the same key."""
    text: str
    author: Person
    sent: datetime | None = None
    permalink: str = ""
    files: tuple[QuotedFile, ...] = ()
    version: str = ""
    """What the platform calls this state of a message that was edited, mostly a time: the same on a retry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The message that becomes a case, its thread as far as it is known, and what could not be read."""

    message: Message
    thread: tuple[Message, ...] = ()
    """In order, the root first; empty where it was not read (yet)."""
    in_thread: bool = False
    missing: tuple[str, ...] = ()
    """Sentences for the person: what could not be taken along, and why."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Words: a slash command's text, a mention's rest, a direct message."""

    text: str
    message: Message | None = field(default=None, compare=False)
    """The message that they are, where others read along: in a thread that follows a case it may be a note."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of ours."""

    press: Press


@dataclass(frozen=True, slots=True)
class Submitted:
    """A form of ours."""

    press: Press
    submission: Submission


@dataclass(frozen=True, slots=True)
class FromMessage:
    """*Create case* on a message. `at_once` makes it with defaults, without a form (the emoji reaction)."""

    quote: Quote
    at_once: bool = False


Ask = Typed | Pressed | Submitted | FromMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing that one person asks in one place."""

    ask: Ask
    principal: Principal
    place: Place
    key: str
    """What the platform calls this gesture (trigger id, event id, activity id): the same on a retry, never a clock."""
    sent: "asyncio.Future[bool] | None" = field(default=None, compare=False, repr=False)
    """Where the answer does not travel in the acknowledgement: the face sets it once the answer was delivered (False:
    it could not be). Until then a job that made the answer holds it, so that it survives the process."""


class Visibility(StrEnum):
    """Who sees the card of a reply."""

    PRIVATE = "private"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes back. Exactly one of `card` and `form`, or neither (nothing to say)."""

    card: Card | None = None
    form: Form | None = None
    visibility: Visibility = Visibility.PRIVATE
    replace: bool = False
    """Put the card in the place of the one whose button was pressed (where there is one)."""
    stub: Card | None = None
    """Posted for everyone in the thread of `Place` beside the private card: number, title, status."""
    pending: bool = False
    """Work goes on; `card` says so now, and the answer comes through `Face.deliver`."""
    reaction: str = ""
    """A reaction to put on the message that was asked about, by Slack's name (`ticket`)."""
    whose: str = ""
    """`Principal.key` of the person as whom journalled work made it; empty for what nobody else can join."""
    unkept: bool = False
    """A change was asked for, and this says that it is in no journal, or perhaps in none: nobody says so again. A face
    whose platform comes again acknowledges once this has left, and not before."""


class Face(Protocol):
    """What the command layer may ask of a chat platform. Each face implements it; the composition root registers it."""

    platform: str

    async def deliver(self, place: Place, principal: Principal, reply: Reply) -> str:
        """Put the reply where it was asked for, later; fall back (response_url -> direct message).

        Returns the id of the posted message (empty where the platform gives none). Raises `DeliveryFailed`, saying
        whether trying again can help.
        """
        ...

    async def thread(self, place: Place, message: Message) -> Quote:
        """The thread around a message with its files; what cannot be read goes to `Quote.missing`, never an error."""
        ...

    async def download(self, place: Place, file: QuotedFile) -> bytes:
        """A file's bytes. Raises `DeliveryFailed` with a sentence for the person."""
        ...

    async def outsiders(self, place: Place) -> bool:
        """Whether guests or people of other organisations read along there now; what cannot be told counts as yes."""
        ...

    async def profile(self, principal: Principal) -> Principal:
        """The same person with name, e-mail, locale, zone and standing as the platform vouches for them now."""
        ...


class DeliveryFailed(Exception):
    """A platform did not take a message or give a file. `again` says whether a later try may succeed."""

    def __init__(self, sentence: str, *, again: bool, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.sentence, self.again, self.retry_after = sentence, again, retry_after


Faces = Mapping[str, Face]
"""Face by platform name."""
