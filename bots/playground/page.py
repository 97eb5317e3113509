"""The playground itself: the page, its JSON, its push channel, and the two fakes under one roof."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from pathlib import Path
from typing import Any

from aiohttp import web

from . import page_gestures, page_state
from .answer import Answer, Wire
from .slack_records import SlackError
from .slack_server import FakeSlack
from .teams_server import FakeTeams
from .teams_world import ConnectorError

log = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")
PREFIX = "/playground"
_PAGE = json.loads(Path(__file__).with_name("page.json").read_text("utf-8"))
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' https: data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


class Playground:
    """`mount` puts the page at /playground on the bot's own application, the fake Web API at `slack_api_url` and the
    fake connector at `teams_service_url`. All of it answers only to this machine (Host and Origin are checked).

    `port` is where that application listens; `signing_secret` and the tokens are what the bot was given; `app_id` and
    `app_password` stay empty when the bot checks no tokens. `domains` are hosts whose links the bot unfurls,
    `commands` the slash commands that its manifest names.
    """

    def __init__(
        self,
        *,
        port: int,
        signing_secret: str,
        bot_token: str,
        app_token: str = "xapp-playground",  # noqa: S107 - nobody checks it but the fake itself
        app_id: str = "",
        app_password: str = "",
        domains: tuple[str, ...] = ("127.0.0.1", "localhost"),
        commands: tuple[str, ...] = ("/crm",),
    ) -> None:
        here = f"http://127.0.0.1:{port}"
        self.url = f"{here}{PREFIX}"
        self.wire = Wire()
        self.slack = FakeSlack(
            signing_secret=signing_secret,
            bot_token=bot_token,
            app_token=app_token,
            bot_url=f"{here}/slack/events",
            base_url=f"{here}{PREFIX}/slack/",
            wire=self.wire,
        )
        self.slack.unfurl_domains = set(domains)
        self.teams = FakeTeams(
            app_id=app_id,
            app_password=app_password,
            bot_url=f"{here}/api/messages",
            service_url=f"{here}{PREFIX}/teams/",
            wire=self.wire,
        )
        self._commands = commands
        self._run = secrets.token_hex(8)
        self._version = 0
        self._listeners: set[asyncio.Event] = set()
        self._stopping = False
        self.slack.world.watchers.append(self._changed)
        self.teams.world.watchers.append(self._changed)

    @property
    def slack_api_url(self) -> str:
        """For SLACK_API_URL."""
        return self.slack.api_url

    @property
    def teams_service_url(self) -> str:
        """The `serviceUrl` of every activity."""
        return self.teams.service_url

    async def mount(self, app: web.Application) -> None:
        """Add everything to the bot's application, before it starts."""
        from bots.web import loopback_only  # the fakes alone, as tests use them, need no settings

        mine = web.Application(middlewares=[loopback_only], client_max_size=32 * 1024**2)
        mine.add_routes(
            [
                web.get("", self._index),
                web.get("/", self._index),
                web.get("/page.json", self._page),
                web.get("/state/{platform}", self._state),
                web.get("/wire", self._wire),
                web.get("/events", self._events),
                web.post("/do/{platform}/{gesture}", self._do),
                web.static("/static", STATIC),
            ]
        )
        mine.add_subapp("/slack/", self.slack.app())
        mine.add_subapp("/teams/", self.teams.app())
        app.add_subapp(PREFIX, mine)
        app.router.add_get("/", self._home)
        app.on_shutdown.append(self._shut)

    async def stop(self) -> None:
        """Close what the fakes hold open."""
        await self.slack.close()
        await self.teams.close()

    # -- push

    def _changed(self) -> None:
        self._version += 1
        for listener in self._listeners:
            listener.set()

    async def _shut(self, _: web.Application) -> None:
        self._stopping = True
        self._changed()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: a number whenever anything changed; the page then asks for its state."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        listener = asyncio.Event()
        self._listeners.add(listener)
        try:
            while not self._stopping:
                await response.write(f"data: {self._version}\n\n".encode())
                try:
                    await asyncio.wait_for(listener.wait(), 20)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                listener.clear()
        except ConnectionError:
            log.debug("a page went away")
        finally:
            self._listeners.discard(listener)
        return response

    # -- pages and JSON

    async def _home(self, _: web.Request) -> web.Response:
        raise web.HTTPFound(PREFIX)

    async def _index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / "index.html", headers=_HEADERS)

    async def _page(self, _: web.Request) -> web.Response:
        return web.json_response({**_PAGE, "slack": {**_PAGE["slack"], "commands": self._commands}})

    async def _state(self, request: web.Request) -> web.Response:
        query = request.query
        user, place, thread = (query.get(name, "") for name in ("user", "place", "thread"))
        try:
            if request.match_info["platform"] == "slack":
                state = page_state.slack_state(self.slack, user, place, thread)
            else:
                state = page_state.teams_state(self.teams, user, place, thread)
        except (SlackError, ConnectorError, KeyError) as missing:
            return web.json_response({"error": f"There is no such person or place: {missing}"}, status=404)
        return web.json_response({"run": self._run, "version": self._version, "exchanges": self.wire.count, **state})

    async def _wire(self, request: web.Request) -> web.Response:
        """The exchanges after number `after`, oldest first."""
        after = int(given) if (given := request.query.get("after", "")).isdecimal() else 0
        first = self.wire.count - len(self.wire.exchanges) + 1
        lines = [page_state.wire_line(first + i, e) for i, e in enumerate(self.wire.exchanges) if first + i > after]
        return web.json_response({"exchanges": lines})

    async def _do(self, request: web.Request) -> web.Response:
        """One gesture; the answer says what the platform's client would tell the person."""
        if request.content_type != "application/json":
            return web.json_response({"error": "Send JSON."}, status=415)
        platform, name = request.match_info["platform"], request.match_info["gesture"]
        said = await request.json()
        if not isinstance(said, dict):
            return web.json_response({"error": "Send a JSON object."}, status=400)
        try:
            answer = await self._gesture(platform, name, said)
        except (SlackError, ConnectorError, LookupError) as missing:
            return web.json_response({"error": f"That is not there (any more): {missing}"}, status=409)
        return web.json_response(_told(answer))

    async def _gesture(self, platform: str, name: str, said: dict[str, Any]) -> Answer | None:
        if platform == "slack":
            return await page_gestures.SLACK[name](self.slack, said)
        if platform == "teams":
            self.teams.world.timezone = str(said.get("zone") or self.teams.world.timezone)
            return await page_gestures.TEAMS[name](self.teams, said)
        raise LookupError(platform)


def _told(answer: Answer | None) -> dict[str, Any]:
    if answer is None:
        return {"error": ""}
    return {
        "status": answer.status,
        "ms": round(answer.seconds * 1000, 1),
        "error": answer.error,
        "problems": list(answer.problems),
        "answer": answer.json,
    }
