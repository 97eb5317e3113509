"""Whether a request says who it is from; who that is and what they may do, `roles` decides."""

from collections.abc import Mapping

from .errors import NOT_AUTHENTICATED, DataverseError


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
