"""The application's own tokens, as settings or the machine offer them."""

import asyncio
import os
from pathlib import Path
from typing import Any

from .auth import Demand, Token, TokenAuth
from .credentials import Certificate, Secret
from .entra import Entra
from .sign_in_errors import refused, unreachable


def application_auth(
    organisation: str,
    *,
    tenant: str = "",
    client_id: str = "",
    secret: str = "",
    certificate: Path | None = None,
    authority_host: str | None = None,
) -> TokenAuth | None:
    """The application's sign-in from settings as `AZURE_…` name them; None where none is set.

    A client id without tenant, secret and certificate names a user-assigned managed identity; nothing at all, on a
    machine that offers one (`IDENTITY_ENDPOINT`), means its own.
    """
    if secret or certificate or tenant:
        credential = Certificate(certificate) if certificate else Secret(secret) if secret else None
        entra = Entra(tenant=tenant, client_id=client_id, credential=credential, authority_host=authority_host)
        return entra.application(organisation)
    if client_id or os.environ.get("IDENTITY_ENDPOINT"):
        return managed_identity(organisation, client_id=client_id or None)
    return None


def managed_identity(organisation: str, *, client_id: str | None = None) -> TokenAuth:
    """The tokens of the machine's own identity (Azure), or of a user-assigned one by its client id."""
    client: Any = None

    def acquire(demand: Demand) -> Any:
        import msal  # as in crm.entra
        import requests

        from .sign_in_http import SignInHttp

        nonlocal client
        if client is None or (demand.fresh and not demand.claims):
            identity = (
                msal.UserAssignedManagedIdentity(client_id=client_id)
                if client_id
                else msal.SystemAssignedManagedIdentity()
            )
            client = msal.ManagedIdentityClient(identity, http_client=SignInHttp(), client_capabilities=["cp1"])
        try:
            return client.acquire_token_for_client(resource=organisation, claims_challenge=demand.claims)
        except requests.RequestException as exc:
            raise unreachable(exc, "the managed identity endpoint") from None

    async def source(demand: Demand) -> Token:
        result = await asyncio.to_thread(acquire, demand)
        if "access_token" not in result:
            raise refused(result, "the managed identity endpoint")
        return Token(result["access_token"], float(result.get("expires_in") or 0))

    return TokenAuth(source)
