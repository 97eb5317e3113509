"""What a running operation may touch."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from crm.records import Ref
from crm.session import Session

from .errors import NotAllowed
from .request import Face, Place, Principal, Quote

if TYPE_CHECKING:
    from .signing_in import SignIn
    from .threads import Threads

_NAMESPACE = uuid.UUID("8f6f1b1e-6c1c-5f0e-9f43-6a1d0f5d3c77")


@dataclass(frozen=True, slots=True)
class Shown:
    """A record that a card has shown to this person."""

    ref: Ref
    title: str
    at: datetime


class Memory(Protocol):
    """What this person has been shown. The dispatcher notes every card with a `record`; operations only read."""

    async def last(self, table: str | None = None) -> Ref | None:
        """`it`: the record last shown to this person in this thread or conversation, within 30 minutes."""
        ...

    async def recent(self, limit: int = 10) -> list[Shown]:
        """Records shown to this person anywhere, newest first, each once."""
        ...


class Links(Protocol):
    """Which message became which record."""

    async def link(self, message: str, ref: Ref) -> None:
        """Remember that the message with this key became this record."""
        ...

    async def linked(self, message: str) -> Ref | None:
        """The record that this message became."""
        ...


class Reminders(Protocol):
    """What is shown to this person here, later."""

    async def set(self, verb: str, args: dict[str, str], at: datetime, said: str) -> str:
        """Show what the reading command `verb` gives at `at`, under the sentence `said`; the reminder's id.

        Raises NotAccepted if it could not be journalled.
        """
        ...

    async def call_off(self, reminder: str) -> bool:
        """Take it back; False where this person has no such reminder, or it has been shown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything an operation needs, and nothing it should not have."""

    principal: Principal
    place: Place
    key: str
    """The intent key: the same for every retry and *Try again* of one wish."""
    crm: Session
    """Dataverse as this person (or the one named by `user_id`, where policy allowed it)."""
    now: datetime
    """Aware, in the person's zone; relative dates count from here."""
    memory: Memory
    links: Links
    threads: "Threads | None" = None
    """Which chat thread follows which case; None where none can."""
    reminders: Reminders | None = None
    """Sets what is shown later; None where nothing can be."""
    face: Face | None = None
    """The chat platform of `place`; None for agents."""
    quote: Quote | None = None
    """The message that this case is made from."""
    sign_in: "SignIn | None" = None
    """How people connect their own account; None where nobody does."""
    etag: str = "*"
    """What an update sends as If-Match: the version seen on the card that it came from, or `*`."""
    hidden: Mapping[str, NotAllowed] = field(default_factory=dict)
    """Tables, by logical name, whose rows policy keeps from this person here: no name leads to them."""
    env: str = ""
    """Name of the environment; empty where they have no names."""

    def row_id(self, part: str = "") -> uuid.UUID:
        """The id of the row that this intent creates; `part` tells several rows of one intent apart."""
        return uuid.uuid5(_NAMESPACE, f"{self.key}/{part}" if part else self.key)
