"""`make bench`: speed as ratios side by side in one run, written to docs/benchmarks.md.

`python -m tests.bench [client grammar slack teams jobs emulator]` runs and reports only the parts named.
"""

import asyncio
import inspect
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

PARTS = ("client", "grammar", "slack", "teams", "jobs", "emulator")
REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


async def _run(part: str) -> str:
    made = import_module(f"tests.bench.{part}").main()
    return str(await made if inspect.isawaitable(made) else made)


def main() -> None:
    """Run the parts one after the other and print and write the report."""
    parts = [p for p in PARTS if p in sys.argv[1:]] or [
        p for p in PARTS if (Path(__file__).parent / f"{p}.py").exists()
    ]
    sections = [asyncio.run(_run(part)) for part in parts]
    head = (
        "# Benchmarks\n\n"
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores. Ratios are taken side by side in one run; compare rows, not machines.\n"
    )
    report = "\n\n".join([head.rstrip(), *(s.strip() for s in sections)]) + "\n"
    REPORT.write_text(report, "utf-8")
    print(report)


if __name__ == "__main__":
    main()
