"""What understanding a command costs: text -> operation with read values, every example of the catalog.

python -m tests.bench.grammar
"""

import asyncio
import statistics
import time
from dataclasses import dataclass

import commands.operations  # joins the operations to the catalog
from commands.fields import Reading
from commands.grammar import Parsed, parse
from commands.operation import CATALOG

ROUNDS = 200
BOUND = 1_000.0
"""Microseconds of CPU, median, for any example."""

LONG = "case create Printer on fire " + "and it burns " * 760
"""10 kB."""


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


async def main(rounds: int = ROUNDS) -> str:
    """The section of `docs/benchmarks.md`."""
    costs = await asyncio.to_thread(measure, rounds)
    long = cost(LONG, max(1, rounds // 10))
    middle = statistics.median(c.median for c in costs)
    holds = "ok" if costs[0].median <= BOUND else "NOT MET"
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
            "",
            f"- the dearest example, us: {costs[0].median:.0f} (<= {BOUND:.0f}) {holds}",
            "",
        ]
    )


if __name__ == "__main__":
    print(asyncio.run(main()))
