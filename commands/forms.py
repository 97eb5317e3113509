"""From an operation to the form that asks for it, and from what was typed into it back to a command.

The organisation's metadata decides labels, lengths, choices and what is required; the declaration decides which fields
there are. What was typed before stands in the fields again, whatever was wrong with it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from crm.errors import ValueProblem
from crm.languages import language_code
from crm.metadata import Metadata
from crm.payload import PayloadBuilder, find_column
from crm.records import Ref
from crm.tables import Kind, Table

from .cards import Form, Input, Option, Submission
from .context import Context
from .fields import Money, Named
from .form_inputs import HIDDEN, InputMaker, changes, columns_field, creates, required_columns, said_inputs
from .language.references import reference
from .operation import CATALOG, ByButton, Effect, Operation
from .press import Do, Press
from .references import Wanted, resolve, suggestions

__all__ = ["Form", "filled", "form", "missing", "problems", "suggest"]

_FIRST = 8
"""Fields on the first form; what is required or was said comes in addition."""
_ALL = "+all"
"""In the arguments of *More fields*: show every field."""
_WAS = "was:"
"""Before the name of a field: what stood in it when the form was shown."""


# -- asking -----------------------------------------------------------------------------------------------------


async def form(operation: type[Operation], args: Mapping[str, str], ctx: Context) -> Form:
    """The form of an operation, filled with `args` and, for a change, with what the record holds.

    Raises Question where `args` leave open which record is meant, NotFound where it is gone.
    """
    given = dict(args)
    everything = bool(given.pop(_ALL, ""))
    fixed = {name: given.pop(name) for name in list(given) if name in HIDDEN and name != "clear"}
    info = await ctx.crm.metadata.table(operation.table.logical) if operation.table else None
    etag = "" if ctx.etag == "*" else ctx.etag
    subject, row = None, None
    if "record" in fixed and operation.table:
        subject = await _subject(operation, operation.table, fixed, ctx)
        fixed["record"] = str(subject.id)
        row = await ctx.crm.get(subject) if changes(operation) else None
        etag = etag or (row.etag if row and row.etag else "")
    language = language_code(ctx.principal.locale)
    maker = InputMaker(operation, info, subject, row, said_inputs(operation, info, given), language, ctx)
    inputs = list(maker.inputs())
    first = [i for n, i in enumerate(inputs) if n < _FIRST or i.required or i.value or i.problem]
    shown = inputs if everything or len(inputs) <= len(first) + 1 else first
    was = {f"{_WAS}{i.name}": i.value for i in shown if i.value or changes(operation)} if row else {}
    press = Press(
        do=Do.SUBMIT, verb=operation.verb, args={**fixed, **was}, key=ctx.key, etag=etag, owner=ctx.principal.key
    )
    more = None
    if len(shown) < len(inputs):
        args_more = {**fixed, **was, _ALL: "yes"}
        more = Press(do=Do.FORM, verb=operation.verb, args=args_more, key=ctx.key, etag=etag, owner=ctx.principal.key)
    asked = Form(
        title=_title(operation),
        intro=_intro(operation, inputs),
        submit=press,
        submit_label=_SUBMIT.get(
            operation.verb.rpartition(" ")[2], _SHOW if operation.effect is Effect.READ else "Save"
        ),
        inputs=tuple(shown),
        more=more,
    )
    return operation.shaped(asked, args)


def _intro(operation: type[Operation], inputs: Sequence[Input]) -> str:
    """What it is for, and what must still be said."""
    needed = [i.label for i in inputs if i.required and not i.value]
    if not needed:
        return operation.summary()
    names = " and ".join(filter(None, (", ".join(needed[:-1]), needed[-1])))
    return f"{operation.summary()} Needed: {names}."


def filled(press: Press, submission: Submission) -> dict[str, str]:
    """The arguments of the command that a form stands for: what it carries, and what was typed into it.

    Of a change only what differs from what stood in the form; what was emptied is cleared.
    """
    operation = CATALOG.get(press.verb)
    was = {name.removeprefix(_WAS): value for name, value in press.args.items() if name.startswith(_WAS)}
    args = {name: value for name, value in press.args.items() if not name.startswith(_WAS)}
    columns: dict[str, str] = {}
    cleared = []
    for name in dict.fromkeys((*was, *submission.values)):
        value = submission.values.get(name, "").strip()
        if operation and changes(operation):
            now, before = _text(value), _text(was.get(name, ""))
            if now == before or (name in submission.cut and before.startswith(now)):
                continue
            if not value:
                cleared.append(name)
        if value and not _sealed(operation, name):
            (args if operation is None or name in operation.parameters else columns)[name] = value
    if columns and operation and (field := columns_field(operation)):
        args[field] = json.dumps(columns, ensure_ascii=False)
    if cleared:
        args["clear"] = ",".join(cleared)
    return args


def _sealed(operation: type[Operation] | None, name: str) -> bool:
    """Whether the press alone says it, whatever comes with a submission."""
    return operation is not None and name in operation.parameters and operation.parameters[name].marked(ByButton)


def _text(value: str) -> str:
    """What is compared: Dynamics ends lines with CR LF, chat clients with LF."""
    return value.replace("\r\n", "\n").strip()


async def suggest(operation: type[Operation], field: str, text: str, ctx: Context) -> list[Option]:
    """What a typeahead offers for a lookup field; at most 15."""
    info = await ctx.crm.metadata.table(operation.table.logical) if operation.table else None
    parameter = operation.parameters.get(field)
    column = parameter.column if parameter else None
    targets = column.targets if column else ()
    if field == "record" and operation.table:
        targets = (operation.table.logical,)
    if not targets and info:
        known = info.columns.get(column.logical if column else field)
        targets = tuple(known.targets) if known else ()
    if not targets:
        return []
    found = await suggestions(ctx, [t for t in targets if t != "team"], text)
    sets = {table: (await ctx.crm.metadata.table(table)).entity_set for table in {ref.table for ref, _ in found}}
    return [Option(label, ref.path(sets[ref.table])) for ref, label in found]


# -- checking ---------------------------------------------------------------------------------------------------


def missing(operation: Operation, metadata: Metadata) -> list[str]:
    """Inputs that must be filled in before this can run; empty where nothing is missing (or metadata is not loaded).

    `columns` where it says nothing at all.
    """
    kind = type(operation)
    given = {name for name in operation.given() if getattr(operation, name) not in (None, {})} - HIDDEN
    if changes(kind):
        return [] if given or getattr(operation, "clear", None) else ["columns"]
    if not creates(kind) or getattr(operation, "quote", True) is None:
        return []
    info = metadata.known(kind.table.logical) if kind.table else None
    columns = {p.column.logical for name in given if (p := kind.parameters.get(name)) and p.column}
    if info:
        columns |= {find_column(info, word).logical for word in getattr(operation, "columns", {})}
        if "primarycontactid" in columns or "parentcontactid" in columns:
            columns.add("customerid")
        inputs = {p.column.logical: p.name for p in kind.parameters.values() if p.column}
        return [inputs.get(c.logical, c.logical) for c in required_columns(kind, info) if c.logical not in columns]
    return [] if given else ["columns"]


def problems(operation: Operation, metadata: Metadata) -> dict[str, str]:
    """What the organisation's metadata says against the values, by field: an unknown choice, a text too long."""
    kind = type(operation)
    info = metadata.known(kind.table.logical) if kind.table else None
    found: dict[str, str] = {}
    if info is None or not (creates(kind) or changes(kind)):
        return found
    builder = PayloadBuilder(info, {}, for_update=changes(kind))
    for name, value in operation.given().items():
        column = kind.parameters[name].column
        if column is None or column.kind is Kind.ID or value is None or isinstance(value, Named):
            continue
        try:
            builder.build({column.logical: value.value if isinstance(value, Money) else value})
        except ValueProblem as e:
            found[name] = e.message
    return found


_SUBMIT: Final = {
    "create": "Create",
    "update": "Save",
    "note": "Add note",
    "assign": "Assign",
    "resolve": "Resolve",
    "search": "Search",
    "remind": "Remind me",
}
_SHOW: Final = "Show"
_TITLES: Final = {"update": "Edit", "get": _SHOW}


def _title(operation: type[Operation]) -> str:
    noun, _, verb = operation.verb.rpartition(" ")
    return f"{_TITLES.get(verb, verb.capitalize())} {noun}".strip()


async def _subject(operation: type[Operation], table: Table, args: Mapping[str, str], ctx: Context) -> Ref:
    named = reference(args["record"])

    def again(text: str) -> Press:
        return Press(do=Do.FORM, verb=operation.verb, args={**args, "record": text}, key=ctx.key)

    wanted = Wanted(
        named=named,
        targets=(table.logical,),
        label=(operation.noun() or "record").capitalize(),
        again=again,
        closed=True,
    )
    return await resolve(ctx, wanted)
