"""Spans and counters of every call: table, verb, status, retries. Never a token, never a body."""

import logging
from functools import cache
from time import perf_counter
from types import TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from prometheus_client import Counter, Histogram

from .errors import CrmError
from .transport import Answer

log = logging.getLogger("crm")

CALLS = Counter("crm_calls", "Calls to Dataverse", ["table", "verb", "status"])
RETRIES = Counter("crm_retries", "Attempts after the first", ["table", "verb"])
SECONDS = Histogram(
    "crm_call_seconds",
    "From asking to answering, waiting included",
    ["verb"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
# Looking labels up costs more than counting.
_calls = cache(CALLS.labels)
_seconds = cache(SECONDS.labels)
_tracer = trace.get_tracer("crm")


class Trace:
    """One call, as a span and in the counters."""

    __slots__ = ("_span", "_start", "_table", "_verb")

    def __init__(self, verb: str, table: str | None) -> None:
        self._verb = verb
        self._table = table or ""
        self._start = perf_counter()
        self._span = _tracer.start_span(f"dataverse {verb}", kind=SpanKind.CLIENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._span.end()
        _seconds(self._verb).observe(perf_counter() - self._start)
        if exc is not None and not isinstance(exc, CrmError):
            CALLS.labels(self._table, self._verb, "cancelled").inc()

    def done(self, answer: Answer, attempts: int) -> None:
        """It succeeded."""
        self._count(str(answer.status), attempts)
        self._describe(answer.headers.get("x-ms-service-request-id"), answer.status, attempts)

    def failed(self, error: CrmError, attempts: int) -> None:
        """It failed for good."""
        self._count(str(error.status or type(error).__name__), attempts)
        self._describe(error.request_id, error.status, attempts)
        if self._span.is_recording():
            self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            self._span.set_attribute("error.type", error.code or type(error).__name__)
        log.warning(
            "%s %s failed: %s status=%s code=%s request=%s attempts=%d",
            self._verb,
            self._table,
            type(error).__name__,
            error.status,
            error.code,
            error.request_id,
            attempts,
        )

    def _count(self, status: str, attempts: int) -> None:
        _calls(self._table, self._verb, status).inc()
        if attempts > 1:
            RETRIES.labels(self._table, self._verb).inc(attempts - 1)

    def _describe(self, request: str | None, status: int | None, attempts: int) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s status=%s request=%s attempts=%d", self._verb, self._table, status, request, attempts)
        if not self._span.is_recording():
            return
        self._span.set_attributes(
            {
                "db.system.name": "dataverse",
                "db.operation.name": self._verb,
                "db.collection.name": self._table,
                "http.response.status_code": status or 0,
                "http.request.resend_count": attempts - 1,
                "dataverse.request_id": request or "",
            }
        )
