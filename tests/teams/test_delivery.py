"""Answers and news that come by themselves: installed, sent away, late, and in the place of a waiting card."""

import pytest

from bots.teams.times import Times
from commands.cards import Card, CardKind
from commands.request import DeliveryFailed, Reply, Typed, Visibility

from .conftest import post, says
from .samples import CARDS, RECORD, STUB

pytestmark = pytest.mark.usefixtures("face")


async def test_the_bot_introduces_itself_once(teams, script):
    await teams.install("personal")
    assert script.asked[0].ask == Typed("help")
    assert len(script.asked) == 1
    assert len(teams.messages("personal")) == 1
    anna = teams.world.person("anna")
    upgrade = teams.activity(anna, teams.world.personal(anna)) | {"type": "installationUpdate", "action": "add-upgrade"}
    assert (await teams.raw(upgrade | {"id": "u1"}, teams.authorization())).status == 200
    assert len(script.asked) == 1


async def test_sent_away_it_stays_silent_until_it_is_asked_back(face, teams, script):
    await teams.message("hello")
    where, who = script.asked[0].place, script.asked[0].principal
    await teams.uninstall("personal")
    before = len(teams.calls)
    with pytest.raises(DeliveryFailed) as caught:
        await face.deliver(where, who, Reply(card=RECORD))
    assert not caught.value.again
    assert len(teams.calls) == before
    await teams.install("personal")
    assert await face.deliver(where, who, Reply(card=RECORD))


async def test_late_answers_find_the_person_where_the_bot_is_no_member(face, teams, script):
    teams.world.personal(teams.world.person("anna"))
    root = await post(teams, "secret fire", "leadership")
    await teams.compose_fetch_task(root)
    where, who = script.asked[0].place, script.asked[0].principal
    assert await face.deliver(where, who, Reply(card=RECORD))
    assert "Printer on fire" in teams.transcript("personal")
    assert teams.last("leadership") is None


async def test_being_blocked_is_remembered(face, teams, script):
    await teams.message("hello")
    where, who = script.asked[0].place, script.asked[0].principal
    teams.world.conversation("personal", "anna").refuses = "ConversationBlockedByUser"
    for _ in range(3):
        with pytest.raises(DeliveryFailed):
            await face.deliver(where, who, Reply(card=RECORD))
    assert [c.status for c in teams.calls].count(403) == 1


async def test_a_late_answer_takes_the_place_of_the_waiting_card(face, teams, script):
    waiting = Card(kind=CardKind.NOTICE, title="Working on it …")
    script.reply = says(card=waiting, pending=True)
    await teams.message("case create x")
    request = script.asked[0]
    posted = teams.last()
    assert "Working on it" in teams.text(posted)
    assert await face.deliver(request.place, request.principal, Reply(card=RECORD)) == posted.id
    assert "Printer on fire" in teams.text(posted)
    later = await face.deliver(request.place, request.principal, Reply(card=CARDS["notice"]))
    assert later != posted.id


async def test_a_late_private_answer_takes_the_place_of_its_waiting_card(face, teams, script):
    waiting = Card(kind=CardKind.NOTICE, title="Working on it …")
    script.reply = says(card=waiting, pending=True)
    await teams.message("case create x", conversation="channel")
    request = script.asked[0]
    posted = teams.last("channel", "anna")
    assert await face.deliver(request.place, request.principal, Reply(card=RECORD)) == posted.id
    assert posted.to == "29:1anna"
    assert "Printer on fire" in teams.text(posted, "anna")
    assert teams.last("channel", "ben") is None


async def test_an_answer_that_overtakes_its_waiting_card_is_the_last_word(face, teams, script):
    waiting = Card(kind=CardKind.NOTICE, title="Working on it …")

    async def reply(request):
        await face.deliver(request.place, request.principal, Reply(card=RECORD))
        return Reply(card=waiting, pending=True)

    script.reply = reply
    await teams.message("case create x")
    assert len(teams.messages("personal")) == 2
    assert "Printer on fire" in teams.text(teams.last())


async def test_news_updates_the_card_of_everyone(face, teams, script):
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("share", conversation="channel")
    place, who = script.asked[0].place, script.asked[0].principal
    posted = await face.deliver(place, who, Reply(card=STUB, visibility=Visibility.EVERYONE))
    place.address["card"] = posted
    closed = Card(kind=CardKind.STUB, title="Printer on fire", subtitle="Resolved")
    again = await face.deliver(place, who, Reply(card=closed, visibility=Visibility.EVERYONE, replace=True))
    assert again == posted
    assert "Resolved" in teams.text(teams.world.posts[posted], "ben")


@pytest.mark.parametrize("times", [Times(retries=(0.05, 0.05))])
async def test_an_answer_that_teams_does_not_take_at_once_still_arrives(teams):
    teams.fail("POST activities", 503, "", times=1)
    answer = await teams.message("hello")
    assert answer.status == 200
    assert await teams.until(teams.last)
