"""Every operation's example, typed by a person on each face, down to Dataverse and back to what is seen."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import pytest
from mcp.shared.memory import create_connected_server_and_client_session
from pydantic import Field

import commands.operations  # noqa: F401  fills the catalog
from bots.mcp.server import make_server
from bots.mcp.tools import offered, tool
from commands import grammar
from commands.cards import Card, CardKind
from commands.context import Context
from commands.fields import Text
from commands.operation import CATALOG, Effect, Operation
from commands.request import Principal, Reply
from tests.bot import Bot

from .people import FACES

ACKNOWLEDGED = {"slack": 3.0, "teams": 15.0}
"""Seconds that Slack and the Bot Framework wait for a bot."""


@pytest.fixture(scope="module", params=list(FACES))
async def face(bot: Bot, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A platform, and an organisation as it ships: the examples name its records and change their state."""
    await bot.emulator.reset()
    yield request.param
    await bot.emulator.reset()


@pytest.mark.parametrize("verb", list(CATALOG))
async def test_every_example_is_answered(bot: Bot, face: str, verb: str) -> None:
    """In the order of the catalog, so that what an example opens again has been closed by one before."""
    reads = CATALOG[verb].effect is Effect.READ
    # By several people: Teams takes sixty messages in half a minute in one conversation.
    who = "elena.petrova" if verb.startswith("case ") else "ben.carter" if reads else "anna.weber"
    person = FACES[face](bot, f"{who}@contoso.example")
    try:
        answer = await person.type(CATALOG[verb].example)
        assert answer.seconds < ACKNOWLEDGED[face]
        text = await person.sees()
        assert not person.warned, text
        assert "which one?" not in text
    finally:
        await person.close()
    assert bot.teams.card_problems == []


@pytest.fixture
def greeting() -> Iterator[type[Operation]]:
    """An operation that somebody declares: this class, and nothing else."""

    class Greet(Operation, verb="greeting send", example="greeting send Ada", words="whom"):
        """Greet somebody."""

        whom: Annotated[Text, Field(description="Who is greeted.")]
        phrase: Annotated[Text | None, Field(description="With which words.")] = None

        async def run(self, ctx: Context) -> Reply:  # noqa: ARG002 - the signature is the declaration's
            return Reply(card=Card(kind=CardKind.NOTICE, title=f"{self.phrase or 'Hello'}, {self.whom}!"))

    yield Greet
    del CATALOG["greeting send"]


@pytest.mark.parametrize("face", list(FACES))
async def test_mistakes_are_told_from_answers(bot: Bot, face: str) -> None:
    """So that the test above can fail."""
    person = FACES[face](bot, "farid.rahimi@contoso.example")
    for text in ("case burn CAS-1", "lead show 00000000-0000-4000-8000-00000000dead"):
        await person.type(text)
        await person.sees()
        assert person.warned, text


@pytest.mark.parametrize("face", list(FACES))
async def test_it_is_what_was_shown_a_moment_ago(bot: Bot, face: str) -> None:
    person = FACES[face](bot, "anna.weber@contoso.example")
    try:
        for number in range(5):
            await person.type(f"lead create Ida Quick{number}{face} topic=Fast")
            await person.type("it")  # as soon as the answer is there
            await person.sees(f"Ida Quick{number}{face}")
        await person.type('note it "Called back"')
        await person.sees("Note added to", "Called back")
        await person.type("assign it to Ben Carter")
        await person.sees("Assigned to Ben Carter.")
        await person.type("cancel it")
        await person.sees("“cancel”", "with a lead")
        assert person.warned
    finally:
        await person.close()


async def test_one_class_is_all_that_a_new_operation_takes(bot: Bot, greeting: type[Operation]) -> None:
    said = grammar.parse("send greeting 'Ada Lovelace' phrase=Ahoy")
    assert isinstance(said, grammar.Parsed)
    assert said.operation is greeting
    for on in FACES.values():
        person = on(bot, "ben.carter@contoso.example")
        await person.type("greeting send 'Ada Lovelace' phrase=Ahoy")
        await person.sees("Ahoy, Ada Lovelace!")
        await person.type("help greeting send")
        await person.sees("Greet somebody.", "Who is greeted.", "greeting send Ada")
        await person.type("greeting send")  # what is required is asked for in a form
        await person.sees("Whom", "Phrase")
        await person.fill({"whom": "Grace"})
        await person.sees("Hello, Grace!")
        await person.close()
    assert offered()["greeting_send"] is greeting
    made = tool(greeting, {})
    assert made.description == "Greet somebody."
    assert made.inputSchema["required"] == ["whom"]
    assert made.inputSchema["properties"]["phrase"]["description"] == "With which words."
    agent = Principal(platform="mcp", tenant="T1", user="agent", email="ben.carter@contoso.example")
    async with create_connected_server_and_client_session(
        make_server(bot.app.dispatcher, agent, allow_writes=False)
    ) as session:
        answer = await session.call_tool("greeting_send", {"whom": "Linus", "phrase": "Hi"})
        assert answer.structuredContent == {"message": "Done.", "title": "Hi, Linus!"}
        asked = await session.call_tool("greeting_send", {})
        assert asked.isError
        assert asked.structuredContent
        assert list(asked.structuredContent["arguments"]) == ["whom"]
    assert bot.teams.card_problems == []
