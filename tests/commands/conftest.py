"""What the tests of operations share."""

from collections.abc import AsyncIterator

import pytest

from .organisation import Desk, organisation


@pytest.fixture(scope="module")
async def desk() -> AsyncIterator[Desk]:
    """One organisation for the tests of a module: they use records of their own."""
    async with organisation() as desk:
        yield desk
