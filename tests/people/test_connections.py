"""Connections and sign-ins as several processes see them: two engines on one database."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiohttp.test_utils import make_mocked_request
from sqlalchemy.ext.asyncio import create_async_engine

from bots.signin import SignInPages
from commands.cipher import FernetCipher
from commands.connections import MOST_LINKS, Asked, Connections
from commands.delivery import Delivery
from commands.errors import UserError
from commands.request import Place, Principal, Request, Typed
from commands.sign_in_flow import Forget, SignInFlow
from commands.signing_in import SignIn, named
from commands.state import TABLES, State
from commands.waiting import MOST, Command, Waited, WaitingCommands
from crm.auth import Demand
from crm.credentials import Secret
from crm.entra import Entra, SignedIn
from crm.errors import SignInError, SignInRequired
from tests.crm.openid import ANNA, BORIS, OpenId
from tests.jobs.postgres import Postgres, postgres

ORG = "https://contoso.crm.dynamics.com"
PUBLIC = "https://crm.example.com"
PLACE = Place(platform="slack", tenant="T1", conversation="C1")
SLACK = Principal(platform="slack", tenant="T1", user="U1", name="Anna")
TEAMS = Principal(platform="teams", tenant="t", user="29:a", entra_id=ANNA)


def account(cache: str = "cache") -> SignedIn:
    return SignedIn(object_id=ANNA, tenant_id="t", username="anna@contoso.example", name="Anna", cache=cache)


@pytest.fixture
async def states(tmp_path: Path) -> AsyncIterator[list[State]]:
    engines = [create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'state.db'}") for _ in range(2)]
    async with engines[0].begin() as db:
        await db.run_sync(TABLES.create_all)
    yield [State(engine, FernetCipher(b"k")) for engine in engines]
    for engine in engines:
        await engine.dispose()


@asynccontextmanager
async def two_on(server: Postgres) -> AsyncIterator[list[State]]:
    """The states of two processes on one PostgreSQL."""
    url = "postgresql+psycopg://" + server.url.partition("://")[2]
    engines = [create_async_engine(url) for _ in range(2)]
    async with engines[0].begin() as db:
        await db.run_sync(TABLES.create_all)
    yield [State(engine, FernetCipher(b"k")) for engine in engines]
    for engine in engines:
        await engine.dispose()


@dataclass
class House:
    provider: OpenId
    processes: list[SignIn]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenId]:
    made = OpenId(tmp_path_factory.mktemp("provider"))
    made.add_client("app", secret="s3cret", redirects=(f"{PUBLIC}/auth/callback",))
    with made:
        yield made


@pytest.fixture
async def house(provider: OpenId, states: list[State], monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(provider.ca_file))
    await provider.control(reset=True)

    def process(state: State) -> SignIn:
        entra = Entra(
            tenant=provider.tenant, client_id="app", credential=Secret("s3cret"), authority_host=provider.host
        )
        return SignIn(Connections(state), entra, organisation=ORG, public_url=PUBLIC, keeps_tokens=True)

    return House(provider, [process(state) for state in states])


async def through(house: House, process: SignIn, principal: Principal, person: str) -> dict[str, str]:
    """Card, page and provider; the answer that comes back."""
    card = await process.card(Asked(principal=principal, place=PLACE))
    link = (card.actions[0].url or "").partition("state=")[2]
    back = await house.provider.press(await process.begin(link, "browser"), person)
    return dict(part.split("=", 1) for part in back.partition("?")[2].split("&"))


async def test_whoever_renews_second_does_not_overwrite_the_newer_tokens(states: list[State]) -> None:
    first, second = (Connections(state) for state in states)
    await first.keep("p", account("old"), client="app", tokens=True)
    seen = [await each.tokens("p") for each in (first, second)]
    assert seen[0] is not None
    assert seen[1] is not None
    assert await first.renewed(seen[0][0], "newer")
    assert not await second.renewed(seen[1][0], "late")
    assert not await second.end(seen[1][0])
    kept = await second.tokens("p")
    assert kept is not None
    assert kept[1] == "newer"


async def test_two_processes_renew_rotating_tokens_at_once(house: House) -> None:
    one, other = house.processes
    answer = await through(house, one, SLACK, ANNA)
    _, connection = await one.finish(answer, "browser")
    for _ in range(3):
        demands = (each._token(connection, ORG, Demand(fresh=True)) for each in (one, other))
        tokens = await asyncio.gather(*demands, return_exceptions=True)
        # The one whose refresh token was rotated away waits for the other's, and goes on with that.
        assert not any(isinstance(token, BaseException) for token in tokens), tokens
        assert await other.connections.find(SLACK.key), "the newer tokens must not be lost"


async def test_of_two_who_finish_the_same_sign_in_one_is_refused(house: House) -> None:
    one, other = house.processes
    answer = await through(house, one, SLACK, ANNA)
    with pytest.raises(UserError):
        await other.finish(answer, "another browser")
    done = await asyncio.gather(*(each.finish(answer, "browser") for each in (one, other)), return_exceptions=True)
    assert sorted(isinstance(each, UserError) for each in done) == [False, True], done


async def test_a_person_in_teams_connects_their_own_account_only(house: House) -> None:
    process, _ = house.processes
    with pytest.raises(UserError, match="not the account"):
        await process.finish(await through(house, process, TEAMS, BORIS), "browser")
    assert await process.connections.find(TEAMS.key) is None
    with pytest.raises(UserError, match="not the account"):
        await process.exchange(TEAMS, await house.provider.token_for(BORIS, "api://app"))
    connection = await process.exchange(TEAMS, await house.provider.token_for(ANNA, "api://app"))
    assert connection is not None
    assert connection.object_id == ANNA


async def test_what_would_die_of_disuse_is_renewed(house: House, states: list[State]) -> None:
    process = house.processes[0]
    boris = replace(SLACK, user="U2")
    for who, account_ in ((SLACK, ANNA), (boris, BORIS)):
        await process.finish(await through(house, process, who, account_), "browser")
    before = {who.key: await process.connections.tokens(who.key) for who in (SLACK, boris)}
    assert await process.renew_idle() == 0
    async with states[0].engine.begin() as db:
        await db.execute(sa.text("UPDATE connections SET renewed = '2020-01-01' WHERE person = :p"), {"p": SLACK.key})
    assert await process.renew_idle() == 1
    after = {who.key: await process.connections.tokens(who.key) for who in (SLACK, boris)}
    assert after[SLACK.key] != before[SLACK.key]
    assert after[boris.key] == before[boris.key]
    assert await process.renew_idle() == 0
    # A provider that is away costs nobody their sign-in; one that was revoked is forgotten.
    async with states[0].engine.begin() as db:
        await db.execute(sa.text("UPDATE connections SET renewed = '2020-01-01'"))
    await house.provider.control(down=503)
    assert await process.renew_idle() == 0
    assert await process.connections.find(SLACK.key)
    await house.provider.control(down=0, revoke=True)
    assert await process.renew_idle() == 0
    assert await process.connections.find(SLACK.key) is None


@pytest.mark.parametrize("changed", [{"aud": "another-app"}, {"exp": 1}, {"nonce": "foreign"}, {"tid": "another"}])
async def test_a_sign_in_to_another_application_or_tenant_connects_nobody(
    house: House, changed: dict[str, object]
) -> None:
    process = house.processes[0]
    await house.provider.control(identity=changed)
    with pytest.raises((UserError, SignInError)):
        await process.finish(await through(house, process, SLACK, ANNA), "browser")
    assert await process.connections.find(SLACK.key) is None


def test_a_name_cannot_dress_up_as_somebody_else() -> None:
    said = named(replace(SLACK, name="Ben” (U9) in Slack\n\u202e<b>" + "x" * 500, email="anna@contoso.example"))
    assert said.startswith("“Ben (U9) in Slack <b>x")
    assert said.endswith("x” anna@contoso.example (U1) in Slack, workspace T1")
    assert len(said) < 160
    assert said.isprintable()


@pytest.mark.parametrize(("address", "cookie"), [(PUBLIC, "__Host-crmchat-sign-in"), ("http://x", "crmchat-sign-in")])
async def test_the_cookie_cannot_be_planted_by_a_neighbour(
    house: House, states: list[State], address: str, cookie: str
) -> None:
    process = house.processes[0]
    link = (await process.card(Asked(principal=SLACK, place=PLACE))).actions[0].url or ""
    pages = SignInPages(SignInFlow(process, states[0], Delivery(states[0], {}), _never, _nothing, _unnoted), address)
    answer = await pages.ask(make_mocked_request("GET", f"/auth/start?state={link.partition('state=')[2]}"))
    kept = answer.cookies[cookie]
    assert (kept["path"], kept["domain"], kept["httponly"], kept["samesite"]) == ("/", "", True, "Lax")
    assert bool(kept["secure"]) is address.startswith("https")
    assert kept.value in (answer.text or "")


async def _never(_: object) -> None:
    raise AssertionError("nothing waits")


def _nothing(_: object) -> tuple[bool, None]:
    return False, None


async def _unnoted(*_: object) -> None:
    raise AssertionError("nobody connects")


async def test_disconnected_tokens_are_not_used_any_more(house: House) -> None:
    one, other = house.processes
    _, connection = await one.finish(await through(house, one, SLACK, ANNA), "browser")
    await other.connections.forget(SLACK.key)
    with pytest.raises(SignInRequired):
        await one._token(connection, ORG, Demand(fresh=True))


async def test_each_waiting_command_is_given_out_once_and_not_too_many_are_kept(states: list[State]) -> None:
    one, other = (WaitingCommands(state) for state in states)
    for number in range(MOST + 1):
        asked = Request(ask=Typed(f"case show {number}"), principal=SLACK, place=PLACE, key=str(number))
        assert await one.keep(asked) is (number < MOST)
    assert await one.keep(Request(ask=Typed("again"), principal=SLACK, place=PLACE, key="0"))

    async def taken(waiting: WaitingCommands) -> list[Waited]:
        return [each async for each in waiting.take(SLACK.key)]

    first, second = await asyncio.gather(taken(one), taken(other))
    assert len(first) + len(second) == MOST
    assert not await taken(other)
    # What has been kept anew meanwhile, because it must still wait, is not forgotten with what was taken.
    await one.keep(Request(ask=Typed("once more"), principal=SLACK, place=PLACE, key="0"))
    for each in first + second:
        await other.forget(each.id)
    assert [w.command.ask for w in await taken(other)] == [Typed("once more")]


async def test_a_process_that_ends_amid_what_waited_loses_none_of_it(states: list[State]) -> None:
    one, other = (WaitingCommands(state) for state in states)
    for number in range(3):
        await one.keep(Request(ask=Typed(f"case show {number}"), principal=SLACK, place=PLACE, key=str(number)))
    async with contextlib.aclosing(one.take(SLACK.key)) as taking:
        first = await anext(taking)
    rest = [each async for each in other.take(SLACK.key)]
    assert [w.command.ask for w in (first, *rest)] == [Typed(f"case show {number}") for number in range(3)]
    for each in rest:
        await other.forget(each.id)
    assert not await other.abandoned()
    # Whoever says nothing of what they took is dead after a while, and another may have it.
    later = WaitingCommands(states[1], claim=timedelta(0))
    assert await later.abandoned() == [SLACK.key]
    assert [w.command.ask async for w in later.take(SLACK.key)] == [first.command.ask]


async def test_what_a_dead_process_had_taken_is_done_by_one_that_runs(house: House, states: list[State]) -> None:
    asked = Request(ask=Typed("case show 1"), principal=SLACK, place=PLACE, key="1")
    await WaitingCommands(states[0]).keep(asked)
    async with contextlib.aclosing(WaitingCommands(states[0]).take(SLACK.key)) as taking:
        await anext(taking)  # and then it dies
    done = asyncio.get_running_loop().create_future()

    async def run(command: Command, forget: Forget) -> None:
        await forget()
        done.set_result(command)

    delivery = Delivery(states[1], {})
    flow = SignInFlow(house.processes[1], states[1], delivery, run, _nothing, _unnoted, look=0.02)
    await flow.resume()
    try:
        await asyncio.sleep(0)
        async with states[1].engine.begin() as db:
            await db.execute(sa.text("UPDATE waiting_commands SET claimed = '2020-01-01'"))
        assert (await asyncio.wait_for(done, 60)).ask == asked.ask
    finally:
        await delivery.stop()


async def test_what_cannot_be_decrypted_any_more_stops_nothing_else(states: list[State]) -> None:
    old = State(states[0].engine, FernetCipher(b"lost"))
    for state, key in ((old, "0"), (states[0], "1")):
        await WaitingCommands(state).keep(Request(ask=Typed(key), principal=SLACK, place=PLACE, key=key))
    assert [w.command.key async for w in WaitingCommands(states[0]).take(SLACK.key)] == ["1"]
    await Connections(old).invite("link", Asked(principal=SLACK, place=PLACE))
    assert await Connections(states[0]).asked("link") is None


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_of_several_processes_one_asks(kind: str, states: list[State]) -> None:
    async with AsyncExitStack() as stack:
        if kind == "postgresql":
            states = await stack.enter_async_context(two_on(await stack.enter_async_context(postgres())))
        processes = [Connections(state) for state in states] * 4
        asked = Asked(principal=SLACK, place=PLACE)
        for _ in range(3):  # at first, and again after ten minutes
            assert sum(await asyncio.gather(*(each.claim(asked) for each in processes))) == 1
            elsewhere = Asked(principal=SLACK, place=replace(PLACE, conversation=uuid.uuid4().hex))
            assert sum(await asyncio.gather(*(each.claim(elsewhere) for each in processes))) == 1
            async with states[0].engine.begin() as db:
                await db.execute(sa.text("UPDATE sign_ins SET at = '2020-01-01 00:00:00.000000'"))
        await processes[0].use_up(SLACK.key)
        assert await processes[1].claim(asked)
        # Of tokens that two renewed at once, the later ones do not overwrite the earlier ones.
        made = await processes[0].keep(SLACK.key, account(), client="app", tokens=True)
        renewed = await asyncio.gather(*(each.renewed(made, f"cache {n}") for n, each in enumerate(processes)))
        assert sum(renewed) == 1
        kept = await processes[0].tokens(SLACK.key)
        assert kept is not None
        assert kept[1] == f"cache {renewed.index(True)}"


async def test_a_person_has_a_few_links_at_most(states: list[State]) -> None:
    connections = Connections(states[0])
    for number in range(MOST_LINKS + 3):
        await connections.invite(str(number), Asked(principal=SLACK, place=PLACE))
    works = [n for n in range(MOST_LINKS + 3) if await connections.asked(str(n))]
    assert works == list(range(3, MOST_LINKS + 3))


async def test_an_expired_link_is_no_link(states: list[State]) -> None:
    connections = Connections(states[0])
    link = uuid.uuid4().hex
    await connections.invite(link, Asked(principal=SLACK, place=PLACE))
    assert await connections.asked(link) is not None
    async with states[0].engine.begin() as db:
        await db.exec_driver_sql("UPDATE sign_ins SET at = '2020-01-01 00:00:00.000000'")
    assert await connections.asked(link) is None
    assert await connections.claim(Asked(principal=SLACK, place=PLACE))
