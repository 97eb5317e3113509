"""A local OpenID provider that speaks as Microsoft Entra does, in a process of its own, over TLS.

    entra = OpenId(folder)                       # folder: for certificates and settings, a pytest tmp_path
    entra.add_client("app", secret="s3cret", redirects=("http://127.0.0.1:3978/auth/callback",))
    with entra:
        entra.host, entra.tenant, entra.ca_file  # AZURE_AUTHORITY_HOST, AZURE_TENANT_ID, what to trust
        await entra.control(revoke=True)

Endpoints under `/{tenant}`: discovery, authorize (a page with one button per person), token (client credentials with
secret or certificate assertion, authorization code + PKCE, refresh with rotation, on-behalf-of, device code),
devicecode, keys. `/_control` changes it while it runs; `/_log` says what was asked.
"""

import argparse
import asyncio
import base64
import hashlib
import html
import json
import secrets
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.crm.certificates import Authority, make_authority

TENANT = "11111111-1111-1111-1111-111111111111"
ANNA = "aaaaaaaa-0000-0000-0000-000000000001"
BORIS = "bbbbbbbb-0000-0000-0000-000000000002"
PEOPLE = {
    ANNA: {"name": "Anna Example", "preferred_username": "anna@contoso.example"},
    BORIS: {"name": "Boris Example", "preferred_username": "boris@contoso.example"},
}
KEY_ID = "test-key"


class OpenId:
    """The provider's process, and a handle on it."""

    def __init__(
        self, folder: Path, *, authority: Authority | None = None, people: dict[str, dict[str, str]] | None = None
    ) -> None:
        self.folder = folder
        self.people = people or PEOPLE
        self.authority = authority or make_authority(folder)
        self.ca_file = self.authority.ca_file
        self.tenant = TENANT
        self._clients: dict[str, dict[str, Any]] = {}

    def add_client(
        self,
        client_id: str,
        *,
        secret: str | None = None,
        certificate: Path | None = None,
        redirects: tuple[str, ...] = (),
    ) -> None:
        """Register an application; before the process starts. `certificate`: PEM, its public part is registered."""
        pem = None
        if certificate:
            loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
            pem = (
                loaded.public_key()
                .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
                .decode()
            )
        self._clients[client_id] = {"secret": secret, "key": pem, "redirects": list(redirects)}

    def __enter__(self) -> Self:
        settings = self.folder / "openid.json"
        tls = str(self.authority.issue())
        settings.write_text(json.dumps({"clients": self._clients, "people": self.people, "tls": tls}))
        command = [sys.executable, "-m", "tests.crm.openid", str(settings)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout
        self.host = f"https://localhost:{int(self._process.stdout.readline())}"
        self._tls = ssl.create_default_context(cafile=str(self.ca_file))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def _http(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._tls))

    async def control(self, **changes: Any) -> None:
        """Change it while it runs.

        `reset`: True, as at the start; `lifetime`: seconds, of access tokens; `refuse`: error, code and claims by grant
        type; `revoke`: True forgets every refresh token; `approve`: whose id approves every waiting device code;
        `down`: a status that every request for a token gets, 0 for none; `identity`: claims that
        every id token says otherwise.
        """
        async with self._http() as http, http.post(f"{self.host}/_control", json=changes) as answer:
            answer.raise_for_status()

    async def log(self) -> list[dict[str, str]]:
        """The token requests so far, as form fields without secrets."""
        async with self._http() as http, http.get(f"{self.host}/_log") as answer:
            entries: list[dict[str, str]] = await answer.json()
            return entries

    async def press(self, auth_uri: str, person: str) -> str:
        """What a browser does: open the page and press a person's button. The address it is sent back to."""
        async with self._http() as http:
            async with http.get(auth_uri) as page:
                assert page.status == 200, await page.text()
            async with http.post(auth_uri, data={"person": person}, allow_redirects=False) as answer:
                assert answer.status == 302, await answer.text()
                return answer.headers["Location"]

    async def token_for(self, person: str, audience: str) -> str:
        """An access token for an application of ours, as Teams' sign-in hands it over."""
        asked = {"person": person, "audience": audience}
        async with self._http() as http, http.post(f"{self.host}/_token", json=asked) as answer:
            return str((await answer.json())["token"])


class Provider:
    """The server inside the process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.clients: dict[str, dict[str, Any]] = settings["clients"]
        self.people: dict[str, dict[str, str]] = settings["people"]
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.base = ""
        self.reset()

    def reset(self) -> None:
        self.lifetime = 3600
        self.down = 0
        self.refuse: dict[str, dict[str, str]] = {}
        self.identity: dict[str, Any] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.refresh: dict[str, dict[str, Any]] = {}
        self.devices: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, str]] = []

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self.discovery)
        app.router.add_get("/{tenant}/discovery/v2.0/keys", self.keys)
        app.router.add_get("/{tenant}/oauth2/v2.0/authorize", self.page)
        app.router.add_post("/{tenant}/oauth2/v2.0/authorize", self.pressed)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self.token)
        app.router.add_post("/{tenant}/oauth2/v2.0/devicecode", self.device_code)
        app.router.add_post("/_control", self.control)
        app.router.add_post("/_token", self.outside_token)
        app.router.add_get("/_log", self.show_log)
        return app

    @property
    def issuer(self) -> str:
        return f"{self.base}/{TENANT}/v2.0"

    async def discovery(self, request: web.Request) -> web.Response:
        if request.match_info["tenant"] not in {TENANT, "contoso.example"}:
            return refusal("invalid_tenant", "AADSTS90002", "Tenant not found.")
        oauth = f"{self.base}/{TENANT}/oauth2/v2.0"
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{oauth}/authorize",
                "token_endpoint": f"{oauth}/token",
                "device_authorization_endpoint": f"{oauth}/devicecode",
                "jwks_uri": f"{self.base}/{TENANT}/discovery/v2.0/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def keys(self, _: web.Request) -> web.Response:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return web.json_response({"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]})

    async def page(self, request: web.Request) -> web.Response:
        asked = request.query
        client = self.clients.get(asked.get("client_id", ""))
        if client is None or asked.get("redirect_uri") not in client["redirects"]:
            return web.Response(status=400, text="AADSTS50011: unknown application or redirect address")
        buttons = "".join(
            f'<button name="person" value="{key}">{html.escape(person["name"])}</button>'
            for key, person in self.people.items()
        )
        action = html.escape(str(request.rel_url))
        deny = '<button name="deny" value="1">Cancel</button>'
        page = f'<h1>Pick an account</h1><form method="post" action="{action}">{buttons}{deny}</form>'
        return web.Response(text=page, content_type="text/html")

    async def pressed(self, request: web.Request) -> web.Response:
        asked = request.query
        client = self.clients.get(asked.get("client_id", ""))
        if client is None or asked.get("redirect_uri") not in client["redirects"]:
            return web.Response(status=400, text="AADSTS50011: unknown application or redirect address")
        pressed = await request.post()
        if "deny" in pressed:
            refused = urlencode({"error": "access_denied", "state": asked.get("state", "")})
            raise web.HTTPFound(f"{asked['redirect_uri']}?{refused}")
        code = secrets.token_urlsafe(24)
        self.codes[code] = {**asked, "person": pressed["person"]}
        answer = urlencode({"code": code, "state": asked.get("state", "")})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{answer}")

    async def token(self, request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=self.down, text="<html>Service Unavailable</html>", content_type="text/html")
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.log.append({k: v for k, v in form.items() if k not in {"client_secret", "client_assertion", "assertion"}})
        grant = form.get("grant_type", "")
        problem = self.client_problem(form, grant)
        if problem:
            return problem
        if grant in self.refuse:
            entry = self.refuse[grant]
            return refusal(entry["error"], entry["code"], "Refused by the test.", claims=entry.get("claims"))
        match grant:
            case "client_credentials":
                return web.json_response(self.grant(form, None))
            case "authorization_code":
                return self.redeem(form)
            case "refresh_token":
                return self.renew(form)
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return self.on_behalf_of(form)
            case "urn:ietf:params:oauth:grant-type:device_code":
                return self.device(form)
        return refusal("unsupported_grant_type", "AADSTS70003", grant)

    def client_problem(self, form: dict[str, str], grant: str) -> web.Response | None:
        client = self.clients.get(form.get("client_id", ""))
        if client is None:
            return refusal("unauthorized_client", "AADSTS700016", "Application not found in the directory.")
        if form.get("client_assertion"):
            return self.assertion_problem(form, client)
        if grant.endswith("device_code"):
            return None
        if client["secret"] is None and client["key"] is None:
            return None
        if client["secret"] is None or form.get("client_secret") != client["secret"]:
            return refusal("invalid_client", "AADSTS7000215", "Invalid client secret provided.")
        return None

    def assertion_problem(self, form: dict[str, str], client: dict[str, Any]) -> web.Response | None:
        if client["key"] is None:
            return refusal("invalid_client", "AADSTS700027", "The certificate is not registered.")
        try:
            jwt.decode(
                form["client_assertion"],
                client["key"],
                algorithms=["RS256", "PS256"],
                audience=f"{self.base}/{TENANT}/oauth2/v2.0/token",
                issuer=form["client_id"],
                options={"require": ["exp", "jti", "sub"]},
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            return refusal("invalid_client", "AADSTS700024", "Client assertion is not within its valid time range.")
        except jwt.InvalidTokenError:
            return refusal("invalid_client", "AADSTS700027", "Client assertion failed signature validation.")
        return None

    def redeem(self, form: dict[str, str]) -> web.Response:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return refusal("invalid_grant", "AADSTS54005", "The code was already redeemed or is foreign.")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked.get("code_challenge_method") != "S256" or asked.get("code_challenge") != challenge:
            return refusal("invalid_grant", "AADSTS501481", "The code_verifier does not match.")
        return web.json_response(self.grant(form, asked["person"], nonce=asked.get("nonce")))

    def renew(self, form: dict[str, str]) -> web.Response:
        known = self.refresh.pop(form.get("refresh_token", ""), None)
        if known is None or known["client"] != form["client_id"]:
            return refusal("invalid_grant", "AADSTS50173", "The refresh token was revoked.")
        return web.json_response(self.grant(form, known["person"]))

    def on_behalf_of(self, form: dict[str, str]) -> web.Response:
        try:
            claims = jwt.decode(
                form.get("assertion", ""),
                self.key.public_key(),
                algorithms=["RS256"],
                audience=[form["client_id"], f"api://{form['client_id']}"],
            )
        except jwt.InvalidTokenError:
            return refusal("invalid_grant", "AADSTS50013", "Assertion failed signature validation.")
        return web.json_response(self.grant(form, claims["oid"]))

    async def device_code(self, request: web.Request) -> web.Response:
        form = await request.post()
        code = secrets.token_urlsafe(16)
        self.devices[code] = {"client": form["client_id"], "scope": form.get("scope", ""), "person": None}
        return web.json_response(
            {
                "device_code": code,
                "user_code": "ABCD-EFGH",
                "verification_uri": f"{self.base}/device",
                "message": f"Open {self.base}/device and enter ABCD-EFGH.",
                "expires_in": 900,
                "interval": 1,
            }
        )

    def device(self, form: dict[str, str]) -> web.Response:
        known = self.devices.get(form.get("device_code", ""))
        if known is None:
            return refusal("expired_token", "AADSTS70019", "The code has expired.")
        if known["person"] is None:
            return refusal("authorization_pending", "AADSTS70016", "Not approved yet.")
        # The permissions were asked for with the code; the request for the token does not repeat them.
        return web.json_response(self.grant({**form, "scope": known["scope"]}, known["person"]))

    def grant(self, form: dict[str, str], person: str | None, *, nonce: str | None = None) -> dict[str, Any]:
        scopes = form.get("scope", "").split()
        resource = next((scope.rpartition("/")[0] for scope in scopes if scope.startswith("http")), "")
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "access_token": self.access_token(form["client_id"], resource, person, form.get("claims")),
        }
        if person is None:
            return answer
        answer["scope"] = " ".join(scope for scope in scopes if scope.startswith("http"))
        identity = {"oid": person, "tid": TENANT, "sub": person, "aud": form["client_id"], **self.people[person]}
        answer["id_token"] = self.sign({**identity, **({"nonce": nonce} if nonce else {}), **self.identity})
        client_info = json.dumps({"uid": person, "utid": TENANT}).encode()
        answer["client_info"] = base64.urlsafe_b64encode(client_info).rstrip(b"=").decode()
        if "offline_access" in scopes:
            refresh = secrets.token_urlsafe(32)
            self.refresh[refresh] = {"person": person, "client": form["client_id"]}
            answer["refresh_token"] = refresh
        return answer

    def access_token(self, client: str, audience: str, person: str | None, claims: str | None = None) -> str:
        body: dict[str, Any] = {"aud": audience, "appid": client, "tid": TENANT, "jti": secrets.token_hex(8)}
        if person:
            body |= {"oid": person, "scp": "user_impersonation", **self.people[person]}
        if claims:
            body["requested_claims"] = claims
        return self.sign(body)

    def sign(self, claims: dict[str, Any]) -> str:
        now = int(time.time())
        body = {"iss": self.issuer, "iat": now, "nbf": now - 5, "exp": now + self.lifetime, **claims}
        return jwt.encode(body, self.key, algorithm="RS256", headers={"kid": KEY_ID})

    async def control(self, request: web.Request) -> web.Response:
        changes = await request.json()
        if changes.get("reset"):
            self.reset()
        self.lifetime = changes.get("lifetime", self.lifetime)
        self.refuse = changes.get("refuse", self.refuse)
        self.down = changes.get("down", self.down)
        self.identity = changes.get("identity", self.identity)
        if changes.get("revoke"):
            self.refresh.clear()
        if approve := changes.get("approve"):
            for known in self.devices.values():
                known["person"] = approve
        return web.Response()

    async def outside_token(self, request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response({"token": self.access_token("outside", asked["audience"], asked["person"])})

    async def show_log(self, _: web.Request) -> web.Response:
        return web.json_response(self.log)


def refusal(error: str, code: str, text: str, *, claims: str | None = None) -> web.Response:
    """An error as the token endpoint words it; `claims`: what the next sign-in must prove."""
    number = int(code.removeprefix("AADSTS"))
    body: dict[str, Any] = {"error": error, "error_description": f"{code}: {text}", "error_codes": [number]}
    if claims:
        body["claims"] = claims
    return web.json_response(body, status=400)


async def serve(settings: dict[str, Any]) -> None:
    """Run until told to stop; prints the port first."""
    provider = Provider(settings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["tls"])
    runner = web.AppRunner(provider.application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    provider.base = f"https://localhost:{port}"
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", type=Path)
    asyncio.run(serve(json.loads(parser.parse_args().settings.read_text())))
