"""`crmchat serve` is killed with -9 after an acknowledgement, and Slack delivers everything again to the next one."""

import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from bots.playground.slack_server import FakeSlack
from crm.emulator import Emulator, Fault
from tests.jobs.harness import Outside, Server, Sink
from tests.jobs.operators import NOTHING, Operator


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Outside]:
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(seed="contoso"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        world = Outside(emulator, session, Sink(), "", tmp_path)
        yield world
        for server in world.servers:
            await server.end()


ONCE = (
    "leads?$filter=lastname eq 'Killed' and statecode eq 1",
    "contacts?$filter=lastname eq 'Killed'",
    "incidents?$filter=title eq 'Killed printer'",
    "annotations?$filter=contains(notetext,'Killed gasket')",
)


async def counted(world: Outside, queries: Sequence[str]) -> list[int]:
    """How many rows each of the queries finds, straight from the emulator."""
    found = []
    for query in queries:
        async with world.session.get(f"{world.emulator.url}/api/data/v9.2/{query}") as answer:
            found.append(len((await answer.json())["value"]))
    return found


async def started(world: Outside, server: Server) -> None:
    await server.start()
    await server.ready(world.session)


async def test_a_kill_after_the_acknowledgement_loses_nothing_and_repeats_nothing(
    world: Outside, slack: FakeSlack
) -> None:
    server = world.server(
        SLACK_API_URL=slack.api_url, SLACK_SIGNING_SECRET=slack.signing_secret, SLACK_BOT_TOKEN=slack.bot_token
    )
    await started(world, server)
    slack.bot_url = f"{server.url}/slack/events"

    await slack.command("/crm", "lead create Jane Killed topic=Pumps company=Acme", user="U1")
    card = await slack.until(lambda: (m := slack.last("C1", "U1")) and "Killed" in slack.text(m) and m)
    await slack.click(card, "Qualify", user="U1")
    message = await slack.say("Killed printer", user="U2", channel="C1")
    await slack.shortcut("create_case_from_message", message, user="U2")
    view = await slack.until(lambda: (v := slack.view("U2")) and v.body["callback_id"] == "form" and v)
    customer = (await slack.suggest(view, "Customer", "contoso ltd")).json["options"][0]
    await slack.submit(view, {"Customer": customer}, user="U2")
    await slack.until(lambda: any(m.bot_id for m in slack.messages("C1", "U3", thread=message)))

    world.emulator.faults.add(Fault(count=1000, match="annotations", status=503, retry_after=1))
    reply = await slack.say("Killed gasket", user="U2", channel="C1", thread=message)
    assert slack.answers[-1].status == 200
    await server.end()
    world.emulator.faults.clear()
    await started(world, server)
    await slack.until(lambda: "memo" in reply.reactions)

    def seen() -> list[str]:
        return [slack.transcript("C1", "U1"), *(slack.text(m) for m in slack.messages("C1", "U2", thread=message))]

    await Operator(server).seen(NOTHING)  # what the kill cut off has been said, too
    before = seen()
    sent = [a.delivery for a in slack.answers if a.delivery and "suggest" not in a.delivery.label]
    for number in (1, 2):
        for delivery in reversed(sent):
            assert (await slack.redeliver(delivery, number=number)).status == 200
    await server.end(signal.SIGTERM)  # finishes what it has begun
    assert await counted(world, ONCE) == [1] * len(ONCE)
    assert seen() == before
