"""Who and what is let in at /api/messages, and with which settings."""

import pytest

from bots.playground.teams_contract import problems
from bots.playground.teams_server import FakeTeams
from bots.teams.face import TeamsFace
from bots.teams.times import Times

from .conftest import serving, settings_for

pytestmark = pytest.mark.usefixtures("face")


async def test_bodies_that_are_no_activities(teams):
    for body in (b"", b"{", b"[]", b"null", b'{"type":"message"}', b"\xff\xfe", b'"' + b"x" * 1000):
        assert (await teams.raw(body, teams.authorization())).status == 400
    assert (await teams.raw(b"x" * 600_000, teams.authorization())).status == 413


async def test_who_may_not_speak_is_told_so_and_nothing_happens(teams, script):
    anna = teams.world.person("anna")
    activity = teams.activity(anna, teams.world.personal(anna)) | {"type": "message", "id": "1", "text": "x"}
    headers = [None, "Bearer x", teams.authorization(aud="another"), teams.authorization(exp=1)]
    headers += [teams.authorization(algorithm=a) for a in ("none", "HS256", "RS384")]
    for header in headers:
        assert (await teams.raw(activity, header)).status == 401
    elsewhere = activity | {"channelData": {"tenant": {"id": "another"}}}
    assert (await teams.raw(elsewhere, teams.authorization())).status == 401
    assert (await teams.raw(activity | {"serviceUrl": "https://evil.example/"}, teams.authorization())).status == 401
    assert script.asked == []
    assert teams.calls == []


@pytest.mark.parametrize("times", [Times(keys=0)])
async def test_a_rollover_of_keys_is_no_outage(teams):
    teams.issuer.rollover()
    assert (await teams.message("hello")).status == 200


async def test_invokes_that_the_bot_does_not_know(teams):
    for name in ("fileConsent/invoke", "tab/fetch", "message/submitAction", "nonsense"):
        assert (await teams.invoke(name, {})).status == 501


@pytest.mark.parametrize(
    "name",
    [
        "adaptiveCard/action",
        "application/search",
        "task/fetch",
        "task/submit",
        "composeExtension/fetchTask",
        "composeExtension/submitAction",
        "composeExtension/query",
        "composeExtension/queryLink",
        "signin/verifyState",
        "signin/failure",
    ],
)
async def test_odd_values_get_a_proper_answer(teams, name):
    for value in (None, [], "x", {}, {"action": 5}, {"action": {"type": "Action.Submit"}}):
        answer = await teams.invoke(name, value)
        assert answer.status == 200
        assert problems(name, answer.json) == []


async def test_without_an_app_id_only_this_machine_is_heard(session, script, state):
    async with FakeTeams() as teams:
        face = TeamsFace(settings_for(teams), script, session, state)
        async with serving(face, teams) as url:
            assert (await teams.message("hello")).status == 200
            for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
                async with session.post(url, json={}, headers=headers) as response:
                    assert response.status == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"app_id": "", "loopback": False},
        {"app_password": ""},
        {"tenant_id": ""},
        {"app_type": "Nonsense"},
        {"cloud": "moon"},
        {"app_type": "MultiTenant", "tenant_id": "", "allowed_tenants": frozenset()},
    ],
)
async def test_settings_that_cannot_work_are_refused_at_once(teams, session, script, state, changes):
    with pytest.raises(ValueError, match="MICROSOFT_"):
        TeamsFace(settings_for(teams, **changes), script, session, state)
