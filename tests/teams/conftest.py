"""The face over real HTTP: a peer that is Teams, a scripted command layer, an HTTP client that signs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.teams.face import TeamsFace
from bots.teams.settings import TeamsSettings
from commands.cards import Card, CardKind, Option
from commands.dispatch import Dispatcher
from commands.press import Seal
from commands.request import Reply, Request

from .peer import APP, TENANT, Peer

SEAL = Seal(b"a secret for tests")


class Script(Dispatcher):
    """A command layer whose answers a test writes; it keeps what it was asked."""

    def __init__(self) -> None:
        self.seal = SEAL
        self.asked: list[Request] = []
        self.reply: Callable[[Request], Reply | Awaitable[Reply]] = lambda request: Reply(
            card=Card(kind=CardKind.NOTICE, title=f"You said {getattr(request.ask, 'text', '')}")
        )
        self.found: list[Card] = []
        self.options: list[Option] = []

    async def dispatch(self, request: Request) -> Reply:
        self.asked.append(request)
        reply = self.reply(request)
        return reply if isinstance(reply, Reply) else await reply

    async def suggest(self, _press: object, _field: str, typed: str, *_: object) -> list[Option]:
        return [o for o in self.options if typed.lower() in o.label.lower()]

    async def search(self, text: str, *_: object) -> list[Card]:
        return [c for c in self.found if text.lower() in c.title.lower()]

    async def unfurl(self, url: str, *_: object) -> Card | None:
        return next((c for c in self.found if c.url == url), None)


class Bot:
    """The face behind a real server."""

    def __init__(self, face: TeamsFace, url: str, peer: Peer, session: aiohttp.ClientSession) -> None:
        self.face, self.url, self._peer, self._session = face, url, peer, session

    async def post(self, activity: Any, *, authorization: str | None = "", **headers: str) -> tuple[int, Any]:
        """Status and JSON (or None) of POST /api/messages; signed unless told otherwise."""
        if authorization == "":
            authorization = f"Bearer {self._peer.sign()}"
        if authorization is not None:
            headers["Authorization"] = authorization
        async with self._session.post(self.url, json=activity, headers=headers) as response:
            raw = await response.read()
            return response.status, (await response.json() if raw else None)


def settings_for(peer: Peer, **changes: Any) -> TeamsSettings:
    given: dict[str, Any] = {
        "app_id": APP,
        "app_password": "secret",
        "tenant_id": TENANT,
        "app_type": "SingleTenant",
        "loopback": True,
        "metadata_url": f"{peer.url}/openid",
        "login_url": f"{peer.url}/login",
        "graph_url": f"{peer.url}/graph",
    }
    return TeamsSettings(**given | changes)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer() as peer:
        yield peer


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def bot(peer: Peer, script: Script, session: aiohttp.ClientSession) -> AsyncIterator[Bot]:
    face = TeamsFace(settings_for(peer), script, session)
    app = web.Application()
    app.router.add_post("/api/messages", face.handler)
    async with TestServer(app) as server:
        await face.start()
        yield Bot(face, str(server.make_url("/api/messages")), peer, session)
        await face.stop()
