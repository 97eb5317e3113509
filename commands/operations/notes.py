"""Notes and owners: what every kind of record has. One declaration each, joined to the catalog for every table."""

from typing import Annotated, ClassVar

from pydantic import Field

from commands.cards import Action, Card, CardKind
from commands.context import Context
from commands.fields import Memo, Reference
from commands.nouns import one
from commands.operation import CATALOG, Accepts, Effect, Operation, Parameter
from commands.press import Do, Press
from commands.record_cards import look, record_url
from commands.request import Reply
from commands.view import View
from commands.views import VIEWS
from crm.batch import Batch
from crm.errors import DuplicateId, Forbidden, NotFound
from crm.records import Ref
from crm.tables import NOTE

from .records import OneRecord, reads

_SUBJECT = 100


class Note(OneRecord, effect=Effect.WRITE):
    """A base: adds a note to a record."""

    makes = (NOTE.logical,)

    text: Memo
    """What to note, in as many lines as it takes."""

    async def run(self, ctx: Context) -> Reply:
        """One request; the note has the intent's own id, so that repeating it adds none."""
        ref = await self.subject(ctx)
        await add_note(ctx, ref, self.text)
        view = VIEWS[ref.table]
        show = look_at(view, ref)
        card = Card(
            kind=CardKind.NOTICE,
            title=f"Note added to {ref.name or f'the {view.noun}'}",
            url=record_url(ctx.crm.url, ref),
            text=(self.text,),
            actions=(show,),
            record=f"{ref.table}/{ref.id}",
        )
        return Reply(card=card)


class Assign(OneRecord, effect=Effect.WRITE):
    """A base: gives a record to another person or team."""

    owner_column: ClassVar[str] = "ownerid"

    to: Reference
    """Who gets it: a name, an e-mail address or me."""

    async def run(self, ctx: Context) -> Reply:
        """One request. Whoever gives a record away may not see it any more, and it is given away all the same."""
        ref = await self.subject(ctx)
        column = self.of.columns[self.owner_column]
        owner = await self.reference(ctx, "to", column, label="New owner")
        seen = await look(ctx, ref.table)
        payload = await ctx.crm.metadata.payload(ref.table, {self.owner_column: owner}, for_update=True)
        batch = Batch()
        with batch.change_set() as changes:
            given = changes.update(ref, payload)
        read = batch.get(ref, select=reads(seen))
        results = await ctx.crm.batch(batch, continue_on_error=True)
        results[given].answered()
        try:
            row = results[read].row()
        except (Forbidden, NotFound):
            title = f"The {seen.view.noun} is assigned to {owner.name if owner and owner.name else 'its new owner'}."
            text = ("You may not see it any more.",)
            return Reply(card=Card(kind=CardKind.NOTICE, title=title, text=text), replace=True)
        return Reply(card=seen.record(row, notes=[f"Assigned to {row.formatted(self.owner_column)}."]), replace=True)


async def add_note(ctx: Context, ref: Ref, text: str, *, part: str = "note") -> None:
    """Put a note on a record, once however often this runs for the same intent; its first line is the subject."""
    subject = next(filter(None, (line.strip() for line in text.splitlines())), "Note")
    try:
        await ctx.crm.attach(ref, subject=subject[:_SUBJECT], text=text, id=ctx.row_id(part))
    except DuplicateId:
        return  # an earlier attempt has made it


def look_at(view: View, ref: Ref) -> Action:
    """A button that shows the record."""
    press = Press(do=Do.RUN, verb=f"{view.noun} get", args={"record": str(ref.id)})
    return Action(label=f"Show {view.noun}", press=press)


def named(view: View) -> Parameter:
    """How people say which record of this table: as they do to see it."""
    return CATALOG[f"{view.noun} get"].parameters["record"]


def join(view: View) -> tuple[type[Operation], type[Operation]]:
    """Declare note and assign for one table."""
    table, noun, sample, which = view.table, view.noun, view.sample, named(view)

    class NoteOn(
        Note,
        verb=f"{noun} note",
        table=table,
        example=f"{noun} note {sample} 'Called back, all is well'",
        words=("record", "text"),
    ):
        __doc__ = f"Add a note to {one(noun)}."

        record: Annotated[Reference, which.column, Accepts(*which.names)] = Field(description=which.help)

    class AssignTo(
        Assign,
        verb=f"{noun} assign",
        table=table,
        example=f"{noun} assign {sample} 'Anna Weber'",
        words=("record", "to"),
    ):
        __doc__ = f"Give {one(noun)} to another person or team."

        record: Annotated[Reference, which.column, Accepts(*which.names)] = Field(description=which.help)
        to: Annotated[Reference, table.columns["ownerid"], Accepts("owner", "assignee")] = Field(
            description="Who gets it: a name, an e-mail address or me."
        )

    return NoteOn, AssignTo


for _view in list(VIEWS.values()):
    join(_view)
