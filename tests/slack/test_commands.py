"""Slash commands, mentions and direct messages, from signed bytes to what people see."""

from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.slack_server import FakeSlack
from bots.slack import SlackFace
from commands.cards import Card, CardKind, Form, Input
from commands.press import Do, Press
from commands.request import FromMessage, PlaceKind, Reply, Submitted, Typed, Visibility

from .conftest import Script, serving, settings_for

pytestmark = pytest.mark.usefixtures("face")

NOTICE = Card(kind=CardKind.NOTICE, title="Done", text=("It is done.",))
FORM = Form(
    title="New case",
    submit=Press(do=Do.SUBMIT, verb="case create", key="slack:T1:1"),
    inputs=(Input(name="title", label="Title", required=True, max_length=20),),
)


async def test_the_answer_travels_in_the_acknowledgement(slack: FakeSlack, script: Script) -> None:
    answer = await slack.command("/crm", 'lead create Jane company="Acme & Sons"', user="U1", channel="C1")
    assert answer.status == 200
    assert answer.json["response_type"] == "ephemeral"
    request = script.asked[0]
    assert request.ask == Typed('lead create Jane company="Acme & Sons"')
    assert (request.principal.platform, request.principal.tenant, request.principal.user) == ("slack", "T1", "U1")
    assert (request.place.conversation, request.place.kind) == ("C1", PlaceKind.CHANNEL)
    assert request.key.startswith("slack::T1:")
    assert "response_url" in request.place.address
    assert slack.last("C1", "U2") is None  # nobody else sees it


async def test_an_answer_for_everyone_is_in_the_channel(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=NOTICE, visibility=Visibility.EVERYONE))
    answer = await slack.command("/crm", "case show CAS-1", channel="C1")
    assert answer.json["response_type"] == "in_channel"
    assert slack.last("C1", "U2")


async def test_a_command_word_may_stand_for_a_noun(slack: FakeSlack, script: Script, engine: AsyncEngine) -> None:
    async with serving(settings_for(slack, shortcuts={"/lead": "lead"}), script, engine) as (_, url):
        slack.bot_url = f"{url}slack/events"
        await slack.command("/lead", "list")
    assert script.asked[0].ask == Typed("lead list")


async def test_a_missing_value_opens_the_form(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(form=FORM))
    answer = await slack.command("/crm", "case create")
    assert (answer.status, answer.body) == (200, b"")
    view = await slack.until(lambda: slack.view("U1"))
    script.answers(Reply(card=NOTICE))
    done = await slack.submit(view, {"Title": "Printer on fire"})
    assert done.json == {"response_action": "clear"}
    submitted = script.asked[-1].ask
    assert isinstance(submitted, Submitted)
    assert submitted.press == FORM.submit
    assert submitted.submission.values == {"title": "Printer on fire"}
    shown = await slack.until(lambda: slack.last("C1", "U1"))
    assert "It is done." in slack.text(shown)
    assert slack.last("C1", "U2") is None


async def test_a_form_that_comes_too_late_for_its_trigger_is_offered_as_a_button(
    slack: FakeSlack, script: Script
) -> None:
    script.answers(Reply(form=FORM))
    slack.fail("views.open", "expired_trigger_id")
    await slack.command("/crm", "case create")
    shown = await slack.until(lambda: slack.last("C1", "U1"))
    await slack.click(shown, "Open the form", user="U1")
    view = await slack.until(lambda: slack.view("U1"))
    await slack.until(lambda: "Title" in slack.text(slack.view("U1") or view))


async def test_a_late_answer_comes_through_the_response_url(face: SlackFace, slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=Card(kind=CardKind.NOTICE, title="Working on it …"), pending=True))
    await slack.command("/crm", "lead create Jane")
    request = script.asked[0]
    await face.deliver(request.place, request.principal, Reply(card=NOTICE))
    shown = await slack.until(lambda: slack.last("C1", "U1"))
    assert "It is done." in slack.text(shown)
    assert not [c for c in slack.calls if c.method == "chat.postMessage"]


async def test_a_mention_is_a_command_and_its_answer_is_private(slack: FakeSlack, script: Script) -> None:
    await slack.say("@crm lead list company~acme", user="U2", channel="C1")
    shown = await slack.until(lambda: slack.last("C1", "U2"))
    assert script.asked[0].ask == Typed("lead list company~acme")
    assert shown.to == "U2"


async def test_a_mention_in_a_thread_makes_a_case_of_the_thread(slack: FakeSlack, script: Script) -> None:
    root = await slack.say("The printer burns", user="U2", channel="C1")
    await slack.say("@crm create case", user="U1", channel="C1", thread=root)
    await slack.until(lambda: script.asked)
    ask = script.asked[0].ask
    assert isinstance(ask, FromMessage)
    assert ask.quote.message.text == "The printer burns"
    assert ask.quote.message.author.email == slack.world.users["U2"].email
    assert script.asked[0].place.thread == root.ts


async def test_a_direct_message_is_a_command(slack: FakeSlack, script: Script) -> None:
    await slack.say("my cases", user="U1", channel="dm")
    shown = await slack.until(lambda: slack.last("dm", "U1"))
    assert "my cases" in slack.text(shown)
    assert script.asked[0].place.kind is PlaceKind.PERSONAL
    await slack.say("@crm my cases of @ben", user="U1", channel="dm")  # as one says it elsewhere
    await slack.until(lambda: len(script.asked) == 2)
    assert script.asked[1].ask == Typed("my cases of <@U2>")


async def test_our_own_messages_and_other_bots_are_not_heard(slack: FakeSlack, script: Script) -> None:
    await slack.say("my cases", user="U1", channel="dm")
    await slack.until(lambda: slack.last("dm", "U1"))
    await slack.settle()  # the echo of our own answer has come in by now
    direct = slack.place("dm", "U1").id
    speech = {"type": "message", "channel": direct, "channel_type": "im", "text": "loop", "ts": "1.2"}
    slack.world.users["U4"].is_bot = True
    for who in ({"bot_id": "BOTHER", "user": "U9"}, {}, {"user": "U4"}):
        answer = await slack.event({**speech, **who})
        assert answer.status == 200
    assert len(script.asked) == 1


async def test_a_failure_before_anything_was_journalled_lets_slack_try_again(slack: FakeSlack, script: Script) -> None:
    kept = script.reply

    def broken(_: object) -> Reply:
        raise RuntimeError("the database is gone")

    script.reply = broken
    direct = slack.place("dm", "U1").id
    speech = {"type": "message", "channel": direct, "channel_type": "im", "user": "U1", "text": "help", "ts": "1.2"}
    first = await slack.event(speech)
    assert first.status == 500
    assert first.delivery
    script.reply = kept
    assert (await slack.redeliver(first.delivery)).status == 200
    await slack.until(lambda: slack.last("dm", "U1"))


async def test_a_long_answer_follows_as_a_file(slack: FakeSlack, script: Script) -> None:
    long = replace(NOTICE, text=tuple(f"{n} " + "word " * 500 for n in range(80)))
    script.answers(Reply(card=long))
    await slack.command("/crm", "lead list")
    message = await slack.until(lambda: next((m for m in slack.messages("dm", "U1") if m.files), None))
    content = slack.world.contents[message.files[0]["id"]].decode()
    assert content.startswith("Done")
    assert "79 word" in content


async def test_replies_in_threads_are_overheard_edits_and_deletions_too(slack: FakeSlack, script: Script) -> None:
    root = await slack.say("The printer burns", user="U2", channel="C1")
    reply = await slack.say("Still burning", user="U1", channel="C1", thread=root)
    await slack.until(lambda: "memo" in reply.reactions)
    await slack.edit(reply, "Burnt down")
    await slack.delete(reply)
    await slack.say("@crm my cases", user="U1", channel="C1", thread=root)  # a command, not part of the conversation
    await slack.until(lambda: len(script.overheard) >= 3)
    await slack.settle()
    assert script.overheard == [
        ("U1", root.ts, "Still burning", "written"),
        ("U1", root.ts, "Burnt down", "edited"),
        ("U1", root.ts, "Burnt down", "deleted"),
    ]
    assert script.asked[-1].ask == Typed("my cases")


async def test_a_thread_that_follows_no_case_is_not_read(slack: FakeSlack, script: Script) -> None:
    root = await slack.say("Lunch?", user="U2", channel="C1")
    script.unfollowed.add(root.ts)
    await slack.settle()
    before = len(slack.calls)
    await slack.say("Yes", user="U1", channel="C1", thread=root)
    await slack.settle()
    assert script.overheard == []
    assert len(slack.calls) == before
