"""Who signs and who is trusted: an OpenID issuer in Bot Framework's style, and a client-credentials token endpoint."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://api.botframework.com"
TOKEN_SECONDS = 3600


class Key:
    """One RSA signing key with its id."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = secrets.token_urlsafe(12)

    def jwk(self, endorsements: list[str]) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        return {**public, "kid": self.kid, "use": "sig", "alg": "RS256", "endorsements": endorsements}

    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


class Issuer:
    """Tokens for activities (Bot Framework), for people (Entra, for single sign-on), and for the bot (client
    credentials). `metadata_reads`, `key_reads` and `token_requests` count what was asked."""

    def __init__(self, *, app_id: str, app_password: str, tenant: str) -> None:
        self.app_id = app_id
        self.app_password = app_password
        self.tenant = tenant
        self.endorsements = ["msteams"]
        self.key = Key()
        self.client_tokens: dict[str, float] = {}
        self.metadata_reads = self.key_reads = self.token_requests = 0
        self.token_seconds = TOKEN_SECONDS

    def rollover(self) -> Key:
        """A new signing key; the old one is published no more. Gives the old key, for tokens by it."""
        old, self.key = self.key, Key()
        return old

    def activity_token(
        self,
        service_url: str,
        *,
        key: Key | None = None,
        algorithm: str = "RS256",
        drop: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """A bearer token as Bot Framework sends it. Claims override (`aud=`, `iss=`, `exp=`, `serviceurl=`), `drop`
        leaves some out; algorithms "none" and "HS256" (keyed with the public key) are the classic forgeries."""
        now = int(time.time())
        standard = {
            "iss": ISSUER,
            "aud": self.app_id,
            "serviceurl": service_url,
            "nbf": now - 300,
            "exp": now + TOKEN_SECONDS,
        }
        body = {name: value for name, value in (standard | claims).items() if name not in drop}
        return self.sign(body, key=key, algorithm=algorithm)

    def user_token(self, aad: str, audience: str, **claims: Any) -> str:
        """An Entra v2 token of a person, as single sign-on hands it to the bot."""
        now = int(time.time())
        standard = {
            "iss": f"https://login.microsoftonline.com/{self.tenant}/v2.0",
            "aud": audience,
            "oid": aad,
            "tid": self.tenant,
            "scp": "access_as_user",
            "ver": "2.0",
            "nbf": now - 300,
            "exp": now + TOKEN_SECONDS,
        }
        return self.sign(standard | claims)

    def sign(self, claims: Mapping[str, Any], *, key: Key | None = None, algorithm: str = "RS256") -> str:
        key = key or self.key
        if algorithm == "none":
            header = {"alg": "none", "typ": "JWT", "kid": key.kid}
            return f"{_part(header)}.{_part(claims)}."
        if algorithm == "HS256":
            unsigned = f"{_part({'alg': algorithm, 'typ': 'JWT', 'kid': key.kid})}.{_part(claims)}"
            digest = hmac.new(key.public_pem(), unsigned.encode(), hashlib.sha256).digest()
            return f"{unsigned}.{_encoded(digest)}"
        return jwt.encode(dict(claims), key.private, algorithm=algorithm, headers={"kid": key.kid})

    def accepts(self, authorization: str) -> bool:
        """Whether a request to the connector carries a token that we issued."""
        expires = self.client_tokens.get(authorization.removeprefix("Bearer "))
        return expires is not None and expires > time.time()

    # -- routes

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/openid/v1/.well-known/openidconfiguration", self._metadata),
            web.get("/openid/v1/keys", self._keys),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._entra_metadata),
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
        ]

    async def _metadata(self, request: web.Request) -> web.Response:
        self.metadata_reads += 1
        return web.json_response(
            {
                "issuer": ISSUER,
                "authorization_endpoint": "https://invalid.botframework.com",
                "jwks_uri": str(request.url.with_path(request.path.replace(".well-known/openidconfiguration", "keys"))),
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, _: web.Request) -> web.Response:
        self.key_reads += 1
        return web.json_response({"keys": [self.key.jwk(self.endorsements)]})

    async def _entra_metadata(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        root = request.path.partition(f"/{tenant}/")[0]
        at = request.url.with_query(None)
        return web.json_response(
            {
                "issuer": f"https://login.microsoftonline.com/{self.tenant}/v2.0",
                "token_endpoint": str(at.with_path(f"{root}/{tenant}/oauth2/v2.0/token")),
                "authorization_endpoint": str(at.with_path(f"{root}/{tenant}/oauth2/v2.0/authorize")),
                "jwks_uri": str(at.with_path(f"{root}/openid/v1/keys")),
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        self.token_requests += 1
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != (self.app_id, self.app_password):
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") != "client_credentials" or not form.get("scope"):
            return web.json_response({"error": "invalid_request"}, status=400)
        token = f"client-{secrets.token_hex(16)}"
        self.client_tokens[token] = time.time() + self.token_seconds
        return web.json_response({"token_type": "Bearer", "expires_in": self.token_seconds, "access_token": token})


def _part(value: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
