"""The connector client: tokens only to Microsoft's hosts, Teams' limits kept, refusals understood."""

import asyncio

import pytest
from aiohttp import web

from bots.teams.clouds import PUBLIC, US_GOVERNMENT, may_send_to
from bots.teams.connector import Connector, ConnectorError
from bots.teams.credentials import AppTokens
from bots.teams.pace import Pace

from .conftest import settings_for
from .peer import APP


@pytest.fixture
def connector(peer, session):
    tokens = AppTokens(session, app_id=APP, password="secret", login_url=f"{peer.url}/login")
    return Connector(session, settings_for(peer), tokens)


def error(status: int, code: str, **headers: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": "…"}}, status=status, headers=headers)


async def test_the_four_calls(connector, peer):
    url = peer.service_url
    assert await connector.send(url, "19:a@thread;messageid=1", {"type": "message"}, reply_to="5") == "msg-1"
    await connector.update(url, "a:b", "5", {"type": "message"})
    await connector.delete(url, "a:b", "5")
    assert await connector.open(url, {"members": []}) == "conv-4"
    assert [(c["method"], c["path"]) for c in peer.calls] == [
        ("POST", "conversations/19:a@thread;messageid=1/activities/5"),
        ("PUT", "conversations/a:b/activities/5"),
        ("DELETE", "conversations/a:b/activities/5"),
        ("POST", "conversations"),
    ]
    assert {c["authorization"] for c in peer.calls} == {"Bearer bot-token-1"}


async def test_a_private_message_says_so(connector, peer):
    await connector.send(peer.service_url, "c", {"recipient": {"id": "29:ada"}}, targeted=True)
    assert peer.calls[0]["query"] == {"isTargetedActivity": "true"}


async def test_many_at_once_share_one_token(connector, peer):
    await asyncio.gather(*(connector.send(peer.service_url, f"c{n}", {}) for n in range(40)))
    assert peer.tokens_given == 1


async def test_a_token_that_is_refused_is_renewed_once(connector, peer):
    peer.fail = lambda r: error(401, "") if r.headers["Authorization"] == "Bearer bot-token-1" else None
    assert await connector.send(peer.service_url, "c", {})
    assert peer.tokens_given == 2
    peer.fail = lambda _r: error(401, "BotNotRegistered")
    with pytest.raises(ConnectorError) as caught:
        await connector.send(peer.service_url, "c", {})
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


async def test_nothing_is_sent_to_a_foreign_host(peer, session):
    tokens = AppTokens(session, app_id=APP, password="secret", login_url=f"{peer.url}/login")
    connector = Connector(session, settings_for(peer, loopback=False), tokens)
    with pytest.raises(ConnectorError, match="NotAllowed"):
        await connector.send(peer.service_url, "c", {})
    assert peer.calls == []
    assert peer.tokens_given == 0


async def test_retry_after_is_obeyed_and_then_it_goes(connector, peer):
    answers = [error(429, "", **{"Retry-After": "0.05"}), error(502, "", **{"Retry-After": "0"}), None]
    peer.fail = lambda _r: answers.pop(0)
    assert await connector.send(peer.service_url, "c", {})
    assert len(peer.calls) == 3


async def test_a_long_retry_after_goes_back_to_the_caller(connector, peer):
    peer.fail = lambda _r: error(429, "", **{"Retry-After": "120"})
    with pytest.raises(ConnectorError) as caught:
        await connector.send(peer.service_url, "c", {})
    assert caught.value.again
    assert caught.value.retry_after == 120
    assert len(peer.calls) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "BotNotInConversationRoster"), (403, "ConversationBlockedByUser"), (404, "ConversationNotFound")],
)
async def test_the_bot_that_was_sent_away_does_not_insist(connector, peer, status, code):
    peer.fail = lambda _r: error(status, code)
    with pytest.raises(ConnectorError) as caught:
        await connector.send(peer.service_url, "c", {})
    assert caught.value.gone
    assert not caught.value.again
    assert len(peer.calls) == 1


async def test_a_token_endpoint_that_refuses(peer, session):
    tokens = AppTokens(session, app_id=APP, password="wrong", login_url=f"{peer.url}/login")
    connector = Connector(session, settings_for(peer), tokens)
    with pytest.raises(ConnectorError, match="invalid_client") as caught:
        await connector.send(peer.service_url, "c", {})
    assert "wrong" not in str(caught.value)
    assert peer.calls == []


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
