"""A person before each chat platform, for tests: types, presses and fills in as the client lets them, and reads."""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Any, TypeAlias

from bots.playground import adaptive
from bots.playground.answer import Answer, until
from bots.playground.slack_server import FakeSlack
from bots.playground.slack_world import Message, View
from bots.playground.teams_buttons import find_action, gather
from bots.playground.teams_server import FakeTeams
from bots.playground.teams_world import Dialog, Post
from tests.bot import Bot

PATIENCE = 15.0
_LATER = ("Working on it", "Loading…")

Thing: TypeAlias = Message | View | Post | Dialog


class Person(ABC):
    """One person in one conversation."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._last: Thing | None = None

    async def type(self, text: str) -> Answer:
        """Type a command."""
        return await self._done(self._type(text))

    async def press(self, button: str) -> Answer:
        """Press a button by its label, or by its number that of a row."""
        return await self._done(self._press(button))

    async def fill(self, values: Mapping[str, str]) -> Answer:
        """Fill in and submit the form in view; by name; a choice by its label, a record by its name; "" empties."""
        return await self._done(self._fill(values))

    async def capture(self) -> Answer:
        """Pick "Create case" in the menu of the last message that was posted here."""
        return await self._done(self._capture())

    async def mention(self, text: str) -> Answer:
        """Say something to the bot, in the thread of the last message that was posted here."""
        return await self._done(self._mention(text))

    @abstractmethod
    async def post(self, text: str) -> None:
        """Say something that is not meant for the bot."""

    def watch(self) -> None:
        """Take what is in view as known: `sees` tells what comes after it."""
        self._seen = {key: text for key, (_, text) in self._sight().items()}

    async def sees(self, *wanted: str) -> str:
        """What the last gesture brought or changed, once it holds all of this; AssertionError after a while."""
        try:
            return await until(lambda: self._news_with(wanted), PATIENCE)
        except TimeoutError:
            text = self._news()
        missing = [w for w in wanted if w not in text]
        raise AssertionError(f"not shown: {missing or 'anything new'}\n--- but\n{text}")

    @property
    @abstractmethod
    def warned(self) -> bool:
        """Whether what came last is marked as an error."""

    @abstractmethod
    async def close(self) -> None:
        """Close every form."""

    @abstractmethod
    async def _type(self, text: str) -> Answer: ...

    @abstractmethod
    async def _press(self, button: str) -> Answer: ...

    @abstractmethod
    async def _fill(self, values: Mapping[str, str]) -> Answer: ...

    @abstractmethod
    async def _capture(self) -> Answer: ...

    @abstractmethod
    async def _mention(self, text: str) -> Answer: ...

    @abstractmethod
    def _sight(self) -> dict[str, tuple[Thing, str]]:
        """All that the bot has in view here, by an id that stays, with its text; what lies on top comes last."""

    async def _done(self, gesture: Awaitable[Answer]) -> Answer:
        self.watch()
        answer = await gesture
        assert (answer.status, answer.error, answer.problems) == (200, "", ()), (answer.error, answer.text[:500])
        return answer

    def _news(self) -> str:
        found = [seen for key, seen in self._sight().items() if self._seen.get(key) != seen[1]]
        if found:
            self._last = found[-1][0]
        return "\n".join(text for _, text in found)

    def _news_with(self, wanted: tuple[str, ...]) -> str:
        text = self._news()
        ready = not any(words in text for words in _LATER) and all(w in text for w in wanted)
        return text if ready else ""


class OnSlack(Person):
    """By slash commands."""

    def __init__(self, slack: FakeSlack, email: str, channel: str = "dm") -> None:
        super().__init__()
        self.slack, self.channel = slack, channel
        self._said: Message | None = None
        self.user = next(u.id for u in slack.world.users.values() if u.email == email)

    async def _type(self, text: str) -> Answer:
        return await self.slack.command("/crm", text, user=self.user, channel=self.channel)

    async def _press(self, button: str) -> Answer:
        assert isinstance(self._last, Message | View)
        if button.isdecimal():
            blocks = self._last.blocks
            rows = [b for b in blocks if b.get("accessory", {}).get("type") == "button"]
            button = rows[int(button) - 1]["accessory"]["action_id"]
        return await self.slack.click(self._last, button, user=self.user)

    async def _fill(self, values: Mapping[str, str]) -> Answer:
        view = self.slack.view(self.user)
        assert view, "no form is open"
        given = {name: await self._value(view, name, value) for name, value in values.items()}
        return await self.slack.submit(view, given, user=self.user)

    @property
    def warned(self) -> bool:
        assert isinstance(self._last, Message | View)
        return "⚠️" in self.slack.text(self._last)

    async def close(self) -> None:
        while view := self.slack.view(self.user):
            await self.slack.close_view(view, user=self.user)

    async def _value(self, view: View, name: str, value: str) -> object:
        element = next(b["element"] for b in view.blocks if b.get("block_id") == name)
        if value and element["type"] == "external_select":
            found = await self.slack.suggest(view, element["action_id"], value, user=self.user, block_id=name)
            return found.json["options"][0]
        return value

    async def post(self, text: str) -> None:
        self._said = await self.slack.say(text, user=self.user, channel=self.channel)

    async def _mention(self, text: str) -> Answer:
        await self.slack.say(f"@crm {text}", user=self.user, channel=self.channel, thread=self._said)
        return self.slack.answers[-1]

    async def _capture(self) -> Answer:
        message = self._said or self.slack.last(self.channel, self.user, bot=False)
        return await self.slack.shortcut("create_case_from_message", message, user=self.user)

    def _sight(self) -> dict[str, tuple[Thing, str]]:
        place = self.slack.place(self.channel, self.user)
        there = [m for m in self.slack.world.messages.get(place.id, ()) if m.bot_id and m.to in ("", self.user)]
        seen: dict[str, tuple[Thing, str]] = {m.ts: (m, self.slack.text(m)) for m in there}
        if view := self.slack.view(self.user):
            seen["view"] = (view, self.slack.text(view))
        return seen


class OnTeams(Person):
    """In the personal chat."""

    def __init__(self, teams: FakeTeams, email: str, conversation: str = "personal") -> None:
        super().__init__()
        self.teams, self.user, self.conversation = teams, teams.world.person(email).key, conversation
        self._said: Post | None = None

    async def _type(self, text: str) -> Answer:
        return await self.teams.message(text, user=self.user, conversation=self.conversation)

    async def _press(self, button: str) -> Answer:
        action = self._row(int(button)) if button.isdecimal() else find_action(self._card(), button)
        if action["type"] == "Action.ShowCard":  # it asks first, in the card itself
            action = action["card"]["actions"][0]
        return await self._send(action, {})

    def _row(self, number: int) -> dict[str, Any]:
        """A row's button."""
        rows = [p for p in adaptive.parts(self._card()) if p["type"] == "ColumnSet"]
        buttons = [p for row in rows for p in adaptive.parts(row) if p["type"] in ("Action.Execute", "Action.Submit")]
        return buttons[number - 1]

    async def _fill(self, values: Mapping[str, str]) -> Answer:
        self._last = self.teams.dialog(self.user) or self._last
        card = self._card()
        inputs = {p["id"].partition(".")[2]: p for p in adaptive.parts(card) if p["type"].startswith("Input.")}
        given = {inputs[name]["id"]: await self._value(inputs[name], value) for name, value in values.items()}
        return await self._send(card["actions"][0], given)

    async def _send(self, action: Mapping[str, Any], inputs: Mapping[str, str]) -> Answer:
        data, missing = gather(self._card(), action, inputs)
        assert not missing
        if isinstance(self._last, Dialog):
            return await self.teams.submitted(data, user=self.user)
        assert isinstance(self._last, Post)
        return await self.teams.pressed(self._last, action, data, user=self.user)

    @property
    def warned(self) -> bool:
        return any(p.get("style") == "attention" for p in adaptive.parts(self._card()))

    async def close(self) -> None:
        self.teams.close_dialog(user=self.user)

    async def _value(self, field: Mapping[str, Any], value: str) -> str:
        query = field.get("choices.data")
        if value and isinstance(query, Mapping):
            found = await self.teams.typeahead(query["dataset"], value, user=self.user)
            return str(found.json["value"]["results"][0]["value"])
        return value

    def _card(self) -> dict[str, Any]:
        if isinstance(self._last, Dialog):
            return self._last.card or {}
        assert isinstance(self._last, Post)
        return self._last.card(self.teams.world.person(self.user).teams) or {}

    async def post(self, text: str) -> None:
        await self.teams.message(text, user=self.user, conversation=self.conversation, mention=False)
        self._said = self.teams.last(self.conversation, self.user, bot=False)

    async def _mention(self, text: str) -> Answer:
        return await self.teams.message(text, user=self.user, conversation=self.conversation, reply_to=self._said)

    async def _capture(self) -> Answer:
        message = self._said or self.teams.last(self.conversation, self.user, bot=False)
        return await self.teams.compose_fetch_task(message, user=self.user)

    def _sight(self) -> dict[str, tuple[Thing, str]]:
        world = self.teams.world
        place, who = world.conversation(self.conversation, self.user), world.person(self.user).teams
        there = [p for p in world.posts.values() if p.conversation == place.id and p.by_bot and p.to in ("", who)]
        seen: dict[str, tuple[Thing, str]] = {p.id: (p, self.teams.text(p, self.user)) for p in there if not p.deleted}
        if dialog := self.teams.dialog(self.user):
            seen["dialog"] = (dialog, self.teams.text(dialog, self.user))
        return seen


def on_slack(bot: Bot, email: str, *, channel: bool = False) -> Person:
    """In the support channel, or alone with the bot."""
    return OnSlack(bot.slack, email, "C1" if channel else "dm")


def on_teams(bot: Bot, email: str, *, channel: bool = False) -> Person:
    """In the support channel, or alone with the bot."""
    return OnTeams(bot.teams, email, "support" if channel else "personal")


FACES = {"slack": on_slack, "teams": on_teams}

_PIECE = re.compile(r"<…>|\[|\]|! | · |: ")
_DAY = re.compile(r"\d{4}-\d\d-\d\d.*")


def pieces(line: str) -> list[str]:
    """What any face must show of a line of a dialogue, however it lays it out."""
    line = re.sub(r"^(\d+\. |\*|\((shared with )?everyone\) ?)", "", line)
    found = (p.strip(" :") for p in _PIECE.split(line))
    return [p for p in found if p and not _DAY.fullmatch(p)]
