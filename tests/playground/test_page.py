"""The page's own routes: what they show, what they do, and whom they refuse."""

from __future__ import annotations

import pytest

from bots.playground import Playground


async def test_the_page_and_its_parts_are_served(playground: Playground) -> None:
    for path, kind in (("", "text/html"), ("/static/main.js", "javascript"), ("/page.json", "application/json")):
        async with playground.slack.session.get(playground.url + path) as response:
            assert response.status == 200
            assert kind in response.headers["Content-Type"]
    async with playground.slack.session.get(playground.url.removesuffix("/playground")) as response:
        assert str(response.url) == playground.url


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}], ids=str
)
async def test_other_hosts_and_foreign_pages_are_refused(playground: Playground, headers: dict[str, str]) -> None:
    gesture = {"user": "U1", "place": "C1", "text": "/crm hello"}
    before = playground.slack.transcript("C1")
    for path in ("/do/slack/command", "/slack/api/auth.test"):
        async with playground.slack.session.post(playground.url + path, json=gesture, headers=headers) as response:
            assert response.status == 403
    assert playground.slack.transcript("C1") == before


async def test_a_gesture_is_a_signed_request_and_shows_on_the_wire(playground: Playground) -> None:
    gesture = {"user": "U1", "place": "C1", "text": "/crm hello"}
    session = playground.slack.session
    async with session.post(f"{playground.url}/do/slack/command", json=gesture) as response:
        assert (await response.json())["error"] == ""
    async with session.get(f"{playground.url}/state/slack?user=U1&place=C1") as response:
        assert (await response.json())["messages"][-1]["private"]
    async with session.get(f"{playground.url}/state/slack?user=U2&place=C1") as response:
        assert not (await response.json())["messages"][-1]["private"]
    async with session.get(f"{playground.url}/wire?after=0") as response:
        labels = [e["label"] for e in (await response.json())["exchanges"]]
    assert "/crm hello" in labels
    assert "xoxb-page" not in str(playground.wire.exchanges)


async def test_the_teams_side_answers_too(playground: Playground) -> None:
    gesture = {"user": "anna", "place": "personal", "text": "hello", "zone": "Asia/Tokyo"}
    session = playground.slack.session
    async with session.post(f"{playground.url}/do/teams/message", json=gesture) as response:
        assert response.status == 200
    assert playground.wire.exchanges[-1].request["entities"][0]["timezone"] == "Asia/Tokyo"
    async with session.get(f"{playground.url}/state/teams?user=anna&place=personal") as response:
        assert (await response.json())["messages"][-1]["by"] == "bot"


async def test_nonsense_gets_a_sentence(playground: Playground) -> None:
    session = playground.slack.session
    for platform, name, body, status in (
        ("slack", "dance", {}, 409),
        ("slack", "click", {"user": "U1", "place": "C1", "message": "1.0", "block": "b", "action": "a"}, 409),
        ("teams", "press", {"user": "nobody", "place": "personal", "message": "1"}, 409),
        ("smoke", "message", {"user": "anna", "place": "personal", "text": "x"}, 409),
        ("slack", "say", ["no", "object"], 400),
    ):
        async with session.post(f"{playground.url}/do/{platform}/{name}", json=body) as response:
            assert (response.status, bool((await response.json())["error"])) == (status, True)
    async with session.post(f"{playground.url}/do/slack/say", data="{}") as response:
        assert response.status == 415
    async with session.get(f"{playground.url}/state/slack?user=U99&place=C1") as response:
        assert response.status == 404
