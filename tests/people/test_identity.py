"""Every call runs as the person who asked: many people at once, three roles on two faces, and people without access."""

import asyncio
import dataclasses
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bots.playground import seed as seeds
from tests.bot import Bot

STAFF = [p for p in seeds.load().people if not p.external]


async def rows(bot: Bot, table: str, condition: str) -> list[dict]:
    """From the emulator, past the bot."""
    url = f"{bot.emulator.url}/api/data/v9.2/{table}"
    headers = {"Prefer": 'odata.include-annotations="*"'}
    asked = {"params": {"$filter": condition}, "headers": headers}
    async with aiohttp.ClientSession() as session, session.get(url, **asked) as answer:
        assert answer.status == 200, await answer.text()
        return list((await answer.json())["value"])


async def customer(bot: Bot, name: str) -> None:
    """An account of the test's own, so that nothing else is called like it."""
    url = f"{bot.emulator.url}/api/data/v9.2/accounts"
    async with aiohttp.ClientSession() as session, session.post(url, json={"name": name}) as answer:
        assert answer.status == 204, await answer.text()


@asynccontextmanager
async def roles(bot: Bot, rights: dict) -> AsyncIterator[None]:
    """The emulator's security roles, by name, for a while."""

    async def put(changed: dict) -> None:
        url = f"{bot.emulator.url}/_emulator/roles"
        async with aiohttp.ClientSession() as session, session.put(url, json=changed) as answer:
            assert answer.status < 300, await answer.text()

    await put(rights)
    try:
        yield
    finally:
        await put({})


WAVES = int(os.environ.get("CRMCHAT_SOAK_WAVES", "60"))


@pytest.mark.parametrize("waves", [1, pytest.param(WAVES, marks=[pytest.mark.soak, pytest.mark.timeout(0)])])
async def test_nothing_leaves_under_anothers_name(bot: Bot, waves: int) -> None:
    for _ in range(waves):
        await hammer(bot)


async def hammer(bot: Bot, rounds: int = 3) -> None:
    """Everybody at once on both faces, several times, while what is known of them is forgotten or expires."""
    mark = uuid.uuid4().hex[:8]
    people = bot.app.dispatcher.environments.first.people
    await customer(bot, f"Customer {mark}")
    bot.emulator.requests.clear()
    # More at once a slow disk may refuse, in words; then nothing is proven.
    stop, gate = asyncio.Event(), asyncio.Semaphore(3)

    async def forget() -> None:
        """The caches are emptied, and expire, again and again while everybody asks."""
        while not stop.is_set():
            people._known.clear()
            await asyncio.sleep(0.02)
            for key, kept in people._known.items():
                people._known[key] = dataclasses.replace(kept, until=0.0)
            await asyncio.sleep(0.02)

    async def ask(person: seeds.Person, face: str, number: int) -> None:
        words = f"case create '{mark} {person.key} {face}{number}' account='Customer {mark}'"
        async with gate:
            if face == "slack":
                await bot.slack.command("/crm", words, user=person.slack, channel="C1")
            else:
                await bot.teams.message(words, user=person.key, conversation="personal")

    forgetting = asyncio.create_task(forget())
    asked = [(p, face, n) for n in range(rounds) for p in STAFF for face in ("slack", "teams")]
    try:
        await asyncio.gather(*(ask(*each) for each in asked))
        made: list[dict] = []
        until = time.monotonic() + 25
        while len(made) < len(asked) and time.monotonic() < until:
            made = await rows(bot, "incidents", f"startswith(title,'{mark}')")
            await asyncio.sleep(0.1)
    finally:
        stop.set()
        await forgetting
    missing = {f"{mark} {p.key} {face}{n}" for p, face, n in asked} - {case["title"] for case in made}
    assert not missing, [bot.slack.transcript("C1", p.slack)[-300:] for p in STAFF if any(p.key in m for m in missing)]
    assert len(made) == len(asked)
    names = {p.key: p.name for p in STAFF}
    for case in made:
        key = case["title"].split()[1]
        assert case["_createdby_value@OData.Community.Display.V1.FormattedValue"] == names[key], case["title"]
    # Without a person only what says who they are, and how the organisation's tables look; and this test's own reading.
    unnamed = {e.path for e in bot.emulator.requests.entries if not e.caller and mark not in e.query}
    assert all(re.search("systemusers|Definitions|RetrieveMetadataChanges|/accounts$", path) for path in unnamed), (
        unnamed
    )
    callers = Counter(e.caller for e in bot.emulator.requests.entries if e.method == "POST" and "incidents" in e.path)
    assert set(callers) <= {p.aad for p in STAFF}
    assert all(callers[p.aad] >= 2 * rounds for p in STAFF)


async def said(bot: Bot, face: str, key: str, words: str) -> str:
    """What one person is answered."""
    person = next(p for p in STAFF if p.key == key)
    if face == "slack":
        await bot.slack.command("/crm", words, user=person.slack, channel="C1")
        before = bot.slack.last("C1", person.slack)
        return bot.slack.text(await bot.slack.until(lambda: bot.slack.last("C1", person.slack) or before))
    await bot.teams.message(words, user=key, conversation="personal")
    return bot.teams.text(bot.teams.last("personal", key))


@pytest.mark.parametrize("face", ["slack", "teams"])
async def test_three_roles_see_and_change_what_their_role_allows(bot: Bot, face: str) -> None:
    name = f"Role{uuid.uuid4().hex[:6]}"
    # Chiara, a salesperson, makes a lead; Anna manages sales, Ben is in Chiara's team, Dmitri is in service.
    assert name in await said(bot, face, "chiara", f"lead create Jane {name} company=Acme topic=Pumps")
    (lead,) = await rows(bot, "leads", f"lastname eq '{name}'")
    seen = {who: await said(bot, face, who, f"lead show {lead['leadid']}") for who in ("anna", "ben", "dmitri")}
    assert name in seen["anna"]
    assert name in seen["ben"]
    assert name not in seen["dmitri"]
    assert "does not let you" in seen["dmitri"]
    assert "administrator" in seen["dmitri"]
    assert "Read on lead" in seen["dmitri"]

    for who, company, allowed in (("dmitri", "D", False), ("ben", "B", False), ("anna", "A", True)):
        answer = await said(bot, face, who, f"lead update {lead['leadid']} company='{company} {name}'")
        (now,) = await rows(bot, "leads", f"lastname eq '{name}'")
        assert (now["companyname"] == f"{company} {name}") is allowed, answer
        assert ("does not let you" in answer) is not allowed, answer
        # Ben's role reaches his own leads only; Dmitri has none for leads at all.
        missing = {"ben": "change this lead: your role reaches fewer leads (missing: Write on lead)", "dmitri": "lead"}
        assert allowed or missing[who] in answer
    assert "prvCreateLead" in await said(bot, face, "dmitri", f"lead create Joe {name} company=Acme topic=Pumps")
    assert len(await rows(bot, "leads", f"lastname eq '{name}'")) == 1


LEVELS = {"dmitri": "user", "chiara": "team", "anna": "organization"}


@pytest.mark.parametrize("face", ["slack", "teams"])
async def test_owner_team_and_organisation_level(bot: Bot, face: str) -> None:
    """One dialogue for three people, whose roles reach their own leads, their unit's, and all."""
    name = f"Level{uuid.uuid4().hex[:6]}"
    own = {"dmitri": f"{name}d", "ben": f"{name}b", "chiara": f"{name}c"}
    reach = {"user": ["dmitri"], "team": ["ben", "chiara"], "organization": ["dmitri", "ben", "chiara"]}
    rights = {
        role: {"*": {"read": "organization", "append": "organization", "appendto": "organization"},
               "lead": {"create": "user", "append": "organization", "appendto": "organization", "read": level,
                        "write": level}}
        for role, level in (
            ("Customer Service Representative", "user"), ("Salesperson", "team"), ("Sales Manager", "organization"),
        )
    }  # fmt: skip
    async with roles(bot, rights):
        for who, last in own.items():
            assert last in await said(bot, face, who, f"lead create Jane {last} company=Acme topic=Pumps")
        ids = {r["lastname"]: r["leadid"] for r in await rows(bot, "leads", f"startswith(lastname,'{name}')")}
        for who, level in LEVELS.items():
            listed = await said(bot, face, who, f"lead search {name}")
            assert {o for o, last in own.items() if last in listed} == set(reach[level]), (who, listed)
            for owner, last in own.items():
                answer = await said(bot, face, who, f"lead update {ids[last]} company='{who} {last}'")
                (now,) = await rows(bot, "leads", f"leadid eq {ids[last]}")
                allowed = owner in reach[level]
                assert (now["companyname"] == f"{who} {last}") is allowed, (who, owner, answer)
                assert allowed or "missing: " in answer, (who, owner, answer)


@asynccontextmanager
async def as_in_production(bot: Bot) -> AsyncIterator[None]:
    """Without the demo's fallback for people whom the organisation does not know."""
    people = bot.app.dispatcher.environments.first.people
    people._unknown_as_application = False
    people._known.clear()
    try:
        yield
    finally:
        people._unknown_as_application = True


async def test_without_a_dynamics_user(bot: Bot) -> None:
    slack = bot.slack
    world = slack.world
    world.users["U90"] = dataclasses.replace(world.users["U2"], id="U90", name="nobody", email="nobody@contoso.example")
    world.channels["C1"].members.append("U90")
    async with as_in_production(bot):
        await slack.command("/crm", "lead list", user="U90", channel="C1")
        card = await slack.until(lambda: slack.last("C1", "U90"))
        assert "no enabled Dynamics 365 user" in slack.text(card)
        assert "administrator" in slack.text(card)
        # Maria is a guest; a colleague without a licence is none.
        await bot.teams.message("lead list", user="maria", conversation="personal")
        assert "members of this organisation only" in bot.teams.text(bot.teams.last("personal", "maria"))
        bot.teams.world.roster["maria"] = {"userRole": "user"}
        bot.app.faces["teams"]._roster._known.clear()
        try:
            await bot.teams.message("lead list", user="maria", conversation="personal")
        finally:
            bot.teams.world.roster.clear()
            bot.app.faces["teams"]._roster._known.clear()
        assert "no enabled Dynamics 365 user" in bot.teams.text(bot.teams.last("personal", "maria"))


async def test_several_users_with_one_address_are_nobody_and_disabled_ones_do_not_count(bot: Bot) -> None:
    slack, world, url = bot.slack, bot.slack.world, f"{bot.emulator.url}/api/data/v9.2/systemusers"
    email = f"twice.{uuid.uuid4().hex[:6]}@contoso.example"
    world.users["U92"] = dataclasses.replace(world.users["U2"], id="U92", name="twice", email=email)
    (ben,) = await rows(bot, "systemusers", "internalemailaddress eq 'ben.carter@contoso.example'")
    unit = {"businessunitid@odata.bind": f"/businessunits({ben['_businessunitid_value']})"}

    async def user(disabled: bool) -> None:
        row = {
            "internalemailaddress": email, "fullname": "Twice", "domainname": f"{uuid.uuid4()}@contoso.example",
            "isdisabled": disabled, "azureactivedirectoryobjectid": str(uuid.uuid4()), **unit,
        }  # fmt: skip
        async with aiohttp.ClientSession() as session, session.post(url, json=row) as answer:
            assert answer.status == 204, await answer.text()

    async def told() -> str:
        bot.app.dispatcher.environments.first.people._known.clear()
        answer = await slack.command("/crm", "whoami", user="U92", channel="C1")
        return answer.text or slack.text(await slack.until(lambda: slack.last("C1", "U92")))

    async with as_in_production(bot):
        for _ in range(4):
            await user(disabled=True)
        assert "no enabled Dynamics 365 user" in await told()
        await user(disabled=False)
        assert "no enabled" not in await told()
        await user(disabled=False)
        assert "more than one enabled Dynamics 365 user" in await told()


async def test_an_address_of_a_foreign_domain_says_nothing(bot: Bot) -> None:
    people = bot.app.dispatcher.environments.first.people
    async with as_in_production(bot):
        people._domains = frozenset({"contoso.com"})
        try:
            assert "Addresses of contoso.example do not say" in await said(bot, "slack", "ben", "lead list")
            assert "Ben Carter" in await said(bot, "teams", "ben", "whoami")  # Entra says who that is
            people._domains |= {"contoso.example"}
            assert "Addresses of" not in await said(bot, "slack", "ben", "lead list")
        finally:
            people._domains = frozenset()


async def test_a_stranger_gets_no_records_not_even_in_the_demo(bot: Bot) -> None:
    await bot.slack.command("/crm", "lead list", user="U7", channel="C4")
    card = await bot.slack.until(lambda: bot.slack.last("C4", "U7"))
    assert "other organisations" in bot.slack.text(card)
