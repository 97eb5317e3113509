from collections.abc import AsyncIterator

import pytest

from .api import Api, api


@pytest.fixture
async def dataverse() -> AsyncIterator[Api]:
    """A bare organisation in memory."""
    async with api() as client:
        yield client
