"""What people say, from signed bytes to what everybody sees: in a personal chat, in a group, in a thread."""

import asyncio
import sys

import pytest

from commands.cards import Card, CardKind
from commands.request import Message, Person, PlaceKind, Reply, Typed, Visibility

from .conftest import post, says
from .samples import NASTY, RECORD, STUB

pytestmark = pytest.mark.usefixtures("face")


async def test_words_in_a_personal_chat(teams, script):
    answer = await teams.message("lead list")
    assert answer.status == 200
    assert answer.seconds < 2
    request = script.asked[0]
    assert request.ask == Typed("lead list")
    assert (request.principal.tenant, request.principal.entra_id) == (
        teams.world.tenant,
        teams.world.person("anna").aad,
    )
    assert request.principal.timezone == "Europe/Amsterdam"
    assert request.place.kind is PlaceKind.PERSONAL
    assert "You said lead list" in teams.transcript("personal")


@pytest.mark.parametrize("typed", ["lead list", "/lead list", "/crm lead list", "/CRM  lead list", "/ lead list"])
async def test_a_slash_before_a_command_means_nothing(teams, script, typed):
    await teams.message(typed)
    assert script.asked[0].ask == Typed("lead list")


async def test_a_mention_in_a_thread_is_answered_there_and_privately(teams, script):
    root = await post(teams, "Anybody?")
    await teams.message("lead list", conversation="channel", reply_to=root)
    place = script.asked[0].place
    assert (place.kind, place.thread) == (PlaceKind.CHANNEL, root.id)
    assert script.asked[0].ask == Typed("lead list")
    answer = teams.last("channel", "anna")
    assert (answer.root, answer.to) == (root.id, "29:1anna")
    assert teams.last("channel", "ben") is None


async def test_what_is_said_to_others_is_no_command_but_may_be_noted(teams, script):
    teams.hears_everything = True
    root = await post(teams, "lead list")
    reply = await post(teams, "It works again", reply_to=root)
    await teams.edit(reply, "It works again!")
    await teams.delete(reply)
    assert script.asked == []
    assert teams.last("channel") is None
    assert [(place.thread, message.text, happened) for _, place, message, happened in script.overheard] == [
        (root.id, "lead list", "written"),
        (root.id, "It works again", "written"),
        (root.id, "It works again!", "edited"),
        (root.id, "", "deleted"),
    ]
    keys = {message.key for _, _, message, _ in script.overheard[1:]}
    assert len(keys) == 1


async def test_private_answers_go_to_the_own_chat_where_the_conversation_cannot_keep_them(teams, script):
    script.reply = says(card=RECORD)
    teams.fail("POST activities", 400, "BadArgument")
    await teams.message("case show CAS-01042", conversation="group")
    assert teams.last("group", "anna") is None
    assert "Printer on fire" in teams.transcript("personal")


async def test_what_is_for_everyone_is_seen_by_everyone(teams, script):
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("case share CAS-01042", conversation="channel")
    assert "Printer on fire" in teams.transcript("channel", "ben")


async def test_a_private_command_is_never_answered_publicly(teams, script):
    script.reply = says(card=RECORD, visibility=Visibility.EVERYONE)
    await teams.message("case show CAS-01042", conversation="channel", targeted=True)
    assert teams.last("channel", "anna").to == "29:1anna"
    assert teams.last("channel", "ben") is None


async def test_the_same_message_three_times_is_heard_once(teams, script):
    answer = await teams.message("case create x")
    again = await asyncio.gather(*(teams.redeliver(answer.delivery) for _ in range(2)))
    assert [a.status for a in again] == [200, 200]
    assert len(script.asked) == 1
    assert len([c for c in teams.calls if c.route == "POST activities"]) == 1


async def test_the_face_survives_a_command_layer_that_breaks(teams, script):
    async def broken(_request):
        raise RuntimeError("a bug")

    script.reply = broken
    first = await teams.message("hello")
    assert first.status == 500
    script.reply = says(card=RECORD)
    assert (await teams.redeliver(first.delivery)).status == 200
    assert "Printer on fire" in teams.transcript("personal")


async def test_nothing_connects_in_a_way_that_blocks_the_loop(teams, script):
    blocking: list[str] = []
    watching = True

    def watch(event, args):
        if watching and event == "socket.connect" and args[0].gettimeout() != 0:
            blocking.append(str(args[1]))

    sys.addaudithook(watch)  # a hook cannot be taken out again, only made deaf
    script.reply = says(card=RECORD)
    await teams.message("case show CAS-01042")
    await teams.execute(teams.last(), "Share")
    await teams.query("searchRecords", "x")
    watching = False
    assert teams.calls
    assert blocking == []


async def test_injection_stays_data(teams, script):
    script.reply = lambda request: Reply(card=Card(kind=CardKind.NOTICE, title=request.ask.text, text=(NASTY,)))
    await teams.message("**bold** [click](https://evil.example) {{DATE(2020-01-01T00:00:00Z,SHORT)}}")
    card = teams.last().card()
    kinds = {part["type"] for part in card["body"]}
    assert kinds == {"RichTextBlock"}
    assert "{{DATE(" not in str(card)
    assert "](" not in card["fallbackText"]  # which some clients take for Markdown


async def test_the_group_of_a_team_is_asked_for_where_it_is_not_sent(face, teams, script):
    await teams.message("hello", conversation="channel")
    place = script.asked[0].place
    quote = await face.thread(place, Message(key="teams:t:c:1", text="x", author=Person(name="Ben")))
    assert [c.path for c in teams.calls if c.route == "GET team"] == [f"/v3/teams/{teams.world.seed.team_id}"]
    assert quote.missing  # the fake Teams has no Graph
