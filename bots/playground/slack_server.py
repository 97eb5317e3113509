"""A Slack that runs on loopback: Web API, OAuth, Socket Mode, `response_url`, and people who type and click.

State starts from `seed.json`: people U1.., channels C1.., workspace T1; direct messages are called "dm". `slack.world`
holds it. What the bot sees (each gesture returns an `Answer`: status, headers, body, json, seconds, error, problems):

    command(command, text, user=, channel=)           slash command; the answer's body becomes the message
    click(message | view, action, value=, user=)      block_actions; `action` is an action_id or the visible text
    submit(view, values, user=)                       view_submission; values by action_id, block_id or label
    close_view(view)                                  view_closed, when the view asked for it
    shortcut(callback_id, message=None, user=)        message shortcut, or global without a message
    suggest(message | view, action, typed, user=)     block_suggestion
    say(text, user=, channel=, thread=, files=)       a person posts: message.*, app_mention, link_shared events
    edit(message, text) · delete(message) · react(message, emoji, user=) · compose(url) · open_home(user)
    open_entity(url, user=) · event({...})            any other event
    redeliver(answer.delivery, number=1, reason=)     the same body again with Slack's retry headers
    raw(body, headers), sign(body, timestamp=, secret=)    forged and stale requests
    install(start_url, team=), uninstall(team)        the OAuth dance as a browser does it

What a person sees: `last(channel, user)`, `messages(channel, user, thread=)`, `view(user)`, `home(user)`,
`text(message)`, `transcript(channel, user)`. What the bot did: `calls` (Web API) and `answers` (its answers).
Switches: `rate_limits`, `small_pages`, `missing_scopes`, `fail(method, error, times=, status=, retry_after=)`,
`advance(seconds)` (trigger ids, response_urls, tokens), `subscriptions`, `unfurl_domains`, `echo` (the bot hears its
own messages), `oauth.rotation`, `oauth.org_wide`.
"""

from __future__ import annotations

import json
import time
from http.cookies import SimpleCookie
from typing import Self
from urllib.parse import parse_qs, urljoin

from aiohttp import WSMsgType, web

from . import seed as seeds
from .answer import Wire
from .slack_oauth import OAuth
from .slack_people import SUBSCRIPTIONS
from .slack_records import RESPONSE_URL_SECONDS, RESPONSE_URL_USES, SlackError, Token, Workspace
from .slack_webapi import WebApi
from .slack_world import World


class FakeSlack(WebApi):
    """`async with FakeSlack() as slack` serves on a loopback port of its own; `app()` gives the same routes to mount
    elsewhere, and then `base_url` says where."""

    def __init__(
        self,
        *,
        signing_secret: str = "playground-signing-secret",  # noqa: S107 - a fake's default, known to everyone
        bot_token: str = "xoxb-playground",  # noqa: S107
        app_token: str = "xapp-playground",  # noqa: S107
        client_id: str = "1.1",
        client_secret: str = "playground-client-secret",  # noqa: S107
        bot_url: str = "",
        base_url: str = "",
        seed: seeds.Seed | None = None,
        wire: Wire | None = None,
    ) -> None:
        super().__init__(World(seed or seeds.load()), signing_secret=signing_secret, bot_url=bot_url, wire=wire)
        self.world.serve_from(base_url)
        self.bot_token = bot_token
        self.app_token = app_token
        self.world.tokens[bot_token] = Token(value=bot_token, kind="bot", team="T1")
        self.world.tokens[app_token] = Token(value=app_token, kind="app", team="T1")
        self.oauth = OAuth(self.world, client_id, client_secret)
        self.echo = True
        self.subscriptions = set(SUBSCRIPTIONS)
        self.unfurl_domains: set[str] = set()
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Where this Slack is served; ends in a slash."""
        return self.world.base

    @property
    def api_url(self) -> str:
        """For SLACK_API_URL."""
        return f"{self.base_url}api/"

    @property
    def authorize_url(self) -> str:
        """The consent page, where `slack.com/oauth/v2/authorize` would be."""
        return f"{self.base_url}oauth/v2/authorize"

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, port: int = 0) -> Self:
        """Serve on 127.0.0.1; port 0 takes a free one."""
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.world.serve_from(f"http://127.0.0.1:{self._runner.addresses[0][1]}/")
        return self

    async def close(self) -> None:
        await super().close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=32 * 1024**2)
        app.add_routes(
            [
                web.route("*", "/api/{method}", self.serve_api),
                web.post("/response/{id}", self._respond),
                web.post("/upload/v1/{id}", self._upload),
                web.get("/files-pri/{id}/{rest:.*}", self._download),
                web.get("/link", self._socket),
                web.get("/oauth/v2/authorize", self.oauth.authorize),
                web.post("/oauth/v2/authorize", self.oauth.consent),
            ]
        )
        return app

    # -- switches

    def advance(self, seconds: float) -> None:
        """Let time pass for trigger ids, response_urls and tokens."""
        self.world.skew += seconds

    def add_team(self, team_id: str, name: str = "", *, enterprise: str | None = None) -> Workspace:
        """Another workspace, without people."""
        return self.world.add_team(
            Workspace(id=team_id, name=name or team_id, domain=team_id.lower(), enterprise=enterprise)
        )

    # -- OAuth as a browser

    async def install(self, start_url: str, *, team: str = "T1", keep_cookies: bool = True, allow: bool = True) -> str:
        """Follow /slack/install to the consent page, allow, and come back; the text of the app's last page. Without
        `keep_cookies` it is another browser that comes back."""
        jar: SimpleCookie = SimpleCookie()
        url, method, form = start_url, "GET", None
        for _ in range(8):
            cookies = "; ".join(f"{k}={m.value}" for k, m in jar.items()) if keep_cookies else ""
            headers = {"Cookie": cookies} if cookies else {}
            async with self.session.request(method, url, data=form, headers=headers, allow_redirects=False) as answer:
                text = await answer.text()
                for line in answer.headers.getall("Set-Cookie", []):
                    jar.load(line)
                method, form = "GET", None
                if "Location" in answer.headers:
                    url = urljoin(url, answer.headers["Location"])
                elif url.startswith(self.authorize_url):
                    query = {key: values[0] for key, values in parse_qs(url.partition("?")[2]).items()}
                    method, form = "POST", query | {"team": team, "allow": "1" if allow else "0"}
                    url = self.authorize_url
                elif 'href="' in text and self.authorize_url in text:
                    url = text.split('href="', 1)[1].split('"', 1)[0].replace("&amp;", "&")
                else:
                    return text
        raise LookupError(f"the installation never ended; the last address was {url}")

    async def uninstall(self, team: str = "T1") -> None:
        """Remove the app from a workspace (or its organisation): its tokens die, and two events say so, in no promised
        order."""
        org_wide, bot = self.world.org_wide(team), self.world.teams[team].bot_user
        for token in self.world.installed(team):
            token.revoked = True
        for event in ({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [bot]}}, {"type": "app_uninstalled"}):
            await self.event(event, team=team, of_organisation=org_wide)

    # -- routes

    async def _respond(self, request: web.Request) -> web.Response:
        started = time.perf_counter()
        where = self.world.response_urls.get(request.match_info["id"])
        try:
            body = json.loads(await request.read())
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        status, said = 200, "ok"
        if where is None or self.world.now() - where.born > RESPONSE_URL_SECONDS:
            status, said = 404, json.dumps({"ok": False, "error": "expired_url"})
        elif where.uses >= RESPONSE_URL_USES:
            status, said = 404, json.dumps({"ok": False, "error": "used_url"})
        else:
            where.uses += 1
            try:
                self.respond(body, where)
            except SlackError as refusal:
                status, said = 400, json.dumps({"ok": False, "error": refusal.code, **refusal.extra})
        self.wire.record("bot → Slack", "response_url", status, time.perf_counter() - started, body, said)
        return web.Response(status=status, text=said, content_type="text/html" if said == "ok" else "application/json")

    async def _upload(self, request: web.Request) -> web.Response:
        file_id = request.match_info["id"]
        if file_id not in self.world.files:
            return web.Response(status=404)
        if request.content_type == "multipart/form-data":
            form = await request.post()
            part = next(iter(form.values()))
            content = part.file.read() if isinstance(part, web.FileField) else bytes(str(part), "utf-8")
        else:
            content = await request.read()
        self.world.contents[file_id] = content
        return web.Response(text=f"OK - {len(content)}")

    async def _download(self, request: web.Request) -> web.Response:
        token = self.world.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        file_id = request.match_info["id"]
        if token is None or token.revoked or "files:read" not in token.scopes - self.missing_scopes:
            # Slack answers a web page, not an error
            return web.Response(text="<!DOCTYPE html><title>Sign in</title>", content_type="text/html")
        if file_id not in self.world.files:
            return web.Response(status=404)
        return web.Response(body=self.world.contents[file_id], content_type=self.world.files[file_id]["mimetype"])

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        hello = {"type": "hello", "num_connections": len(self.sockets), "connection_info": {"app_id": "APLAYGROUND"}}
        try:
            await socket.send_json(hello)
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self.acknowledge(json.loads(frame.data))
        finally:
            self.sockets.remove(socket)
        return socket
