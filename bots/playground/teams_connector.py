"""The Bot Framework connector: what the bot calls at a `serviceUrl`, with its errors, limits and throttling."""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import adaptive
from .answer import Wire
from .teams_contract import OAUTH_CARD, sign_in_problems
from .teams_issuer import Issuer
from .teams_world import MAX_MESSAGE_BYTES, ConnectorError, Conversation, Post, World

# how many sends in how many seconds, per bot and conversation
SEND_WINDOWS = ((7, 1.0), (8, 2.0), (60, 30.0), (1800, 3600.0))
Handler = Callable[[web.Request, Any], Awaitable[tuple[int, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorCall:
    """One request of the bot, with our answer. `route` is like "POST activities"."""

    route: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    answer: Any
    authorization: str


@dataclass(slots=True, kw_only=True)
class _Failure:
    status: int
    code: str
    times: int
    retry_after: float | None


class Connector:
    """The routes under a service URL. `throttle` turns the published limits on; `card_problems` collects what is wrong
    with the cards that were sent."""

    def __init__(self, world: World, issuer: Issuer, wire: Wire) -> None:
        self.world = world
        self.issuer = issuer
        self.wire = wire
        self.calls: list[ConnectorCall] = []
        self.card_problems: list[str] = []
        self.throttle = False
        self.tokens: dict[tuple[str, str], str] = {}
        self.needs_consent = False
        self._failures: dict[str, _Failure] = {}
        self._sent: dict[str, deque[float]] = defaultdict(deque)

    def fail(self, route: str, status: int, code: str, *, times: int = 1, retry_after: float | None = None) -> None:
        """Make the next calls of a route ("POST activities", "*" …) fail."""
        self._failures[route] = _Failure(status=status, code=code, times=times, retry_after=retry_after)

    def routes(self) -> list[web.RouteDef]:
        table: list[tuple[str, str, str, Handler]] = [
            ("POST", "/v3/conversations", "POST conversations", self._create),
            ("POST", "/v3/conversations/{cid}/activities", "POST activities", self._send),
            ("POST", "/v3/conversations/{cid}/activities/{aid}", "POST activities", self._send),
            ("PUT", "/v3/conversations/{cid}/activities/{aid}", "PUT activities", self._update),
            ("DELETE", "/v3/conversations/{cid}/activities/{aid}", "DELETE activities", self._delete),
            ("GET", "/v3/conversations/{cid}/members", "GET members", self._members),
            ("GET", "/v3/conversations/{cid}/pagedmembers", "GET pagedmembers", self._paged_members),
            ("GET", "/v3/conversations/{cid}/members/{uid}", "GET member", self._member),
            ("GET", "/v3/teams/{tid}", "GET team", self._team),
            ("GET", "/v3/teams/{tid}/conversations", "GET channels", self._channels),
            ("GET", "/api/usertoken/GetToken", "GET token", self._get_token),
            ("POST", "/api/usertoken/exchange", "POST exchange", self._exchange),
            ("DELETE", "/api/usertoken/SignOut", "DELETE token", self._sign_out),
            ("GET", "/api/botsignin/GetSignInResource", "GET sign-in", self._sign_in_resource),
        ]
        return [web.route(verb, path, self._served(route, run)) for verb, path, route, run in table]

    def _served(self, route: str, run: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            started = time.perf_counter()
            raw = await request.read()
            headers: dict[str, str] = {}
            try:
                body = json.loads(raw) if raw else None
                self._refuse(route, request.headers.get("Authorization", ""), headers)
                status, answer = await run(request, body)
            except ConnectorError as refusal:
                status, answer = refusal.status, {"error": {"code": refusal.code, "message": refusal.message}}
                if refusal.status == 429:
                    headers.setdefault("Retry-After", "1")
            except ValueError:
                body, status, answer = None, 400, {"error": {"code": "BadSyntax", "message": "no JSON"}}
            call = ConnectorCall(
                route=route,
                path=request.path,
                query=dict(request.query),
                body=body,
                status=status,
                answer=answer,
                authorization=request.headers.get("Authorization", ""),
            )
            self.calls.append(call)
            self.wire.record("bot → Teams", route, status, time.perf_counter() - started, body, answer)
            if answer is None:
                return web.Response(status=status, headers=headers)
            return web.json_response(answer, status=status, headers=headers)

        return serve

    def _refuse(self, route: str, authorization: str, headers: dict[str, str]) -> None:
        if self.issuer.app_id and not self.issuer.accepts(authorization):
            raise ConnectorError(401, "Unauthorized", "Authorization has been denied for this request.")
        failure = self._failures.get(route) or self._failures.get("*")
        if failure is not None and failure.times > 0:
            failure.times -= 1
            if failure.retry_after is not None:
                headers["Retry-After"] = str(failure.retry_after)
            raise ConnectorError(failure.status, failure.code)

    # -- conversations and activities

    async def _create(self, _: web.Request, body: Any) -> tuple[int, Any]:
        channel = ((body.get("channelData") or {}).get("channel") or {}).get("id")
        if channel:
            place = self.world.conversation(channel)
            post = self._post(place, body["activity"], root="")
            return 201, {"id": f"{place.id};messageid={post.id}", "activityId": post.id}
        members = body.get("members") or []
        if body.get("isGroup") or len(members) != 1:
            raise ConnectorError(400, "BadArgument", "Bots can create conversations with one person only.")
        try:
            person = self.world.person(members[0]["id"])
        except KeyError:
            raise ConnectorError(400, "BadArgument", "Unknown user") from None
        if "@" in members[0]["id"]:
            raise ConnectorError(400, "BadArgument", "An e-mail address is no user id.")
        if body.get("tenantId", self.world.tenant) != self.world.tenant:
            raise ConnectorError(403, "BotNotInConversationRoster")
        place = self.world.personal(person)
        if not place.bot:
            raise ConnectorError(403, "ForbiddenOperationException", "The app is not installed for this person.")
        answer = {"id": place.id}
        if body.get("activity"):
            answer["activityId"] = self._post(place, body["activity"], root="").id
        return 201, answer

    async def _send(self, request: web.Request, body: Any) -> tuple[int, Any]:
        place, root = self._place(request)
        targeted = request.query.get("isTargetedActivity") == "true"
        reader = ""
        if targeted:
            reader = (body.get("recipient") or {}).get("id", "")
            if reader not in place.members:
                raise ConnectorError(400, "BadArgument", "The recipient is not a member of this conversation.")
        if body.get("type") == "typing":
            return 201, {"id": self.world.new_id()}
        if place.kind == "channel" and not root:
            reply_to = request.match_info.get("aid") or body.get("replyToId") or ""
            root = self.world.posts[reply_to].root or reply_to if reply_to in self.world.posts else ""
        return 201, {"id": self._post(place, body, root=root, reader=reader).id}

    async def _update(self, request: web.Request, body: Any) -> tuple[int, Any]:
        place, _ = self._place(request)
        post = self._own(request, place)
        if request.query.get("isTargetedActivity") == "true" and "recipient" in body:
            raise ConnectorError(400, "BadArgument", "Leave the recipient out when updating a targeted message.")
        self._check(body)
        post.activity = {key: value for key, value in body.items() if key != "id"}
        post.views.clear()
        post.edited = True
        self.world.changed()
        return 200, {"id": post.id}

    async def _delete(self, request: web.Request, _: Any) -> tuple[int, Any]:
        place, _root = self._place(request)
        self._own(request, place).deleted = True
        self.world.changed()
        return 200, None

    def _place(self, request: web.Request) -> tuple[Conversation, str]:
        """The conversation and the thread's root; a refusal when the bot may not write there."""
        wanted = request.match_info["cid"]
        place = self.world.conversation(wanted)
        if not place.bot:
            raise ConnectorError(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        if place.refuses:
            raise ConnectorError(403, place.refuses)
        self._throttled(place.id)
        return place, wanted.partition(";messageid=")[2]

    def _throttled(self, conversation: str) -> None:
        if not self.throttle:
            return
        now = self.world.now()
        sent = self._sent[conversation]
        for most, seconds in SEND_WINDOWS:
            if sum(1 for at in sent if now - at < seconds) >= most:
                raise ConnectorError(429, "TooManyRequests", "API calls quota exceeded.")
        sent.append(now)

    def _own(self, request: web.Request, place: Conversation) -> Post:
        post = self.world.find(request.match_info["aid"], place)
        if not post.by_bot:
            raise ConnectorError(403, "ForbiddenOperationException", "Not the bot's own message.")
        return post

    def _post(self, place: Conversation, activity: Mapping[str, Any], root: str, reader: str = "") -> Post:
        if not place.bot:
            raise ConnectorError(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        self._check(activity)
        post = Post(
            id=self.world.new_id(),
            conversation=place.id,
            root=root,
            sender="bot",
            activity=dict(activity),
            at=self.world.now(),
            to=reader,
        )
        return self.world.add(post)

    def _check(self, activity: Mapping[str, Any]) -> None:
        size = len(json.dumps(activity, ensure_ascii=False, separators=(",", ":")).encode("utf-16-le"))
        if size > MAX_MESSAGE_BYTES:
            raise ConnectorError(413, "MessageSizeTooBig", "Message size too large.")
        for attachment in activity.get("attachments") or ():
            if attachment.get("contentType") == adaptive.CONTENT_TYPE:
                self.card_problems += adaptive.problems(attachment.get("content"))
            if attachment.get("contentType") == OAUTH_CARD:
                self.card_problems += sign_in_problems(attachment.get("content"))

    # -- people and teams

    async def _members(self, request: web.Request, _: Any) -> tuple[int, Any]:
        place, _root = self._place(request)
        return 200, [self.world.member(self.world.people[m]) for m in place.members]

    async def _paged_members(self, request: web.Request, _: Any) -> tuple[int, Any]:
        place, _root = self._place(request)
        size = max(50, min(int(request.query.get("pageSize", 200)), 500))
        start = int(request.query.get("continuationToken") or 0)
        page = place.members[start : start + size]
        answer: dict[str, Any] = {"members": [self.world.member(self.world.people[m]) for m in page]}
        if start + size < len(place.members):
            answer["continuationToken"] = str(start + size)
        return 200, answer

    async def _member(self, request: web.Request, _: Any) -> tuple[int, Any]:
        place, _root = self._place(request)
        try:
            person = self.world.person(request.match_info["uid"])
        except KeyError:
            raise ConnectorError(404, "MemberNotFoundInConversation") from None
        if person.teams not in place.members:
            raise ConnectorError(404, "MemberNotFoundInConversation")
        return 200, self.world.member(person)

    async def _team(self, request: web.Request, _: Any) -> tuple[int, Any]:
        seed = self.world.seed
        if request.match_info["tid"] != seed.team_id:
            raise ConnectorError(404, "TeamNotFound")
        return 200, {"id": seed.team_id, "name": seed.company, "aadGroupId": seed.tenant}

    async def _channels(self, _: web.Request, __: Any) -> tuple[int, Any]:
        channels = [c for c in self.world.conversations.values() if c.kind == "channel"]
        return 200, {"conversations": [{"id": c.id, "name": c.name} for c in channels]}

    # -- the token service, for sign-in

    async def _get_token(self, request: web.Request, _: Any) -> tuple[int, Any]:
        key = (request.query["userId"], request.query["connectionName"])
        if key not in self.tokens:
            raise ConnectorError(404, "NotFound")
        return 200, self._token_answer(key)

    async def _exchange(self, request: web.Request, body: Any) -> tuple[int, Any]:
        if self.needs_consent or not body.get("token"):
            raise ConnectorError(400, "ConsentRequired", "The user must consent first.")
        key = (request.query["userId"], request.query["connectionName"])
        person = self.world.person(key[0])
        self.tokens[key] = self.issuer.user_token(person.aad, "https://org.crm.dynamics.com")
        return 200, self._token_answer(key)

    async def _sign_out(self, request: web.Request, _: Any) -> tuple[int, Any]:
        self.tokens.pop((request.query["userId"], request.query.get("connectionName", "")), None)
        return 200, None

    async def _sign_in_resource(self, request: web.Request, _: Any) -> tuple[int, Any]:
        link = str(request.url.with_path(request.path.replace("api/botsignin/GetSignInResource", "signin")))
        exchange = {"id": self.world.new_id(), "uri": f"api://botid-{self.issuer.app_id}"}
        return 200, {"signInLink": link, "tokenExchangeResource": exchange}

    def _token_answer(self, key: tuple[str, str]) -> dict[str, str]:
        return {"channelId": "msteams", "connectionName": key[1], "token": self.tokens[key]}
