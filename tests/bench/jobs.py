"""What the journal costs: a write with it beside the same write without it, reads, start-up, memory; on both databases.

python -m tests.bench.jobs

The bot is a process of its own; Dataverse, Slack and the load are in this one. CRMCHAT_BENCH_COMMANDS (3000): for how
many commands its memory is watched.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.pool import Pool

from bots import settings as settings_module
from bots.app import App, build
from bots.web import serve
from commands.cipher import FernetCipher
from commands.jobs import Jobs
from commands.journal_database import open_client
from commands.receipt import RECEIPT
from commands.request import Reply
from commands.work import Work
from commands.workflows import JOB_NAME, QUEUE
from tests.jobs.harness import KEY, Outside, Server, outside
from tests.jobs.postgres import postgres

from .teams import cpu_seconds

COMMANDS = int(os.environ.get("CRMCHAT_BENCH_COMMANDS", "3000"))
RATE = 20
"""Commands a second while their time is taken."""
ROUNDS = 10
"""Seconds with the journal, and as many without, by turns."""
JOURNALLED, DUE, WAITING = 10_000, 100, 400
"""Jobs at the start: in all, those that can be done at once, those whose time has not come; the others have ended."""
STARTS = 3
_REST = 0.3
"""Seconds in which what was answered is recorded, so that it does not fall on whoever is measured next."""
AT_ONCE = 8
"""Commands under way while memory is watched."""

ADDED, EFFECT, STARTED, GROWTH = 0.010, 0.025, 3.0, 16.0
"""The bounds: seconds, seconds, seconds, megabytes after the first fifth of the commands."""

BARE = "Bare"
"""Names that begin so are written without the journal by the bot of this bench."""


class Tap:
    """A TCP wire to Dataverse that notes when a name first passes on it."""

    def __init__(self, target: str) -> None:
        url = urlsplit(target)
        self._host, self._port, self.url = url.hostname or "", url.port or 0, ""
        self.seen: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
            await asyncio.gather(self._pump(reader, far_writer, note=True), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool = False) -> None:
        while data := await reader.read(65536):
            if note:
                for name in re.findall(rb'"lastname": ?"([^"]+)"', data):
                    self.seen.setdefault(name.decode(), time.perf_counter())
            writer.write(data)
            await writer.drain()
        writer.close()


@dataclass
class Times:
    """Seconds from sending."""

    acknowledged: list[float] = field(default_factory=list)
    effect: list[float] = field(default_factory=list)
    """Until Dataverse gets the row."""
    cpu: float = 0.0
    """Seconds of the bot's CPU, for all of them, with what is recorded afterwards."""


@dataclass
class Memory:
    """Megabytes that the process occupies."""

    commands: int
    warm: float
    """After the first fifth."""
    end: float
    refused: int = 0

    @property
    def growth(self) -> float:
        return self.end - self.warm


@dataclass
class Cost:
    """What was found on one database."""

    bare: Times
    kept: Times
    statements: dict[str, float]
    """Of the journal, for each command, by what was asked."""
    starts: dict[int, float]
    """Seconds from the program's start to its readiness, by how many jobs the journal has; medians."""
    memory: Memory


@dataclass
class Bot(Server):
    """This module's `serve_crmchat` instead of `crmchat serve`."""

    async def start(self) -> None:
        with (self.folder / f"serve-{self.port}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.jobs", "--serve", env=self.env, stdout=log, stderr=log
            )


class Driver:
    """Sends signed commands, each a gesture of its own."""

    def __init__(self, world: Outside, url: str, tap: Tap | None = None) -> None:
        self._world, self._url, self._tap = world, url, tap
        self._numbers = itertools.count()

    async def one(self, text: str) -> bool:
        """`{n}` stands for its number; False where it was refused, because the journal is too busy."""
        number = next(self._numbers)
        status, body = await self._world.slack(self._url, text.format(n=number), f"{self._url}/{number}")
        assert status == 200, body
        return "not accepted" not in body

    async def second(self, name: str, times: Times) -> None:
        """One second's writes, on a clock."""
        assert self._tap
        numbers = [next(self._numbers) for _ in range(RATE)]
        begun, tasks = time.perf_counter(), []
        for turn, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, begun + turn / RATE - time.perf_counter()))
            tasks.append(asyncio.create_task(self._timed(f"{name}{number}", times)))
        await asyncio.gather(*tasks)

    async def _timed(self, name: str, times: Times) -> None:
        assert self._tap
        sent = time.perf_counter()
        assert await self.one(f"lead create Jane {name} topic=Journal"), "refused"
        times.acknowledged.append(time.perf_counter() - sent)
        times.effect.append(self._tap.seen[name] - sent)


async def main(commands: int = COMMANDS, rounds: int = ROUNDS, journalled: int = JOURNALLED) -> str:
    """The section of `docs/benchmarks.md`."""
    found = {"SQLite": await cost("", commands, rounds, journalled)}
    skipped = ""
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):  # noqa: ASYNC240
        async with postgres() as database:
            found["PostgreSQL"] = await cost(database.url, commands, rounds, journalled)
    else:
        skipped = "PostgreSQL: skipped, it is not on this machine."
    return _report(found, rounds, skipped)


async def cost(url: str, commands: int, rounds: int, journalled: int) -> Cost:
    """Measure on the database of `url`; on SQLite where it is empty."""
    with tempfile.TemporaryDirectory() as folder:
        async with outside(Path(folder)) as world, Tap(world.emulator.url) as tap:
            bot = _bot(world, tap, url)
            await bot.start()
            await bot.ready(world.session)
            driver = Driver(world, bot.url, tap)
            assert bot.process
            bare, kept = await _side_by_side(driver, rounds, bot.process.pid)
            statements = await _statements(world, bot, driver)
            await bot.end()
            server = world.server(DATABASE_URL=url, CRMCHAT_RATE_PERSON="0", CRMCHAT_RATE_TENANT="0")
            starts = {}
            for jobs in (0, journalled):
                if jobs:
                    await asyncio.to_thread(fill, Path(folder) / "data", url, jobs)
                starts[jobs] = statistics.median([await _started(world, server) for _ in range(STARTS)])
            memory = await _memory(Driver(world, server.url), server, commands)
            return Cost(bare, kept, statements, starts, memory)


def _bot(world: Outside, tap: Tap, url: str) -> Bot:
    server = world.server(
        DATABASE_URL=url, DATAVERSE_URL=tap.url, CRMCHAT_RATE_PERSON="0", CRMCHAT_RATE_TENANT="0"
    )  # fmt: skip
    bot = Bot(server.port, server.env, server.folder)
    world.servers[-1] = bot
    return bot


async def _side_by_side(driver: Driver, rounds: int, pid: int) -> tuple[Times, Times]:
    """By turns, so that whatever else the machine does falls on both."""
    bare, kept = Times(), Times()
    await driver.second(BARE, Times())
    await driver.second("Kept", Times())
    for turn in range(rounds):
        for name, times in ((BARE, bare), ("Kept", kept))[:: -1 if turn % 2 else 1]:
            await asyncio.sleep(_REST)
            before = cpu_seconds(pid)
            await driver.second(name, times)
            await asyncio.sleep(_REST)
            times.cpu += cpu_seconds(pid) - before
    return bare, kept


async def _statements(world: Outside, bot: Bot, driver: Driver) -> dict[str, float]:
    """How many statements reach the journal for a command, by what is asked; a write shows that they are counted."""

    async def so_far() -> int:
        """Once what was answered has been recorded, too."""
        counts = [-1, -2]
        while counts[-1] != counts[-2]:
            await asyncio.sleep(0.5)
            async with world.session.get(f"{bot.url}/bench/statements") as answer:
                counts.append(int(await answer.text()))
        return counts[-1]

    found: dict[str, float] = {}
    for text in ("help", "lead list sort=created", "lead show Kept{n}", "lead create Jane Counted{n} topic=Journal"):
        before = await so_far()
        for _ in range(20):
            await driver.one(text)
        found[" ".join(text.split()[:2])] = (await so_far() - before) / 20
    before = await so_far()
    assert await driver.one(f"lead create Jane {BARE}{{n}} topic=Journal")
    assert await so_far() == before, "what is to be written without the journal went through it"
    return found


async def _started(world: Outside, server: Server) -> float:
    await server.end()
    begun = time.perf_counter()
    await server.start()
    await server.ready(world.session)
    return time.perf_counter() - begun


async def _memory(driver: Driver, server: Server, commands: int) -> Memory:
    """Writes, lists and help in equal parts, as fast as they are answered."""
    texts = ("lead create Jane Kept{n} topic=Journal", "lead list", "help")
    marks: list[float] = []
    refused = 0
    for share in (commands // 5, commands - commands // 5):
        each: Iterator[str] = iter(texts[n % 3] for n in range(share))

        async def caller(each: Iterator[str] = each) -> None:
            nonlocal refused
            for text in each:
                refused += not await driver.one(text)

        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
        assert server.process
        marks.append(resident(server.process.pid))
    return Memory(commands, marks[0], marks[1], refused)


async def memory_over(commands: int, folder: Path) -> Memory:
    """`crmchat serve` alone, on SQLite, with the allocator's setting of the unit and the image."""
    async with outside(folder) as world:
        server = world.server(CRMCHAT_RATE_PERSON="0", CRMCHAT_RATE_TENANT="0", MALLOC_ARENA_MAX="2")
        await _started(world, server)
        return await _memory(Driver(world, server.url), server, commands)


def resident(pid: int) -> float:
    """Megabytes of memory that a process occupies."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def fill(folder: Path, url: str, count: int) -> None:
    """Bring the journal of a bot that does not run to `count` jobs: copies of one that it has done, and new ones."""
    client = open_client(folder / "journal.db", FernetCipher(KEY.encode()), url)
    try:
        done = client.list_workflows(name=JOB_NAME, status="SUCCESS", limit=1)[0]
        argument, key = str(done.input["args"][0]), done.workflow_id.rpartition("~")[0]
        for number in range(DUE + WAITING):
            client.enqueue(
                {
                    "workflow_name": JOB_NAME, "queue_name": QUEUE, "workflow_id": f"waiting-{number}~1",
                    "app_version": done.app_version or "",
                    **({} if number < DUE else {"delay_seconds": 3600.0}),  # type: ignore[typeddict-item]
                },
                argument.replace(key, f"waiting-{number}"),
            )  # fmt: skip
    finally:
        client.destroy()
    engine = sa.create_engine(
        f"postgresql+psycopg://{url.partition('://')[2]}" if url else f"sqlite:///{folder}/journal.db"
    )
    with engine.begin() as db:
        for name in ("workflow_status", "operation_outputs"):
            table = sa.Table(name, sa.MetaData(), autoload_with=db, schema="dbos" if url else None)
            rows = db.execute(table.select().where(table.c.workflow_uuid == done.workflow_id)).mappings().all()
            for start in range(0, count - DUE - WAITING, 1000):
                db.execute(
                    table.insert(),
                    [
                        {**row, "workflow_uuid": f"ended-{number}~1"}
                        for number in range(start, min(start + 1000, count - DUE - WAITING))
                        for row in rows
                    ],
                )
    engine.dispose()


def _report(found: dict[str, Cost], rounds: int, skipped: str) -> str:
    how = (
        f"`python -m tests.bench jobs`: signed `/crm lead create`, {RATE} a second on a clock, {rounds} s with the "
        f"journal and {rounds} s without by turns in one process (without: performed where the journal would have "
        "been asked); the answer travels in the acknowledgement, so what the journal records before and after the "
        "write counts. First effect: until the row is on the wire to Dataverse. Milliseconds, p50 / p99."
    )  # fmt: skip
    jobs = max(max(cost.starts) for cost in found.values())
    rows: dict[str, list[str]] = {}
    for cost in found.values():
        for name, shown in {
            "acknowledged without the journal": _shown(cost.bare.acknowledged),
            "acknowledged with the journal": _shown(cost.kept.acknowledged),
            "first effect without the journal": _shown(cost.bare.effect),
            "first effect with the journal": _shown(cost.kept.effect),
            "CPU of one without / with the journal, ms":
                f"{_each(cost.bare):.1f} / {_each(cost.kept):.1f}",
            **{f"statements of the journal for `{w}`": f"{n:g}" for w, n in cost.statements.items()},
            "start to ready, few jobs, s": f"{cost.starts[0]:.2f}",
            f"start to ready, {jobs:,} jobs ({DUE} due, {WAITING} for later), s": f"{cost.starts[jobs]:.2f}",
            f"memory after {cost.memory.commands // 5:,} / {cost.memory.commands:,} commands, MB":
                f"{cost.memory.warm:.0f} / {cost.memory.end:.0f}",
            f"of these refused ({AT_ONCE} at once, as fast as they are answered)": str(cost.memory.refused),
        }.items():  # fmt: skip
            rows.setdefault(name, []).append(shown)
    lines = ["## The journal", "", how, "", f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    lines += [f"| {name} | {' | '.join(shown)} |" for name, shown in rows.items()]
    checks = [check for name, cost in found.items() for check in _checks(name, cost)]
    return "\n".join([*lines, "", *(f"- {check}" for check in checks), *([f"- {skipped}"] if skipped else []), ""])


def _shown(times: list[float]) -> str:
    ordered = sorted(times)
    return f"{statistics.median(ordered) * 1000:.1f} / {ordered[max(0, int(len(ordered) * 0.99) - 1)] * 1000:.1f}"


def _each(times: Times) -> float:
    return times.cpu / len(times.acknowledged) * 1000


def _checks(name: str, cost: Cost) -> list[str]:
    added = statistics.median(cost.kept.acknowledged) - statistics.median(cost.bare.acknowledged)
    effect = statistics.median(cost.kept.effect)
    reads = max(n for what, n in cost.statements.items() if "create" not in what)
    journalled = max(cost.starts)
    promises = [
        ("the journal adds before the acknowledgement, ms", added * 1000, ADDED * 1000),
        ("median to the first effect, ms", effect * 1000, EFFECT * 1000),
        ("statements of the journal for a read", reads, 0),
        (f"start to ready with {journalled:,} jobs, s", cost.starts[journalled], STARTED),
        (f"memory gained over {cost.memory.commands:,} commands, MB", cost.memory.growth, GROWTH),
    ]
    return [f"{name}: {p}: {v:.1f} (<= {b:g}) {'ok' if v <= b else 'NOT MET'}" for p, v, b in promises]


# the bot, in its own process


class SometimesJournalled(Jobs):
    """What the dispatcher asks to do work: the journal, or for some names at once, without it."""

    def __init__(self, app: App) -> None:
        self._journalled, self._at_once = app.dispatcher.jobs, app.dispatcher.perform

    async def run(self, work: Work, *, window: float, repeatable: bool = False) -> Reply | None:
        if any(value.startswith(BARE) for value in work.args.values()):
            return (await asyncio.wait_for(self._at_once(work, False), window)).reply
        return await self._journalled.run(work, window=window, repeatable=repeatable)


class Statements:
    """Counts what reaches the journal on behalf of a request; what the engine asks by itself does not count."""

    def __init__(self) -> None:
        self.count = 0
        self.state: Pool | None = None
        """Where other things than jobs are kept."""
        sa.event.listen(sa.Engine, "before_cursor_execute", self._note)

    def _note(self, connection: sa.Connection, *_: Any) -> None:
        # A request's context goes along into the threads in which the journal is asked, and into the job.
        if RECEIPT.get() and connection.engine.pool is not self.state:
            self.count += 1


async def serve_crmchat() -> None:
    """The whole bot with what is needed to measure it."""
    statements = Statements()
    async with build(settings_module.load(None)) as app:
        statements.state = app.state.engine.sync_engine.pool
        app.dispatcher.fulfilment.jobs = SometimesJournalled(app)

        async def counted(_request: web.Request) -> web.Response:
            return web.Response(text=str(statements.count))

        app.site.add_routes([web.get("/bench/statements", counted)])
        await serve(
            app.site, app.settings.host, app.settings.port, announce=print, stopping=app.drain, loading=app.loading
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--commands", type=int, default=COMMANDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--journalled", type=int, default=JOURNALLED)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve_crmchat())
    else:
        print(asyncio.run(main(given.commands, given.rounds, given.journalled)))
