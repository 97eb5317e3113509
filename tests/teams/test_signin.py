"""Where a person must sign in first: single sign-on in their own chat, a card or a dialog's card elsewhere."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bots.playground.teams_contract import OAUTH_CARD
from bots.playground.teams_server import FakeTeams
from bots.teams.exchanges import Exchanges
from bots.teams.face import TeamsFace
from bots.teams.times import Times
from commands.cards import Action, Card, CardKind
from commands.errors import SignInNeeded
from commands.press import Do, Press
from commands.request import Principal, Reply, Visibility
from commands.state import TABLES, State

from .conftest import APP, SEAL, Script, serving, settings_for
from .samples import CARDS, FORM, RECORD, STUB

RESOURCE = f"api://botid-{APP}"
PAGE = "https://crm.example.com/auth/start?state=one-time"
ASK = Card(
    kind=CardKind.SIGN_IN,
    title="Connect to Dynamics 365",
    text=("Connect once, and everything here runs as you.",),
    actions=(Action(label="Connect", url=PAGE),),
)


@dataclass
class Access:
    """Who has connected, with which token."""

    tokens: list[tuple[str, str]] = field(default_factory=list)
    good: set[str] = field(default_factory=lambda: {"good"})
    held: asyncio.Event = field(default_factory=asyncio.Event)

    async def exchange(self, who: Principal, token: str) -> bool:
        self.tokens.append((who.name.split()[0], token))
        await asyncio.sleep(0)
        if token == "slow":
            await self.held.wait()
        if token == "broken":
            raise RuntimeError("the provider is away")
        return token in self.good


@pytest.fixture
def access() -> Access:
    return Access()


@pytest.fixture(autouse=True)
async def face(
    teams: FakeTeams, script: Script, session: aiohttp.ClientSession, state: State, access: Access, times: Times
) -> AsyncIterator[TeamsFace]:
    settings = settings_for(teams, sso_resource=RESOURCE, times=times)
    face = TeamsFace(settings, script, session, state, exchange=access.exchange)
    script.reply = lambda _request: Reply(card=ASK)
    async with serving(face, teams):
        yield face


async def asked(teams: FakeTeams, user: str = "anna"):
    await teams.message("case list", user=user)
    return teams.last("personal", user)


async def test_in_the_own_chat_teams_signs_the_person_in_by_itself(teams, access):
    post = await asked(teams)
    card = post.activity["attachments"][0]
    assert card["contentType"] == OAUTH_CARD
    assert card["content"]["tokenExchangeResource"]["uri"] == RESOURCE
    assert card["content"]["buttons"] == [{"type": "signin", "title": "Connect", "value": PAGE}]
    # One exchange for each client that the person has open, the same again after a timeout.
    answers = await asyncio.gather(*(teams.sign_on(post, "good") for _ in range(3)))
    answers += [await teams.redeliver(answers[0].delivery), await teams.sign_on(post, "good")]
    assert [a.status for a in answers] == [200] * 5
    assert access.tokens == [("Anna", "good")]


async def test_consent_is_asked_for_and_then_it_works(teams, access):
    post = await asked(teams)
    refused = await asyncio.gather(*(teams.sign_on(post, "no consent") for _ in range(2)))
    assert [a.status for a in refused] == [412, 412]
    assert refused[0].json["id"] == post.activity["attachments"][0]["content"]["tokenExchangeResource"]["id"]
    access.good.add("no consent")
    assert (await teams.sign_on(post, "no consent")).status == 200
    # Or the person went to our page by the card's button, which Teams tells us.
    assert (await teams.invoke("signin/verifyState", {"state": "123456"})).status == 200


async def test_what_was_asked_of_somebody_else_is_refused(teams, access):
    post = await asked(teams)
    assert (await teams.sign_on(post, "good", user="ben")).status == 400
    own = post.activity["attachments"][0]["content"]["tokenExchangeResource"]["id"]
    other = SEAL.seal(Press(do=Do.RUN, verb="case list", owner=f"teams:{teams.world.tenant}:somebody"))
    for identity in ("", "1", own[:-1], own + "A", other, None, 5, ["x"], {"id": own}):
        value = {"id": identity, "connectionName": "crmchat", "token": "good"}
        assert (await teams.invoke("signin/tokenExchange", value)).status == 400
    for token in (None, "", 5, {}):
        assert (await teams.invoke("signin/tokenExchange", {"id": own, "token": token})).status == 400
    assert access.tokens == []


@pytest.mark.parametrize("times", [Times(exchange=0.1)])
@pytest.mark.parametrize("token", ["slow", "broken"])
async def test_an_exchange_that_does_not_come_about_ends_in_time(teams, access, token):
    post = await asked(teams)
    answer = await teams.sign_on(post, token)
    assert answer.status == 412
    assert answer.seconds < 2
    access.held.set()
    assert (await teams.sign_on(post, "good")).status in {200, 412}


async def test_among_others_the_card_is_for_the_person_alone(teams):
    await teams.message("case list", conversation="channel")
    card = teams.last("channel")
    assert card.to == "29:1anna"
    assert {"type": "Action.OpenUrl", "title": "Connect", "url": PAGE} in card.card()["actions"]
    assert teams.last("channel", "ben") is None


async def test_a_press_shows_the_card_to_who_pressed(teams, script):
    script.reply = lambda _request: Reply(card=STUB, visibility=Visibility.EVERYONE)
    await teams.message("share it", conversation="channel")
    shown = teams.last("channel")
    script.reply = lambda _request: Reply(card=ASK, replace=True)
    assert (await teams.execute(shown, "Show", user="ben")).error == ""
    assert "[Connect]" in teams.text(shown, "ben")
    assert "[Connect]" not in teams.text(shown, "anna")
    assert (await teams.refresh(shown, user="chiara")).json["statusCode"] == 404  # and nobody is asked unasked


async def test_a_press_in_the_own_chat_asks_in_a_message_and_leaves_the_card(teams, script, access):
    script.reply = lambda _request: Reply(card=RECORD)
    await teams.message("case show CAS-01042")
    shown = teams.last()
    script.reply = lambda _request: Reply(card=ASK, replace=True)
    assert (await teams.execute(shown, "Share")).error == ""
    assert "Printer on fire" in teams.text(shown)
    assert (await teams.sign_on(teams.last(), "good")).status == 200
    assert access.tokens == [("Anna", "good")]


async def test_dialogs_show_the_card(teams, script):
    script.reply = lambda _request: Reply(form=FORM)
    await teams.task_fetch({"press": SEAL.seal(FORM.submit)})
    before = len(teams.messages("personal"))
    script.reply = lambda _request: Reply(card=ASK)
    await teams.submit_dialog({"Title": "x"}, "Create")
    assert "[Connect]" in teams.text(teams.dialog())
    await teams.task_fetch({"press": SEAL.seal(FORM.submit)})
    assert "[Connect]" in teams.text(teams.dialog())
    assert len(teams.messages("personal")) == before
    await teams.message("The grinder is jammed", user="ben", conversation="channel", mention=False)
    await teams.compose_fetch_task(teams.last("channel", "ben", bot=False))
    assert "[Connect]" in teams.text(teams.dialog())


async def test_the_search_extension_leads_to_the_page(teams, script):
    async def search(*_):
        raise SignInNeeded("Connect your own account once.")

    script.search = search
    answer = await teams.query("searchRecords", "printer")
    assert answer.error == ""
    assert script.asked[-1].ask.press.verb == "connect"
    assert answer.json["composeExtension"]["type"] == "auth"
    assert answer.json["composeExtension"]["suggestedActions"]["actions"][0]["value"] == PAGE


async def test_without_single_sign_on_the_card_is_an_ordinary_one(teams, script, session, state, access):
    face = TeamsFace(settings_for(teams), script, session, state, exchange=access.exchange)
    async with serving(face, teams):
        post = await asked(teams)
        assert "[Connect]" in teams.text(post)
        assert post.card()["actions"][0]["url"] == PAGE
        value = {"id": "1", "connectionName": "crmchat", "token": "good"}
        assert (await teams.invoke("signin/tokenExchange", value)).status == 412
        assert access.tokens == []


async def test_an_answer_that_comes_late_takes_the_place_of_the_waiting_card(face, teams, script):
    script.reply = lambda _request: Reply(card=CARDS["notice"], pending=True)
    await teams.message("case list")
    request = script.asked[0]
    await face.deliver(request.place, request.principal, Reply(card=ASK))
    assert len([p for p in teams.messages("personal") if p.by_bot]) == 1
    assert "[Connect]" in teams.text(teams.last())


async def test_a_resource_that_teams_cannot_know_is_refused(teams, script, session, state):
    with pytest.raises(ValueError, match="MICROSOFT_SSO_RESOURCE"):
        TeamsFace(settings_for(teams, sso_resource="https://crm.example.com"), script, session, state)


async def test_two_processes_exchange_once(process, teams, access):
    async with process(sso_resource=RESOURCE, exchange=access.exchange):
        first = teams.bot_url
        async with process(sso_resource=RESOURCE, exchange=access.exchange):
            post = await asked(teams)
            refused = await teams.sign_on(post, "no consent")
            assert refused.status == 412
            access.tokens.clear()
            access.good.add("no consent")
            other = replace(refused.delivery, url=first)
            answers = await asyncio.gather(teams.sign_on(post, "no consent"), teams.redeliver(other))
            assert [a.status for a in answers] == [200, 200]
            assert access.tokens == [("Anna", "no consent")]


async def test_an_exchange_of_a_process_that_died_is_taken_over(state):
    begun = {
        "identity": hashlib.sha256(b"1").hexdigest(),
        "done": False,
        "at": datetime.now(UTC) - timedelta(minutes=1),
    }
    async with state.engine.begin() as db:
        await db.execute(TABLES.tables["teams_exchanges"].insert().values(begun))
    made = []

    async def make() -> bool:
        made.append(1)
        return True

    assert [await Exchanges(state).once("1", make) for _ in range(3)] == [True] * 3
    assert made == [1]
