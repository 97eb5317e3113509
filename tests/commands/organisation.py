"""One organisation for the operations' tests: the emulator with its example data, and a proxy that records requests."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

import commands.operations  # joins every operation to the catalog
from commands import forms, grammar
from commands.context import Context, Shown
from commands.errors import Question
from commands.explain import explain
from commands.fields import Reading
from commands.operation import Operation
from commands.request import Face, Place, Principal, Quote, Reply
from commands.state import parse_record
from commands.vocabulary import MetadataVocabulary
from crm.auth import Application
from crm.client import Dataverse
from crm.emulator import Emulator
from crm.records import Ref

PERSON = Principal(platform="slack", tenant="T1", user="U1", name="Anna Weber", email="anna.weber@contoso.example")
PLACE = Place(platform="slack", tenant="T1", conversation="C1")
_KEEP = ("If-Match", "Prefer")


@dataclass(frozen=True)
class Call:
    """One request as Dataverse received it."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


class Recorder:
    """A server before the emulator that passes everything on and remembers it."""

    def __init__(self, target: str) -> None:
        self.calls: list[Call] = []
        self.fail_next: list[int] = []
        """Statuses to answer with, without passing the request on."""
        self.lose_answers = 0
        """How many of the next writes are carried out while their answer is lost."""
        self._target = target
        self._http: aiohttp.ClientSession | None = None
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{tail:.*}", self._pass)
        self._server = TestServer(application)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(auto_decompress=False)
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()
        if self._http:
            await self._http.close()

    @property
    def url(self) -> str:
        """Where the client should go."""
        return str(self._server.make_url("")).rstrip("/")

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.calls.append(_call(request, body))
        if self.fail_next:
            return web.json_response({"error": {"code": "", "message": "planned"}}, status=self.fail_next.pop(0))
        assert self._http
        # The host stays the proxy's, so that links in answers lead back here.
        async with self._http.request(
            request.method, f"{self._target}{request.raw_path}", data=body, headers=dict(request.headers)
        ) as answer:
            content = await answer.read()
            if self.lose_answers and request.method in {"POST", "PATCH"}:
                self.lose_answers -= 1
                assert request.transport
                request.transport.close()
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in {"content-length", "transfer-encoding"}}
            return web.Response(status=answer.status, body=content, headers=kept)


def _call(request: web.Request, body: bytes) -> Call:
    text = body.decode("utf-8", "replace")
    return Call(
        request.method,
        request.path_qs.removeprefix("/api/data/v9.2/"),
        json.loads(text) if text.startswith("{") else text or None,
        {k: v for k, v in request.headers.items() if k in _KEEP},
    )


@dataclass
class Remembered:
    """`Memory` of one conversation."""

    shown: list[Shown] = field(default_factory=list)

    async def last(self, table: str | None = None) -> Ref | None:
        """See `Memory.last`."""
        return next((s.ref for s in self.shown if table in (None, s.ref.table)), None)

    async def recent(self, limit: int = 10) -> list[Shown]:
        """See `Memory.recent`."""
        return self.shown[:limit]


class Linked:
    """`Links` in a dictionary."""

    def __init__(self) -> None:
        self.by_message: dict[str, Ref] = {}

    async def link(self, message: str, ref: Ref) -> None:
        """See `Links.link`."""
        self.by_message[message] = ref

    async def linked(self, message: str) -> Ref | None:
        """See `Links.linked`."""
        return self.by_message.get(message)


class Noted:
    """`Reminders` in a list."""

    def __init__(self) -> None:
        self.set_for: list[datetime] = []

    async def set(self, verb: str, args: dict[str, str], at: datetime, said: str) -> str:
        """See `Reminders.set`."""
        del verb, args, said
        self.set_for.append(at)
        return f"reminder-{len(self.set_for)}"

    async def call_off(self, reminder: str) -> bool:
        """See `Reminders.call_off`."""
        del reminder
        return False


class Desk:
    """Runs operations as one person in one place."""

    def __init__(self, dataverse: Dataverse, recorder: Recorder) -> None:
        self.dataverse, self.recorder = dataverse, recorder
        self.memory, self.links, self.reminders = Remembered(), Linked(), Noted()
        self._keys = (f"gesture-{n}" for n in itertools.count())

    def context(
        self,
        key: str = "",
        *,
        etag: str = "*",
        face: Face | None = None,
        quote: Quote | None = None,
        principal: Principal = PERSON,
    ) -> Context:
        """What an operation runs in; without `key`, a gesture of its own."""
        return Context(
            principal=principal,
            place=PLACE,
            key=key or next(self._keys),
            crm=self.dataverse.acting_as(Application()),
            now=datetime.now(UTC),
            memory=self.memory,
            links=self.links,
            reminders=self.reminders,
            face=face,
            quote=quote,
            etag=etag,
        )

    def read(self, text: str) -> Operation:
        """The operation that a text asks for."""
        said = grammar.parse(text, Reading(), MetadataVocabulary(self.dataverse.metadata))
        if isinstance(said, grammar.Problem):
            raise said.error
        assert isinstance(said, grammar.Parsed), said
        return said.read(Reading())

    async def say(self, text: str, ctx: Context | None = None) -> Reply:
        """The answer to a text, as a person would see it."""
        return await self.run(self.read(text), ctx or self.context())

    async def run(self, operation: Operation, ctx: Context) -> Reply:
        """The answer of an operation: what is missing is asked for, what goes wrong is explained."""
        try:
            if forms.missing(operation, self.dataverse.metadata):
                return Reply(form=await forms.form(type(operation), operation.args(), ctx))
            reply = await operation.run(ctx)
        except Question as question:
            reply = question.reply
        except Exception as e:
            return Reply(card=explain(e))
        if reply.card and reply.card.record:
            seen = Shown(parse_record(reply.card.record), reply.card.title, datetime.now(UTC))
            self.memory.shown = [seen, *(s for s in self.memory.shown if s.ref != seen.ref)]
        return reply

    @contextmanager
    def requests(self) -> Iterator[list[Call]]:
        """The requests of a block, metadata left out."""
        begin = len(self.recorder.calls)
        found: list[Call] = []
        yield found
        found += [c for c in self.recorder.calls[begin:] if "RetrieveMetadataChanges" not in c.path]


@asynccontextmanager
async def organisation() -> AsyncIterator[Desk]:
    """A desk with an organisation of its own."""
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(seed="contoso"))
        recorder = await stack.enter_async_context(Recorder(emulator.url))
        dataverse = await stack.enter_async_context(Dataverse(recorder.url))
        await dataverse.metadata.load()
        yield Desk(dataverse, recorder)


def pressed(reply: Reply, label: str) -> Operation:
    """The command behind a button of a card."""
    assert reply.card
    press = next(a.press for a in reply.card.buttons() if a.label == label)
    assert press
    return commands.operation.CATALOG[press.verb].read(press.args, Reading())


__all__ = ["PERSON", "PLACE", "Call", "Desk", "Recorder", "organisation", "pressed", "replace"]
