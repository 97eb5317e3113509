"""The face over real HTTP: the fake Slack on one side, a scripted command layer on the other."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bots.playground.slack_server import FakeSlack
from bots.slack import SlackFace, SlackSettings
from bots.slack.tables import TABLES
from commands.cards import Card, CardKind, Option
from commands.dispatch import Dispatcher
from commands.press import Press, Seal
from commands.request import Message, Place, Principal, Reply, Request
from commands.threads import Happened

SEAL = Seal(b"a secret for tests")
CIPHER = Fernet(Fernet.generate_key())


class Script(Dispatcher):
    """A command layer whose answers a test writes; it keeps what it was asked."""

    def __init__(self) -> None:
        self.seal = SEAL
        self.browsing: Any = self
        self.listening: Any = self
        self.asked: list[Request] = []
        self.reply: Callable[[Request], Reply | Awaitable[Reply]] = lambda request: Reply(
            card=Card(kind=CardKind.NOTICE, title=f"You said {getattr(request.ask, 'text', '')}")
        )
        self.found: list[Card] = []
        self.overheard: list[tuple[str, str, str, str]] = []
        self.unfollowed: set[str] = set()
        self.options: list[Option] = []
        self.suggested: list[tuple[Press, str, str]] = []

    async def dispatch(self, request: Request) -> Reply:
        self.asked.append(request)
        reply = self.reply(request)
        return reply if isinstance(reply, Reply) else await reply

    def stale(self) -> Card:
        return Card(kind=CardKind.ERROR, title="This button is too old.", text=("Type the command again.",))

    async def suggest(self, press: Press, field: str, typed: str, *_: object) -> list[Option]:
        self.suggested.append((press, field, typed))
        return [o for o in self.options if typed.lower() in o.label.lower()]

    async def home(self, principal: Principal, *_: object) -> Card:
        return Card(kind=CardKind.HOME, title=f"Home of {principal.user}")

    async def unfurl(self, url: str, *_: object) -> Card | None:
        return next((c for c in self.found if c.url == url), None)

    async def follows(self, place: Place) -> bool:
        return place.thread not in self.unfollowed

    async def heard(self, principal: Principal, place: Place, message: Message, happened: Happened) -> Reply:
        self.overheard.append((principal.user, place.thread, message.text, happened.value))
        return Reply(reaction="memo")

    def answers(self, reply: Reply) -> None:
        """From now on, always this."""
        self.reply = lambda _: reply


def settings_for(slack: FakeSlack, **changes: Any) -> SlackSettings:
    given: dict[str, Any] = {
        "signing_secret": slack.signing_secret,
        "bot_token": slack.bot_token,
        "api_url": slack.api_url,
        "authorize_url": slack.authorize_url,
        "loopback": True,
    }
    return SlackSettings(**given | changes)


@asynccontextmanager
async def serving(settings: SlackSettings, script: Script, engine: AsyncEngine) -> AsyncIterator[tuple[SlackFace, str]]:
    """The face behind a real server; its address."""
    face = SlackFace(settings, engine=engine, cipher=CIPHER)
    app = web.Application()
    app.router.add_route("*", "/slack/events", face.events)
    app.router.add_get("/slack/install", face.install)
    app.router.add_get("/slack/oauth_redirect", face.oauth_redirect)
    async with TestServer(app) as server:
        await face.start(script)
        try:
            yield face, str(server.make_url("/"))
        finally:
            await face.stop()


@pytest.fixture
async def engine(tmp_path: Any) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/state.db")
    async with engine.begin() as db:
        await db.run_sync(TABLES.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake
        await fake.settle()


@pytest.fixture
async def face(slack: FakeSlack, script: Script, engine: AsyncEngine) -> AsyncIterator[SlackFace]:
    """A face for one workspace, by its token, with the fake Slack connected to it."""
    async with serving(settings_for(slack, case_reactions=frozenset({"ticket"})), script, engine) as (face, url):
        slack.bot_url = f"{url}slack/events"
        await slack.until(lambda: any(c.method == "auth.test" for c in slack.calls))
        yield face


@pytest.fixture
async def distributed(slack: FakeSlack, script: Script, engine: AsyncEngine) -> AsyncIterator[tuple[SlackFace, str]]:
    """A face that workspaces install by OAuth."""
    settings = settings_for(slack, bot_token="", client_id="1.1", client_secret="playground-client-secret")
    async with serving(settings, script, engine) as (face, url):
        slack.bot_url = f"{url}slack/events"
        yield face, url
