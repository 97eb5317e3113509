"""Tables of the organisation's own, and columns that settings add: the same verbs, declared from metadata, no code."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from commands import nouns
from commands.fields import Reference
from commands.operation import CATALOG, Accepts, Operation, hides
from commands.values import TYPES
from commands.view import View, usual_steps
from commands.views import VIEWS, noun_view
from crm.definitions import ColumnInfo, TableInfo
from crm.errors import ValueProblem
from crm.metadata import Metadata
from crm.payload import find_column
from crm.tables import Column, Kind, Table

from .lists import List, Search
from .notes import join
from .records import Create, Get, Update

_FACTS = 12
"""Columns on a card where the settings name none."""
_COMMON = """
    createdon modifiedon createdby modifiedby createdonbehalfby modifiedonbehalfby ownerid owninguser owningteam
    owningbusinessunit statecode statuscode versionnumber importsequencenumber overriddencreatedon exchangerate
    timezoneruleversionnumber utcconversiontimezonecode transactioncurrencyid
"""
_SYSTEM: Final = frozenset(_COMMON.split())
_RESERVED: Final = {"record", "columns", "clear", "user_id", "env", "status", "state", "id"}


class TableProblem(ValueError):
    """A table in the settings cannot join; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTable:
    """What the settings say about a table."""

    logical: str
    noun: str
    """What people call one: `vehicle`."""
    plural: str
    columns: tuple[str, ...] = ()
    """Columns to show and to ask for, by logical name or label, in order; empty: the first dozen."""


class _TableEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    table: str
    noun: str = Field(pattern="[a-z][a-z ]*")
    plural: str = ""
    columns: tuple[str, ...] = ()


class _TablesFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tables: list[_TableEntry] = []
    columns: dict[str, list[str]] = {}


def register_table(info: TableInfo, wanted: CustomTable) -> View:
    """Join a table with create, update, get, list, search, note and assign. Raises TableProblem.

    Call it once at start, with the organisation's metadata at hand.
    """
    if info.primary_name is None:
        raise TableProblem(f"The table {info.logical} has no name column, so its records cannot be named.")
    if wanted.noun in nouns.NOUNS or info.logical in VIEWS:
        raise TableProblem(f"The table {info.logical} or the word {wanted.noun!r} is there already.")
    shown = _columns(info, wanted.columns)
    table = _table(info, shown)
    view = _view(info, table, wanted, shown)
    try:
        nouns.add(nouns.Noun(wanted.noun, wanted.plural, info.logical))
    except ValueError as e:
        raise TableProblem(str(e)) from e
    VIEWS[info.logical] = view
    _declare(view, {name: column for name, column in _named(shown).items() if column.creatable or column.updatable})
    if "ownerid" in table.columns:
        join(view)
    return view


async def join_from_file(path: Path, *organisations: Metadata) -> list[View]:
    """Join what a settings file names, as the first organisation has it that does; the views of the tables that joined.

    Raises TableProblem.

    tables:
      - {table: new_vehicle, noun: vehicle, plural: vehicles, columns: [Plate, new_region]}
    columns:
      lead: [Region]
    """
    try:
        text = await asyncio.to_thread(path.read_text, encoding="utf-8")
        wanted = _TablesFile.model_validate(YAML(typ="safe").load(text) or {})
    except (OSError, YAMLError, ValidationError) as e:
        raise TableProblem(f"{path}: {e}") from e
    # All is read before anything joins, so that it can be tried again from the beginning.
    tables = [(entry, await _found(path, entry.table, organisations)) for entry in wanted.tables]
    joining = {entry.noun: info.logical for entry, info in tables}
    columns = []
    for noun, words in wanted.columns.items():
        view = noun_view(noun)
        logical = view.table.logical if view else joining.get(noun)
        if logical is None:
            raise TableProblem(
                f"{path}: there is no kind of record called {noun!r}; there are {', '.join((*nouns.NOUNS, *joining))}."
            )
        columns.append((await _with_columns(logical, words, organisations), words))
    views = [
        register_table(
            info,
            CustomTable(
                logical=info.logical, noun=entry.noun, plural=entry.plural or f"{entry.noun}s", columns=entry.columns
            ),
        )
        for entry, info in tables
    ]
    for info, words in columns:
        add_columns(info, words)
    return views


async def _with_columns(logical: str, words: Sequence[str], organisations: Sequence[Metadata]) -> TableInfo:
    """The table in the first organisation that has these columns there. Raises TableProblem."""
    *others, last = organisations
    for metadata in others:
        with suppress(TableProblem):
            _columns(info := await metadata.table(logical), tuple(words))
            return info
    _columns(info := await last.table(logical), tuple(words))
    return info


async def _found(path: Path, name: str, organisations: Sequence[Metadata]) -> TableInfo:
    """Raises TableProblem where no organisation has it."""
    *others, last = organisations
    for metadata in others:
        with suppress(ValueProblem):
            return await metadata.find_table(name)
    try:
        return await last.find_table(name)
    except ValueProblem as e:
        raise TableProblem(f"{path}: {e.message}") from e


def unregister_table(view: View) -> None:
    """Take a table out again."""
    for verb in [verb for verb, operation in CATALOG.items() if operation.table is view.table]:
        del CATALOG[verb]
    del VIEWS[view.table.logical]
    noun = nouns.NOUNS.get(view.noun)
    if noun:
        nouns.remove(noun)


def add_columns(info: TableInfo, words: Sequence[str]) -> None:
    """Put further columns on the cards and forms of a table that has a view. Raises TableProblem."""
    view = VIEWS[info.logical]
    columns = _columns(info, tuple(words))
    known = {c.logical for c in view.facts}
    facts = tuple(_column(c, info.logical) for c in columns if c.logical not in known)
    VIEWS[info.logical] = replace(view, facts=view.facts + facts, form_columns=tuple(c.logical for c in columns))


def _columns(info: TableInfo, words: tuple[str, ...]) -> list[ColumnInfo]:
    try:
        if words:
            return [find_column(info, word) for word in words]
    except ValueProblem as e:
        raise TableProblem(f"{info.logical}: {e.message}") from e
    usual = (c for c in info.columns.values() if c.logical not in _SYSTEM and c.kind is not Kind.ID and c.creatable)
    return [c for c in usual if c.logical != info.primary_name][:_FACTS]


def _table(info: TableInfo, shown: Sequence[ColumnInfo]) -> Table:
    own = [info.columns[c] for c in ("statecode", "statuscode", "createdon", "modifiedon") if c in info.columns]
    columns = {c.logical: _column(c, info.logical) for c in (*shown, *own)}
    columns[info.primary_id] = Column(info.primary_id, Kind.ID)
    columns[info.primary_name or ""] = Column(info.primary_name or "")
    if "ownerid" in info.columns:
        columns["ownerid"] = Column("ownerid", Kind.LOOKUP, ("systemuser", "team"))
    attributes = {
        "__doc__": info.label(),
        "logical": info.logical,
        "entity_set": info.entity_set,
        "primary_id": info.primary_id,
        "primary_name": info.primary_name,
        **columns,
    }
    made: Table = type("CustomTable", (Table,), attributes)()
    return made


def _column(column: ColumnInfo, table: str) -> Column:
    return Column(column.logical, column.kind, tuple(column.targets), table)


def _view(info: TableInfo, table: Table, wanted: CustomTable, shown: Sequence[ColumnInfo]) -> View:
    short = [c for c in shown if c.kind is not Kind.MULTILINE]
    columns = table.columns
    return View(
        table=table,
        noun=wanted.noun,
        plural=wanted.plural,
        sample=f"'A {wanted.noun}'",
        title=columns[info.primary_name or ""],
        facts=tuple(columns[c.logical] for c in short)
        + tuple(columns[c] for c in ("ownerid", "createdon") if c in columns),
        wide=tuple(columns[c.logical] for c in shown if c.kind is Kind.MULTILINE),
        listed=tuple(columns[c.logical] for c in short[:3]),
        searched=(columns[info.primary_name or ""],),
        related=tuple(columns[c.logical] for c in short if c.kind is Kind.LOOKUP),
        steps=usual_steps(wanted.noun),
        custom=True,
    )


def _named(columns: Sequence[ColumnInfo]) -> dict[str, ColumnInfo]:
    """Columns by the word that people use: `new_region` is `region`, unless that is taken."""
    named: dict[str, ColumnInfo] = {}
    for column in columns:
        word = column.logical.partition("_")[2] or column.logical
        taken = word in named or word in _RESERVED or hides(word, Update) or not word.isidentifier()
        named[column.logical if taken else word] = column
    return named


def _declare(view: View, columns: dict[str, ColumnInfo]) -> None:
    noun, table = view.noun, view.table
    key = table.columns[table.primary_id]
    fields = dict(_fields(view, columns))
    name = next(iter(fields))
    which = Field(description=f"Which {noun}: its name, id or address in Dynamics, or it.")
    record: dict[str, Any] = {"record": (Annotated[Reference, key, Accepts(noun, "id")], which)}

    def declare(verb: str, doc: str, *bases: type[Operation], words: str, example: str, **more: Any) -> None:
        create_model(
            f"{verb.title()}{noun.title().replace(' ', '')}",
            __base__=bases,
            __doc__=doc,
            __module__=__name__,
            __cls_kwargs__={"verb": f"{noun} {verb}", "table": table, "example": example, "words": words},
            **more,
        )

    declare("create", f"Create {nouns.one(noun)}.", Create, words=name, example=f"{noun} create 'A {noun}'", **fields)
    example = f"{noun} update {view.sample} {name}='Another {noun}'"
    declare("update", f"Change {nouns.one(noun)}.", Update, words="record", example=example, **record, **fields)
    declare("get", f"Show {nouns.one(noun)}.", Get, words="record", example=f"{noun} show {view.sample}", **record)
    declare("list", f"List {view.plural}.", List, words="where", example=f"{noun} list open mine")
    declare("search", f"Find {view.plural} by a part of a name.", Search, words="text", example=f"{noun} search a")


def _fields(view: View, columns: dict[str, ColumnInfo]) -> Iterator[tuple[str, Any]]:
    """Field by name, as `create_model` wants it: the name first."""
    title = view.title
    yield "name", (Annotated[TYPES[Kind.TEXT] | None, title], Field(default=None, description="What it is called."))
    for name, info in columns.items():
        if info.logical != title.logical and name != "name":
            column = view.table.columns[info.logical]
            yield (
                name,
                (Annotated[TYPES[info.kind] | None, column], Field(default=None, description=f"{info.label()}.")),
            )
