"""`$batch`: many requests in one, change sets that succeed or fail as a whole.

Shapes: learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote as encode

from .errors import INVALID_ARGUMENT, DataverseError, bad_request
from .wire import API, Request, Response, parse_prefer, parse_query

if TYPE_CHECKING:
    from .service import Service

MAX_PARTS = 1000
_INHERITED = ("authorization", "host", "callerobjectid", "mscrmcallerid", "x-forwarded-proto")
_SERVICE_PATH = re.compile(r"(?:https?://[^/]+)?/?api/data/v9\.\d/?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch, and its Content-ID."""

    request: Request
    content_id: str | None = None


ChangeSet = list[Part]


def malformed(detail: str) -> DataverseError:
    return DataverseError(400, INVALID_ARGUMENT, f"The batch request is malformed: {detail}")


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart content type.

    Raises: DataverseError 400.
    """
    match = re.search(r'boundary=(?:"([^"]+)"|([^;\s]+))', content_type, re.IGNORECASE)
    if not content_type.lower().startswith("multipart/mixed") or match is None:
        raise malformed("its Content-Type must be multipart/mixed with a boundary.")
    return match[1] or match[2]


def split_parts(body: bytes, boundary: str) -> list[tuple[dict[str, str], bytes]]:
    """The MIME parts: lower-case headers and content.

    Raises: DataverseError 400.
    """
    text = b"\r\n" + body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    delimiter = b"\r\n--" + boundary.encode()
    chunks = text.split(delimiter)
    if len(chunks) < 2 or not any(chunk.startswith(b"--") for chunk in chunks[1:]):
        raise malformed(f"no closing boundary '--{boundary}--' was found.")
    parts = []
    for chunk in chunks[1:]:
        if chunk.startswith(b"--"):
            break
        headers, content = split_head(chunk.lstrip(b" \t").removeprefix(b"\r\n"))
        parts.append((headers, content))
    return parts


def split_head(text: bytes) -> tuple[dict[str, str], bytes]:
    """Headers (names in lower case) and what follows the empty line."""
    head, _, content = text.partition(b"\r\n\r\n") if not text.startswith(b"\r\n") else (b"", b"", text[2:])
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        if not line.strip():
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise malformed("a header line has no colon.")
        key = name.decode("latin-1").strip().lower()
        value_text = value.decode("utf-8", "replace").strip()
        headers[key] = f"{headers[key]},{value_text}" if key in headers else value_text
    return headers, content


def parse_http(content: bytes, outer: Request) -> Request:
    """An `application/http` part. The request line may hold raw spaces: it ends at the last ` HTTP/1.1`.

    Raises: DataverseError 400.
    """
    line, _, rest = content.lstrip(b"\r\n").partition(b"\r\n")
    match = re.fullmatch(r"([A-Za-z]+) +(\S.*?) +HTTP/1\.[01]", line.decode("utf-8", "replace").strip())
    if match is None:
        raise malformed(f"'{line[:100].decode('utf-8', 'replace')}' is no request line.")
    headers, body = split_head(rest)
    if body.endswith(b"\r\n"):
        body = body[:-2]
    url, _, query = match[2].partition("?")
    path = _SERVICE_PATH.sub("", url, count=1) if _SERVICE_PATH.match(url) else url.lstrip("/")
    if url.lower().startswith("http") and not _SERVICE_PATH.match(url):
        raise malformed(f"the URL '{url[:200]}' does not lead to {API}.")
    inherited = {name: outer.headers[name] for name in _INHERITED if name in outer.headers}
    return Request(
        method=match[1].upper(),
        path=encode(path, safe="/()=',$%:@[]!*\"~.-_+;&{}"),
        query=parse_query(query),
        headers={**inherited, **headers},
        body=body,
        base=outer.base,
    )


def parse_batch(request: Request) -> list[Part | ChangeSet]:
    """Raises: DataverseError 400."""
    found: list[Part | ChangeSet] = []
    total = 0
    for headers, content in split_parts(request.body, boundary_of(request.headers.get("content-type", ""))):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            inner = split_parts(content, boundary_of(kind))
            change_set = [Part(_change(parse_http(body, request)), part.get("content-id")) for part, body in inner]
            ids = [part.content_id for part in change_set]
            if None in ids or len(set(ids)) != len(ids):
                raise malformed("each part of a change set needs a Content-ID of its own.")
            found.append(change_set)
            total += len(change_set)
        elif kind.lower().startswith("application/http"):
            found.append(Part(parse_http(content, request), headers.get("content-id")))
            total += 1
        else:
            raise malformed(f"a part has the Content-Type '{kind}'; application/http or multipart/mixed was expected.")
    if total > MAX_PARTS:
        raise DataverseError(
            400, INVALID_ARGUMENT, f"A batch may hold up to {MAX_PARTS} requests; this one holds {total}."
        )
    return found


def _change(request: Request) -> Request:
    if request.method == "GET":
        raise malformed("a change set cannot hold GET requests.")
    return request


def resolve(part: Part, references: Mapping[str, str], base: str) -> Request:
    """The part with `$n` in its URL replaced by what part n created.

    Raises: DataverseError 400 for a reference to nothing.
    """
    request = replace(part.request, references=references)
    match = re.match(r"\$(\w+)(?=/|$)", request.path)
    if match and match[1] not in {"batch", "metadata", "count", "ref"}:
        if match[1] not in references:
            raise bad_request(f"Content-ID Reference: '${match[1]}' does not exist in the batch context.")
        request = request.to(references[match[1]].removeprefix(f"{base}/") + request.path[match.end() :])
    return request


async def run_batch(service: "Service", request: Request) -> Response:
    """Run a batch in order; stop at the first error unless `odata.continue-on-error` is preferred.

    Raises: DataverseError 400 when the batch itself cannot be read.
    """
    if request.method != "POST":
        raise DataverseError(
            405, "0x80060888", f"The requested resource does not support http method '{request.method}'."
        )
    parts = parse_batch(request)
    go_on = parse_prefer(request.headers.get("prefer", "")).continue_on_error
    boundary = f"batchresponse_{uuid.uuid4()}"
    out: list[bytes] = []
    status = 200
    for part in parts:
        if isinstance(part, Part):
            response = await _run_single(service, part)
            out.append(_http_part(response, part.content_id))
            failed = response if response.status >= 400 else None
        else:
            responses, failed = await service.handle_change_set(part)
            out.append(_http_part(failed, None) if failed else _change_set_part(part, responses))
        if failed is not None and not go_on:
            status = failed.status
            break
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part for part in out) + f"--{boundary}--\r\n".encode()
    return Response(status, body, [("Content-Type", f'multipart/mixed; boundary="{boundary}"')])


async def _run_single(service: "Service", part: Part) -> Response:
    if part.request.path.strip("/").startswith("$batch"):
        return service.error(bad_request("A batch cannot hold another batch.", INVALID_ARGUMENT))
    try:
        return await service.handle(resolve(part, {}, part.request.base))
    except DataverseError as error:
        return service.error(error)


_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 412: "Precondition Failed",
    413: "Payload Too Large", 429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented",
    503: "Service Unavailable",
}  # fmt: skip


def _http_part(response: Response, content_id: str | None) -> bytes:
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        head.append(f"Content-ID: {content_id}")
    reason = _REASONS.get(response.status, "Unknown")
    inner = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in response.headers)]
    inner.append("OData-Version: 4.0")
    text = "\r\n".join(head) + "\r\n\r\n" + "\r\n".join(inner) + "\r\n\r\n"
    return text.encode() + response.body + b"\r\n"


def _change_set_part(parts: ChangeSet, responses: list[Response]) -> bytes:
    boundary = f"changesetresponse_{uuid.uuid4()}"
    body = b"".join(
        b"--" + boundary.encode() + b"\r\n" + _http_part(response, part.content_id)
        for part, response in zip(parts, responses, strict=True)
    )
    return (
        f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'.encode() + body + f"--{boundary}--\r\n".encode()
    )
