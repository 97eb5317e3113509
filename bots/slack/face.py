"""The whole Slack face behind one class; see the package's own page."""

import asyncio
import logging

from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from sqlalchemy.ext.asyncio import AsyncEngine

from commands.dispatch import Dispatcher
from commands.request import Message, Place, Principal, Quote, QuotedFile, Reply

from .api import SlackApi, SlackError, web_client
from .bolt import Authorize, Door, Gate, guard, make_app
from .delivery import Delivery
from .desk import Desk
from .events import Events
from .installations import Cipher, Installations, OAuthStates
from .interactions import Interactions
from .modals import Modals
from .oauth import OAuth
from .people import People
from .reading import Reading
from .seen_events import SeenEvents
from .settings import SlackSettings
from .tasks import Tasks
from .tokens import Tokens

log = logging.getLogger(__name__)

LEARN_PAUSES = (1.0, 5.0, 30.0, 120.0)
"""Seconds between tries to learn whose bot token this is; then every two minutes."""


class SlackFace:
    """Implements `commands.request.Face`; its handlers go to the web application."""

    platform = "slack"

    def __init__(self, settings: SlackSettings, *, engine: AsyncEngine, cipher: Cipher) -> None:
        self._settings = settings
        self._engine = engine
        self._tasks = Tasks()
        self.installations = Installations(engine, cipher)
        self._tokens = Tokens(settings, self.installations, self._tasks)
        self._api = SlackApi(settings.api_url, self._tokens.get)
        self._people = People(self._api, self._tasks)
        self._reading = Reading(settings, self._api, self._people)
        self._delivery: Delivery | None = None
        self._gate: Gate | None = None
        self._oauth: OAuth | None = None
        self._socket: AsyncSocketModeHandler | None = None

    async def start(self, dispatcher: Dispatcher) -> None:
        """Open the HTTP session, and begin to listen; Slack itself may be unreachable for now."""
        settings = self._settings
        await self._api.start()
        self._tokens.session = self._api.session
        self._delivery = Delivery(settings, self._api, dispatcher.seal)
        desk = Desk(
            settings=settings,
            dispatcher=dispatcher,
            api=self._api,
            people=self._people,
            reading=self._reading,
            delivery=self._delivery,
            modals=Modals(dispatcher.seal),
            tasks=self._tasks,
            seen=SeenEvents(self._engine),
        )
        authorize = Authorize(settings, self.installations, self._api)
        app = make_app(settings, self._api, authorize)
        guard(app)
        Interactions(desk, app)
        Events(desk, app, authorize, self.installations)
        self._gate = Gate(app, Door(settings.signing_secret))
        self._oauth = OAuth(settings, self._api, self.installations, OAuthStates(self._engine))
        if settings.bot_token:
            self._tasks.start(_learn(authorize), "learn whose bot token this is", patient=True)
        if settings.app_token:
            self._socket = AsyncSocketModeHandler(
                app, settings.app_token, _socket_log(), web_client=web_client(settings.api_url, self._api.session)
            )
            self._tasks.start(_connect(self._socket), "connect by Socket Mode", patient=True)

    async def stop(self, grace: float = 5.0) -> None:
        """Let what runs finish for `grace` seconds, then close the connections."""
        if self._socket:
            await self._socket.client.close()  # type: ignore[no-untyped-call]
        await self._tasks.drain(grace)
        await self._api.stop()

    # the web application's handlers

    async def events(self, request: web.Request) -> web.Response:
        """`/slack/events`: commands, interactivity, options and events."""
        if self._gate is None:
            return web.json_response({"error": "starting"}, status=503)
        return await self._gate.handle(request)

    async def install(self, request: web.Request) -> web.Response:
        """`/slack/install`."""
        return await self._oauth.install(request) if self._oauth else web.Response(status=503)

    async def oauth_redirect(self, request: web.Request) -> web.Response:
        """`/slack/oauth_redirect`."""
        return await self._oauth.redirect(request) if self._oauth else web.Response(status=503)

    # what the command layer asks of a face

    async def deliver(self, place: Place, principal: Principal, reply: Reply) -> str:
        """See `Delivery.deliver`."""
        if self._delivery is None:
            raise RuntimeError("SlackFace.start() has not run")
        return await self._delivery.deliver(place, principal, reply)

    async def thread(self, place: Place, message: Message) -> Quote:
        """See `Reading.thread`."""
        return await self._reading.thread(place, message)

    async def download(self, place: Place, file: QuotedFile) -> bytes:  # noqa: ARG002  (the file knows its workspace)
        """See `Reading.download`."""
        return await self._reading.download(file)

    async def outsiders(self, place: Place) -> bool:
        """See `Reading.outsiders`."""
        return await self._reading.outsiders(place)

    async def profile(self, principal: Principal) -> Principal:
        """See `People.profile`."""
        return await self._people.profile(principal)


async def _learn(authorize: Authorize) -> None:
    """Until Slack has said it: without it, our own messages could not be told from others'."""
    pauses = iter(LEARN_PAUSES)
    level = logging.DEBUG  # the playground's own Slack listens a moment after we have started
    while True:
        try:
            await authorize.learn()
        except (SlackError, OSError, TimeoutError) as error:
            final = isinstance(error, SlackError) and not error.again
            log.log(logging.WARNING if final else level, "Slack does not say whose SLACK_BOT_TOKEN this is: %s", error)
            level = logging.WARNING
            if final:
                return
            await asyncio.sleep(next(pauses, LEARN_PAUSES[-1]))
        else:
            return


def _socket_log() -> logging.Logger:
    """slack_sdk's client tries for ever to connect, and writes a stack trace each time: here it is a line."""
    quiet = logging.getLogger("crmchat.slack.socket")
    quiet.setLevel(logging.WARNING)

    def one_line(record: logging.LogRecord) -> bool:
        record.exc_info, record.msg, record.args = None, " ".join(record.getMessage().split()), None
        return True

    if not quiet.filters:
        quiet.addFilter(one_line)
    return quiet


async def _connect(socket: AsyncSocketModeHandler) -> None:
    """The client reconnects by itself once it has been connected; the first time it does not."""
    pauses = iter(LEARN_PAUSES)
    while True:
        try:
            await socket.client.connect()  # type: ignore[no-untyped-call]
        except Exception as error:  # whatever slack_sdk's client raises, it is tried again
            log.warning("Socket Mode is not connected: %s", type(error).__name__)
            await asyncio.sleep(next(pauses, LEARN_PAUSES[-1]))
        else:
            log.info("connected by Socket Mode")
            return
