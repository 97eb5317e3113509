"""The whole bot on Slack: signed bytes in, Dynamics rows and Block Kit out, nothing scripted in between."""

import asyncio
import json
import uuid
from functools import partial

import aiohttp

from bots.playground.slack_world import Message, View
from crm.emulator import Fault
from tests.bot import Bot


async def rows(bot: Bot, path: str) -> list[dict[str, object]]:
    """Straight from the emulator."""
    url = f"{bot.emulator.url}/api/data/v9.2/{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return list((await answer.json())["value"])


async def test_a_lead_is_created_shown_and_changed(bot: Bot) -> None:
    slack, name = bot.slack, f"Unity{uuid.uuid4().hex[:6]}"
    answer = await slack.command(
        "/crm", f'lead create Jane {name} topic=Pumps company="Acme <!channel> & Co"', user="U1"
    )
    assert answer.status == 200
    card = await slack.until(lambda: (m := slack.last("C1", "U1")) and name in slack.text(m) and m)
    assert "<!channel>" not in json.dumps(card.blocks)
    assert len(await rows(bot, f"leads?$filter=lastname eq '{name}'")) == 1
    await slack.click(card, "Edit", user="U1")
    view = await slack.until(lambda: (v := slack.view("U1")) and v.body["callback_id"] == "form" and v)
    done = await slack.submit(view, {"Company Name": "Acme Holding"}, user="U1")
    assert done.json == {"response_action": "clear"}
    await slack.until(lambda: "Acme Holding" in slack.transcript("C1", "U1", since=card))
    assert (await rows(bot, f"leads?$filter=lastname eq '{name}'"))[0]["companyname"] == "Acme Holding"


async def test_the_same_signed_command_twice_makes_one_lead(bot: Bot) -> None:
    slack, name = bot.slack, f"Twice{uuid.uuid4().hex[:6]}"
    answer = await slack.command("/crm", f"lead create Jane {name} company=Acme topic=Printers", user="U1")
    assert answer.delivery
    again = await asyncio.gather(*(slack.redeliver(answer.delivery) for _ in range(3)))
    assert {a.status for a in again} == {200}
    assert len(await rows(bot, f"leads?$filter=lastname eq '{name}'")) == 1


async def test_a_message_becomes_one_case_whoever_presses(bot: Bot) -> None:
    slack, title = bot.slack, f"Printer {uuid.uuid4().hex[:6]} is on fire"
    message = await slack.say(f"{title}\nSmoke on floor 2.", user="U2", channel="C1", files={"log.txt": b"E-77"})
    await slack.say("Same as in March?", user="U1", channel="C1", thread=message)

    async def form_of(user: str) -> View:
        await slack.shortcut("create_case_from_message", message, user=user)
        return await slack.until(lambda: (v := slack.view(user)) and v.body["callback_id"] == "form" and v)

    views = [await form_of(user) for user in ("U1", "U2")]
    found = (await slack.suggest(views[0], "Customer", "contoso ltd")).json["options"][0]
    await asyncio.gather(
        *(slack.submit(v, {"Customer": found}, user=u) for v, u in zip(views, ("U1", "U2"), strict=True))
    )
    stub = await slack.until(
        lambda: next((m for m in slack.messages("C1", "U3", thread=message) if m.bot_id), None), deadline=10
    )
    assert title in slack.text(stub)
    assert len(await rows(bot, f"incidents?$filter=title eq '{title}'")) == 1
    reply = await slack.say("It burns again", user="U2", channel="C1", thread=message)
    await slack.until(lambda: "memo" in reply.reactions, deadline=10)
    notes = await rows(bot, "annotations?$select=notetext,subject")
    assert len([n for n in notes if "It burns again" in str(n["notetext"])]) == 1
    before = len(slack.messages("C1", "U1"))
    await slack.shortcut("create_case_from_message", message, user="U3")
    shown = await slack.until(lambda: (v := slack.view("U3")) and title in slack.text(v) and v)
    assert shown.body["callback_id"] != "form"  # the same message again shows its case
    assert len(slack.messages("C1", "U1")) == before


async def case_of(bot: Bot, title: str) -> Message:
    """A message that has become a case whose thread is followed."""
    slack = bot.slack
    message = await slack.say(title, user="U2", channel="C1")
    await slack.shortcut("create_case_from_message", message, user="U2")
    view = await slack.until(lambda: (v := slack.view("U2")) and v.body["callback_id"] == "form" and v)
    found = (await slack.suggest(view, "Customer", "contoso ltd")).json["options"][0]
    await slack.submit(view, {"Customer": found}, user="U2")
    await slack.until(lambda: any(m.bot_id for m in slack.messages("C1", "U3", thread=message)), deadline=60)
    return message


async def test_what_is_said_by_mention_is_followed_when_it_is_edited_and_deleted(bot: Bot) -> None:
    slack, word = bot.slack, f"gasket{uuid.uuid4().hex[:6]}"
    root = await case_of(bot, f"Pump {word} leaks")

    async def noted() -> list[str]:
        found = await rows(bot, f"annotations?$select=notetext&$filter=contains(notetext,'{word}')")
        return [str(n["notetext"]).splitlines()[1] for n in found if "in Slack:" in str(n["notetext"])]

    said = await slack.say(f"@crm they ordreed a {word}", user="U5", channel="C1", thread=root)
    command = await slack.say(f"@crm case list title~{word}", user="U5", channel="C1", thread=root)
    await slack.until(lambda: "memo" in said.reactions, deadline=60)
    assert await noted() == [f"they ordreed a {word}"]
    await slack.edit(said, f"@crm they ordered a {word}")
    again = {**said.json(), "type": "app_mention", "channel": "C1"}  # Slack tells of the mention once more
    assert (await slack.event(again)).status == 200
    await slack.until(lambda: "pencil2" in said.reactions, deadline=60)
    await slack.edit(command, f"case list title~{word} status=active")  # was a command, so it becomes no note
    await slack.edit(said, f"they ordered two of {word}")

    async def is_noted(*texts: str) -> bool:
        return await noted() == list(texts)

    await slack.until(partial(is_noted, f"they ordered two of {word}"), deadline=60)
    await slack.delete(command)
    await slack.delete(said)
    await slack.until(is_noted, deadline=60)


async def test_the_form_of_a_thread_is_the_same_behind_a_button(bot: Bot) -> None:
    """A mention opens no view of its own, so that a button does: with what was filled in, and a choice of what goes."""
    slack, title = bot.slack, f"Boiler {uuid.uuid4().hex[:6]} hums"
    root = await slack.say(f"{title}\n{'All night long. ' * 150}", user="U2", channel="C1", files={"hum.txt": b"Hmm"})
    await slack.say("@crm create case", user="U5", channel="C1", thread=root)
    offered = await slack.until(
        lambda: next((m for m in slack.messages("C1", "U5", thread=root) if m.to == "U5"), None), 60
    )
    await slack.click(offered, "Open the form", user="U5")
    view = await slack.until(lambda: (v := slack.view("U5")) and v.body["callback_id"] == "form" and v, 60)
    asked = {b["block_id"]: b["element"] for b in view.blocks if b["type"] == "input"}
    assert asked["title"]["initial_value"] == title
    assert [o["value"] for o in asked["take"]["options"]] == ["message", "thread"]
    assert [o["text"]["text"] for o in asked["files"]["initial_options"]] == ["hum.txt"]
    assert "message's own menu" not in slack.text(view)
    before = len(view.blocks)
    await slack.click(view, "More fields", user="U5")
    more = await slack.until(lambda: (v := slack.view("U5")) and len(v.blocks) > before and v, 60)
    again = {b["block_id"]: b["element"] for b in more.blocks if b["type"] == "input"}
    assert (again["take"], again["files"]["options"]) == (asked["take"], asked["files"]["options"])
    found = (await slack.suggest(more, "Customer", "contoso ltd", user="U5")).json["options"][0]
    assert (await slack.submit(more, {"Customer": found}, user="U5")).json == {"response_action": "clear"}
    await slack.until(lambda: "ticket" in root.reactions or any(m.bot_id for m in slack.messages("C1", "U3", root)), 60)
    [case] = await rows(bot, f"incidents?$filter=title eq '{title}'&$expand=Incident_Annotation($select=filename)")
    assert "hum.txt" in str(case["Incident_Annotation"])


async def test_in_a_cases_thread_a_mention_is_about_that_case(bot: Bot) -> None:
    """Also for whoever was never shown it, in whatever words leave it out."""
    slack, title = bot.slack, f"Valve {uuid.uuid4().hex[:6]} sticks"
    root = await case_of(bot, title)

    async def answer(words: str) -> str:
        before = len(slack.messages("C1", "U5", thread=root))
        await slack.say(f"@crm {words}", user="U5", channel="C1", thread=root)
        said = await slack.until(
            lambda: next((m for m in slack.messages("C1", "U5", thread=root)[before:] if m.to == "U5"), None), 60
        )
        return slack.text(said)

    assert title in await answer("it")
    assert "Note added" in await answer("case note it shut it off")
    assert title in await answer("case show")
    assert "Adventure" in await answer("account show 'Adventure Works'")  # what was shown last is "it" from now on …
    assert "Adventure" in await answer("it")
    await answer("case resolve resolution='It was dirty.'")  # … but a case is still this one

    async def resolved() -> bool:
        return [r["statecode"] for r in await rows(bot, f"incidents?$filter=title eq '{title}'")] == [1]

    await slack.until(resolved, 60)


async def test_a_reply_is_journalled_before_it_is_acknowledged(bot: Bot) -> None:
    """Dataverse is away when it is said; nothing but the journal knows of it when Slack is told that it was heard."""
    slack = bot.slack
    message = await case_of(bot, f"Pump {uuid.uuid4().hex[:6]} leaks")
    bot.emulator.faults.add(Fault(count=1000, match="annotations", status=503, retry_after=1))
    reply = await slack.say("It is the gasket", user="U2", channel="C1", thread=message)
    await slack.settle()
    assert "memo" not in reply.reactions
    bot.emulator.faults.clear()
    await slack.until(lambda: "memo" in reply.reactions, deadline=20)
    notes = await rows(bot, "annotations?$select=notetext")
    assert len([n for n in notes if "It is the gasket" in str(n["notetext"])]) == 1


async def test_mistakes_are_answered_with_a_sentence_and_change_nothing(bot: Bot) -> None:
    slack = bot.slack
    for text in (
        "frobnicate",
        "lead create",
        "case show 'unclosed",
        "lead update nothing colour=red",
        "🔥",
        "x" * 10_000,
    ):
        answer = await slack.command("/crm", text, user="U4", channel="C1")
        assert (answer.status, answer.error) == (200, ""), text[:40]
        await slack.until(lambda: slack.last("C1", "U4") or slack.view("U4"))


async def test_a_person_in_a_condition_is_named_as_they_were_mentioned(bot: Bot) -> None:
    """By Slack's `should_escape`; the mention itself is looked up by its confirmed address."""
    slack = bot.slack
    await slack.command("/crm", "case list owner=<@U4|dmitri>", user="U1", channel="C1")
    card = slack.last("C1", "U1")
    assert card
    shown = slack.text(card)
    assert "Owner is “@dmitri”" in shown
    assert "Dmitri Volkov" in shown


async def test_help_is_quick(bot: Bot) -> None:
    answers = [await bot.slack.command("/crm", "help", user="U1") for _ in range(20)]
    assert sorted(a.seconds for a in answers)[10] < 0.2


async def test_everybody_works_as_themselves(bot: Bot) -> None:
    slack, users = bot.slack, ("U1", "U2", "U3", "U4")
    await asyncio.gather(*(slack.command("/crm", "whoami", user=u, channel="C1") for u in users for _ in range(5)))
    for user in users:
        card = slack.last("C1", user)
        assert card
        assert slack.world.users[user].email in slack.text(card)
