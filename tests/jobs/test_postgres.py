"""Several processes on one PostgreSQL: work of a dead one is taken over, a lost lock stops a process and no more."""

import asyncio
import time
from pathlib import Path

import psycopg
import pytest

from .asked import Asked
from .harness import Outside, Server, Tally, name, names_in, outside, settle, storm
from .postgres import postgres
from .test_crash import COMMANDS, KILLS

pytestmark = pytest.mark.postgres


async def _started(world: Outside, url: str, count: int) -> list[Server]:
    """All at once, on an empty database."""
    servers = [world.server(DATABASE_URL=url, CRMCHAT_DATA_DIR=str(world.folder / f"data{n}")) for n in range(count)]
    await asyncio.gather(*(s.start() for s in servers))
    await asyncio.gather(*(s.ready(world.session) for s in servers))
    return servers


async def _asked(world: Outside, server: Server, tally: Tally, numbers: range) -> None:
    """All at once."""

    async def ask(n: int) -> None:
        status, body = await world.slack(server.url, f"lead create Jane {name(n)} topic=Topic-{n}", f"p{n}")
        assert status == 200
        tally.in_acknowledgement.update(names_in(body))

    await asyncio.gather(*map(ask, numbers))


async def test_a_dead_process_is_replaced_and_a_lost_database_survived(tmp_path: Path) -> None:
    async with postgres() as database, outside(tmp_path) as world:
        first, second = await _started(world, database.url, 2)
        tally = Tally(12, 1)
        # Dataverse answers too late for any acknowledgement, so that the first process dies with everything running.
        with world.slow(1.8):
            await _asked(world, first, tally, range(6))
            await first.end()
        killed = time.monotonic()
        tally.commands = 6
        await settle(world, tally)
        assert not tally.lost + tally.twice + tally.unanswered, f"{tally}\n{second.log()}"
        print(f"\ntaken over within {time.monotonic() - killed:.1f} s: {tally}")

        await database.stop()
        status, body = await world.slack(second.url, "lead create Jane Refused topic=No", "p-refused")
        assert status == 200
        assert "not accepted" in body or "not certain" in body, body
        async with asyncio.timeout(60), world.session.get(f"{second.url}/healthz") as alive:
            assert alive.status == 200
        _, body = await world.slack(second.url, "help", "p-help")
        assert "case create" in body
        await database.start()
        await second.ready(world.session)
        await _asked(world, second, tally, range(6, 12))
        tally.commands = 12
        await settle(world, tally)
        assert not tally.lost + tally.twice + tally.unanswered, f"{tally}\n{second.log()}"


async def test_a_lost_lock_stops_a_process_until_it_has_another(tmp_path: Path) -> None:
    async with postgres() as database, outside(tmp_path) as world:
        (server,) = await _started(world, database.url, 1)
        asked = Asked(world, server)
        # Only the connection with the lock ends, in the middle of work; everything else of the database works on.
        with world.slow(1.8):
            await asyncio.gather(*(asked.ask() for _ in range(4)))
            db = await psycopg.AsyncConnection.connect(database.url, autocommit=True)
            async with db:
                held = "SELECT {} FROM pg_stat_activity WHERE application_name = 'crmchat claim'"
                former = await (await db.execute(held.format("pid"))).fetchall()
                await db.execute(held.format("pg_terminate_backend(pid)"))
                said: set[str] = set()
                asking: list[asyncio.Task[None]] = []
                async with asyncio.timeout(60):
                    while not asked.refused:
                        asking.append(asyncio.create_task(asked.ask()))
                        async with world.session.get(f"{server.url}/readyz") as answer:
                            said.add(f"{answer.status} {(await answer.json())['problems'].get('journal', '')}")
                        await asyncio.sleep(0.05)
                await asyncio.gather(*asking)
                _, body = await world.slack(server.url, "help", "lock-help")
                assert "case create" in body
                await server.ready(world.session)
                assert not {*former} & {*await (await db.execute(held.format("pid"))).fetchall()}
        assert {s for s in said if s.startswith("503 The journal's")}, said
        await asked.ask(asked.refused[0])
        await asked.settled()
        assert "working as" in server.log()


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_three_processes_of_which_two_are_killed_in_turn(tmp_path: Path) -> None:
    async with postgres() as database, outside(tmp_path) as world:
        await _started(world, database.url, 3)
        tally = await storm(world, commands=COMMANDS, kills=KILLS, rate=10.0, seed=8, targets=2)
        print(f"\n{tally}")
        assert not tally.lost + tally.twice + tally.unanswered
