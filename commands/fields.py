"""The types of an operation's fields: how each reads what a person typed, and the one text form that it is kept in.

Pass a `Reading` as pydantic's validation context (`Operation.read(args, reading)`). Every type also takes typed JSON
(numbers, true) from agents. `str()` of what `Operation.args()` gives reads as the same value in every locale.
Problems are sentences with an example that works.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, PlainSerializer, ValidationInfo, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import str_schema, with_info_plain_validator_function

from crm.tables import Kind

from .language import dates, markup, money, references
from .language.money import Money
from .language.reading import Reading, Unreadable, shown
from .language.references import Form, Named

__all__ = [
    "Amount",
    "ChoiceWord",
    "Columns",
    "ColumnsMark",
    "Day",
    "Deadline",
    "Email",
    "Form",
    "Instant",
    "Integer",
    "Memo",
    "Money",
    "Named",
    "Number",
    "PastDay",
    "Percent",
    "PercentMark",
    "Phone",
    "RawMark",
    "RawOData",
    "Reading",
    "Reads",
    "Reference",
    "Text",
    "Unreadable",
    "WebAddress",
    "WholePercent",
    "YesNo",
]

_BREAKS = re.compile(r"\s*\n\s*")
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_PHONE = re.compile(r"\+?[\d\s().\-/\u2010-\u2015]{2,40}(?:\s*(?:x|ext\.?|#)\s*\d{1,8})?", re.IGNORECASE)
_HOST = re.compile(r"(?:[\w-]{1,63}\.)+[\w-]{2,63}|localhost")
_YES: Final = {
    "yes",
    "y",
    "true",
    "on",
    "1",
    "ok",
    "ja",
    "j",
    "wahr",
    "да",
    "д",
    "oui",
    "o",
    "si",
    "sí",
    "sì",
    "sim",
    "tak",
    "✓",
    "✅",
}
_NO: Final = {"no", "n", "false", "off", "0", "nein", "falsch", "нет", "н", "non", "não", "nie", "✗", "❌"}

Read = Callable[[str, Reading], Any]


@dataclass(frozen=True, slots=True)
class Reads:
    """A field's value, whatever its type says, is what `call` returns.

    pydantic's own PlainValidator works out, too, how the type would be validated without it, for every field anew.
    """

    call: Callable[[Any, ValidationInfo], Any]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return with_info_plain_validator_function(self.call, json_schema_input_schema=str_schema())


def _validator(read: Read, *typed: type) -> Reads:
    """Reads text with the context's Reading; lets values through that are of the type already."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        if type(value) in typed:
            return value
        if isinstance(value, bool | int | float | Decimal):
            value = str(value).lower() if isinstance(value, bool) else money.canonical(Decimal(str(value)))
        if not isinstance(value, str):
            raise PydanticCustomError("unreadable", "Write this as text.")
        reading = info.context if isinstance(info.context, Reading) else Reading()
        try:
            return read(value, reading)
        except Unreadable as e:
            raise PydanticCustomError("unreadable", "{sentence}", {"sentence": str(e)}) from e

    return Reads(validate)


def _schema(**schema: object) -> WithJsonSchema:
    return WithJsonSchema(dict(schema))


def _line(text: str, _reading: Reading) -> str:
    return _filled(_BREAKS.sub(" ", markup.tidy(text)).strip())


def _lines(text: str, _reading: Reading) -> str:
    return _filled("\n".join(line.rstrip() for line in markup.tidy(text).strip().split("\n")))


def _filled(text: str) -> str:
    if not text:
        raise Unreadable("This is empty. Write something, or leave it out.")
    return text


def _odata(text: str, reading: Reading) -> str:
    line = _line(text, reading)
    return line if "'" in line else re.sub("[‘’‚]", "'", line)


def _yes_no(text: str, _reading: Reading) -> bool:
    word = markup.tidy(text).strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise Unreadable(f"{shown(text)} is neither yes nor no. Write yes or no.")


def _email(text: str, _reading: Reading) -> str:
    address = markup.link_target(markup.tidy(text).strip())
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        raise Unreadable(f"{shown(text)} is not an e-mail address. Write it like jane.smith@example.com.")
    return address


def _phone(text: str, _reading: Reading) -> str:
    number = markup.link_target(markup.tidy(text).strip())
    if not _PHONE.fullmatch(number) or sum(c.isdigit() for c in number) < 2:
        raise Unreadable(f"{shown(text)} is not a phone number. Write it like +49 30 1234567.")
    return " ".join(number.split())


def _web(text: str, _reading: Reading) -> str:
    address = markup.link_target(markup.tidy(text).strip())
    full = address if "://" in address else f"https://{address}"
    try:
        parts = urlsplit(full)
        fine = parts.scheme.lower() in ("http", "https") and _HOST.fullmatch(parts.hostname or "")
    except ValueError:
        fine = None
    if not fine or any(c.isspace() for c in full):
        raise Unreadable(f"{shown(text)} is not a web address. Write it like https://example.com.")
    return full


def _columns(value: Any) -> dict[str, str]:
    """Text by logical name, from a mapping or the JSON text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise PydanticCustomError("unreadable", "Write further columns as name=value.") from None
    if not isinstance(value, Mapping):
        raise PydanticCustomError("unreadable", "Write further columns as name=value.")
    return {
        str(k): markup.tidy(v) if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in value.items()
    }


class ColumnsMark:
    """Marks the field that takes `name=value` for columns which the operation does not name."""


class PercentMark:
    """Marks a field that counts in percent, so that `60%` is 60."""


class RawMark:
    """Marks a field whose unquoted text runs to the next known `name=`: OData has spaces and quotes of its own."""


Text = Annotated[str, _validator(_line), _schema(type="string")]
"""One line; line breaks become spaces. Length is the organisation's business (metadata)."""

RawOData = Annotated[str, _validator(_odata), _schema(type="string"), RawMark()]
"""A piece of an OData query, passed on as it is; single quotes that a phone has curled are straightened."""

Memo = Annotated[str, _validator(_lines), _schema(type="string"), Kind.MULTILINE]
"""Text that keeps its line breaks."""

ChoiceWord = Annotated[str, _validator(_line), _schema(type="string"), Kind.CHOICE]
"""A label, its beginning, or a number; metadata says which choice that is."""

Reference = Annotated[
    Named,
    _validator(lambda text, _: references.reference(markup.tidy(text)), Named),
    PlainSerializer(str, return_type=str, when_used="json"),
    _schema(type="string", description="GUID, /accounts(GUID), Dynamics address, number, e-mail address or name"),
    Kind.LOOKUP,
]
"""The text of a reference to a record; who it is gets resolved when the operation runs."""

Amount = Annotated[
    Money,
    _validator(lambda text, reading: money.money(markup.tidy(text), reading), Money),
    PlainSerializer(str, return_type=str, when_used="json"),
    _schema(type=["number", "string"], description="250000, 250k, 1500.50 EUR"),
    Kind.MONEY,
]
"""`Money`: a Decimal and, where one was named, a currency code."""

Number = Annotated[
    Decimal,
    _validator(lambda text, reading: money.number(markup.tidy(text), reading), Decimal),
    PlainSerializer(money.canonical, return_type=str, when_used="json"),
    _schema(type=["number", "string"]),
    Kind.DECIMAL,
]
"""A number with decimals."""

Integer = Annotated[
    int,
    _validator(lambda text, reading: money.integer(markup.tidy(text), reading), int),
    _schema(type="integer"),
    Kind.INTEGER,
]
"""A whole number."""

Percent = Annotated[
    Decimal,
    _validator(lambda text, reading: money.percent(markup.tidy(text), reading), Decimal),
    PlainSerializer(money.canonical, return_type=str, when_used="json"),
    _schema(type=["number", "string"]),
    Kind.DECIMAL,
    PercentMark(),
]
"""A percentage with decimals: 12.5 is 12.5%."""

WholePercent = Annotated[
    int,
    _validator(lambda text, reading: money.whole_percent(markup.tidy(text), reading), int),
    _schema(type="integer"),
    Kind.INTEGER,
    PercentMark(),
]
"""A percentage without decimals: 60 is 60%."""

YesNo = Annotated[bool, _validator(_yes_no, bool), _schema(type="boolean"), Kind.BOOLEAN]
"""`yes`, `ja`, `да`, `off`, …"""

Day = Annotated[
    date,
    _validator(lambda text, reading: dates.day(markup.tidy(text), reading), date),
    PlainSerializer(date.isoformat, return_type=str, when_used="json"),
    _schema(type="string", format="date"),
    Kind.DATE,
]
"""A date without a time; a day without a year is the next one."""

Deadline = Annotated[
    date,
    _validator(lambda text, reading: dates.due(markup.tidy(text), reading), date),
    PlainSerializer(date.isoformat, return_type=str, when_used="json"),
    _schema(type="string", format="date"),
    Kind.DATE,
]
"""A date by which something is to happen: the same, but of `Q3` or `next month` it is the last day."""

PastDay = Annotated[
    date,
    _validator(lambda text, reading: dates.past_day(markup.tidy(text), reading), date),
    PlainSerializer(date.isoformat, return_type=str, when_used="json"),
    _schema(type="string", format="date"),
    Kind.DATE,
]
"""A date of something that has happened; a day without a year is the last one."""

Instant = Annotated[
    datetime,
    _validator(lambda text, reading: dates.instant(markup.tidy(text), reading), datetime),
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    _schema(type="string", format="date-time"),
    Kind.DATETIME,
]
"""A moment, aware; a day alone is its start on the person's clock."""

Email = Annotated[str, _validator(_email), _schema(type="string", format="email"), Kind.EMAIL]
Phone = Annotated[str, _validator(_phone), _schema(type="string"), Kind.PHONE]
WebAddress = Annotated[str, _validator(_web), _schema(type="string", format="uri"), Kind.URL]

Columns = Annotated[
    dict[str, str],
    Reads(lambda value, _: _columns(value)),
    _schema(type="object", additionalProperties={"type": "string"}),
    ColumnsMark(),
]
"""Text by logical name, for columns that the operation does not name (`new_region=EMEA`)."""
