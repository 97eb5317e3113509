"""Which SQLite indexes a table has: what lists filter and sort by."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .catalog import Column, Table

_AUDIT = frozenset({
    "createdby", "modifiedby", "createdonbehalfby", "modifiedonbehalfby", "owninguser", "owningteam",
    "owningbusinessunit", "transactioncurrencyid",
})  # fmt: skip
_LISTED = frozenset({"lastname", "companyname", "accountnumber", "emailaddress1", "productnumber", "statuscode"})
_UNSORTED = frozenset({"memo", "virtual", "file", "image", "state"})


@dataclass(frozen=True, slots=True)
class Index:
    """One index over SQLite columns; rows in which a `present` column is null are not in it."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    present: tuple[str, ...] = ()


def build_indexes(table: "Table") -> tuple[Index, ...]:
    """Sorted columns are followed by the primary key (which makes the order total); the state and the owner also lead
    what is usually listed within them; lookups are sparse, so their indexes hold only what is set."""
    key = table.primary_id
    found: list[Index] = []
    by_state = table.state_column is not None
    for column in table.columns.values():
        if column.name == key or column.type in _UNSORTED:
            continue
        name = column.comparable_name
        if column.name == "ownerid":
            found.append(Index("ownerid", ("ownerid", "createdon", key)))
            found.append(Index("ownerid_m", ("ownerid", "modifiedon", key)))
        elif column.type == "lookup" and column.name not in _AUDIT:
            found.append(Index(column.name, (column.name,), present=(column.name,)))
        elif _is_listed(table, column):
            found.append(Index(column.name, (name, key)))
            if by_state and column.name in {"createdon", "modifiedon", table.primary_name}:
                found.append(Index(f"state_{column.name}", ("statecode", name, key)))
    for alternate in table.keys.values():
        names = tuple(table.columns[name].comparable_name for name in alternate.columns)
        found.append(Index(f"key_{alternate.name}", names, unique=True, present=names))
    return tuple(found)


def _is_listed(table: "Table", column: "Column") -> bool:
    return bool(column.indexed or column.auto_number) or column.name == table.primary_name or column.name in _LISTED
