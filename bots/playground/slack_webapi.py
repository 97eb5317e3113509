"""Serving the Web API: tokens, scopes, injected failures, rate limits, and the record of every call."""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import slack_posting as _posting  # noqa: F401 - enters its methods in the table
from .answer import Wire
from .slack_api import METHODS, Call
from .slack_oauth import OAuth
from .slack_people import SlackPeople
from .slack_records import SlackError, Token
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


class _TooMany(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class WebApi(SlackPeople):
    """`/api/<method>`, for the server to mount."""

    oauth: OAuth

    def __init__(self, world: World, *, signing_secret: str, bot_url: str, wire: Wire | None = None) -> None:
        super().__init__(world, signing_secret=signing_secret, bot_url=bot_url, wire=wire)
        self.calls: list[ApiCall] = []
        self.missing_scopes: set[str] = set()
        self.rate_limits = False
        self.small_pages = False
        self._failures: dict[str, _Failure] = {}
        self._called: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._posted_at: dict[str, float] = {}

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

    async def serve_api(self, request: web.Request) -> web.Response:
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
            answer = {"ok": True, **self._run(name, args, given, authorization)}
        except _TooMany as limit:
            return 429, {"Retry-After": str(limit.retry_after)}, {"ok": False, "error": "ratelimited"}
        except SlackError as refusal:
            return 200, {}, {"ok": False, "error": refusal.code, **refusal.extra}
        token = self.world.tokens.get(given)
        scopes = ",".join(sorted(token.scopes - self.missing_scopes)) if token else ""
        return 200, {"X-OAuth-Scopes": scopes} if scopes else {}, answer

    def _run(self, name: str, args: dict[str, Any], given: str, authorization: str) -> dict[str, Any]:
        if name == "oauth.v2.access":
            return self.oauth.access(args, authorization)
        token = self._token(given)
        if name == "apps.connections.open":
            if token.kind != "app":
                raise SlackError("not_allowed_token_type")
            ticket = self.world.new_id("S")
            return {"url": f"{self.world.base.replace('http', 'ws', 1)}link?ticket={ticket}"}
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
