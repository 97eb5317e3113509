"""Where outsiders read along: the reduced card alone, no sharing, and no word of a note; on both faces."""

import uuid
from collections.abc import Iterator

import aiohttp
import pytest

from bots.playground.answer import until
from commands.request import Place, PlaceKind, Principal
from crm.notifications import Change
from crm.records import Ref
from crm.tables import NOTE
from tests.bot import Bot
from tests.dialogues.people import OnSlack, OnTeams, Person

from .test_identity import STAFF, rows

ANNA = next(p for p in STAFF if p.key == "anna")
TEAMS = {"slack": ("C1", "C4"), "teams": ("support", "fabrikam-shared")}
"""A conversation among colleagues, and one with a guest or people of another workspace."""


@pytest.fixture
def fresh(bot: Bot) -> Iterator[Bot]:
    """Teams' rosters are read anew."""
    readers = bot.app.faces["teams"]._readers
    readers._known.clear()
    yield bot
    bot.teams.world.roster.clear()
    readers._known.clear()


def among(bot: Bot, face: str, conversation: str) -> Person:
    return (OnSlack(bot.slack, ANNA.email, conversation) if face == "slack"
            else OnTeams(bot.teams, ANNA.email, conversation))  # fmt: skip


async def noted(bot: Bot, case: dict, text: str) -> Change:
    """Somebody in Dynamics writes a note on the case."""
    note = Ref(NOTE.logical, uuid.uuid4())
    row = {
        "annotationid": str(note.id), "subject": "Said", "notetext": text,
        "objectid_incident@odata.bind": f"/incidents({case['incidentid']})",
    }  # fmt: skip
    url = f"{bot.emulator.url}/api/data/v9.2/annotations"
    async with aiohttp.ClientSession() as session, session.post(url, json=row) as answer:
        assert answer.status == 204, await answer.text()
    return Change(ref=note, message="Create", id=f"Create/{note.id}/1", values={})


def told(bot: Bot, face: str, conversation: str) -> str:
    """Everything that everyone there was told by the bot."""
    if face == "slack":
        said = bot.slack.world.messages.get(bot.slack.place(conversation, ANNA.slack).id, ())
        return "\n".join(bot.slack.text(m) for m in said if m.bot_id and not m.to)
    place = bot.teams.world.conversation(conversation, "anna").id
    posts = [p for p in bot.teams.world.posts.values() if p.conversation == place and p.by_bot and not p.to]
    return "\n".join(bot.teams.text(p, "ben") for p in posts)


@pytest.mark.parametrize("face", ["slack", "teams"])
@pytest.mark.parametrize("outside", [False, True])
async def test_a_note_in_dynamics_is_told_to_colleagues_only(fresh: Bot, face: str, outside: bool) -> None:
    bot, mark, conversation = fresh, uuid.uuid4().hex[:8], TEAMS[face][outside]
    person = among(bot, face, conversation)
    await person.post(f"The mill {mark} is stuck")
    await person.capture()
    await person.sees(mark)
    await person.fill({"customer": "Contoso"})
    await person.sees("Case created from the message.")
    await person.close()
    (case,) = await rows(bot, "incidents", f"contains(title,'{mark}')")
    secret = f"They never pay {mark}"
    assert await bot.app.dispatcher.listening.news(await noted(bot, case, secret)) == 1
    await until(lambda: "added a note" in told(bot, face, conversation) and mark in told(bot, face, conversation))
    assert (secret in told(bot, face, conversation)) is not outside


async def shared(bot: Bot, face: str, conversation: str) -> str:
    person = among(bot, face, conversation)
    (case,) = await rows(bot, "incidents", "startswith(ticketnumber,'CAS-01001')")
    await person.type(f"case show {case['ticketnumber']}")
    await person.sees(case["ticketnumber"])
    await person.press("Share")
    return await person.sees(case["title"]) if conversation == TEAMS[face][0] else await person.sees("not shared")


@pytest.mark.parametrize("face", ["slack", "teams"])
async def test_nothing_is_shared_to_them(fresh: Bot, face: str) -> None:
    colleagues, outsiders = TEAMS[face]
    assert "outside the organisation" in await shared(fresh, face, outsiders)
    await shared(fresh, face, colleagues)
    if face == "teams":  # a guest joins; and a roster that Teams does not give counts as one with outsiders
        fresh.teams.world.roster["ben"] = {"userRole": "guest"}
        fresh.app.faces["teams"]._readers._known.clear()
        person = among(fresh, face, colleagues)
        await person.type("case show CAS-01001")
        await person.sees("CAS-01001")
        await person.press("Share")
        await person.sees("outside the organisation")


@pytest.mark.parametrize(
    ("status", "code", "yes"), [(500, "ServiceError", True), (403, "BotNotInConversationRoster", False)]
)
async def test_a_roster_that_is_not_given(fresh: Bot, status: int, code: str, yes: bool) -> None:
    place = Place(
        platform="teams", tenant=fresh.teams.world.tenant, conversation=f"19:{uuid.uuid4().hex}@thread.v2",
        address={"service_url": fresh.teams.service_url},
    )  # fmt: skip
    fresh.teams.fail("GET pagedmembers", status, code)
    assert await fresh.app.faces["teams"].outsiders(place) is yes


async def test_no_preview_is_shown_to_them(fresh: Bot) -> None:
    (case,) = await rows(fresh, "incidents", "startswith(ticketnumber,'CAS-01001')")
    link = f"{fresh.emulator.url}/main.aspx?pagetype=entityrecord&etn=incident&id={case['incidentid']}"
    world = fresh.teams.world
    who = Principal(platform="teams", tenant=world.tenant, user=ANNA.aad, entra_id=ANNA.aad)
    for conversation, shown in zip(TEAMS["teams"], (True, False), strict=True):
        place = Place(
            platform="teams", tenant=world.tenant, conversation=world.conversation(conversation).id,
            kind=PlaceKind.CHANNEL, address={"service_url": fresh.teams.service_url},
        )  # fmt: skip
        assert (await fresh.app.dispatcher.browsing.unfurl(link, who, place) is not None) is shown
    await fresh.app.dispatcher.browsing.unfurl(link, who, place)
    # Noted once a minute, however often it happens.
    denied = [e async for e in fresh.app.audit.entries(person=who.key, outcome="denied") if e.verb == "search"]
    assert len(denied) == len({f"{e.at:%H:%M}" for e in denied}) > 0
    assert "outside the organisation" in denied[0].reason
