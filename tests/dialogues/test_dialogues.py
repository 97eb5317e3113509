"""The dialogues at the door of the command layer: policy, journal and all, without a chat platform."""

import asyncio
import itertools
from pathlib import Path

import pytest

from commands.cards import Submission
from commands.dispatch import Dispatcher
from commands.press import Press
from commands.request import Ask, Place, Pressed, Principal, Reply, Request, Submitted, Typed
from tests.bot import Bot

from .runner import Turn, dialogues, hold, matches, read, speaker_of

_PATIENCE = 20.0
_GESTURES = (f"dialogue-{n}" for n in itertools.count())


class AtTheDoor:
    """A `Speaker` that asks the dispatcher; a late answer is waited for."""

    def __init__(self, dispatcher: Dispatcher, name: str, email: str) -> None:
        self._dispatcher = dispatcher
        self._person = Principal(platform="dialogue", tenant="T1", user=name, name=email.partition("@")[0], email=email)
        self._place = Place(platform="dialogue", tenant="T1", conversation=name)

    async def say(self, text: str) -> Reply:
        """Type a command."""
        return await self._ask(Typed(text))

    async def press(self, press: Press) -> Reply:
        """Press a button, which travels sealed."""
        return await self._ask(Pressed(self._travelled(press)))

    async def submit(self, press: Press, values: dict[str, str]) -> Reply:
        """Submit a form."""
        return await self._ask(Submitted(self._travelled(press), Submission(values)))

    def _travelled(self, press: Press) -> Press:
        seal = self._dispatcher.seal
        return seal.open(seal.seal(press))

    async def _ask(self, ask: Ask) -> Reply:
        request = Request(ask=ask, principal=self._person, place=self._place, key=next(_GESTURES))
        async with asyncio.timeout(_PATIENCE):
            reply = await self._dispatcher.dispatch(request)
            while reply.pending:
                # The same gesture again joins the work that runs.
                reply = await self._dispatcher.dispatch(request)
        return reply


@pytest.mark.parametrize("path", dialogues(), ids=lambda p: p.stem)
async def test_dialogue(bot: Bot, path: Path) -> None:
    await hold(path, AtTheDoor(bot.app.dispatcher, path.stem, speaker_of(path)))


async def test_a_form_finds_fault_only_with_what_was_submitted(bot: Bot) -> None:
    door = AtTheDoor(bot.app.dispatcher, "faults", "anna.weber@contoso.example")
    asked = (await door.say("case create 'No power in hall 5'")).form
    assert asked
    assert "Needed: Customer." in asked.intro
    assert not any(field.problem for field in asked.inputs)
    again = (await door.submit(asked.submit, {"title": "No power in hall 5"})).form
    assert again
    assert {i.name: i.problem for i in again.inputs if i.problem} == {"customer": "Fill this in."}
    edited = (await door.say("account update Contoso")).form
    assert edited
    unchanged = (await door.submit(edited.submit, {i.name: i.value for i in edited.inputs if i.value})).form
    assert unchanged
    assert unchanged.problem.startswith("Nothing has been changed yet.")


def test_there_are_dialogues() -> None:
    assert len(dialogues()) >= 8
    assert all(list(read(path)) for path in dialogues())


def test_lines_match_as_the_readme_says() -> None:
    assert matches(["a <…> c", "<…>", "z"], ["a b c", "x", "y", "z"])
    assert matches(["a", "<…>"], ["a"])
    assert not matches(["a"], ["a", "b"])
    assert not matches(["a.c"], ["abc"])


def test_turns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("# remark\n> hello\nHi\n\n> [Go]\nDone\n")
    assert list(read(path)) == [Turn("hello", 2, ["Hi"]), Turn("[Go]", 5, ["Done"])]
