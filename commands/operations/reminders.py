"""Reminders: a record, shown again to the person when its time comes. Dynamics is not told."""

from datetime import datetime, time, timedelta
from typing import Annotated, Final

from pydantic import Field

from commands.cards import Action, Card, CardKind, Fact, Moment
from commands.context import Context, Reminders
from commands.errors import BadInput
from commands.fields import Instant, Memo, Reference, Text
from commands.nouns import one
from commands.operation import Accepts, Effect, Operation
from commands.press import Do, Press
from commands.request import Reply
from commands.view import View
from commands.views import VIEWS

from .notes import look_at, named
from .records import OneRecord

_MORNING: Final = time(9)
"""When a day without a time begins for reminders."""
_FARTHEST: Final = timedelta(days=366)


class Remind(OneRecord, effect=Effect.READ):
    """A base: shows a record again later."""

    when: Instant
    note: Memo | None = None

    async def run(self, ctx: Context) -> Reply:
        """Journals the reminder; at most one request, for a record that is given by name."""
        reminders, at = _reminders(ctx), _moment(self.when, ctx.now)
        ref = await self.subject(ctx)
        view = VIEWS[ref.table]
        said = f"Reminder: {self.note}" if self.note else "You wanted to be reminded of this."
        reminder = await reminders.set(f"{view.noun} get", {"record": str(ref.id)}, at, said)
        off = Press(do=Do.RUN, verb=CancelReminder.verb, args={"reminder": reminder}, owner=ctx.principal.key)
        note = (Fact("Note", self.note, wide=True),) if self.note else ()
        card = Card(
            kind=CardKind.NOTICE,
            title=f"You will be reminded of {ref.name or f'the {view.noun}'}",
            facts=(Fact("When", Moment(at)), *note),
            actions=(look_at(view, ref), Action(label="Cancel reminder", press=off)),
            record=f"{ref.table}/{ref.id}",
        )
        return Reply(card=card)


class CancelReminder(
    Operation,
    verb="unremind",
    also=("cancel reminder", "reminder cancel"),
    effect=Effect.READ,
    example="unremind slack:T0001:1234.5678/reminder",
    words="reminder",
):
    """Take back a reminder that has not come yet."""

    reminder: Text
    """Its id, which the button on its card knows."""

    async def run(self, ctx: Context) -> Reply:
        """Touches the journal alone."""
        gone = await _reminders(ctx).call_off(self.reminder)
        title = "The reminder is cancelled." if gone else "You have no such reminder any more."
        return Reply(card=Card(kind=CardKind.NOTICE, title=title), replace=gone)


def _reminders(ctx: Context) -> Reminders:
    if ctx.reminders is None:
        raise BadInput("Reminders come in a chat, and there is none here.", "Ask in Slack or Microsoft Teams.")
    return ctx.reminders


def _moment(when: datetime, now: datetime) -> datetime:
    """A day alone means its morning. Raises BadInput for what has passed or is too far."""
    local = when.astimezone(now.tzinfo)
    at = datetime.combine(local, _MORNING, local.tzinfo) if local.time() == time(0) else when
    problem = ""
    if at <= now:
        problem = "That moment has passed."
    elif at > now + _FARTHEST:
        problem = "A reminder may be at most a year away."
    if problem:
        raise BadInput(problem, "Write it like tomorrow 9am, in 2 hours or next friday.", problems={"when": problem})
    return at


def join(view: View) -> type[Operation]:
    """Declare `remind` for one table."""
    table, noun, which = view.table, view.noun, named(view)

    class RemindOf(
        Remind,
        verb=f"{noun} remind",
        table=table,
        example=f"{noun} remind {view.sample} 'tomorrow 9am' note='Call back'",
        words=("record", "when"),
    ):
        does_also = (f"{noun} get",)
        __doc__ = f"Be reminded of {one(noun)}: it is shown to you again when the time comes."

        record: Annotated[Reference, which.column, Accepts(*which.names)] = Field(description=which.help)
        when: Annotated[Instant, Accepts("at", "on", "time")] = Field(
            description="When: tomorrow 9am, in 2 hours, next friday. A day alone is its morning."
        )
        note: Annotated[Memo | None, Accepts("text", "about")] = Field(None, description="What to be reminded of.")

    return RemindOf


for _view in list(VIEWS.values()):
    join(_view)
