"""Signing in, against an OpenID provider in a process of its own, over TLS."""

import asyncio
import base64
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from aiohttp import web

from crm.application_sign_in import managed_identity
from crm.auth import Application, Delegated, Demand, Token, TokenAuth
from crm.client import Dataverse
from crm.credentials import Certificate, Secret
from crm.entra import Entra, SignedIn
from crm.errors import (
    CertificateProblem,
    ConfigurationError,
    SignInAway,
    SignInError,
    SignInRequired,
    Unauthenticated,
    Unreachable,
)
from tests.crm.openid import ANNA, BORIS, OpenId
from tests.crm.server import Server, error

ORG = "https://contoso.crm4.dynamics.com"
REDIRECT = "http://127.0.0.1:3978/auth/callback"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenId]:
    openid = OpenId(tmp_path_factory.mktemp("openid"))
    openid.add_client("secret-app", secret="s3cret", redirects=(REDIRECT,))
    openid.add_client("certificate-app", certificate=_certificate(openid))
    openid.add_client("public-app", redirects=(REDIRECT,))
    with openid:
        yield openid


@pytest.fixture
async def provider(process: OpenId) -> OpenId:
    await process.control(reset=True)
    return process


def _certificate(provider: OpenId) -> Path:
    """The certificate of `certificate-app`, made once."""
    return next(provider.folder.glob("app-*.pem"), None) or provider.authority.issue("app")


def entra(provider: OpenId, **changes: object) -> Entra:
    settings: dict[str, object] = {
        "tenant": provider.tenant,
        "client_id": "secret-app",
        "credential": Secret("s3cret"),
        "authority_host": provider.host,
        "ca_file": provider.ca_file,
    }
    return Entra(**{**settings, **changes})  # type: ignore[arg-type]


def claims(token: str) -> dict[str, object]:
    decoded: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return decoded


async def sign_in(provider: OpenId, person: str, registration: Entra) -> SignedIn:
    flow = await registration.begin_sign_in(ORG, REDIRECT)
    back = await provider.press(flow["auth_uri"], person)
    return await registration.finish_sign_in(flow, dict(parse_qsl(urlsplit(back).query)))


async def test_an_application_signs_in_by_secret_and_asks_once_for_many(provider: OpenId) -> None:
    auth = entra(provider).application(ORG)
    tokens = await asyncio.gather(*(auth.token() for _ in range(20)))
    assert len(set(tokens)) == 1
    assert claims(tokens[0])["aud"] == ORG
    assert [entry["grant_type"] for entry in await provider.log()] == ["client_credentials"]


async def test_an_application_signs_in_by_certificate(provider: OpenId) -> None:
    certificate = Certificate(_certificate(provider))
    auth = entra(provider, client_id="certificate-app", credential=certificate).application(ORG)
    assert claims(await auth.token())["appid"] == "certificate-app"


async def test_a_refused_token_is_replaced_once_and_the_answer_to_a_claims_challenge_is_new(
    provider: OpenId, server: Server
) -> None:
    accepted: list[str] = []
    challenge = base64.b64encode(json.dumps({"access_token": {"nbf": {"essential": True, "value": "1"}}}).encode())

    async def guard(request: web.Request) -> web.StreamResponse | None:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if "requested_claims" in token or "nbf" in str(claims(token).get("requested_claims")):
            accepted.append(token)
            return None
        answer = error(401, "", "Unauthorized")
        answer.headers["WWW-Authenticate"] = f'Bearer error="insufficient_claims", claims="{challenge.decode()}"'
        return answer

    server.override = guard
    auth = entra(provider).application(ORG)
    async with Dataverse(server.url, auth=auth) as dataverse:
        await asyncio.gather(*(dataverse.acting_as(Application()).who_am_i() for _ in range(5)))
    assert len(set(accepted)) == 1
    assert len(await provider.log()) == 2


async def test_a_token_refused_for_good_is_refused_in_words(provider: OpenId, server: Server) -> None:
    async def guard(_: web.Request) -> web.StreamResponse | None:
        past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=20)
        return web.Response(status=401, headers={"Date": past.strftime("%a, %d %b %Y %H:%M:%S GMT")})

    server.override = guard
    async with Dataverse(server.url, auth=entra(provider).application(ORG)) as dataverse:
        with pytest.raises(Unauthenticated, match="clock is 20 minutes ahead"):
            await dataverse.acting_as(Application()).who_am_i()
    assert len(server.seen) == 2


async def test_a_person_signs_in_and_their_tokens_are_refreshed_and_kept(provider: OpenId) -> None:
    await provider.control(lifetime=400)
    registration = entra(provider)
    anna = await sign_in(provider, ANNA, registration)
    assert (anna.object_id, anna.username, anna.name) == (ANNA, "anna@contoso.example", "Anna Example")
    kept: list[str] = []

    async def keep(cache: str) -> None:
        kept.append(cache)

    auth = registration.delegated(ORG, anna.cache, on_change=keep)
    first = await auth.token()
    assert claims(first)["oid"] == ANNA
    second = await auth.token(refused=first)
    assert second != first
    assert len(kept) == 1
    # Another process goes on from what was kept; the first refresh token has been rotated away.
    again = registration.delegated(ORG, kept[-1])
    assert claims(await again.token(refused=second))["oid"] == ANNA
    assert [e["grant_type"] for e in await provider.log()] == ["authorization_code", "refresh_token", "refresh_token"]


async def test_two_people_never_share_a_token(provider: OpenId) -> None:
    registration = entra(provider)
    people = [await sign_in(provider, person, registration) for person in (ANNA, BORIS)]
    auths = [registration.delegated(ORG, person.cache) for person in people]
    tokens = await asyncio.gather(*(auth.token() for auth in auths * 5))
    assert [claims(token)["oid"] for token in tokens] == [ANNA, BORIS] * 5


async def test_a_revoked_sign_in_asks_the_person_to_connect_again(provider: OpenId, server: Server) -> None:
    registration = entra(provider)
    anna = await sign_in(provider, ANNA, registration)
    await provider.control(revoke=True)
    auth = registration.delegated(ORG, anna.cache)
    token = await auth.token()
    async with Dataverse(server.url) as dataverse:
        session = dataverse.acting_as(Delegated(ANNA, auth))
        await session.who_am_i()
        with pytest.raises(SignInRequired, match="revoked"):
            await auth.token(refused=token)


@pytest.mark.parametrize("tampered", [{"state": "foreign"}, {"code": "foreign"}])
async def test_a_foreign_or_repeated_sign_in_answer_is_refused(provider: OpenId, tampered: dict[str, str]) -> None:
    registration = entra(provider)
    flow = await registration.begin_sign_in(ORG, REDIRECT)
    query = dict(parse_qsl(urlsplit(await provider.press(flow["auth_uri"], ANNA)).query))
    with pytest.raises(SignInError):
        await registration.finish_sign_in(flow, {**query, **tampered})
    if "state" in tampered:
        await registration.finish_sign_in(flow, query)
        with pytest.raises(SignInError):
            await registration.finish_sign_in(flow, query)


async def test_a_code_is_worthless_without_its_verifier(provider: OpenId) -> None:
    registration = entra(provider)
    flow = await registration.begin_sign_in(ORG, REDIRECT)
    query = dict(parse_qsl(urlsplit(await provider.press(flow["auth_uri"], ANNA)).query))
    with pytest.raises(SignInError):
        await registration.finish_sign_in({**flow, "code_verifier": "x" * 43}, query)


async def test_a_clients_token_is_exchanged_on_behalf_of_the_person(provider: OpenId) -> None:
    registration = entra(provider)
    assertion = await provider.token_for(BORIS, "api://secret-app")
    boris = await registration.on_behalf_of(ORG, assertion)
    assert boris.object_id == BORIS
    assert claims(await registration.delegated(ORG, boris.cache).token())["oid"] == BORIS
    with pytest.raises(SignInRequired):
        await registration.on_behalf_of(ORG, await provider.token_for(BORIS, "api://another-app"))


async def test_a_device_code_signs_in(provider: OpenId) -> None:
    registration = entra(provider, client_id="public-app", credential=None)
    device = await registration.begin_device_sign_in(ORG)
    assert device.code in device.message
    waiting = asyncio.create_task(registration.finish_device_sign_in(device))
    await provider.control(approve=ANNA)
    anna = await waiting
    assert anna.object_id == ANNA
    assert claims(await registration.delegated(ORG, anna.cache).token())["oid"] == ANNA


async def test_a_program_signs_in_from_its_environment(
    provider: OpenId, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    for name, value in {
        "DATAVERSE_URL": f"{server.url}/main.aspx?app=1",
        "AZURE_TENANT_ID": provider.tenant,
        "AZURE_CLIENT_ID": "secret-app",
        "AZURE_CLIENT_SECRET": "s3cret",
        "AZURE_AUTHORITY_HOST": provider.host,
        "REQUESTS_CA_BUNDLE": str(provider.ca_file),
    }.items():
        monkeypatch.setenv(name, value)
    async with Dataverse.from_environment() as dataverse:
        await dataverse.acting_as(Application()).who_am_i()
    token = server.seen[0].headers["Authorization"].removeprefix("Bearer ")
    assert claims(token)["aud"] == server.url
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    async with Dataverse.from_environment() as dataverse:
        await dataverse.acting_as(Application()).who_am_i()
    assert "Authorization" not in server.seen[1].headers


async def test_a_managed_identity_gives_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    async def endpoint(request: web.Request) -> web.StreamResponse:
        asked.append((request.query["resource"], request.headers["X-IDENTITY-HEADER"]))
        expires = int(dt.datetime.now(dt.UTC).timestamp()) + 3600
        return web.json_response({"access_token": "mi", "expires_on": str(expires), "resource": ORG, "token_type": "x"})

    async with Server() as machine:
        machine.override = endpoint
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{machine.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "secret-header")
        auth = managed_identity(ORG)
        assert await asyncio.gather(auth.token(), auth.token()) == ["mi", "mi"]
    assert asked == [(ORG, "secret-header")]


async def test_a_token_is_renewed_before_it_expires_without_making_anyone_wait() -> None:
    given = 0
    renewed = asyncio.Event()

    async def source(_: Demand) -> Token:
        nonlocal given
        given += 1
        if given == 2:
            renewed.set()
        return Token(f"token {given}", 200 if given == 1 else 3600)

    auth = TokenAuth(source, early=300)
    assert await auth.token() == "token 1"
    assert await auth.token() == "token 1"  # still valid: used at once, renewed behind
    await asyncio.wait_for(renewed.wait(), 60)
    await asyncio.sleep(0)
    assert await auth.token() == "token 2"
    assert given == 2


async def test_when_no_token_can_be_had_those_who_wait_do_not_ask_again_in_turn() -> None:
    asked = 0

    async def source(_: Demand) -> Token:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        raise Unreachable("no")

    auth = TokenAuth(source)
    failures = await asyncio.gather(*(auth.token() for _ in range(50)), return_exceptions=True)
    assert all(isinstance(failure, Unreachable) for failure in failures)
    assert asked == 1
    with pytest.raises(Unreachable):
        await auth.token()
    assert asked == 2


@pytest.mark.parametrize(
    ("changes", "expected", "says"),
    [
        ({"credential": Secret("wrong")}, SignInError, "AZURE_CLIENT_SECRET"),
        ({"client_id": "nobody"}, SignInError, "AZURE_CLIENT_ID"),
        ({"tenant": "fabrikam.example"}, ConfigurationError, "AZURE_TENANT_ID"),
        ({"authority_host": "https://localhost:1"}, Unreachable, "AZURE_AUTHORITY_HOST"),
        ({"ca_file": None}, CertificateProblem, "not trusted"),
    ],
)
async def test_a_wrong_setting_is_named(
    provider: OpenId, changes: dict[str, object], expected: type[Exception], says: str
) -> None:
    with pytest.raises(expected, match=says) as caught:
        await entra(provider, **changes).application(ORG).token()
    assert "\n" not in str(caught.value)


async def test_a_directory_that_refuses_is_quoted_in_words(provider: OpenId) -> None:
    await provider.control(refuse={"client_credentials": {"error": "invalid_client", "code": "AADSTS7000222"}})
    with pytest.raises(SignInError, match="has expired"):
        await entra(provider).application(ORG).token()


@pytest.mark.parametrize("status", [500, 503])
async def test_a_directory_that_is_down_is_told(provider: OpenId, status: int) -> None:
    registration = entra(provider)
    anna = await sign_in(provider, ANNA, registration)
    auth = registration.delegated(ORG, anna.cache)
    token = await auth.token()
    await provider.control(down=status)
    for attempt in (auth.token(refused=token), entra(provider).application(ORG).token()):
        with pytest.raises(SignInAway, match="not available just now"):
            await attempt


async def test_an_expired_application_certificate_is_said_before_anything_is_sent(provider: OpenId) -> None:
    old = provider.authority.issue("old", starts=dt.timedelta(days=-20), lasts=10)
    with pytest.raises(ConfigurationError, match="expired on"):
        await entra(provider, credential=Certificate(old)).application(ORG).token()
    assert await provider.log() == []


async def test_an_unregistered_certificate_is_named(provider: OpenId) -> None:
    stranger = Certificate(provider.authority.issue("stranger"))
    with pytest.raises(SignInError, match="not registered"):
        await entra(provider, client_id="certificate-app", credential=stranger).application(ORG).token()


def test_an_authority_without_tls_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="https"):
        Entra(tenant="t", client_id="c", authority_host="http://login.example")
