"""Service protection limits: how much one user may ask of Dataverse in five minutes, and at once.

Source: learn.microsoft.com/power-apps/developer/data-platform/api-limits. A `$batch` is one request, and its time
counts like any other's. Requests are counted for whoever signed in, also when they act for others.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field

from .errors import DataverseError
from .requestlog import INJECTED, is_api
from .roles import token_claim

REQUESTS: Final = "0x80072322"
EXECUTION: Final = "0x80072321"
CONCURRENT: Final = "0x80072326"


class Limits(BaseModel):
    """Per user; the defaults are Dataverse's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: int = Field(default=6000, ge=1)
    """In one window."""
    execution_seconds: float = Field(default=1200, gt=0)
    """Of all requests in one window together."""
    concurrent: int = Field(default=52, ge=2)
    """So many at once are too many."""
    window_seconds: int = Field(default=300, ge=1)


def words(code: str, limits: Limits) -> str:
    """What Dataverse says with each of the three codes."""
    over = f"over time window of {limits.window_seconds} seconds."
    if code == CONCURRENT:
        return f"Number of concurrent requests exceeded the limit of {limits.concurrent}."
    if code == REQUESTS:
        return f"Number of requests exceeded the limit of {limits.requests} {over}"
    return (
        f"Combined execution time of incoming requests exceeded limit of {round(limits.execution_seconds * 1000):,} "
        f"milliseconds {over} Decrease number of concurrent requests or reduce the duration of requests and try again "
        "later."
    )


class _Usage:
    """What one user asked for in the window, counted by the second."""

    def __init__(self) -> None:
        self.running = 0
        self.count = 0
        self.seconds = 0.0
        self._parts: deque[tuple[int, int, float]] = deque()
        """(second, requests, their execution in seconds), oldest first."""

    def forget(self, before: float) -> None:
        while self._parts and self._parts[0][0] <= before:
            _, count, seconds = self._parts.popleft()
            self.count -= count
            self.seconds = self.seconds - seconds if self._parts else 0.0

    def add(self, now: float, count: int, seconds: float) -> None:
        second = int(now)
        if self._parts and self._parts[-1][0] == second:
            _, held, spent = self._parts.pop()
            self._parts.append((second, held + count, spent + seconds))
        else:
            self._parts.append((second, count, seconds))
        self.count += count
        self.seconds += seconds

    def wait(self, now: float, limits: Limits) -> int:
        """Seconds until both sums are below their limits if nothing more is asked."""
        count, seconds, ends = self.count, self.seconds, now
        for second, requests, spent in self._parts:
            if count < limits.requests and seconds < limits.execution_seconds:
                break
            count, seconds = count - requests, seconds - spent
            ends = float(second + limits.window_seconds)
        return max(1, math.ceil(ends - now))


class Protection:
    """The limits in force, and what each user has used of them.

    Attributes:
        limits: None switches them off.
    """

    def __init__(self, limits: Limits | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._usage: dict[str, _Usage] = {}

    def clear(self) -> None:
        """Forget what was used; requests that are running stay counted as running."""
        self._usage = {user: usage for user, usage in self._usage.items() if usage.running}
        for usage in self._usage.values():
            usage.forget(math.inf)

    def begin(self, user: str, limits: Limits) -> None:
        """Let a user's request in.

        A refused request counts too: whoever keeps sending waits longer.

        Raises: DataverseError 429.
        """
        now = self._clock()
        usage = self._usage.setdefault(user, _Usage())
        usage.forget(now - limits.window_seconds)
        code = ""
        if usage.running + 1 >= limits.concurrent:
            code, wait = CONCURRENT, 1
        elif usage.count >= limits.requests:
            code, wait = REQUESTS, usage.wait(now, limits)
        elif usage.seconds >= limits.execution_seconds:
            code, wait = EXECUTION, usage.wait(now, limits)
        usage.add(now, 1, 0)
        if code:
            raise DataverseError(429, code, words(code, limits), {"Retry-After": str(wait)})
        usage.running += 1

    def end(self, user: str, seconds: float) -> None:
        """A request that was let in is over, after so much execution."""
        usage = self._usage[user]
        usage.running -= 1
        usage.add(self._clock(), 0, seconds)

    @web.middleware
    async def limit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Hold requests to the Web API to the limits, and say in the answer's headers what is left."""
        limits = self.limits
        if limits is None or not is_api(request):
            return await handler(request)
        user = _account(request.headers)
        request[INJECTED] = True
        self.begin(user, limits)
        request[INJECTED] = False
        started = time.perf_counter()
        try:
            response = await handler(request)
        finally:
            self.end(user, time.perf_counter() - started)
        usage = self._usage[user]
        left = max(0, limits.requests - usage.count)
        time_left = max(0.0, limits.execution_seconds - usage.seconds)
        response.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] = str(left)
        response.headers["x-ms-ratelimit-time-remaining-xrm-requests"] = f"{time_left:.2f}"
        return response


def _account(headers: Mapping[str, str]) -> str:
    """Who signed in: by the token, where it says; one application for all tokens that say nothing."""
    token = headers.get("Authorization", "")
    return token_claim(token, "oid") or token_claim(token, "appid") or "application"
