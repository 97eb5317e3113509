"""Tokens from Microsoft Entra, through MSAL: for the application, and for people who sign in.

MSAL blocks, so every call to it runs in a thread; there it is imported, too, by the first sign-in, for it is slow to
load. Scopes (Microsoft, "Use OAuth with Dataverse"): an application asks for `{organisation}/.default`, a person for
`{organisation}/user_impersonation`.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .auth import Demand, Token, TokenAuth
from .credentials import Certificate, Secret
from .errors import ConfigurationError, SignInAway, SignInError, SignInRequired
from .sign_in_errors import refused, unreachable

__all__ = ["DeviceCode", "Entra", "SignedIn"]

T = TypeVar("T")

_SKEW = 300.0
"""Seconds that our clock and the provider's may differ."""
_HOSTS = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.windows.net"}
)
"""Authorities that MSAL knows; any other is the administrator's own choice, and MSAL must not look it up."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who has just signed in."""

    object_id: str
    tenant_id: str
    username: str
    name: str
    cache: str = field(repr=False)
    """MSAL's cache with the refresh token: keep it encrypted, give it to `Entra.delegated`."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A sign-in on another device."""

    message: str
    """What to tell the person: the address and the code, in Microsoft's words."""
    code: str
    url: str
    flow: Mapping[str, Any] = field(repr=False)


class Entra:
    """One app registration in one tenant.

    `authority_host` defaults to `AZURE_AUTHORITY_HOST`, else the commercial cloud. `ca_file` is for a private
    authority; else the system's certificates count (`REQUESTS_CA_BUNDLE` is honoured).
    """

    def __init__(
        self,
        *,
        tenant: str,
        client_id: str,
        credential: Secret | Certificate | None = None,
        authority_host: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        host = authority_host or os.environ.get("AZURE_AUTHORITY_HOST") or "login.microsoftonline.com"
        parts = urlsplit(host if "://" in host else f"https://{host}")
        if parts.scheme != "https" or not parts.netloc:
            raise ConfigurationError(f"AZURE_AUTHORITY_HOST must be an https address, not {host!r}.")
        if not tenant or "/" in tenant:
            raise ConfigurationError(f"AZURE_TENANT_ID must be a tenant id or domain, not {tenant!r}.")
        self.authority = f"https://{parts.netloc}/{tenant}"
        self.host = parts.netloc
        self.tenant = tenant
        self.client_id = client_id
        self._credential = credential
        self._verify = str(ca_file) if ca_file else None
        self._http: Any = None

    # Sources of tokens

    def application(self, organisation: str) -> TokenAuth:
        """The application user's tokens, by secret or certificate."""
        if self._credential is None:
            raise ConfigurationError(
                "The application needs AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH to sign in."
            )
        scopes = [_scope(organisation, ".default")]
        app: Any = None

        def acquire(demand: Demand) -> Any:
            nonlocal app
            app = app or self._app()
            if demand.fresh and not demand.claims:
                app.remove_tokens_for_client()
            return app.acquire_token_for_client(scopes, claims_challenge=demand.claims)

        async def source(demand: Demand) -> Token:
            return self._token(await self._run(acquire, demand))

        return TokenAuth(source)

    def delegated(
        self, organisation: str, cache: str, *, on_change: Callable[[str], Awaitable[None]] | None = None
    ) -> TokenAuth:
        """A person's tokens, from the cache that the sign-in gave.

        `on_change` receives the cache whenever it changed and must keep it: refresh tokens rotate. The auth raises
        SignInRequired when the person must sign in again.
        """
        kept = cache

        async def source(demand: Demand) -> Token:
            nonlocal kept
            token, now = await self.renewed(organisation, kept, demand)
            if now != kept:
                kept = now
                if on_change:
                    await on_change(now)
            return token

        return TokenAuth(source)

    async def renewed(self, organisation: str, cache: str, demand: Demand) -> tuple[Token, str]:
        """A person's token from the cache that the sign-in gave, and the cache as it is now: refresh tokens rotate.

        Raises SignInRequired when the person must sign in again.
        """
        scopes = [_scope(organisation, "user_impersonation")]

        def acquire() -> tuple[Any, str]:
            store = _store(cache)
            app = self._app(store)
            accounts = app.get_accounts()
            if not accounts:
                return None, cache
            result = app.acquire_token_silent_with_error(
                scopes, account=accounts[0], force_refresh=demand.fresh, claims_challenge=demand.claims
            )
            return result, store.serialize() if store.has_state_changed else cache

        result, now = await self._run(acquire)
        if result is None:
            raise SignInRequired("You are not signed in to Dynamics any more. Please connect again.")
        return self._token(result), now

    # Signing in

    async def begin_sign_in(
        self, organisation: str, redirect_uri: str, *, login_hint: str | None = None, claims: str | None = None
    ) -> dict[str, Any]:
        """Start authorization code + PKCE: send the person to the answer's `auth_uri`.

        Keep the whole dict, secret, until they return; its `state` is what the redirect will carry.
        """

        def begin() -> dict[str, Any]:
            flow: dict[str, Any] = self._app().initiate_auth_code_flow(
                [_scope(organisation, "user_impersonation")],
                redirect_uri=redirect_uri,
                login_hint=login_hint,
                claims_challenge=claims,
                prompt="select_account",  # nobody is signed in unseen, and not with whichever account was used last
                response_mode="form_post",
            )
            return flow

        flow = await self._run(begin)
        if "error" in flow:
            raise refused(flow, self.host)
        # MSAL warns about anything but form_post; yet a form posted from another site brings no SameSite=Lax cookie,
        # and that cookie is what ties the answer to the browser that asked. PKCE protects the code in the address.
        flow["auth_uri"] = flow["auth_uri"].replace("response_mode=form_post", "response_mode=query")
        return flow

    async def finish_sign_in(self, flow: Mapping[str, Any], query: Mapping[str, str]) -> SignedIn:
        """Redeem the code that the redirect brought. Raises SignInError for a foreign or repeated answer."""

        def finish() -> SignedIn:
            store = _store()
            try:
                result = self._app(store).acquire_token_by_auth_code_flow(dict(flow), dict(query))
            except (ValueError, RuntimeError):  # the latter: another nonce
                raise SignInError("This sign-in was not started here, or was used already. Start again.") from None
            return self._signed_in(result, store)

        return await self._run(finish)

    async def on_behalf_of(self, organisation: str, assertion: str) -> SignedIn:
        """Exchange a token that the person's client gave to this application (Teams sign-in) for Dataverse's."""

        def exchange() -> SignedIn:
            store = _store()
            scopes = [_scope(organisation, "user_impersonation")]
            return self._signed_in(self._app(store).acquire_token_on_behalf_of(assertion, scopes), store)

        return await self._run(exchange)

    async def begin_device_sign_in(self, organisation: str) -> DeviceCode:
        """Start a sign-in on another device."""

        def begin() -> dict[str, Any]:
            flow: dict[str, Any] = self._public_app().initiate_device_flow([_scope(organisation, "user_impersonation")])
            return flow

        flow = await self._run(begin)
        if "user_code" not in flow:
            raise refused(flow, self.host)
        return DeviceCode(flow["message"], flow["user_code"], flow["verification_uri"], flow)

    async def finish_device_sign_in(self, device: DeviceCode) -> SignedIn:
        """Wait until the person has signed in on the other device, or the code expires."""

        def finish() -> SignedIn:
            store = _store()
            app = self._public_app(store)
            return self._signed_in(app.acquire_token_by_device_flow(dict(device.flow)), store)

        return await self._run(finish)

    # Within

    def _app(self, store: Any = None) -> Any:
        import msal

        if self._credential is None:
            return self._public_app(store)
        credential = self._credential
        secret = credential.value if isinstance(credential, Secret) else credential.for_msal()
        return msal.ConfidentialClientApplication(client_credential=secret, **self._options(store))

    def _public_app(self, store: Any = None) -> Any:
        import msal

        return msal.PublicClientApplication(**self._options(store))

    def _options(self, store: Any) -> dict[str, Any]:
        from .sign_in_http import SignInHttp

        self._http = self._http or SignInHttp(verify=self._verify)
        return {
            "client_id": self.client_id,
            "authority": self.authority,
            "token_cache": store,
            "http_client": self._http,
            "client_capabilities": ["cp1"],  # we answer claims challenges
            "instance_discovery": None if self.host in _HOSTS else False,
        }

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.to_thread(self._called, call, *arguments)

    def _called(self, call: Callable[..., T], *arguments: Any) -> T:
        import msal
        import requests

        try:
            return call(*arguments)
        except requests.RequestException as exc:
            raise unreachable(exc, self.host) from None
        except msal.exceptions.MsalServiceError:
            raise SignInAway(
                f"The sign-in service {self.host} is not available just now. Try again in a few minutes."
            ) from None
        except ValueError as exc:
            raise refused({"error": "discovery", "error_description": str(exc)}, self.host) from None

    def _token(self, result: Any) -> Token:
        if not isinstance(result, dict) or "access_token" not in result:
            raise refused(result, self.host)
        return Token(result["access_token"], float(result.get("expires_in") or 0))

    def _signed_in(self, result: Any, store: Any) -> SignedIn:
        self._token(result)
        claims = result.get("id_token_claims") or {}
        # MSAL does not validate them (since 1.38). They came from the provider's own token endpoint over TLS, so that
        # needs no signature (OpenID Connect Core, 3.1.3.7), yet they must be of a fresh sign-in to this application.
        audience = claims.get("aud")
        if self.client_id not in (audience if isinstance(audience, list) else [audience]):
            raise SignInError(f"{self.host} answered with a sign-in to another application. Start again.")
        if float(claims.get("exp") or 0) < time.time() - _SKEW:
            raise SignInError(f"The sign-in that {self.host} gave has expired already. Check this machine's clock.")
        return SignedIn(
            object_id=claims.get("oid", ""),
            tenant_id=claims.get("tid", ""),
            username=claims.get("preferred_username", ""),
            name=claims.get("name", ""),
            cache=store.serialize(),
        )


def _store(cache: str = "") -> Any:
    """MSAL's cache of tokens, empty or as it was kept."""
    import msal

    store = msal.SerializableTokenCache()
    if cache:
        store.deserialize(cache)
    return store


def _scope(organisation: str, permission: str) -> str:
    """A permission on an organisation, whatever stands behind the host in its address."""
    parts = urlsplit(organisation)
    return f"{parts.scheme}://{parts.netloc}/{permission}"
