"""File and image columns: `PATCH set(id)/column` with bytes, whole or in pieces, and downloads with ranges.

Shapes: learn.microsoft.com/power-apps/developer/data-platform/file-attributes, and what Microsoft's Python SDK sends.
"""

import base64
import re
from urllib.parse import quote as encode
from urllib.parse import unquote

from . import uploads
from .catalog import Column, Table
from .errors import DataverseError, bad_request, no_segment
from .fetching import get_row
from .session import Session
from .wire import Request, Response, json_response, no_content
from .write import fetch_row, modify

DEFAULT_LIMIT_KB = 32768
TOKEN = "FileContinuationToken"  # noqa: S105 - the name of a query option


def answer_file(
    session: Session, table: Table, row_id: str, column: Column, tail: list[str], request: Request
) -> Response:
    """Answer a request on a file or image column.

    Raises: DataverseError 400, 404, 405.
    """
    if tail not in ([], ["$value"]):
        raise no_segment(tail[0])
    match request.method:
        case "GET":
            return _download(session, table, row_id, column, request, raw=bool(tail))
        case "PATCH" | "PUT":
            return _upload(session, table, row_id, column, request)
        case "DELETE":
            _put(session, table, row_id, column, None)
            return no_content()
        case _:
            raise DataverseError(405, "0x80060888", f"A file column does not support http method '{request.method}'.")


def _upload(session: Session, table: Table, row_id: str, column: Column, request: Request) -> Response:
    limit = (column.max_size_kb or DEFAULT_LIMIT_KB) * 1024
    if TOKEN in request.query:
        return _upload_piece(session, table, row_id, column, request, limit)
    name = unquote(request.headers.get("x-ms-file-name") or request.query.get("x-ms-file-name") or "")
    if not name:
        raise bad_request("A file upload needs its name in the header x-ms-file-name.")
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        kind = ""
    file = uploads.begin(session, name, kind, row_id)
    if request.headers.get("x-ms-transfer-mode", "").lower() == "chunked":
        url = f"{session.url(table, row_id)}/{column.name}?{TOKEN}={file.id}"
        return Response(
            200, b"", [("Location", url), ("x-ms-chunk-size", str(uploads.CHUNK)), ("Accept-Ranges", "bytes")]
        )
    uploads.add(session, file, request.body, limit=limit)
    _put(session, table, row_id, column, file.id)
    return no_content()


def _upload_piece(
    session: Session, table: Table, row_id: str, column: Column, request: Request, limit: int
) -> Response:
    file = uploads.find(session, request.query[TOKEN])
    match = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", request.headers.get("content-range", ""))
    if match is None:
        raise bad_request("A piece of a file needs the header Content-Range: bytes first-last/total.")
    first, last, total = (int(text) for text in match.groups())
    if first != file.size or last - first + 1 != len(request.body) or last >= total:
        raise bad_request(f"The piece {match[0]} does not follow the {file.size} bytes that were received.")
    file = uploads.add(session, file, request.body, limit=limit)
    if file.size < total:
        return Response(206)
    _put(session, table, row_id, column, file.id)
    return no_content()


def _put(session: Session, table: Table, row_id: str, column: Column, file_id: str | None) -> None:
    row = fetch_row(session, table, row_id) or {}
    values = {column.name: file_id}
    if f"{column.name}_name" in table.columns:
        values[f"{column.name}_name"] = uploads.find(session, file_id).name if file_id else None
    modify(session, table, row, values)
    if row.get(column.name):
        uploads.discard(session, row[column.name])


def _download(session: Session, table: Table, row_id: str, column: Column, request: Request, *, raw: bool) -> Response:
    file_id = get_row(session, table, row_id, [column.name])[column.name]
    if file_id is None:
        if raw:
            raise DataverseError(404, "0x80040217", f"No file attachment found for attribute: {column.name}.")
        return no_content()
    file = uploads.find(session, file_id)
    data = uploads.content(session, file_id)
    if not raw and not request.headers.get("range"):
        context = session.context(f"{table.entity_set}({row_id})/{column.name}")
        return json_response({"@odata.context": context, "value": base64.b64encode(data).decode()})
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", f"attachment; filename*=UTF-8''{encode(file.name)}"),
        ("x-ms-file-name", encode(file.name, safe=" !#$&'()+,;=@[]{}~.-_")),
        ("x-ms-file-size", str(file.size)),
        ("Accept-Ranges", "bytes"),
    ]
    match = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})", request.headers.get("range", ""))
    if match is None:
        return Response(200, data, headers)
    first, last = int(match[1]), min(int(match[2] or file.size), file.size - 1)
    if first > last:
        raise DataverseError(
            416, "0x80040203", "The range lies outside the file.", {"Content-Range": f"bytes */{file.size}"}
        )
    headers.append(("Content-Range", f"bytes {first}-{last}/{file.size}"))
    return Response(206, data[first : last + 1], headers)
