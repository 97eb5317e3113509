"""Whether a stored row has the values of a payload: how a lost answer is settled without writing twice."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from .definitions import TableInfo
from .records import Json, Row

_BIND = "@odata.bind"


def lookup_columns(table: TableInfo, payload: Mapping[str, Json]) -> dict[str, str]:
    """Lookup column by payload key, for the `…@odata.bind` keys of a payload."""
    columns = {navigation: c.logical for c in table.columns.values() for navigation in c.targets.values()}
    return {
        key: columns[key.removesuffix(_BIND)]
        for key in payload
        if key.endswith(_BIND) and key.removesuffix(_BIND) in columns
    }


def scalar_columns(payload: Mapping[str, Json]) -> list[str]:
    """Columns of a payload that hold plain values; nested rows and annotations are left out."""
    return [key for key, value in payload.items() if "@" not in key and not isinstance(value, (dict, list))]


def same_values(row: Row, payload: Mapping[str, Json], lookups: Mapping[str, str]) -> bool:
    """Whether the row holds the payload's plain values and lookups (`lookups` as `lookup_columns` gives them)."""
    return all(_same(payload[column], row.get(column)) for column in scalar_columns(payload)) and all(
        _points_at(payload[key], row.get(column)) for key, column in lookups.items()
    )


def _points_at(bound: Json, stored: Any) -> bool:
    if bound is None or stored is None:
        return bound is None and stored is None
    try:
        return UUID(str(bound).rpartition("(")[2].rstrip(")")) == UUID(stored)
    except ValueError:
        return False


def _same(sent: Json, stored: Any) -> bool:
    if sent == stored or (sent == "" and stored is None):
        return True
    if isinstance(sent, bool) or isinstance(stored, bool) or sent is None or stored is None:
        return False
    if isinstance(sent, (int, float)) and isinstance(stored, (int, float)):
        return Decimal(str(sent)) == Decimal(str(stored))
    if isinstance(sent, str) and isinstance(stored, str):
        return sent.rstrip() == stored.rstrip() or _same_moment(sent, stored) or _same_id(sent, stored)
    return False


def _same_moment(sent: str, stored: str) -> bool:
    try:
        return datetime.fromisoformat(sent) == datetime.fromisoformat(stored)
    except (ValueError, TypeError):
        return False


def _same_id(sent: str, stored: str) -> bool:
    try:
        return UUID(sent) == UUID(stored)
    except ValueError:
        return False
