"""Who calls, and the token that proves it."""

from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import httpx


@dataclass(frozen=True, slots=True)
class Application:
    """The application user itself."""


@dataclass(frozen=True, slots=True)
class Impersonated:
    """A person, through the application user (`CallerObjectId`): rights are those that both have."""

    object_id: UUID
    """The person's Entra object id."""


@dataclass(frozen=True, slots=True)
class Delegated:
    """A person who signed in."""

    user: str
    """Names the person in limits and logs; the Entra object id."""
    auth: httpx.Auth = field(repr=False, compare=False)


Caller: TypeAlias = Application | Impersonated | Delegated
