"""A chat thread that follows a case, both ways; once, for every face.

Replies in the thread become notes on the case (`thread_notes`): internal, until somebody switches the thread to
*customer*. Notes and status changes of the case come back to the thread (`case_news`). What came from the thread is
never said there again, and what a bot wrote never becomes a note, so that nothing loops. Edits and deletions in the
thread are followed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from crm.records import Ref

from .request import Place, Principal

FOR_CUSTOMERS: Final = "*WEB*"
"""Notes that begin so are shown to customers by Power Pages. Source: Microsoft, "Add notes to portal records"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """A thread and the case that it follows."""

    place: Place
    principal: Principal
    """Who made the case here; answers go out in their name's language."""
    case: Ref
    for_customer: bool = False
    """Whether replies become notes that customers see."""
    told: str = ""
    """The status that the thread was told last."""
    env: str = ""
    """Name of the environment that the case is of; empty where they have no names."""


class Threads(Protocol):
    """Which thread follows which case, and what came from here."""

    async def follow(self, following: Following) -> None:
        """Remember it; again changes it."""
        ...

    async def unfollow(self, place: Place) -> None:
        """Forget the thread."""
        ...

    async def followed(self, place: Place) -> Following | None:
        """What this thread follows."""
        ...

    async def followers(self, case: Ref, known_as: frozenset[str] = frozenset({""})) -> list[Following]:
        """The threads of this case of the environment that is, or was, known by these names."""
        ...

    async def first(self, mark: str) -> bool:
        """Whether this mark is new; it is remembered from now on."""
        ...

    async def known(self, mark: str) -> bool:
        """Whether this mark is remembered."""
        ...

    async def forget(self, mark: str) -> None:
        """Remember it no more."""
        ...

    async def newest(self, thing: str, version: str) -> bool:
        """Whether no later version of this thing is remembered; this one is from now on. Versions compare as text."""
        ...


class Happened(StrEnum):
    """What became of a message in a thread."""

    WRITTEN = "written"
    EDITED = "edited"
    AMENDED = "amended"
    """Edited, where it was said to us: its new text is a note only if its former one was."""
    DELETED = "deleted"
    RESTORED = "restored"
    """No longer deleted: a note again, if it was one."""


def ours(ref: Ref) -> str:
    """The mark of a note that came from a thread."""
    return f"ours/{ref.table}/{ref.id}"


async def mark_ours(threads: Threads, note: Ref) -> None:
    """Before a note is written that comes from a thread: the news of it, which may be first, says nothing there."""
    await threads.first(ours(note))
