"""Rows and references as Dataverse returns and takes them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast
from uuid import UUID

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

FORMATTED = "@OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "@Microsoft.Dynamics.CRM.lookuplogicalname"


@dataclass(frozen=True, slots=True)
class Ref:
    """One row: its table's logical name and its id."""

    table: str
    id: UUID
    name: str | None = field(default=None, compare=False)
    """How people call it, where known."""

    def path(self, entity_set: str) -> str:
        """`/accounts(guid)`, as paths and `@odata.bind` want it."""
        return f"/{entity_set}({self.id})"


class Row(Mapping[str, Any]):
    """One row. `row["name"]` is a column's value by logical name; a lookup's value is its id (use `lookup`).

    Only columns that were selected are there; a column without a value is None.
    """

    __slots__ = ("_data", "_id", "_ref", "_table")

    def __init__(self, table: str, row_id: str, data: dict[str, Any]) -> None:
        self._table = table
        self._id = row_id
        self._data = data
        self._ref: Ref | None = None

    @property
    def ref(self) -> Ref:
        """The row itself. Made when asked for: in a long list most are not."""
        if self._ref is None:
            self._ref = Ref(self._table, UUID(self._id))
        return self._ref

    @property
    def etag(self) -> str | None:
        """The version that was read (`W/"…"`), for `update(etag=…)`."""
        return self._data.get("@odata.etag")

    @property
    def raw(self) -> Mapping[str, Json]:
        """The row as it came over the wire, annotations included."""
        return self._data

    def __getitem__(self, column: str) -> Any:
        data = self._data
        if column in data:
            return data[column]
        return data[f"_{column}_value"]

    def __contains__(self, column: object) -> bool:
        return column in self._data or f"_{column}_value" in self._data

    def __iter__(self) -> Iterator[str]:
        for key in self._data:
            if "@" not in key:
                yield key[1:-6] if key.startswith("_") and key.endswith("_value") else key

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def formatted(self, column: str) -> str:
        """The value as Dataverse shows it to this caller (choice labels, money with currency); empty for none."""
        data = self._data
        text = data.get(column + FORMATTED)
        if text is None:
            text = data.get(f"_{column}_value{FORMATTED}")
        if text is None:
            text = self.get(column)
        return "" if text is None else str(text)

    def lookup(self, column: str) -> Ref | None:
        """Where a lookup points, with the name of that row; None when it is empty or was not selected."""
        key = f"_{column}_value"
        value = self._data.get(key)
        if value is None:
            return None
        table = self._data.get(key + LOOKUP_TABLE) or ""
        return Ref(table, UUID(value), self._data.get(key + FORMATTED))

    def one(self, navigation: str, table: str, primary_id: str) -> "Row | None":
        """The row that `$expand` brought for a lookup; None when the lookup is empty."""
        data = self._data.get(navigation)
        return None if data is None else row_of(table, primary_id, cast("dict[str, Any]", data))

    def many(self, navigation: str, table: str, primary_id: str) -> "list[Row]":
        """The rows that `$expand` brought for a collection."""
        return [row_of(table, primary_id, item) for item in self._data.get(navigation) or ()]

    def __repr__(self) -> str:
        return f"<row {self._table} {self._id}>"


def row_of(table: str, primary_id: str, data: dict[str, Any]) -> Row:
    """A row from its JSON; Dataverse returns the primary id even when it was not selected.

    Raises KeyError or TypeError when it is not one.
    """
    return Row(table, _id(data[primary_id]), data)


def _id(value: Any) -> str:
    """A GUID as text, by its looks: in a long list most are never parsed."""
    if not isinstance(value, str) or len(value) != 36:
        raise TypeError("not a GUID")
    return value


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    rows: list[Row]
    next_link: str | None = None
    """Opaque; pass it to `Session.page` for the next page. None: there is no more."""
    count: int | None = None
    """Rows in all, where asked for; Dataverse stops counting at 5,000."""
    count_exceeded: bool = False
    """There are more than `count`: show "5000+"."""


def page_of(table: str, primary_id: str, data: dict[str, Any]) -> Page:
    """A page from its JSON. Raises KeyError or TypeError when it is not one."""
    link = data.get("@odata.nextLink")
    if link is not None and not isinstance(link, str):
        raise TypeError("not a link")
    return Page(
        [Row(table, _id(item[primary_id]), item) for item in data["value"]],
        link,
        data.get("@odata.count"),
        bool(data.get("@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded")),
    )


@dataclass(frozen=True, slots=True)
class Hit:
    """One result of a search across tables."""

    row: Row
    score: float = 0.0
    """Relevance, higher is better; 0 where filters did the search."""
