"""The whole bot with a real app id, over signed HTTP: what works, what is refused, and what a slow Dataverse does."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from bots.playground import adaptive
from bots.playground.teams_server import FakeTeams
from bots.playground.teams_world import Conversation
from commands.press import Do, Press
from crm.emulator import Fault
from tests.bot import APP, Bot

from .test_whole import ask, customer, rows


@pytest.fixture
def teams(bot: Bot) -> FakeTeams:
    assert bot.app.settings.microsoft_app_id == APP
    return bot.teams


async def test_a_day_in_teams(bot, teams):
    await teams.uninstall("personal", user="dmitri")
    assert (await teams.install("personal", user="dmitri")).status == 200
    welcome = teams.last("personal", "dmitri")
    assert "What can I do for you?" in teams.text(welcome, "dmitri")
    # Home needs no word: it is a button of the welcome.
    assert (await teams.press(welcome, "My records", user="dmitri")).error == ""
    home = teams.text(await teams.until(lambda: _with(teams, "My Dynamics 365", "dmitri")), "dmitri")
    assert all(word in home for word in ("My cases", "Connected to", "[Who am I?]"))
    assert "My leads" not in home  # this role reads none
    home = teams.text(await ask(teams, "home"))
    assert all(word in home for word in ("My cases", "My leads", "My opportunities"))
    assert "case create" in teams.text(await ask(teams, "help case"))
    created = await ask(teams, "lead create Ida Signed company='Signed Mills' topic=Ovens")
    assert "Lead created" in teams.text(created)
    listed = await ask(teams, "lead list company='Signed Mills'")
    assert (await teams.press(listed, "Open")).error == ""
    assert (await teams.press(listed, "Edit")).error == ""
    assert (await teams.submit_dialog({"Company Name": "Signed & Sons"}, "Save")).error == ""
    assert [row["companyname"] for row in await rows(bot, "leads", "lastname eq 'Signed'")] == ["Signed & Sons"]
    await teams.message("Oven 3 of Contoso is cold", user="ben", conversation="channel", mention=False)
    message = teams.last("channel", "ben", bot=False)
    assert (await teams.compose_fetch_task(message)).error == ""
    assert (await teams.submit_dialog({"Customer": await customer(teams)}, "Create")).error == ""
    assert "Oven 3 of Contoso" in teams.text(teams.dialog())
    teams.close_dialog()
    assert len(await rows(bot, "incidents", "contains(title,'Oven 3 of Contoso')")) == 1
    found = await teams.query("searchRecords", "Signed")
    assert found.error == ""
    assert "Ida Signed" in str(found.json)
    link = await teams.query_link(_address(teams.last().card()))
    assert link.error == ""
    unfurled = link.json["composeExtension"]["attachments"]
    assert "Show details" in str(unfurled)
    assert "Signed" not in str(unfurled)  # Teams keeps it for everyone
    assert teams.card_problems == []
    assert {call.authorization.partition(" ")[0] for call in teams.calls} == {"Bearer"}


def _with(teams: FakeTeams, text: str, user: str):
    last = teams.last("personal", user)
    return last if last and text in teams.text(last, user) else None


def _address(card: dict) -> str:
    """Where the title of a card leads."""
    title = next(part for part in adaptive.parts(card) if part.get("id") == "title")
    return title["inlines"][0]["selectAction"]["url"]


@pytest.mark.parametrize(
    "claims",
    [
        None,
        {"iss": "https://evil.example"},
        {"aud": "another-app"},
        {"serviceurl": "https://evil.example/"},
        {"exp": 1},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"algorithm": "RS384"},
        {"drop": ("exp",)},
        {"drop": ("serviceurl",)},
    ],
    ids=str,
)
async def test_who_cannot_prove_who_they_are_changes_nothing(bot, teams, claims):
    anna = teams.world.person("anna")
    activity = teams.activity(anna, teams.world.personal(anna))
    activity |= {"type": "message", "id": f"forged-{claims}", "text": "lead create Fay Forged topic=x company=y"}
    header = None if claims is None else teams.authorization(**claims)
    calls = len(teams.calls)
    assert (await teams.raw(activity, header)).status == 401
    assert await rows(bot, "leads", "lastname eq 'Forged'") == []
    assert len(teams.calls) == calls


@pytest.mark.parametrize(
    "change",
    [
        {"channelData": {"tenant": {"id": "another"}}},
        {"channelData": {}, "conversation": {"id": "a:x", "conversationType": "personal"}},
        {"serviceUrl": "https://evil.example/"},
        {"serviceUrl": ""},
    ],
    ids=str,
)
async def test_people_and_addresses_that_are_not_ours_are_refused(teams, change):
    anna = teams.world.person("anna")
    activity = teams.activity(anna, teams.world.personal(anna)) | {"type": "message", "id": "m1", "text": "help"}
    assert (await teams.raw(activity | change, teams.authorization())).status == 401


async def test_a_card_action_with_another_record_in_it_does_nothing(bot, teams):
    shown = await ask(teams, "lead create Vic Victim topic=x company=Kept")
    await ask(teams, "lead create Ada Attacker topic=x company=Other")
    victim, own = [(await rows(bot, "leads", f"lastname eq '{n}'"))[0]["leadid"] for n in ("Victim", "Attacker")]
    tokens = [t for t in _tokens(shown.card()) if victim in _opened(t)]
    assert tokens
    for token in tokens:
        seal = len(token) - len(_packed(_opened(token)))
        forged = token[:seal] + _packed(_opened(token).replace(victim, own))
        for name, value in (
            ("adaptiveCard/action", {"action": {"type": "Action.Execute", "verb": "run", "data": {"press": forged}}}),
            ("task/fetch", {"data": {"press": forged}}),
            ("task/submit", {"data": {"press": forged, "f.company": "Stolen"}}),
        ):
            answer = await teams.invoke(name, value, reply_to=shown)
            assert "older version" in str(answer.json)
    assert [r["companyname"] for r in await rows(bot, "leads", "lastname eq 'Attacker'")] == ["Other"]


def _tokens(card: dict) -> list[str]:
    return [d["press"] for a in adaptive.parts(card) if isinstance(d := a.get("data"), dict) and d.get("press")]


def _opened(token: str) -> str:
    body = token[23:]
    return urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()


def _packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


async def test_a_submitted_form_counts_once_however_it_arrives(bot, teams):
    form = await ask(teams, "lead create")
    values = {"Last Name": "Onceonly", "Topic": "Late", "Company Name": "Order"}
    first = await teams.execute(form, "Create", values)
    assert first.error == ""
    await ask(teams, "lead list company=Order")  # something else comes in between
    once = bot.app.faces["teams"]._once
    for _ in range(2):
        once._answers.clear()  # as after a restart
        again = await asyncio.gather(*(teams.redeliver(first.delivery) for _ in range(2)))
        assert {a.status for a in again} == {200}
    assert len(await rows(bot, "leads", "lastname eq 'Onceonly'")) == 1


@pytest.mark.parametrize("seconds", [6, pytest.param(30, marks=pytest.mark.soak)])
async def test_no_invoke_waits_for_a_dataverse_that_hangs(bot, teams, seconds):
    shown = await ask(teams, "lead create Hank Hanging topic=Slow company=Molasses")
    address = _address(shown.card())
    lead = (await rows(bot, "leads", "lastname eq 'Hanging'"))[0]["leadid"]
    show = bot.app.dispatcher.seal.seal(Press(do=Do.RUN, verb="lead get", args={"record": lead}))
    execute = {"action": {"type": "Action.Execute", "verb": "run", "data": {"press": show}}, "trigger": "manual"}
    dialog = next(a["data"] for a in shown.card()["actions"] if a["title"] == "Edit")
    form = await ask(teams, "case create")
    submit = {**form.card()["actions"][0]["data"], "f.title": "Slow case", "f.customer": await customer(teams)}
    await teams.message("The slow message", user="ben", conversation="channel", mention=False)
    message = teams.last("channel", "ben", bot=False)
    chat = Conversation(id="a:hanging", kind="personal", name="x", members=[teams.world.person("anna").teams])
    teams.world.conversations[chat.id] = chat
    bot.emulator.faults.add(Fault(count=10_000, delay=seconds, match="/api/data/"))
    try:
        answers = await asyncio.gather(
            teams.invoke("adaptiveCard/action", execute, reply_to=shown),
            teams.task_fetch(dialog, user="anna"),
            teams.invoke("task/submit", {"data": submit}),
            teams.compose_fetch_task(message, user="ben"),
            teams.query("searchRecords", "molasses and nothing else"),
            teams.query_link(address),
            teams.query_link(address, anonymous=True),
            teams.typeahead("case create/customer", "hanging contoso"),
            teams.invoke("signin/tokenExchange", {"id": "1", "token": "x"}),
            teams.invoke("signin/verifyState", {"state": "1"}),
            teams.message("lead show 'Hank Hanging'", conversation=chat.id),
        )
    finally:
        bot.emulator.faults.clear()
    slow = {a.delivery.label: a.seconds for a in answers if a.seconds >= 5}
    assert slow == {}
    assert {a.status for a in answers} <= {200, 400, 412}
    # What had to wait comes by itself.
    await teams.until(lambda: "Molasses" in teams.transcript(chat.id), seconds + 20)

    async def made():
        return await rows(bot, "incidents", "title eq 'Slow case'")

    assert len(await teams.until(made, seconds + 20)) == 1
    for user in ("anna", "ben"):
        teams.close_dialog(user=user)
