"""The inputs of a form: one for each field of the operation, and for further columns, with what stands in them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from crm.definitions import ColumnInfo, Required, TableInfo
from crm.errors import UnknownChoice
from crm.payload import find_choice, find_column
from crm.records import Ref, Row
from crm.tables import TABLES, Kind

from .cards import Input, InputKind, Option
from .context import Context
from .errors import BadInput
from .fields import ColumnsMark, Money, Named, PercentMark
from .operation import Operation, Parameter
from .values import read, typed
from .views import VIEWS

_KINDS: Final = {
    Kind.DECIMAL: InputKind.NUMBER,
    Kind.INTEGER: InputKind.NUMBER,
    Kind.ID: InputKind.TEXT,
}
HIDDEN: Final = {"record", "user_id", "env", "clear", "quote"}
"""Fields that no person types: they are carried by the form, or are ours."""
_DERIVED: Final = {"statecode", "ownerid", "transactioncurrencyid", "pricelevelid"}
"""Required columns that Dataverse or the operation fills in by itself."""


@dataclass(frozen=True, slots=True)
class InputMaker:
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
        """What must be filled in first, then in order of declaration."""
        required = {c.logical for c in self._required()}
        named = set()
        parameters = [p for p in self.operation.parameters.values() if p.name not in HIDDEN and not _is_columns(p)]
        if "record" in self.operation.parameters and not self.subject:
            yield self._input(self.operation.parameters["record"], None, required=True)
        ordered = sorted(parameters, key=lambda p: not self._must(p, required))
        for parameter in ordered:
            column = self._column(parameter)
            if column and not self._writable(column):
                continue
            if column:
                named.add(column.logical)
            if column and _leaves_no_choice(column):
                continue
            yield self._input(parameter, column, required=self._must(parameter, required))
        yield from self._further(required - named, named)

    def _required(self) -> Iterator[ColumnInfo]:
        if self.info and creates(self.operation):
            yield from required_columns(self.operation, self.info)

    def _must(self, parameter: Parameter, required: set[str]) -> bool:
        return parameter.required or bool(parameter.column and parameter.column.logical in required)

    def _column(self, parameter: Parameter) -> ColumnInfo | None:
        if self.info is None or parameter.column is None or parameter.column.table != self.info.logical:
            return None
        return self.info.columns.get(parameter.column.logical)

    def _writable(self, column: ColumnInfo) -> bool:
        return column.updatable if changes(self.operation) else column.creatable

    def _further(self, required: set[str], named: set[str]) -> Iterator[Input]:
        """Columns that the operation does not name: required ones, what was said, and what settings add."""
        if self.info is None or columns_field(self.operation) is None:
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
        value, label, problem = self._value(name, column, percent=bool(parameter and parameter.marked(PercentMark)))
        usual = parameter.label if parameter else name
        shown = column.label(self.language) if column and column.labels else usual
        hint = parameter.help if parameter else ""
        return Input(
            name=name,
            label=shown,
            kind=_KINDS.get(kind) or InputKind(kind.value),
            required=required,
            value=value,
            value_label=label,
            hint=hint if hint.rstrip(".").casefold() != shown.casefold() else "",  # "Last Name": "Last name."
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

    def _value(self, name: str, column: ColumnInfo | None, *, percent: bool) -> tuple[str, str, str]:
        """What stands in the field, how it is called (lookups), and what is wrong with it."""
        if name in self.said:
            return self._typed(self.said[name], column, percent=percent)
        if self.row is None or column is None:
            return "", "", ""
        if column.kind is Kind.LOOKUP:
            ref = self.row.lookup(column.logical)
            return (self._path(ref), ref.name or "", "") if ref else ("", "", "")
        return typed(column, self.row.get(column.logical)), "", ""

    def _path(self, ref: Ref) -> str:
        info = self.ctx.crm.metadata.known(ref.table)
        return ref.path(info.entity_set if info else TABLES[ref.table].entity_set if ref.table in TABLES else ref.table)

    def _typed(self, text: str, column: ColumnInfo | None, *, percent: bool) -> tuple[str, str, str]:
        if column is None or not text:
            return text, text, ""
        try:
            if column.kind is Kind.CHOICE and self.info:
                return str(find_choice(self.info, column, text, self.language).value), "", ""
            value = read(column, text, self.ctx, percent=percent)
        except UnknownChoice as e:
            return text, "", e.message
        except BadInput as e:
            return text, "", e.problems.get(column.logical, e.sentence)
        if column.kind is Kind.BOOLEAN and self.info:
            return ("yes" if find_choice(self.info, column, text).value else "no"), "", ""
        if isinstance(value, Named):
            return text, text, ""
        return (str(value) if isinstance(value, Money | str) else typed(column, value)), "", ""


def _leaves_no_choice(column: ColumnInfo) -> bool:
    """A choice of one or none is not asked for."""
    return column.kind is Kind.CHOICE and len(column.choices) < 2


def required_columns(operation: type[Operation], info: TableInfo) -> Iterator[ColumnInfo]:
    """Columns that this organisation asks people to fill in when they create a record."""
    number = operation.table.number if operation.table else None
    for column in info.columns.values():
        if column.required in {Required.APPLICATION, Required.SYSTEM} and column.creatable:
            derived = column.logical in _DERIVED or column.logical == number or column.logical == info.primary_id
            if not derived and column.kind not in {Kind.BOOLEAN, Kind.ID} and not _leaves_no_choice(column):
                yield column


def creates(operation: type[Operation]) -> bool:
    """Whether it makes a record."""
    return operation.verb.endswith((" create", " capture"))


def changes(operation: type[Operation]) -> bool:
    """Whether it changes columns of a record."""
    return operation.verb.endswith(" update")


def _is_columns(parameter: Parameter) -> bool:
    return any(isinstance(m, ColumnsMark) for m in parameter.field.metadata)


def columns_field(operation: type[Operation]) -> str | None:
    """The field that takes columns which the operation does not name."""
    return next((p.name for p in operation.parameters.values() if _is_columns(p)), None)


def said_inputs(operation: type[Operation], info: TableInfo | None, args: Mapping[str, str]) -> dict[str, str]:
    """What was typed, by the name of its input; what was emptied stands there as empty."""
    said = dict(args)
    field = columns_field(operation)
    further = json.loads(said.pop(field)) if field and field in said else {}
    for word, text in further.items():
        said[find_column(info, word).logical if info else word] = text
    for name in filter(None, said.pop("clear", "").split(",")):
        said[name.strip()] = ""
    return said
