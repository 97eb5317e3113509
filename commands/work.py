"""Journalled work and how an attempt at it ends; plain data, because the journal keeps both."""

import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from crm.errors import CrmError

from .press import Do, Press
from .request import Place, Principal, Quote, Reply

ATTEMPTS: Final = 50
"""Attempts at one intent; a person who has pressed *Try again* so often needs other help."""
_PAUSES: Final = (2.0, 60.0)
"""The first and the longest pause between tries, doubling in between; a longer Retry-After counts instead."""
_STATE_AWAY: Final = 5.0
"""Seconds after which work is tried again whose state could not be read or kept: a locked or full database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything needed to do it, in this process or in the next one."""

    key: str
    """The intent key."""
    verb: str
    args: dict[str, str]
    principal: Principal
    place: Place
    etag: str = "*"
    quote: Quote | None = None
    """The message that it is about. Without `args` the job fills them from it, and asks where that is not enough."""
    remark: str = ""
    """A sentence to stand above the answer: a reminder's."""

    def again(self) -> Press:
        """A button that does the same, under the same key."""
        etag = "" if self.etag == "*" else self.etag
        return Press(do=Do.RUN, verb=self.verb, args=self.args, key=self.key, etag=etag, owner=self.principal.key)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one intent: what a job of the journal is."""

    attempt: int
    work: Work
    since: float = field(default_factory=time.time)
    """When this series of tries began, by the clock: seconds since 1970."""
    tries: int = 0
    """Tries before this one that are part of the series."""

    @property
    def job(self) -> str:
        """The job's id."""
        return job_id(self.work.key, self.attempt)

    def pause(self, again_in: float, deadline: float) -> float | None:
        """Seconds until the next try; None when the deadline would be over."""
        first, longest = _PAUSES
        pause = max(again_in, min(first * 2**self.tries, longest))
        return pause if time.time() + pause < self.since + deadline and self.attempt < ATTEMPTS else None

    def successor(self) -> "Attempt":
        """The next try of this series."""
        return replace(self, attempt=self.attempt + 1, tries=self.tries + 1)


def job_id(key: str, attempt: int) -> str:
    """`{intent key}~{attempt}`."""
    return f"{key}~{attempt}"


class Outcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    QUESTION = "question"
    """Something must be asked first; nothing was written."""
    FAILED = "failed"
    """Nothing more will happen; the reply says why and what to do."""
    LATER = "later"
    """It failed, and a successor will try again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt gave."""

    outcome: Outcome
    reply: Reply
    again_in: float | None = None
    """FAILED, but the same may succeed after so many seconds."""


def failed(reply: Reply, cause: Exception) -> Answer:
    """The answer of an attempt that this exception ended, to be tried again where the cause may pass."""
    again_in = None
    if isinstance(cause, SQLAlchemyError):
        again_in = _STATE_AWAY
    elif isinstance(cause, CrmError) and cause.repeatable:
        again_in = cause.retry_after or 0.0
    return Answer(Outcome.FAILED, reply, again_in)
