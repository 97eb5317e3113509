"""Only the Bot Framework may speak, only to this bot, only for its tenants; a key rollover is no outage."""

import base64
import json

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from bots.teams.activity import parse
from bots.teams.tokens import KEYS_AGE, LOOKUP_GAP, KeysUnavailable, SigningKeys, TokenCheck, Unauthorised

from .peer import APP, ISSUER, TENANT, activity


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def check(peer, session, clock):
    keys = SigningKeys(session, f"{peer.url}/openid", clock)
    return TokenCheck(keys, app_id=APP, issuer=ISSUER, tenants=frozenset({TENANT}))


async def test_a_good_token_is_believed_and_the_keys_are_read_once(check, peer):
    for _ in range(20):
        await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))
    assert peer.metadata_reads == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-app"},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"nbf": 9_000_000_000},
        {"serviceurl": "https://evil.example/"},
        {"serviceurl": None},
    ],
)
async def test_wrong_claims(check, peer, claims):
    with pytest.raises(Unauthorised):
        await check.check(f"Bearer {peer.sign(claims)}", parse(activity(peer)))


async def test_wrong_tenant(check, peer):
    foreign = activity(peer, channelData={"tenant": {"id": "another"}}, conversation={"id": "c"})
    with pytest.raises(Unauthorised, match="tenant another"):
        await check.check(f"Bearer {peer.sign()}", parse(foreign))


async def test_an_activity_without_a_service_url_is_refused(check, peer):
    with pytest.raises(Unauthorised):
        await check.check(f"Bearer {peer.sign()}", parse(activity(peer, serviceUrl="")))


def _unsigned(claims):
    def part(data):
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'kid': 'key-0'})}.{part(claims)}."


async def test_other_algorithms_and_things_that_are_no_tokens(check, peer):
    claims = jwt.decode(peer.sign(), options={"verify_signature": False})
    public = peer.keys["key-0"].public_key()
    for header in (
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer not.a.token",
        "Bearer a",
        f"Bearer {_unsigned(claims)}",
        f"Bearer {peer.sign(algorithm='RS384')}",
        f"Bearer {peer.sign(algorithm='PS256')}",
        # The public key, which everyone knows, used as the secret of a symmetric signature.
        "Bearer " + jwt.encode(claims, str(public.public_numbers().n).encode(), "HS256", headers={"kid": "key-0"}),
    ):
        with pytest.raises(Unauthorised):
            await check.check(header, parse(activity(peer)))


async def test_a_key_of_somebody_else(check, peer):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(Unauthorised):
        await check.check(f"Bearer {peer.sign(key=stranger)}", parse(activity(peer)))


async def test_a_key_that_is_not_endorsed_for_teams(check, peer):
    peer.endorsements = ["webchat"]
    with pytest.raises(Unauthorised, match="endorsed"):
        await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))


async def test_a_key_rollover_is_no_outage(check, peer, clock):
    await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))
    peer.rollover()
    clock.now += LOOKUP_GAP + 1
    await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))
    assert peer.metadata_reads == 2


async def test_forged_key_ids_do_not_make_us_hammer_the_issuer(check, peer):
    await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))
    for n in range(30):
        with pytest.raises(Unauthorised):
            await check.check(f"Bearer {peer.sign(kid=f'made-up-{n}')}", parse(activity(peer)))
    assert peer.metadata_reads <= 2


async def test_old_keys_serve_while_new_ones_are_fetched(peer, session, clock):
    keys = SigningKeys(session, f"{peer.url}/openid", clock)
    check = TokenCheck(keys, app_id=APP, issuer=ISSUER, tenants=frozenset({TENANT}))
    await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))
    clock.now += KEYS_AGE + 1
    await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))
    await keys._renewal
    assert peer.metadata_reads == 2
    await keys.close()


async def test_an_issuer_that_does_not_answer_is_not_the_callers_fault(session, peer, clock):
    async def down(_request):
        return web.Response(status=502)

    app = web.Application()
    app.router.add_get("/openid", down)
    async with TestServer(app) as server:
        keys = SigningKeys(session, str(server.make_url("/openid")), clock)
        check = TokenCheck(keys, app_id=APP, issuer=ISSUER, tenants=frozenset({TENANT}))
        with pytest.raises(KeysUnavailable):
            await check.check(f"Bearer {peer.sign()}", parse(activity(peer)))
