"""A table of the organisation's own, joined by CRMCHAT_TABLES: the same verbs on both faces and for agents, no code."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bots.mcp.tools import offered, tool
from commands import grammar
from commands.helping import reference_markdown
from commands.operation import CATALOG
from commands.operations.custom import join_from_file, unregister_table
from tests.bot import Bot
from tests.mcp.test_client import agent, call
from tests.test_demo import demo

from .people import FACES

ANNA = "anna.weber@contoso.example"


@pytest.fixture
async def campaigns(bot: Bot, tmp_path: Path) -> AsyncIterator[None]:
    """What the process does at its start with CRMCHAT_TABLES."""
    file = tmp_path / "tables.yaml"
    file.write_text("tables:\n  - {table: Campaign, noun: campaign, plural: campaigns}\n")
    views = await join_from_file(file, bot.app.dispatcher.environments.first.dataverse.metadata)
    roles = f"{bot.emulator.url}/_emulator/roles"
    async with aiohttp.ClientSession() as http:
        await http.put(roles, json={"Sales Manager": {"*": {"*": "organization"}}})
        yield
        await http.put(roles, json={})
    for view in views:
        unregister_table(view)


@pytest.mark.usefixtures("campaigns")
@pytest.mark.parametrize("face", list(FACES))
async def test_its_verbs_on_both_faces(bot: Bot, face: str) -> None:
    person = FACES[face](bot, ANNA)
    name = f"Fair on {face}"
    try:
        await person.type(f"campaign create '{name}'")
        await person.sees(name, "Campaign created.")
        await person.type("it")
        await person.sees(name)
        await person.type(f"campaigns name~'{name}'")
        await person.sees("1 campaign", name)
        await person.type("campaign create")
        await person.sees("Create campaign")
        await person.fill({"name": f"{name} again"})
        await person.sees(f"{name} again", "Campaign created.")
        await person.type("note it 'Booked the stand'")
        await person.sees("Note added to the campaign", "Booked the stand")
        await person.type("help campaign")
        await person.sees("campaign create", "campaign list")
    finally:
        await person.close()
    assert bot.teams.card_problems == []


async def test_a_started_process_reads_the_file(tmp_path: Path) -> None:
    """`CRMCHAT_TABLES` in the environment: Slack, Teams and an agent's server, each over its socket."""
    file, agents = tmp_path / "tables.yaml", tmp_path / "agents"
    file.write_text("tables:\n  - {table: Campaign, noun: campaign, plural: campaigns}\n")
    agents.mkdir()
    async with demo(tmp_path, CRMCHAT_TABLES=str(file)) as bot:
        roles = {"Sales Manager": {"*": {"*": "organization"}}}
        await (await bot.session.put(f"{bot.dataverse}/_emulator/roles", json=roles)).read()
        await bot.said("campaign create 'Fair in Graz'", "Campaign created.", "c1")
        await bot.said("campaigns name~Graz", "1 campaign", "c2")
        await bot.said("note it 'Booked the stand'", "Booked the stand", "c3")
        await bot.teams("campaign show 'Fair in Graz'", "m1")
        assert "Fair in Graz" in str(await bot.posted("Campaign"))
        await bot.teams("update it name='Fair in Wien'", "m2")
        await bot.posted("Saved.")
        async with agent(bot.dataverse, agents, "--allow-writes", CRMCHAT_TABLES=str(file)) as session:
            failed, found = await call(session, "campaign_search", text="Wien")
            assert (failed, found["title"]) == (False, "Fair in Wien"), found
            failed, made = await call(session, "campaign_create", name="Fair in Linz")
            assert (failed, made["kind"]) == (False, "Campaign"), made
        assert await bot.count("campaigns", "startswith(name,'Fair in')") == 2


@pytest.mark.usefixtures("campaigns")
def test_agents_and_the_reference_have_it_too() -> None:
    assert {f"campaign_{verb}" for verb in ("create", "update", "get", "list", "search", "note", "assign")} <= set(
        offered()
    )
    assert tool(offered()["campaign_create"], {}).inputSchema["properties"]["name"]["type"] == "string"
    assert "## Campaigns" in reference_markdown()


@pytest.mark.usefixtures("campaigns")
def test_what_is_printed_reads_back() -> None:
    for verb in [verb for verb in CATALOG if verb.startswith("campaign ")]:
        said = grammar.parse(CATALOG[verb].example)
        assert isinstance(said, grammar.Parsed), said
        operation = said.read()
        back = grammar.parse(grammar.unparse(operation))
        assert isinstance(back, grammar.Parsed)
        assert back.read() == operation
