"""The Teams face: HTTP in, the command layer in the middle, HTTP out."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import aiohttp
import orjson
from aiohttp import web

from bots.web import loopback_only
from commands.dispatch import Dispatcher
from commands.request import (
    Message,
    Place,
    Principal,
    Quote,
    QuotedFile,
    Reply,
    Typed,
    Visibility,
)
from commands.state import State
from commands.threads import Happened

from . import requests
from .activity import Activity, BadActivity, parse
from .clouds import may_send_to
from .connector import Connector, ConnectorError
from .conversations import Conversations
from .credentials import AppTokens
from .delivery import Delivery, whose
from .drawing import Drawing
from .exchanges import Exchanges
from .extension import Extension
from .graph import Graph
from .invokes import Gesture, Invokes
from .memory import Once
from .port import Answer, Port, Turn
from .quoting import Quoting
from .readers import Readers
from .sending import Sending
from .settings import TeamsSettings
from .signin import Exchange, SignIn
from .standing import Roster
from .tokens import CHANNEL, KeysUnavailable, SigningKeys, TokenCheck, Unauthorised
from .waiting import WaitingCards

BODY_LIMIT: Final = 512 * 1024
"""Bytes of a request; Teams sends at most about 250 kB."""
SENDING: Final = 5.0
"""Seconds that the answer to a message may take within its request; what takes longer goes on behind it."""
UNKEPT: Final = 12.0
"""The same where nobody would say it again; the Bot Framework waits 15 seconds."""

_OF_PEOPLE: Final = frozenset({"message", "invoke", "messageUpdate", "messageDelete"})
_LOOKING: Final = frozenset(
    {
        "application/search",
        "composeExtension/query",
        "composeExtension/queryLink",
        "composeExtension/anonymousQueryLink",
    }
)
"""Invokes that come at every keystroke and are harmless to repeat; their answers are too large to be kept."""

log = logging.getLogger(__name__)


class TeamsFace:
    """`handler` serves POST /api/messages; `deliver` and its companions are `commands.request.Face`."""

    platform = requests.PLATFORM

    def __init__(
        self,
        settings: TeamsSettings,
        dispatcher: Dispatcher,
        session: aiohttp.ClientSession,
        state: State,
        *,
        exchange: Exchange | None = None,
    ) -> None:
        if problems := settings.problems():
            raise ValueError(" ".join(problems))
        cloud, times = settings.addresses, settings.times
        self._settings, self._dispatcher = settings, dispatcher
        self._keys: SigningKeys | None = None
        self._check: TokenCheck | None = None
        tokens = None
        if settings.app_id:
            self._keys = SigningKeys(session, settings.metadata_url or cloud.metadata_url, gap=times.keys)
            self._check = TokenCheck(
                self._keys,
                app_id=settings.app_id,
                issuer=cloud.issuer,
                tenants=settings.tenants,
                may_answer=partial(may_send_to, cloud=cloud, loopback=settings.loopback),
            )
            tokens = AppTokens(
                session,
                app_id=settings.app_id,
                password=settings.app_password,
                login_url=settings.login_url or cloud.login_url,
            )
        self._connector = Connector(session, settings, tokens)
        self._port = Port(self._connector)
        self._roster = Roster(self._connector, settings.tenants, unsigned=not settings.app_id, age=times.standing)
        self._readers = Readers(self._connector, self._roster.read, unsigned=not settings.app_id)
        self._graph = Graph(session, settings, tokens)
        self._conversations = Conversations(state, reread=times.reread)
        self._waiting = WaitingCards(state)
        drawing = Drawing(dispatcher.seal, settings.sso_resource)
        self._delivery = Delivery(self._port, self._connector, drawing, settings, self._conversations, self._waiting)
        self._exchanges = Exchanges(state)
        self._sign_in = SignIn(
            exchange if settings.sso_resource else None, dispatcher.seal, self._exchanges, window=times.exchange
        )
        self._sending = Sending(self._delivery, self._conversations, retries=times.retries)
        extension = Extension(dispatcher, window=times.lookup)
        quoting = Quoting(self.thread, patience=times.graph)
        self._invokes = Invokes(
            dispatcher, drawing, self._delivery, self._sending, extension, self._sign_in, quoting, patience=times.call
        )
        self._once: Once[Answer] = Once()

    async def start(self) -> None:
        """Fetches the issuer's keys ahead of the first message; a failure is mended by the first message."""
        await self._conversations.refresh()
        if self._keys is not None:
            self._sending.behind(self._keys.warm())

    async def stop(self) -> None:
        """Lets answers that are under way go out for some seconds."""
        await self._sending.stop(SENDING)
        await self._sign_in.stop()
        await self._readers.close()
        if self._keys is not None:
            await self._keys.close()

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """POST /api/messages. Where nobody has to sign, only programs and pages of this machine are answered."""
        return await self._handle(request) if self._check else await loopback_only(request, self._handle)

    async def _handle(self, request: web.Request) -> web.Response:
        if (request.content_length or 0) > BODY_LIMIT:
            return _problem(413, "the activity is too large")
        try:
            raw = await request.read()
            activity = parse(orjson.loads(raw))
            requests.key(activity)
        except (orjson.JSONDecodeError, BadActivity) as e:
            return _problem(400, str(e) if isinstance(e, BadActivity) else "the body is not JSON")
        if self._check is not None:
            try:
                await self._check.check(request.headers.get("Authorization"), activity)
            except Unauthorised as e:
                log.warning("an activity was refused: %s", e)
                return _problem(401, "the token is not good for this activity")
            except KeysUnavailable:
                return _problem(503, "the token cannot be checked just now")
        basic = self._check is None and (
            activity.reference.channel_id != CHANNEL or "x-ms-agents-playground" in request.headers
        )
        answer = await self.receive(activity, basic=basic)
        if answer.body is None:
            return web.Response(status=answer.status)
        return web.Response(
            status=answer.status, body=orjson.dumps(answer.body), content_type="application/json", charset="utf-8"
        )

    async def receive(self, activity: Activity, *, basic: bool = False) -> Answer:
        """Answers an activity that may be believed; the same one delivered again gets the same answer, once made."""

        async def turn() -> Answer:
            return await self._port.receive(activity, lambda turn: self._act(turn, activity, basic=basic))

        automatic = isinstance(activity.value, Mapping) and activity.value.get("trigger") == "automatic"
        if automatic or activity.name in _LOOKING:
            return await turn()
        return await self._once.run(f"{activity.type}:{requests.key(activity)}", turn)

    async def deliver(self, place: Place, principal: Principal, reply: Reply) -> str:
        """See `commands.request.Face`."""
        return await self._delivery.deliver(place, principal, reply)

    async def thread(self, place: Place, message: Message) -> Quote:
        """See `commands.request.Face`."""
        return await self._graph.thread(await self._with_group(place), message)

    async def download(self, place: Place, file: QuotedFile) -> bytes:
        """See `commands.request.Face`."""
        return await self._graph.download(place, file)

    async def outsiders(self, place: Place) -> bool:
        """See `commands.request.Face`."""
        return await self._readers.outsiders(place)

    async def profile(self, principal: Principal) -> Principal:
        """See `commands.request.Face`. Teams names people by Entra object id, which needs no look-up."""
        return principal

    async def forget_old(self) -> int:
        """Drop what is known of conversations and gestures and past its time; how many rows went."""
        kept = (self._conversations, self._waiting, self._exchanges)
        return sum([await of_them.forget_old() for of_them in kept])

    async def _with_group(self, place: Place) -> Place:
        """The place with the Entra group of its team, which Teams does not send with every gesture."""
        team = place.address.get("team")
        if not team or place.address.get("group") or not self._settings.app_id:  # without one there is no Graph
            return place
        try:
            group = await self._connector.team(place.address.get("service_url", ""), team)
        except ConnectorError as e:
            log.info("the group of a team is not known: %s", e)
            return place
        return replace(place, address=place.address | {"group": group})

    async def _act(self, turn: Turn, activity: Activity, *, basic: bool) -> Answer:
        gesture = Gesture(turn, activity, basic=basic)
        if not basic and activity.type in _OF_PEOPLE:
            gesture.who = await self._roster.placed(gesture.who, activity)
        conversation = gesture.where.conversation
        match activity.type:
            case "invoke":
                return await self._invokes.answer(gesture)
            case "message":
                await self._conversations.here_again(conversation)
                await self._hear(gesture)
            case "messageUpdate" | "messageDelete" if not gesture.personal:
                await self._overhear(gesture, _change(activity))
            case "installationUpdate":
                action = str(activity.raw.get("action") or "")
                if action.startswith("remove"):
                    await self._conversations.sent_away(conversation, whose(gesture.where, gesture.who))
                else:
                    await self._conversations.forget(conversation)
                    if action == "add":  # and not at every new version of the app
                        await self._say(gesture, Typed("help"), for_all=True)
            case _:
                log.debug("an activity that needs no answer: %s", activity.type)
        return Answer(200)

    async def _hear(self, gesture: Gesture) -> None:
        """A message: words, or the button of a client that knows no `Action.Execute`."""
        if gesture.value and not gesture.activity.text:
            ask = self._invokes.ask(gesture.value)
            if ask is None:
                await self._send(gesture, Reply(card=self._dispatcher.stale()))
                return
            await self._send(gesture, await self._dispatcher.dispatch(gesture.request(ask)))
            return
        if gesture.activity.addressed:
            # Alone with the bot nobody talks about a case; among others what is no command may be a note on it.
            message = None if gesture.personal else requests.message(gesture.activity, gesture.where)
            await self._say(gesture, Typed(requests.words(gesture.activity), message))
        else:
            await self._overhear(gesture, Happened.WRITTEN)

    async def _overhear(self, gesture: Gesture, happened: Happened) -> None:
        """What people say to each other: noted where the thread follows a case, and no concern of ours elsewhere."""
        message = requests.message(gesture.activity, gesture.where)
        reply = await self._dispatcher.listening.heard(gesture.who, gesture.where, message, happened)
        if reply is not None:
            await self._send(gesture, reply)

    async def _say(self, gesture: Gesture, words: Typed, *, for_all: bool = False) -> None:
        reply = await self._dispatcher.dispatch(gesture.request(words))
        if for_all:
            reply = Reply(card=reply.card, visibility=Visibility.EVERYONE)
        await self._send(gesture, reply)

    async def _send(self, gesture: Gesture, reply: Reply) -> None:
        await self._sending.send(gesture, reply, within=UNKEPT if reply.unkept else SENDING)


def _change(activity: Activity) -> Happened:
    """What became of a message, from the activity that tells so."""
    if activity.type == "messageDelete":
        return Happened.DELETED
    data = activity.raw.get("channelData")
    if isinstance(data, Mapping) and data.get("eventType") == "undeleteMessage":
        return Happened.RESTORED
    # What was said to the bot may have been a command; then no edit makes a note of it.
    return Happened.AMENDED if activity.addressed else Happened.EDITED


def _problem(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
