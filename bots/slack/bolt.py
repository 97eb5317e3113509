"""Bolt, set up without its traps, and the door in front of it.

What Bolt does by itself and must not: read `SLACK_CLIENT_ID` from the environment and switch to file-based stores (our
own `authorize` wins over that); call `auth.test` for each request; poll for acknowledgements every 10 ms
(`process_before_response`); answer a non-numeric timestamp with 500; log bodies; take a signed request twice.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from sqlalchemy.exc import SQLAlchemyError

from .api import SlackApi, SlackError, Workspace, web_client
from .copies import Copies
from .installations import Installations
from .settings import SlackSettings
from .shapes import Shaped

log = logging.getLogger(__name__)

SIGNED_SECONDS = 300
"""How old a signature may be, and so how long its request could be replayed."""
PROBE = 200
"""Characters that a certificate probe of Slack's does not exceed."""


class Door:
    """Checks a request's signature over its raw bytes, before anything is parsed."""

    def __init__(self, signing_secret: str) -> None:
        self._verifier = SignatureVerifier(signing_secret) if signing_secret else None

    def signed(self, body: bytes, timestamp: str, signature: str) -> bool:
        """Whether Slack (or who holds the secret) sent exactly these bytes in the last five minutes."""
        if self._verifier is None or not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
            return False
        try:
            return self._verifier.is_valid(body, timestamp, signature)
        except (UnicodeDecodeError, TypeError):  # bytes that are no text; a signature that is not ASCII
            return False


class Authorize(AsyncAuthorize):
    """Which installation a request belongs to, from our own table and memory; never a call to Slack."""

    def __init__(self, settings: SlackSettings, installations: Installations, api: SlackApi) -> None:
        self._settings = settings
        self._installations = installations
        self._api = api
        self.own: dict[str, Any] | None = None
        """`auth.test` of the single workspace's token; None while Slack has not answered it."""

    async def learn(self) -> None:
        """Ask Slack once whose token it is. Until that succeeds, our signature alone vouches for the workspace."""
        if not self._settings.bot_token:
            return
        client = web_client(self._settings.api_url, self._api.session, self._settings.bot_token)
        try:
            answer = await client.auth_test()
        except SlackApiError as error:
            code = str(error.response.get("error", ""))
            raise SlackError("auth_test", code or "unreachable", again=not code) from error
        self.own = {key: answer.get(key) for key in ("team_id", "enterprise_id", "user_id", "bot_id")}

    async def bot_user(self, where: Workspace) -> str:
        """The id by which people mention us there; empty while it is not known."""
        if self._settings.bot_token:
            return str((self.own or {}).get("user_id") or "")
        found = await self._installations.find(where)
        return str(found.bot_user_id or "") if found else ""

    async def __call__(
        self,
        *,
        context: AsyncBoltContext,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None,
        **_: Any,
    ) -> AuthorizeResult:
        result = AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, user_id=user_id)
        if self._settings.bot_token:
            own = self.own or {}
            ours = {own.get("team_id"), own.get("enterprise_id")} - {None, ""}
            known = {team_id, enterprise_id} & ours or not ours or self._settings.any_team
            if known:
                result["bot_id"] = result.bot_id = own.get("bot_id")
                result["bot_user_id"] = result.bot_user_id = own.get("user_id")
        else:
            found = await self._installations.find(Workspace(team_id or "", enterprise_id or ""))
            known = found is not None
            if found:
                result["bot_id"] = result.bot_id = found.bot_id
                result["bot_user_id"] = result.bot_user_id = found.bot_user_id
        context["installed"] = bool(known) and self._settings.serves(team_id, enterprise_id)
        return result


class _OnlyInstalled(AsyncMiddleware):
    """A class and not a function: for a function, Bolt gathers forty arguments on each request."""

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002  (Bolt's name)
    ) -> BoltResponse | None:
        if req.context.get("installed", True):
            return await next()
        log.warning(
            "a request of workspace %s was not taken: the app is not installed there, or it is none of "
            "SLACK_ALLOWED_WORKSPACES",
            req.context.team_id,
        )
        sentence = "This app is not installed in this workspace. Ask an administrator to add it."
        return BoltResponse(status=200, body=sentence)


def make_app(settings: SlackSettings, api: SlackApi, authorize: Authorize) -> AsyncApp:
    """An AsyncApp that answers within the listener. `Door` has checked the signature before Bolt sees a byte."""
    quiet = logging.getLogger("crmchat.slack.bolt")
    quiet.setLevel(logging.ERROR)  # below, Bolt writes whole bodies into the log
    app = AsyncApp(
        name="crmchat",
        logger=quiet,
        client=web_client(settings.api_url, api.session),
        authorize=authorize,
        signing_secret=settings.signing_secret,
        request_verification_enabled=False,
        ssl_check_enabled=False,
        attaching_function_token_enabled=False,
        before_authorize=Shaped(),
        process_before_response=True,
    )
    app.error(_not_taken)
    return app


async def _not_taken(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """What Slack is told where a listener failed: without our database it comes again later, or tells the person."""
    if not isinstance(error, SQLAlchemyError):
        log.error("a request of Slack failed", exc_info=error)
        return BoltResponse(status=500)
    log.warning("a request of Slack was not taken, for the database does not answer: %s", type(error).__name__)
    if "command" not in body:
        return BoltResponse(status=503, body="busy")
    sentence = "This was not accepted, and nothing was done: the bot's database does not answer. Try again in a minute."
    return BoltResponse(status=200, body=sentence)


def guard(app: AsyncApp) -> None:
    """Turn away workspaces that the app is not installed in. To be called before listeners are added."""
    app.use(_OnlyInstalled())


class Gate:
    """The aiohttp handler of `/slack/events`."""

    def __init__(self, app: AsyncApp, door: Door) -> None:
        self._app = app
        self._door = door
        self._copies = Copies(2 * SIGNED_SECONDS)  # timestamps may lie up to five minutes ahead, too

    async def handle(self, request: web.Request) -> web.Response:
        """200 with Bolt's answer; 401 for what Slack did not sign, 400 for what nobody can read."""
        body = await request.read()
        if _probe(request.query_string) or (len(body) <= PROBE and _probe(body.decode(errors="replace"))):
            return web.Response()
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not self._door.signed(body, timestamp, signature):
            log.info("a request with a missing, wrong or stale signature was refused")
            return web.json_response({"error": "invalid signature"}, status=401)
        try:
            bolt_request = AsyncBoltRequest(body=body.decode(), headers={"content-type": request.content_type})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return web.json_response({"error": "unreadable body"}, status=400)
        # Events are deliberately delivered again and carry an id of their own (`SeenEvents`).
        if bolt_request.body.get("type") in ("event_callback", "url_verification"):
            return await self._dispatched(bolt_request)
        taken = await self._copies.taken(signature)
        if taken is not None:  # a copy is not acknowledged before what it is a copy of
            log.warning("a copy of a signed request was not taken")
            if taken and bolt_request.body.get("type") == "block_suggestion":
                # Nothing in it is its own, so that a person who looks twice within a second sends a copy.
                return web.json_response({"options": []})
            if taken:
                return web.Response(text="This request was already taken on; it is answered once.")
            return web.Response(status=503, text="busy")
        taken = False
        try:
            answer = await self._dispatched(bolt_request)
            taken = answer.status < 300
            return answer
        finally:
            self._copies.ended(signature, taken=taken)

    async def _dispatched(self, request: AsyncBoltRequest) -> web.Response:
        return await to_aiohttp_response(await self._app.async_dispatch(request))


def _probe(form: str) -> bool:
    """Slack looks at the certificate of a slash command's address now and then: unsigned, with nothing else to do.

    https://docs.slack.dev/interactivity/implementing-slash-commands: `ssl_check=1`, and the app's old token.
    """
    fields = parse_qs(form)
    return fields.get("ssl_check") == ["1"] and fields.keys() <= {"ssl_check", "token"}
