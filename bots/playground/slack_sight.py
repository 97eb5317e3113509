"""What people see in the fake Slack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from . import slack_text
from .answer import PATIENCE, until
from .slack_delivery import BotLink
from .slack_records import Channel, Message, View

T = TypeVar("T")


class SlackSight(BotLink):
    """Messages, modals and the home tab, through one person's eyes."""

    def place(self, channel: str, user: str = "U1") -> Channel:
        """A channel by id or name; "dm" is the person's direct messages with the app."""
        if channel in ("dm", "personal"):
            who = self.world.user(user)
            return self.world.direct(who.id, who.team)
        return self.world.channel(channel)

    def messages(self, channel: str = "C1", user: str = "U1", thread: Message | str | None = None) -> list[Message]:
        """The main column there, or a thread from its root."""
        ts = thread.ts if isinstance(thread, Message) else thread
        return self.world.seen(self.place(channel, user).id, self.world.user(user).id, ts)

    def last(self, channel: str = "C1", user: str = "U1", *, bot: bool = True) -> Message | None:
        """The newest message there that the person sees, threads included: the app's, or (`bot=False`) another's."""
        place, who = self.place(channel, user), self.world.user(user).id
        found = [m for m in self.world.messages.get(place.id, ()) if m.to in ("", who) and bool(m.bot_id) is bot]
        return found[-1] if found else None

    def view(self, user: str = "U1") -> View | None:
        """The modal on top."""
        return self.world.top_view(self.world.user(user).id)

    def home(self, user: str = "U1") -> View | None:
        return self.world.homes.get(self.world.user(user).id)

    def text(self, what: Message | View) -> str:
        """A message or view as a person reads it."""
        if isinstance(what, View):
            return slack_text.view_text(what, self.world)
        return "\n".join(slack_text.message_text(what, self.world))

    def transcript(self, channel: str = "C1", user: str = "U1", *, since: Message | str = "") -> str:
        """Everything that the person sees there, threads indented under their roots, an open modal last."""
        place, who = self.place(channel, user), self.world.user(user)
        start = since.ts if isinstance(since, Message) else since
        lines: list[str] = []
        for message in self.world.seen(place.id, who.id):
            if message.ts >= start:
                lines += slack_text.message_text(message, self.world)
            for reply in self.world.seen(place.id, who.id, message.ts)[1:]:
                if reply.ts >= start:
                    lines += [f"    {line}" for line in slack_text.message_text(reply, self.world)]
        if (view := self.view(user)) is not None:
            lines.append(self.text(view))
        return "\n".join(lines)

    async def until(
        self, probe: Callable[[], T | None] | Callable[[], Awaitable[T | None]], deadline: float = PATIENCE
    ) -> T:
        """Poll until the probe gives something true; TimeoutError otherwise."""
        return await until(probe, deadline)
