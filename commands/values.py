"""Text for any column of the organisation, read by its kind: for columns that no operation names, and for filters."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from crm.definitions import ColumnInfo
from crm.tables import Kind

from .context import Context
from .errors import BadInput
from .fields import (
    Amount,
    ChoiceWord,
    Day,
    Email,
    Instant,
    Integer,
    Memo,
    Money,
    Number,
    Percent,
    Phone,
    Reading,
    Reference,
    Text,
    WebAddress,
    WholePercent,
    YesNo,
)
from .language.money import canonical

TYPES: Final[dict[Kind, Any]] = {
    Kind.TEXT: Text,
    Kind.MULTILINE: Memo,
    Kind.EMAIL: Email,
    Kind.PHONE: Phone,
    Kind.URL: WebAddress,
    Kind.CHOICE: ChoiceWord,
    Kind.CHOICES: Text,
    Kind.LOOKUP: Reference,
    Kind.DATE: Day,
    Kind.DATETIME: Instant,
    Kind.MONEY: Amount,
    Kind.DECIMAL: Number,
    Kind.INTEGER: Integer,
    Kind.BOOLEAN: YesNo,
    Kind.ID: Text,
}
"""The field type that reads a column of this kind."""

_ADAPTERS: Final = {kind: TypeAdapter(cls) for kind, cls in TYPES.items()}
_PERCENTS: Final[dict[Kind, TypeAdapter[Any]]] = {
    Kind.INTEGER: TypeAdapter(WholePercent),
    Kind.DECIMAL: TypeAdapter(Percent),
}


def reading(ctx: Context) -> Reading:
    """How this person writes dates and numbers."""
    return Reading(locale=ctx.principal.locale, timezone=ctx.principal.timezone, now=ctx.now)


def read(column: ColumnInfo, text: str, ctx: Context, *, percent: bool = False) -> Any:
    """The value that the text means in this column. Raises BadInput with a sentence and the column's name.

    `percent`: the column counts in percent, so that `60%` is 60.
    """
    kind = (
        Kind.CHOICE
        if column.kind is Kind.BOOLEAN and len(column.choices) == 2 and not _is_yes_no(text)
        else column.kind
    )
    try:
        adapter = _PERCENTS.get(kind, _ADAPTERS[kind]) if percent else _ADAPTERS[kind]
        return adapter.validate_python(text, context=reading(ctx))
    except ValidationError as e:
        sentence = e.errors()[0]["msg"]
        raise BadInput(f"{column.label()}: {sentence}", problems={column.logical: sentence}) from e


def _is_yes_no(text: str) -> bool:
    try:
        _ADAPTERS[Kind.BOOLEAN].validate_python(text)
    except ValidationError:
        return False
    return True


def plain(value: Any) -> Any:
    """What the payload takes: amounts without their currency."""
    return value.value if isinstance(value, Money) else value


def typed(column: ColumnInfo, raw: Any) -> str:
    """A stored value as the text that reads back as the same value; for filling in forms."""
    if raw is None:
        return ""
    if column.kind is Kind.BOOLEAN:
        return "yes" if raw else "no"
    if column.kind in {Kind.MONEY, Kind.DECIMAL}:
        return canonical(Decimal(str(raw)))
    if column.kind is Kind.DATE:
        return date.fromisoformat(str(raw)[:10]).isoformat()
    if column.kind is Kind.DATETIME:
        return datetime.fromisoformat(str(raw)).isoformat()
    if column.kind is Kind.CHOICES:
        return str(raw).replace(",", "\n")
    return str(raw)
