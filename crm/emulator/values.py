"""One column's value: JSON <-> storage, and the text that people see (`FormattedValue`)."""

import math
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from .catalog import Column, Table
from .errors import (
    INTEGER_RANGE,
    INVALID_ARGUMENT,
    INVALID_OPTION,
    NUMBER_RANGE,
    TOO_LONG,
    DataverseError,
    bad_payload,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST, _NEWEST = datetime(1753, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_GUID = re.compile(r"[{(]?([0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})[)}]?", re.IGNORECASE)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,7})?)?)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DEFAULT_LENGTH = {"string": 4000, "memo": 1_048_576}
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


def parse_guid(text: str) -> str | None:
    """The GUID in lower case with dashes, or None."""
    match = _GUID.fullmatch(text)
    return str(uuid.UUID(match[1])) if match else None


def parse_instant(text: str) -> float | None:
    """An ISO 8601 date or date and time as seconds since 1970 (UTC unless it says otherwise), or None."""
    if not _INSTANT.fullmatch(text):
        return None
    body = text.upper().replace(" ", "T")
    zone = ""
    if body.endswith("Z"):
        body = body[:-1]
    elif match := re.search(r"T.*([+-]\d\d:?\d\d)$", body):
        zone = match[1]
        body = body[: -len(zone)]
    if "." in body:
        head, fraction = body.split(".")
        body = f"{head}.{fraction[:6]:0<6}"
    try:
        moment = datetime.fromisoformat(body + zone)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - EPOCH).total_seconds() if _OLDEST <= moment <= _NEWEST else None
    except (ValueError, OverflowError):
        return None


def parse_date(text: str) -> str | None:
    """`YYYY-MM-DD`, or None."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def instant_text(seconds: float) -> str:
    """Seconds since 1970 as Dataverse writes an instant: `2024-01-02T03:04:05Z`."""
    return (EPOCH + timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_storage(table: Table, column: Column, value: Any) -> Any:
    """Check a JSON value and give what SQLite holds.

    Raises: DataverseError 400 with Dataverse's code for the failure.
    """
    if value is None:
        if column.required == "system" and column.default_value() is None:
            raise DataverseError(
                400, INVALID_ARGUMENT, f"Attribute '{column.name}' of '{table.logical_name}' cannot be set to NULL."
            )
        return None
    return _CONVERTERS[column.type](table, column, value)


def _mismatch(table: Table, column: Column, value: Any, expected: str) -> DataverseError:
    shown = repr(value)[:100]
    return bad_payload(
        f"Error identified in Payload provided by the user for Entity :'{table.entity_set}': "
        f"Cannot convert the value {shown} of property '{column.name}' to the expected type '{expected}'."
    )


def _text(table: Table, column: Column, value: Any) -> str:
    if not isinstance(value, str):
        raise _mismatch(table, column, value, "Edm.String")
    limit = column.max_length or _DEFAULT_LENGTH[column.type]
    if len(value.encode("utf-16-le", "surrogatepass")) // 2 > limit:
        raise DataverseError(
            400,
            TOO_LONG,
            f"A validation error occurred.  The length of the '{column.name}' attribute of the "
            f"'{table.logical_name}' entity exceeded the maximum allowed length of '{limit}'.",
        )
    if "\x00" in value:
        raise bad_payload(f"Property '{column.name}' contains a character (U+0000) that cannot be stored.")
    return value


def _integer(table: Table, column: Column, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(table, column, value, "Edm.Int32" if column.type == "integer" else "Edm.Int64")
    low, high = (_INT_MIN, _INT_MAX) if column.type == "integer" else (-(2**63), 2**63 - 1)
    low = max(low, column.min) if column.min is not None else low  # type: ignore[assignment]
    high = min(high, column.max) if column.max is not None else high  # type: ignore[assignment]
    if not low <= value <= high:
        raise _out_of_range(table, column, INTEGER_RANGE)
    return value


def _out_of_range(table: Table, column: Column, code: str) -> DataverseError:
    return DataverseError(
        400,
        code,
        f"A validation error occurred.  The value of '{column.name}' on record of type "
        f"'{table.logical_name}' is outside the valid range.",
    )


def _number(table: Table, column: Column, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _mismatch(table, column, value, "Edm.Double" if column.type == "double" else "Edm.Decimal")
    wide = 922_337_203_685_477.0 if column.type == "money" else 100_000_000_000.0
    low = column.min if column.min is not None else -wide
    high = column.max if column.max is not None else wide
    if not low <= value <= high:
        raise _out_of_range(table, column, NUMBER_RANGE)
    return round(float(value), number_precision(column))


def number_precision(column: Column) -> int:
    """Decimal places that are kept."""
    return column.precision if column.precision is not None else (5 if column.type == "double" else 2)


def _boolean(table: Table, column: Column, value: Any) -> int:
    if not isinstance(value, bool):
        raise _mismatch(table, column, value, "Edm.Boolean")
    return int(value)


def _choice(table: Table, column: Column, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(table, column, value, "Edm.Int32")
    _check_option(table, column, value)
    return value


def _check_option(table: Table, column: Column, value: int) -> None:
    if column.option(value) is None:
        accepted = ",".join(str(option.value) for option in column.options)
        raise DataverseError(
            400,
            INVALID_OPTION,
            f"A validation error occurred. The value {value} of '{column.name}' on record of type "
            f"'{table.logical_name}' is outside the valid range. Accepted Values: {accepted}",
        )


def _choices(table: Table, column: Column, value: Any) -> str | None:
    parts = value.split(",") if isinstance(value, str) else None
    if parts is None or not all(re.fullmatch(r"\s*-?\d{1,10}\s*", part) for part in parts if part or len(parts) > 1):
        raise _mismatch(table, column, value, "Edm.String (comma-separated numbers)")
    numbers = sorted({int(part) for part in parts if part})
    for number in numbers:
        _check_option(table, column, number)
    return ",".join(map(str, numbers)) or None


def _guid(table: Table, column: Column, value: Any) -> str:
    guid = parse_guid(value) if isinstance(value, str) else None
    if guid is None:
        raise _mismatch(table, column, value, "Edm.Guid")
    return guid


def _instant(table: Table, column: Column, value: Any) -> int:
    seconds = parse_instant(value) if isinstance(value, str) else None
    if seconds is None:
        raise _mismatch(table, column, value, "Edm.DateTimeOffset")
    return math.floor(seconds)


def _date(table: Table, column: Column, value: Any) -> str:
    text = parse_date(value[:10]) if isinstance(value, str) and parse_instant(value) is not None else None
    if text is None:
        raise _mismatch(table, column, value, "Edm.Date")
    return text


def _refused(table: Table, column: Column, value: Any) -> Any:
    raise _mismatch(table, column, value, "a value that is written another way (a file is uploaded to its own URL)")


_CONVERTERS: dict[str, Any] = {
    "string": _text, "memo": _text, "integer": _integer, "bigint": _integer, "decimal": _number, "double": _number,
    "money": _number, "boolean": _boolean, "datetime": _instant, "dateonly": _date, "picklist": _choice,
    "state": _choice, "status": _choice, "multipicklist": _choices, "uniqueidentifier": _guid, "lookup": _guid,
    "file": _refused, "image": _refused, "virtual": _refused,
}  # fmt: skip


def to_wire(column: Column, stored: Any) -> Any:
    """The JSON value."""
    if stored is None:
        return None
    match column.type:
        case "boolean":
            return bool(stored)
        case "datetime":
            return instant_text(stored)
        case "decimal" | "money" | "double":
            return float(stored)
        case _:
            return stored


def choice_label(column: Column, value: int, language: int = 1033) -> str | None:
    """The label of one choice in a language, English when it has none."""
    option = column.option(value)
    if option is None:
        return {0: "No", 1: "Yes"}.get(value) if column.type == "boolean" else None
    return option.labels.get(language) or option.labels.get(1033) or next(iter(option.labels.values()), None)


def formatted(column: Column, stored: Any, *, symbol: str = "$") -> str | None:
    """The text for people in an English (United States) organisation; None where Dataverse sends none.

    A lookup's text is the other row's name, which the reader adds.
    """
    if stored is None:
        return None
    match column.type:
        case "picklist" | "state" | "status" | "boolean":
            return choice_label(column, stored)
        case "multipicklist":
            return "; ".join(choice_label(column, int(part)) or part for part in str(stored).split(","))
        case "money":
            text = f"{abs(stored):,.{min(number_precision(column), 2)}f}"
            return f"-{symbol}{text}" if stored < 0 else f"{symbol}{text}"
        case "decimal" | "double":
            return f"{stored:,.{number_precision(column)}f}"
        case "integer" | "bigint":
            return f"{stored:,}"
        case "datetime":
            moment = EPOCH + timedelta(seconds=int(stored))
            return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M %p}"
        case "dateonly":
            day = date.fromisoformat(stored)
            return f"{day.month}/{day.day}/{day.year}"
        case _:
            return None
