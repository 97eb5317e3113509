"""Two organisations behind one bot: where commands go, what stays there, what is asked before production changes."""

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from bots.doctor import examine
from bots.environments import open_environments, policy_file
from bots.settings import SettingsError
from commands.cards import Card, CardKind, Submission
from commands.environments import Environments
from commands.operation import CATALOG
from commands.policy_file import PolicyError, load
from commands.request import (
    Ask,
    FromMessage,
    Message,
    Person,
    Place,
    PlaceKind,
    Pressed,
    Principal,
    Quote,
    Request,
    Submitted,
)
from commands.work import Outcome, Work
from crm.client import Dataverse
from crm.emulator import Emulator
from crm.notifications import Change
from crm.records import Ref
from tests.bot import Bot, settings_for
from tests.dialogues.people import FACES, OnSlack

NOWHERE: frozenset[str] = frozenset()
ANNA = "anna.weber@contoso.example"
FILE = """\
version: 1
ask: crm-desk@contoso.example
environments:
  production: {{production: true, confirm: true}}
  sandbox:
    url: {url}
    channels: [C1, "{teams}"]
"""


@dataclasses.dataclass
class Two:
    bot: Bot
    sandbox: Emulator
    environments: Environments
    policy: Path

    async def names(self, emulator: Emulator, name: str) -> int:
        """How many accounts are called so."""
        url = f"{emulator.url}/api/data/v9.2/accounts?$select=name&$filter=name eq '{name}'"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return len((await answer.json())["value"])

    async def where(self, name: str) -> tuple[int, int]:
        """The same in production and in the sandbox."""
        return await self.names(self.bot.emulator, name), await self.names(self.sandbox, name)


@pytest.fixture(scope="module")
async def opened(bot: Bot, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    """Opened once; every test has records of its own."""
    folder = tmp_path_factory.mktemp("two")
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Emulator(seed="contoso"))
        path = folder / "policy.yaml"
        path.write_text(FILE.format(url=sandbox.url, teams=bot.teams.world.conversation("support").id))
        settings = settings_for(folder, bot.emulator.url, bot.slack, policy=path)
        environments = await open_environments(
            settings, policy_file(settings), folder=folder, faces=bot.app.faces, demo=True, stack=stack
        )
        for environment in environments:
            await environment.dataverse.metadata.load()
        yield Two(bot, sandbox, environments, path)


@pytest.fixture
def two(opened: Two) -> Iterator[Two]:
    access = opened.bot.app.dispatcher.access
    before, access.environments = access.environments, opened.environments
    try:
        yield opened
    finally:
        access.environments = before


@pytest.mark.parametrize("face", FACES)
async def test_the_channel_decides_and_env_overrides(two: Two, face: str) -> None:
    name = f"Firm {uuid.uuid4().hex[:8]}"
    person = FACES[face](two.bot, ANNA, channel=True)
    await person.type(f"account create '{name}'")
    await person.sees("Sandbox", name, "created")
    assert await two.where(name) == (0, 1)
    await person.type(f"account get '{name}' env=production")
    await person.sees("Production", "not found")
    await person.type("case list env=nowhere")
    await person.sees("no environment “nowhere”", "production, sandbox")


@pytest.mark.parametrize("face", FACES)
async def test_production_asks_before_it_is_changed(two: Two, face: str) -> None:
    name = f"Firm {uuid.uuid4().hex[:8]}"
    person = FACES[face](two.bot, ANNA)
    await person.type(f"account create '{name}' description='For the test'")
    await person.sees("Production", "Account create in Production?", name, "For the test", two.bot.emulator.url)
    assert await two.where(name) == (0, 0)
    await person.press("Cancel")
    assert await two.where(name) == (0, 0)
    await person.type(f"account create '{name}'")
    await person.sees("Account create in Production?", name)
    await person.press("Confirm")
    await person.sees("Production", name, "created")
    assert await two.where(name) == (1, 0)
    await person.type("account update it description=Changed")
    await person.sees("Account update in Production?", name, "Changed")
    await person.press("Confirm")
    await person.sees("Saved", "Changed")


@pytest.mark.parametrize("face", FACES)
async def test_a_button_stays_where_it_was_made(two: Two, face: str) -> None:
    name = f"Firm {uuid.uuid4().hex[:8]}"
    person = FACES[face](two.bot, ANNA, channel=True)
    await person.type(f"account create '{name}'")
    await person.sees("Sandbox", name)
    production, sandbox = two.environments
    two.bot.app.dispatcher.access.environments = Environments(
        production, dataclasses.replace(sandbox, conversations=NOWHERE)
    )
    await person.press("Edit")
    await person.sees("Sandbox")
    await person.fill({"website": "https://later.example"})
    await person.sees("Sandbox", "later.example")
    assert await two.where(name) == (0, 1)
    if face == "teams":
        return  # a new thread there, and `it` belongs to a thread
    # `it` was shown in the sandbox, and the command goes to production now.
    await person.type("account get it")
    await person.sees("env=sandbox")
    await person.type("account get it env=sandbox")
    await person.sees("Sandbox", name)


@pytest.mark.parametrize("face", FACES)
async def test_whoami_and_help_say_where(two: Two, face: str) -> None:
    person = FACES[face](two.bot, ANNA, channel=True)
    await person.type("whoami")
    await person.sees("Sandbox", two.sandbox.url.partition("//")[2])
    await person.type("whoami env=Production")
    await person.sees("Production", two.bot.emulator.url.partition("//")[2])
    await person.type("help case create")
    await person.sees("production, sandbox (left out: sandbox)")


async def test_a_person_who_is_in_one_only(two: Two) -> None:
    url = f"{two.sandbox.url}/api/data/v9.2/systemusers"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}?$select=systemuserid&$filter=internalemailaddress eq '{ANNA}'") as answer:
            anna = (await answer.json())["value"][0]["systemuserid"]

        async def may_work(yes: bool) -> None:
            async with session.patch(f"{url}({anna})", json={"isdisabled": not yes}) as answer:
                assert answer.status == 204, await answer.text()
            for environment in two.environments:
                environment.people._unknown_as_application = yes
                environment.people._known.clear()

        await may_work(False)
        try:
            person = FACES["slack"](two.bot, ANNA, channel=True)
            await person.type("whoami")
            await person.sees("Sandbox", "no enabled Dynamics 365 user")
            await person.type("whoami env=production")
            await person.sees("Production", "Anna Weber")
        finally:
            await may_work(True)


async def sandbox_case(person: OnSlack, text: str) -> None:
    """A message, and the case that is made of it where its channel belongs."""
    await person.post(text)
    await person.capture()
    await person.sees("Sandbox", text)
    await person.fill({"customer": "Contoso"})
    await person.sees("Case created from the message.")
    await person.close()


async def test_one_message_may_become_a_case_in_each(two: Two) -> None:
    person = FACES["slack"](two.bot, ANNA, channel=True)
    text = f"The printer {uuid.uuid4().hex[:8]} burns"
    await sandbox_case(person, text)
    production, sandbox = two.environments
    production = dataclasses.replace(production, confirm=False)
    two.bot.app.dispatcher.access.environments = Environments(
        production, dataclasses.replace(sandbox, conversations=NOWHERE)
    )
    await person.capture()
    await person.sees("Production", text)
    await person.fill({"customer": "Contoso"})
    await person.sees("Production", "Case created from the message.")
    await person.close()
    for emulator in (two.bot.emulator, two.sandbox):
        url = f"{emulator.url}/api/data/v9.2/incidents?$select=title&$filter=title eq '{text}'"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert len((await answer.json())["value"]) == 1


async def test_journalled_work_stays_in_its_organisation(two: Two) -> None:
    dispatcher, name = two.bot.app.dispatcher, f"Firm {uuid.uuid4().hex[:8]}"
    principal = Principal(platform="slack", tenant="T1", user="U1", email=ANNA)
    place = Place(platform="slack", tenant="T1", conversation="C9")
    work = Work(
        key=uuid.uuid4().hex, verb="account create", args={"name": name, "env": "sandbox"},
        principal=principal, place=place,
    )  # fmt: skip
    answer = await dispatcher.perform(work, resumed=True)
    assert answer.outcome is Outcome.DONE
    assert answer.reply.card is not None
    assert answer.reply.card.badge == "Sandbox"
    assert await two.where(name) == (0, 1)
    dispatcher.access.environments = Environments(two.environments.first)
    answer = await dispatcher.perform(dataclasses.replace(work, key=uuid.uuid4().hex), resumed=True)
    assert answer.outcome is Outcome.FAILED
    assert answer.reply.card is not None
    assert "taken out of the settings" in answer.reply.card.title
    assert await two.where(name) == (0, 1)
    entries = [e async for e in two.bot.app.audit.entries() if e.words.get("name") == name]
    assert [e.environment for e in entries] == ["sandbox", "sandbox"]


@pytest.mark.parametrize("face", FACES)
async def test_the_same_gesture_twice_where_changes_are_confirmed(two: Two, face: str) -> None:
    name = f"Firm {uuid.uuid4().hex[:8]}"
    person = FACES[face](two.bot, ANNA)
    answer = await person.type(f"account create '{name}'")
    await person.sees("Account create in Production?", name)
    if face == "slack":  # the platform tries again
        assert answer.delivery
        await two.bot.slack.redeliver(answer.delivery)
    assert await two.where(name) == (0, 0)
    await asyncio.gather(person._press("Confirm"), person._press("Confirm"))
    await person.sees("Production", name, "created")
    assert await two.where(name) == (1, 0)


async def test_an_emoji_asks_first_where_changes_are_confirmed(two: Two) -> None:
    """The case is made by its *Confirm*, once, with what the message says."""
    dispatcher, text = two.bot.app.dispatcher, f"The boiler {uuid.uuid4().hex[:8]} drips"
    who = Principal(platform="slack", tenant="T1", user="U1", email=ANNA)
    place = Place(platform="slack", tenant="T1", conversation="C2", thread="7.7", kind=PlaceKind.CHANNEL)
    said = Message(key=f"slack:T1:C2:{uuid.uuid4().hex}", text=text, author=Person(name="Ben", user="U2"))

    async def reacted() -> Card:
        ask = FromMessage(Quote(message=said), at_once=True)
        reply = await dispatcher.dispatch(Request(ask=ask, principal=who, place=place, key=uuid.uuid4().hex))
        assert reply.card
        return reply.card

    async def cases(emulator: Emulator) -> int:
        url = f"{emulator.url}/api/data/v9.2/incidents?$select=title&$filter=contains(title,'{text}')"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return len((await answer.json())["value"])

    first, second = await reacted(), await reacted()
    assert first.kind is second.kind is CardKind.CONFIRM
    assert first.badge == "Production"
    assert text in str(first.facts)
    assert await cases(two.bot.emulator) == 0
    for card in (first, second):
        assert card.actions[0].press
        ask: Ask = Pressed(card.actions[0].press)
        for _ in range(6):  # the customer is asked for, and the case with it confirmed once more
            reply = await dispatcher.dispatch(Request(ask=ask, principal=who, place=place, key=uuid.uuid4().hex))
            if reply.form:
                filled = {i.name: i.value for i in reply.form.inputs} | {"customer": "Contoso"}
                ask = Submitted(reply.form.submit, Submission(values=filled))
            elif reply.card and reply.card.kind in {CardKind.CONFIRM, CardKind.NOTICE}:
                assert reply.card.actions[0].press
                ask = Pressed(reply.card.actions[0].press)
            else:
                break
        assert reply.card
        assert text in reply.card.title
        assert reply.card.badge == "Production"
    assert (await cases(two.bot.emulator), await cases(two.sandbox)) == (1, 0)


async def test_news_of_a_case_reach_the_threads_of_its_own_organisation(two: Two) -> None:
    bot, text = two.bot, f"The press {uuid.uuid4().hex[:8]} squeaks"
    person = FACES["slack"](bot, ANNA, channel=True)  # the sandbox's channel
    await sandbox_case(person, text)
    url = f"{two.sandbox.url}/api/data/v9.2"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/incidents?$select=title&$filter=contains(title,'{text}')") as answer:
            (case,) = (await answer.json())["value"]
        note = Ref("annotation", uuid.uuid4())
        row = {"annotationid": str(note.id), "subject": "x", "notetext": f"Oiled {text}",
               "objectid_incident@odata.bind": f"/incidents({case['incidentid']})"}  # fmt: skip
        async with session.post(f"{url}/annotations", json=row) as answer:
            assert answer.status == 204, await answer.text()
    production, sandbox = two.environments
    about = {"objectid": Ref("incident", uuid.UUID(case["incidentid"]))}
    change = Change(ref=note, message="Create", id=f"Create/{note.id}", values=about)
    # The same case, were it there, would be another one.
    assert await bot.app.dispatcher.listening.news(change, production) == 0
    assert await bot.app.dispatcher.listening.news(change, sandbox) == 1
    assert await bot.app.dispatcher.listening.news(change, sandbox) == 0
    said = [bot.slack.text(m) for m in bot.slack.world.messages["C1"] if m.bot_id and f"Oiled {text}" in str(m.blocks)]
    assert len(said) == 1
    assert "Sandbox" in said[0]


async def test_agents_are_offered_the_choices_of_each_organisation(two: Two) -> None:
    dispatcher, who = two.bot.app.dispatcher, Principal(platform="mcp", tenant="t", user=ANNA)
    both = await dispatcher.browsing.labels(CATALOG["case create"], who)
    production, sandbox = two.environments
    async with Dataverse("http://127.0.0.1:9", deadline=0.1) as away:
        dispatcher.access.environments = Environments(dataclasses.replace(production, dataverse=away), sandbox)
        assert await dispatcher.browsing.labels(CATALOG["case create"], who) == both
    assert "High" in both["priority"]
    assert len(set(both["priority"])) == len(both["priority"])


async def test_links_of_each_organisation_are_unfurled(two: Two) -> None:
    principal = Principal(platform="slack", tenant="T1", user="U1", email=ANNA)
    place = Place(platform="slack", tenant="T1", conversation="C9")
    async with aiohttp.ClientSession() as session:
        url = f"{two.sandbox.url}/api/data/v9.2/incidents?$select=title&$top=1"
        async with session.get(url) as answer:
            case = (await answer.json())["value"][0]
    link = f"{two.sandbox.url}/main.aspx?pagetype=entityrecord&etn=incident&id={case['incidentid']}"
    browsing = two.bot.app.dispatcher.browsing
    card = await browsing.unfurl(link, principal, place)
    assert card is not None
    assert (card.badge, card.title) == ("Sandbox", case["title"])
    assert await browsing.unfurl(link.replace("127.0.0.1", "127.0.0.2"), principal, place) is None


async def test_the_doctor_looks_at_each(two: Two, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, two.bot.emulator.url, two.bot.slack, policy=two.policy)
    checks = {f.check for f in await examine(settings) if not f.problem}
    assert {"production: Dataverse", "sandbox: Dataverse", "sandbox: impersonation"} <= checks


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  Sand Box: {url: https://a.crm.dynamics.com}\n  here: {}", "line 4: 'Sand Box' is no name"),
        ("  a: {}\n  b: {}", "line 5: b has no url, and neither has a"),
        ("  a: {}\n  b:\n    url: http://contoso.crm.dynamics.com", "line 6: .*http://"),
        ("  a: {}\n  b:\n    url: https://evil.example", "line 6: evil.example is not a Dataverse address"),
        ("  a: {url: https://a.crm.dynamics.com}", "line 3: one of them must leave out `url`"),
        ("  a: {}\n  b: {urll: x}", "line 5: 'urll' is not known here; did you mean url"),
        ("  a: {confirm: often}", "line 4: confirm"),
        ("  a: {channels: [C1]}\n  b: {channels: [C1], url: https://b.crm.dynamics.com}", "line 5: C1 is"),
    ],
)  # fmt: skip
def test_mistakes_have_their_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"version: 1\nask: somebody\nenvironments:\n{text}\n")
    with pytest.raises(PolicyError, match=says):
        load(path)


async def test_no_real_organisation_beside_this_machine(bot: Bot, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(FILE.format(url="https://contoso.crm4.dynamics.com", teams="19:x"))
    with pytest.raises(SettingsError, match="cannot be served together"):
        policy_file(settings_for(tmp_path, bot.emulator.url, bot.slack, policy=path))
