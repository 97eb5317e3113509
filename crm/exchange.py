"""One call from start to end: turn, token, wire, retries, deadline, error."""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx

from .answers import bad_answer, error_from, is_web_page, parsed
from .auth import Application, Caller, Delegated, Impersonated, TokenAuth
from .errors import BadAnswer, CircuitOpen, CrmError, DeadlineExceeded, Throttled, Unavailable
from .limits import Breaker, Identity, Limits
from .telemetry import Trace
from .transport import FAILURES, Answer, Transport, failure, was_sent

log = logging.getLogger("crm")

_LONGEST_PAUSE = 900.0
"""Seconds. Dataverse's limits look back 300 s (Microsoft, "Service protection API limits"), so a longer wait is
somebody's mistake in between, and must not shut a person out for a day."""


@dataclass(slots=True, kw_only=True)
class Call:
    """A request to make, and what may be done when it fails."""

    method: str
    url: str
    """Absolute, encoded."""
    verb: str
    """What it is for, in metrics and spans: create, update, list, …"""
    table: str | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Sending it twice leaves the same state as sending it once."""
    writes: bool = False
    multipart: bool = False
    """A multipart answer is a success whatever its status: it says inside what failed."""
    empty: bool = False
    """Success is 204 without a body; anything else was said by somebody in between."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how fast; seconds."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 20.0

    def delay(self, attempt: int) -> float:
        """Exponential, with full jitter in its upper half."""
        step = min(self.first * 2.0 ** (attempt - 1), self.longest)
        return step * (0.5 + random.random() / 2)  # noqa: S311  spreads load, guards nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Sends calls of many callers to one organisation."""

    host: str
    transport: Transport
    auth: httpx.Auth | None
    limits: Limits
    breaker: Breaker
    retries: Retries

    def identity(self, caller: Caller) -> Identity:
        """Whom the caller's requests count for."""
        match caller:
            case Delegated():
                return Identity(caller.user)
            case Impersonated():
                return Identity(str(caller.object_id), "application")
            case Application():
                return Identity("application", "application")

    async def send(self, call: Call, caller: Caller, *, deadline: float) -> Answer:
        """The answer, if it is a success (2xx, or 304). `deadline`: seconds for everything, waiting included."""
        with Trace(call.verb, call.table) as trace:
            return await _Attempts(self, call, caller, monotonic() + deadline, trace).run()

    def json(self, answer: Answer, *, wrote: bool = False) -> Any:
        """The answer's JSON; None when it is empty. Raises BadAnswer; after a write the outcome is then unknown."""
        try:
            return parsed(answer, self.host)
        except BadAnswer as error:
            error.outcome_unknown = wrote
            raise


class _Attempts:
    """The attempts of one call."""

    def __init__(self, exchange: Exchange, call: Call, caller: Caller, ends: float, trace: Trace) -> None:
        self._exchange = exchange
        self._call = call
        self._ends = ends
        self._trace = trace
        self._identity = exchange.identity(caller)
        self._auth = caller.auth if isinstance(caller, Delegated) else exchange.auth
        self._headers = {**call.headers, "x-ms-client-request-id": str(uuid4())}
        if isinstance(caller, Impersonated):
            self._headers["CallerObjectId"] = str(caller.object_id)
        self._unknown = False
        """An earlier attempt, or the present one, may have been carried out."""
        self._on_the_wire = False
        """The present request is sent, and nothing has come back."""

    async def run(self) -> Answer:
        attempt = 0
        while True:
            attempt += 1
            earlier = self._unknown
            error = await self._attempt()
            if isinstance(error, Answer):
                self._trace.done(error, attempt)
                return error
            error.outcome_unknown = error.outcome_unknown or earlier
            self._unknown = error.outcome_unknown
            delay = self._delay(error, attempt)
            if delay is None or monotonic() + delay >= self._ends:
                self._trace.failed(error, attempt)
                raise error
            log.info("retrying %s %s: %s", self._call.verb, self._call.table, type(error).__name__)
            if isinstance(error, Throttled):
                continue  # the pause stands at the door
            await asyncio.sleep(delay)

    async def _attempt(self) -> Answer | CrmError:
        exchange = self._exchange
        self._on_the_wire = False
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._ends - monotonic()):
                exchange.breaker.check()
                return await self._authenticated()
        except TimeoutError:
            return DeadlineExceeded(
                f"{exchange.host} did not finish in time.", outcome_unknown=self._call.writes and self._on_the_wire
            )
        except CrmError as error:
            return error

    async def _authenticated(self) -> Answer | CrmError:
        """One attempt, in which a refused token is replaced once."""
        auth = self._auth
        if auth is not None and not isinstance(auth, TokenAuth):
            return await self._through(auth)
        headers = self._headers
        token = None
        if auth is not None:
            token = await auth.token()
            headers["Authorization"] = f"Bearer {token}"
        answer = await self._in_turn(headers)
        if not isinstance(answer, Answer) or answer.status != 401:
            return answer
        if auth is not None and token is not None:
            token = await auth.token_after(token, answer.headers.get("WWW-Authenticate", ""))
            headers["Authorization"] = f"Bearer {token}"
            answer = await self._in_turn(headers)
        return self._refused(answer) if isinstance(answer, Answer) and answer.status == 401 else answer

    async def _through(self, auth: httpx.Auth) -> Answer | CrmError:
        """One attempt with somebody else's auth, whose flow is shown refusals only."""
        call = self._call
        request = httpx.Request(call.method, call.url, headers=self._headers, content=call.body)
        flow = auth.async_auth_flow(request)
        try:
            request = await anext(flow)
            while True:
                answer = await self._in_turn(request.headers)
                if not isinstance(answer, Answer) or answer.status != 401:
                    return answer
                try:
                    request = await flow.asend(answer.to_httpx(request))
                except StopAsyncIteration:
                    return self._refused(answer)
        finally:
            await flow.aclose()

    def _refused(self, answer: Answer) -> CrmError:
        return error_from(answer, self._exchange.host, table=self._call.table)

    async def _in_turn(self, headers: Mapping[str, str]) -> Answer | CrmError:
        exchange = self._exchange
        async with exchange.limits.slot(self._identity, patience=self._ends - monotonic()):
            self._on_the_wire = True
            try:
                answer = await exchange.transport.send(self._call.method, self._call.url, headers, self._call.body)
            except FAILURES as exc:
                return self._broken(exc)
            self._on_the_wire = False
            if answer.status == 401 or (self._call.multipart and _is_multipart(answer)):
                exchange.breaker.success()
                return answer
            if answer.status < 300:
                exchange.breaker.success()
                return self._checked(answer)
            error = error_from(answer, exchange.host, table=self._call.table)
            if isinstance(error, Unavailable):
                exchange.breaker.failure()
                error.outcome_unknown = self._call.writes
            else:
                exchange.breaker.success()
            if isinstance(error, Throttled):
                error.retry_after = self._retry_after(error)
                exchange.limits.pause(self._identity, min(error.retry_after, _LONGEST_PAUSE))
            elif answer.status >= 500 and not error.code:
                error.outcome_unknown = self._call.writes
            return error

    def _checked(self, answer: Answer) -> Answer | CrmError:
        """A success, unless it is plainly not Dataverse's."""
        if is_web_page(answer) or (self._call.empty and answer.status != 204):
            error = bad_answer(answer, self._exchange.host)
            error.outcome_unknown = self._call.writes
            return error
        return answer

    def _retry_after(self, error: CrmError) -> float:
        return self._exchange.retries.delay(1) if error.retry_after is None else error.retry_after

    def _broken(self, exc: Exception) -> CrmError:
        self._exchange.breaker.failure()
        error = failure(exc, self._exchange.host)
        error.outcome_unknown = self._call.writes and was_sent(exc)
        return error

    def _delay(self, error: CrmError, attempt: int) -> float | None:
        """Seconds until the next attempt; None: there is none."""
        if attempt >= self._exchange.retries.attempts or not error.repeatable:
            return None
        if isinstance(error, Throttled):
            return error.retry_after
        if isinstance(error, (CircuitOpen, DeadlineExceeded)) or (isinstance(error, BadAnswer) and error.status):
            return None
        if error.outcome_unknown and not self._call.repeatable:
            return None
        if error.retry_after is not None:
            return error.retry_after
        return self._exchange.retries.delay(attempt)


def _is_multipart(answer: Answer) -> bool:
    return answer.headers.get("Content-Type", "").startswith("multipart/mixed")
