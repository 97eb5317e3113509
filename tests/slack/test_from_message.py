"""A message becomes a case: by its shortcut, or by an emoji."""

import pytest

from bots.playground.slack_server import FakeSlack
from commands.request import FromMessage, Reply

from .conftest import Script
from .one_case import FORM, RECORD, STUB

pytestmark = pytest.mark.usefixtures("face")


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
