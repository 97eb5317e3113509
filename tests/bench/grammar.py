"""What a command costs: understood, text -> operation, every example of the catalog; planned, text -> request.

python -m tests.bench.grammar
"""

import asyncio
import statistics
import time
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import commands.operations  # joins the operations to the catalog
from commands import forms
from commands.fields import Reading
from commands.grammar import Parsed, parse
from commands.operation import CATALOG
from commands.vocabulary import MetadataVocabulary
from crm.session import Session
from tests.commands.organisation import Desk, organisation

ROUNDS = 200
BOUND = 1_000.0
"""Microseconds of CPU, median, for any example."""

LONG = "case create Printer on fire " + "and it burns " * 760
"""10 kB."""


_ROW = "5f3c8d2e-0000-4000-8000-000000000001"
PLANNED = (
    'lead create Jane Smith company="Acme Corp" email=jane.smith@example.com topic="Enterprise plan" rating=hot',
    f"case create 'Printer on fire' account=/accounts({_ROW}) priority=high origin=phone due='tomorrow 3pm'",
    f"opportunity update {_ROW} rating=hot value=250k close='end of quarter'",
    f"case resolve {_ROW} 'Sent the manual'",
    "lead list company~acme created>7d rating=hot mine sort=-created top=20",
    "case list open priority=high (mine OR team)",
    "account search contoso",
)
"""Commands whose first request is what they are for: nothing in them must be looked up."""


@dataclass(frozen=True)
class Cost:
    """Microseconds of CPU."""

    text: str
    median: float


def cost(text: str, rounds: int = ROUNDS) -> Cost:
    """Parse and read one command many times."""
    reading = Reading(locale="de-DE", timezone="Europe/Berlin")
    spent = []
    for _ in range(rounds):
        begin = time.thread_time_ns()
        said = parse(text, reading)
        assert isinstance(said, Parsed)
        said.read(reading)
        spent.append((time.thread_time_ns() - begin) / 1000)
    return Cost(text, statistics.median(spent))


def measure(rounds: int = ROUNDS) -> list[Cost]:
    """Every example, dearest first."""
    return sorted((cost(op.example, rounds) for op in CATALOG.values()), key=lambda c: -c.median)


class _Ready(BaseException):
    """A request is known, ready to be sent."""


class _Stopping(Session):
    """Dataverse as somebody, up to the moment before anything is sent."""

    __slots__ = ()

    async def _send(self, *_: Any, **__: Any) -> NoReturn:
        raise _Ready

    async def batch(self, *_: Any, **__: Any) -> NoReturn:
        raise _Ready


async def planned(desk: Desk, text: str, rounds: int) -> Cost:
    """Parse, read, check against metadata and run one command up to its request, many times."""
    ctx = desk.context("bench")
    known = ctx.crm
    stopping = _Stopping(known.url, known._exchange, known.metadata, known._caller, deadline=1.0)
    ctx = replace(ctx, crm=stopping)
    vocabulary, reading = MetadataVocabulary(known.metadata), Reading(locale="de-DE", timezone="Europe/Berlin")
    spent = []
    for _ in range(rounds):
        begin = time.thread_time_ns()
        said = parse(text, reading, vocabulary)
        assert isinstance(said, Parsed)
        operation = said.read(reading)
        assert not forms.missing(operation, known.metadata)
        assert not forms.problems(operation, known.metadata)
        try:
            await operation.run(ctx)
        except _Ready:
            spent.append((time.thread_time_ns() - begin) / 1000)
    assert len(spent) == rounds
    return Cost(text, statistics.median(spent))


async def main(rounds: int = ROUNDS) -> str:
    """The section of `docs/benchmarks.md`."""
    costs = await asyncio.to_thread(measure, rounds)
    async with organisation() as desk:
        plans = sorted([await planned(desk, text, rounds) for text in PLANNED], key=lambda c: -c.median)
    long = cost(LONG, max(1, rounds // 10))
    middle = statistics.median(c.median for c in costs)
    holds = "ok" if costs[0].median <= BOUND else "NOT MET"
    ready = "ok" if plans[0].median <= BOUND else "NOT MET"
    return "\n".join(
        [
            "## Understanding a command",
            "",
            (
                f"`python -m tests.bench.grammar`: parsing and reading the values of all {len(costs)} examples of "
                f"{commands.operations.__name__}, CPU microseconds, medians of {rounds}."
            ),
            "",
            "| what | us |",
            "|---|---|",
            f"| an example, median | {middle:.0f} |",
            *(
                f"| {kind} (`{c.text[:60]}`) | {c.median:.0f} |"
                for kind, c in (("dearest", costs[0]), ("cheapest", costs[-1]))
            ),
            f"| a text of {len(LONG)} characters | {long.median:.0f} |",
            *(f"| planned, to the request: `{c.text[:60]}` | {c.median:.0f} |" for c in plans),
            "",
            f"- the dearest command, parsed and planned, us: {plans[0].median:.0f} (<= {BOUND:.0f}) {ready}",
            f"- the dearest example, us: {costs[0].median:.0f} (<= {BOUND:.0f}) {holds}",
            "",
        ]
    )


if __name__ == "__main__":
    print(asyncio.run(main()))
