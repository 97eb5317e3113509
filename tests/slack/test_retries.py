"""Slack delivers at least once, in any order, also after a restart of ours: everything has its effect once."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.slack_server import FakeSlack
from bots.slack.seen_events import Begun, SeenEvents
from commands.cards import Action, Card, CardKind
from commands.press import Do, Press
from commands.request import FromMessage, Reply

from .conftest import Script, serving, settings_for

URL = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"
STUB = Card(
    kind=CardKind.STUB,
    title="CAS-1",
    url=URL,
    actions=(Action(label="Show", press=Press(do=Do.RUN, verb="case show", args={"record": "CAS-1"})),),
)
SHOWN = frozenset(
    {
        *("chat.postMessage", "chat.postEphemeral", "chat.unfurl", "entity.presentDetails", "reactions.add"),
        *("views.open", "views.publish"),
    }
)


async def mention(slack: FakeSlack) -> None:
    await slack.say("@crm my cases", user="U2", channel="C1")


async def direct_message(slack: FakeSlack) -> None:
    await slack.say("my cases", user="U1", channel="dm")


async def links(slack: FakeSlack) -> None:
    slack.unfurl_domains = {"contoso.crm.dynamics.com"}
    await slack.compose(URL)
    await slack.say(f"See {URL}", user="U1", channel="C1")


async def reaction(slack: FakeSlack) -> None:
    await slack.react(await slack.say("The printer burns", user="U2", channel="C1"), "ticket")


async def conversation(slack: FakeSlack) -> None:
    root = await slack.say("The printer burns", user="U2", channel="C1")
    reply = await slack.say("Still burning", user="U1", channel="C1", thread=root)
    await slack.until(lambda: "memo" in reply.reactions)
    await slack.edit(reply, "Burnt down")
    await slack.delete(reply)


async def home(slack: FakeSlack) -> None:
    await slack.open_home("U1")


async def pane(slack: FakeSlack) -> None:
    await slack.open_entity(URL)


ASKED = "asked"
KINDS: dict[str, tuple[Callable[[FakeSlack], Awaitable[None]], list[str]]] = {
    "mention": (mention, [ASKED, "chat.postEphemeral"]),
    "direct message": (direct_message, [ASKED, "chat.postMessage"]),
    "links": (links, ["chat.unfurl", "chat.unfurl"]),
    "reaction": (reaction, [ASKED, "chat.postEphemeral"]),
    "conversation": (conversation, ["deleted", "edited", *["reactions.add"] * 3, "written"]),
    "home": (home, ["views.publish"]),
    "pane": (pane, [ASKED, "entity.presentDetails"]),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_event_has_its_effect_once(
    slack: FakeSlack, script: Script, engine: AsyncEngine, kind: str
) -> None:
    gesture, expected = KINDS[kind]
    script.found = [STUB]
    if kind == "pane":
        script.answers(Reply(card=Card(kind=CardKind.RECORD, title="CAS-1", url=URL)))

    def effects() -> list[str]:
        shown = [c.method for c in slack.calls if c.method in SHOWN]
        return sorted([ASKED] * len(script.asked) + [happened for *_, happened in script.overheard] + shown)

    settings = settings_for(slack, case_reactions=frozenset({"ticket"}))
    slack.echo = False
    async with serving(settings, script, engine) as (_, url):
        slack.bot_url = f"{url}slack/events"
        await slack.until(lambda: any(c.method == "auth.test" for c in slack.calls))
        await gesture(slack)
        await slack.until(lambda: len(effects()) >= len(expected))
        sent = [a.delivery for a in slack.answers if a.delivery]
        for delivery in reversed(sent):
            assert (await slack.redeliver(delivery)).status == 200
    async with serving(settings, script, engine) as (_, url):  # as after a restart; leaving waits for what was begun
        slack.bot_url = f"{url}slack/events"
        for number in (2, 3):
            for delivery in sent[number % 2 :] + sent[: number % 2]:
                assert (await slack.redeliver(delivery, number=number)).status == 200
    assert effects() == expected
    if kind == "reaction":
        assert isinstance(script.asked[0].ask, FromMessage)


@pytest.mark.usefixtures("face")
async def test_a_mention_that_is_edited_is_no_further_command(slack: FakeSlack, script: Script) -> None:
    """Slack then sends `app_mention` again, with an event id of its own, whoever was mentioned before."""
    said = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1700000000.000100"}
    await slack.event({**said, "text": "<@UBOT> lead create Jane Smith"})
    for number in range(2):
        edited = {
            **said,
            "text": "<@UBOT> lead create Jane Smyth",
            "edited": {"user": "U1", "ts": f"1700000009.{number}"},
        }
        assert (await slack.event(edited)).status == 200
    assert [getattr(r.ask, "text", "") for r in script.asked] == ["lead create Jane Smith"]
    await slack.event({**said, "text": "<@UBOT> my cases", "ts": "1700000000.000200", "edited": {"ts": "1700000009.5"}})
    assert len(script.asked) == 2  # mentioned for the first time


@pytest.mark.usefixtures("face")
async def test_what_becomes_of_a_mention_in_a_thread_is_told_without_the_mention(
    slack: FakeSlack, script: Script
) -> None:
    root = await slack.say("The printer burns", user="U2", channel="C1")
    said = await slack.say("@crm they asked *twice*", user="U2", channel="C1", thread=root)
    await slack.edit(said, "@crm they asked three times")
    await slack.edit(said, "they asked four times")  # it may still have been a command
    await slack.edit(said, "they asked four times")  # as when a link gets its preview
    await slack.edit(said, "they asked five times")  # said to people now, and changed there
    await slack.edit(said, "@crm they asked six times")
    await slack.delete(said)
    await slack.until(lambda: any(happened == "deleted" for *_, happened in script.overheard))
    assert [(text, happened) for *_, text, happened in script.overheard[:-1]] == [
        ("they asked three times", "amended"),
        ("they asked four times", "amended"),
        ("they asked five times", "edited"),
        ("they asked six times", "amended"),
    ]


@pytest.mark.usefixtures("face")
async def test_who_else_is_mentioned_stays_in_a_note(slack: FakeSlack, script: Script) -> None:
    """And somebody whose id begins as ours does is not us."""
    root = await slack.say("The printer burns", user="U2", channel="C1")
    bot, name = slack.world.teams["T1"].bot_user, slack.world.users["U1"].real_name
    said = await slack.say("what did @anna say?", user="U2", channel="C1", thread=root)
    said.text = f"<@{bot}X> {said.text}"
    await slack.edit(said, "@crm what did @anna say?")
    await slack.until(lambda: len(script.overheard) == 2)
    assert [happened for *_, happened in script.overheard] == ["written", "amended"]
    assert script.overheard[1][2] == f"what did @{name} say?"


async def test_an_event_is_begun_once_and_again_only_after_its_process_died(engine: AsyncEngine) -> None:
    one, other = SeenEvents(engine), SeenEvents(engine)
    begun = await asyncio.gather(*(s.begin("Ev1") for s in (one, other, one, other)))
    assert sorted(begun) == [Begun.BUSY, Begun.BUSY, Begun.BUSY, Begun.NEW]
    async with engine.begin() as connection:
        await connection.execute(sa.text("update slack_events set at = at - 60"))
    assert [await other.begin("Ev1"), await one.begin("Ev1")] == [Begun.NEW, Begun.BUSY]
    await other.finish("Ev1")
    assert await one.begin("Ev1") is Begun.DONE


async def test_an_event_stays_with_whoever_still_works_on_it(engine: AsyncEngine) -> None:
    one, other = SeenEvents(engine), SeenEvents(engine)

    async def age() -> float:
        async with engine.connect() as connection:
            return time.time() - float((await connection.execute(sa.text("select at from slack_events"))).scalar_one())

    assert await one.begin("Ev1") is Begun.NEW
    async with one.kept("Ev1"):
        async with engine.begin() as connection:
            await connection.execute(sa.text("update slack_events set at = at - 4"))
        async with asyncio.timeout(10):
            while await age() > 3:  # noqa: ASYNC110  another process would look so, too
                await asyncio.sleep(0.05)
        assert await other.begin("Ev1") is Begun.BUSY
    async with engine.begin() as connection:
        await connection.execute(sa.text("update slack_events set at = at - 6"))
    assert await other.begin("Ev1") is Begun.NEW
