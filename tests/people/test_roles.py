"""Three people of three reaches ask the same by every door of both faces; each sees and changes what their role allows.

Dmitri reaches his own leads, Chiara those of her business unit, Anna all of them.
"""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from commands.forms import form
from commands.operation import CATALOG
from commands.request import Place, PlaceKind, Principal
from tests.bot import Bot
from tests.dialogues.people import FACES, Person

from .test_identity import STAFF, rows

PEOPLE = {p.key: p for p in STAFF}
REACH = {"dmitri": ["dmitri"], "chiara": ["ben", "chiara"], "anna": ["dmitri", "ben", "chiara"]}
LEVELS = {
    "Customer Service Representative": "user", "Salesperson": "team", "Sales Manager": "organization",
}  # fmt: skip


@dataclass
class Leads:
    """One of each owner, all called alike."""

    bot: Bot
    name: str
    ids: dict[str, str]

    def seen_in(self, text: str) -> set[str]:
        return {owner for owner in self.ids if self.called(owner) in text}

    def called(self, owner: str) -> str:
        return f"{self.name}{owner[0]}"

    def who(self, face: str, key: str) -> Principal:
        person = PEOPLE[key]
        if face == "slack":
            return Principal(platform="slack", tenant="T1", user=person.slack)
        tenant = self.bot.teams.world.tenant
        return Principal(platform="teams", tenant=tenant, user=person.aad, entra_id=person.aad)


@pytest.fixture
async def leads(bot: Bot) -> AsyncIterator[Leads]:
    everything = {"read": "organization", "append": "organization", "appendto": "organization"}

    def reaching(level: str) -> dict[str, str]:
        return {**everything, "create": "user", "read": level, "write": level, "assign": level}

    roles = {r: {"*": everything, "lead": reaching(level), "account": reaching(level)} for r, level in LEVELS.items()}
    name = f"Reach{uuid.uuid4().hex[:6]}"
    url = f"{bot.emulator.url}/_emulator/roles"
    async with aiohttp.ClientSession() as http:
        await http.put(url, json=roles)
        for owner in ("dmitri", "ben", "chiara"):
            person = FACES["slack"](bot, PEOPLE[owner].email)
            await person.type(f"lead create Jane {name}{owner[0]} topic=Pumps company=Acme")
            await person.sees("Lead created.")
            await person.type(f"account create {name}{owner[0]}")
            await person.sees("Account created.")
        made = await rows(bot, "leads", f"startswith(lastname,'{name}')")
        yield Leads(
            bot, name, {o: r["leadid"] for o in REACH["anna"] for r in made if r["lastname"] == f"{name}{o[0]}"}
        )
        await http.put(url, json={})


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("key", REACH)
async def test_every_door(leads: Leads, face: str, key: str) -> None:
    bot, reach = leads.bot, set(REACH[key])
    person: Person = FACES[face](bot, PEOPLE[key].email)
    for words in (f"lead search {leads.name}", f"lead list name~{leads.name}", f"search {leads.name}"):
        await person.type(words)
        assert leads.seen_in(await person.sees("ead")) == reach, words
    for owner, lead in leads.ids.items():
        allowed = owner in reach
        for words, told in (
            (f"lead show {lead}", leads.called(owner)),
            (f"lead update {lead} company='Of {key}'", f"Of {key}"),
            (f"lead assign {lead} to='Elena Petrova'", "ssigned to Elena Petrova"),
        ):
            await person.type(words)
            await person.sees(told if allowed else "missing: ")
            (now,) = await rows(bot, "leads", f"leadid eq {lead}")
            owned = now["_ownerid_value@OData.Community.Display.V1.FormattedValue"]
            if not allowed:
                assert (now["companyname"], owned) == ("Acme", PEOPLE[owner].name), words
        if allowed:  # back to whom it was, and what it said
            (user,) = await rows(bot, "systemusers", f"azureactivedirectoryobjectid eq {PEOPLE[owner].aad}")
            back = {"companyname": "Acme", "ownerid@odata.bind": f"/systemusers({user['systemuserid']})"}
            url = f"{bot.emulator.url}/api/data/v9.2/leads({lead})"
            async with aiohttp.ClientSession() as http, http.patch(url, json=back) as answer:
                assert answer.status == 204, await answer.text()


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("key", REACH)
async def test_what_is_shown_without_a_command(leads: Leads, face: str, key: str) -> None:
    """Home, typeahead, the search extension and previews of links."""
    bot, reach, who = leads.bot, set(REACH[key]), leads.who(face, key)
    dispatcher = bot.app.dispatcher
    place = Place(platform=face, tenant=who.tenant, conversation="x", kind=PlaceKind.PERSONAL)
    home = str(await dispatcher.browsing.home(who, place))
    assert leads.seen_in(home) == {key} & set(leads.ids)  # mine alone
    found = await dispatcher.browsing.search(leads.name, ["lead"], who, place)
    assert leads.seen_in(" ".join(card.title for card in found)) == reach
    ctx = await dispatcher.access.context(who, place, dispatcher.environments.first, key="k")
    asked = await form(CATALOG["case create"], {}, ctx)
    assert "customer" in {i.name for i in asked.inputs}
    options = await dispatcher.browsing.suggest(asked.submit, "customer", leads.name, who, place)
    assert leads.seen_in(" ".join(o.label for o in options)) == reach
    for owner, lead in leads.ids.items():
        link = f"{bot.emulator.url}/main.aspx?pagetype=entityrecord&etn=lead&id={lead}"
        card = await dispatcher.browsing.unfurl(link, who, place)
        # Leads are for nobody's eyes: the preview says no more than the kind.
        assert card is None or not leads.seen_in(str(card)), owner
