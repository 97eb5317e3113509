"""`Receipt`: between whoever acknowledges a request and the job that answers it, so that one of them delivers."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_SENDING: Final = 60.0
"""Seconds that a face may take to deliver an answer apart from the acknowledgement; then the job does it."""


class Stage(StrEnum):
    """How far a request has come, for whoever must acknowledge it before it is answered."""

    UNREAD = "unread"
    """It may mean to change something; giving it up now leaves nothing behind."""
    READING = "reading"
    """It changes nothing: it can be acknowledged, and asked again if it is lost."""
    WRITING = "writing"
    """It will change something, and is in no journal: giving it up now leaves nothing behind."""
    ASKING = "asking"
    """The journal has not said yet whether it has it."""
    JOURNALLED = "journalled"
    """It will be done, whatever happens to this process."""


@dataclass(slots=True, eq=False)
class Receipt:
    """Whether an answer reached the person. Whoever acknowledges or sends sets it; the job waits for it."""

    left: asyncio.Future[bool]
    owed: bool = False
    """A job has this receipt: it delivers the answer itself if it did not leave."""
    stage: Stage = Stage.UNREAD

    async def arrived(self) -> bool:
        """Wait for whoever acknowledges or sends to say whether the answer left."""
        try:
            return await asyncio.wait_for(asyncio.shield(self.left), _SENDING)
        except TimeoutError:
            return False


RECEIPT: ContextVar[Receipt | None] = ContextVar("RECEIPT", default=None)
"""The acknowledgement for which the current task works."""


def came_to(stage: Stage) -> None:
    """The current task's request has come so far."""
    if receipt := RECEIPT.get():
        receipt.stage = stage
