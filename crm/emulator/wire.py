"""Requests and answers as the handlers see them: no sockets, so a part of a batch is like any other."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import unquote, unquote_plus

import orjson

from .errors import bad_payload, bad_request

API = "/api/data/v9.2"
_OPEN, _CLOSE = "([{", ")]}"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What the name of a header is made of (RFC 9110)."""


def sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, if they can be sent as they are. Raises: ValueError."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not value.isprintable():
            raise ValueError(f"'{name}' cannot be sent as a header")
    return dict(headers)


@dataclass(frozen=True, slots=True)
class Segment:
    """One path segment: `accounts(…)` has the name `accounts` and the text between its brackets, else None."""

    name: str
    args: str | None = None

    def __str__(self) -> str:
        return self.name if self.args is None else f"{self.name}({self.args})"


@dataclass(frozen=True, slots=True)
class Prefer:
    """The preferences of one request."""

    annotations: str = ""
    max_page_size: int | None = None
    representation: bool = False
    track_changes: bool = False
    continue_on_error: bool = False

    def annotates(self, name: str) -> bool:
        """Whether `odata.include-annotations` asks for this annotation (a comma list; `*` and `prefix.*` match)."""
        if not self.annotations:
            return False
        for pattern in map(str.strip, self.annotations.split(",")):
            if pattern == "*" or pattern == name or (pattern.endswith("*") and name.startswith(pattern[:-1])):
                return True
        return False

    @property
    def formatted(self) -> bool:
        return self.annotates("OData.Community.Display.V1.FormattedValue")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One OData request, alone or a part of a batch.

    `path` is what follows the service root, still percent-encoded; `query` maps option names to decoded text;
    header names are lower case; `base` is the absolute service root that links are built on.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = "http://localhost" + API
    references: Mapping[str, str] = field(default_factory=dict)
    """Content-ID -> URL of what an earlier part of the same change set created."""

    @cached_property
    def segments(self) -> list[Segment]:
        return parse_path(self.path)

    @cached_property
    def prefer(self) -> Prefer:
        return parse_prefer(self.headers.get("prefer", ""))

    def json(self) -> Any:
        """The body as JSON.

        Raises: DataverseError 400 when it is none.
        """
        if not self.body.strip():
            raise bad_payload("A request body is required: a JSON object was expected and nothing was sent.")
        try:
            return orjson.loads(self.body)
        except ValueError as error:
            raise bad_payload(
                f"An error has occurred while reading the request body: it is not valid JSON ({error})."
            ) from None

    def record(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises: DataverseError 400.
        """
        document = self.json()
        if not isinstance(document, dict):
            raise bad_payload("A JSON object was expected in the request body.")
        return document

    def to(self, path: str, **changes: Any) -> "Request":
        """The same request for another path."""
        return replace(self, path=path, **changes)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Header names keep their case: clients of Microsoft look for `OData-EntityId` exactly."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


JSON_TYPE = "application/json; odata.metadata=minimal"


def json_response(
    document: Any, status: int = 200, headers: Sequence[tuple[str, str]] = (), *, annotations: str = ""
) -> Response:
    """A JSON answer; `annotations` is echoed in Preference-Applied as Dataverse does."""
    applied = [("Preference-Applied", f'odata.include-annotations="{annotations}"')] if annotations else []
    return Response(status, orjson.dumps(document), [("Content-Type", JSON_TYPE), *applied, *headers])


def no_content(headers: Sequence[tuple[str, str]] = ()) -> Response:
    return Response(204, b"", headers)


def created_headers(url: str) -> list[tuple[str, str]]:
    return [("OData-EntityId", url), ("Location", url)]


def split_outside(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside quotes and brackets; a doubled quote stays inside its literal."""
    parts: list[str] = []
    depth, quoted, start = 0, "", 0
    for index, char in enumerate(text):
        if quoted:
            quoted = "" if char == quoted else quoted
        elif char in "'\"":
            quoted = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth = max(0, depth - 1)
        elif char == separator and not depth:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return parts


def parse_path(path: str) -> list[Segment]:
    """`accounts(guid)/name` -> segments, percent-decoded.

    Raises: DataverseError 400 for brackets that do not match.
    """
    segments = []
    for part in split_outside(path.strip("/"), "/"):
        text = unquote(part)
        opening = text.find("(")
        if opening < 0:
            segments.append(Segment(text))
        elif text.endswith(")"):
            segments.append(Segment(text[:opening], text[opening + 1 : -1]))
        else:
            raise bad_request(f"Bad Request - Error in query syntax: '{text}'.")
    return [segment for segment in segments if segment.name or segment.args is not None]


def parse_query(text: str) -> dict[str, str]:
    """The query string: names and values decoded, `+` is a space, the last of two equal names is an error.

    Raises: DataverseError 400.
    """
    query: dict[str, str] = {}
    for part in text.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        if name in query:
            raise bad_request(
                f"Query option '{name}' was specified more than once, but it must be specified at most once."
            )
        query[name] = unquote_plus(value)
    return query


def parse_prefer(text: str) -> Prefer:
    """`return=representation,odata.maxpagesize=5,odata.include-annotations="*"` in any order."""
    values: dict[str, Any] = {}
    for part in split_outside(text, ","):
        name, _, value = part.strip().partition("=")
        value = value.strip().strip('"')
        match name.strip().lower():
            case "odata.include-annotations":
                values["annotations"] = value
            case "odata.maxpagesize":
                if not value.isascii() or not value.isdigit() or int(value) < 1 or len(value) > 9:
                    raise bad_request(f"The odata.maxpagesize preference must be a positive number, not '{value}'.")
                values["max_page_size"] = int(value)
            case "return":
                values["representation"] = value.lower() == "representation"
            case "odata.track-changes":
                values["track_changes"] = True
            case "odata.continue-on-error":
                values["continue_on_error"] = value.lower() != "false"
            case _:
                pass  # an unknown preference is ignored (RFC 7240, section 2)
    return Prefer(**values)


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """`a=1,b='x'` -> (name, literal text) pairs; a part without `=` gives ("", part)."""
    for part in split_outside(text, ","):
        sides = split_outside(part, "=")
        if len(sides) == 1:
            yield "", part.strip()
        else:
            yield sides[0].strip(), "=".join(sides[1:]).strip()
