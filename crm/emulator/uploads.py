"""File contents in the database, whole or piece by piece: behind file columns and attachments."""
# A piece is at most 4 MiB (learn.microsoft.com/power-apps/developer/data-platform/attachment-annotation-files).

import uuid
from dataclasses import dataclass

from .errors import DataverseError, bad_request
from .session import Session

CHUNK = 4 * 1024 * 1024
TOO_BIG = "0x80044a02"
BLOCKED = "0x80043e09"
_BLOCKED_EXTENSIONS = frozenset(
    """
    ade adp app asa ashx asmx asp bas bat cdx cer chm class cmd com config cpl crt csh dll exe fxp hlp hta htr htw
    ida idc idq inf ins isp its jar js jse ksh lnk mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw
    mdz msc msh msi msp mst ops pcd pif prf prg printer pst reg rem scf scr sct shb shs shtm shtml soap stm tmp
    url vb vbe vbs vsmacros vss vst vsw ws wsc wsf wsh
    """.split()  # noqa: SIM905 - sixty words read better in lines
)


@dataclass(frozen=True, slots=True)
class File:
    """A stored file, or an upload under way. Size in bytes."""

    id: str
    name: str
    mime: str
    size: int


def check_name(name: str) -> None:
    """Raises: DataverseError 400 for an extension that Dataverse blocks."""
    if name.rsplit(".", 1)[-1].lower() in _BLOCKED_EXTENSIONS:
        raise DataverseError(
            400,
            BLOCKED,
            "The attachment is either not a valid type or is too large. It cannot be uploaded or downloaded.",
        )


def begin(session: Session, name: str, mime: str, owner: str) -> File:
    """Start an upload.

    Args:
        owner: id of the row that it belongs to (it goes when the row goes).
    """
    check_name(name)
    file = File(str(uuid.uuid4()), name, mime or "application/octet-stream", 0)
    session.tx.execute("INSERT INTO _file VALUES (?, ?, ?, 0, ?)", (file.id, file.name, file.mime, owner))
    return file


def add(session: Session, file: File, content: bytes, *, limit: int, label: str | None = None) -> File:
    """Add a piece at the end; a label that was used before replaces that piece.

    Raises: DataverseError 400 when the file grows beyond `limit` bytes.
    """
    if label is not None:
        session.tx.execute("DELETE FROM _chunk WHERE file = ? AND label = ?", (file.id, label))
    held = session.tx.execute(
        "SELECT coalesce(sum(length(bytes)), 0) FROM _chunk WHERE file = ?", (file.id,)
    ).fetchone()[0]
    if held + len(content) > limit:
        raise DataverseError(400, TOO_BIG, f"Attachment file size is too big: the limit is {limit} bytes.")
    session.tx.execute(
        "INSERT INTO _chunk SELECT ?, coalesce(max(number), -1) + 1, ?, ? FROM _chunk WHERE file = ?",
        (file.id, label, content, file.id),
    )
    size = held + len(content)
    session.tx.execute("UPDATE _file SET size = ? WHERE id = ?", (size, file.id))
    return File(file.id, file.name, file.mime, size)


def find(session: Session, file_id: str) -> File:
    """A file or an upload under way, by its id or continuation token.

    Raises: DataverseError 400 for a token that is none.
    """
    row = session.tx.execute("SELECT id, name, mime, size FROM _file WHERE id = ?", (file_id,)).fetchone()
    if row is None:
        raise bad_request("The file continuation token is invalid or was used up.", "0x80090001")
    return File(*row)


def content(session: Session, file_id: str) -> bytes:
    rows = session.tx.execute("SELECT bytes FROM _chunk WHERE file = ? ORDER BY number", (file_id,))
    return b"".join(row[0] for row in rows)


def arrange(session: Session, file: File, labels: list[str]) -> None:
    """Put labelled pieces into the order that a block list gives; others are dropped.

    Raises: DataverseError 400 for a label that was not sent.
    """
    held = dict(session.tx.execute("SELECT label, bytes FROM _chunk WHERE file = ?", (file.id,)).fetchall())
    if missing := [label for label in labels if label not in held]:
        raise bad_request(f"The block '{missing[0]}' of the block list was not uploaded.", "0x80090001")
    session.tx.execute("DELETE FROM _chunk WHERE file = ?", (file.id,))
    for number, label in enumerate(labels):
        session.tx.execute("INSERT INTO _chunk VALUES (?, ?, ?, ?)", (file.id, number, label, held[label]))
    size = sum(len(held[label]) for label in labels)
    session.tx.execute("UPDATE _file SET size = ? WHERE id = ?", (size, file.id))


def discard(session: Session, file_id: str) -> None:
    session.tx.execute("DELETE FROM _chunk WHERE file = ?", (file_id,))
    session.tx.execute("DELETE FROM _file WHERE id = ?", (file_id,))
