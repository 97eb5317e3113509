"""Who belongs to the organisation, from signed activities and the conversation's roster."""

import uuid
from collections.abc import Iterator

import pytest

from bots.playground.teams_server import FakeTeams
from bots.teams.times import Times
from commands.request import Standing

pytestmark = pytest.mark.usefixtures("face")


@pytest.fixture
def roster(teams: FakeTeams) -> Iterator[dict]:
    yield teams.world.roster
    teams.world.roster.clear()


def asked(teams: FakeTeams) -> int:
    return len([c for c in teams.calls if c.route == "GET member"])


@pytest.mark.parametrize(
    ("said", "standing"),
    [
        ({}, Standing.MEMBER),
        ({"userRole": "guest"}, Standing.GUEST),
        ({"userRole": "anonymous"}, Standing.STRANGER),
        ({"userPrincipalName": "ben_fabrikam.example#EXT#@contoso.example"}, Standing.GUEST),
        ({"tenantId": str(uuid.uuid4())}, Standing.STRANGER),
    ],
)
@pytest.mark.parametrize("conversation", ["personal", "channel"])
async def test_the_roster_decides(teams, script, roster, said, standing, conversation):
    roster["ben"] = said
    await teams.message("lead list", user="ben", conversation=conversation)
    assert script.asked[-1].principal.standing is standing


async def test_it_is_asked_once(teams):
    for _ in range(3):
        await teams.message("lead list", conversation="channel")
    assert asked(teams) == 1


async def test_somebody_who_signed_in_nowhere_is_a_stranger(teams, script):
    person, place = teams.world.person("ben"), teams.world.conversation("personal", "ben")
    activity = teams.activity(person, place) | {"type": "message", "id": "1", "text": "lead list"}
    del activity["from"]["aadObjectId"]
    answer = await teams.raw(activity, teams.authorization())
    assert answer.status == 200
    assert script.asked[-1].principal.standing is Standing.STRANGER
    assert asked(teams) == 0


async def test_where_the_bot_is_no_member_the_entra_id_counts(teams, script):
    teams.fail("GET member", 403, "BotNotInConversationRoster")
    await teams.message("lead list", user="ben", conversation="group")
    assert script.asked[-1].principal.standing is Standing.MEMBER


async def test_what_teams_does_not_say_is_not_assumed(teams, script):
    teams.fail("GET member", 500, "ServiceError", times=20)
    await teams.message("lead list", user="ben")
    assert script.asked[-1].principal.standing is Standing.UNKNOWN


@pytest.mark.parametrize("times", [Times(standing=0)])
async def test_what_was_known_serves_while_teams_is_silent(teams, script):
    await teams.message("lead list", user="ben")
    teams.fail("GET member", 500, "ServiceError", times=20)
    await teams.message("lead list", user="ben")
    assert asked(teams) == 2
    assert [r.principal.standing for r in script.asked] == [Standing.MEMBER, Standing.MEMBER]
