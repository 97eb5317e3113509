"""Connections and sign-ins as several processes see them: two engines on one database."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from commands.cipher import FernetCipher
from commands.connections import Asked, Connections
from commands.errors import UserError
from commands.request import Place, Principal, Request, Typed
from commands.signing_in import SignIn
from commands.state import TABLES, State
from commands.waiting import MOST, WaitingCommands
from crm.auth import Demand
from crm.entra import Entra, Secret, SignedIn
from crm.errors import SignInRequired
from tests.crm.openid import ANNA, BORIS, OpenId

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


@dataclass
class House:
    provider: OpenId
    processes: list[SignIn]


@pytest.fixture
def house(tmp_path: Path, states: list[State], monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    provider = OpenId(tmp_path)
    provider.add_client("app", secret="s3cret", redirects=(f"{PUBLIC}/auth/callback",))
    with provider:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(provider.ca_file))

        def process(state: State) -> SignIn:
            entra = Entra(
                tenant=provider.tenant, client_id="app", credential=Secret("s3cret"), authority_host=provider.host
            )
            return SignIn(Connections(state), entra, organisation=ORG, public_url=PUBLIC, keeps_tokens=True)

        yield House(provider, [process(state) for state in states])


async def through(house: House, process: SignIn, principal: Principal, person: str) -> dict[str, str]:
    """Card, page and provider; the answer that comes back."""
    card = await process.card(principal, PLACE)
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
    first, second = await asyncio.gather(one.take(SLACK.key), other.take(SLACK.key))
    assert len(first) + len(second) == MOST


async def test_an_expired_link_is_no_link(states: list[State]) -> None:
    connections = Connections(states[0])
    link = uuid.uuid4().hex
    await connections.invite(link, Asked(principal=SLACK, place=PLACE))
    assert await connections.asked(link) is not None
    async with states[0].engine.begin() as db:
        await db.exec_driver_sql("UPDATE sign_ins SET at = '2020-01-01 00:00:00.000000'")
    assert await connections.asked(link) is None
    assert not await connections.invited(SLACK, PLACE)
