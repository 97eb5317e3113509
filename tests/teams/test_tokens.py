"""Only the Bot Framework may speak, only to this bot, only for its tenants; a key rollover is no outage."""

from functools import partial

import jwt
import pytest

from bots.playground.teams_issuer import Key
from bots.teams.activity import parse
from bots.teams.clouds import PUBLIC, may_send_to
from bots.teams.times import TIMES
from bots.teams.tokens import KEYS_AGE, KeysUnavailable, SigningKeys, TokenCheck, Unauthorised

from .conftest import APP

ISSUER = "https://api.botframework.com"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def check(teams, session, clock):
    keys = SigningKeys(session, teams.openid_url, clock)
    return _check(keys, teams)


def _check(keys, teams):
    return TokenCheck(
        keys,
        app_id=APP,
        issuer=ISSUER,
        tenants=frozenset({teams.world.tenant}),
        may_answer=partial(may_send_to, cloud=PUBLIC, loopback=True),
    )


@pytest.fixture
def said(teams):
    def said(**changes):
        anna = teams.world.person("anna")
        wire = teams.activity(anna, teams.world.personal(anna)) | {"type": "message", "id": "1", "text": "hi"}
        return parse(wire | changes)

    return said


async def test_a_good_token_is_believed_and_the_keys_are_read_once(check, teams, said):
    for _ in range(20):
        await check.check(teams.authorization(), said())
    assert teams.issuer.metadata_reads == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": "https://sts.windows.net/11111111-2222-4333-8444-555555555555/"},
        {"aud": "another-app"},
        {"exp": 1_000_000_000},
        {"nbf": 9_000_000_000},
        {"serviceurl": "https://evil.example/"},
        {"drop": ("iss",)},
        {"drop": ("aud",)},
        {"drop": ("exp",)},
        {"drop": ("serviceurl",)},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"algorithm": "RS384"},
        {"algorithm": "PS256"},
        {"key": Key()},
    ],
    ids=lambda claims: str(claims) if "key" not in claims else "another key",
)
async def test_wrong_tokens(check, teams, said, claims):
    with pytest.raises(Unauthorised):
        await check.check(teams.authorization(**claims), said())


async def test_a_strangers_key_under_a_known_name(check, teams, said):
    stranger = Key()
    stranger.kid = teams.issuer.key.kid
    with pytest.raises(Unauthorised):
        await check.check(teams.authorization(key=stranger), said())


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer not.a.token", "Bearer a"])
async def test_things_that_are_no_tokens(check, said, header):
    with pytest.raises(Unauthorised):
        await check.check(header, said())


async def test_a_token_without_a_named_key(check, teams, said):
    token = jwt.encode({"iss": ISSUER, "aud": APP}, teams.issuer.key.private, algorithm="RS256")
    with pytest.raises(Unauthorised):
        await check.check(f"Bearer {token}", said())


async def test_wrong_tenant(check, teams, said):
    with pytest.raises(Unauthorised, match="tenant another"):
        await check.check(teams.authorization(), said(channelData={"tenant": {"id": "another"}}))


async def test_an_activity_without_a_service_url_is_refused(check, teams, said):
    with pytest.raises(Unauthorised):
        await check.check(teams.authorization(), said(serviceUrl=""))


async def test_a_service_url_that_is_not_of_teams_is_refused_whoever_signed_it(check, teams, said):
    address = "https://smba.trafficmanager.net.evil.example/"
    with pytest.raises(Unauthorised, match="not an address of Microsoft Teams"):
        await check.check(f"Bearer {teams.issuer.activity_token(address)}", said(serviceUrl=address))


async def test_channels_whose_clients_say_themselves_who_they_are_are_refused(check, teams, said):
    address = "https://directline.botframework.com/"
    for channel in ("directline", "webchat", "emulator"):
        with pytest.raises(Unauthorised, match=f"by '{channel}'"):
            await check.check(
                f"Bearer {teams.issuer.activity_token(address)}", said(serviceUrl=address, channelId=channel)
            )


async def test_a_key_that_is_not_endorsed_for_teams(check, teams, said):
    teams.issuer.endorsements = ["webchat"]
    with pytest.raises(Unauthorised, match="endorsed"):
        await check.check(teams.authorization(), said())


async def test_a_key_rollover_is_no_outage(check, teams, said, clock):
    await check.check(teams.authorization(), said())
    old = teams.issuer.rollover()
    clock.now += TIMES.keys + 1
    await check.check(teams.authorization(), said())
    with pytest.raises(Unauthorised):
        await check.check(teams.authorization(key=old), said())


async def test_forged_key_names_do_not_make_us_hammer_the_issuer(check, teams, said):
    await check.check(teams.authorization(), said())
    stranger = Key()
    for n in range(30):
        stranger.kid = f"made-up-{n}"
        with pytest.raises(Unauthorised):
            await check.check(teams.authorization(key=stranger), said())
    assert teams.issuer.metadata_reads <= 2


async def test_old_keys_serve_while_new_ones_are_fetched(teams, session, clock, said):
    keys = SigningKeys(session, teams.openid_url, clock)
    check = _check(keys, teams)
    await check.check(teams.authorization(), said())
    clock.now += KEYS_AGE + 1
    await check.check(teams.authorization(), said())
    await keys._renewal
    assert teams.issuer.metadata_reads == 2
    await keys.close()


async def test_an_issuer_that_does_not_answer_is_not_the_callers_fault(teams, session, clock, said):
    keys = SigningKeys(session, f"{teams.service_url}nothing-here", clock)
    check = _check(keys, teams)
    with pytest.raises(KeysUnavailable):
        await check.check(teams.authorization(), said())
