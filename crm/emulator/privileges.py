"""What a table's privileges are called, and which a person holds.

Sources: Microsoft, Web API reference: SecurityPrivilegeMetadata, RolePrivilege, RetrieveUserSetOfPrivilegesByNames; the
names of notes, orders and users from the security role's editor (`prvCreateNote`, `prvCreateOrder`, `prvReadUser`).
"""

from typing import Any, Final

from .catalog import Table, metadata_id

RIGHTS: Final = {
    right.lower(): right for right in ("Create", "Read", "Write", "Delete", "Assign", "Share", "Append", "AppendTo")
}
"""How roles name a right -> PrivilegeType."""
ACTS_FOR_OTHERS: Final = "prvActOnBehalfOfAnotherUser"
DEPTH: Final = {"user": "Basic", "team": "Local", "organization": "Global"}
"""How roles name a depth -> PrivilegeDepth."""
_SAID: Final = {"annotation": "Note", "salesorder": "Order", "systemuser": "User"}
_OF_OWNERS: Final = ("assign", "share")


def privilege_name(table: Table, right: str) -> str:
    """`prvAppendToLead`; every activity has its own here, where in Dataverse all share `prv…Activity`."""
    return f"prv{RIGHTS[right]}{_SAID.get(table.logical_name, table.schema_name)}"


def rights_on(table: Table) -> tuple[str, ...]:
    """Those that can be given; none for what only belongs to another row."""
    if table.is_intersect or table.ownership == "parent":
        return ()
    return tuple(right for right in RIGHTS if table.ownership == "user" or right not in _OF_OWNERS)


def privilege_documents(table: Table) -> list[dict[str, Any]]:
    """SecurityPrivilegeMetadata of a table."""
    owned = table.ownership == "user"
    return [
        {
            "CanBeBasic": owned,
            "CanBeDeep": owned,
            "CanBeGlobal": True,
            "CanBeLocal": owned,
            "CanBeEntityReference": False,
            "CanBeParentEntityReference": False,
            "CanBeRecordFilter": False,
            "Name": privilege_name(table, right),
            "PrivilegeId": privilege_id(privilege_name(table, right)),
            "PrivilegeType": RIGHTS[right],
        }
        for right in rights_on(table)
    ]


def privilege_id(name: str) -> str:
    """The same in every database."""
    return metadata_id("privilege", name)
