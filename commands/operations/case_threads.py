"""The switch of a thread that follows a case: who sees the notes that its replies become, and when it stops."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from commands.cards import Action, Card, CardKind, Status, Tone
from commands.context import Context
from commands.operation import Operation
from commands.press import Do, Press
from commands.record_cards import notice
from commands.request import Reply
from crm.tables import CASE


class Replies(StrEnum):
    """What becomes of a thread's replies."""

    INTERNAL = "internal"
    CUSTOMER = "customer"
    STOP = "stop"
    SHOW = "show"


class CaseThread(Operation, verb="case thread", table=CASE, example="case thread internal", words="replies"):
    """Say who sees the notes that this thread's replies become: internal, customer, or stop."""

    noted: ClassVar[bool] = True

    replies: Annotated[Replies, BeforeValidator(lambda v: v.strip().lower() if isinstance(v, str) else v)] = (
        Replies.SHOW
    )
    """internal: colleagues only. customer: the customer, too. stop: replies are no notes any more."""

    async def run(self, ctx: Context) -> Reply:
        """No request; what the thread follows is ours to know."""
        following = await ctx.threads.followed(ctx.place) if ctx.threads else None
        if following is None or ctx.threads is None:
            tip = "Make a case out of a message here, and its thread follows it."
            return Reply(card=notice("This conversation follows no case.", tip))
        if self.replies is Replies.STOP:
            await ctx.threads.unfollow(ctx.place)
            return Reply(card=notice("This thread no longer follows the case."), replace=True)
        if self.replies is not Replies.SHOW:
            following = replace(following, for_customer=self.replies is Replies.CUSTOMER)
            await ctx.threads.follow(following)
        seen_by = "Customers see replies" if following.for_customer else "Replies are internal"
        other = Replies.INTERNAL if following.for_customer else Replies.CUSTOMER
        label = "Make replies internal" if following.for_customer else "Show replies to the customer"
        where = {"env": following.env} if following.env else {}
        show = Press(do=Do.RUN, verb="case get", args={"record": str(following.case.id), **where})
        card = Card(
            kind=CardKind.NOTICE,
            title="This thread follows a case",
            status=Status(seen_by, Tone.WARNING if following.for_customer else Tone.NEUTRAL),
            text=("Replies here become notes on the case, and news of the case comes here.",),
            actions=(
                Action(label=label, press=_press(other)),
                Action(label="Stop following", press=_press(Replies.STOP)),
                Action(label="Show case", press=show),
            ),
        )
        return Reply(card=card, replace=True)


def _press(replies: Replies) -> Press:
    return Press(do=Do.RUN, verb=CaseThread.verb, args={"replies": replies.value})
