"""Dataverse's query functions (`In`, `Between`, `EqualUserId`, `LastXDays` …) as SQL conditions."""

from collections.abc import Sequence
from typing import Any

from .errors import bad_request, not_implemented
from .odata_tree import Literal
from .operands import Operand, Sql, any_of, compare_value, join, negate, value_of
from .periods import period
from .session import Session
from .values import instant_text


def function_condition(session: Session, held: Operand, name: str, values: Sequence[Any]) -> Sql:
    """A Dataverse query function (also FetchXML's operators, under the same names) on a column."""
    column = held.column
    match name:
        case "In" | "NotIn":
            _count(name, values, minimum=1)
            return any_of(held, [value_of(column, value) for value in values], exclude=name == "NotIn")
        case "Between" | "NotBetween":
            _count(name, values, exactly=2)
            low, high = (value_of(column, value) for value in values)
            between = Sql(f"{held.comparable.text} BETWEEN ? AND ?", (*held.comparable.values, low, high))
            return negate(between) if name == "NotBetween" else between
        case "ContainValues" | "DoesNotContainValues":
            return _contain_values(held, name, values)
        case "EqualUserId" | "NotEqualUserId":
            return compare_value(held, _op(name), Literal(session.caller.user_id, "guid"))
        case "EqualBusinessId" | "NotEqualBusinessId":
            return compare_value(held, _op(name), Literal(session.caller.business_unit_id, "guid"))
        case "EqualUserTeams" | "EqualUserOrUserTeams":
            teams = user_teams(session)
            return any_of(held, [*teams, session.caller.user_id] if "OrUser" in name else teams)
        case _:
            return _dates(session, held, name, values)


def user_teams(session: Session) -> list[str]:
    """The teams that the caller belongs to."""
    if "teammembership" not in session.catalog:
        return []
    rows = session.tx.execute("SELECT teamid FROM teammembership WHERE systemuserid = ?", (session.caller.user_id,))
    return [row[0] for row in rows]


def _op(name: str) -> str:
    return "ne" if name.startswith("Not") else "eq"


def _count(name: str, values: Sequence[Any], *, exactly: int | None = None, minimum: int = 0) -> None:
    if len(values) < minimum or (exactly is not None and len(values) != exactly):
        raise bad_request(
            f"The function '{name}' needs {exactly or f'at least {minimum}'} value(s), not {len(values)}."
        )


def _contain_values(held: Operand, name: str, values: Sequence[Any]) -> Sql:
    if held.column.type != "multipicklist":
        raise bad_request(f"The function '{name}' needs a multi-select choice column.")
    _count(name, values, minimum=1)
    items = []
    for value in values:
        if not str(value).strip().lstrip("-").isdecimal():
            raise bad_request(f"The value {value!r} is no choice.")
        text = f"instr(',' || {held.stored.text} || ',', ?) > 0"
        items.append(Sql(text, (*held.stored.values, f",{int(str(value))},")))
    found = join("OR", items)
    return negate(found) if name == "DoesNotContainValues" else found


def _dates(session: Session, held: Operand, name: str, values: Sequence[Any]) -> Sql:
    span = period(name, values, session.now)
    if span is None:
        raise not_implemented(f"The query function '{name}'")
    if held.column.type not in {"datetime", "dateonly"}:
        raise bad_request(f"The function '{name}' needs a date column; '{held.column.wire_name}' is none.")
    items = []
    for op, bound in ((">=", span.start), ("<", span.end)):
        if bound is not None:
            value: Any = bound
            if held.column.type == "dateonly":
                value = instant_text(bound)[:10]
            items.append(Sql(f"{held.comparable.text} {op} ?", (*held.comparable.values, value)))
    found = join("AND", items)
    return negate(found) if span.outside else found
