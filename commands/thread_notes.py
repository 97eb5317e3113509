"""From the thread to the case: what was written, edited, deleted or restored there, as a note."""

import uuid
from contextlib import suppress
from typing import Final

from crm.errors import CrmError, DuplicateId, NotFound, VersionMismatch
from crm.notes import File
from crm.records import Json, Ref
from crm.session import Session
from crm.tables import NOTE

from .cards import Card, CardKind
from .request import DeliveryFailed, Face, Message, Place, Reply
from .threads import FOR_CUSTOMERS, Following, Happened, Threads, mark_ours, ours

_NAMESPACE: Final = uuid.UUID("3d0c6f57-2b5e-5c1c-8c51-9d1c0a7f4e21")
_SUBJECT = 100
_EDITS_AT_ONCE = 8


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


def _note_id(message_key: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, message_key)


def _deleted(ref: Ref) -> str:
    return f"deleted/{ref.table}/{ref.id}"


def _taken_back(ref: Ref) -> str:
    return f"taken back/{ref.table}/{ref.id}"


def _edited(ref: Ref) -> str:
    return f"edited/{ref.table}/{ref.id}"


def _note_text(following: Following, place: Place, message: Message) -> str:
    who = f"{message.author.name or message.author.email or 'Somebody'} in {place.platform.capitalize()}:"
    text = "\n".join(filter(None, (who, message.text.strip(), message.permalink)))
    return f"{FOR_CUSTOMERS} {text}" if following.for_customer else text


async def _stands(threads: Threads, note: Ref, message: Message, happened: Happened) -> bool:
    """Whether the message is there, and a note or to become one."""
    if happened is Happened.AMENDED and not await threads.known(ours(note)):
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
