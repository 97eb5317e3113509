"""Notes and files on a row.

A file travels inside the note while it is small; a large one goes up in blocks, which the organisation puts together.
Source: Microsoft, "Attachment and note (annotation) files": direct below about 4 MB, blocks of at most 4 MB.
"""

import asyncio
import base64
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID, uuid4

from .errors import BadAnswer, DuplicateId, Invalid, TooLarge
from .records import Json, Ref
from .tables import NOTE

if TYPE_CHECKING:
    from .session import Session

DIRECT = 2_900_000
"""Bytes up to which a file travels inside the note: base64 makes a third more of them."""
BLOCK = 2_900_000
_TYPE = "Microsoft.Dynamics.CRM.annotation"


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach: its name, its media type, and its bytes or where they are."""

    name: str
    mime: str
    content: bytes | Path

    def size(self) -> int:
        """Bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    def read(self) -> bytes:
        """All of it."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


async def attach(
    session: "Session",
    regarding: Ref,
    *,
    subject: str,
    text: str | None = None,
    file: File | None = None,
    id: UUID | None = None,  # noqa: A002  the field's own word
) -> Ref:
    """Put a note on a row, with a file or without. Raises TooLarge above the organisation's limit.

    With an `id` of the caller's choice a note may be sent again after a lost answer. A refused file leaves no note.
    """
    names = await session.metadata.names(regarding.table)
    note: dict[str, Json] = {
        "subject": subject[:500],
        f"objectid_{regarding.table}@odata.bind": regarding.path(names.entity_set),
    }
    if text is not None:
        note["notetext"] = text
    if file is None:
        return await session.create(NOTE.logical, note, id=id)
    note |= {"filename": file.name[-255:], "mimetype": file.mime[:256], "isdocument": True}
    size = await asyncio.to_thread(file.size)
    if size <= DIRECT:
        content = await asyncio.to_thread(file.read)
        note["documentbody"] = base64.b64encode(content).decode()
        return await session.create(NOTE.logical, note, id=id)
    await _check_size(session, file, size)
    # The note first, so that the blocks have a row of their own and a repetition finds it.
    ref = Ref(NOTE.logical, id or uuid4())
    try:
        await session.create(NOTE.logical, note, id=ref.id)
    except DuplicateId:
        if not await session.holds(ref, note):
            raise
    try:
        await _upload(session, ref, file)
    except (Invalid, TooLarge):
        await session.delete(ref)  # a note without the file it speaks of helps nobody
        raise
    return ref


async def _check_size(session: "Session", file: File, size: int) -> None:
    data = await session.get_json("/organizations?$select=maxuploadfilesize", verb="organization")
    try:
        limit = next((entry.get("maxuploadfilesize") for entry in data["value"]), None)
    except (AttributeError, KeyError, TypeError):
        limit = None  # Dataverse itself refuses what is too large
    if isinstance(limit, int) and size > limit:
        raise TooLarge(
            f"{file.name} has {size / 2**20:.1f} MB; this organisation takes files up to {limit / 2**20:.1f} MB.",
            table=NOTE.logical,
        )


async def _upload(session: "Session", ref: Ref, file: File) -> None:
    target: dict[str, Json] = {
        "annotationid": str(ref.id),
        "filename": file.name[-255:],
        "mimetype": file.mime[:256],
        "@odata.type": _TYPE,
    }
    started = await session.action("InitializeAnnotationBlocksUpload", {"Target": target}, repeatable=True)
    token = started["FileContinuationToken"]
    blocks: list[Json] = []
    source = await asyncio.to_thread(_open, file)
    try:
        while block := await asyncio.to_thread(source.read, BLOCK):
            block_id = base64.b64encode(f"{len(blocks):08d}".encode()).decode()
            body: dict[str, Json] = {
                "BlockId": block_id,
                "BlockData": base64.b64encode(block).decode(),
                "FileContinuationToken": token,
            }
            await session.action("UploadBlock", body, repeatable=True)
            blocks.append(block_id)
    finally:
        source.close()
    commit: dict[str, Json] = {"Target": target, "BlockList": blocks, "FileContinuationToken": token}
    await session.action("CommitAnnotationBlocksUpload", commit)


def _open(file: File) -> BinaryIO:
    if isinstance(file.content, Path):
        return file.content.open("rb")
    return BytesIO(file.content)


async def read_file(session: "Session", note: Ref) -> bytes:
    """The bytes of a note's file; empty for a note without one."""
    row = await session.get(note, select=["documentbody"])
    try:
        return base64.b64decode(row["documentbody"] or "")
    except (KeyError, TypeError, ValueError):
        raise BadAnswer("Dataverse answered with something else than the note's file.", table=note.table) from None
