"""`crmchat serve` as a process that is killed at random points, and a tally of what became of every command.

Commands go in as signed Slack bytes and as Teams activities; a platform's retry is the same bytes with the same key.
Answers are counted where they arrive: in the acknowledgement, or posted to the sink that stands for both platforms.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.signature import SignatureVerifier

from crm.emulator import Emulator, Fault

SECRET = "a signing secret for the harness"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Sink:
    """Slack's API and `response_url`, and Teams' `serviceUrl`: counts the answers by the name that they carry."""

    answers: Counter[str] = field(default_factory=Counter)

    async def take(self, request: web.Request) -> web.Response:
        text = await request.text()
        self.answers.update(names_in(text))
        if request.path.startswith("/api/users."):
            return web.json_response({"ok": False, "error": "user_not_found"})
        return web.json_response({"ok": True, "id": "m1", "ts": "1.1", "channel": "C1"})


def names_in(text: str) -> set[str]:
    """The people of this harness whose record card stands in the text (the card has the topic beside the name)."""
    return {
        word
        for word in text.replace('"', " ").replace("*", " ").split()
        if word.startswith("Person-") and "Topic" in text
    }


@dataclass
class Tally:
    """What became of the commands."""

    commands: int
    kills: int
    requests: int = 0
    refused: int = 0
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
        return [n for n in self.names if not self.in_acknowledgement[n] + self.delivered[n]]

    @property
    def second_copies(self) -> int:
        """Answers posted for a command that had one already: killed between sending and recording."""
        return sum(max(0, self.delivered[n] + min(1, self.in_acknowledgement[n]) - 1) for n in self.names)

    def __str__(self) -> str:
        return (
            f"{self.commands} commands in {self.requests} requests, {self.kills} kills: lost {len(self.lost)}, "
            f"twice {len(self.twice)}, unanswered {len(self.unanswered)}, answered in the acknowledgement "
            f"{sum(1 for n in self.names if self.in_acknowledgement[n])}, second copies {self.second_copies}, "
            f"refused {self.refused}, troubles {dict(self.troubles)}"
        )


def name(number: int) -> str:
    return f"Person-{number:05d}"


@dataclass
class Server:
    """One `crmchat serve`, which can be killed and started again on the same port."""

    port: int
    env: dict[str, str]
    folder: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        log = (self.folder / f"serve-{self.port}.log").open("ab")
        script = Path(sys.executable).with_name("crmchat")
        self.process = await asyncio.create_subprocess_exec(
            script, "serve", env=self.env, cwd=self.folder, stdout=log, stderr=log
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
            await asyncio.wait_for(self.process.wait(), 30)

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
            "CRMCHAT_SECRET_KEY": "a secret key for the harness", "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_BOT_TOKEN": "xoxb-harness", "SLACK_API_URL": f"{self.sink_url}/api/", "LOG_LEVEL": "WARNING",
            **environment,
        }  # fmt: skip
        server = Server(port, env, self.folder)
        self.servers.append(server)
        return server

    async def slack(self, url: str, text: str, trigger: str) -> tuple[int, str]:
        """A signed slash command; status and body."""
        body = urlencode(
            {
                "command": "/crm", "text": text, "team_id": "T1", "user_id": "U1", "channel_id": "C1",
                "api_app_id": "A1", "trigger_id": trigger, "response_url": f"{self.sink_url}/respond",
            }
        )  # fmt: skip
        # Never the same bytes twice: the server does not take a copy of a signed request.
        self.stamps[trigger] = max(int(time.time()), self.stamps[trigger] + 1)
        stamp = str(self.stamps[trigger])
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=body) or "",
        }
        async with self.session.post(f"{url}/slack/events", data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def teams(self, url: str, text: str, key: str) -> tuple[int, str]:
        """A message in a personal chat."""
        activity: dict[str, Any] = {
            "type": "message", "id": key, "text": text, "channelId": "msteams", "serviceUrl": f"{self.sink_url}/",
            "from": {"id": "29:anna", "aadObjectId": "00000000-0000-4000-8000-0000000000a1", "name": "Anna"},
            "recipient": {"id": "28:bot", "name": "crm"},
            "conversation": {"id": "a:1", "conversationType": "personal", "tenantId": "t"},
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


async def storm(world: Outside, *, commands: int, kills: int, rate: float, seed: int) -> Tally:
    """Send commands at a steady rate to the servers in turn, kill one at random points, until all are acknowledged.

    A server that was killed is started again at once on its port; the sender tries the next one, as a load balancer
    does, with the same key.
    """
    chance = random.Random(seed)
    tally = Tally(commands, kills)
    acknowledged: set[int] = set()

    async def send(number: int) -> None:
        await asyncio.sleep(number / rate)
        turn = number
        while number not in acknowledged:
            server = world.servers[turn % len(world.servers)]
            turn += 1
            text = f"lead create Jane {name(number)} topic=Topic-{number}"
            tally.requests += 1
            try:
                if number % 2:
                    status, body = await world.teams(server.url, text, f"teams-{number}")
                else:
                    status, body = await world.slack(server.url, text, f"trigger-{number}")
            except (aiohttp.ClientError, TimeoutError) as e:
                tally.troubles[type(e).__name__] += 1
                await asyncio.sleep(0.3)
                continue
            if "not accepted" in body:
                tally.refused += 1
            elif status < 300:
                acknowledged.add(number)
                tally.in_acknowledgement.update(names_in(body))
                return
            else:
                tally.troubles[f"{status} {body[:60]}"] += 1
            await asyncio.sleep(0.3)

    async def reap() -> None:
        span = commands / rate
        for moment in sorted(chance.uniform(0.05, 0.95) * span for _ in range(kills)):
            due = started + moment - asyncio.get_running_loop().time()
            await asyncio.sleep(max(due, chance.uniform(0.0, 0.2)))
            server = chance.choice(world.servers)
            await server.end()
            await server.start()
            await server.ready(world.session)

    started = asyncio.get_running_loop().time()
    async with asyncio.timeout(commands / rate + 15 * kills + 120):
        await asyncio.gather(reap(), *(send(n) for n in range(commands)))
    await settle(world, tally)
    return tally


async def settle(world: Outside, tally: Tally, *, seconds: float = 40) -> None:
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
