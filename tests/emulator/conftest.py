from collections.abc import AsyncIterator

import pytest

from .api import Api, api


@pytest.fixture
async def dataverse() -> AsyncIterator[Api]:
    """A bare organisation in memory."""
    async with api() as client:
        yield client


@pytest.fixture(scope="module")
async def unwritten() -> AsyncIterator[Api]:
    """A bare organisation that a module's tests share: they only ask, mostly for what is refused."""
    async with api() as client:
        yield client


@pytest.fixture
async def firms(dataverse: Api) -> Api:
    """Seven firms with a contact and two tasks each; revenue 0, 10 … 60, industries 1 to 3, the last without a name."""
    for number in range(7):
        await dataverse.create("accounts", {
            "name": f"Firm {number}" if number < 6 else None, "revenue": number * 10, "industrycode": number % 3 + 1,
            "primarycontactid": {"firstname": "Ann", "lastname": f"Lee {number % 2}"},
            "Account_Tasks": [{"subject": f"Call {n}", "percentcomplete": n * 50} for n in range(2)],
        })  # fmt: skip
    return dataverse
