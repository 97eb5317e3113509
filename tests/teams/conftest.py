"""The face over real HTTP, between the fake Teams and a command layer whose answers a test writes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy.ext.asyncio import create_async_engine

from bots.playground.teams_server import FakeTeams
from bots.teams.face import TeamsFace
from bots.teams.settings import TeamsSettings
from bots.teams.signin import Exchange
from bots.teams.times import TIMES, Times
from commands.cards import Card, CardKind, Option
from commands.cipher import FernetCipher
from commands.dispatch import Dispatcher
from commands.press import Seal
from commands.request import Reply, Request
from commands.state import TABLES, State

APP = "00000000-0000-0000-0000-00000000b0b0"
PASSWORD = "a password for tests"
SEAL = Seal(b"a secret for tests")


class Script(Dispatcher):
    """A command layer whose answers a test writes; it keeps what it was asked."""

    def __init__(self) -> None:
        self.seal = SEAL
        self.browsing: Any = self
        self.listening: Any = self
        self.asked: list[Request] = []
        self.reply: Callable[[Request], Reply | Awaitable[Reply]] = lambda request: Reply(
            card=Card(kind=CardKind.NOTICE, title=f"You said {getattr(request.ask, 'text', 'nothing')}")
        )
        self.overheard: list[tuple[Any, ...]] = []
        self.found: list[Card] = []
        self.options: list[Option] = []

    async def dispatch(self, request: Request) -> Reply:
        self.asked.append(request)
        reply = self.reply(request)
        return reply if isinstance(reply, Reply) else await reply

    def stale(self) -> Card:
        return Card(kind=CardKind.ERROR, title="This button is too old.")

    async def heard(self, principal: Any, place: Any, message: Any, happened: Any) -> Reply | None:
        self.overheard.append((principal, place, message, happened))
        return None

    async def suggest(self, _press: object, _field: str, typed: str, *_: object) -> list[Option]:
        return [o for o in self.options if typed.lower() in o.label.lower()]

    async def search(self, text: str, *_: object) -> list[Card]:
        return [c for c in self.found if text.lower() in c.title.lower()]

    async def unfurl(self, url: str, *_: object) -> Card | None:
        return next((c for c in self.found if c.url == url), None)


def says(**reply: Any) -> Callable[[Request], Reply]:
    """What a `Script` always replies."""
    return lambda _request: Reply(**reply)


async def post(
    teams: FakeTeams, text: str, conversation: str = "channel", user: str = "anna", reply_to: Any = None
) -> Any:
    """Somebody says something to others, and not to the bot."""
    await teams.message(text, conversation=conversation, user=user, mention=False, reply_to=reply_to)
    return teams.last(conversation, user, bot=False)


def settings_for(teams: FakeTeams, **changes: Any) -> TeamsSettings:
    given: dict[str, Any] = {
        "app_id": teams.issuer.app_id,
        "app_password": teams.issuer.app_password,
        "tenant_id": teams.world.tenant,
        "app_type": "SingleTenant",
        "loopback": True,
        "metadata_url": teams.openid_url,
        "login_url": teams.service_url,
        "graph_url": f"{teams.service_url}graph",
    }
    return TeamsSettings(**given | changes)


@asynccontextmanager
async def serving(face: TeamsFace, teams: FakeTeams) -> AsyncIterator[str]:
    """The face on a port of its own, known to the fake Teams."""
    app = web.Application()
    app.router.add_post("/api/messages", face.handler)
    async with TestServer(app) as server:
        await face.start()
        teams.bot_url = str(server.make_url("/api/messages"))
        yield teams.bot_url
        await face.stop()


@asynccontextmanager
async def remembering(folder: Path) -> AsyncIterator[State]:
    """What one process has of the state database in this folder."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'state.db'}")
    async with engine.begin() as db:
        await db.run_sync(
            TABLES.create_all, tables=[t for name, t in TABLES.tables.items() if name.startswith("teams_")]
        )
    try:
        yield State(engine, FernetCipher(b"a secret for tests"))
    finally:
        await engine.dispose()


@pytest.fixture
async def teams() -> AsyncIterator[FakeTeams]:
    async with FakeTeams(app_id=APP, app_password=PASSWORD) as teams:
        yield teams
        assert teams.card_problems == []


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    async with remembering(tmp_path) as state:
        yield state


@pytest.fixture
def times() -> Times:
    """How long the face waits; tests that cannot wait as long are parametrized with other ones."""
    return TIMES


@pytest.fixture
async def face(
    teams: FakeTeams, script: Script, session: aiohttp.ClientSession, state: State, times: Times
) -> AsyncIterator[TeamsFace]:
    face = TeamsFace(settings_for(teams, times=times), script, session, state)
    async with serving(face, teams):
        yield face


@pytest.fixture
async def process(
    teams: FakeTeams, script: Script, tmp_path: Path
) -> Callable[..., AbstractAsyncContextManager[TeamsFace]]:
    """Starts a process of the bot; all of them have the same database. The last one hears what Teams says."""

    @asynccontextmanager
    async def process(exchange: Exchange | None = None, **changes: Any) -> AsyncIterator[TeamsFace]:
        async with remembering(tmp_path) as state, aiohttp.ClientSession() as session:
            face = TeamsFace(settings_for(teams, **changes), script, session, state, exchange=exchange)
            async with serving(face, teams):
                yield face

    return process
