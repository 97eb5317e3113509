"""Single sign-on whole: a bot in a process of its own with a real app id, a provider, Teams, and Dynamics.

Signed message -> OAuthCard -> the client's token -> On-behalf-of -> the kept command runs as that very person -> the
answer arrives by the connector.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bots.playground.slack_server import FakeSlack
from bots.playground.teams_contract import OAUTH_CARD
from bots.playground.teams_server import FakeTeams
from bots.playground.teams_world import Post
from crm.emulator import Emulator
from tests.crm.openid import OpenId
from tests.people.house import STAFF, House, Http
from tests.ports import free_port

from .conftest import APP, PASSWORD

RESOURCE = f"api://botid-{APP}"
ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Office(House):
    """The house, with Teams at its door."""

    teams: FakeTeams

    async def begin(self, **changes: str) -> None:
        await self.start(
            MICROSOFT_APP_ID=APP,
            MICROSOFT_APP_PASSWORD=PASSWORD,
            MICROSOFT_APP_TENANT_ID=self.teams.world.tenant,
            MICROSOFT_OPENID_URL=self.teams.openid_url,
            MICROSOFT_LOGIN_URL=self.teams.service_url,
            MICROSOFT_SSO_RESOURCE=RESOURCE,
            CRMCHAT_ACK_WINDOW="2.5",  # a card that comes later stands for one that asks to wait, and signs nobody on
            **changes,
        )

    async def asked(self, who: str, words: str) -> Post:
        """What the person gets for their words, which is a sign-in card."""
        seen = self.teams.last("personal", who)
        await self.teams.message(words, user=who)
        await self.teams.until(lambda: self.teams.last("personal", who) is not seen)

        def card() -> Post | None:  # on a busy machine it takes the place of a card that asks to wait
            post = self.teams.last("personal", who)
            return post if post and post.activity["attachments"][0]["contentType"] == OAUTH_CARD else None

        return await self.teams.until(card)

    async def token(self, who: str) -> str:
        """What Entra gives the person's client for our app."""
        return await self.entra.token_for(STAFF[who].aad, APP)

    async def answered(self, who: str, *texts: str) -> None:
        """Until one answer, not counting sign-in cards, says all of these."""

        def said() -> bool:
            shown = [self.teams.text(p, who) for p in self.teams.messages("personal", who) if p.by_bot and p.card()]
            return any(all(text in answer for text in texts) for answer in shown)

        try:
            await self.teams.until(said)
        except TimeoutError:
            raise AssertionError((self.teams.transcript("personal", who)[-2500:], self.written()[-1500:])) from None

    async def exchanges(self) -> int:
        return len([entry for entry in await self.entra.log() if entry["grant_type"] == ON_BEHALF_OF])


@pytest.fixture(scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    folder: Path = tmp_path_factory.mktemp("office")
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(seed="contoso"))
        slack = await stack.enter_async_context(FakeSlack())
        teams = await stack.enter_async_context(FakeTeams(app_id=APP, app_password=PASSWORD))
        port = free_port()
        people = {p.aad: {"name": p.name, "preferred_username": p.email} for p in STAFF.values()}
        entra = OpenId(folder, people=people)
        entra.add_client("app", secret="s3cret-of-the-app", redirects=(f"http://127.0.0.1:{port}/auth/callback",))
        entra.add_client(APP, secret=PASSWORD)
        stack.enter_context(entra)
        office = Office(folder, slack, emulator, entra, port)
        office.teams, teams.bot_url = teams, f"{office.url}/api/messages"
        stack.push_async_callback(office.stop)
        await office.begin()
        yield office
    assert teams.card_problems == []


@pytest.fixture(autouse=True)
async def as_at_the_start(office: Office) -> None:
    await office.entra.control(reset=True)
    office.emulator.requests.clear()


async def test_two_clients_exchange_once_and_what_was_asked_runs_as_the_person(office):
    post = await office.asked("anna", "lead list")
    token = await office.token("anna")
    answers = await asyncio.gather(*(office.teams.sign_on(post, token) for _ in range(2)))
    answers.append(await office.teams.redeliver(answers[0].delivery))
    assert [a.status for a in answers] == [200, 200, 200]
    await office.answered("anna", "Connected to Dynamics 365 as Anna Weber", STAFF["anna"].email)
    await office.answered("anna", "leads", "[Open]")
    assert office.callers() == {STAFF["anna"].aad}
    assert await office.exchanges() == 1
    connected = [p for p in office.teams.messages("personal", "anna") if "Connected to" in office.teams.text(p)]
    assert len(connected) == 1
    # And from now on nobody is asked.
    await office.teams.message("whoami", user="anna")
    await office.answered("anna", "by sign-in as")


async def test_a_case_is_made_once_however_often_it_was_asked_for_before_a_restart(office):
    title = f"Signed on {uuid.uuid4().hex[:6]}"
    words = f"case create '{title}' account=Contoso"
    post = await office.asked("ben", words)
    await office.stop()
    await office.begin()
    token = await office.token("ben")
    answers = await asyncio.gather(*(office.teams.sign_on(post, token, user="ben") for _ in range(3)))
    assert [a.status for a in answers] == [200] * 3
    await office.answered("ben", title)
    made = [e for e in office.emulator.requests.entries if e.method == "POST" and "incidents" in e.path]
    assert [e.caller for e in made] == [STAFF["ben"].aad]
    assert await office.exchanges() == 1


async def test_the_token_of_somebody_else_connects_nobody(office):
    post = await office.asked("chiara", "lead list")
    answer = await office.teams.sign_on(post, await office.token("elena"), user="chiara")
    assert answer.status == 412
    assert "not the account that you use in Teams" in answer.json["failureDetail"]
    # Nor does one that was made for another application, nor one that is none.
    for bad in (await office.entra.token_for(STAFF["chiara"].aad, "another-app"), "no token at all"):
        assert (await office.teams.sign_on(post, bad, user="chiara")).status == 412
    # What was asked of one person is worth nothing in another's hands.
    assert (await office.teams.sign_on(post, await office.token("elena"), user="elena")).status == 400
    assert office.callers() == set()
    assert "Traceback" not in office.written()
    assert (await office.teams.sign_on(post, await office.token("chiara"), user="chiara")).status == 200
    await office.answered("chiara", "leads", "[Open]")
    assert office.callers() == {STAFF["chiara"].aad}


@pytest.mark.parametrize(
    ("who", "error", "code"),
    [("dmitri", "interaction_required", "AADSTS50079"), ("farid", "invalid_grant", "AADSTS65001")],
)
async def test_where_the_provider_wants_the_person_the_cards_button_leads_to_it(office, who, error, code):
    post = await office.asked(who, "case list")
    await office.entra.control(refuse={ON_BEHALF_OF: {"error": error, "code": code}})
    token = await office.token(who)
    refused = await asyncio.gather(*(office.teams.sign_on(post, token, user=who) for _ in range(2)))
    assert [a.status for a in refused] == [412, 412]
    assert all(a.seconds < 5 for a in refused)
    button = post.activity["attachments"][0]["content"]["buttons"][0]
    assert button["type"] == "signin"
    async with Http(office) as browser:
        status, page = await browser.open(await browser.through(button["value"], who))
    assert status == 200, page
    await office.answered(who, f"Connected to Dynamics 365 as {STAFF[who].name}")
    await office.answered(who, "cases")
    assert office.callers() == {STAFF[who].aad}
