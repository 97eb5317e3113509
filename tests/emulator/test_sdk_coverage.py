"""No public method of Microsoft's SDK for Python is left out of these tests; its deprecated ones are here."""

import inspect
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PowerPlatform.Dataverse.operations.batch import (
    BatchDataFrameOperations,
    BatchQueryOperations,
    BatchRecordOperations,
    BatchTableOperations,
    ChangeSetRecordOperations,
)
from PowerPlatform.Dataverse.operations.dataframe import DataFrameOperations
from PowerPlatform.Dataverse.operations.files import FileOperations
from PowerPlatform.Dataverse.operations.query import QueryOperations
from PowerPlatform.Dataverse.operations.records import RecordOperations
from PowerPlatform.Dataverse.operations.tables import TableOperations

from .sdk import MODES, Sdk, connected

PARTS = {
    r"\bc\.records": RecordOperations,
    r"\b(?:c|client)\.query": QueryOperations,
    r"\bc\.tables": TableOperations,
    r"\bc\.files": FileOperations,
    r"\bc\.dataframe": DataFrameOperations,
    r"\bb\.records": BatchRecordOperations,
    r"\bb\.tables": BatchTableOperations,
    r"\bb\.query": BatchQueryOperations,
    r"\bb\.dataframe": BatchDataFrameOperations,
    r"\bchanges\.records": ChangeSetRecordOperations,
}


@pytest.fixture(scope="module", params=MODES)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    async with connected(request.param) as found:
        yield found


def test_every_public_method_is_called() -> None:
    source = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_sdk_*.py"))
    missing = [
        f"{part.__name__}.{name}"
        for prefix, part in PARTS.items()
        for name, _ in inspect.getmembers(part, inspect.isfunction)
        if not name.startswith("_") and not re.search(rf"{prefix}\.{name}\(", source)
    ]
    assert missing == []


async def test_data_frames_in_a_batch(sdk: Sdk) -> None:
    rows = pd.DataFrame([{"name": "Framed A"}, {"name": "Framed B"}])
    made = await sdk.batch(lambda b: b.dataframe.create("account", rows))
    ids = made.responses[0].data["Ids"]
    changes = pd.DataFrame({"accountid": ids, "description": ["one", "two"]})
    changed = await sdk.batch(lambda b: b.dataframe.update("account", changes, id_column="accountid"))
    assert not changed.has_errors
    found = await sdk(lambda c: c.records.list("account", filter="startswith(name,'Framed')", orderby=["name"]))
    assert [row["description"] for row in found] == ["one", "two"]
    removed = await sdk.batch(lambda b: b.dataframe.delete("account", pd.Series(ids)))
    assert not removed.has_errors
    assert not list(await sdk(lambda c: c.records.list("account", filter="startswith(name,'Framed')")))


async def test_the_cache_of_choices_can_be_flushed(sdk: Sdk) -> None:
    await sdk(lambda c: c.records.create("account", {"name": "Cached", "accountcategorycode": "Standard"}))
    body = {
        "EntityLogicalName": "account",
        "AttributeLogicalName": "accountcategorycode",
        "Value": 2,
        "Label": {"LocalizedLabels": [{"Label": "Ordinary", "LanguageCode": 1033}]},
        "MergeLabels": True,
    }
    await _post(sdk, "UpdateOptionValue", body)
    assert await sdk(lambda c: c.flush_cache("picklist")) > 0
    key = await sdk(lambda c: c.records.create("account", {"name": "Fresh", "accountcategorycode": "Ordinary"}))
    assert (await sdk(lambda c: c.records.retrieve("account", key)))["accountcategorycode"] == 2


async def _post(sdk: Sdk, path: str, body: dict[str, Any]) -> None:
    import aiohttp

    async with aiohttp.ClientSession(headers={"Authorization": "Bearer any"}) as http:
        url = f"{sdk.emulator.url}/api/data/v9.2/{path}"
        async with http.post(url, json=body, ssl=False) as answer:
            assert answer.status == 204, await answer.text()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:PowerPlatform.*")
async def test_deprecated_reading() -> None:
    async with connected("sync") as sdk:
        key = await sdk(lambda c: c.records.create("account", {"name": "Old way"}))
        with pytest.warns(DeprecationWarning, match="get"):
            assert (await sdk(lambda c: c.records.get("account", key, select=["name"])))["name"] == "Old way"
        with pytest.warns(DeprecationWarning, match="get"):
            pages = await sdk.pages(lambda c: c.records.get("account", filter="name eq 'Old way'", page_size=1))
        assert [row["name"] for page in pages for row in page] == ["Old way"]
        with pytest.warns(DeprecationWarning, match="get"):
            frame = await sdk(lambda c: c.dataframe.get("account", select=["name"], top=1))
        assert list(frame["name"]) == ["Old way"]
        with pytest.warns(DeprecationWarning, match="get"):
            result = await sdk.batch(lambda b: b.records.get("account", key, select=["name"]))
        assert result.responses[0].data["name"] == "Old way"
