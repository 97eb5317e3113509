"""Security roles: who calls, by impersonation or by their token, and how far their roles reach.

A role gives, for each table and privilege, a depth: `none`, `user` (rows that the person or a team of theirs owns),
`team` (rows of their business unit), `organization`. The widest of a person's roles and of their teams' roles counts.
Source: Microsoft's description of security roles and of impersonation (`CallerObjectId`, `MSCRMCallerID`).
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final
from weakref import WeakKeyDictionary

from .catalog import Table
from .errors import NOT_A_MEMBER, PRIVILEGE_DENIED, DataverseError, bad_request, not_found, not_implemented
from .organization import ADMIN_ID, ROOT_UNIT_ID
from .privileges import ACTS_FOR_OTHERS, DEPTH, privilege_id, privilege_name, rights_on
from .registry import Call, Registry
from .security import check_token
from .session import Caller, Row, Session
from .sqlite_tables import quote
from .store import Transaction
from .values import parse_guid
from .wire import Response, json_response

DEPTHS: Final = ("none", "user", "team", "organization")
ACCESS_DENIED: Final = "0x80042f09"
ROLES_META: Final = "roles"
"""Where a database keeps roles of its own (`PUT /_emulator/roles`)."""
SHIPPED: Final[dict[str, dict[str, dict[str, str]]]] = json.loads(
    resources.files(__package__).joinpath("roles.json").read_text("utf-8")
)

Privileges = dict[str, dict[str, str]]
"""Depth by privilege (`*`: all) by table (`*`: every table that is not named)."""


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far one person's roles reach, and which teams' rows count as theirs."""

    roles: tuple[Privileges, ...]
    teams: tuple[str, ...]
    unit: str

    def depth(self, table: str, privilege: str) -> str:
        depths = [_depth(role, table, privilege) for role in self.roles]
        return max(depths, key=DEPTHS.index, default="none")


def _depth(role: Privileges, table: str, privilege: str) -> str:
    given = role.get(table) or role.get("*") or {}
    return given.get(privilege) or given.get("*") or "none"


def register(registry: Registry) -> None:
    tables = frozenset({"systemuser"})
    registry.function("RetrieveUserSetOfPrivilegesByNames", privileges_by_names, bound="entity", tables=tables)


class RoleSecurity:
    """Dataverse's own kind: everyone may do what their roles say; the application and the administrator may do all.

    Without credentials (or with a token that names nobody) a caller is the administrator, as an application user with
    the system administrator role would be. `CallerObjectId` and `MSCRMCallerID` act as that person; so does a bearer
    token whose `oid` claim is of a person in the organisation. Tokens are not verified: this is an emulator.
    """

    def __init__(self, *, require_token: bool = False) -> None:
        self.require_token = require_token
        self._reaches: WeakKeyDictionary[Session, _Reach] = WeakKeyDictionary()

    def identify(self, transaction: Transaction, headers: Mapping[str, str]) -> Caller:
        """See `session.Security`."""
        check_token(headers, required=self.require_token)
        if (oid := headers.get("callerobjectid")) is not None:
            return self._person(transaction, "azureactivedirectoryobjectid", oid)
        if (user := headers.get("mscrmcallerid")) is not None:
            return self._person(transaction, "systemuserid", user)
        oid = token_claim(headers.get("authorization", ""), "oid")
        if oid and token_claim(headers.get("authorization", ""), "idtyp") != "app":
            return self._person(transaction, "azureactivedirectoryobjectid", oid, acting=None)
        return Caller(user_id=ADMIN_ID, business_unit_id=ROOT_UNIT_ID)

    def _person(self, tx: Transaction, column: str, value: str, acting: str | None = ADMIN_ID) -> Caller:
        key = parse_guid(value)
        row = tx.execute(
            f"SELECT systemuserid, businessunitid, isdisabled FROM systemuser WHERE {quote(column)} = ?", (key,)
        ).fetchone()
        if key is None or row is None or row[2]:
            state = "is disabled" if row is not None and row[2] else "is not a member of the organization"
            raise DataverseError(403, NOT_A_MEMBER, f"The user with {column} {value[:60]} {state}.")
        return Caller(user_id=row[0], business_unit_id=row[1] or ROOT_UNIT_ID, acting_id=acting)

    def authorise(self, session: Session, table: Table, privilege: str, row: Row | None) -> None:
        """See `session.Security`."""
        caller = session.caller
        if caller.user_id == ADMIN_ID:
            return
        if _is_plumbing(table):
            if privilege == "read":
                return
            privilege = "write"  # whoever could append to roles could give themselves one
        elif table.is_intersect:
            return  # the rights on the two rows that it joins decide
        reach = self._reach(session)
        governed, row = _governed(session, table, row)
        depth = reach.depth(governed.logical_name, privilege)
        if depth == "none":
            raise _missing(caller, governed, privilege, len(reach.roles))
        if row is None or depth == "organization" or governed.ownership != "user":
            return
        owner = row.get("ownerid") or caller.user_id
        if owner == caller.user_id or owner in reach.teams:
            return
        if depth == "team" and row.get("owningbusinessunit") in (None, reach.unit):
            return
        raise DataverseError(
            403,
            ACCESS_DENIED,
            f"Principal user (Id={caller.user_id}, type=8) does not have {privilege.capitalize()}Access to "
            f"{governed.logical_name} with Id {row.get(governed.primary_id)}, owned by {owner}.",
        )

    def readable(self, session: Session, table: Table, alias: str) -> tuple[str, list[Any]] | None:
        """See `session.Security`."""
        if session.caller.user_id == ADMIN_ID or _is_plumbing(table):
            return None
        reach = self._reach(session)
        parent = _parent(session, table)
        governed = parent[0] if parent else table
        depth = reach.depth(governed.logical_name, "read")
        if depth == "none":
            raise _missing(session.caller, governed, "read", len(reach.roles))
        if depth == "organization" or governed.ownership != "user":
            return None
        prefix = "parent_row" if parent else alias
        mine = [session.caller.user_id, *reach.teams]
        condition = f"{prefix}.ownerid IN ({', '.join('?' * len(mine))})"
        values: list[Any] = list(mine)
        if depth == "team":
            condition = f"({condition} OR {prefix}.owningbusinessunit = ?)"
            values.append(reach.unit)
        if parent:
            target, column = parent
            condition = (
                f"EXISTS (SELECT 1 FROM {quote(target.logical_name)} AS parent_row "
                f"WHERE parent_row.{quote(target.primary_id)} = {alias}.{quote(column)} AND {condition})"
            )
        return condition, values

    def _reach(self, session: Session) -> _Reach:
        found = self._reaches.get(session)
        if found is None:
            found = self._reaches[session] = _read_reach(session.tx, session.caller)
        return found


def _read_reach(tx: Transaction, caller: Caller) -> _Reach:
    teams = tuple(
        row[0] for row in tx.execute("SELECT teamid FROM teammembership WHERE systemuserid = ?", (caller.user_id,))
    )
    names = tx.execute(
        "SELECT r.name FROM role r JOIN systemuserroles u ON u.roleid = r.roleid WHERE u.systemuserid = ? "
        "UNION SELECT r.name FROM role r JOIN teamroles t ON t.roleid = r.roleid "
        f"WHERE t.teamid IN ({', '.join('?' * len(teams))})",
        (caller.user_id, *teams),
    ).fetchall()
    known: dict[str, Privileges] = {**SHIPPED, **json.loads(tx.meta(ROLES_META, "{}"))}
    return _Reach(tuple(known[name] for (name,) in names if name in known), teams, caller.business_unit_id)


def _is_plumbing(table: Table) -> bool:
    """Tables that every licensed person may read: users, units, currencies and the like are never secret here."""
    return table.logical_name in {"organization", "role", "systemuserroles", "teamroles", "teammembership"}


def _parent(session: Session, table: Table) -> tuple[Table, str] | None:
    """For a line: the document that it belongs to, whose rights count, and the lookup to it."""
    if table.ownership != "parent":
        return None
    for column in table.columns.values():
        if column.type == "lookup" and column.required == "system" and len(column.targets) == 1:
            target = session.catalog.get(next(iter(column.targets)))
            if target is not None and target.ownership == "user":
                return target, column.name
    return None


def _governed(session: Session, table: Table, row: Row | None) -> tuple[Table, Row | None]:
    """The table and row whose rights decide: the document's for a line, else the row itself."""
    parent = _parent(session, table)
    if parent is None:
        return table, row
    target, column = parent
    key = (row or {}).get(column)
    found = session.tx.execute(
        f"SELECT ownerid, owningbusinessunit FROM {quote(target.logical_name)} WHERE {quote(target.primary_id)} = ?",
        (key,),
    ).fetchone()
    if found is None:
        return target, None
    return target, {target.primary_id: key, "ownerid": found[0], "owningbusinessunit": found[1]}


def _missing(caller: Caller, table: Table, privilege: str, roles: int) -> DataverseError:
    return DataverseError(
        403,
        PRIVILEGE_DENIED,
        f"Principal user (Id={caller.user_id}, type=8, roleCount={roles}) is missing "
        f"{privilege_name(table, privilege)} privilege on OTC={table.object_type_code} "
        f"for entity '{table.logical_name}'.",
    )


def privileges_by_names(session: Session, call: Call) -> Response:
    """Which of these privileges a person holds and how far, those of their teams' roles included; each once.

    What does not exist is held by nobody. Misc privileges are the administrator's alone.
    """
    if call.parameters.keys() - {"PrivilegeNames"}:
        raise not_implemented("A parameter of RetrieveUserSetOfPrivilegesByNames other than PrivilegeNames")
    names: Any = call.parameters.get("PrivilegeNames")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_request("RetrieveUserSetOfPrivilegesByNames needs PrivilegeNames=['prvReadAccount', …].")
    user = str(call.id)
    found = session.tx.execute("SELECT businessunitid FROM systemuser WHERE systemuserid = ?", (user,)).fetchone()
    if found is None:
        raise not_found("systemuser", user)
    session.security.authorise(session, session.table("systemuser"), "read", {"systemuserid": user})
    unit = found[0] or ROOT_UNIT_ID
    held = _held(session, Caller(user_id=user, business_unit_id=unit))
    return json_response(
        {
            "@odata.context": session.context("Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNamesResponse"),
            "RolePrivileges": [
                {
                    "Depth": held[name],
                    "PrivilegeId": privilege_id(name),
                    "BusinessUnitId": unit,
                    "PrivilegeName": name,
                    "RecordFilterId": "00000000-0000-0000-0000-000000000000",
                    "RecordFilterUniqueName": "",
                }
                for name in dict.fromkeys(names)
                if name in held
            ],
        }
    )


def _held(session: Session, person: Caller) -> dict[str, str]:
    """Depth by privilege."""
    tables = [(table, right) for table in session.catalog for right in rights_on(table)]
    if person.user_id == ADMIN_ID:
        return {ACTS_FOR_OTHERS: "Global", **{privilege_name(table, right): "Global" for table, right in tables}}
    reach = _read_reach(session.tx, person)
    depths = {privilege_name(table, right): reach.depth(table.logical_name, right) for table, right in tables}
    return {name: DEPTH[depth] for name, depth in depths.items() if depth in DEPTH}


def token_claim(authorization: str, name: str) -> str:
    """A claim of a bearer token that is a JWT, unverified; empty for any other."""
    parts = authorization.rpartition(" ")[2].split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return ""
    value = claims.get(name) if isinstance(claims, dict) else None
    return value if isinstance(value, str) else ""
