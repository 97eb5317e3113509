"""Typed OData queries. Every literal is quoted by construction; raw text enters only through `Query.raw`.

    Query("lead").select("subject", "companyname").where(
        col("companyname").contains("acme") & (col("createdon") > date(2026, 1, 1))
    ).order("createdon", desc=True).top(20)

Facts: strings compare without case; `%`, `_` and `[` are wildcards in `contains`, `startswith` and `endswith`, so they
are escaped here; `$skip` does not exist. Source: Microsoft, "Filter rows using OData".
"""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Self, TypeAlias
from urllib.parse import quote
from uuid import UUID

import orjson

from .records import Ref

Literal: TypeAlias = bool | int | float | Decimal | str | UUID | date | datetime | Ref | None

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")
_WILDCARD = re.compile(r"[%_\[]")
_SAFE = "(),'*!~"


def name(text: str) -> str:
    """The text, if it can be a column or navigation path; ValueError otherwise."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a column.")
    return text


def text_literal(text: str) -> str:
    """A quoted OData string."""
    return "'" + text.replace("'", "''") + "'"


def literal(value: Literal) -> str:
    """A value as it stands in `$filter`. A datetime without zone is taken as UTC."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() | Decimal():
            return f"{Decimal(str(value)):f}"
        case str():
            return text_literal(value)
        case UUID():
            return str(value)
        case Ref():
            return str(value.id)
        case datetime():
            return instant(value)
        case date():
            return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot stand in a filter.")


def instant(value: datetime) -> str:
    """A moment as Dataverse writes it: UTC, whole seconds."""
    moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of `$filter`; combine with `&`, `|` and `~`."""

    odata: str
    rank: int = 3
    """How tightly it binds: 1 `or`, 2 `and`, 3 atom."""

    def inside(self, rank: int) -> str:
        """The text, in parentheses where an operator of this rank would tear it apart."""
        return self.odata if self.rank >= rank else f"({self.odata})"

    def __and__(self, other: "Condition") -> "Condition":
        return Condition(f"{self.inside(2)} and {other.inside(2)}", 2)

    def __or__(self, other: "Condition") -> "Condition":
        return Condition(f"{self.inside(1)} or {other.inside(1)}", 1)

    def __invert__(self) -> "Condition":
        return Condition(f"not ({self.odata})", 3)

    def __bool__(self) -> bool:
        raise TypeError("Combine conditions with & | ~, not with and, or, not, nor chained comparisons.")


class Col:
    """A column in a filter. Comparing with a `Ref` compares the lookup's id."""

    __slots__ = ("_lookup", "_name")
    __hash__ = None  # type: ignore[assignment]  # == makes a Condition, so a Col is no key

    def __init__(self, column: str, *, lookup: bool = False) -> None:
        self._name = name(column)
        self._lookup = lookup

    def _path(self, *, lookup: bool) -> str:
        if not lookup:
            return self._name
        head, slash, last = self._name.rpartition("/")
        return f"{head}{slash}_{last}_value"

    def _compare(self, operator: str, value: Literal) -> Condition:
        path = self._path(lookup=self._lookup or isinstance(value, Ref))
        return Condition(f"{path} {operator} {literal(value)}")

    def __eq__(self, value: Literal) -> Condition:  # type: ignore[override]
        return self._compare("eq", value)

    def __ne__(self, value: Literal) -> Condition:  # type: ignore[override]
        return self._compare("ne", value)

    def __lt__(self, value: Literal) -> Condition:
        return self._compare("lt", value)

    def __le__(self, value: Literal) -> Condition:
        return self._compare("le", value)

    def __gt__(self, value: Literal) -> Condition:
        return self._compare("gt", value)

    def __ge__(self, value: Literal) -> Condition:
        return self._compare("ge", value)

    def _match(self, function: str, text: str) -> Condition:
        pattern = _WILDCARD.sub(lambda found: f"[{found[0]}]", text)
        return Condition(f"{function}({self._name},{text_literal(pattern)})")

    def contains(self, text: str) -> Condition:
        """The text occurs anywhere; case is ignored and no character is a wildcard."""
        return self._match("contains", text)

    def startswith(self, text: str) -> Condition:
        """The text stands at the beginning."""
        return self._match("startswith", text)

    def endswith(self, text: str) -> Condition:
        """The text stands at the end."""
        return self._match("endswith", text)

    def is_in(self, values: Iterable[Literal]) -> Condition:
        """The value is one of these (no null)."""
        listed = [value if isinstance(value, str) else literal(value) for value in values]
        return Condition(
            f"Microsoft.Dynamics.CRM.In(PropertyName='{self._name}',PropertyValues={orjson.dumps(listed).decode()})"
        )

    def function(self, function: str, *values: int | str) -> Condition:
        """A Dataverse query function, by its short name: `function("LastXDays", 7)`, `function("EqualUserId")`."""
        if not function.isalnum():
            raise ValueError(f"{function!r} is not the name of a query function.")
        arguments = f"PropertyName='{self._name}'"
        if len(values) == 1:
            arguments += f",PropertyValue={literal(values[0])}"
        elif values:
            arguments += f",PropertyValues={orjson.dumps([str(value) for value in values]).decode()}"
        return Condition(f"Microsoft.Dynamics.CRM.{function}({arguments})")


def col(column: str) -> Col:
    """A column by logical name, or a path over lookups (`primarycontactid/fullname`)."""
    return Col(column)


def lookup(column: str) -> Col:
    """A lookup's id, by the lookup's logical name: `lookup("ownerid") == user_id`, or `== None` for an empty one."""
    return Col(column, lookup=True)


def any_of(conditions: Iterable[Condition]) -> Condition:
    """One of these; ValueError for none."""
    return Condition(" or ".join(_several(conditions, 1)), 1)


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Each of these; ValueError for none."""
    return Condition(" and ".join(_several(conditions, 2)), 2)


def _several(conditions: Iterable[Condition], rank: int) -> list[str]:
    parts = [condition.inside(rank) for condition in conditions]
    if not parts:
        raise ValueError("A condition is needed.")
    return parts


def selection(columns: Iterable[str], lookups: Container[str]) -> str:
    """Columns as `$select` wants them; those in `lookups` become `_x_value`."""
    return ",".join(dict.fromkeys(f"_{column}_value" if column in lookups else column for column in columns))


def _order(text: str) -> str:
    """A column, or a column and `desc`."""
    column, space, direction = text.partition(" ")
    if space and direction not in {"asc", "desc"}:
        raise ValueError(f"{text!r} is not a column to sort by.")
    return name(column) + space + direction


@dataclass(frozen=True, slots=True)
class Key:
    """A row by an alternate key: `Key("account", {"accountnumber": "A1"})`. The key must exist in the organisation."""

    table: str
    values: Mapping[str, Literal]

    def path(self, entity_set: str) -> str:
        """`/accounts(accountnumber='A1')`."""
        parts = (f"{name(column)}={quote(literal(value), safe=_SAFE)}" for column, value in self.values.items())
        return f"/{entity_set}({','.join(parts)})"


@dataclass(frozen=True, slots=True)
class Expand:
    """Related rows to bring along, by the navigation property's exact name (upper and lower case matter)."""

    navigation: str
    select: tuple[str, ...] = ()
    where: Condition | None = None
    order: tuple[str, ...] = ()
    top: int | None = None

    def odata(self) -> str:
        """As it stands in `$expand`."""
        options = []
        if self.select:
            options.append("$select=" + ",".join(map(name, self.select)))
        if self.where is not None:
            options.append("$filter=" + self.where.odata)
        if self.order:
            options.append("$orderby=" + ",".join(map(_order, self.order)))
        if self.top is not None:
            options.append(f"$top={self.top}")
        return name(self.navigation) + (f"({';'.join(options)})" if options else "")


@dataclass(frozen=True, slots=True)
class Query:
    """What to read from one table; every method returns a new query."""

    table: str
    columns: tuple[str, ...] = ()
    condition: Condition | None = None
    ordering: tuple[str, ...] = ()
    limit: int | None = None
    expansions: tuple[Expand, ...] = ()
    counted: bool = False
    extra: tuple[tuple[str, str], ...] = field(default=())

    def select(self, *columns: str) -> Self:
        """Columns by logical name, lookups too (`Row.lookup` reads those)."""
        return replace(self, columns=(*self.columns, *map(name, columns)))

    def where(self, *conditions: Condition) -> Self:
        """Narrow to rows for which each of these holds, and whatever was asked before."""
        known = (self.condition,) if self.condition is not None else ()
        return replace(self, condition=all_of((*known, *conditions))) if conditions else self

    def order(self, column: str, *, desc: bool = False) -> Self:
        """Sort by a column, after what was asked before. Choices sort by number."""
        return replace(self, ordering=(*self.ordering, name(column) + (" desc" if desc else "")))

    def top(self, rows: int) -> Self:
        """At most so many rows, in one page."""
        if rows < 1:
            raise ValueError("At least one row must be asked for.")
        return replace(self, limit=rows)

    def expand(self, *expansions: Expand) -> Self:
        """Bring related rows along (15 at most)."""
        return replace(self, expansions=(*self.expansions, *expansions))

    def count(self) -> Self:
        """Ask for the number of rows in all, too."""
        return replace(self, counted=True)

    def raw(self, *, filter: str = "", orderby: str = "", select: str = "", expand: str = "") -> Self:  # noqa: A002  the option's own name
        """OData text as a person wrote it, unchanged except for URL encoding. A raw filter narrows the others."""
        query = self
        if filter:
            query = query.where(Condition(filter, 0))
        if orderby:
            query = replace(query, ordering=(*query.ordering, orderby))
        if select:
            query = replace(query, columns=(*query.columns, select))
        if expand:
            query = replace(query, extra=(*query.extra, ("$expand", expand)))
        return query

    def odata(self, lookups: Container[str] = ()) -> str:
        """The query string, encoded, without `?`; selected columns in `lookups` are asked for as `_x_value`."""
        options: list[tuple[str, str]] = []
        if self.columns:
            options.append(("$select", selection(self.columns, lookups)))
        if self.condition is not None:
            options.append(("$filter", self.condition.odata))
        if self.ordering:
            options.append(("$orderby", ",".join(self.ordering)))
        expansions = [expansion.odata() for expansion in self.expansions]
        expansions += [text for option, text in self.extra if option == "$expand"]
        if expansions:
            options.append(("$expand", ",".join(expansions)))
        if self.limit is not None:
            options.append(("$top", str(self.limit)))
        if self.counted:
            options.append(("$count", "true"))
        return "&".join(f"{option}={quote(text, safe=_SAFE)}" for option, text in options)
