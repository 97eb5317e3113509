"""The connector client: tokens only to Microsoft's hosts, Teams' limits kept, refusals understood."""

import asyncio

import pytest

from bots.teams.clouds import PUBLIC, US_GOVERNMENT, may_send_to
from bots.teams.connector import Connector, ConnectorError
from bots.teams.credentials import AppTokens
from bots.teams.pace import Pace

from .conftest import APP, PASSWORD, settings_for

ANNA = "a:1anna"


@pytest.fixture
def connector(teams, session):
    teams.world.personal(teams.world.person("anna"))
    tokens = AppTokens(session, app_id=APP, password=PASSWORD, login_url=teams.service_url)
    return Connector(session, settings_for(teams), tokens)


def said(text="hi"):
    return {"type": "message", "text": text}


async def test_the_four_calls(connector, teams):
    url = teams.service_url
    posted = await connector.send(url, "19:support@thread.tacv2;messageid=1", said(), reply_to="5")
    await connector.update(url, "19:support@thread.tacv2", posted, said("changed"))
    assert teams.world.posts[posted].text == "changed"
    await connector.delete(url, "19:support@thread.tacv2", posted)
    assert teams.world.posts[posted].deleted
    assert await connector.open(url, {"members": [{"id": "29:1anna"}], "isGroup": False}) == ANNA
    assert [c.route for c in teams.calls] == [
        "POST activities",
        "PUT activities",
        "DELETE activities",
        "POST conversations",
    ]
    assert teams.issuer.token_requests == 1


async def test_a_private_message_is_seen_by_one(connector, teams):
    body = said() | {"recipient": {"id": "29:1anna"}}
    posted = await connector.send(teams.service_url, "19:support@thread.tacv2", body, targeted=True)
    assert teams.world.posts[posted].to == "29:1anna"


async def test_many_at_once_share_one_token(connector, teams):
    await asyncio.gather(*(connector.send(teams.service_url, ANNA, said()) for _ in range(7)))
    assert teams.issuer.token_requests == 1


async def test_a_token_that_is_refused_is_renewed_once(connector, teams):
    await connector.send(teams.service_url, ANNA, said())
    teams.issuer.client_tokens.clear()
    assert await connector.send(teams.service_url, ANNA, said())
    assert teams.issuer.token_requests == 2
    teams.fail("POST activities", 401, "BotNotRegistered", times=2)
    with pytest.raises(ConnectorError) as caught:
        await connector.send(teams.service_url, ANNA, said())
    assert caught.value.status == 401
    assert not caught.value.again


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://smba.trafficmanager.net.evil.example/",
        "https://evil-smba.trafficmanager.net/",
        "http://smba.trafficmanager.net/amer/",
        "https://user@smba.trafficmanager.net/",
        "https://smba.trafficmanager.net\\@evil.example/",
        "file:///etc/passwd",
        "https://[::1/",
        "",
        "http://127.0.0.1.evil.example/",
        "http://169.254.169.254/metadata",
    ],
)
def test_hosts_that_never_see_a_token(url):
    assert not may_send_to(url, PUBLIC, loopback=True)


def test_hosts_of_the_clouds():
    assert may_send_to("https://smba.trafficmanager.net/emea/", PUBLIC, loopback=False)
    assert may_send_to("https://smba.infra.gcc.teams.microsoft.com/gcc", PUBLIC, loopback=False)
    assert may_send_to("https://smba.infra.gov.teams.microsoft.us/gcch", US_GOVERNMENT, loopback=False)
    assert not may_send_to("https://smba.trafficmanager.net/emea/", US_GOVERNMENT, loopback=False)
    assert may_send_to("http://127.0.0.1:5000/", PUBLIC, loopback=True)
    assert not may_send_to("http://127.0.0.1:5000/", PUBLIC, loopback=False)


async def test_nothing_is_sent_to_a_foreign_host(teams, session):
    tokens = AppTokens(session, app_id=APP, password=PASSWORD, login_url=teams.service_url)
    connector = Connector(session, settings_for(teams, loopback=False), tokens)
    with pytest.raises(ConnectorError, match="NotAllowed") as refused:
        await connector.send(teams.service_url, ANNA, said())
    assert not refused.value.again
    assert teams.calls == []
    assert teams.issuer.token_requests == 0


async def test_what_teams_asks_to_repeat_is_repeated(connector, teams):
    for status in (429, 502):
        teams.fail("POST activities", status, "", times=2, retry_after=0.05)
        assert await connector.send(teams.service_url, ANNA, said())
    assert [c.status for c in teams.calls] == [429, 429, 201, 502, 502, 201]


async def test_a_long_retry_after_goes_back_to_the_caller(connector, teams):
    teams.fail("POST activities", 429, "", retry_after=120)
    with pytest.raises(ConnectorError) as caught:
        await connector.send(teams.service_url, ANNA, said())
    assert caught.value.again
    assert caught.value.retry_after == 120
    assert len(teams.calls) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "BotNotInConversationRoster"), (403, "ConversationBlockedByUser"), (404, "ConversationNotFound")],
)
async def test_the_bot_that_was_sent_away_does_not_insist(connector, teams, status, code):
    teams.fail("POST activities", status, code)
    with pytest.raises(ConnectorError) as caught:
        await connector.send(teams.service_url, ANNA, said())
    assert caught.value.gone
    assert not caught.value.again
    assert len(teams.calls) == 1


async def test_the_published_limits_are_kept(connector, teams):
    teams.connector.throttle = True
    await asyncio.gather(*(connector.send(teams.service_url, ANNA, said(str(n))) for n in range(9)))
    assert {c.status for c in teams.calls} == {201}


async def test_a_token_endpoint_that_refuses(teams, session):
    tokens = AppTokens(session, app_id=APP, password="wrong", login_url=teams.service_url)
    connector = Connector(session, settings_for(teams), tokens)
    with pytest.raises(ConnectorError, match="invalid_client") as caught:
        await connector.send(teams.service_url, ANNA, said())
    assert "wrong" not in str(caught.value)
    assert teams.calls == []


def test_the_pace_keeps_every_window():
    now = 0.0
    pace = Pace(lambda: now)
    moments = [pace.book("c") for _ in range(200)]
    assert moments[:7] == [0.0] * 7
    for messages, seconds in ((7, 1.0), (8, 2.0), (60, 30.0)):
        for first, later in zip(moments, moments[messages:], strict=False):
            assert later - first >= seconds - 1e-9
    assert pace.book("another") == 0.0
    pace.hold("third", 5.0)
    assert pace.book("third") == 5.0
