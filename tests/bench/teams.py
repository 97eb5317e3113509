"""What a Teams activity costs: the whole bot answering `help`, beside a bare botbuilder echo bot.

python -m tests.bench.teams

Each bot is a process of its own with token checks off; the connector and the load are in this one. Every activity comes
from a conversation of its own, as Teams' limits are per conversation.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

IN_FLIGHT = 64
SECONDS = 4.0
RATIO = 5.0
"""How many times a bare bot's activities a second the whole bot must manage."""
DELAYS = (0.0, 0.2)
"""Seconds that the connector takes."""
BOTS = {"bare": "botbuilder as it comes, an echo", "crmchat": "crmchat"}


class Connector:
    """A Bot Framework connector that takes its time and counts."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.replies = 0
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        if self.delay:
            await asyncio.sleep(self.delay)
        self.replies += 1
        return web.json_response({"id": str(self.replies)}, status=201)


@dataclass(frozen=True)
class Load:
    """What one bot managed."""

    rate: float
    p50: float
    p99: float
    cpu: float
    """Seconds of the bot's CPU per activity."""

    def __str__(self) -> str:
        p50, p99, cpu = (f"{seconds * 1000:.1f} ms" for seconds in (self.p50, self.p99, self.cpu))
        return f"{self.rate:.0f} | {p50} | {p99} | {cpu}"


def activity(number: int, connector: Connector) -> dict[str, Any]:
    """A message `help` in a personal chat of its own."""
    return {
        "type": "message",
        "id": f"m{number}",
        "channelId": "msteams",
        "serviceUrl": connector.url,
        "timestamp": "2026-01-01T00:00:00Z",
        "from": {"id": f"29:user-{number % 50}", "name": "Anna Berg", "aadObjectId": f"user-{number % 50}"},
        "recipient": {"id": "28:bot", "name": "CRM"},
        "conversation": {"id": f"a:{number}", "conversationType": "personal", "tenantId": "t"},
        "channelData": {"tenant": {"id": "t"}},
        "locale": "en-GB",
        "text": "help",
        "entities": [{"type": "clientInfo", "locale": "en-GB", "timezone": "Europe/Amsterdam"}],
    }


async def load(url: str, connector: Connector, pid: int, *, seconds: float, count: int = 0, first: int = 0) -> Load:
    """`IN_FLIGHT` callers, each sending the next activity when the former is answered and its reply has come."""
    times: list[float] = []
    numbers = iter(range(first, first + (count or 10**9)))
    ends = time.perf_counter() + seconds
    before, used = connector.replies, cpu_seconds(pid)

    async def caller(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            started = time.perf_counter()
            if started > ends:
                return
            async with session.post(url, json=activity(number, connector)) as response:
                await response.read()
                assert response.status < 300, response.status
            times.append(time.perf_counter() - started)

    started = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(caller(session) for _ in range(IN_FLIGHT)))
    took = time.perf_counter() - started
    replies = connector.replies - before
    assert replies >= len(times), f"{len(times)} activities, {replies} replies"
    ordered = sorted(times)
    return Load(
        len(times) / took,
        statistics.median(ordered),
        ordered[int(len(ordered) * 0.99) - 1],
        (cpu_seconds(pid) - used) / len(times),
    )


@asynccontextmanager
async def bot(kind: str) -> AsyncIterator[tuple[str, int]]:
    """The address and process id of a bot in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.teams",
        f"--serve={kind}",
        stdout=asyncio.subprocess.PIPE,
        stderr=None if os.environ.get("BENCH_LOG") else asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield line.decode().strip(), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def main() -> str:
    """Measures both bots; a section of Markdown."""
    connector = Connector()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", connector.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    connector.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    found: dict[tuple[str, float], Load] = {}
    rows = []
    for kind, name in BOTS.items():
        async with bot(kind) as (url, pid):
            await load(url, connector, pid, seconds=1.5, first=10**8)
            for number, delay in enumerate(DELAYS):
                connector.delay = delay
                found[kind, delay] = await load(url, connector, pid, seconds=SECONDS, first=10**7 * number)
                rows.append(f"| {name} | {delay * 1000:.0f} ms | {found[kind, delay]} |")
            connector.delay = 0.0
    await runner.cleanup()
    promises = []
    for delay in DELAYS:
        ratio = found["crmchat", delay].rate / found["bare", delay].rate
        mark = "ok" if ratio >= RATIO else "NOT MET"
        promises.append(
            f"- {ratio:.1f} times a bare bot with a connector of {delay * 1000:.0f} ms (>= {RATIO:.0f}): {mark}"
        )
    return "\n".join(
        [
            "## Teams",
            "",
            f"`help` from {IN_FLIGHT} people at once, token checks off; the bare bot only echoes.",
            "",
            "| bot | connector takes | activities a second | p50 | p99 | CPU each |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            *promises,
        ]
    )


async def serve_bare() -> None:
    """botbuilder as it comes: its adapter, its connector client, an echo."""
    from botbuilder.core import CloudAdapterBase, TurnContext
    from botbuilder.schema import Activity
    from botframework.connector.auth import BotFrameworkAuthenticationFactory, PasswordServiceClientCredentialFactory

    # The adapter of botbuilder's samples, with what its configuration makes of an empty app id.
    credentials = PasswordServiceClientCredentialFactory("", "")
    adapter = CloudAdapterBase(BotFrameworkAuthenticationFactory.create(credential_factory=credentials))

    async def echo(context: TurnContext) -> None:
        await context.send_activity(f"You said {context.activity.text}")

    async def messages(request: web.Request) -> web.Response:
        received = Activity().deserialize(await request.json())
        await adapter.process_activity(request.headers.get("Authorization", ""), received, echo)
        return web.Response(status=200)

    await _serve(messages)


async def serve_crmchat() -> None:
    """The whole bot as `crmchat serve` runs it: face, command layer, journal, emulator."""
    from bots.app import build
    from bots.settings import Settings
    from bots.web import serve
    from crm.emulator import Emulator

    with tempfile.TemporaryDirectory() as folder:
        async with Emulator(seed="contoso") as emulator:
            settings = Settings(dataverse_url=emulator.url, data_dir=Path(folder), secret_key="a secret for benchmarks")
            async with build(settings, demo=True) as app:
                await serve(app.site, "127.0.0.1", 0, announce=_announce, stopping=app.drain, loading=app.loading)


async def _serve(handler: Any) -> None:
    app = web.Application()
    app.router.add_post("/api/messages", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gc.freeze()  # as ours does: neither bot pays for what its start left behind
    _announce(runner.addresses[0][1])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(runner.cleanup(), 5)


def _announce(port: int) -> None:
    print(f"http://127.0.0.1:{port}/api/messages", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", choices=tuple(BOTS))
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve_bare() if given.serve == "bare" else serve_crmchat())
    else:
        print(asyncio.run(main()))
