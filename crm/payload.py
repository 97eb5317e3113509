"""Values as people and programs have them -> the JSON that Dataverse takes, checked against metadata first."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

from rapidfuzz import fuzz, process

from .definitions import Choice, ColumnInfo, TableInfo, fold
from .errors import (
    ReadOnlyColumn,
    UnknownChoice,
    UnknownColumn,
    ValueOutOfRange,
    ValueProblem,
    ValueTooLong,
    WrongType,
)
from .query import instant
from .records import Json, Ref
from .tables import Kind

_NEAREST = 5


def nearest(word: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names that look most like the word, best first; empty when none is near."""
    found = process.extract(
        fold(word), list(names), processor=fold, scorer=fuzz.WRatio, limit=_NEAREST, score_cutoff=60
    )
    return tuple(name for name, _, _ in found)


def listed(names: Iterable[str], conjunction: str = "or") -> str:
    """`a, b or c`."""
    *most, last = names
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def find_column(table: TableInfo, word: str, language: int = 1033) -> ColumnInfo:
    """The column of this logical name, schema name or label in any language. Raises UnknownColumn."""
    found = table.columns.get(word) or next(iter(table.words.get(fold(word), ())), None)
    if found:
        return found
    names = {column.label(language): column.logical for column in table.columns.values() if column.labels}
    near = nearest(word, [*names, *table.columns])
    hint = f" Did you mean {listed(near)}?" if near else ""
    raise UnknownColumn(
        f"{table.label(language)} has no column called {word!r}.{hint}",
        table=table.logical,
        column=word,
        value=word,
        allowed=near,
    )


def find_choice(table: TableInfo, column: ColumnInfo, value: object, language: int = 1033) -> Choice:
    """The choice with this number, label (any language) or unambiguous beginning of a label. Raises UnknownChoice."""
    labels = [choice.label(language) for choice in column.choices]
    if isinstance(value, int):
        by_number = column.choice(int(value))
        if by_number:
            return by_number
    word = fold(str(value))
    by_label = [c for c in column.choices if any(fold(label) == word for label in c.labels.values())]
    if by_label:
        return by_label[0]
    if word.isdecimal() and (numbered := column.choice(int(word))):
        return numbered
    begins = [c for c in column.choices if word and any(fold(text).startswith(word) for text in c.labels.values())]
    if len(begins) == 1:
        return begins[0]
    if begins:
        several = tuple(choice.label(language) for choice in begins)
        sentence = f"{value!r} may be {listed(several)}; which {column.label(language)} is it?"
        allowed = several
    else:
        near = nearest(str(value), labels)
        allowed = near + tuple(label for label in labels if label not in near)
        sentence = f"{column.label(language)} cannot be {value!r}. It may be {listed(allowed[:12])}."
    raise UnknownChoice(
        sentence,
        table=table.logical,
        column=column.logical,
        label=column.label(language),
        value=value,
        allowed=allowed,
    )


class PayloadBuilder:
    """Turns values into wire JSON for one table. `entity_sets` gives the set of every table that may be referred to."""

    def __init__(
        self, table: TableInfo, entity_sets: Mapping[str, str], *, for_update: bool, language: int = 1033
    ) -> None:
        self._table = table
        self._entity_sets = entity_sets
        self._for_update = for_update
        self._language = language

    def build(self, values: Mapping[str, object]) -> dict[str, Json]:
        """The payload. Keys are logical names, schema names or labels; None clears. Raises a ValueProblem."""
        payload: dict[str, Json] = {}
        seen: dict[str, str] = {}
        for word, value in values.items():
            column = find_column(self._table, word, self._language)
            if column.logical in seen:
                raise self._problem(
                    ValueProblem, column, value, f"is given twice, as {seen[column.logical]!r} and as {word!r}."
                )
            seen[column.logical] = word
            self._check_writable(column)
            if column.kind is Kind.LOOKUP:
                payload.update(self._bind(column, value))
            else:
                payload[column.logical] = None if value is None else self._scalar(column, value)
        return payload

    def _problem(
        self, cls: type[ValueProblem], column: ColumnInfo, value: object, says: str, allowed: tuple[str, ...] = ()
    ) -> ValueProblem:
        label = column.label(self._language)
        return cls(
            f"{label} {says}",
            table=self._table.logical,
            column=column.logical,
            label=label,
            value=value,
            allowed=allowed,
        )

    def _check_writable(self, column: ColumnInfo) -> None:
        if not (column.updatable if self._for_update else column.creatable):
            moment = "changed" if self._for_update else "set when creating"
            raise self._problem(ReadOnlyColumn, column, None, f"cannot be {moment}; Dataverse keeps it itself.")

    def _bind(self, column: ColumnInfo, value: object) -> dict[str, Json]:
        targets = column.targets
        if value is None:
            # One null empties the lookup, whichever table it points at.
            return {f"{navigation}@odata.bind": None for navigation in list(targets.values())[:1]}
        if not isinstance(value, Ref):
            value = self._sole_target(column, value)
        navigation = targets.get(value.table)
        entity_set = self._entity_sets.get(value.table)
        if navigation is None or entity_set is None:
            allowed = tuple(targets)
            raise self._problem(
                WrongType, column, value, f"cannot point at a row of {value.table}, only of {listed(allowed)}.", allowed
            )
        return {f"{navigation}@odata.bind": value.path(entity_set)}

    def _sole_target(self, column: ColumnInfo, value: object) -> Ref:
        try:
            row = value if isinstance(value, UUID) else UUID(str(value))
        except ValueError:
            raise self._problem(WrongType, column, value, f"needs a row, and {value!r} is not one.") from None
        if len(column.targets) != 1:
            raise self._problem(
                WrongType, column, value, f"may point at {listed(column.targets)}: say which.", tuple(column.targets)
            )
        return Ref(next(iter(column.targets)), row)

    def _scalar(self, column: ColumnInfo, value: object) -> Json:
        match column.kind:
            case Kind.CHOICE:
                return find_choice(self._table, column, value, self._language).value
            case Kind.CHOICES:
                items = value.split(",") if isinstance(value, str) else value
                several = items if isinstance(items, (list, tuple, set, frozenset)) else [items]
                numbers = [find_choice(self._table, column, item, self._language).value for item in several]
                return ",".join(map(str, dict.fromkeys(numbers))) or None
            case Kind.BOOLEAN:
                return self._boolean(column, value)
            case Kind.INTEGER | Kind.DECIMAL | Kind.MONEY:
                return self._number(column, value)
            case Kind.DATE | Kind.DATETIME:
                return self._moment(column, value)
            case Kind.ID:
                try:
                    return str(UUID(str(value)))
                except ValueError:
                    raise self._problem(WrongType, column, value, f"needs an id, not {value!r}.") from None
        return self._text(column, value)

    def _text(self, column: ColumnInfo, value: object) -> str:
        if not isinstance(value, (str, int, float, Decimal, UUID)):
            raise self._problem(WrongType, column, value, f"needs a text, not {value!r}.")
        text = str(value)
        # Dataverse counts UTF-16 units, as .NET strings do.
        length = len(text.encode("utf-16-le")) // 2
        if column.max_length is not None and length > column.max_length:
            raise self._problem(
                ValueTooLong, column, value, f"holds at most {column.max_length} characters; this has {length}."
            )
        return text

    def _boolean(self, column: ColumnInfo, value: object) -> bool:
        if isinstance(value, bool):
            return value
        if column.choices:
            return bool(find_choice(self._table, column, value, self._language).value)
        if fold(str(value)) in {"true", "yes", "1"}:
            return True
        if fold(str(value)) in {"false", "no", "0"}:
            return False
        raise self._problem(WrongType, column, value, f"is yes or no, not {value!r}.", ("yes", "no"))

    def _number(self, column: ColumnInfo, value: object) -> int | float:
        try:
            number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("nan")
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite():
            raise self._problem(WrongType, column, value, f"needs a number, not {value!r}.")
        whole = number == number.to_integral_value()
        if column.kind is Kind.INTEGER and not whole:
            raise self._problem(WrongType, column, value, f"needs a whole number, not {value}.")
        low, high = column.minimum, column.maximum
        if (low is not None and number < Decimal(str(low))) or (high is not None and number > Decimal(str(high))):
            between = f"must lie between {_plain(low)} and {_plain(high)}; {value} does not."
            raise self._problem(ValueOutOfRange, column, value, between)
        return int(number) if whole else float(number)

    def _moment(self, column: ColumnInfo, value: object) -> str:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value) if "T" in value or ":" in value else date.fromisoformat(value)
            except ValueError:
                raise self._problem(WrongType, column, value, f"needs a date, not {value!r}.") from None
        if not isinstance(value, date):
            raise self._problem(WrongType, column, value, f"needs a date, not {value!r}.")
        if column.kind is Kind.DATE:
            day = value.date() if isinstance(value, datetime) else value
            return day.isoformat() if column.date_only else f"{day.isoformat()}T00:00:00Z"
        return instant(value) if isinstance(value, datetime) else f"{value.isoformat()}T00:00:00Z"


def _plain(bound: float | None) -> str:
    """A bound without an exponent; the other side of an open range."""
    return "any number" if bound is None else f"{Decimal(str(bound)):,f}".removesuffix(".0")
