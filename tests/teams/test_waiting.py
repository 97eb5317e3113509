"""The card that says "this takes a moment": its answer takes its place, also from another process."""

import pytest

from bots.teams.waiting import Posted, WaitingCards
from commands.cards import Card, CardKind
from commands.request import DeliveryFailed, Place, Reply, Visibility
from commands.state import TABLES

from .samples import RECORD, STUB

WAITING = Reply(card=Card(kind=CardKind.NOTICE, title="Working on it …"), pending=True)
ANSWER = Reply(card=RECORD)


@pytest.fixture(autouse=True)
def slow(script):
    script.reply = lambda _: WAITING


def waiting_cards(teams):
    return [p for p in teams.world.posts.values() if p.by_bot and not p.deleted and "Working on it" in teams.text(p)]


@pytest.mark.parametrize("conversation", ["personal", "group", "channel"])
async def test_after_a_restart_the_same_card_is_replaced(process, teams, script, conversation):
    async with process():
        heard = await teams.message("case create x", conversation=conversation)
        posted = teams.last(conversation)
        assert waiting_cards(teams) == [posted]
    async with process() as restarted:
        await teams.redeliver(heard.delivery)
        assert waiting_cards(teams) == [posted]
        asked = script.asked[0]
        assert await restarted.deliver(asked.place, asked.principal, ANSWER) == posted.id
        assert waiting_cards(teams) == []
        assert "Printer on fire" in teams.text(posted)
        assert posted.to == ("" if conversation == "personal" else "29:1anna")
        assert await restarted.deliver(asked.place, asked.principal, ANSWER) != posted.id


async def test_among_others_a_press_that_takes_long_leaves_the_card(process, teams, script):
    async with process() as face:
        script.reply = lambda _: Reply(card=STUB, visibility=Visibility.EVERYONE)
        await teams.message("case share x", conversation="channel")
        stub = teams.last("channel", "ben")
        script.reply = lambda _: WAITING
        assert (await teams.execute(stub, "Show", user="ben")).error == ""
        assert "Working on it" in teams.toast("ben")
        assert waiting_cards(teams) == []
        assert stub.views == {}
        asked = script.asked[-1]
        await face.deliver(asked.place, asked.principal, ANSWER)
        assert "Printer on fire" in teams.text(teams.last("channel", "ben"), "ben")
        assert teams.last("channel", "ben").to == "29:1ben"


async def test_a_card_that_had_to_go_to_the_own_chat_is_replaced_there(process, teams, script):
    async with process():
        teams.fail("POST activities", 400, "BadArgument")
        await teams.message("case create x", conversation="channel")
        posted = teams.last("personal")
        assert waiting_cards(teams) == [posted]
    async with process() as restarted:
        asked = script.asked[0]
        assert await restarted.deliver(asked.place, asked.principal, ANSWER) == posted.id
    assert waiting_cards(teams) == []
    assert "Printer on fire" in teams.text(posted)
    assert teams.last("channel") is None


@pytest.mark.parametrize("own_chat", [False, True])
async def test_an_answer_for_everyone_leaves_no_private_card_behind(process, teams, script, own_chat):
    async with process() as face:
        if own_chat:
            teams.fail("POST activities", 400, "BadArgument")
        await teams.message("case share x", conversation="channel")
        assert len(waiting_cards(teams)) == 1
        asked = script.asked[0]
        shared = Reply(card=STUB, visibility=Visibility.EVERYONE)
        posted = await face.deliver(asked.place, asked.principal, shared)
    assert waiting_cards(teams) == []
    assert teams.last("channel", "ben").id == posted


async def test_a_card_that_cannot_be_replaced_yet_waits_on(process, teams, script):
    async with process() as face:
        await teams.message("case create x")
        posted, asked = teams.last(), script.asked[0]
        teams.fail("*", 403, "MessageWritesBlocked", times=2)
        with pytest.raises(DeliveryFailed):
            await face.deliver(asked.place, asked.principal, ANSWER)
        await teams.install("personal")
        assert await face.deliver(asked.place, asked.principal, ANSWER) == posted.id


async def test_the_same_gesture_in_another_conversation_is_another_one(process, teams, script):
    async with process() as face:
        await teams.message("case create x")
        first, asked = teams.last(), script.asked[0]
        await teams.message("case create x", conversation="group")
        elsewhere = script.asked[1].place
        elsewhere.address["gesture"] = asked.place.address["gesture"]
        assert await face.deliver(elsewhere, asked.principal, ANSWER) != first.id
        assert await face.deliver(asked.place, asked.principal, ANSWER) == first.id


async def test_no_database_no_memory_but_an_answer(process, teams, script, state, caplog):
    async with process() as face:
        async with state.engine.begin() as db:
            await db.run_sync(TABLES.tables["teams_waiting_cards"].drop)
        await teams.message("case create x")
        posted, asked = teams.last(), script.asked[0]
        assert await face.deliver(asked.place, asked.principal, ANSWER) == posted.id
    assert "a waiting card cannot be kept" in caplog.text


async def test_an_answer_that_overtakes_its_card_leaves_no_row(state):
    place = Place(platform="teams", tenant="t", conversation="a:1", address={"gesture": "1"})
    cards = WaitingCards(state)

    async def post() -> Posted:
        await cards.forget(place)  # answered meanwhile
        return Posted(id="1")

    await cards.post(place, post)
    assert await WaitingCards(state).find(place) is None
