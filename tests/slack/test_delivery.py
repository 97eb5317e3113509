"""Answers that have to find another way; threads and files that can only be read in part."""

import asyncio
import time
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.slack_server import FakeSlack
from bots.slack import SlackFace
from commands.cards import Card, CardKind
from commands.request import DeliveryFailed, Message, Place, PlaceKind, Principal, QuotedFile, Reply, Visibility

from .conftest import Script, serving, settings_for

NOTICE = Card(kind=CardKind.NOTICE, title="Done", text=("It is done.",))
STUB = Card(kind=CardKind.STUB, title="Printer on fire")
ANNA = Principal(platform="slack", tenant="T1", user="U1")
CHANNEL = Place(
    platform="slack",
    tenant="T1",
    conversation="C1",
    kind=PlaceKind.CHANNEL,
    address={"team": "T1", "user": "U1"},
)


async def asked(slack: FakeSlack, script: Script) -> Place:
    """The place of a slash command that has been answered."""
    await slack.command("/crm", "my cases", channel="C1")
    return script.asked[-1].place


async def test_a_used_up_response_url_is_not_the_end(face: SlackFace, slack: FakeSlack, script: Script) -> None:
    place = await asked(slack, script)
    for number in range(7):
        await face.deliver(place, ANNA, Reply(card=replace(NOTICE, title=f"Answer {number}")))
    seen = slack.transcript("C1", "U1")
    assert all(f"Answer {n}" in seen for n in range(7))
    assert slack.last("C1", "U2") is None


async def test_an_expired_response_url_is_not_the_end(face: SlackFace, slack: FakeSlack, script: Script) -> None:
    place = await asked(slack, script)
    slack.advance(1801)
    await face.deliver(place, ANNA, Reply(card=NOTICE))
    assert "It is done." in slack.transcript("C1", "U1")


async def test_without_membership_the_answer_goes_to_the_direct_messages(
    face: SlackFace, slack: FakeSlack, script: Script
) -> None:
    await slack.command("/crm", "my cases", channel="C3")
    place = script.asked[-1].place
    slack.advance(1801)
    await face.deliver(place, ANNA, Reply(card=NOTICE))
    assert "It is done." in slack.transcript("dm", "U1")


@pytest.mark.parametrize("code", ["restricted_action_read_only_channel", "is_archived", "no_permission"])
async def test_where_nothing_may_be_posted_the_answer_goes_to_the_direct_messages(
    face: SlackFace, slack: FakeSlack, code: str
) -> None:
    slack.fail("chat.postEphemeral", code)
    await face.deliver(CHANNEL, ANNA, Reply(card=NOTICE))
    assert "It is done." in slack.transcript("dm", "U1")


@pytest.mark.parametrize("visibility", Visibility)
async def test_a_card_whose_blocks_slack_refuses_arrives_as_text(
    face: SlackFace, slack: FakeSlack, visibility: Visibility
) -> None:
    """Slack publishes no number for how much one message may hold, so ours may be wrong."""
    for method in ("chat.postEphemeral", "chat.postMessage"):
        slack.fail(method, "msg_blocks_too_long")
    await face.deliver(CHANNEL, ANNA, Reply(card=NOTICE, visibility=visibility))
    said = slack.last("C1", "U1")
    assert said
    assert (said.blocks, "It is done." in said.text) == ([], True)


async def test_a_response_url_elsewhere_is_not_posted_to(face: SlackFace, slack: FakeSlack) -> None:
    place = replace(CHANNEL, address={**CHANNEL.address, "response_url": "http://169.254.169.254/latest"})
    await face.deliver(place, ANNA, Reply(card=NOTICE))
    assert "It is done." in slack.transcript("C1", "U1")


async def test_thread_news_go_into_the_thread(face: SlackFace, slack: FakeSlack) -> None:
    root = await slack.say("The printer burns", user="U2", channel="C1")
    place = replace(CHANNEL, thread=root.ts)
    ts = await face.deliver(place, ANNA, Reply(card=STUB, visibility=Visibility.EVERYONE))
    assert ts
    assert [m.ts for m in slack.messages("C1", "U3", thread=root) if m.bot_id] == [ts]


async def test_a_public_card_is_replaced_in_place(face: SlackFace, slack: FakeSlack) -> None:
    ts = await face.deliver(CHANNEL, ANNA, Reply(card=STUB, visibility=Visibility.EVERYONE))
    place = replace(CHANNEL, address={**CHANNEL.address, "card_ts": ts})
    resolved = replace(STUB, title="Printer is cold")
    assert await face.deliver(place, ANNA, Reply(card=resolved, visibility=Visibility.EVERYONE, replace=True)) == ts
    assert "Printer is cold" in slack.transcript("C1", "U2")
    assert "Printer on fire" not in slack.transcript("C1", "U2").split("Printer is cold")[-1]


async def test_retry_after_is_kept(face: SlackFace, slack: FakeSlack) -> None:
    slack.fail("chat.postMessage", retry_after=1)
    before = time.monotonic()
    await face.deliver(CHANNEL, ANNA, Reply(card=STUB, visibility=Visibility.EVERYONE))
    assert time.monotonic() - before >= 1
    assert slack.last("C1", "U2")


async def test_posts_to_a_channel_keep_slacks_pace(face: SlackFace, slack: FakeSlack) -> None:
    slack.rate_limits = True
    before = time.monotonic()
    reply = Reply(card=STUB, visibility=Visibility.EVERYONE)
    await asyncio.gather(*(face.deliver(CHANNEL, ANNA, reply) for _ in range(3)))
    posts = [c for c in slack.calls if c.method == "chat.postMessage"]
    assert [c.status for c in posts] == [200, 200, 200]
    assert time.monotonic() - before >= 2


async def test_a_refusal_that_will_not_change_says_so(face: SlackFace, slack: FakeSlack) -> None:
    slack.fail("chat.postEphemeral", "not_in_channel")
    slack.fail("chat.postMessage", "account_inactive")
    with pytest.raises(DeliveryFailed) as failed:
        await face.deliver(CHANNEL, ANNA, Reply(card=NOTICE))
    assert not failed.value.again
    slack.fail("chat.postEphemeral", "fatal_error", status=503)
    with pytest.raises(DeliveryFailed) as failed:
        await face.deliver(CHANNEL, ANNA, Reply(card=NOTICE))
    assert failed.value.again


def message_at(ts: str, channel: str = "C1") -> Message:
    from commands.request import Person

    return Message(key=f"slack:T1:{channel}:{ts}", text="x", author=Person(name="Ben"))


async def test_a_whole_thread_with_its_files(face: SlackFace, slack: FakeSlack) -> None:
    root = next(m for m in slack.messages("C1", "U1") if m.files)
    quote = await face.thread(replace(CHANNEL, thread=root.ts), message_at(root.ts))
    assert [m.author.name for m in quote.thread] == ["Anna Weber", "Ben Carter", "Anna Weber", "Ben Carter"]
    assert len(quote.thread) > 2
    assert quote.thread[0].files
    assert quote.missing == ()
    assert all(m.permalink and m.sent for m in quote.thread)


async def test_a_thread_longer_than_slack_gives_says_what_is_missing(face: SlackFace, slack: FakeSlack) -> None:
    root = await slack.say("Root", user="U2", channel="C1")
    for number in range(20):
        await slack.say(f"Reply {number}", user="U1", channel="C1", thread=root)
    quote = await face.thread(replace(CHANNEL, thread=root.ts), message_at(root.ts))
    assert len(quote.thread) == 21
    slack.small_pages = slack.rate_limits = True
    slack.advance(61)
    quote = await face.thread(replace(CHANNEL, thread=root.ts), message_at(root.ts))
    assert len(quote.thread) == 15
    assert "beyond its first 15 messages" in quote.missing[0]


@pytest.mark.parametrize("code", ["missing_scope", "not_in_channel", "not_allowed_token_type", "thread_not_found"])
async def test_a_thread_that_cannot_be_read_leaves_the_message(face: SlackFace, slack: FakeSlack, code: str) -> None:
    slack.fail("conversations.replies", code)
    message = message_at("1.2")
    quote = await face.thread(replace(CHANNEL, thread="1.2"), message)
    assert quote.message == message
    assert quote.missing[0].startswith("The thread: ")


async def test_a_file_is_fetched_from_slack_alone(face: SlackFace, slack: FakeSlack) -> None:
    said = await slack.say("see the log", user="U2", channel="C1", files={"printer.log": b"E-77 fuser open"})
    quote = await face.thread(replace(CHANNEL, thread=said.ts), message_at(said.ts))
    file = quote.message.files[0]
    assert (file.name, file.size) == ("printer.log", 15)
    assert await face.download(CHANNEL, file) == b"E-77 fuser open"
    for url in ("https://evil.example/x", "http://files.slack.com/x", "https://files.slack.com@evil.example/x", "::"):
        with pytest.raises(DeliveryFailed, match="not one of Slack's"):
            await face.download(CHANNEL, replace(file, source={**file.source, "url": url}))
    gone = QuotedFile(id="F0", name="gone.txt", source={**file.source, "url": f"{slack.base_url}files-pri/F0/x"})
    with pytest.raises(DeliveryFailed, match=r"^the file has been deleted"):
        await face.download(CHANNEL, gone)
    slack.missing_scopes |= {"files:read"}
    with pytest.raises(DeliveryFailed, match=r"^the app lacks a permission"):  # behind the file's name
        await face.download(CHANNEL, file)


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, "member"),
        ({"is_restricted": True}, "guest"),
        ({"is_ultra_restricted": True}, "guest"),
        ({"deleted": True}, "stranger"),
        ({"is_stranger": True}, "stranger"),
        ({"team_id": "T666"}, "stranger"),
        ({"is_bot": True}, "bot"),
        ({"is_email_confirmed": False}, "member"),
    ],
)
def test_only_full_members_are_vouched_for(changes: dict[str, object], standing: str) -> None:
    from bots.slack.api import Workspace
    from bots.slack.people import profiled

    user = {"id": "U1", "team_id": "T1", "profile": {"email": "anna@northwind.example"}, **changes}
    vouched = profiled(ANNA, Workspace("T1"), user)
    assert vouched.standing == standing
    assert bool(vouched.email) is (not changes)


@pytest.mark.parametrize(
    ("enterprise", "team", "standing"),
    [("E1", "T1", "member"), ("E1", "T2", "member"), ("E666", "T1", "stranger"), ("", "T1", "stranger")],
)
def test_in_an_organisation_its_own_people_are_members(enterprise: str, team: str, standing: str) -> None:
    from bots.slack.api import Workspace
    from bots.slack.people import profiled

    user = {"id": "U1", "team_id": team, "enterprise_user": {"enterprise_id": enterprise} if enterprise else None}
    assert profiled(ANNA, Workspace("T1", "E1"), user).standing == standing


@pytest.mark.usefixtures("face")
async def test_an_answer_that_slack_does_not_take_is_tried_again(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=NOTICE, stub=STUB))
    slack.fail("chat.postEphemeral", "fatal_error", status=503)
    root = await slack.say("The printer burns", user="U2", channel="C1")
    await slack.say("@crm case create", user="U1", channel="C1", thread=root)
    await slack.until(lambda: "It is done." in slack.transcript("C1", "U1"))
    assert len([c for c in slack.calls if c.method == "chat.postEphemeral"]) == 2
    assert len([c for c in slack.calls if c.method == "chat.postMessage"]) == 1  # the thread is told once


@pytest.mark.usefixtures("face")
async def test_an_event_that_takes_long_is_not_acknowledged_late(slack: FakeSlack, script: Script) -> None:
    """Slack is told to come again, and finds it done: nothing is lost if the process dies meanwhile."""
    finished = asyncio.Event()

    async def slowly(_: object) -> Reply:
        await finished.wait()
        return Reply(card=NOTICE)

    script.reply = slowly
    direct = slack.place("dm", "U1").id
    speech = {"type": "message", "channel": direct, "channel_type": "im", "user": "U1", "text": "help", "ts": "1.2"}
    first = await slack.event(speech)
    assert (first.status, first.error) == (503, "dispatch_failed")
    assert first.delivery
    assert (await slack.redeliver(first.delivery, number=1)).status == 503
    finished.set()
    await slack.until(lambda: slack.last("dm", "U1"))
    assert (await slack.redeliver(first.delivery, number=2)).status == 200
    assert len(script.asked) == 1


@pytest.mark.usefixtures("face")
async def test_a_refused_change_is_acknowledged_once_that_has_been_said(slack: FakeSlack, script: Script) -> None:
    """If the process dies before, Slack comes again: nobody types in vain, and hears nothing."""
    script.reply = lambda _: Reply(card=NOTICE, unkept=True)
    slack.fail("chat.postMessage", retry_after=4)
    direct = slack.place("dm", "U1").id
    speech = {
        "type": "message",
        "channel": direct,
        "channel_type": "im",
        "user": "U1",
        "text": "lead create",
        "ts": "1.2",
    }
    first = await slack.event(speech)
    assert (first.status, slack.last("dm", "U1")) == (503, None)
    assert first.delivery
    await slack.until(lambda: slack.last("dm", "U1"))
    assert (await slack.redeliver(first.delivery, number=1)).status == 200
    assert len(script.asked) == 1


async def test_after_a_restart_an_answer_still_finds_its_person(
    slack: FakeSlack, script: Script, engine: AsyncEngine
) -> None:
    place = Place(platform="slack", tenant="T1", conversation="C1", address={"team": "T1", "user": "U1"})
    principal = Principal(platform="slack", tenant="T1", user="U1")
    async with serving(settings_for(slack), script, engine) as (face, _):
        await face.deliver(place, principal, Reply(card=Card(kind=CardKind.NOTICE, title="Here it is")))
        assert "Here it is" in slack.transcript("C1", "U1")
        vouched = await face.profile(principal)
        assert vouched.email == "anna.weber@contoso.example"
        assert vouched.timezone == "Europe/Amsterdam"
