"""Notes with files, and the block-wise upload and download of attachments and file columns.

Facts: learn.microsoft.com/power-apps/developer/data-platform/attachment-annotation-files and .../file-column-data.
"""

import base64
import binascii
from typing import Any

from . import uploads
from .catalog import Column, Table
from .errors import DataverseError, bad_payload, bad_request, not_found
from .organization import ORGANIZATION_ID
from .payload import read_payload
from .registry import Call, Registry
from .session import Row, Session
from .wire import Response, json_response, no_content
from .write import create, fetch_row, modify, update

DEFAULT_LIMIT = 5_242_880
NAMESPACE = "Microsoft.Dynamics.CRM."


def register(registry: Registry) -> None:
    registry.rule_before("annotation", complete_note)
    for name, handler in (
        ("InitializeAnnotationBlocksUpload", begin_note_upload),
        ("CommitAnnotationBlocksUpload", commit_note_upload),
        ("InitializeAnnotationBlocksDownload", begin_note_download),
        ("InitializeFileBlocksUpload", begin_file_upload),
        ("CommitFileBlocksUpload", commit_file_upload),
        ("InitializeFileBlocksDownload", begin_file_download),
        ("UploadBlock", upload_block),
        ("DownloadBlock", download_block),
    ):
        registry.action(name, handler)


def complete_note(session: Session, table: Table, values: Row, before: Row | None) -> None:
    """A note's file size, and the kind of the row that it is about.

    Raises: DataverseError 400 for a body that is no base64, is too big, or has a blocked name.
    """
    del table
    if values.get("filename"):
        uploads.check_name(values["filename"])
    if "documentbody" in values:
        body = values["documentbody"]
        try:
            size = len(base64.b64decode(body, validate=True)) if body else 0
        except (ValueError, binascii.Error):
            raise bad_payload("'documentbody' must be base64 text.") from None
        if size > attachment_limit(session):
            raise DataverseError(400, uploads.TOO_BIG, "Attachment file size is too big.")
        values["filesize"] = size
        values["isdocument"] = int(bool(body))
        if body and not values.get("mimetype") and not (before or {}).get("mimetype"):
            values["mimetype"] = "application/octet-stream"
    if "objectid" in values:
        values["objecttypecode"] = values.get("objectid__t")


def attachment_limit(session: Session) -> int:
    """Bytes that an attachment may have (an organisation setting, 5 MB by default)."""
    row = session.tx.execute(
        "SELECT maxuploadfilesize FROM organization WHERE organizationid = ?", (ORGANIZATION_ID,)
    ).fetchone()
    return int(row[0]) if row and row[0] else DEFAULT_LIMIT


def _target(session: Session, call: Call) -> tuple[Table, dict[str, Any]]:
    target = call.parameters.get("Target")
    if not isinstance(target, dict):
        raise bad_request("'Target' must be a record.")
    name = str(target.get("@odata.type", "")).lstrip("#").removeprefix(NAMESPACE)
    if name not in session.catalog:
        raise bad_payload("'Target' needs \"@odata.type\": the type of the record.")
    return session.table(name), target


def _file_column(call: Call, table: Table) -> Column:
    name = call.parameters.get("FileAttributeName")
    column = table.columns.get(str(name))
    if column is None or column.type not in {"file", "image"}:
        raise bad_request(f"'{name}' is no file column of '{table.logical_name}'.")
    return column


def _existing(session: Session, table: Table, target: dict[str, Any]) -> Row:
    key = str(target.get(table.primary_id, ""))
    row = fetch_row(session, table, key.lower())
    if row is None:
        raise not_found(table.logical_name, key)
    return row


def _token(call: Call) -> str:
    token = call.parameters.get("FileContinuationToken")
    if not isinstance(token, str):
        raise bad_request("'FileContinuationToken' is missing.")
    return token


def _labels(call: Call) -> list[str]:
    labels = call.parameters.get("BlockList")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise bad_request("'BlockList' must be a list of block ids.")
    return labels


def _answer(session: Session, name: str, values: dict[str, Any]) -> Response:
    return json_response({"@odata.context": session.context(f"{NAMESPACE}{name}Response"), **values})


def begin_note_upload(session: Session, call: Call) -> Response:
    table, target = _target(session, call)
    if table.logical_name != "annotation":
        raise bad_request("'Target' must be an annotation.")
    read_payload(session, table, target, creating=True)
    file = uploads.begin(session, str(target.get("filename", "")), str(target.get("mimetype", "")), "")
    return _answer(session, "InitializeAnnotationBlocksUpload", {"FileContinuationToken": file.id})


def commit_note_upload(session: Session, call: Call) -> Response:
    table, target = _target(session, call)
    file = uploads.find(session, _token(call))
    uploads.arrange(session, file, _labels(call))
    record = {
        "filename": file.name or None, "mimetype": file.mime, **target,
        "documentbody": base64.b64encode(uploads.content(session, file.id)).decode(),
    }  # fmt: skip
    key = str(target.get("annotationid", "")).lower()
    if key and fetch_row(session, table, key) is not None:
        update(session, table, key, record)
    else:
        key = create(session, table, record)
    size = uploads.find(session, file.id).size
    uploads.discard(session, file.id)
    return _answer(session, "CommitAnnotationBlocksUpload", {"AnnotationId": key, "FileSizeInBytes": size})


def begin_note_download(session: Session, call: Call) -> Response:
    table, target = _target(session, call)
    row = _existing(session, table, target)
    session.security.authorise(session, table, "read", row)
    data = base64.b64decode(row.get("documentbody", ""))
    file = uploads.begin(session, row.get("filename", ""), row.get("mimetype", ""), row[table.primary_id])
    uploads.add(session, file, data, limit=2**40)
    return _answer(
        session,
        "InitializeAnnotationBlocksDownload",
        {"FileContinuationToken": file.id, "FileSizeInBytes": len(data), "FileName": file.name},
    )


def begin_file_upload(session: Session, call: Call) -> Response:
    table, target = _target(session, call)
    _file_column(call, table)
    row = _existing(session, table, target)
    owner = f"{table.logical_name}/{row[table.primary_id]}/{call.parameters['FileAttributeName']}"
    file = uploads.begin(session, str(call.parameters.get("FileName", "")), "", owner)
    return _answer(session, "InitializeFileBlocksUpload", {"FileContinuationToken": file.id})


def commit_file_upload(session: Session, call: Call) -> Response:
    file = uploads.find(session, _token(call))
    owner = session.tx.execute("SELECT owner FROM _file WHERE id = ?", (file.id,)).fetchone()[0]
    parts = str(owner).split("/")
    if len(parts) != 3:
        raise bad_request("The file continuation token is of another upload.")
    table = session.table(parts[0])
    row = fetch_row(session, table, parts[1])
    if row is None:
        raise not_found(*parts[:2])
    uploads.arrange(session, file, _labels(call))
    name, mime = call.parameters.get("FileName") or file.name, call.parameters.get("MimeType") or file.mime
    session.tx.execute("UPDATE _file SET name = ?, mime = ?, owner = ? WHERE id = ?", (name, mime, parts[1], file.id))
    modify(session, table, row, {parts[2]: file.id})
    if row.get(parts[2]):
        uploads.discard(session, row[parts[2]])
    size = uploads.find(session, file.id).size
    return _answer(session, "CommitFileBlocksUpload", {"FileId": file.id, "FileSizeInBytes": size})


def begin_file_download(session: Session, call: Call) -> Response:
    table, target = _target(session, call)
    column = _file_column(call, table)
    row = _existing(session, table, target)
    session.security.authorise(session, table, "read", row)
    file_id = row.get(column.name)
    if file_id is None:
        raise DataverseError(404, "0x80040217", f"No file attachment found for attribute: {column.name}.")
    file = uploads.find(session, file_id)
    return _answer(
        session,
        "InitializeFileBlocksDownload",
        {
            "FileContinuationToken": file.id, "FileSizeInBytes": file.size, "FileName": file.name,
            "IsChunkingSupported": True,
        },
    )  # fmt: skip


def upload_block(session: Session, call: Call) -> Response:
    label, data = call.parameters.get("BlockId"), call.parameters.get("BlockData")
    if not isinstance(label, str) or not isinstance(data, str):
        raise bad_request("'BlockId' and 'BlockData' must be base64 texts.")
    try:
        block = base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        raise bad_request("'BlockData' must be base64 text.") from None
    if len(block) > uploads.CHUNK:
        raise bad_request(f"A block may have up to {uploads.CHUNK} bytes.")
    uploads.add(session, uploads.find(session, _token(call)), block, limit=128 * 1024 * 1024, label=label)
    return no_content()


def download_block(session: Session, call: Call) -> Response:
    offset, length = call.parameters.get("Offset"), call.parameters.get("BlockLength")
    if not isinstance(offset, int) or not isinstance(length, int) or offset < 0 or not 0 < length <= uploads.CHUNK:
        raise bad_request(f"'Offset' must not be negative and 'BlockLength' must be 1 to {uploads.CHUNK}.")
    file = uploads.find(session, _token(call))
    data = uploads.content(session, file.id)[offset : offset + length]
    return _answer(session, "DownloadBlock", {"Data": base64.b64encode(data).decode()})
