"""`crmchat mcp` beside `crmchat serve` on one data folder: two processes, one journal, one that executes it."""

import asyncio
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.jobs.harness import Server, outside

from .test_client import SLUG, call


def executors(journal: Path) -> dict[str, int]:
    """Jobs in the journal that have ended, by the executor that ran them."""
    with closing(sqlite3.connect(journal)) as db:
        rows = db.execute("SELECT executor_id, count(*) FROM workflow_status WHERE status = 'SUCCESS' GROUP BY 1")
        return dict(rows.fetchall())


def beside(server: Server) -> StdioServerParameters:
    script = Path(sys.executable).with_name("crmchat")
    env = {k: v for k, v in server.env.items() if not k.startswith(("SLACK_", "PORT"))}
    folder = str(server.folder)
    return StdioServerParameters(command=str(script), args=["mcp", "--allow-writes"], env=env, cwd=folder)


async def test_an_agents_writes_are_executed_once_by_the_server_beside_it(tmp_path: Path) -> None:
    async with outside(tmp_path) as world:
        server = world.server()
        await server.start()
        await server.ready(world.session)
        async with stdio_client(beside(server)) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            failed, made = await call(session, SLUG + "CREATE_LEAD", lastname="Agent", subject="Beside")
            assert not failed, made
            failed, again = await call(session, SLUG + "UPDATE_LEAD", lead_id=made["id"], telephone1="+1 555 0100")
            assert not failed, again
            # Answered in its acknowledgement or not: what was typed is journalled by then.
            status, body = await world.teams(server.url, "lead create Jane Person topic=Typed", "beside")
            assert status < 300, body
            failed, found = await call(session, SLUG + "GET_ALL_LEADS", orderby="createdon desc", top=10)
            assert not failed
            # The server dies, and what the agent asks meanwhile is done by its successor.
            await server.end(signal.SIGKILL)
            asked = asyncio.create_task(call(session, SLUG + "CREATE_LEAD", lastname="Patient", subject="Waited"))
            assert not (await call(session, SLUG + "GET_A_LEAD", lead_id=made["id"]))[0], "reading needs no server"
            assert not asked.done()
            await server.start()
            failed, waited = await asked
            assert not failed, waited
        await server.end(signal.SIGTERM)  # it finishes what it has taken on
        rows = await world.rows()
        assert (rows["Agent"], rows["Person"], rows["Patient"]) == (1, 1, 1)
        assert "Agent" in str(found["rows"])
        ran = executors(tmp_path / "data" / "journal.db")
        assert set(ran) == {"main"}
        assert ran["main"] >= 4
