"""Gestures in the fake Teams, through a hand-written bot and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bots.playground.teams_issuer import Key
from bots.playground.teams_server import FakeTeams

from . import teams_bot


@pytest.fixture
async def teams() -> AsyncIterator[FakeTeams]:
    """The fake Teams with the reference bot behind it, both with tokens."""
    async with FakeTeams(app_id="app-1", app_password="secret") as fake, teams_bot.running(fake):
        yield fake
        assert fake.card_problems == []


async def test_a_message_is_signed_and_answered_with_a_card(teams: FakeTeams) -> None:
    answer = await teams.message("lead list")
    assert answer.status == 202
    assert teams.transcript("personal") == "Anna Weber: lead list\nCRM:\n  lead list\n  [Close] [Close later]"
    assert teams.calls[-1].authorization.startswith("Bearer client-")


async def test_in_a_channel_the_bot_hears_mentions_only_and_answers_in_the_thread(teams: FakeTeams) -> None:
    assert (await teams.message("nothing", conversation="support", mention=False)).error == "not_delivered"
    await teams.message("help", conversation="support")
    asked = teams.last("support", bot=False)
    assert asked is not None
    assert [p.by_bot for p in teams.messages("support", root=asked)] == [False, True]


async def test_execute_replaces_the_card_for_the_person_alone(teams: FakeTeams) -> None:
    await teams.message("case", conversation="support")
    post = teams.last("support")
    assert post is not None
    answer = await teams.execute(post, "Close", user="ben")
    assert answer.json["statusCode"] == 200
    assert "closed by Ben Carter" in teams.text(post, "ben")
    assert "closed by" not in teams.text(post, "anna")


async def test_a_message_becomes_a_case_in_a_dialog(teams: FakeTeams) -> None:
    message = next(p for p in teams.messages("support") if "label printer" in p.text)
    await teams.compose_fetch_task(message, user="ben")
    dialog = teams.dialog("ben")
    assert dialog is not None
    assert teams.text(dialog) == "== Case from Anna Weber ==\nTitle *: ____\n[Create]"
    assert (await teams.submit_dialog(user="ben")).problems == ("Say what",)
    await teams.submit_dialog({"Title": "Printer"}, user="ben")
    after = teams.dialog("ben")
    assert after is not None
    assert after.message == "made Printer k"


async def test_search_inserts_a_card_and_broken_answers_are_named(teams: FakeTeams) -> None:
    await teams.query("searchRecords", "con")
    post = teams.insert(0, conversation="support")
    assert "Contoso" in teams.text(post)
    broken = await teams.query_link("https://org.crm.dynamics.com/main.aspx?id=1")
    assert broken.error == "invalid_response"
    assert broken.problems == ("attachments/0: an Adaptive Card needs a hero or thumbnail preview",)
    assert (await teams.typeahead("accounts", "co")).json["value"]["results"] == [{"title": "Co", "value": "1"}]
    assert (await teams.invoke("task/fetch", {"data": {}})).status == 501


async def test_installing_welcomes_and_removing_ends_the_bots_right_to_write(teams: FakeTeams) -> None:
    await teams.install("group")
    assert teams.transcript("group").endswith("CRM: Welcome")
    await teams.uninstall("group")
    assert teams.calls[-1].status == 403
    assert teams.calls[-1].answer["error"]["code"] == "BotNotInConversationRoster"


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"aud": "other"},
        {"iss": "https://evil.example"},
        {"serviceurl": "https://evil.example"},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"algorithm": "RS384"},
        {"key": Key()},
    ],
    ids=lambda claims: next(iter(claims)) + str(claims.get("algorithm", "")),
)
async def test_forged_tokens_can_be_made_and_are_no_good(teams: FakeTeams, claims: dict[str, Any]) -> None:
    await teams.message("hello")
    delivery = teams.answers[-1].delivery
    assert delivery is not None
    assert (await teams.raw(delivery.body, teams.authorization(**claims))).status == 401
    assert (await teams.raw(delivery.body, teams.authorization())).status == 202


async def test_a_rollover_ends_the_old_key(teams: FakeTeams) -> None:
    old = teams.issuer.rollover()
    activity = {"type": "typing", "serviceUrl": teams.service_url}
    assert (await teams.raw(activity, teams.authorization(key=old))).status == 401
    assert (await teams.raw(activity, teams.authorization())).status == 202


async def test_the_connector_refuses_as_teams_does(teams: FakeTeams) -> None:
    async with teams_bot.running(teams) as bot:
        who, place = teams.world.person("anna"), teams.world.conversation("support")
        activity = teams.activity(who, place)
        message = {"type": "message", "text": "hi"}
        status, answer = await bot.call("POST", activity, "activities?isTargetedActivity=true", message)
        assert (status, answer["error"]["code"]) == (400, "BadArgument")
        to_ben = message | {"recipient": {"id": teams.world.person("ben").teams}}
        status, _ = await bot.call("POST", activity, "activities?isTargetedActivity=true", to_ben)
        assert status == 201
        assert "hi" in teams.transcript("support", "ben")
        assert "CRM" not in teams.transcript("support", "anna")
        status, answer = await bot.call("POST", activity, "activities", {"type": "message", "text": "x" * 52_000})
        assert (status, answer["error"]["code"]) == (413, "MessageSizeTooBig")
        theirs = teams.messages("support")[0]
        status, _ = await bot.call("PUT", activity, f"activities/{theirs.id}", message)
        assert status == 403
        status, answer = await bot.call("PUT", activity, "activities/1", message)
        assert status == 404
        _, members = await bot.call("GET", activity, "pagedmembers")
        assert members["members"][0]["aadObjectId"] == who.aad
        teams.connector.throttle = True
        statuses = [(await bot.call("POST", activity, "activities", message))[0] for _ in range(8)]
        assert statuses == [201] * 7 + [429]
