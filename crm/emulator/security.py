"""Who calls, and what they may do."""

from collections.abc import Mapping
from typing import Any

from .catalog import Table
from .errors import NOT_AUTHENTICATED, DataverseError
from .organization import ADMIN_ID, ROOT_UNIT_ID
from .session import Caller, Row, Session
from .store import Transaction


class OpenSecurity:
    """Every caller is the seeded administrator and may do everything.

    Args:
        require_token: refuse requests without a bearer token (its value is never looked at).
    """

    def __init__(self, *, require_token: bool = False) -> None:
        self.require_token = require_token

    def identify(self, transaction: Transaction, headers: Mapping[str, str]) -> Caller:
        del transaction
        check_token(headers, required=self.require_token)
        return Caller(user_id=ADMIN_ID, business_unit_id=ROOT_UNIT_ID)

    def authorise(self, session: Session, table: Table, privilege: str, row: Row | None) -> None:
        del session, table, privilege, row

    def readable(self, session: Session, table: Table, alias: str) -> tuple[str, list[Any]] | None:
        del session, table, alias
        return None


def check_token(headers: Mapping[str, str], *, required: bool) -> None:
    """Refuse a request whose Authorization header is absent (if required) or is no bearer token.

    Raises: DataverseError 401 with WWW-Authenticate, as Dataverse sends it.
    """
    held = headers.get("authorization", "")
    if not held and not required:
        return
    scheme, _, token = held.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return
    raise DataverseError(
        401,
        NOT_AUTHENTICATED,
        "The request is not authenticated: send an Authorization header with a bearer token.",
        {"WWW-Authenticate": challenge(headers.get("host", "localhost"))},
    )


def challenge(host: str) -> str:
    """The `WWW-Authenticate` header of a 401: where tokens for the organisation at this host are given."""
    return (
        "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize, "
        f"resource_id=https://{host}/"
    )
