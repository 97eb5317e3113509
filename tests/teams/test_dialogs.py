"""Dialogs: of a button, and of “Create case” on a message."""

import pytest

from bots.playground.teams_world import Conversation
from commands.press import Do, Press
from commands.request import FromMessage, PlaceKind, Reply, Visibility

from .conftest import SEAL, post, says
from .samples import CARDS, FORM, RECORD, STUB

pytestmark = pytest.mark.usefixtures("face")


async def test_a_dialog_from_a_button_to_its_end(teams, script):
    script.reply = says(card=RECORD)
    await teams.message("case show CAS-01042")
    script.reply = says(form=FORM)
    opened = await teams.press(teams.last(), "Edit")
    assert opened.error == ""
    assert teams.dialog().title == "Open a case"
    script.reply = says(form=FORM.with_problems({"title": "x"}, {"title": "Too short."}))
    await teams.submit_dialog({"Title": "x"}, "Create")
    assert "Too short." in teams.text(teams.dialog())
    script.reply = says(card=RECORD)
    await teams.submit_dialog({"Title": "Printer on fire"}, "Create")
    assert teams.dialog() is None
    assert "Printer on fire" in teams.text(teams.last())


async def test_a_dialog_in_a_channel_shows_its_result_to_the_person_alone(teams, script):
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("x", conversation="channel")
    script.reply = says(form=FORM)
    data = {"press": SEAL.seal(Press(do=Do.FORM, verb="case update"))}
    await teams.task_fetch(data, conversation="channel")
    script.reply = says(card=RECORD)
    await teams.submit_dialog({}, "Create")
    assert "Owner" in teams.text(teams.dialog())
    assert "Owner" not in teams.transcript("channel", "ben")
    script.reply = says(card=CARDS["notice"])
    await teams.submit_dialog({}, "Refresh")
    assert script.asked[-1].ask.press.verb == "case show"


async def test_an_error_in_a_dialog_stays_in_the_dialog(teams, script):
    script.reply = says(form=FORM)
    await teams.task_fetch({"press": SEAL.seal(FORM.submit)})
    script.reply = says(card=CARDS["error"])
    await teams.submit_dialog({"Title": "x"}, "Create")
    assert "There is no case" in teams.text(teams.dialog())


async def test_a_message_becomes_a_case(teams, script):
    root = await post(teams, "The <b>printer</b> is on fire & smoking", user="ben")
    script.reply = says(form=FORM)
    opened = await teams.compose_fetch_task(root, user="anna")
    assert opened.seconds < 5
    assert opened.error == ""
    quote = script.asked[0].ask.quote
    assert isinstance(script.asked[0].ask, FromMessage)
    assert quote.message.text == "The <b>printer</b> is on fire & smoking"
    assert quote.message.author.entra_id == teams.world.person("ben").aad
    assert quote.message.permalink == teams.world.permalink(root)
    assert quote.message.key.endswith(f"19:support@thread.tacv2:{root.id}")
    script.reply = says(card=RECORD, stub=STUB)
    await teams.submit_dialog({"Title": "Printer on fire"}, "Create")
    assert "Owner" in teams.text(teams.dialog())
    for user in ("ben", "chiara"):
        seen = teams.transcript("channel", user)
        assert "CAS-01042" in seen
        assert "Owner" not in seen
    assert teams.last("channel", "ben").root == root.id


async def test_a_message_where_the_bot_is_no_member(teams, script):
    teams.world.conversation("leadership").bot = False
    root = await post(teams, "secret fire", "leadership")
    script.reply = says(form=FORM)
    await teams.compose_fetch_task(root)
    script.reply = says(card=RECORD, stub=STUB)
    await teams.submit_dialog({}, "Create")
    seen = teams.text(teams.dialog())
    assert "Owner" in seen
    assert "not a member" in seen
    teams.world.conversation("leadership").bot = True
    script.reply = says(card=RECORD)
    await teams.submit_dialog({}, "Add the app and tell them")
    assert "CAS-01042" in teams.transcript("leadership", "chiara")


async def test_a_message_between_two_people(face, teams, script):
    anna, ben = teams.world.person("anna"), teams.world.person("ben")
    chat = Conversation(
        id="19:anna_ben@unq.gbl.spaces", kind="personal", name="Ben", members=[anna.teams, ben.teams], bot=False
    )
    teams.world.conversations[chat.id] = chat
    message = await post(teams, "The printer is on fire", chat.id, "ben")
    script.reply = says(form=FORM)
    await teams.compose_fetch_task(message)
    request = script.asked[0]
    assert request.place.kind is PlaceKind.GROUP
    script.reply = says(card=RECORD, stub=STUB)
    await teams.submit_dialog({}, "Create")
    assert "not a member" in teams.text(teams.dialog())
    # What comes late does not take that chat for the one with the bot.
    for _ in range(2):
        assert await face.deliver(request.place, request.principal, Reply(card=RECORD))
    assert "Printer on fire" in teams.transcript("personal")
    assert teams.last(chat.id) is None


async def test_an_old_button_that_adds_the_app_is_explained(teams):
    data = {"press": "x" * 50, "msteams": {"justInTimeInstall": True}}
    value = {"commandId": "createCase", "data": data}
    answer = await teams.invoke("composeExtension/submitAction", value, conversation="channel")
    assert "too old" in str(answer.json)


async def test_create_case_from_nothing_is_explained(teams):
    answer = await teams.compose_fetch_task(None)
    assert answer.json["task"]["type"] == "message"
