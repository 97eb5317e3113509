"""Commands to a server that refuses some of them: what was accepted is done once, what was refused is not."""

import asyncio
from collections import Counter

from .harness import Outside, Server, Tally, name, names_in, settle


class Asked:
    """Commands to one server, and what was said to each."""

    def __init__(self, world: Outside, server: Server, first: int = 0) -> None:
        self._world, self._server, self._next = world, server, first
        self.accepted: list[int] = []
        self.refused: list[int] = []
        self.uncertain: list[int] = []
        self.acknowledged: Counter[str] = Counter()

    async def ask(self, number: int | None = None) -> None:
        """A new command, or one of before with another gesture."""
        given = number
        if number is None:
            number, self._next = self._next, self._next + 1
        text = f"lead create Jane {name(number)} topic=Topic-{number}"
        gesture = f"asked-{number}" if given is None else f"asked-{number}-again"
        status, body = await self._world.slack(self._server.url, text, gesture)
        assert status == 200, f"{body}\n{self._server.log()}"
        if "not accepted, and nothing was done" in body:
            self.refused.append(number)
        elif "not certain" in body:
            self.uncertain.append(number)
        else:
            self.accepted.append(number)
            self.acknowledged.update(names_in(body))

    async def settled(self) -> None:
        """Everything accepted is done once and answered; nothing refused was done."""
        async with asyncio.timeout(60):
            while not all(self._answered(n) for n in self.accepted):  # noqa: ASYNC110  they are counted by a server
                await asyncio.sleep(0.1)
        tally = Tally(0, 0)
        await settle(self._world, tally, seconds=0)
        assert {n: tally.rows[name(n)] for n in self.accepted} == dict.fromkeys(self.accepted, 1), self._server.log()
        assert not [n for n in self.refused if n not in self.accepted and tally.rows[name(n)]], self._server.log()
        assert not [n for n in self.uncertain if tally.rows[name(n)] > 1], self._server.log()

    def _answered(self, number: int) -> bool:
        return bool(self.acknowledged[name(number)] + self._world.sink.answers[name(number)])
