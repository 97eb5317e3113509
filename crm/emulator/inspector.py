"""Pages at /_emulator/ for people who want to see what is in the emulator: tables, rows, recent requests.

They only read.
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from .catalog import Column, Table
from .control import ROOT
from .inspector_log import people, requests
from .markup import HEADERS, STYLE, link, page, sheet, soft, tag, text
from .organization import ADMIN_ID, ROOT_UNIT_ID
from .render import FORMATTED, LOGICAL_NAME, fetch_names, readable_columns, render_rows
from .session import Caller, Session
from .sqlite_tables import quote
from .store import Transaction
from .text import fold
from .values import parse_guid
from .wire import Prefer

if TYPE_CHECKING:
    from .server import Emulator

PAGE = 50
_EVERYTHING = Prefer(annotations="*")
_SHOWN = 6
_DULL = frozenset({
    "createdby", "createdonbehalfby", "modifiedby", "modifiedonbehalfby", "createdon", "modifiedon", "versionnumber",
    "importsequencenumber", "overriddencreatedon", "timezoneruleversionnumber", "utcconversiontimezonecode",
    "owninguser", "owningteam", "owningbusinessunit", "exchangerate", "transactioncurrencyid",
})  # fmt: skip
"""Columns that tell little in a list of rows."""

T = TypeVar("T")
Record = Mapping[str, Any]


class Inspector:
    """The pages over one emulator."""

    def __init__(self, emulator: "Emulator") -> None:
        self.emulator = emulator

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(ROOT, self.home),
            web.get(f"{ROOT}/", self.home),
            web.get(f"{ROOT}/inspector.css", self.style),
            web.get(f"{ROOT}/log", self.log),
            web.get(ROOT + "/tables/{table}", self.table),
            web.get(ROOT + "/tables/{table}/{id}", self.row),
            web.get("/main.aspx", self.record),
        ]

    async def style(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text=STYLE, content_type="text/css", headers=HEADERS)

    async def home(self, request: web.Request) -> web.Response:
        """Tables with their row counts, and the newest requests."""
        del request
        counts = await self._read(_counts)
        rows = [
            tag("tr", tag("td", link(_label(table), f"tables/{table.logical_name}"), " ", soft(table.entity_set)),
                tag("td", text(f"{count:,}"), kind="number" if count else "number soft"))
            for table, count in counts
        ]  # fmt: skip
        tables = sheet(("Table", "Rows"), rows, numbers=(1,))
        newest = requests(self.emulator.requests.entries[-25:][::-1], await self._read(people))
        more = tag("p", link("All recent requests", "log"))
        body = tag(
            "div",
            tag("section", tag("h2", text("Tables")), tables),
            tag("section", tag("h2", text("Recent requests")), newest, more),
            kind="split",
        )
        return page("Dataverse emulator", body, self._place())

    async def log(self, request: web.Request) -> web.Response:
        """The newest 500 requests."""
        del request
        log = self.emulator.requests
        heading = tag("h1", text("Recent requests")), tag("p", text(f"{log.total:,} since the count began"))
        newest = requests(log.entries[-500:][::-1], await self._read(people))
        return page("Recent requests", "".join(heading) + newest, self._place())

    async def table(self, request: web.Request) -> web.Response:
        """One page of a table's rows, newest first, of those whose name contains `q`."""
        table = self._table(request)
        number = _page_number(request.query.get("page", ""))
        wanted = request.query.get("q", "")[:200]
        total, records = await self._read(lambda session: _rows(session, table, number, wanted))
        name = table.columns.get(table.primary_name)
        columns = _telling(table, records)
        head = [_column_label(name) if name else "Row", *map(_column_label, columns)]
        rows = []
        for record in records:
            key = record[table.primary_id]
            first = tag("td", link(_shown(record, name) or key, f"tables/{table.logical_name}/{key}"))
            cells = (
                tag("td", _cell(record, column), kind="number" if _is_number(column) else "") for column in columns
            )
            rows.append(tag("tr", first, *cells))
        numbers = [place for place, column in enumerate(columns, 1) if _is_number(column)]
        heading = (
            tag("h1", text(_label(table, plural=True))),
            tag("p", text(f"{table.logical_name} · {total:,} {'row' if total == 1 else 'rows'}")),
        )
        found = sheet(head, rows, kind="rows", numbers=numbers) if rows else tag("p", text("There is nothing here."))
        body = "".join(heading) + _pager(table, number, total, wanted, searchable=name is not None) + found
        return page(_label(table, plural=True), body, self._place())

    async def record(self, request: web.Request) -> web.Response:
        """A record's address in Dynamics 365 leads to its row: `/main.aspx?pagetype=entityrecord&etn=lead&id=…`."""
        table, key = request.query.get("etn", ""), parse_guid(request.query.get("id", ""))
        if self.emulator.service.store.catalog.get(table) is None or key is None:
            raise _missing("This address names no record: /main.aspx?pagetype=entityrecord&etn=<table>&id=<id>.")
        raise web.HTTPFound(f"{ROOT}/tables/{table}/{key}")

    async def row(self, request: web.Request) -> web.Response:
        """One row with all its columns."""
        table = self._table(request)
        key = parse_guid(request.match_info["id"])
        record = await self._read(lambda session: _row(session, table, key)) if key else None
        if record is None:
            raise _missing("There is no such row; it may have been deleted.")
        columns = readable_columns(table)
        filled = [column for column in columns if record[column.wire_name] is not None]
        empty = [column for column in columns if record[column.wire_name] is None]
        title = _shown(record, table.columns.get(table.primary_name)) or str(key)
        address = f"/api/data/v9.2/{table.entity_set}({key})"
        heading = (
            tag("h1", text(title)),
            tag("p", link(_label(table, plural=True), f"tables/{table.logical_name}"), text(" · "),
                 f'<a href="{escape(address)}"><code>{escape(address)}</code></a>'),
        )  # fmt: skip
        whole = sheet(("Column", "Value", "Stored as"), [_detail(record, column) for column in filled])
        names = ", ".join(column.wire_name for column in empty)
        rest = (
            f'<details class="sheet"><summary>{len(empty)} empty columns</summary>'
            f"<table><tr><td><code>{escape(names)}</code></td></tr></table></details>"
            if empty
            else ""
        )
        return page(title, "".join(heading) + whole + rest, self._place())

    def _table(self, request: web.Request) -> Table:
        table = self.emulator.service.store.catalog.get(request.match_info["table"])
        if table is None:
            raise _missing("There is no such table.")
        return table

    def _place(self) -> str:
        store = self.emulator.service.store
        return f"{self.emulator.base}/ · {'in memory' if store.memory else store.path}"

    async def _read(self, work: Callable[[Session], T]) -> T:
        service = self.emulator.service

        def read(tx: Transaction) -> T:
            caller = Caller(user_id=ADMIN_ID, business_unit_id=ROOT_UNIT_ID)
            return work(
                Session(tx, caller=caller, security=service.security, rules=service.registry, base=self.emulator.base)
            )

        return await service.store.read(read)


# -- what is read -----------------------------------------------------------------------------------------------


def _counts(session: Session) -> list[tuple[Table, int]]:
    tables = sorted((table for table in session.catalog if not table.is_intersect), key=_label)
    return [
        (table, session.tx.execute(f"SELECT count(*) FROM {quote(table.logical_name)}").fetchone()[0])
        for table in tables
    ]


def _rows(session: Session, table: Table, number: int, wanted: str) -> tuple[int, list[dict[str, Any]]]:
    columns = readable_columns(table)
    name = table.columns.get(table.primary_name)
    condition, values = "", []
    if wanted and name is not None:
        condition, values = f" WHERE instr({quote(name.comparable_name)}, ?)", [fold(wanted)]
    total = session.tx.execute(f"SELECT count(*) FROM {quote(table.logical_name)}{condition}", values).fetchone()[0]
    names = fetch_names(table, columns, _EVERYTHING)
    found = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(table.logical_name)}{condition} "
        f"ORDER BY {quote(table.primary_id)} DESC LIMIT ? OFFSET ?",
        (*values, PAGE, (number - 1) * PAGE),
    )
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return total, render_rows(session, rows, columns, _EVERYTHING)


def _row(session: Session, table: Table, key: str) -> dict[str, Any] | None:
    columns = readable_columns(table)
    names = fetch_names(table, columns, _EVERYTHING)
    row = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(table.logical_name)} WHERE {quote(table.primary_id)} = ?",
        (key,),
    ).fetchone()
    if row is None:
        return None
    return render_rows(session, [dict(zip(names, row, strict=True))], columns, _EVERYTHING)[0]


def _page_number(given: str) -> int:
    """The number in a page's address; 1 for anything that is none."""
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 7 else 1


def _telling(table: Table, records: Sequence[Record]) -> list[Column]:
    """The columns in which these rows differ most from each other and from empty, in the schema's order."""
    columns = [
        column
        for column in readable_columns(table)
        if column.name not in _DULL | {table.primary_id, table.primary_name} and column.base_of is None
    ]

    def weight(column: Column) -> tuple[bool, int]:
        held = [record[column.wire_name] for record in records if record[column.wire_name] is not None]
        return len(set(held)) > 1, len(held)

    best = sorted((column for column in columns if weight(column)[1]), key=weight, reverse=True)[:_SHOWN]
    return [column for column in columns if column in best]


# -- how it looks -----------------------------------------------------------------------------------------------


def _label(table: Table, *, plural: bool = False) -> str:
    labels = table.collection_labels if plural else table.labels
    return labels.get(1033) or table.schema_name


def _column_label(column: Column) -> str:
    return column.labels.get(1033) or column.schema_name


def _is_number(column: Column) -> bool:
    return column.type in {"integer", "bigint", "decimal", "double", "money"}


def _shown(record: Record, column: Column | None) -> str:
    """What people see of a value: its formatted text where there is one."""
    if column is None:
        return ""
    value = record.get(f"{column.wire_name}@{FORMATTED}", record[column.wire_name])
    return "" if value is None else str(value)


def _cell(record: Record, column: Column) -> str:
    """A value as text, a lookup as a link to its row."""
    shown, value = _shown(record, column), record[column.wire_name]
    target = record.get(f"{column.wire_name}@{LOGICAL_NAME}")
    if target and value:
        return link(shown, f"tables/{target}/{value}")
    return text(shown)


def _detail(record: Record, column: Column) -> str:
    value = record[column.wire_name]
    stored = (
        ""
        if _shown(record, column) == str(value)
        else tag("code", text(value if isinstance(value, str) else json.dumps(value)))
    )
    name = tag("th", text(_column_label(column)), tag("br"), soft(f"{column.wire_name} · {column.type}"))
    return tag("tr", name, tag("td", tag("pre", _cell(record, column))), tag("td", stored))


def _pager(table: Table, number: int, total: int, wanted: str, *, searchable: bool) -> str:
    path = f"tables/{table.logical_name}"
    last = max(1, -(-total // PAGE))
    more = {"q": wanted} if wanted else {}
    parts = [link("← Newer", path, page=min(number - 1, last), **more) if number > 1 else ""]
    parts.append(tag("span", text(f"Page {number:,} of {last:,}"), kind="soft") if last > 1 or number > 1 else "")
    parts.append(link("Older →", path, page=number + 1, **more) if number < last else "")
    if searchable:
        parts.append(
            f'<form action="{escape(f"{ROOT}/{path}")}"><input type="search" name="q" value="{escape(wanted)}" '
            'placeholder="Part of the name" aria-label="Part of the name"><button>Find</button></form>'
        )
    return tag("nav", *parts)


def _missing(said: str) -> web.HTTPNotFound:
    return web.HTTPNotFound(text=said, headers=HEADERS)
