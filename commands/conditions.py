"""From the friendly list language to a Dataverse query: words to columns and values by metadata, never by text."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from crm.definitions import ColumnInfo, TableInfo
from crm.languages import language_code
from crm.lifecycle import State, state_number
from crm.payload import find_choice, find_column
from crm.query import Col, Condition, Literal, all_of, any_of, col, lookup
from crm.records import Ref
from crm.tables import TABLES, Column, Kind

from .context import Context
from .errors import BadInput
from .fields import Form, Named, PercentMark, Reading
from .filters import And, Compare, Expr, Flag, Is, Not, Op, Or, Term, compared
from .language import dates, markup
from .language.reading import Unreadable, shown
from .operation import CATALOG, Operation
from .press import Press
from .references import Wanted, resolve
from .values import plain, read, reading
from .view import View

Again = Callable[[str, str], Press]
"""The pending list with one text of its filter replaced by another."""


class Conditions:
    """Turns one person's filter over one table into conditions. `again`: see `Again`."""

    def __init__(self, ctx: Context, view: View, info: TableInfo, again: Again) -> None:
        self._ctx, self._view, self._info, self._again = ctx, view, info, again

    async def of(self, expr: Expr) -> Condition | None:
        """The condition; None where the filter says nothing. Raises BadInput, ValueProblem, Question."""
        match expr:
            case And(parts):
                return await self._joined(parts, all_of)
            case Or(parts):
                return await self._joined(parts, any_of)
            case Not(part):
                inner = await self.of(part)
                return None if inner is None else ~inner
            case Term(text):
                return any_of(col(c.logical).contains(text) for c in self._view.searched)
            case Is(flag):
                return self._flag(flag)
            case Compare(key, op, values):
                return await self._compare(self.column(key), op, values)

    def column(self, word: str) -> ColumnInfo:
        """The column that a person means: our word for it, its logical name or its label. Raises UnknownColumn."""
        known = self._view_column(word)
        return self._info.columns[known] if known in self._info.columns else find_column(self._info, word)

    def _view_column(self, word: str) -> str:
        word = word.casefold().replace(" ", "_").replace("-", "_")
        for name, column in vars(self._view.table).items():
            if isinstance(column, Column) and name == word:
                return column.logical
        for operation in _of_table(self._view):
            for parameter in operation.parameters.values():
                if parameter.column and parameter.column.kind is not Kind.ID and word in parameter.names:
                    return parameter.column.logical
        return {"name": self._view.title.logical, "number": self._view.number.logical if self._view.number else ""}.get(
            word, ""
        )

    async def _joined(self, parts: tuple[Expr, ...], join: Callable[[list[Condition]], Condition]) -> Condition | None:
        conditions = [c for part in parts if (c := await self.of(part)) is not None]
        return join(conditions) if conditions else None

    def _flag(self, flag: Flag) -> Condition:
        match flag:
            case Flag.MINE:
                return col("ownerid").function("EqualUserId")
            case Flag.TEAM:
                return col("ownerid").function("EqualUserTeams")
            case Flag.OPEN:
                return col("statecode") == state_number(self._view.table.logical, State.OPEN)
            case Flag.CLOSED:
                return col("statecode") != state_number(self._view.table.logical, State.OPEN)

    async def _compare(self, column: ColumnInfo, op: Op, texts: tuple[str, ...]) -> Condition:
        if not texts:
            name = _side(column)
            return name == None if op is Op.EQ else name != None  # noqa: E711  conditions, not comparisons
        match op:
            case Op.HAS | Op.HAS_NOT:
                found = any_of([await self._contains(column, text) for text in texts])
                return ~found if op is Op.HAS_NOT else found
            case Op.EQ | Op.NE:
                equal = any_of([await self._equal(column, text) for text in texts])
                return ~equal if op is Op.NE else equal
        return self._ordered(column, op, texts[0])

    async def _contains(self, column: ColumnInfo, text: str) -> Condition:
        if column.kind in {Kind.TEXT, Kind.MULTILINE, Kind.EMAIL, Kind.PHONE, Kind.URL}:
            return col(column.logical).contains(text)
        if column.kind is Kind.CHOICE:
            matching = [
                c.value for c in column.choices if any(text.casefold() in t.casefold() for t in c.labels.values())
            ]
            return (
                any_of([col(column.logical) == value for value in matching])
                if matching
                else await self._equal(column, text)
            )
        if column.kind is Kind.LOOKUP and (named := self._name_of(column)):
            return any_of([col(path).contains(text) for path in named])
        return await self._equal(column, text)

    def _name_of(self, column: ColumnInfo) -> list[str]:
        """Paths to the names of what a lookup may point at and policy does not hide: `customerid_account/name`."""
        seen = {table: nav for table, nav in column.targets.items() if table not in self._ctx.hidden}
        return [f"{nav}/{TABLES[table].primary_name}" for table, nav in seen.items() if table in TABLES]

    async def _equal(self, column: ColumnInfo, text: str) -> Condition:
        if column.kind is Kind.LOOKUP:
            return lookup(column.logical) == await self._referred(column, text)
        if column.kind in {Kind.CHOICE, Kind.BOOLEAN} and column.choices:
            choice = find_choice(self._info, column, text)
            return col(column.logical) == (bool(choice.value) if column.kind is Kind.BOOLEAN else choice.value)
        if column.kind in {Kind.DATE, Kind.DATETIME}:
            begin, end = self._span(column, text)
            return (col(column.logical) >= begin) & (col(column.logical) < end)
        return col(column.logical) == self._value(column, text)

    async def _referred(self, column: ColumnInfo, text: str) -> Ref:
        named = read(column, text, self._ctx)
        if not isinstance(named, Named):
            raise TypeError(f"{column.logical} is no lookup")
        known = self._view.table.columns.get(column.logical)
        wanted = Wanted(
            named=named,
            targets=known.targets if known and known.targets else tuple(column.targets),
            label=column.label(),
            again=lambda chosen: self._again(text, chosen),
            silent=named.form is not Form.ME,
            closed=True,
        )
        return await resolve(self._ctx, wanted)

    def _ordered(self, column: ColumnInfo, op: Op, text: str) -> Condition:
        name = _side(column)
        if column.kind in {Kind.DATE, Kind.DATETIME}:
            begin, end = self._span(column, text)
            match op:
                case Op.GT:
                    return name >= (begin if dates.age(text) else end)
                case Op.GE:
                    return name >= begin
                case Op.LT:
                    return name < begin
            return name < end
        if column.kind in {Kind.LOOKUP, Kind.CHOICE, Kind.CHOICES, Kind.BOOLEAN}:
            raise BadInput(
                f"{column.label()} has no order, so {op} cannot be used with it.", f"Write {column.logical}={text}"
            )
        value = self._value(column, text)
        match op:
            case Op.GT:
                return name > value
            case Op.GE:
                return name >= value
            case Op.LT:
                return name < value
        return name <= value

    def _is_past(self, column: ColumnInfo) -> bool:
        """What Dataverse records lies behind us, and what has happened; what people plan lies ahead."""
        known = self._view.table.columns.get(column.logical)
        return (known is not None and known.past) or not column.updatable

    # -- in words -----------------------------------------------------------------------------------------------

    def said(self, compare: Compare) -> str:
        """The comparison as it was understood, for a filter that `of` has taken."""
        column = self.column(compare.key)
        if compare.values and column.kind in {Kind.DATE, Kind.DATETIME}:
            return f"{compare.key} {' or '.join(self._when(column, compare.op, text) for text in compare.values)}"
        if compare.op in {Op.EQ, Op.NE} and column.kind in {Kind.CHOICE, Kind.BOOLEAN} and column.choices:
            language = language_code(self._ctx.principal.locale)
            found = [find_choice(self._info, column, text).label(language) for text in compare.values]
            return compared(compare, found)
        return compared(compare, [shown(markup.plain(text)) for text in compare.values])

    def _when(self, column: ColumnInfo, op: Op, text: str) -> str:
        age = dates.age(text)
        if age and self._is_past(column) and op not in {Op.EQ, Op.NE}:
            number, unit = age
            span = f"{number} {unit}s" if number != 1 else unit
            return (
                f"in the last {span}" if op in {Op.GT, Op.GE} else f"more than {number} {unit}{'s' * (number != 1)} ago"
            )
        begin, end = self._span(column, text)
        days = not isinstance(begin, datetime) or end - begin >= timedelta(days=1)
        first = _moment(begin)
        last = _moment(end - timedelta(days=1)) if days else first
        match op:
            case Op.GT:
                return f"from {first} on" if age else f"after {last}"
            case Op.GE:
                return f"from {first} on"
            case Op.LT:
                return f"before {first}"
            case Op.LE:
                return f"until {last}"
        during = first if first == last else f"from {first} to {last}"
        return f"is {'not ' if op is Op.NE else ''}{during}"

    def _value(self, column: ColumnInfo, text: str) -> Literal:
        value = plain(read(column, text, self._ctx, percent=self._in_percent(column)))
        return value if isinstance(value, str | int | Decimal | date | datetime | bool) else str(value)

    def _in_percent(self, column: ColumnInfo) -> bool:
        parameters = (p for operation in _of_table(self._view) for p in operation.parameters.values())
        return any(p.column and p.column.logical == column.logical and p.marked(PercentMark) for p in parameters)

    def _span(self, column: ColumnInfo, text: str) -> tuple[date, date]:
        """The first moment that the text means, and the first one after it."""
        toward: dates.Toward = "past" if self._is_past(column) else "future"
        now = reading(self._ctx)
        try:
            if column.kind is Kind.DATE:
                first, last = dates.span(text, now, toward)
                return first, last + timedelta(days=1)
            if found := dates.days(text, now, toward):
                return _midnight(found.first, now), _midnight(found.last + timedelta(days=1), now)
            moment = dates.instant(text, now, toward)
        except Unreadable as e:
            raise BadInput(f"{column.label()}: {e}") from e
        if moment == _midnight(moment.date(), now):
            return moment, _midnight(moment.date() + timedelta(days=1), now)
        return moment, moment + timedelta(minutes=1)


def replaced(expr: Expr, old: str, new: str) -> Expr:
    """The filter with another text in the place of one value."""
    match expr:
        case And(parts):
            return And(tuple(replaced(p, old, new) for p in parts))
        case Or(parts):
            return Or(tuple(replaced(p, old, new) for p in parts))
        case Not(part):
            return Not(replaced(part, old, new))
        case Compare(key, op, values):
            return Compare(key, op, tuple(new if v == old else v for v in values))
    return expr


def _moment(at: date) -> str:
    clock = "" if not isinstance(at, datetime) or at.time() == time(0) else f" {at:%H:%M}"
    return f"{at.day} {at:%b %Y}{clock}"


def _side(column: ColumnInfo) -> Col:
    return lookup(column.logical) if column.kind is Kind.LOOKUP else col(column.logical)


def _midnight(day: date, now: Reading) -> datetime:
    return datetime.combine(day, time(0), now.zone)


def _of_table(view: View) -> Iterator[type[Operation]]:
    return (op for op in CATALOG.values() if op.table is view.table)
