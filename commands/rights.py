"""Rights in Dynamics: which the operations need; one that is missing, in words, and whom to ask for it."""

from typing import Final

from crm.errors import Forbidden
from crm.tables import USER

from .operation import CATALOG, Effect, Operation
from .views import VIEWS

_ACTS: Final = "prvActOnBehalfOfAnotherUser"
_DOING: Final = {
    "Create": "create {many}",
    "Read": "see {one}",
    "Write": "change {one}",
    "Delete": "delete {one}",
    "Append": "connect {one} with other records",
    "AppendTo": "connect other records with {one}",
    "Assign": "give {one} to somebody else",
    "Share": "share {one}",
}
_NOUNS: Final = {"annotation": ("note", "notes"), "systemuser": ("user", "users"), "team": ("team", "teams")}


def missing_right(exc: Forbidden, tried: type[Operation] | None = None, ask: str = "") -> tuple[str, str]:
    """What happened, and what to do. `tried`: names the right where Dataverse does not; `ask`: whom to ask."""
    whom = ask or "your Dynamics administrator"
    if exc.privilege == _ACTS:
        return (
            "This bot may not act for people in Dynamics 365.",
            f"Tell the people who run it: its application user lacks {_ACTS} (role Delegate).",
        )
    about = tried.table.logical if tried and tried.table else ""
    table = exc.table or about
    # What was tried says nothing about a table that was only touched on the way.
    right = exc.right or (_right(tried) if tried and table == about else "")
    if not table or right not in _DOING:
        what = f" (missing privilege: {exc.privilege})" if exc.privilege else ""
        return f"Dynamics 365 does not let you do this{what}.", f"Ask {whom} for a security role that includes it."
    view = VIEWS.get(table)
    noun, plural = (view.noun, view.plural) if view else _NOUNS.get(table, (f"{table} record", f"{table} records"))
    if exc.of_one_row:
        doing = _DOING[right].format(one=f"this {noun}", many=plural)
        return (
            f"Dynamics 365 does not let you {doing}: your role reaches fewer {plural} (missing: {right} on {table}).",
            f"Ask {whom} for a role whose {right} on {table} reaches further, or the {noun}'s owner to share it.",
        )
    doing, named = _DOING[right].format(one=plural, many=plural), f"{exc.privilege}, " if exc.privilege else ""
    return (
        f"Dynamics 365 does not let you {doing} (missing privilege: {named}{right} on {table}).",
        f"Ask {whom} for a security role that has {right} on {table}.",
    )


def _right(tried: type[Operation]) -> str:
    match tried.verb.rpartition(" ")[2]:
        case "create" | "capture":
            return "Create"
        case "assign":
            return "Assign"
        case "note":
            return "AppendTo"
    return "Read" if tried.effect is Effect.READ else "Write"


def needed() -> dict[tuple[str, str], list[str]]:
    """Which operations need a right, by table and right, so that whoever has them all may do all of the catalog.

    Source: Microsoft, "Security roles and privileges": a lookup needs Append on the row that holds it and AppendTo on
    the one that it names; an owner other than the caller needs Assign. Read: an answer shows what was done.
    """
    found: dict[tuple[str, str], list[str]] = {(USER.logical, "Read"): []}
    for operation in CATALOG.values():
        for right in _needs(operation):
            found.setdefault(right, []).append(operation.verb)
    return found


def _needs(operation: type[Operation]) -> set[tuple[str, str]]:
    if operation.table is None:
        return set()
    table = operation.table.logical
    rights = {(table, "Read"), (table, _right(operation))}
    for made in operation.makes:
        rights |= {(made, "Create"), (made, "Append"), (made, "Read"), (table, "AppendTo")}
    if operation.effect is Effect.READ:
        return rights
    for parameter in operation.parameters.values():
        targets = parameter.column.targets if parameter.column else ()
        rights |= {(target, "Read") for target in targets}
        if USER.logical in targets:
            rights.add((table, "Assign"))
        elif targets:
            rights |= {(table, "Append"), *((target, "AppendTo") for target in targets)}
    return rights
