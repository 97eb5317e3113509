"""What the bot answered to one delivery, and the record of every exchange."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for which something is waited for: on a slow machine, too, only a fault takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One request to the bot, kept so that it can be sent again."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bot's HTTP answer. `error` is what the platform would tell the person instead of it: "operation_timeout"
    after the deadline, "dispatch_failed" for another status than 200, "invalid_response" for a body out of contract."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    error: str = ""
    delivery: Delivery | None = None
    problems: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        """The parsed body; None when there is none or it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One line of the wire drawer; bodies are parsed JSON where they are JSON. Secrets never get in.

    `at` is when it began, seconds since 1970.
    """

    at: float
    direction: str
    label: str
    status: int
    seconds: float
    request: Any
    answer: Any


class Wire:
    """The last exchanges, newest last, and who wants to hear of them."""

    def __init__(self, size: int = 300) -> None:
        self.exchanges: deque[Exchange] = deque(maxlen=size)
        self.count = 0

    def record(self, direction: str, label: str, status: int, seconds: float, request: Any, answer: Any) -> None:
        self.count += 1
        self.exchanges.append(
            Exchange(
                at=time.time() - seconds,
                direction=direction,
                label=label,
                status=status,
                seconds=round(seconds, 4),
                request=request,
                answer=answer,
            )
        )


async def deliver(session: aiohttp.ClientSession, delivery: Delivery, deadline: float) -> Answer:
    """POST to the bot and wait `deadline` seconds, as the platform does: afterwards nobody listens."""
    started = time.perf_counter()
    try:
        async with session.post(
            delivery.url,
            data=delivery.body,
            headers=delivery.headers,
            timeout=aiohttp.ClientTimeout(total=deadline),
            allow_redirects=False,
        ) as response:
            body = await response.read()
            return Answer(
                status=response.status,
                headers=dict(response.headers),
                body=body,
                seconds=time.perf_counter() - started,
                error="" if response.status < 300 else "dispatch_failed",
                delivery=delivery,
            )
    except TimeoutError:
        return Answer(status=0, seconds=time.perf_counter() - started, error="operation_timeout", delivery=delivery)
    except aiohttp.ClientError:
        return Answer(status=0, seconds=time.perf_counter() - started, error="connection_failed", delivery=delivery)


async def until(probe: Callable[[], T | None] | Callable[[], Awaitable[T | None]], deadline: float = PATIENCE) -> T:
    """Poll until `probe` gives something true; TimeoutError after `deadline` seconds."""
    ends = time.monotonic() + deadline
    while True:
        found = probe()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > ends:
            raise TimeoutError(f"nothing within {deadline} s")
        await asyncio.sleep(0.01)
