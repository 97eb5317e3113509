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
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Self
from urllib.parse import parse_qs, urljoin

from aiohttp import WSMsgType, web

from . import seed as seeds
from . import slack_posting as _posting  # noqa: F401 - enters its methods in the table
from .answer import Wire
from .slack_api import METHODS, Call
from .slack_oauth import OAuth
from .slack_people import SUBSCRIPTIONS, SlackPeople
from .slack_records import RESPONSE_URL_SECONDS, RESPONSE_URL_USES, SlackError, Token, Workspace
from .slack_world import World

_JSON_ARGS = {"blocks", "attachments", "view", "metadata", "unfurls", "files", "error", "user_auth_blocks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One Web API call that the bot made, with our answer."""

    method: str
    args: Mapping[str, Any]
    answer: Mapping[str, Any]
    status: int
    token: str


@dataclass(slots=True, kw_only=True)
class _Failure:
    error: str
    times: int
    status: int
    retry_after: int | None


class FakeSlack(SlackPeople):
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
        self.calls: list[ApiCall] = []
        self.missing_scopes: set[str] = set()
        self.rate_limits = False
        self.small_pages = False
        self.echo = True
        self.subscriptions = set(SUBSCRIPTIONS)
        self.unfurl_domains: set[str] = set()
        self._failures: dict[str, _Failure] = {}
        self._called: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._posted_at: dict[str, float] = {}
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
                web.route("*", "/api/{method}", self._api),
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

    def fail(
        self,
        method: str,
        error: str = "internal_error",
        *,
        times: int = 1,
        status: int = 200,
        retry_after: int | None = None,
    ) -> None:
        """Make the next calls of a method ("*" for any) fail; `retry_after` makes it a 429."""
        status = 429 if retry_after is not None else status
        error = "ratelimited" if retry_after is not None else error
        self._failures[method] = _Failure(error=error, times=times, status=status, retry_after=retry_after)

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
        """Remove the app from a workspace: its tokens die, and two events say so, in no promised order."""
        gone = [t for t in self.world.tokens.values() if t.kind == "bot" and t.team == team]
        for token in gone:
            token.revoked = True
        bot = self.world.teams[team].bot_user
        await self.event({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [bot]}}, team=team)
        await self.event({"type": "app_uninstalled"}, team=team)

    # -- routes

    async def _api(self, request: web.Request) -> web.Response:
        started = time.perf_counter()
        name = request.match_info["method"]
        args = await _arguments(request)
        authorization = request.headers.get("Authorization", "")
        given = authorization.removeprefix("Bearer ") or str(args.pop("token", ""))
        status, headers, body = self._answer(name, args, given, authorization)
        self.calls.append(ApiCall(method=name, args=args, answer=body, status=status, token=given))
        self.wire.record("bot → Slack", name, status, time.perf_counter() - started, args, body)
        return web.json_response(body, status=status, headers=headers)

    def _answer(
        self, name: str, args: dict[str, Any], given: str, authorization: str
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        if (failure := self._failure(name)) is not None:
            headers = {"Retry-After": str(failure.retry_after)} if failure.retry_after is not None else {}
            return failure.status, headers, {"ok": False, "error": failure.error}
        try:
            return 200, {}, {"ok": True, **self._run(name, args, given, authorization)}
        except _TooMany as limit:
            return 429, {"Retry-After": str(limit.retry_after)}, {"ok": False, "error": "ratelimited"}
        except SlackError as refusal:
            return 200, {}, {"ok": False, "error": refusal.code, **refusal.extra}

    def _run(self, name: str, args: dict[str, Any], given: str, authorization: str) -> dict[str, Any]:
        if name == "oauth.v2.access":
            return self.oauth.access(args, authorization)
        token = self._token(given)
        if name == "apps.connections.open":
            if token.kind != "app":
                raise SlackError("not_allowed_token_type")
            ticket = self.world.new_id("S")
            return {"url": f"{self.base_url.replace('http', 'ws', 1)}link?ticket={ticket}"}
        if name not in METHODS:
            raise SlackError("unknown_method", req_method=name)
        entry = METHODS[name]
        granted = token.scopes - self.missing_scopes
        if entry.scopes and not entry.scopes & granted:
            raise SlackError("missing_scope", needed=",".join(sorted(entry.scopes)), provided=",".join(sorted(granted)))
        if self.rate_limits:
            self._limit(name, token.team or "T1", str(args.get("channel", "")), entry.per_minute)
        seen = Token(value=token.value, kind=token.kind, team=token.team, user=token.user, scopes=granted)
        call = Call(method=name, args=args, token=seen, world=self.world, small_pages=self.small_pages)
        answer = entry.run(call)
        if name == "auth.revoke":
            token.revoked = seen.revoked
        if name == "chat.postMessage" and self.echo:
            self.spawn(self._announce(self.world.find(answer["channel"], answer["ts"])))
        return answer

    def _token(self, given: str) -> Token:
        if not given:
            raise SlackError("not_authed")
        token = self.world.tokens.get(given)
        if token is None:
            raise SlackError("invalid_auth")
        if token.revoked:
            raise SlackError("token_revoked")
        if token.expires is not None and token.expires < self.world.now():
            raise SlackError("token_expired")
        return token

    def _failure(self, name: str) -> _Failure | None:
        failure = self._failures.get(name) or self._failures.get("*")
        if failure is None or failure.times <= 0:
            return None
        failure.times -= 1
        return failure

    def _limit(self, name: str, team: str, channel: str, per_minute: int) -> None:
        """One post a second and channel; every method has its tier per minute and workspace. With `small_pages`, the
        history of a commercially distributed app: once a minute."""
        now = self.world.now()
        if name == "chat.postMessage":
            if now - self._posted_at.get(channel, 0.0) < 1.0:
                raise _TooMany(1)
            self._posted_at[channel] = now
        if self.small_pages and name in ("conversations.history", "conversations.replies"):
            per_minute = 1
        called = self._called[name, team]
        while called and now - called[0] > 60:
            called.popleft()
        if len(called) >= per_minute:
            raise _TooMany(max(1, round(60 - (now - called[0]))))
        called.append(now)

    async def _respond(self, request: web.Request) -> web.Response:
        started = time.perf_counter()
        where = self.world.response_urls.get(request.match_info["id"])
        body = await request.json()
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

    async def refresh_sockets(self) -> None:
        """Tell every Socket Mode connection to come again, as Slack does every few hours."""
        for socket in list(self.sockets):
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested", "debug_info": {}})
            await socket.close()


class _TooMany(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


async def _arguments(request: web.Request) -> dict[str, Any]:
    """Arguments from query, form or JSON, with JSON values in forms parsed."""
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        if request.can_read_body:
            args |= await request.json()
        return args
    args |= {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    for key in _JSON_ARGS & set(args):
        if isinstance(args[key], str):
            try:
                args[key] = json.loads(args[key])
            except ValueError:
                continue
    return args
