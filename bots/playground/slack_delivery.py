"""From the fake Slack to the bot: signed HTTP, or an envelope over Socket Mode; one deadline for both."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import aiohttp
from aiohttp import web

from .answer import Answer, Delivery, Wire, deliver
from .slack_world import World

ACK_SECONDS = 3.0
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
_ENVELOPES = {"command": "slash_commands", "event": "events_api"}


class BotLink:
    """Everything that reaches the bot goes through `post` here, and is kept in `answers`."""

    def __init__(self, world: World, *, signing_secret: str, bot_url: str, wire: Wire | None = None) -> None:
        self.world = world
        self.signing_secret = signing_secret
        self.bot_url = bot_url
        self.wire = wire or Wire()
        self.answers: list[Answer] = []
        self.sockets: list[web.WebSocketResponse] = []
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session

    async def close(self) -> None:
        """Stop waiting for answers, drop sockets, close the HTTP session."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something that nobody waits for now; `settle` does."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for the events that follow from what was done, such as those for the bot's own messages."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- signing

    def sign(self, body: bytes, *, timestamp: int | str | None = None, secret: str | None = None) -> dict[str, str]:
        """Slack's two headers for a body; another secret or an old timestamp makes a forgery or a stale request."""
        at = str(int(time.time()) if timestamp is None else timestamp)
        key = (self.signing_secret if secret is None else secret).encode()
        digest = hmac.new(key, b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}

    async def raw(self, body: bytes | str, headers: Mapping[str, str]) -> Answer:
        """These bytes with these headers, nothing added."""
        content = body.encode() if isinstance(body, str) else body
        return await self._http(Delivery(url=self.bot_url, body=content, headers=dict(headers), label="raw"))

    # -- the three shapes

    async def post_form(self, fields: Mapping[str, str], label: str) -> Answer:
        return await self._post(urlencode(fields).encode(), FORM, label, fields, "command")

    async def post_payload(self, payload: Mapping[str, Any], label: str) -> Answer:
        body = urlencode({"payload": json.dumps(payload, ensure_ascii=False)}).encode()
        return await self._post(body, FORM, label, payload, "interactive")

    async def post_event(self, envelope: Mapping[str, Any], label: str) -> Answer:
        return await self._post(json.dumps(envelope, ensure_ascii=False).encode(), JSON, label, envelope, "event")

    async def redeliver(self, delivery: Delivery, *, number: int = 1, reason: str = "http_timeout") -> Answer:
        """The same body again, signed anew, with the headers of Slack's retries."""
        retry = {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        headers = {"Content-Type": delivery.headers.get("Content-Type", JSON), **self.sign(delivery.body), **retry}
        if self.sockets:
            kind, payload = _from_body(delivery.body, headers["Content-Type"])
            extra = {"retry_attempt": number, "retry_reason": reason}
            return await self._envelope(kind, payload, delivery, extra)
        return await self._http(
            Delivery(url=self.bot_url, body=delivery.body, headers=headers, label=f"{delivery.label} (retry {number})")
        )

    async def _post(self, body: bytes, kind: str, label: str, shown: Mapping[str, Any], channel: str) -> Answer:
        headers = {
            "Content-Type": kind,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            **self.sign(body),
        }
        delivery = Delivery(url=self.bot_url, body=body, headers=headers, label=label)
        if self.sockets:
            return await self._envelope(_ENVELOPES.get(channel, "interactive"), shown, delivery, {})
        return await self._http(delivery)

    async def _http(self, delivery: Delivery) -> Answer:
        return self._keep(await deliver(self.session, delivery, ACK_SECONDS), delivery)

    async def _envelope(
        self, kind: str, payload: Mapping[str, Any], delivery: Delivery, extra: Mapping[str, Any]
    ) -> Answer:
        envelope_id = str(uuid.uuid4())
        waiting = self._acks[envelope_id] = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        # spread over the connections, as Slack does
        socket = self.sockets[len(self.answers) % len(self.sockets)]
        accepts = kind != "events_api"
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": accepts}
        try:
            await socket.send_json(envelope | dict(extra))
            ack = await asyncio.wait_for(waiting, ACK_SECONDS)
        except (TimeoutError, ConnectionError):
            seconds = time.perf_counter() - started
            return self._keep(Answer(status=0, seconds=seconds, error="operation_timeout", delivery=delivery), delivery)
        finally:
            self._acks.pop(envelope_id, None)
        given = ack.get("payload")
        body = b"" if not given else given.encode() if isinstance(given, str) else json.dumps(given).encode()
        headers = {"Content-Type": JSON} if isinstance(given, dict) else {}
        seconds = time.perf_counter() - started
        return self._keep(Answer(status=200, headers=headers, body=body, seconds=seconds, delivery=delivery), delivery)

    def acknowledge(self, frame: Mapping[str, Any]) -> None:
        """A frame that came back over a socket."""
        waiting = self._acks.get(str(frame.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(dict(frame))

    def _keep(self, answer: Answer, delivery: Delivery) -> Answer:
        self.answers.append(answer)
        _, shown = _from_body(delivery.body, delivery.headers.get("Content-Type", JSON))
        said = answer.json if answer.json is not None else answer.text or answer.error
        self.wire.record("Slack → bot", delivery.label, answer.status, answer.seconds, shown, said)
        self.world.changed()
        return answer


def _from_body(body: bytes, content_type: str) -> tuple[str, Any]:
    """The kind of Socket Mode envelope, and the content, of an HTTP body."""
    text = body.decode("utf-8", "replace")
    if content_type.startswith(FORM):
        fields = {key: values[0] for key, values in parse_qs(text, keep_blank_values=True).items()}
        if "payload" not in fields:
            return "slash_commands", fields
        text = fields["payload"]
    try:
        return "interactive" if content_type.startswith(FORM) else "events_api", json.loads(text)
    except ValueError:
        return "interactive", text
