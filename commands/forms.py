"""From an operation to the form that asks for it, and from what was typed into it back to a command.

The organisation's metadata decides labels, lengths, choices and what is required; the declaration decides which fields
there are. What was typed before stands in the fields again, whatever was wrong with it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from crm.definitions import ColumnInfo, Required, TableInfo
from crm.errors import UnknownChoice, ValueProblem
from crm.languages import language_code
from crm.metadata import Metadata
from crm.payload import PayloadBuilder, find_choice, find_column
from crm.records import Ref, Row
from crm.tables import TABLES, Kind, Table

from .cards import Form, Input, InputKind, Option, Submission
from .context import Context
from .errors import BadInput
from .fields import ColumnsMark, Money, Named
from .language.references import reference
from .operation import CATALOG, Operation, Parameter
from .press import Do, Press
from .references import Wanted, resolve, suggestions
from .values import read, typed
from .views import VIEWS

__all__ = ["Form", "filled", "form", "missing", "problems", "suggest"]

_FIRST = 8
"""Fields on the first form; what is required or was said comes in addition."""
_ALL = "+all"
"""In the arguments of *More fields*: show every field."""
_WAS = "was:"
"""Before the name of a field: what stood in it when the form was shown."""
_HIDDEN: Final = {"record", "user_id", "clear", "quote"}
_KINDS: Final = {
    Kind.DECIMAL: InputKind.NUMBER,
    Kind.INTEGER: InputKind.NUMBER,
    Kind.ID: InputKind.TEXT,
}
_DERIVED: Final = {"statecode", "ownerid", "transactioncurrencyid", "pricelevelid"}
"""Required columns that Dataverse or the operation fills in by itself."""


# -- asking -----------------------------------------------------------------------------------------------------


async def form(operation: type[Operation], args: Mapping[str, str], ctx: Context) -> Form:
    """The form of an operation, filled with `args` and, for a change, with what the record holds.

    Raises Question where `args` leave open which record is meant, NotFound where it is gone.
    """
    given = dict(args)
    everything = bool(given.pop(_ALL, ""))
    fixed = {name: given.pop(name) for name in list(given) if name in _HIDDEN and name != "clear"}
    info = await ctx.crm.metadata.table(operation.table.logical) if operation.table else None
    etag = "" if ctx.etag == "*" else ctx.etag
    subject, row = None, None
    if "record" in fixed and operation.table:
        subject = await _subject(operation, operation.table, fixed, ctx)
        fixed["record"] = str(subject.id)
        row = await ctx.crm.get(subject) if _changes(operation) else None
        etag = etag or (row.etag if row and row.etag else "")
    language = language_code(ctx.principal.locale)
    maker = _Maker(operation, info, subject, row, _said(operation, info, given), language, ctx)
    inputs = list(maker.inputs())
    first = [i for n, i in enumerate(inputs) if n < _FIRST or i.required or i.value or i.problem]
    shown = inputs if everything or len(inputs) <= len(first) + 1 else first
    was = {f"{_WAS}{i.name}": i.value for i in shown if i.value or _changes(operation)} if row else {}
    press = Press(
        do=Do.SUBMIT, verb=operation.verb, args={**fixed, **was}, key=ctx.key, etag=etag, owner=ctx.principal.key
    )
    more = None
    if len(shown) < len(inputs):
        args_more = {**fixed, **was, _ALL: "yes"}
        more = Press(do=Do.FORM, verb=operation.verb, args=args_more, key=ctx.key, etag=etag, owner=ctx.principal.key)
    return Form(
        title=_title(operation),
        intro=operation.summary(),
        submit=press,
        submit_label=_SUBMIT.get(operation.verb.rpartition(" ")[2], "Save"),
        inputs=tuple(shown),
        more=more,
        badge=ctx.org,
    )


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
        if operation and _changes(operation):
            if value == was.get(name, "").strip():
                continue
            if not value:
                cleared.append(name)
        if value:
            (args if operation is None or name in operation.parameters else columns)[name] = value
    if columns and operation and (field := _columns_field(operation)):
        args[field] = json.dumps(columns, ensure_ascii=False)
    if cleared:
        args["clear"] = ",".join(cleared)
    return args


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
    """Fields that must be asked for before this can run; empty where nothing is missing (or metadata is not loaded)."""
    kind = type(operation)
    given = {name for name in operation.given() if getattr(operation, name) not in (None, {})} - _HIDDEN
    if _changes(kind):
        return [] if given or getattr(operation, "clear", None) else ["columns"]
    if not _creates(kind) or getattr(operation, "quote", True) is None:
        return []
    info = metadata.known(kind.table.logical) if kind.table else None
    columns = {p.column.logical for name in given if (p := kind.parameters.get(name)) and p.column}
    if info:
        columns |= {find_column(info, word).logical for word in getattr(operation, "columns", {})}
        if "primarycontactid" in columns or "parentcontactid" in columns:
            columns.add("customerid")
        return [c.logical for c in _required(kind, info) if c.logical not in columns]
    return [] if given else ["columns"]


def problems(operation: Operation, metadata: Metadata) -> dict[str, str]:
    """What the organisation's metadata says against the values, by field: an unknown choice, a text too long."""
    kind = type(operation)
    info = metadata.known(kind.table.logical) if kind.table else None
    found: dict[str, str] = {}
    if info is None or not (_creates(kind) or _changes(kind)):
        return found
    builder = PayloadBuilder(info, {}, for_update=_changes(kind))
    for name, value in operation.given().items():
        column = kind.parameters[name].column
        if column is None or column.kind is Kind.ID or value is None or isinstance(value, Named):
            continue
        try:
            builder.build({column.logical: value.value if isinstance(value, Money) else value})
        except ValueProblem as e:
            found[name] = e.message
    return found


def _required(operation: type[Operation], info: TableInfo) -> Iterator[ColumnInfo]:
    """Columns that this organisation asks people to fill in when they create a record."""
    number = operation.table.number if operation.table else None
    for column in info.columns.values():
        if column.required in {Required.APPLICATION, Required.SYSTEM} and column.creatable:
            derived = column.logical in _DERIVED or column.logical == number or column.logical == info.primary_id
            if not derived and column.kind not in {Kind.BOOLEAN, Kind.ID}:
                yield column


# -- the parts of a form ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the inputs of one form."""

    operation: type[Operation]
    info: TableInfo | None
    subject: Ref | None
    """The record that it is about, where it is about one and that is known."""
    row: Row | None
    """What that record holds, where it is to be changed."""
    said: Mapping[str, str]
    language: int
    ctx: Context

    def inputs(self) -> Iterator[Input]:
        required = {c.logical for c in self._required()}
        named = set()
        parameters = [p for p in self.operation.parameters.values() if p.name not in _HIDDEN and not _is_columns(p)]
        if "record" in self.operation.parameters and not self.subject:
            yield self._input(self.operation.parameters["record"], None, required=True)
        ordered = sorted(parameters, key=lambda p: not self._must(p, required))
        for parameter in ordered:
            column = self._column(parameter)
            if column and not self._writable(column):
                continue
            if column:
                named.add(column.logical)
            if column and column.kind is Kind.CHOICE and len(column.choices) < 2:
                continue
            yield self._input(parameter, column, required=self._must(parameter, required))
        yield from self._further(required - named, named)

    def _required(self) -> Iterator[ColumnInfo]:
        if self.info and _creates(self.operation):
            yield from _required(self.operation, self.info)

    def _must(self, parameter: Parameter, required: set[str]) -> bool:
        return parameter.required or bool(parameter.column and parameter.column.logical in required)

    def _column(self, parameter: Parameter) -> ColumnInfo | None:
        if self.info is None or parameter.column is None or parameter.column.table != self.info.logical:
            return None
        return self.info.columns.get(parameter.column.logical)

    def _writable(self, column: ColumnInfo) -> bool:
        return column.updatable if _changes(self.operation) else column.creatable

    def _further(self, required: set[str], named: set[str]) -> Iterator[Input]:
        """Columns that the operation does not name: required ones, what was said, and what settings add."""
        if self.info is None or _columns_field(self.operation) is None:
            return
        view = VIEWS.get(self.info.logical)
        asked = [c for c in self.said if c in self.info.columns]
        for logical in dict.fromkeys((*required, *asked, *(view.form_columns if view else ()))):
            column = self.info.columns.get(logical)
            if column and logical not in named and self._writable(column):
                yield self._input(None, column, required=logical in required)

    def _input(self, parameter: Parameter | None, column: ColumnInfo | None, *, required: bool) -> Input:
        name = parameter.name if parameter else column.logical if column else ""
        kind = column.kind if column else parameter.kind if parameter else Kind.TEXT
        if parameter and parameter.kind is Kind.LOOKUP:
            kind = Kind.LOOKUP
        value, label, problem = self._value(name, column)
        usual = parameter.label if parameter else name
        return Input(
            name=name,
            label=column.label(self.language) if column and column.labels else usual,
            kind=_KINDS.get(kind) or InputKind(kind.value),
            required=required,
            value=value,
            value_label=label,
            hint=parameter.help if parameter else "",
            max_length=column.max_length if column else None,
            options=tuple(self._options(column)) if column and kind in {Kind.CHOICE, Kind.CHOICES} else (),
            problem=problem,
        )

    def _options(self, column: ColumnInfo) -> Iterator[Option]:
        # Status reasons belong to a state; only those of the present one can be chosen.
        state = self.row.get("statecode") if self.row else 0
        for choice in column.choices:
            if choice.state is None or choice.state == state:
                yield Option(choice.label(self.language), str(choice.value))

    def _value(self, name: str, column: ColumnInfo | None) -> tuple[str, str, str]:
        """What stands in the field, how it is called (lookups), and what is wrong with it."""
        if name in self.said:
            return self._typed(self.said[name], column)
        if self.row is None or column is None:
            return "", "", ""
        if column.kind is Kind.LOOKUP:
            ref = self.row.lookup(column.logical)
            return (self._path(ref), ref.name or "", "") if ref else ("", "", "")
        return typed(column, self.row.get(column.logical)), "", ""

    def _path(self, ref: Ref) -> str:
        info = self.ctx.crm.metadata.known(ref.table)
        return ref.path(info.entity_set if info else TABLES[ref.table].entity_set if ref.table in TABLES else ref.table)

    def _typed(self, text: str, column: ColumnInfo | None) -> tuple[str, str, str]:
        if column is None or not text:
            return text, text, ""
        try:
            if column.kind is Kind.CHOICE and self.info:
                return str(find_choice(self.info, column, text, self.language).value), "", ""
            value = read(column, text, self.ctx)
        except UnknownChoice as e:
            return text, "", e.message
        except BadInput as e:
            return text, "", e.problems.get(column.logical, e.sentence)
        if column.kind is Kind.BOOLEAN and self.info:
            return ("yes" if find_choice(self.info, column, text).value else "no"), "", ""
        if isinstance(value, Named):
            return text, text, ""
        return (str(value) if isinstance(value, Money | str) else typed(column, value)), "", ""


_SUBMIT: Final = {"create": "Create", "update": "Save", "note": "Add note", "assign": "Assign", "resolve": "Resolve"}


def _title(operation: type[Operation]) -> str:
    noun, _, verb = operation.verb.rpartition(" ")
    return f"{'Edit' if verb == 'update' else verb.capitalize()} {noun}".strip()


def _creates(operation: type[Operation]) -> bool:
    return operation.verb.endswith((" create", " capture"))


def _changes(operation: type[Operation]) -> bool:
    return operation.verb.endswith(" update")


def _is_columns(parameter: Parameter) -> bool:
    return any(isinstance(m, ColumnsMark) for m in parameter.field.metadata)


def _columns_field(operation: type[Operation]) -> str | None:
    return next((p.name for p in operation.parameters.values() if _is_columns(p)), None)


def _said(operation: type[Operation], info: TableInfo | None, args: Mapping[str, str]) -> dict[str, str]:
    """What was typed, by the name of its input; what was emptied stands there as empty."""
    said = dict(args)
    field = _columns_field(operation)
    further = json.loads(said.pop(field)) if field and field in said else {}
    for word, text in further.items():
        said[find_column(info, word).logical if info else word] = text
    for name in filter(None, said.pop("clear", "").split(",")):
        said[name.strip()] = ""
    return said


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
