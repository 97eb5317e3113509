"""The face from signed bytes to what people see: messages, every invoke, installation, proactive delivery."""

import asyncio
import sys

import pytest

from bots.playground.teams_contract import problems
from bots.teams.face import TeamsFace
from bots.teams.forms import dataset, read_dataset
from bots.teams.times import Times
from commands.cards import Card, CardKind, Option
from commands.press import Do, Press
from commands.request import (
    DeliveryFailed,
    FromMessage,
    Message,
    Person,
    PlaceKind,
    Pressed,
    Reply,
    Submitted,
    Typed,
    Visibility,
)

from .conftest import SEAL, serving, settings_for
from .samples import CARDS, FORM, NASTY, RECORD, STUB

pytestmark = pytest.mark.usefixtures("face")


def says(**reply):
    return lambda _request: Reply(**reply)


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


async def test_a_mention_in_a_thread_is_answered_there_and_privately(teams, script):
    root = await _post(teams, "Anybody?")
    await teams.message("lead list", conversation="channel", reply_to=root)
    place = script.asked[0].place
    assert (place.kind, place.thread) == (PlaceKind.CHANNEL, root.id)
    assert script.asked[0].ask == Typed("lead list")
    answer = teams.last("channel", "anna")
    assert (answer.root, answer.to) == (root.id, "29:1anna")
    assert teams.last("channel", "ben") is None


async def test_what_is_said_to_others_is_no_command_but_may_be_noted(teams, script):
    teams.hears_everything = True
    root = await _post(teams, "lead list")
    reply = await _post(teams, "It works again", reply_to=root)
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


async def _post(teams, text, conversation="channel", user="anna", reply_to=None):
    await teams.message(text, conversation=conversation, user=user, mention=False, reply_to=reply_to)
    return teams.last(conversation, user, bot=False)


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
    root = await _post(teams, "The <b>printer</b> is on fire & smoking", user="ben")
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
    root = await _post(teams, "secret fire", "leadership")
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


async def test_create_case_from_nothing_is_explained(teams):
    answer = await teams.compose_fetch_task(None)
    assert answer.json["task"]["type"] == "message"


async def test_typeahead(teams, script):
    script.options = [Option(f"Contoso {n}", f"id-{n}") for n in range(15)]
    answer = await teams.typeahead("case create/customer", "contoso 1")
    assert answer.error == ""
    assert [r["title"] for r in answer.json["value"]["results"]] == [
        "Contoso 1",
        *(f"Contoso {n}" for n in range(10, 15)),
    ]


def test_a_form_of_another_environment_searches_there():
    press, field = read_dataset(dataset(Press(do=Do.SUBMIT, verb="case create", args={"env": "Sales EU"}), "customer"))
    assert (press.verb, press.args, field) == ("case create", {"env": "Sales EU"}, "customer")
    assert read_dataset(dataset(FORM.submit, "customer"))[0].args == {}
    assert read_dataset("")[1] == ""


async def test_search_previews_and_inserts_only_what_everyone_may_see(teams, script):
    script.found = [RECORD, CARDS["nasty"]]
    answer = await teams.query("searchRecords", "printer")
    assert answer.error == ""
    inserted = teams.insert(0)
    assert "Owner" not in teams.text(inserted)
    assert "Printer on fire" in teams.text(inserted)
    initial = await teams.query("searchRecords")
    previews = [a["preview"]["content"] for a in initial.json["composeExtension"]["attachments"]]
    assert len(previews) == 2
    assert "<" not in previews[1]["title"]
    assert (await teams.query("searchRecords", "zzz")).json["composeExtension"]["type"] == "message"
    assert (await teams.query("searchRecords", "printer", skip=25)).json["composeExtension"]["attachments"] == []


@pytest.mark.parametrize("times", [Times(lookup=0.1)])
async def test_a_search_that_takes_too_long_is_answered_in_time(teams, script):
    async def forever(*_):
        await asyncio.sleep(30)

    script.search = script.unfurl = forever
    answer = await teams.query("searchRecords", "printer")
    assert answer.json["composeExtension"]["type"] == "message"
    assert answer.seconds < 1
    assert (await teams.query_link("https://contoso.crm.dynamics.com/x")).seconds < 1


async def test_links_unfurl_to_the_public_card(teams, script):
    script.found = [RECORD]
    answer = await teams.query_link(RECORD.url)
    assert answer.error == ""
    assert "Owner" not in teams.transcript("channel", "ben")
    assert "CAS-01042" in teams.transcript("channel", "ben")
    assert (await teams.query_link("https://example.com")).json["composeExtension"]["attachments"] == []
    assert (await teams.query_link(RECORD.url, anonymous=True)).json["composeExtension"]["attachments"] == []


async def test_invokes_that_the_bot_does_not_know(teams):
    for name in ("fileConsent/invoke", "tab/fetch", "message/submitAction", "nonsense"):
        assert (await teams.invoke(name, {})).status == 501


@pytest.mark.parametrize("value", [None, [], "x", {}, {"action": 5}, {"action": {"type": "Action.Submit"}}])
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
async def test_odd_values_get_a_proper_answer(teams, name, value):
    answer = await teams.invoke(name, value)
    assert answer.status == 200
    assert problems(name, answer.json) == []


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
    root = await _post(teams, "secret fire", "leadership")
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


async def test_the_face_survives_a_command_layer_that_breaks(teams, script):
    async def broken(_request):
        raise RuntimeError("a bug")

    script.reply = broken
    first = await teams.message("hello")
    assert first.status == 500
    script.reply = says(card=RECORD)
    assert (await teams.redeliver(first.delivery)).status == 200
    assert "Printer on fire" in teams.transcript("personal")


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


async def test_without_an_app_id_only_this_machine_is_heard(session, script, state):
    from bots.playground.teams_server import FakeTeams

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
