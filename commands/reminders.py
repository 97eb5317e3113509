"""Reminders of one person in one place: journalled at once, shown when their time comes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .environments import FIELD
from .jobs import Jobs
from .request import Place, Principal
from .work import Work

MARK: Final = "/reminder"
"""Ends the intent key of a reminder."""


@dataclass(frozen=True, slots=True)
class JournalledReminders:
    """`commands.context.Reminders`."""

    jobs: Jobs
    principal: Principal
    place: Place
    key: str
    """The intent key of the request."""
    env: str = ""

    async def set(self, verb: str, args: dict[str, str], at: datetime, said: str) -> str:
        """See `Reminders.set`."""
        key = self.key + MARK
        given = {**args, FIELD: self.env} if self.env else args
        work = Work(key=key, verb=verb, args=given, principal=self.principal, place=self.place, remark=said)
        await self.jobs.later(work, at.timestamp())
        return key

    async def call_off(self, reminder: str) -> bool:
        """See `Reminders.call_off`."""
        return await self.jobs.call_off(reminder, self.principal.key)
