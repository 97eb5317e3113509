"""`python -m tests.jobs.broken serve`: crmchat with one operation more, whose author made a mistake."""

import asyncio
from typing import TYPE_CHECKING

from bots.main import main
from commands.operation import Effect, Operation
from crm.tables import LEAD

if TYPE_CHECKING:
    from commands.context import Context
    from commands.request import Reply


class BreakLead(Operation, verb="lead break", effect=Effect.WRITE, table=LEAD, example="lead break"):
    """Divide by nothing."""

    slow: bool = False
    """Whether to think about it for longer than any acknowledgement waits."""

    async def run(self, ctx: "Context") -> "Reply":  # noqa: ARG002  the shape of all operations
        if self.slow:
            await asyncio.sleep(2)
        raise ZeroDivisionError("the text of a mistake")


if __name__ == "__main__":
    main()
