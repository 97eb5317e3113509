"""What creating, changing, reading and finding a record means, once for every table.

A declaration names its columns; everything else follows: references are resolved, values go through metadata, one
request writes the row under the id of the intent and brings back what the card shows.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from pydantic import Field

from commands.cards import Action, Card, Style
from commands.context import Context
from commands.errors import BadInput, Question
from commands.fields import Columns, Form, Money, Named, Reference, Text
from commands.operation import Effect, Operation
from commands.press import Do, Press
from commands.record_cards import Look, look, with_notes
from commands.references import Wanted, resolve
from commands.request import Reply
from commands.values import plain, read
from crm.errors import DuplicateId, DuplicateKey, NotFound, ValueProblem, VersionMismatch
from crm.payload import find_column
from crm.records import Json, Ref, Row
from crm.tables import Column, Kind, Table

_CURRENCY = "transactioncurrencyid"


class Record(Operation):
    """A base: does something to one table's records."""

    @property
    def of(self) -> Table:
        """The table; every operation on records has one."""
        if self.table is None:
            raise TypeError(f"{type(self).__qualname__} needs table=")
        return self.table

    def again(self, ctx: Context, field: str, *, within: str = "") -> Callable[[str], Press]:
        """The pending command with another text in a field (`within`: the column inside the field of columns)."""

        def press(text: str) -> Press:
            args = self.args()
            args[field] = json.dumps({**json.loads(args[field]), within: text}) if within else text
            etag = "" if ctx.etag == "*" else ctx.etag
            return Press(do=Do.RUN, verb=self.verb, args=args, key=ctx.key, etag=etag)

        return press

    async def reference(self, ctx: Context, field: str, column: Column | None = None, label: str = "") -> Ref | None:
        """The record that a field refers to; None where nothing was said. `label`: what it is for, in a question."""
        named = getattr(self, field)
        if not isinstance(named, Named):
            return None
        parameter = self.parameters[field]
        column = column or parameter.column
        if column is None:
            raise TypeError(f"{type(self).__qualname__}.{field} needs a column")
        wanted = Wanted(
            named=named,
            targets=await _targets(ctx, self.of, column),
            label=label or parameter.label,
            again=self.again(ctx, field),
            closed=column.kind is Kind.ID,
            silent=self.effect is Effect.READ,
        )
        return await resolve(ctx, wanted)


class OneRecord(Record):
    """A base: does something to the record that `record` refers to."""

    record: Reference
    """Which one: its number, name, id or address; `it` is the one shown last."""

    async def subject(self, ctx: Context) -> Ref:
        """The record. Raises Question where a person must choose."""
        wanted = Wanted(
            named=self.record,
            targets=(self.of.logical,),
            label=(self.noun() or "record").capitalize(),
            again=self.again(ctx, "record"),
            closed=True,
            silent=self.effect is Effect.READ,
        )
        return await resolve(ctx, wanted)


class Writes(Record):
    """A base: writes columns."""

    columns: Columns = Field(default_factory=dict)
    """Any other column by its label or logical name, like region=EMEA."""

    async def values(self, ctx: Context) -> dict[str, object]:
        """What was said, by logical name; references resolved. Override to derive more."""
        values: dict[str, object] = {}
        for name, value in self.given().items():
            column = self.parameters[name].column
            if column is None or column.kind is Kind.ID or value is None:
                continue
            values[column.logical] = await self.reference(ctx, name) if isinstance(value, Named) else value
        values |= await self._further(ctx)
        await self._take_currency(ctx, values)
        return {column: plain(value) for column, value in values.items()}

    async def _further(self, ctx: Context) -> dict[str, object]:
        info = await ctx.crm.metadata.table(self.of.logical)
        values: dict[str, object] = {}
        for word, text in self.columns.items():
            column = find_column(info, word)
            value = read(column, text, ctx) if text else None
            if isinstance(value, Named):
                wanted = Wanted(
                    named=value,
                    targets=tuple(column.targets),
                    label=column.label(),
                    again=self.again(ctx, "columns", within=word),
                )
                value = await resolve(ctx, wanted)
            values[column.logical] = value
        return values

    async def _take_currency(self, ctx: Context, values: dict[str, object]) -> None:
        """`€250k` says the record's currency, too, where nothing else does."""
        codes = {v.currency for v in values.values() if isinstance(v, Money) and v.currency}
        if not codes or _CURRENCY in values or _CURRENCY not in self.of.columns:
            return
        if len(codes) > 1:
            raise BadInput(
                f"One record has one currency, and these are {' and '.join(sorted(codes))}.",
                "Write all amounts in one.",
            )
        wanted = Wanted(
            named=Named(form=Form.NAME, text=codes.pop()),
            targets=self.of.columns[_CURRENCY].targets,
            label="Currency",
            again=lambda text: Press(do=Do.RUN, verb=self.verb, args={**self.args(), "currency": text}, key=ctx.key),
        )
        values[_CURRENCY] = await resolve(ctx, wanted)

    async def payload(self, ctx: Context, values: Mapping[str, object], *, for_update: bool) -> dict[str, Json]:
        """Wire JSON. Raises BadInput that names the field."""
        try:
            return await ctx.crm.metadata.payload(self.of.logical, values, for_update=for_update)
        except ValueProblem as e:
            field = next(
                (p.name for p in self.parameters.values() if p.column and p.column.logical == e.column), e.column
            )
            raise BadInput(e.message, f"For example: {self.example}", problems={field or "": e.message}) from e


class Create(Writes, effect=Effect.WRITE):
    """A base: creates a record."""

    async def run(self, ctx: Context) -> Reply:
        """One request creates the row under the intent's own id, so that repeating it makes no second one."""
        values = await self.values(ctx)
        try:
            card = await self._create(ctx, values)
        except NotFound:
            # A bare GUID may be of an account or of a contact; the usual table was tried first.
            others = self._otherwise(values)
            if not others:
                raise
            card = await self._create(ctx, values | others)
        return Reply(card=card)

    async def _create(self, ctx: Context, values: Mapping[str, object]) -> Card:
        table = self.of.logical
        seen = await look(ctx, table)
        payload = await self.payload(ctx, values, for_update=False)
        columns = reads(seen, values)
        noun = seen.view.named(seen.view.noun)
        ref = Ref(table, ctx.row_id())
        try:
            row = await ctx.crm.create(table, payload, id=ref.id, returning=columns)
        except (DuplicateId, DuplicateKey) as e:
            row = await _made_before(ctx, ref, columns, e)
            if not await ctx.crm.holds(ref, payload):
                return seen.record(
                    row, notes=[f"This {noun.lower()} exists already, with other values. Nothing was changed."]
                )
        return seen.record(row, notes=[f"{noun} created.", *self.remarks(row)], also=values)

    def remarks(self, row: Row) -> Iterable[str]:
        """Sentences about what was decided for the person."""
        del row
        return ()

    def _otherwise(self, values: Mapping[str, object]) -> dict[str, object]:
        others: dict[str, object] = {}
        for name, value in self.given().items():
            column = self.parameters[name].column
            ref = values.get(column.logical) if column else None
            assumed = isinstance(value, Named) and value.form is Form.GUID
            if column and assumed and isinstance(ref, Ref) and len(column.targets) > 1:
                others[column.logical] = Ref(column.targets[1], ref.id)
        return others


class Update(OneRecord, Writes, effect=Effect.WRITE):
    """A base: changes a record."""

    clear: Text | None = None
    """Fields to empty, by name: clear=email,phone."""

    async def run(self, ctx: Context) -> Reply:
        """One request changes the row and brings back what the card shows."""
        ref = await self.subject(ctx)
        values = await self.values(ctx) | await self._cleared(ctx)
        if not values:
            raise BadInput("Nothing to change was said.", f"For example: {self.example}")
        seen = await look(ctx, ref.table)
        payload = await self.payload(ctx, values, for_update=True)
        columns = reads(seen, values)
        try:
            row = await ctx.crm.update(ref, payload, etag=ctx.etag, returning=columns)
        except VersionMismatch:
            row = await ctx.crm.get(ref, select=columns)
            # After a lost answer this is the echo of our own write.
            if not await ctx.crm.holds(ref, payload):
                raise Question(Reply(card=self._conflict(ctx, seen, row, values))) from None
        return Reply(card=seen.record(row, notes=["Saved."], also=values), replace=True)

    async def _cleared(self, ctx: Context) -> dict[str, object]:
        if not self.clear:
            return {}
        info = await ctx.crm.metadata.table(self.of.logical)
        cleared: dict[str, object] = {}
        for word in filter(None, (w.strip() for w in self.clear.replace("\n", ",").split(","))):
            known = next((p.column for p in self.parameters.values() if p.column and word.casefold() in p.names), None)
            cleared[known.logical if known else find_column(info, word).logical] = None
        return cleared

    def _conflict(self, ctx: Context, seen: Look, row: Row, values: Mapping[str, object]) -> Card:
        anyway = Press(do=Do.RUN, verb=self.verb, args=self.args(), key=ctx.key, owner=ctx.principal.key)
        edit = seen.press(self.verb, row.ref, do=Do.FORM, etag=row.etag or "", args=self.args())
        card = with_notes(
            seen.record(row, also=values),
            "Somebody changed this after you opened it, so nothing was saved. This is how it is now.",
        )
        actions = (
            Action(label="Edit again", press=edit, style=Style.PRIMARY),
            Action(label="Save mine anyway", press=anyway, style=Style.DANGER),
        )
        return replace(card, actions=actions, more=(), stub=None)


class Get(OneRecord):
    """A base: shows a record."""

    async def run(self, ctx: Context) -> Reply:
        """One request reads what the card shows."""
        ref = await self.subject(ctx)
        seen = await look(ctx, ref.table)
        return Reply(card=seen.record(await ctx.crm.get(ref, select=reads(seen))))


def reads(seen: Look, values: Iterable[str] = ()) -> list[str]:
    """Columns to ask for: what the card shows and the organisation has, and what was written."""
    has = seen.info.columns
    return [c for c in dict.fromkeys((*seen.view.columns, *values)) if c in has]


async def _made_before(ctx: Context, ref: Ref, columns: list[str], duplicate: Exception) -> Row:
    try:
        return await ctx.crm.get(ref, select=columns)
    except NotFound:
        raise duplicate from None


async def _targets(ctx: Context, table: Table, column: Column) -> tuple[str, ...]:
    if column.kind is Kind.ID:
        return (table.logical,)
    if column.targets:
        return column.targets
    info = await ctx.crm.metadata.table(table.logical)
    return tuple(info.columns[column.logical].targets)
