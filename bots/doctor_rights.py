"""Whether the application user holds every right that the operations need: asked of Dataverse, nothing is tried.

Source: Microsoft, Web API reference: RetrieveUserSetOfPrivilegesByNames (with the depths that teams' roles give, which
RetrieveUserPrivileges reports as Basic); EntityMetadata.Privileges (a privilege is not always named after its table).
"""

from collections.abc import AsyncIterator, Collection
from urllib.parse import quote
from uuid import UUID

from commands.rights import needed
from commands.views import VIEWS
from crm.errors import CrmError
from crm.records import Ref
from crm.session import Session
from crm.tables import CASE, USER

from .finding import Finding

_GLOBAL = "Global"
_NAMED = 4


async def unheld(session: Session, user: UUID, who: str, *, known: Collection[str] = ()) -> AsyncIterator[Finding]:
    """A problem for each right that is missing; one finding that all are there else.

    `known`: tables whose reading has been tried, about which nothing more is said here.
    """
    wanted = {(t, right): verbs for (t, right), verbs in needed().items() if right != "Read" or t not in known}
    try:
        names = await _names(session, {table for table, _ in wanted})
        held = await _held(session, user, sorted(set(names.values())))
    except CrmError as e:
        yield Finding("rights", f"Which rights {who} holds could not be found out: {e.message}", "Try again.")
        return
    absent = {table for table, _ in wanted} - {table for table, _ in names}
    for table in sorted(absent):
        yield Finding(f"privileges on {table}", "There is no such table.", "Is the app that brings it installed?")
    missing = [key for key in sorted(wanted) if key in names and names[key] not in held]
    for table, right in missing:
        verbs = wanted[table, right]
        doing = ", ".join(verbs[:_NAMED]) + (f" and {len(verbs) - _NAMED} more" if len(verbs) > _NAMED else "")
        yield Finding(
            f"privileges on {table}",
            f"{who} lacks {right} on {table} ({names[table, right]}), which is needed for: {doing}.",
            f"Give it a security role with {right} on {table} for the whole organization{_shipped(table)}. A person "
            "whom it acts for can do no more than it may itself, and needs the right, too.",
        )
    if not absent and not missing:
        narrow = sorted(name for name, depth in held.items() if depth != _GLOBAL)
        less = f", these for a part of the organization: {', '.join(narrow)}" if narrow else ""
        yield Finding("rights", note=f"{who} holds all that operations need{less}")


def _shipped(table: str) -> str:
    """Which of Microsoft's own roles is made for it."""
    if table == CASE.logical:
        return ", as Customer Service Manager has"
    return ", as Sales Manager has" if table in VIEWS else ""


async def _names(session: Session, tables: Collection[str]) -> dict[tuple[str, str], str]:
    """The privileges' names by table and right, of those that there are."""
    condition = " or ".join(f"LogicalName eq '{table}'" for table in sorted(tables))
    path = f"/EntityDefinitions?$select=LogicalName,Privileges&$filter={quote(condition)}"
    definitions = (await session.get_json(path, verb="privileges"))["value"]
    return {(d["LogicalName"], p["PrivilegeType"]): p["Name"] for d in definitions for p in d["Privileges"]}


async def _held(session: Session, user: UUID, names: list[str]) -> dict[str, str]:
    """Depth by name, of those that the user holds."""
    answer = await session.function(
        "RetrieveUserSetOfPrivilegesByNames", {"PrivilegeNames": names}, bound=Ref(USER.logical, user)
    )
    return {given["PrivilegeName"]: given["Depth"] for given in answer["RolePrivileges"]}
