"""What the Web API was asked lately: people look at it, tests count round trips with it."""

import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web
from aiohttp.typedefs import Handler

from .roles import token_claim

KEPT = 5000
_LONGEST = 2000
INJECTED: web.RequestKey[bool] = web.RequestKey("injected", bool)
"""Set on a request that a fault or a limit answered, or whose connection a fault ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One HTTP request; a `$batch` is one, whatever it holds.

    Attributes:
        at: when it arrived, seconds since 1970; ms: how long its answer took.
        path, query: decoded, cut after 2000 characters.
        caller: the person acted for (CallerObjectId, MSCRMCallerID or the token's `oid`); empty for the application.
        status: None where the connection ended without an answer.
        injected: a fault or a limit interfered.
    """

    at: float
    method: str
    path: str
    query: str
    caller: str
    status: int | None
    ms: float
    injected: bool

    @property
    def line(self) -> str:
        """`GET /api/data/v9.2/accounts?$top=1`: what patterns are searched in."""
        return f"{self.method} {self.path}{'?' if self.query else ''}{self.query}"

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def is_api(request: web.BaseRequest) -> bool:
    return request.path.lower().startswith("/api/data")


def request_line(request: web.BaseRequest) -> str:
    """What patterns are searched in: see `Entry.line`."""
    query = _query(request)
    return f"{request.method} {request.path}{'?' if query else ''}{query}"


def _query(request: web.BaseRequest) -> str:
    return unquote_plus(request.raw_path.partition("?")[2])


def _shown(sent: str) -> str:
    """Text that can be stored and shown, whatever bytes were sent."""
    return sent[:_LONGEST].encode("utf-8", "replace").decode()


def person(headers: Mapping[str, str]) -> str:
    """The person whom a request acts for, as it names them; empty when it names nobody."""
    named = headers.get("CallerObjectId") or headers.get("MSCRMCallerID")
    return named or token_claim(headers.get("Authorization", ""), "oid")


class RequestLog:
    """The newest requests to the Web API, and how many there were since the last `clear`."""

    def __init__(self) -> None:
        self.total = 0
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    @property
    def entries(self) -> list[Entry]:
        """The newest requests, oldest first."""
        return list(self._entries)

    def matching(self, pattern: str) -> list[Entry]:
        """The kept requests in whose `line` the regular expression is found. Raises: re.error."""
        found = re.compile(pattern)
        return [entry for entry in self._entries if found.search(entry.line)]

    def count(self, pattern: str = "") -> int:
        """How many requests since the last `clear`; with a pattern, how many of those kept match it."""
        return len(self.matching(pattern)) if pattern else self.total

    def clear(self) -> None:
        self.total = 0
        self._entries.clear()

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note every request to the Web API with what came of it."""
        if not is_api(request):
            return await handler(request)
        at, started = time.time(), time.perf_counter()
        status: int | None = None
        try:
            response = await handler(request)
            status = response.status
        finally:
            gone = request.transport is None or request.transport.is_closing()
            entry = Entry(
                at=at,
                method=request.method,
                path=_shown(request.path),
                query=_shown(_query(request)),
                caller=_shown(person(request.headers)),
                status=None if gone else status,
                ms=round((time.perf_counter() - started) * 1000, 3),
                injected=request.get(INJECTED, False),
            )
            self.total += 1
            self._entries.append(entry)
        return response
