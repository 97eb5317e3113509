"""`crmchat serve` as a process that is killed at random points, and a tally of what became of every command.

Commands go in as signed slash commands, as messages to the bot in Slack, and as Teams activities. Platforms retry: the
same signed bytes, an event with Slack's retry headers, an activity again, some of them late and after other commands.
Dataverse throttles, is away, and ends connections after its commit. Answers are counted where they arrive: in the
acknowledgement, or posted to the sink that stands for both platforms.
"""

import asyncio
import json
import os
import random
import re
import signal
import sys
import time
import zlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.signature import SignatureVerifier

from crm.emulator import Emulator, Fault
from tests.ports import free_port

_COPIED = 0.2
"""Of the commands that were acknowledged, how many the platform sends once more all the same."""
_TROUBLED = 0.15
"""Faults of Dataverse for each command."""
_FAULTS: list[tuple[str, dict[str, object]]] = [
    ("429", {"status": 429, "retry_after": 1}),
    ("503", {"status": 503, "count": 2}),
    ("dropped after commit", {"drop": "after"}),
    ("dropped before", {"drop": "before"}),
]

SECRET = "a signing secret for the harness"
KEY = "a secret key for the harness"


@dataclass
class Sink:
    """Slack's API and `response_url`, and Teams' `serviceUrl`: counts the answers by the name that they carry."""

    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    """The conversations in which it was said that a command was not accepted."""
    doubted: set[str] = field(default_factory=set)
    """The same for those of which it was said that nobody knows yet."""
    texts: deque[str] = field(default_factory=lambda: deque(maxlen=200))
    """The last bodies."""

    async def take(self, request: web.Request) -> web.Response:
        text = await request.text()
        self.answers.update(names_in(text))
        where = re.findall(r"(?:Ev|teams-|trigger-)\d+(?:r\d+)?", unquote(request.path) + unquote(text))[:1]
        if "not accepted" in text:
            self.refused += where
        if "not certain" in text:
            self.doubted.update(where)
        self.texts.append(text)
        if request.path.startswith("/api/users."):
            user = {"id": "U1", "team_id": "T1", "profile": {"real_name": "Anna", "email": "anna@contoso.example"}}
            return web.json_response({"ok": True, "user": user})
        return web.json_response({"ok": True, "id": "m1", "ts": "1.1", "channel": "C1"})


def names_in(text: str) -> set[str]:
    """The people of this harness whose record card stands in the text (the card has the topic beside the name)."""
    return set(re.findall(r"Person-\d{5}", text)) if "Topic" in text else set()


@dataclass
class Tally:
    """What became of the commands."""

    commands: int
    kills: int
    requests: int = 0
    copies: int = 0
    """Requests that a platform sent once more after the acknowledgement."""
    faults: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    doubted: set[int] = field(default_factory=set)
    """Commands of which somebody was told that nobody knows yet whether they are accepted."""
    troubles: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    in_acknowledgement: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)

    @property
    def names(self) -> list[str]:
        return [name(n) for n in range(self.commands)]

    @property
    def lost(self) -> list[str]:
        """Acknowledged, and no row."""
        return [n for n in self.names if self.rows[n] == 0]

    @property
    def twice(self) -> list[str]:
        return [n for n in self.names if self.rows[n] > 1]

    @property
    def unanswered(self) -> list[str]:
        """Acknowledged, and no answer (to whom was told to look, the row is one)."""
        told = {name(n) for n in self.doubted}
        return [
            n for n in self.names
            if not self.in_acknowledgement[n] + self.delivered[n] and not (n in told and self.rows[n])
        ]  # fmt: skip

    @property
    def second_copies(self) -> int:
        """Answers posted for a command that had one already: killed between sending and recording."""
        return sum(max(0, self.delivered[n] + min(1, self.in_acknowledgement[n]) - 1) for n in self.names)

    def __str__(self) -> str:
        return (
            f"{self.commands} commands in {self.requests} requests and {self.copies} copies, {self.kills} kills, "
            f"faults {dict(self.faults)}: lost {len(self.lost)}, "
            f"twice {len(self.twice)}, unanswered {len(self.unanswered)}, answered in the acknowledgement "
            f"{sum(1 for n in self.names if self.in_acknowledgement[n])}, second copies {self.second_copies}, "
            f"refused {self.refused}, in doubt {len(self.doubted)}, troubles {dict(self.troubles)}"
        )


def name(number: int) -> str:
    return f"Person-{number:05d}"


@dataclass
class Server:
    """One `crmchat serve`, which can be killed and started again on the same port."""

    port: int
    env: dict[str, str]
    folder: Path
    program: tuple[str | Path, ...] = (Path(sys.executable).with_name("crmchat"),)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        log = (self.folder / f"serve-{self.port}.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *self.program, "serve", env=self.env, cwd=self.folder, stdout=log, stderr=log
        )
        log.close()

    async def ready(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    async with session.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                assert self.process is None or self.process.returncode is None, self.log()
                await asyncio.sleep(0.05)

    async def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process and self.process.returncode is None:
            self.process.send_signal(how)
            await asyncio.wait_for(self.process.wait(), 60)

    def log(self) -> str:
        return (self.folder / f"serve-{self.port}.log").read_text()


@dataclass
class Outside:
    """The world around the servers: Dataverse, both platforms, and whoever sends."""

    emulator: Emulator
    session: aiohttp.ClientSession
    sink: Sink
    sink_url: str
    folder: Path
    servers: list[Server] = field(default_factory=list)
    stamps: Counter[str] = field(default_factory=Counter)

    def server(self, **environment: str) -> Server:
        port = free_port()
        env = {
            "PATH": os.environ["PATH"], "PORT": str(port), "DATAVERSE_URL": self.emulator.url,
            "CRMCHAT_DATA_DIR": str(self.folder / "data"), "CRMCHAT_IDENTITY": "application",
            "CRMCHAT_SECRET_KEY": KEY, "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_BOT_TOKEN": "xoxb-harness", "SLACK_API_URL": f"{self.sink_url}/api/", "LOG_LEVEL": "WARNING",
            **environment,
        }  # fmt: skip
        server = Server(port, env, self.folder)
        self.servers.append(server)
        return server

    async def slack(self, url: str, text: str, trigger: str, *, copy: bool = False) -> tuple[int, str]:
        """A signed slash command; status and body. `copy`: the bytes of the last delivery, signature and all."""
        body = urlencode(
            {
                "command": "/crm", "text": text, "team_id": "T1", "user_id": "U1", "channel_id": f"C-{trigger}",
                "api_app_id": "A1", "trigger_id": trigger, "response_url": f"{self.sink_url}/respond/{trigger}",
            }
        )  # fmt: skip
        if not copy or not self.stamps[trigger]:
            self.stamps[trigger] = max(int(time.time()), self.stamps[trigger] + 1)
        return await self._signed(url, body, "application/x-www-form-urlencoded", self.stamps[trigger])

    async def slack_message(self, url: str, text: str, event: str, *, retry: int = 0) -> tuple[int, str]:
        """A direct message to the bot, as an event; Slack counts its retries in a header."""
        body = json.dumps(
            {
                "type": "event_callback", "event_id": event, "event_time": 1, "team_id": "T1", "api_app_id": "A1",
                "event": {"type": "message", "channel_type": "im", "channel": f"D-{event}",
                          "user": "U1", "text": text,
                          "ts": f"1.{zlib.crc32(event.encode())}"},
            }
        )  # fmt: skip
        again = {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"} if retry else {}
        return await self._signed(url, body, "application/json", int(time.time()), again)

    async def slack_press(self, url: str, button: Mapping[str, Any], trigger: str) -> int:
        """A button of a card that came by itself."""
        payload = {
            "type": "block_actions", "team": {"id": "T1"}, "user": {"id": "U1", "team_id": "T1"}, "api_app_id": "A1",
            "trigger_id": trigger, "response_url": f"{self.sink_url}/respond", "channel": {"id": "C1"},
            "container": {"type": "message", "message_ts": "1.1", "channel_id": "C1", "is_ephemeral": True},
            "actions": [{**button, "block_id": "b", "action_ts": "1.2"}],
        }  # fmt: skip
        body = urlencode({"payload": json.dumps(payload)})
        return (await self._signed(url, body, "application/x-www-form-urlencoded", int(time.time())))[0]

    async def _signed(
        self, url: str, body: str, kind: str, at: int, more: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        signature = SignatureVerifier(SECRET).generate_signature(timestamp=str(at), body=body) or ""
        headers = {
            "Content-Type": kind, "X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": signature, **(more or {}),
        }  # fmt: skip
        async with self.session.post(f"{url}/slack/events", data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def teams(self, url: str, text: str, key: str) -> tuple[int, str]:
        """A message in a personal chat."""
        activity: dict[str, Any] = {
            "type": "message", "id": key, "text": text, "channelId": "msteams", "serviceUrl": f"{self.sink_url}/",
            "from": {"id": "29:anna", "aadObjectId": "00000000-0000-4000-8000-0000000000a1", "name": "Anna"},
            "recipient": {"id": "28:bot", "name": "crm"},
            "conversation": {"id": f"a:{key}", "conversationType": "personal", "tenantId": "t"},
            "channelData": {"tenant": {"id": "t"}},
        }  # fmt: skip
        async with self.session.post(f"{url}/api/messages", json=activity) as answer:
            return answer.status, await answer.text()

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Dataverse answers creations so late."""
        self.emulator.faults.add(Fault(count=1_000_000, match="^POST .*/leads", delay=seconds))
        try:
            yield
        finally:
            self.emulator.faults.clear()

    async def fault(self, **what: object) -> None:
        """Through the emulator's control plane."""
        async with self.session.post(f"{self.emulator.url}/_emulator/faults", json=what) as answer:
            assert answer.status < 300, await answer.text()

    async def command(
        self, url: str, number: int, tries: int = 1, *, again: int = 0, copy: bool = False
    ) -> tuple[int, str]:
        """Command `number`, from the platform that sends it, in a conversation of its own: the platforms let a bot
        write only so much into one. `tries` before this one failed; `again`: how often it was refused and typed anew.
        """
        key = f"{number}r{again}" if again else str(number)
        text = f"lead create Jane {name(number)} topic=Topic-{number}"
        if number % 2:
            return await self.teams(url, text, f"teams-{key}")
        if number % 4:
            return await self.slack_message(url, text, f"Ev{key}", retry=tries)
        return await self.slack(url, text, f"trigger-{key}", copy=copy)

    async def posted(self, words: str, seconds: float = 60) -> str:
        """A message with these words that came after the acknowledgement."""
        async with asyncio.timeout(seconds):
            while True:
                if found := next((text for text in self.sink.texts if words in text), None):
                    return found
                await asyncio.sleep(0.1)

    async def rows(self) -> Counter[str]:
        """Rows in Dataverse by last name."""
        found: Counter[str] = Counter()
        url: str | None = f"{self.emulator.url}/api/data/v9.2/leads?$select=lastname"
        while url:
            async with self.session.get(url) as answer:
                page = await answer.json()
            found.update(row["lastname"] for row in page["value"])
            url = page.get("@odata.nextLink")
        return found


@asynccontextmanager
async def outside(folder: Path) -> AsyncIterator[Outside]:
    """The world; at the end every server that still runs is killed."""
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(db=":memory:"))
        sink = Sink()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", sink.take)
        server = await stack.enter_async_context(TestServer(app))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), connector=aiohttp.TCPConnector(limit=0))
        )
        world = Outside(emulator, session, sink, str(server.make_url("")).rstrip("/"), folder)
        try:
            yield world
        finally:
            for one in world.servers:
                await one.end()


async def storm(  # noqa: C901  four players, each simple
    world: Outside, *, commands: int, kills: int, rate: float, seed: int, targets: int | None = None
) -> Tally:
    """Send commands at a steady rate to the servers in turn, kill one at random points, until all are acknowledged.

    `targets`: only the first so many servers are killed, in turn.

    A server that was killed is started again at once on its port; the sender tries the next one, as a load balancer
    does, with the same key.
    """
    chance = random.Random(seed)
    tally = Tally(commands, kills)
    acknowledged: set[int] = set()
    typed: Counter[int] = Counter()
    """How often a command was refused and typed anew."""
    retyping: list[asyncio.Task[None]] = []
    reaped = asyncio.Event()

    async def send(number: int) -> None:
        await asyncio.sleep(number / rate)
        await insist(number)
        if chance.random() < _COPIED:
            await copy(number)

    async def insist(number: int) -> None:
        tries = 0
        while number not in acknowledged:
            server = world.servers[(number + tries) % len(world.servers)]
            tally.requests += 1
            try:
                status, body = await world.command(server.url, number, tries, again=typed[number])
            except (aiohttp.ClientError, TimeoutError) as e:
                tally.troubles[type(e).__name__] += 1
            else:
                if "not accepted" in body:
                    tally.refused += 1
                    typed[number] += 1
                elif status < 300:
                    acknowledged.add(number)
                    if "not certain" in body:
                        world.sink.doubted.add(f"{number}")
                    tally.in_acknowledgement.update(names_in(body))
                else:
                    tally.troubles[f"{status} {body[:60]}"] += 1
            tries += 1
            await asyncio.sleep(0.5)

    async def copy(number: int) -> None:
        """Out of order: others came in between."""
        await asyncio.sleep(chance.uniform(0, 3))
        tally.copies += 1
        with suppress(aiohttp.ClientError, TimeoutError):
            await world.command(chance.choice(world.servers).url, number, again=typed[number], copy=True)

    async def trouble() -> None:
        while len(acknowledged) < commands:
            await asyncio.sleep(chance.expovariate(rate * _TROUBLED))
            if world.emulator.faults.waiting:
                continue  # one at a time, and none piled up while a killed server starts again
            kind, what = chance.choice(_FAULTS)
            tally.faults[kind] += 1
            await world.fault(match="^POST .*/leads", **what)

    async def retype() -> None:
        """Whoever was told afterwards that nothing was accepted types it again."""
        while not reaped.is_set() or len(acknowledged) < commands or world.sink.refused:
            await asyncio.sleep(0.2)
            said, world.sink.refused = world.sink.refused, []
            for key in said:
                number, again = (int(n) for n in re.findall(r"\d+", key + "r0")[:2])
                if again == typed[number] and number in acknowledged:
                    tally.refused += 1
                    typed[number] += 1
                    acknowledged.remove(number)
                    retyping.append(asyncio.create_task(insist(number)))
        await asyncio.gather(*retyping)

    async def reap() -> None:
        # A life is counted from readiness: on a busy machine, moments on a clock would all fall into the starts.
        life = commands / rate / kills
        for turn in range(kills):
            await asyncio.sleep(chance.expovariate(1 / life))
            server = world.servers[turn % (targets or len(world.servers))]
            await server.end()
            await server.start()
            await server.ready(world.session)
        reaped.set()

    async with asyncio.timeout(2 * commands / rate + 15 * kills + 120):
        await asyncio.gather(reap(), trouble(), retype(), *(send(n) for n in range(commands)))
    await settle(world, tally, seconds=120)
    # As the card says: who was left in doubt and got no answer looks whether it was done, and if not types it again.
    tally.doubted = {int(n) for key in world.sink.doubted for n in re.findall(r"\d+", key)[:1]}
    if undone := [n for n in tally.doubted if name(n) in tally.lost]:
        for number in undone:
            typed[number] += 1
            acknowledged.remove(number)
        await asyncio.gather(*(insist(number) for number in undone))
        await settle(world, tally, seconds=60)
    return tally


async def settle(world: Outside, tally: Tally, *, seconds: float = 90) -> None:
    """Wait until every command has its row and its answer, then for a quiet second; or until the time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        tally.rows, tally.delivered = await world.rows(), Counter(world.sink.answers)
        if not tally.lost and not tally.unanswered:
            break
        await asyncio.sleep(0.2)
    before = -1
    while before != sum(world.sink.answers.values()):
        before = sum(world.sink.answers.values())
        await asyncio.sleep(1)
    tally.rows, tally.delivered = await world.rows(), Counter(world.sink.answers)


def try_again(message: str) -> Mapping[str, Any]:
    """The button of a card in Slack that was posted."""
    return next(
        e for block in json.loads(message)["blocks"] for e in block.get("elements", ())
        if e["type"] == "button" and e["text"]["text"] == "Try again"
    )  # fmt: skip
