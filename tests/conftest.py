"""What all tests share: the whole bot, and what is skipped where the machine lacks something."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .bot import Bot, running
from .chromium import CHROMIUM

_NEEDS = {
    "browser": lambda: CHROMIUM,
    "postgres": lambda: next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None),
}

_START_PROCESSES = (
    "tests/jobs/",
    "tests/test_demo.py",
    "tests/mcp/",
    "tests/people/",
    "tests/slack/test_killed.py",
    "tests/teams/test_killed.py",
    "tests/teams/test_single_sign_on.py",
    "tests/teams/test_signed.py",
    "tests/commands/test_first_command.py",
    "tests/playground/test_browser.py",
)
"""Where tests start whole programs, and wait for them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what waits; skip by name what needs Chromium or PostgreSQL where these are absent.

    Under CRMCHAT_REQUIRE_ALL=1 the latter fails.
    """
    # Whoever of pytest's workers begins with these waits much; the others have the processors, and take over the rest.
    items.sort(key=lambda item: not item.nodeid.startswith(_START_PROCESSES))
    if os.environ.get("CRMCHAT_REQUIRE_ALL") == "1":
        return
    for item in items:
        for marker, find in _NEEDS.items():
            if item.get_closest_marker(marker) and not find():
                item.add_marker(pytest.mark.skip(reason=f"needs {marker}, which is not on this machine"))


@pytest.fixture(scope="session")
async def bot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bot]:
    """The whole bot; see `tests.bot`."""
    async with running(tmp_path_factory.mktemp("bot")) as bot:
        yield bot
