"""The security roles and teams of a person, the roles of their teams included; one request.

Source: Microsoft, "Security roles and privileges": a member of a team has its roles, too. Many-to-many relationships
can be expanded neither nested nor together (see "Join tables using OData"), hence two queries in one batch.
"""

from dataclasses import dataclass
from uuid import UUID

from .batch import Batch
from .query import Col, Condition, Expand, Query, col
from .session import Session
from .tables import USER, Column

_ROLE, _TEAM, _NAME = "role", "team", "name"


@dataclass(frozen=True, slots=True)
class Membership:
    """Names as the organisation has them."""

    roles: frozenset[str]
    teams: frozenset[str]


async def membership(session: Session, *, entra_id: UUID | None = None, email: str = "") -> Membership:
    """Of the enabled users with this Entra id, or else this e-mail address. Raises CrmError."""
    known = _user(USER.entra_id) == entra_id if entra_id else _user(USER.email) == email
    who = known & (_user(USER.disabled) == False)  # noqa: E712  a condition
    through = Expand("teamroles_association", select=(_NAME,))
    batch = Batch()
    roles = batch.page(Query(_ROLE).select(_NAME).where(_any("systemuserroles_association", who)))
    teams = batch.page(Query(_TEAM).select(_NAME).where(_any("teammembership_association", who)).expand(through))
    results = await session.batch(batch)
    direct, mine = results[roles].rows(), results[teams].rows()
    inherited = [role for team in mine for role in team.many(through.navigation, _ROLE, "roleid")]
    return Membership(
        roles=frozenset(str(role[_NAME]) for role in (*direct, *inherited)),
        teams=frozenset(str(team[_NAME]) for team in mine),
    )


def _user(column: Column) -> Col:
    return col(f"u/{column.logical}")


def _any(navigation: str, condition: Condition) -> Condition:
    return Condition(f"{navigation}/any(u:{condition.odata})")
