"""Forms: opened, filled, looked up in, submitted; from signed bytes to what people see."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bots.playground.slack_server import FakeSlack
from bots.slack import SlackFace
from commands.cards import Card, CardKind, Input, InputKind, Option, Row
from commands.request import Reply, Request, Submitted, Typed

from .conftest import Script
from .one_case import FORM, RECORD, opened, shown

pytestmark = pytest.mark.usefixtures("face")


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


async def test_typeahead_and_what_was_chosen(slack: FakeSlack, script: Script) -> None:
    view = await opened(slack, script)
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
    view = await opened(slack, script)
    script.answers(Reply(form=FORM.with_problems({"title": "x"}, {"title": "Too short."})))
    answer = await slack.submit(view, {"title": "x"})
    assert answer.json == {"response_action": "errors", "errors": {"title": "Too short."}}
    script.answers(Reply(form=FORM.with_problems({"title": "x"}, {}, "The record was changed meanwhile.")))
    answer = await slack.submit(view, {"title": "x"})
    assert answer.json["response_action"] == "update"
    assert "The record was changed meanwhile." in slack.text(slack.view("U1") or view)


async def test_more_fields_keep_what_was_typed(slack: FakeSlack, script: Script) -> None:
    view = await opened(slack, script)
    slack.fill(view, "title", "Typed already")
    longer = replace(FORM, inputs=(*FORM.inputs, Input(name="note", label="Note")), more=None)
    script.reply = lambda r: Reply(
        form=longer.with_problems(r.ask.submission.values if isinstance(r.ask, Submitted) else {}, {})
    )
    await slack.click(view, "More fields")
    wider = await slack.until(lambda: (v := slack.view("U1")) and "Note" in slack.text(v) and v)
    assert "Typed already" in slack.text(wider)


async def test_a_slow_save_says_so_and_then_shows_the_result(face: SlackFace, slack: FakeSlack, script: Script) -> None:
    view = await opened(slack, script)
    script.answers(Reply(card=Card(kind=CardKind.NOTICE, title="Working on it …"), pending=True))
    answer = await slack.submit(view, {"title": "x"})
    assert answer.json["response_action"] == "update"
    request = script.asked[-1]
    await face.deliver(request.place, request.principal, Reply(card=RECORD))
    await slack.until(lambda: "Printer on fire" in slack.text(slack.view("U1") or view))


async def test_a_slow_save_whose_view_was_closed_answers_in_the_channel(
    face: SlackFace, slack: FakeSlack, script: Script
) -> None:
    view = await opened(slack, script)
    script.answers(Reply(card=Card(kind=CardKind.NOTICE, title="Working on it …"), pending=True))
    await slack.submit(view, {"title": "x"})
    await slack.close_view(view)
    request = script.asked[-1]
    await face.deliver(request.place, request.principal, Reply(card=RECORD))
    assert "Printer on fire" in slack.text(await slack.until(lambda: slack.last("C1", "U1")))


async def test_an_error_lies_on_top_of_the_filled_form(slack: FakeSlack, script: Script) -> None:
    view = await opened(slack, script)
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
    view = await opened(slack, script)
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
    view = await opened(slack, script, replace(FORM, inputs=(*FORM.inputs, note)))
    script.answers(Reply(card=RECORD))
    await slack.submit(view, {"title": "x"})
    ask = script.asked[-1].ask
    assert isinstance(ask, Submitted)
    assert ask.submission.cut == {"note"}
    assert story.replace("\r\n", "\n").startswith(ask.submission.values["note"])


async def test_somebody_elses_form_is_refused(slack: FakeSlack, script: Script) -> None:
    view = await opened(slack, script)
    before = len(script.asked)
    await slack.submit(view, {"title": "x"}, user="U2")
    assert len(script.asked) == before


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


async def test_a_title_too_long_for_the_top_of_a_view_is_not_cut_there(slack: FakeSlack, script: Script) -> None:
    """It stands whole below."""
    long = "Records are shown to members of this organisation only."
    script.answers(Reply(card=Card(kind=CardKind.ERROR, title=long)))
    await slack.shortcut("crm_new")
    view = await slack.until(lambda: (v := slack.view("U1")) and long in slack.text(v) and v)
    assert view.body["title"]["text"] == "CRM"
