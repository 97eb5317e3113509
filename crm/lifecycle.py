"""What the numbers in `statecode` mean, by table; these are Microsoft's and no organisation can change them.

Status reasons (`statuscode`) and their labels are the organisation's: read them from metadata.
Source: Microsoft's table reference (lead, opportunity, salesorder, invoice, incident, account, contact).
"""

from enum import StrEnum
from typing import Final

from .records import Row


class State(StrEnum):
    """Where a record stands in its life."""

    OPEN = "open"
    INACTIVE = "inactive"
    QUALIFIED = "qualified"
    DISQUALIFIED = "disqualified"
    WON = "won"
    LOST = "lost"
    SUBMITTED = "submitted"
    FULFILLED = "fulfilled"
    INVOICED = "invoiced"
    CLOSED = "closed"
    PAID = "paid"
    RESOLVED = "resolved"
    CANCELED = "canceled"


_PLAIN: Final = (State.OPEN, State.INACTIVE)
_STATES: Final[dict[str, tuple[State, ...]]] = {
    "lead": (State.OPEN, State.QUALIFIED, State.DISQUALIFIED),
    "opportunity": (State.OPEN, State.WON, State.LOST),
    "salesorder": (State.OPEN, State.SUBMITTED, State.CANCELED, State.FULFILLED, State.INVOICED),
    "invoice": (State.OPEN, State.CLOSED, State.PAID, State.CANCELED),
    "incident": (State.OPEN, State.RESOLVED, State.CANCELED),
}


def state_of(row: Row) -> State:
    """The state of a row whose `statecode` was selected; OPEN for tables that have none."""
    states = _STATES.get(row.ref.table, _PLAIN)
    number = row.get("statecode")
    return states[number] if isinstance(number, int) and 0 <= number < len(states) else State.OPEN


def has_own_states(table: str) -> bool:
    """Whether its records live through more than active and inactive: a closed one is history, not hidden."""
    return table in _STATES


def state_number(table: str, state: State) -> int:
    """The number of a state in this table; ValueError where the table has no such state."""
    return _STATES.get(table, _PLAIN).index(state)
