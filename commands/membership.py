"""Which security roles and teams people have in Dynamics, for policies that name them."""

import time
from collections import OrderedDict
from uuid import UUID

from crm.auth import Application
from crm.client import Dataverse
from crm.errors import CrmError
from crm.membership import membership

from .errors import NotAllowed
from .request import Principal

ROLE, TEAM = "role:", "team:"
"""Before a name in the policy's lists of people."""
_CACHED = 300.0
_CACHE_SIZE = 20_000


class Memberships:
    """Asked of Dataverse once in five minutes for each person, and only where a policy names roles or teams."""

    def __init__(self, dataverse: Dataverse) -> None:
        self._dataverse = dataverse
        self._known: OrderedDict[str, tuple[float, frozenset[str]]] = OrderedDict()

    async def of(self, principal: Principal) -> frozenset[str]:
        """`role:sales manager`, `team:sales`, in lower case. Empty for whom Dynamics does not know.

        Raises NotAllowed where Dataverse does not say: what is not known cannot be allowed.
        """
        entra = _guid(principal.entra_id)
        if entra is None and not principal.email:
            return frozenset()
        key = f"{principal.key} {entra or principal.email.casefold()}"
        kept = self._known.get(key)
        if kept is None or kept[0] < time.monotonic():
            try:
                found = await membership(
                    self._dataverse.acting_as(Application()), entra_id=entra, email=principal.email
                )  # fmt: skip
            except CrmError as e:
                raise NotAllowed(
                    "The policy asks for your roles in Dynamics 365, and these cannot be looked up just now.",
                    f"Nothing was done. Try again in a minute; if it persists, tell the people who run this bot: {e}",
                ) from e
            names = [ROLE + name for name in found.roles] + [TEAM + name for name in found.teams]
            kept = time.monotonic() + _CACHED, frozenset(name.casefold() for name in names)
            self._known[key] = kept
            while len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        return kept[1]


def _guid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
