"""What the client's tests share."""

from collections.abc import AsyncIterator

import pytest

from crm.auth import Application
from crm.client import Dataverse, Session
from tests.crm.server import Server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as running:
        yield running


@pytest.fixture
async def session(server: Server) -> AsyncIterator[Session]:
    async with Dataverse(server.url) as dataverse:
        yield dataverse.acting_as(Application())
