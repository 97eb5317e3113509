"""What moves a record through its life: qualify, win, lose, resolve, reopen, cancel, fulfil.

An action is never repeated blindly: after an unknown outcome `landed()` looks for the state that it leaves.
"""

from typing import ClassVar

from commands.context import Context
from commands.operation import Effect
from commands.record_cards import look
from commands.request import Reply
from crm.actions import ActionCall, call_and_read, status_reason
from crm.lifecycle import State, state_number, state_of
from crm.records import Json, Ref

from .records import OneRecord, reads


class Act(OneRecord, effect=Effect.ACTION):
    """A base: an action of Dataverse that leaves the record in another state."""

    leaves: ClassVar[State]
    """The state after it."""
    done: ClassVar[str]
    """What has happened then, in a sentence."""

    async def call(self, ctx: Context, ref: Ref) -> ActionCall:
        """The action, ready to be called."""
        raise NotImplementedError

    def remarks(self, answer: Json) -> tuple[str, ...]:
        """Sentences for the card; `answer`: what the action answered."""
        del answer
        return ()

    async def run(self, ctx: Context) -> Reply:
        """One request: the action, and a look at what it left."""
        ref = await self.subject(ctx)
        seen = await look(ctx, ref.table)
        row, answer = await call_and_read(ctx.crm, await self.call(ctx, ref), ref, reads(seen))
        return Reply(card=seen.record(row, notes=(self.done, *self.remarks(answer))), replace=True)

    async def landed(self, ctx: Context) -> Reply | None:
        """The answer if the record is in the state that the action leaves."""
        ref = await self.subject(ctx)
        seen = await look(ctx, ref.table)
        row = await ctx.crm.get(ref, select=reads(seen))
        if state_of(row) is not self.leaves:
            return None
        return Reply(card=seen.record(row, notes=(self.done,)), replace=True)

    async def status(self, ctx: Context, reason: str | None = None) -> int:
        """The number of a status reason in the state that this leaves."""
        return status_reason(await ctx.crm.metadata.table(self.of.logical), self.leaves, reason)


class SetState(OneRecord, effect=Effect.WRITE):
    """A base: writes state and status reason; harmless to repeat."""

    leaves: ClassVar[State]
    """The state after it."""
    done: ClassVar[str]
    """What has happened then, in a sentence."""

    def because(self) -> str | None:
        """The status reason that was named."""
        return None

    async def run(self, ctx: Context) -> Reply:
        """One request."""
        ref = await self.subject(ctx)
        seen = await look(ctx, ref.table)
        status = status_reason(seen.info, self.leaves, self.because())
        payload = {"statecode": state_number(ref.table, self.leaves), "statuscode": status}
        row = await ctx.crm.update(ref, payload, returning=reads(seen))
        return Reply(card=seen.record(row, notes=[self.done]), replace=True)
