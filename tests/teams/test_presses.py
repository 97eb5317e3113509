"""Buttons and forms in a conversation: `Action.Execute`, its fallback, refresh, and where their answers go."""

import pytest

from bots.teams.times import Times
from commands.press import Do, Press
from commands.request import Pressed, Reply, Submitted, Visibility

from .conftest import SEAL, says
from .samples import CARDS, FORM, RECORD, STUB

pytestmark = pytest.mark.usefixtures("face")


async def test_a_button_of_a_client_without_execute(teams, script):
    script.reply = says(card=RECORD)
    await teams.message("case show CAS-01042")
    shown = teams.last()
    script.reply = says(card=CARDS["list"], replace=True)
    await teams.submit_action(shown, "Share")
    ask = script.asked[-1].ask
    assert isinstance(ask, Pressed)
    assert ask.press.do is Do.SHARE
    assert "Leads" in teams.text(teams.last())
    assert len(teams.messages("personal")) == 2


@pytest.mark.parametrize("kind", list(CARDS))
async def test_every_card_can_be_pressed(teams, script, kind):
    script.reply = says(card=CARDS[kind])
    await teams.message("anything")
    shown = teams.last()
    script.reply = says(card=CARDS["notice"])
    pressed = [a for a in CARDS[kind].buttons() if a.press and a.press.do is Do.RUN and not a.confirm]
    for action in pressed[:1]:
        answer = await teams.press(shown, " ".join(action.label.split()) if kind != "nasty" else "run")
        assert answer.error == ""
        assert script.asked[-1].ask.press.verb == action.press.verb


async def test_a_press_that_replaces_changes_the_message_for_good(teams, script):
    script.reply = says(card=CARDS["list"])
    await teams.message("lead list")
    shown = teams.last()
    script.reply = says(card=RECORD, replace=True)
    answer = await teams.execute(shown, "Open")
    assert answer.json["type"] == "application/vnd.microsoft.card.adaptive"
    assert shown.edited
    assert "Printer on fire" in teams.text(shown)


async def test_a_press_in_a_channel_is_answered_to_the_presser_alone(teams, script):
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("share it", conversation="channel")
    shown = teams.last("channel")
    script.reply = says(card=RECORD, replace=True)
    answer = await teams.execute(shown, "Show", user="ben")
    assert answer.json["type"] == "application/vnd.microsoft.card.adaptive"
    assert "Owner" in teams.text(shown, "ben")
    assert "Owner" not in teams.text(shown, "anna")
    assert not shown.edited


async def test_a_private_answer_never_takes_the_place_of_everyones_card(face, teams, script):
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("share it", conversation="channel")
    shown = teams.last("channel")
    # A client without Action.Execute, and an answer that comes late.
    script.reply = says(card=RECORD, replace=True)
    await teams.submit_action(shown, "Show", user="ben")
    request = script.asked[-1]
    await face.deliver(request.place, request.principal, Reply(card=RECORD, replace=True))
    assert not shown.edited
    assert "Owner" not in teams.transcript("channel", "anna")
    mine = [p for p in teams.world.posts.values() if p.to == "29:1ben"]
    assert len(mine) == 2
    # And what is for everyone does not vanish in a message that one person sees.
    request.place.address["card"] = mine[0].id
    await face.deliver(request.place, request.principal, Reply(card=STUB, visibility=Visibility.EVERYONE, replace=True))
    assert "Owner" in teams.text(mine[0], "ben")
    await face.deliver(request.place, request.principal, Reply(stub=STUB, replace=True))
    assert "Owner" in teams.text(mine[0], "ben")


async def test_sharing_posts_for_everyone_and_leaves_the_card(teams, script):
    script.reply = says(card=RECORD)
    await teams.message("case show CAS-01042", conversation="channel")
    shown = teams.last("channel")
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    answer = await teams.execute(shown, "Share")
    assert answer.json["type"] == "application/vnd.microsoft.activity.message"
    assert "Printer on fire" in teams.transcript("channel", "ben")


async def test_refresh_gives_each_reader_their_own_view(teams, script):
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("share it", conversation="channel")
    shown = teams.last("channel")
    script.reply = lambda request: (
        Reply(card=RECORD) if "29:1ben" in request.place.address["user"] else Reply(card=CARDS["error"])
    )
    for _ in range(3):
        assert (await teams.refresh(shown, user="ben")).error == ""
    await teams.refresh(shown, user="chiara")
    assert "Owner" in teams.text(shown, "ben")
    assert "Owner" not in teams.text(shown, "chiara")
    assert "There is no case" not in teams.text(shown, "chiara")
    assert {a.ask.press.do for a in script.asked[1:]} == {Do.RUN}


@pytest.mark.parametrize("do", [Do.RUN, Do.FORM, Do.SHARE, Do.SUBMIT])
async def test_a_refresh_changes_nothing_whatever_it_asks_for(teams, script, do):
    data = {"press": SEAL.seal(Press(do=do, verb="case resolve", args={"record": "1"}))}
    for more in ({"trigger": "automatic"}, {"trigger": "manual"}):
        value = {"action": {"type": "Action.Execute", "verb": "refresh", "data": data}, **more}
        assert (await teams.invoke("adaptiveCard/action", value)).json["statusCode"] == 404
    assert script.asked == []


async def test_a_form_in_a_chat_with_its_problem_and_its_end(teams, script):
    script.reply = says(form=FORM)
    await teams.message("case create")
    shown = teams.last()
    assert "Open a case" in teams.text(shown)
    script.reply = says(form=FORM.with_problems({"title": "x"}, {"title": "Too short."}))
    await teams.execute(shown, "Create", {"Title": "x", "Customer": "a1"})
    ask = script.asked[-1].ask
    assert isinstance(ask, Submitted)
    assert ask.submission.values["title"] == "x"
    assert ask.submission.values["labels"] == "1\n3"
    assert ask.press.key == FORM.submit.key
    assert "Too short." in teams.text(shown)
    script.reply = says(card=RECORD)
    await teams.execute(shown, "Create", {"Title": "Printer on fire"})
    assert "Printer on fire" in teams.text(shown)
    assert "Too short." not in teams.text(shown)


async def test_a_form_in_a_channel_is_seen_by_one_and_ends_for_good(teams, script):
    script.reply = says(form=FORM)
    await teams.message("case create", conversation="channel")
    shown = teams.last("channel")
    assert shown.to == "29:1anna"
    script.reply = says(card=CARDS["sign-in"])
    await teams.execute(shown, "Create", {"Title": "Printer on fire"})
    assert "Connect to Dynamics" in teams.text(shown)
    shown.views.clear()  # seen again: it waits for the person who has signed in
    assert "Open a case" in teams.text(shown)
    script.reply = says(card=RECORD)
    await teams.execute(shown, "Create", {"Title": "Printer on fire"})
    await teams.until(lambda: shown.edited)
    shown.views.clear()
    assert "Owner" in teams.text(shown)


async def test_a_form_that_is_put_away_is_gone(teams, script):
    script.reply = says(form=FORM)
    await teams.message("case create")
    shown = teams.last()
    await teams.execute(shown, "Cancel")
    assert shown.deleted
    assert len(script.asked) == 1


async def test_putting_away_a_form_leaves_everyones_card(teams, script):
    script.reply = says(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("share it", conversation="channel")
    shown = teams.last("channel")
    script.reply = says(form=FORM)
    await teams.execute(shown, "Show", user="ben")
    assert "Open a case" in teams.text(shown, "ben")
    await teams.execute(shown, "Cancel", user="ben")
    assert not shown.deleted
    assert "CAS-01042" in teams.text(shown, "anna")


@pytest.mark.parametrize("times", [Times(call=0.2)])
@pytest.mark.parametrize("trouble", ["refuses", "takes long"])
async def test_a_press_is_answered_in_time_whatever_teams_does_with_messages(teams, script, trouble):
    script.reply = says(card=RECORD)
    await teams.message("case show CAS-01042")
    shown = teams.last()
    script.reply = says(card=CARDS["list"])
    if trouble == "refuses":
        teams.fail("POST activities", 500, "")
    else:
        teams.fail("POST activities", 502, "", retry_after=3)
    answer = await teams.execute(shown, "Share")
    assert answer.error == ""
    assert answer.seconds < 2
    if trouble == "refuses":
        assert "Leads" in teams.text(shown)


async def test_a_changed_button_does_nothing(teams, script):
    script.reply = says(card=RECORD)
    await teams.message("case show CAS-01042")
    shown, asked = teams.last(), len(script.asked)
    card = shown.card()
    share = next(a for a in card["actions"] if a["title"] == "Share")
    token = share["data"]["press"]
    for forged in (token[:-2] + "AA", "", "x" * 50, token.replace(token[30:40], token[40:50]), token + "A"):
        value = {"action": {"type": "Action.Execute", "verb": "run", "data": {"press": forged}}, "trigger": "manual"}
        answer = await teams.invoke("adaptiveCard/action", value, reply_to=shown)
        assert "too old" in str(answer.json)
        answer = await teams.invoke("task/submit", {"data": {"press": forged}})
        assert "too old" in str(answer.json)
    assert len(script.asked) == asked
