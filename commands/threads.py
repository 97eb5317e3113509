"""A chat thread that follows a case, both ways; once, for every face.

Replies in the thread become notes on the case: internal, until somebody switches the thread to *customer*. Notes and
status changes of the case come back to the thread. What came from the thread is never said there again, and what a bot
wrote never becomes a note, so that nothing loops. Edits and deletions in the thread are followed.
"""

import logging
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from crm.errors import CrmError, DuplicateId, NotFound, VersionMismatch
from crm.languages import language_code
from crm.notes import File
from crm.notifications import Change
from crm.records import Json, Ref, Row
from crm.session import Session
from crm.tables import CASE, NOTE

from .cards import Card, CardKind, Status
from .record_cards import Look
from .request import DeliveryFailed, Face, Faces, Message, Place, PlaceKind, Principal, Reply, Visibility
from .views import VIEWS

log = logging.getLogger(__name__)

_NAMESPACE: Final = uuid.UUID("3d0c6f57-2b5e-5c1c-8c51-9d1c0a7f4e21")
_FOR_CUSTOMERS: Final = "*WEB*"
"""Notes that begin so are shown to customers by Power Pages. Source: Microsoft, "Add notes to portal records"."""
_SUBJECT = 100
_SHOWN = 1500
_EDITS_AT_ONCE = 8


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


def reply_key(message: Message, happened: Happened) -> str:
    """The intent key of telling a case what happened to a message: written once, changed often."""
    version = message.version
    if happened in {Happened.EDITED, Happened.AMENDED}:
        version = version or str(uuid.uuid5(_NAMESPACE, message.text))
    return "/".join(filter(None, (message.key, happened, version)))


async def thread_reply(
    threads: Threads, crm: Session, face: Face | None, place: Place, message: Message, happened: Happened
) -> Reply | None:
    """A message in a thread, told to the case that the thread follows; None where there is nothing to say.

    `crm`: Dataverse as the message's author. May be called again for the same message. Raises CrmError.
    """
    following = await threads.followed(place)
    if following is None or message.author.bot:
        return None
    note = Ref(NOTE.logical, _note_id(message.key))
    if happened is Happened.DELETED:
        return await _take_back(threads, crm, note, message)
    if not await _stands(threads, note, message, happened):
        return None
    await mark_ours(threads, note)
    text = _note_text(following, place, message)
    try:
        if happened is not Happened.WRITTEN:
            rewritten = await _rewrite(threads, crm, following.case, note, message, text)
            return Reply(reaction="pencil2") if rewritten else None
        await _write(crm, following.case, note, message, text)
        missing = await _attach(threads, crm, face, following.case, place, message)
    finally:
        if await threads.known(_deleted(note)):  # meanwhile
            with suppress(NotFound):
                await crm.delete(note)
    if missing:
        return Reply(card=Card(kind=CardKind.NOTICE, title="Not everything was taken along", text=tuple(missing)))
    return Reply(reaction="memo")


async def mark_ours(threads: Threads, note: Ref) -> None:
    """Before a note is written that comes from a thread: the news of it, which may be first, says nothing there."""
    await threads.first(_ours(note))


async def case_news(
    threads: Threads,
    crm: Session,
    faces: Faces,
    change: Change,
    *,
    known_as: frozenset[str] = frozenset({""}),
    marked: Callable[[Card], Card] = lambda card: card,
) -> int:
    """Tell the threads of a case what has happened to it; how many were told.

    `crm`: Dataverse as the application, in the environment of these names; `marked` puts that on a card. Every delivery
    of the same change after the first says nothing. Raises CrmError; DeliveryFailed where trying again may help (the
    change then is still new for that thread).
    """
    case = await _case_of(crm, change)
    if case is None or await threads.known(_ours(change.ref)):
        return 0
    told = 0
    again: DeliveryFailed | None = None
    for following in await threads.followers(case, known_as):
        mark = f"{change.id}@{following.place.key}"
        face = faces.get(following.place.platform)
        if face is None or await threads.known(mark):
            continue
        news = await _news(crm, following, change, face)
        if news is None:
            continue
        card, status = news
        try:
            await face.deliver(
                following.place, following.principal, Reply(card=marked(card), visibility=Visibility.EVERYONE)
            )
        except DeliveryFailed as e:
            log.warning("a thread could not be told of its case: %s", e.sentence)
            if e.again:
                again = e
            else:
                await threads.unfollow(following.place)
            continue
        await threads.first(mark)
        if status != following.told:
            await threads.follow(replace(following, told=status))
        told += 1
    if again:
        raise again
    return told


# -- from the thread to the case --------------------------------------------------------------------------------


def _note_id(message_key: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, message_key)


def _ours(ref: Ref) -> str:
    return f"ours/{ref.table}/{ref.id}"


def _deleted(ref: Ref) -> str:
    return f"deleted/{ref.table}/{ref.id}"


def _taken_back(ref: Ref) -> str:
    return f"taken back/{ref.table}/{ref.id}"


def _edited(ref: Ref) -> str:
    return f"edited/{ref.table}/{ref.id}"


def _note_text(following: Following, place: Place, message: Message) -> str:
    who = f"{message.author.name or message.author.email or 'Somebody'} in {place.platform.capitalize()}:"
    text = "\n".join(filter(None, (who, message.text.strip(), message.permalink)))
    return f"{_FOR_CUSTOMERS} {text}" if following.for_customer else text


async def _stands(threads: Threads, note: Ref, message: Message, happened: Happened) -> bool:
    """Whether the message is there, and a note or to become one."""
    if happened is Happened.AMENDED and not await threads.known(_ours(note)):
        return False
    if happened is Happened.RESTORED:
        changed_since = message.version and not await threads.newest(_edited(note), message.version)
        if changed_since or not await threads.known(_taken_back(note)):
            return False
        await threads.forget(_deleted(note))
    return not await threads.known(_deleted(note))


async def _take_back(threads: Threads, crm: Session, note: Ref, message: Message) -> Reply | None:
    """The message was deleted, if it was not restored or edited since."""
    if message.version and not await threads.newest(_edited(note), message.version):
        return None
    await threads.first(_deleted(note))  # platforms deliver in any order: what was written may still come
    try:
        await crm.delete(note)
    except NotFound:
        return None  # it never became a note, or is gone already
    await threads.first(_taken_back(note))
    return Reply(reaction="wastebasket")


async def _write(crm: Session, case: Ref, note: Ref, message: Message, text: str) -> bool:
    """Whether the note is new; it may be there already, because the platform said it twice or an edit overtook it."""
    first = next(filter(None, (line.strip() for line in message.text.splitlines())), "Reply")
    try:
        await crm.attach(case, subject=first[:_SUBJECT], text=text, id=note.id)
    except DuplicateId:
        return False
    return True


async def _rewrite(threads: Threads, crm: Session, case: Ref, note: Ref, message: Message, text: str) -> bool:
    """False where a later edit of the message has come already: platforms deliver in any order."""
    change: dict[str, Json] = {NOTE.text.logical: text}
    for _ in range(_EDITS_AT_ONCE):
        if message.version and not await threads.newest(_edited(note), message.version):
            return False
        try:
            # Another edit may be between its look and its writing, too: the etag tells.
            etag = (await crm.get(note, select=[NOTE.subject.logical])).etag if message.version else ""
            await crm.update(note, change, etag=etag or "*")
        except NotFound:
            if await _write(crm, case, note, message, text):
                return True
        except VersionMismatch:
            continue
        else:
            return True
    await crm.update(note, change)
    return True


async def _attach(
    threads: Threads, crm: Session, face: Face | None, case: Ref, place: Place, message: Message
) -> list[str]:
    missing = []
    for file in message.files:
        note = Ref(NOTE.logical, _note_id(f"{message.key}/{file.id}"))
        await mark_ours(threads, note)
        if face is None:
            missing.append(f"{file.name}: files cannot be fetched from here.")
            continue
        try:
            content = await face.download(place, file)
            await crm.attach(case, subject=file.name, file=File(file.name, file.mime, content), id=note.id)
        except DuplicateId:
            continue
        except DeliveryFailed as e:
            missing.append(f"{file.name}: {e.sentence}")
        except CrmError as e:
            if e.repeatable:
                raise
            missing.append(f"{file.name}: {e.message}")
    return missing


# -- from the case to the thread --------------------------------------------------------------------------------


async def _case_of(crm: Session, change: Change) -> Ref | None:
    """The case that a change is about: the case itself, or what a note is about."""
    if change.ref.table == CASE.logical:
        return change.ref if change.message == "Update" else None
    if change.ref.table != NOTE.logical or change.message != "Create":
        return None
    about = change.values.get(NOTE.regarding.logical)
    if not isinstance(about, Ref):
        try:
            about = (await crm.get(change.ref, select=[NOTE.regarding.logical])).lookup(NOTE.regarding.logical)
        except NotFound:
            return None
    return about if about and about.table == CASE.logical else None


async def _news(crm: Session, following: Following, change: Change, face: Face) -> tuple[Card, str] | None:
    """What to say in this thread, and the status that it knows then; None where it knows already."""
    info = await crm.metadata.table(CASE.logical)
    seen = Look(view=VIEWS[CASE.logical], info=info, language=language_code(following.principal.locale), url=crm.url)
    columns = [c for c in seen.view.list_columns if c in info.columns]
    row = await crm.get(following.case, select=columns)
    status = _status(seen.status(row))
    if change.ref.table == CASE.logical:
        if status == following.told:
            return None
        return replace(seen.stub(row), text=(f"{seen.subtitle(row)} is now: {status}",)), status
    note = await _note(crm, change)
    if note is None:
        return None
    place = following.place
    # Asked each time: a channel may have been shared, or a guest invited, since the case was made.
    outsiders = bool(place.shared) or (place.kind is not PlaceKind.PERSONAL and await face.outsiders(place))
    return replace(seen.stub(row), text=_said(note, outsiders)), following.told or status


def _status(status: Status | None) -> str:
    return status.text if status else ""


async def _note(crm: Session, change: Change) -> Row | None:
    columns = [NOTE.subject.logical, NOTE.text.logical, NOTE.file_name.logical, "createdby"]
    try:
        return await crm.get(change.ref, select=columns)
    except NotFound:
        return None


def _said(note: Mapping[str, Json], outsiders: bool) -> tuple[str, ...]:
    """The note for the thread; where outsiders read along, only that there is one."""
    row = note if isinstance(note, Row) else None
    who = row.formatted("createdby") if row and "createdby" in row else ""
    head = f"{who} added a note." if who else "A note was added."
    if outsiders:
        return (head,)
    text = str(note.get(NOTE.text.logical) or note.get(NOTE.subject.logical) or "").removeprefix(_FOR_CUSTOMERS).strip()
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    file = note.get(NOTE.file_name.logical)
    return tuple(filter(None, (head, cut, f"File: {file}" if file else "")))
