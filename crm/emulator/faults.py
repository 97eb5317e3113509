"""Trouble on demand: the next requests fail, wait or lose their connection, as Dataverse's clients must survive it.

Statuses of codes: learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors.
"""

import asyncio
import base64
import random
import re
from typing import Literal, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from . import errors, protection
from .errors import DataverseError
from .requestlog import INJECTED, is_api, request_line
from .security import challenge
from .wire import sendable

_TYPICAL = {
    errors.NOT_AUTHENTICATED: (401, "The request is not authenticated."),
    errors.NOT_A_MEMBER: (403, "The user is not a member of the organization."),
    errors.PRIVILEGE_DENIED: (403, "Principal user is missing a privilege."),
    errors.DOES_NOT_EXIST: (404, "The record does not exist."),
    errors.KEY_NOT_FOUND: (404, "A record with the specified key values does not exist."),
    errors.DUPLICATE_RECORD: (412, "A record with matching key values already exists."),
    errors.DUPLICATE_KEY: (412, "A record that has the same values for the alternate key already exists."),
    errors.VERSION_MISMATCH: (
        412,
        "The version of the existing record doesn't match the RowVersion property provided.",
    ),
    errors.TOO_LARGE: (413, "The request is too large."),
    **{
        code: (429, protection.words(code, protection.Limits()))
        for code in (protection.REQUESTS, protection.EXECUTION, protection.CONCURRENT)
    },
    errors.DUPLICATES_FOUND: (
        500,
        "A record was not created or updated because a duplicate of the current record already exists.",
    ),
    errors.UNEXPECTED: (500, "An unexpected error occurred."),
    "0x80072324": (503, "The number of requests that wait for the database is too large. Try again later."),
    "0x80044151": (500, "SQL timeout expired."),
    "0x80040265": (400, "ISV code aborted the operation."),
}
"""Code -> the status it comes with, and words."""
_USUAL = {
    401: errors.NOT_AUTHENTICATED, 403: errors.PRIVILEGE_DENIED, 404: errors.DOES_NOT_EXIST,
    412: errors.VERSION_MISMATCH, 413: errors.TOO_LARGE, 429: protection.REQUESTS, 500: errors.UNEXPECTED,
}  # fmt: skip
"""Status -> the code that it usually comes with; others come with none."""


class Fault(BaseModel):
    """What happens to the next `count` requests that match.

    A fault with only `delay` lets the request through, late.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=1, ge=1)
    chance: float = Field(default=1, gt=0, le=1)
    """The share of the matching requests that it hits, by chance: several such faults make a storm."""
    match: str = ""
    """A regular expression searched in `POST /api/data/v9.2/accounts?…` (decoded); empty for every request."""
    status: int | None = Field(default=None, ge=200, le=599)
    """Left out: what the code comes with. Below 400 only with a `body`."""
    code: str | None = Field(default=None, pattern=r"^(0x[0-9a-fA-F]{8})?$")
    """Left out: what the status is usual for, or an empty one."""
    message: str | None = None
    retry_after: int | None = Field(default=None, ge=0)
    """Seconds. A 429 always says something: 1 where this is left out."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Further headers of the answer; they stand before those of the same name that it would have."""
    body: str | None = None
    """The whole body, instead of Dataverse's error: what a proxy or another server would send."""
    content_type: str = "text/html"
    """Of `body`."""
    commit: bool = False
    """Run the request first, and give this answer instead of its own."""
    claims: str | None = None
    """A claims challenge (JSON) in the `WWW-Authenticate` header of a 401."""
    delay: float = Field(default=0, ge=0, le=600)
    """Seconds before anything happens."""
    drop: Literal["before", "after", "during"] | None = None
    """End the connection without an answer: before the request is run, or after its commit; or in the middle of the
    answer, after the commit."""

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        return sendable(headers)

    @field_validator("content_type")
    @classmethod
    def _is_a_header(cls, content_type: str) -> str:
        return sendable({"Content-Type": content_type})["Content-Type"]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        try:
            re.compile(self.match)
        except re.error as error:
            raise ValueError(f"match is no regular expression: {error}") from None
        answers = self.status is not None or bool(self.code)
        if self.body is not None and (self.status is None or self.code or self.message):
            raise ValueError("a body goes with a status, and without code and message")
        if self.status is not None and self.status < 400 and self.body is None:
            raise ValueError("an answer below 400 needs a body (it may be empty)")
        if self.drop and answers:
            raise ValueError("give either drop or an answer (status, code), not both")
        if not (self.drop or answers or self.delay):
            raise ValueError("say what should happen: status, code, delay or drop")
        if self.code and self.status is None and self.code.lower() not in _TYPICAL:
            raise ValueError("give a status too: this code has no usual one")
        if (self.headers or self.commit) and not answers:
            raise ValueError("headers and commit go with an answer (status, code)")
        if self.claims is not None and self.error("").status != 401:
            raise ValueError("claims belong to a 401")
        return self

    def error(self, host: str) -> DataverseError:
        """The answer, for an organisation at this host."""
        code = _USUAL.get(self.status or 0, "") if self.code is None else self.code.lower()
        usual, words = _TYPICAL.get(code, (0, f"The request failed with status {self.status}."))
        status = self.status or usual
        headers: dict[str, str] = {}
        wait = 1 if status == 429 and self.retry_after is None else self.retry_after
        if wait is not None:
            headers["Retry-After"] = str(wait)
        if status == 401:
            headers["WWW-Authenticate"] = challenge(host)
            if self.claims is not None:
                encoded = base64.urlsafe_b64encode(self.claims.encode()).decode()
                headers["WWW-Authenticate"] += f', error="insufficient_claims", claims="{encoded}"'
        return DataverseError(
            status, code, words if self.message is None else self.message, {**headers, **self.headers}
        )

    def answer(self, host: str) -> web.Response:
        """The answer with a body of its own. Raises: DataverseError where Dataverse's error is the answer."""
        if self.body is None:
            raise self.error(host)
        kind = {} if self.status == 204 else {"Content-Type": self.content_type}
        return web.Response(status=self.status or 200, body=self.body.encode(), headers={**kind, **self.headers})


class Faults:
    """The faults that wait for their requests, in the order in which they were given."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, int]] = []

    @property
    def waiting(self) -> list[tuple[Fault, int]]:
        """Each fault with how many more requests it takes."""
        return list(self._waiting)

    def add(self, fault: Fault) -> None:
        self._waiting.append((fault, fault.count))

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, line: str) -> Fault | None:
        """The first fault for a request, used up once."""
        for index, (fault, left) in enumerate(self._waiting):
            if re.search(fault.match, line) and (fault.chance == 1 or random.random() < fault.chance):  # noqa: S311
                self._waiting[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None

    @web.middleware
    async def inject(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a waiting fault have its request."""
        fault = self.take(request_line(request)) if self._waiting and is_api(request) else None
        if fault is None:
            return await handler(request)
        await asyncio.sleep(fault.delay)
        if not (fault.drop or fault.status or fault.code):
            return await handler(request)
        request[INJECTED] = True
        ran = await handler(request) if fault.commit or fault.drop in {"after", "during"} else web.Response()
        if fault.drop is None:
            return fault.answer(request.host)
        if fault.drop == "during" and isinstance(ran, web.Response):
            ran = await _half(request, ran)
        if request.transport is not None:
            request.transport.close() if fault.drop == "during" else request.transport.abort()
        return ran


async def _half(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Begin an answer that promises more than comes."""
    body = whole.body if isinstance(whole.body, bytes) else b""
    half = web.StreamResponse(status=whole.status, headers=whole.headers)
    half.content_length = len(body) + 1
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    return half
