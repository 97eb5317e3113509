"""Buttons, forms, typeahead and shortcuts, from signed bytes to what people see."""

import html
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.slack_server import FakeSlack
from bots.playground.slack_world import Message as Posted
from bots.slack import SlackFace
from commands.cards import Action, Card, CardKind, Form, Input, InputKind, Option, Row
from commands.press import Do, Press
from commands.request import FromMessage, PlaceKind, Pressed, Reply, Request, Submitted, Typed, Visibility

from .conftest import Script, serving, settings_for

pytestmark = pytest.mark.usefixtures("face")

SHOW = Press(do=Do.RUN, verb="case show", args={"record": "CAS-1"})
EDIT = replace(SHOW, do=Do.FORM, verb="case update", etag='W/"7"')
RECORD = Card(
    kind=CardKind.RECORD,
    title="Printer on fire",
    subtitle="Case CAS-1",
    actions=(
        Action(label="Refresh", press=SHOW),
        Action(label="Edit", press=EDIT),
        Action(label="Share", press=replace(SHOW, do=Do.SHARE)),
        Action(label="Close", press=Press(do=Do.DISMISS)),
        Action(label="Open in Dynamics", url="https://contoso.crm.dynamics.com/main.aspx"),
    ),
)
STUB = Card(kind=CardKind.STUB, title="Printer on fire", subtitle="Case CAS-1")
FORM = Form(
    title="Edit case",
    submit=replace(EDIT, do=Do.SUBMIT),
    inputs=(
        Input(name="title", label="Title", required=True, value="Printer on fire"),
        Input(name="customer", label="Customer", kind=InputKind.LOOKUP),
        Input(name="priority", label="Priority", kind=InputKind.CHOICE, options=(Option("High", "1"),)),
        Input(name="due", label="Due", kind=InputKind.DATETIME, value="2026-09-01T10:30"),
    ),
    more=replace(EDIT, args={"fields": "all"}),
)


async def shown(slack: FakeSlack, script: Script, card: Card = RECORD, channel: str = "C1") -> Posted:
    script.answers(Reply(card=card))
    await slack.command("/crm", "case show CAS-1", channel=channel)
    return await slack.until(lambda: slack.last(channel, "U1"))


async def test_a_button_brings_its_press_back(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    script.answers(Reply(card=replace(RECORD, title="Printer is cold"), replace=True))
    assert (await slack.click(card, "Refresh")).status == 200
    assert script.asked[-1].ask == Pressed(SHOW)
    assert script.asked[-1].key != script.asked[0].key
    await slack.until(lambda: "Printer is cold" in slack.transcript("C1", "U1"))
    assert "Printer on fire" not in slack.transcript("C1", "U1", since=card)


async def test_sharing_posts_to_everyone(slack: FakeSlack, script: Script, face: SlackFace) -> None:
    card = await shown(slack, script)
    script.answers(Reply(card=STUB, visibility=Visibility.EVERYONE))
    await slack.click(card, "Share")
    assert await slack.until(lambda: slack.last("C1", "U2"))
    assert await face.outsiders(script.asked[-1].place) is False


async def test_sharing_where_we_are_no_member_goes_through_the_response_url(
    slack: FakeSlack, script: Script, face: SlackFace
) -> None:
    card = await shown(slack, script, channel="C3")
    script.answers(Reply(card=STUB, visibility=Visibility.EVERYONE))
    await slack.click(card, "Share")
    assert await slack.until(lambda: slack.last("C3", "U3"))
    assert await face.outsiders(script.asked[-1].place) is True  # nobody can tell


async def test_a_direct_message_may_be_with_anybody(slack: FakeSlack, script: Script, face: SlackFace) -> None:
    """Slack's payloads call it `directmessage`, whether it is with us or with somebody of another organisation."""
    slack.world.channels["D999"] = replace(slack.world.direct("U1", "T1"), id="D999", members=["U1", "U7"])
    for channel, outsiders in (("D999", True), ("dm", False)):
        card = await shown(slack, script, channel=channel)
        script.answers(Reply(card=STUB, visibility=Visibility.EVERYONE))
        await slack.click(card, "Share", user="U1")
        place = script.asked[-1].place
        assert place.kind is PlaceKind.GROUP
        assert await face.outsiders(place) is outsiders


async def test_a_dismissed_card_goes_away(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    before = len(script.asked)
    await slack.click(card, "Close")
    await slack.until(lambda: card not in slack.messages("C1", "U1"))
    assert len(script.asked) == before


async def test_a_link_button_is_acknowledged_and_asks_nothing(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    assert (await slack.click(card, "Open in Dynamics")).status == 200
    assert len(script.asked) == 1


async def test_an_option_of_the_menu_brings_its_press_back(slack: FakeSlack, script: Script) -> None:
    url = "https://contoso.crm.dynamics.com/main.aspx"
    more = (Action(label="Account: Contoso", press=SHOW), Action(label="In Dynamics", url=url))
    card = await shown(slack, script, replace(RECORD, more=more))
    await slack.click(card, "Account: Contoso")
    assert script.asked[-1].ask == Pressed(SHOW)
    before = len(script.asked)
    assert (await slack.click(card, "In Dynamics")).status == 200
    assert len(script.asked) == before
    menu = card.blocks[-1]["elements"][-1]
    menu["options"][0]["value"] = "1forged"
    await slack.click(card, "Account: Contoso")
    await slack.until(lambda: "This button is too old." in slack.transcript("C1", "U1"))


async def test_a_changed_button_explains_itself(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    card.blocks[-1]["elements"][0]["value"] = "1forged"
    assert (await slack.click(card, "Refresh")).status == 200
    await slack.until(lambda: "This button is too old." in slack.transcript("C1", "U1"))
    assert len(script.asked) == 1


async def test_a_button_of_an_older_deployment_explains_itself(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    card.blocks[-1]["elements"][0]["action_id"] = "approve_old"
    assert (await slack.click(card, "approve_old")).status == 200
    await slack.until(lambda: "This button is too old." in slack.transcript("C1", "U1"))


async def test_a_form_opens_at_once_and_is_filled_when_ready(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)

    async def slowly(_: Request) -> Reply:
        view = await slack.until(lambda: slack.view("U1"))
        assert "Loading" in slack.text(view)
        return Reply(form=FORM)

    script.reply = slowly
    await slack.click(card, "Edit")
    view = await slack.until(lambda: (v := slack.view("U1")) and v.body["callback_id"] == "form" and v)
    due = next(b for b in view.blocks if b["block_id"] == "due")
    zone = 2 * 3600  # Amsterdam in summer
    assert due["element"]["initial_date_time"] == datetime(2026, 9, 1, 10, 30, tzinfo=UTC).timestamp() - zone


async def opened(slack: FakeSlack, script: Script, form: Form = FORM) -> None:
    script.answers(Reply(form=form))
    await slack.command("/crm", "case update CAS-1")
    await slack.until(lambda: slack.view("U1"))


async def test_typeahead_and_what_was_chosen(slack: FakeSlack, script: Script) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    script.options = [Option("Contoso", "/accounts(1)"), Option("Fabrikam", "/accounts(2)")]
    answer = await slack.suggest(view, "Customer", "cont")
    assert [o["value"] for o in answer.json["options"]] == ["/accounts(1)"]
    assert script.suggested == [(FORM.submit, "customer", "cont")]
    script.answers(Reply(card=RECORD))
    chosen = answer.json["options"][0]
    await slack.submit(view, {"customer": chosen, "Priority": "High", "title": "New title"})
    ask = script.asked[-1].ask
    assert isinstance(ask, Submitted)
    assert ask.submission.values["customer"] == "/accounts(1)"
    assert ask.submission.values["priority"] == "1"
    assert ask.submission.values["title"] == "New title"
    assert datetime.fromisoformat(ask.submission.values["due"]) == datetime(2026, 9, 1, 8, 30, tzinfo=UTC)


async def test_problems_stand_at_their_fields(slack: FakeSlack, script: Script) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    script.answers(Reply(form=FORM.with_problems({"title": "x"}, {"title": "Too short."})))
    answer = await slack.submit(view, {"title": "x"})
    assert answer.json == {"response_action": "errors", "errors": {"title": "Too short."}}
    script.answers(Reply(form=FORM.with_problems({"title": "x"}, {}, "The record was changed meanwhile.")))
    answer = await slack.submit(view, {"title": "x"})
    assert answer.json["response_action"] == "update"
    assert "The record was changed meanwhile." in slack.text(slack.view("U1") or view)


async def test_more_fields_keep_what_was_typed(slack: FakeSlack, script: Script) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    slack.fill(view, "title", "Typed already")
    longer = replace(FORM, inputs=(*FORM.inputs, Input(name="note", label="Note")), more=None)
    script.reply = lambda r: Reply(
        form=longer.with_problems(r.ask.submission.values if isinstance(r.ask, Submitted) else {}, {})
    )
    await slack.click(view, "More fields")
    wider = await slack.until(lambda: (v := slack.view("U1")) and "Note" in slack.text(v) and v)
    assert "Typed already" in slack.text(wider)


async def test_a_slow_save_says_so_and_then_shows_the_result(face: SlackFace, slack: FakeSlack, script: Script) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    script.answers(Reply(card=Card(kind=CardKind.NOTICE, title="Working on it …"), pending=True))
    answer = await slack.submit(view, {"title": "x"})
    assert answer.json["response_action"] == "update"
    request = script.asked[-1]
    await face.deliver(request.place, request.principal, Reply(card=RECORD))
    await slack.until(lambda: "Printer on fire" in slack.text(slack.view("U1") or view))


async def test_a_slow_save_whose_view_was_closed_answers_in_the_channel(
    face: SlackFace, slack: FakeSlack, script: Script
) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    script.answers(Reply(card=Card(kind=CardKind.NOTICE, title="Working on it …"), pending=True))
    await slack.submit(view, {"title": "x"})
    await slack.close_view(view)
    request = script.asked[-1]
    await face.deliver(request.place, request.principal, Reply(card=RECORD))
    assert "Printer on fire" in slack.text(await slack.until(lambda: slack.last("C1", "U1")))


async def test_an_error_lies_on_top_of_the_filled_form(slack: FakeSlack, script: Script) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    script.answers(Reply(card=Card(kind=CardKind.ERROR, title="Dynamics said no.")))
    answer = await slack.submit(view, {"title": "Keep me"})
    assert answer.json["response_action"] == "push"
    top = slack.view("U1")
    assert top
    assert "Dynamics said no." in slack.text(top)
    await slack.close_view(top)
    below = slack.view("U1")
    assert below
    assert below.values["title"]["input"]["value"] == "Keep me"


async def test_the_same_submit_twice_has_one_key(slack: FakeSlack, script: Script) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    script.answers(Reply(card=RECORD))
    answer = await slack.submit(view, {"title": "x"})
    assert answer.delivery
    later = slack.sign(answer.delivery.body, timestamp=int(time.time()) + 1)
    await slack.raw(answer.delivery.body, {**answer.delivery.headers, **later})
    assert script.asked[-1].key == script.asked[-2].key


async def test_a_text_longer_than_slack_shows_comes_back_as_the_beginning_that_it_is(
    slack: FakeSlack, script: Script
) -> None:
    story = "A line.\r\n" * 800
    note = Input(name="note", label="Note", kind=InputKind.MULTILINE, value=story)
    await opened(slack, script, replace(FORM, inputs=(*FORM.inputs, note)))
    view = slack.view("U1")
    assert view
    script.answers(Reply(card=RECORD))
    await slack.submit(view, {"title": "x"})
    ask = script.asked[-1].ask
    assert isinstance(ask, Submitted)
    assert ask.submission.cut == {"note"}
    assert story.replace("\r\n", "\n").startswith(ask.submission.values["note"])


async def test_somebody_elses_form_is_refused(slack: FakeSlack, script: Script) -> None:
    await opened(slack, script)
    view = slack.view("U1")
    assert view
    before = len(script.asked)
    await slack.submit(view, {"title": "x"}, user="U2")
    assert len(script.asked) == before


async def test_a_message_becomes_a_case(slack: FakeSlack, script: Script) -> None:
    message = await slack.say("Printer burns @anna, see https://example.com/a?b=1&c=2", user="U2", channel="C1")
    script.answers(Reply(form=FORM))
    answer = await slack.shortcut("create_case_from_message", message, user="U1")
    assert answer.status == 200
    view = await slack.until(lambda: (v := slack.view("U1")) and v.body["callback_id"] == "form" and v)
    ask = script.asked[-1].ask
    assert isinstance(ask, FromMessage)
    assert (
        ask.quote.message.text
        == f"Printer burns @{slack.world.users['U1'].real_name}, see https://example.com/a?b=1&c=2"
    )
    assert ask.quote.message.key == f"slack:T1:C1:{message.ts}"
    assert ask.quote.message.permalink.startswith("https://")
    assert ask.quote.message.author.email == slack.world.users["U2"].email
    script.answers(Reply(card=RECORD, stub=STUB, reaction="ticket"))
    await slack.submit(view, {"title": "Printer burns"})
    stub = await slack.until(lambda: next((m for m in slack.messages("C1", "U2", thread=message) if m.bot_id), None))
    assert "Case CAS-1" in slack.text(stub)
    private = await slack.until(lambda: next((m for m in slack.messages("C1", "U1") if m.to == "U1"), None))
    assert "Printer on fire" in slack.text(private)
    await slack.until(lambda: "ticket" in message.reactions)


async def test_a_message_where_we_are_no_member_still_becomes_a_case(slack: FakeSlack, script: Script) -> None:
    message = slack.messages("C3", "U1")[0]
    script.answers(Reply(form=FORM))
    await slack.shortcut("create_case_from_message", message, user="U1")
    view = await slack.until(lambda: (v := slack.view("U1")) and v.body["callback_id"] == "form" and v)
    ask = script.asked[-1].ask
    assert isinstance(ask, FromMessage)
    assert any("not a member" in m for m in ask.quote.missing)
    script.answers(Reply(card=RECORD, stub=STUB, reaction="ticket"))
    await slack.submit(view, {"title": "Renewal"})
    private = await slack.until(lambda: next((m for m in slack.messages("C3", "U1") if m.to == "U1"), None))
    assert "The thread was not told" in slack.text(private)


async def test_the_global_shortcut_opens_the_menu(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=Card(kind=CardKind.HELP, title="What do you need?", rows=(Row(title="Case"),))))
    await slack.shortcut("crm_new")
    await slack.until(lambda: (v := slack.view("U1")) and "What do you need?" in slack.text(v))
    assert script.asked[-1].ask == Typed("")


async def test_a_form_from_a_button_in_a_modal_lies_on_top(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=RECORD))
    await slack.shortcut("crm_new")
    below = await slack.until(lambda: (v := slack.view("U1")) and "Printer on fire" in slack.text(v) and v)
    script.answers(Reply(form=FORM))
    await slack.click(below, "Edit")
    view = await slack.until(lambda: (v := slack.view("U1")) and v.body["callback_id"] == "form" and v)
    assert view.previous == below.id
    script.answers(Reply(card=replace(RECORD, title="Saved")))
    await slack.submit(view, {"title": "x"})  # there is no conversation to answer in, so the modal shows it
    assert "Saved" in slack.text(slack.view("U1") or view)


@pytest.mark.parametrize("callback_id", ["form", "a form of an older deployment"])
async def test_a_form_of_an_older_deployment_says_so(slack: FakeSlack, script: Script, callback_id: str) -> None:
    script.answers(Reply(form=FORM))
    await slack.command("/crm", "case update CAS-1")
    view = await slack.until(lambda: slack.view("U1"))
    view.body |= {"callback_id": callback_id, "private_metadata": '{"made": "by another version"}'}
    assert (await slack.suggest(view, "Customer", "con")).json == {"options": []}
    asked = len(script.asked)
    assert (await slack.submit(view, {"title": "x"})).json["response_action"] == "update"
    assert "too old" in slack.text(slack.view("U1") or view)
    assert len(script.asked) == asked


async def test_the_home_tab(slack: FakeSlack) -> None:
    await slack.open_home("U1")
    home = await slack.until(lambda: slack.home("U1"))
    assert "Home of U1" in slack.text(home)
    await slack.open_home("U2", tab="messages")
    await slack.settle()
    assert slack.home("U2") is None


async def test_a_reaction_makes_a_case_with_defaults(slack: FakeSlack, script: Script) -> None:
    message = await slack.say("The printer burns", user="U2", channel="C1")
    script.answers(Reply(card=RECORD, stub=STUB))
    await slack.react(message, "eyes", user="U1")
    await slack.react(message, "ticket", user="U1")
    await slack.until(lambda: script.asked)
    ask = script.asked[0].ask
    assert len(script.asked) == 1
    assert isinstance(ask, FromMessage)
    assert ask.at_once
    assert ask.quote.message.text == "The printer burns"
    await slack.until(lambda: next((m for m in slack.messages("C1", "U2", thread=message) if m.bot_id), None))


async def test_a_reaction_in_a_thread_answers_in_that_thread(slack: FakeSlack, script: Script) -> None:
    """The event names the reply alone; what follows the case is the thread."""
    root = await slack.say("Who is on shift?", user="U1", channel="C1")
    reply = await slack.say("The printer burns", user="U2", channel="C1", thread=root)
    script.answers(Reply(card=RECORD, stub=STUB))
    await slack.react(reply, "ticket", user="U1")
    await slack.until(lambda: script.asked)
    place = script.asked[0].place
    assert (place.thread, place.address["message_ts"]) == (root.ts, reply.ts)


async def test_a_reaction_without_the_right_to_read_still_makes_the_case(slack: FakeSlack, script: Script) -> None:
    message = await slack.say("The printer burns", user="U2", channel="C1")
    slack.missing_scopes |= {"channels:history"}
    script.answers(Reply(card=RECORD))
    await slack.react(message, "ticket", user="U1")
    await slack.until(lambda: script.asked)
    ask = script.asked[0].ask
    assert isinstance(ask, FromMessage)
    assert ask.quote.message.author.name == slack.world.users["U2"].real_name
    assert any("lacks a permission" in m for m in ask.quote.missing)


async def test_a_record_link_shows_only_what_everyone_may_see(slack: FakeSlack, script: Script) -> None:
    url = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"
    secret = replace(RECORD, url=url, text=("Their CFO is ill.",), stub=replace(STUB, url=url))
    script.found = [secret]
    slack.unfurl_domains = {"contoso.crm.dynamics.com"}
    message = await slack.say(f"see {url}", user="U1", channel="C1")
    await slack.until(lambda: message.unfurls)
    text = str(message.unfurls)
    assert "Case CAS-1" in text
    assert "CFO" not in text


async def test_a_record_link_becomes_a_work_object_where_an_admin_says_so(
    slack: FakeSlack, script: Script, engine: AsyncEngine
) -> None:
    url = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"
    script.found = [replace(STUB, url=url, record="incident/1")]
    slack.unfurl_domains = {"contoso.crm.dynamics.com"}
    async with serving(settings_for(slack, work_objects=True), script, engine) as (_, address):
        slack.bot_url = f"{address}slack/events"
        await slack.say(f"see {url}", user="U1", channel="C1")
        call = await slack.until(lambda: next((c for c in slack.calls if c.method == "chat.unfurl"), None))
    assert call.answer["ok"]
    assert "unfurls" not in call.args
    sent = call.args["metadata"]
    item = (json.loads(sent) if isinstance(sent, str) else sent)["entities"][0]
    received = html.unescape(item["app_unfurl_url"])  # it must equal the address as it came, escapes and all
    assert (received, item["external_ref"], item["entity_type"]) == (
        url,
        {"id": "incident/1"},
        "slack#/entities/item",
    )


async def test_a_link_in_the_composer_is_unfurled_by_its_id(slack: FakeSlack, script: Script) -> None:
    url = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"
    script.found = [replace(STUB, url=url)]
    await slack.compose(url)
    call = await slack.until(lambda: next((c for c in slack.calls if c.method == "chat.unfurl"), None))
    assert call.args["source"] == "composer"
    assert "channel" not in call.args


async def test_the_side_pane_shows_the_viewers_own_view(slack: FakeSlack, script: Script) -> None:
    url = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"
    script.answers(Reply(card=RECORD))
    await slack.open_entity(url, user="U1")
    await slack.until(lambda: "U1" in slack.world.entities)
    shown = slack.world.entities["U1"]["metadata"]
    assert shown["entity_payload"]["attributes"]["title"] == {"text": "Printer on fire"}
    assert "app_unfurl_url" not in shown
    assert script.asked[-1].ask == Typed(url)


async def test_the_side_pane_says_why_there_is_nothing_to_see(slack: FakeSlack, script: Script) -> None:
    url = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"
    script.answers(Reply(card=Card(kind=CardKind.ERROR, title="You may not see this case.", text=("Ask for a role.",))))
    await slack.open_entity(url, user="U1")
    await slack.until(lambda: "U1" in slack.world.entities)
    why = {"status": "custom", "custom_title": "You may not see this case.", "custom_message": "Ask for a role."}
    assert slack.world.entities["U1"] == {"error": why}
    page = Action(label="Connect", url="https://crm.example.com/auth/start/abc")
    script.answers(Reply(card=Card(kind=CardKind.SIGN_IN, title="Connect your account", actions=(page,))))
    await slack.open_entity(url, user="U2")
    await slack.until(lambda: "U2" in slack.world.entities)
    assert slack.world.entities["U2"] == {"user_auth_required": True, "user_auth_url": page.url}
