"""The whole bot on Teams: words, buttons, dialogs and messages, down to the rows in Dataverse and back."""

import asyncio
from collections import Counter

import httpx
import pytest

from bots.playground.teams_server import FakeTeams
from tests.bot import Bot


@pytest.fixture
def teams(bot: Bot) -> FakeTeams:
    return bot.teams


async def rows(bot: Bot, table: str, where: str) -> list[dict]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{bot.emulator.url}/api/data/v9.2/{table}", params={"$filter": where})
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]


async def ask(teams: FakeTeams, words: str, conversation: str = "personal", user: str = "anna"):
    answer = await teams.message(words, conversation=conversation, user=user)
    assert answer.status == 200
    return teams.last(conversation, user)


async def customer(teams: FakeTeams, name: str = "Contoso", user: str = "anna") -> str:
    answer = await teams.typeahead("case create/customer", name, user=user)
    return answer.json["value"]["results"][0]["value"]


async def test_create_list_open_edit(bot, teams):
    created = await ask(teams, "lead create Teresa Atkins company='Atkins Mills' topic=Grinders")
    assert "Lead created" in teams.text(created)
    listed = await ask(teams, "lead list company='Atkins Mills'")
    assert (await teams.press(listed, "Open")).error == ""
    assert "Teresa Atkins" in teams.text(listed)
    assert (await teams.press(listed, "Edit")).error == ""
    saved = await teams.submit_dialog({"Company Name": "Atkins & Sons"}, "Save")
    assert saved.error == ""
    assert teams.dialog() is None
    found = await rows(bot, "leads", "lastname eq 'Atkins'")
    assert [row["companyname"] for row in found] == ["Atkins & Sons"]
    assert teams.card_problems == []


async def test_an_edit_from_an_old_card_does_not_overwrite(bot, teams):
    card = await ask(teams, "lead create Ursula Old company=Before topic=Old")
    await teams.press(card, "Edit")
    await ask(teams, "lead update 'Ursula Old' company=Meanwhile")
    await teams.submit_dialog({"Company Name": "After"}, "Save")
    assert [row["companyname"] for row in await rows(bot, "leads", "lastname eq 'Old'")] == ["Meanwhile"]


async def test_a_form_is_filled_in_within_the_chat(bot, teams):
    form = await ask(teams, "case create")
    answer = await teams.execute(form, "Create", {"Case Title": "Chat form case", "Customer": await customer(teams)})
    assert answer.error == ""
    assert "Chat form case" in teams.text(form)
    assert len(await rows(bot, "incidents", "title eq 'Chat form case'")) == 1


async def test_the_same_activity_three_times_makes_one_row(bot, teams):
    answer = await teams.message("lead create Vera Thrice company=Once topic=Thrice")
    again = await asyncio.gather(*(teams.redeliver(answer.delivery) for _ in range(2)))
    assert {a.status for a in again} == {200}
    # As after a restart: nothing is remembered but the journal.
    bot.app.faces["teams"]._once._answers.clear()
    await teams.redeliver(answer.delivery)
    assert len(await rows(bot, "leads", "lastname eq 'Thrice'")) == 1


async def test_a_message_becomes_one_case_whoever_presses(bot, teams):
    await teams.message("The conveyor of line 7 stands still", user="ben", conversation="channel", mention=False)
    message = teams.last("channel", "ben", bot=False)
    for user in ("anna", "ben"):
        opened = await teams.compose_fetch_task(message, user=user)
        assert opened.error == ""
        assert opened.seconds < 5
    chosen = {"Customer": await customer(teams)}
    await asyncio.gather(*(teams.submit_dialog(chosen, "Create", user=user) for user in ("anna", "ben")))
    found = await rows(bot, "incidents", "contains(title,'conveyor of line 7')")
    assert len(found) == 1
    number = found[0]["ticketnumber"]
    for user in ("anna", "ben"):
        assert number in teams.text(teams.dialog(user), user)
        teams.close_dialog(user=user)
    everyone = teams.text(teams.last("channel", "chiara"), "chiara")
    assert number in everyone
    assert "Contoso" not in everyone
    again = await teams.compose_fetch_task(message, user="anna")
    assert again.error == ""
    assert number in teams.text(teams.dialog())
    teams.close_dialog()


async def test_a_thread_follows_its_case_where_everything_is_heard(bot, teams):
    await teams.message("The scale of shop 9 is off", user="ben", conversation="channel", mention=False)
    message = teams.last("channel", "ben", bot=False)
    await teams.compose_fetch_task(message)
    await teams.submit_dialog({"Customer": await customer(teams)}, "Create")
    teams.close_dialog()
    teams.hears_everything = True
    try:
        await teams.message("Calibrated it", user="ben", conversation="channel", mention=False, reply_to=message)
    finally:
        teams.hears_everything = False
    notes = await rows(bot, "annotations", "contains(notetext,'Calibrated it')")
    assert len(notes) == 1
    cases = await rows(bot, "incidents", "contains(title,'scale of shop 9')")
    assert notes[0]["_objectid_value"] == cases[0]["incidentid"]


async def test_what_is_said_to_the_bot_in_a_thread_is_a_note_that_follows_every_change(bot, teams):
    await teams.message("The slicer of shop 11 is dull", user="ben", conversation="channel", mention=False)
    message = teams.last("channel", "ben", bot=False)
    await teams.compose_fetch_task(message)
    await teams.submit_dialog({"Customer": await customer(teams)}, "Create")
    teams.close_dialog()
    case = (await rows(bot, "incidents", "contains(title,'slicer of shop 11')"))[0]["incidentid"]

    async def notes() -> list[str]:
        found = await rows(bot, "annotations", f"_objectid_value eq {case} and contains(notetext,'in Teams:')")
        return [row["notetext"].splitlines()[1] for row in found]

    async def say(text: str):
        await teams.message(text, conversation="channel", reply_to=message)
        return teams.last("channel", bot=False)

    before = await notes()
    said, command = await say("Blades went out today"), await say("case list")
    for text in ("Blades went out on Monday", "Blades went out today", "Blades went out on Monday"):
        await teams.edit(said, text, mention=True)
        await teams.edit(command, text.replace("Blades", "Nothing"), mention=True)
        assert await notes() == [*before, text]
    for post in (said, command):
        await teams.delete(post)
    assert await notes() == before
    for post in (said, command):
        await teams.undelete(post)
    assert await notes() == [*before, "Blades went out on Monday"]
    await teams.delete(said)
    assert await notes() == before


async def test_a_case_in_a_channel_is_private_until_it_is_shared(teams):
    created = await ask(teams, "case create 'Quiet grinder' account='Contoso'", "channel")
    assert created.to == "29:1anna"
    before = teams.last("channel", "ben")
    assert before is not created
    assert (await teams.execute(created, "Share")).error == ""
    shared = teams.last("channel", "ben")
    assert shared is not before
    assert "Quiet grinder" in teams.text(shared, "ben")


async def test_a_button_of_somebody_else_does_nothing_in_other_hands(bot, teams):
    form = await ask(teams, "lead create")
    button = next(a for a in form.card()["actions"] if a["title"] == "Create")
    data = button["data"] | {"f.last_name": "Stolen", "f.topic": "Theft"}
    value = {"action": {"type": "Action.Execute", "verb": "submit", "data": data}, "trigger": "manual"}
    answer = await teams.invoke("adaptiveCard/action", value, user="ben")
    assert answer.status == 200
    assert await rows(bot, "leads", "lastname eq 'Stolen'") == []


async def test_search_inserts_the_public_card(teams):
    answer = await teams.query("searchRecords", "contoso")
    assert answer.error == ""
    titles = Counter(a["preview"]["content"]["title"] for a in answer.json["composeExtension"]["attachments"])
    assert titles["Contoso"] == 1
    teams.insert(list(titles).index("Contoso"), conversation="channel")
    inserted = teams.last("channel", "ben", bot=False)
    shown = teams.text(inserted, "ben")
    assert "Contoso" in shown
    assert "Owner" not in shown
    assert (await teams.refresh(inserted, user="ben")).error == ""
    assert "Owner" in teams.text(inserted, "ben")
    assert (await teams.execute(inserted, "Show details", user="chiara")).error == ""
    assert "Owner" in teams.text(inserted, "chiara")
    assert "Owner" not in teams.text(inserted, "anna")
    assert (await teams.query("searchRecords")).error == ""


@pytest.mark.parametrize(
    "words",
    [
        "",
        "🔥🧯",
        "frobnicate",
        "lead create 'unclosed",
        "lead update nobody-by-that-name company=x",
        "lead show 00000000-0000-0000-0000-00000000dead",
        "lead create X Y nosuchcolumn=1",
        f"lead create Long {'n' * 10_000}",
        "case create x priority=impossible account='Contoso'",
        "lead list zzz~~~",
        "help",
        "home",
    ],
    ids=lambda words: words[:20],
)
async def test_whatever_is_said_is_answered(bot, teams, words):
    before = len(await rows(bot, "leads", "leadid ne null"))
    seen = teams.last()
    answer = await teams.message(words)
    assert answer.status == 200
    assert answer.seconds < 3
    said = teams.last()
    assert said is not None
    assert said is not seen
    assert len(teams.text(said)) > 20
    assert len(await rows(bot, "leads", "leadid ne null")) == before
    assert teams.card_problems == []
