"""The question before a change, where an environment asks one: what would be done, to what, with which values."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

from crm.definitions import ColumnInfo
from crm.errors import CrmError
from crm.languages import language_code
from crm.payload import find_column
from crm.records import Ref
from crm.tables import Kind

from .cards import Action, Card, CardKind, Fact, Style
from .context import Context
from .environments import FIELD, Environment
from .fields import ColumnsMark, Form, Named
from .operation import Operation
from .operations.case_from_message import CaptureCase
from .operations.records import OneRecord
from .press import Do, Press
from .record_cards import look
from .values import read
from .views import VIEWS

_UNSAID = {FIELD, "record", "quote", "user_id"}
_LONGEST = 300


async def confirmation(operation: Operation, ctx: Context, environment: Environment) -> Card:
    """The card whose *Confirm* carries the command under its own intent key.

    Raises Question where it is open which record is meant, and CrmError where that cannot be read.
    """
    args = operation.args()
    facts = []
    if isinstance(operation, OneRecord):
        ref = await operation.subject(ctx)
        args["record"] = str(ref.id)
        facts.append(Fact("Record", await _called(ctx, ref)))
    facts += [fact async for fact in _values(operation, ctx)]
    text = [operation.summary(), f"This changes {environment.badge or environment.name}: {ctx.crm.url}"]
    if isinstance(operation, CaptureCase):
        text.append("Replies in the message's thread then become notes on the case.")
    etag = "" if ctx.etag == "*" else ctx.etag
    yes = Press(do=Do.CONFIRM, verb=operation.verb, args=args, key=ctx.key, etag=etag, owner=ctx.principal.key)
    return Card(
        kind=CardKind.CONFIRM,
        title=f"{operation.verb.capitalize()} in {environment.badge or environment.name}?",
        text=tuple(text),
        facts=tuple(facts),
        actions=(
            Action(label="Confirm", press=yes, style=Style.PRIMARY),
            Action(label="Cancel", press=Press(do=Do.DISMISS, owner=ctx.principal.key)),
        ),
    )


async def _values(operation: Operation, ctx: Context) -> AsyncIterator[Fact]:
    """Every value that was said, under its column's name."""
    info = await ctx.crm.metadata.table(operation.table.logical) if operation.table else None
    language = language_code(ctx.principal.locale)
    if isinstance(operation, CaptureCase) and operation.quote and operation.bare:
        yield Fact("Message", _cut(operation.quote.message.text), wide=True)
    for name, text in operation.args().items():
        parameter = operation.parameters[name]
        if name in _UNSAID or not text:
            continue
        if parameter.marked(ColumnsMark):
            for word, value in json.loads(text).items():
                column = find_column(info, word) if info else None
                named = read(column, value, ctx) if column and value else None
                yield Fact(column.label(language) if column else word, await _value(ctx, column, named, value))
            continue
        column = info.columns.get(parameter.column.logical) if info and parameter.column else None
        label = column.label(language) if column else parameter.label
        yield Fact(label, await _value(ctx, column, getattr(operation, name), text))
    if operation.user_id != "me":
        yield Fact("As", operation.user_id)


async def _value(ctx: Context, column: ColumnInfo | None, value: object, text: str) -> str:
    if isinstance(value, Named) and value.id and value.form in {Form.GUID, Form.PATH, Form.URL}:
        if value.entity_set or value.table:
            table = value.table or (await ctx.crm.metadata.find_table(value.entity_set)).logical
        else:
            table = next(iter(column.targets), "") if column else ""
        return await _called(ctx, Ref(table, UUID(value.id))) if table else text
    if column and column.kind in {Kind.CHOICE, Kind.BOOLEAN} and text.isdecimal():
        choice = column.choice(int(text))
        return choice.label(language_code(ctx.principal.locale)) if choice else text
    return _cut(text)


async def _called(ctx: Context, ref: Ref) -> str:
    """What people call a record; its id where that cannot be read."""
    try:
        if ref.table in VIEWS:
            seen = await look(ctx, ref.table)
            row = await ctx.crm.get(ref, select=[c for c in seen.view.list_columns if c in seen.info.columns])
            return " · ".join(dict.fromkeys((seen.subtitle(row), seen.title(row))))
        name = (await ctx.crm.metadata.table(ref.table)).primary_name
        return str((await ctx.crm.get(ref, select=[name])).get(name) or ref.id) if name else str(ref.id)
    except CrmError as e:
        if e.repeatable:
            raise
        return ref.name or str(ref.id)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
