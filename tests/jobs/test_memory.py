"""Memory stays flat. CRMCHAT_SOAK_MEMORY (50000): after how many commands it is looked at."""

import os
from pathlib import Path

import pytest

from tests.bench.jobs import memory_over

COMMANDS = int(os.environ.get("CRMCHAT_SOAK_MEMORY", "50000"))
GROWTH = 24.0
"""Megabytes over the last four fifths: 0.6 kB for each of 40,000 commands; what is kept for each would be more."""


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_memory_is_flat(tmp_path: Path) -> None:
    memory = await memory_over(COMMANDS, tmp_path)
    print(f"\n{memory.commands} commands: {memory.warm:.0f} MB after a fifth, {memory.end:.0f} MB at the end")
    assert memory.growth <= GROWTH, memory
