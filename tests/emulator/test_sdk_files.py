"""Microsoft's SDK for Python: file columns, and the data frames of pandas."""

from collections.abc import AsyncIterator
from pathlib import Path

import pandas as pd
import pytest
from PowerPlatform.Dataverse.core.errors import HttpError

from .sdk import MODES, Sdk, connected


@pytest.fixture(scope="module", params=MODES)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    async with connected(request.param) as found:
        yield found


async def content(sdk: Sdk, path: str) -> bytes:
    """What a file column holds, read without the SDK, which cannot download."""
    import aiohttp

    url = f"{sdk.emulator.url}/api/data/v9.2/{path}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer any"}) as http,
        http.get(url, ssl=False) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.read()


async def test_small_upload_makes_the_column(sdk: Sdk, tmp_path: Path) -> None:
    file = tmp_path / "contract & terms.pdf"
    file.write_bytes(b"%PDF" + bytes(range(256)) * 40)
    key = await sdk(lambda c: c.records.create("account", {"name": "With a file"}))
    await sdk(lambda c: c.files.upload("account", key, "new_Document", str(file), mime_type="application/pdf"))
    assert await content(sdk, f"accounts({key})/new_document/$value") == file.read_bytes()
    row = await sdk(lambda c: c.records.retrieve("account", key, select=["new_document", "new_document_name"]))
    assert row["new_document"]
    assert row["new_document_name"] == file.name


async def test_upload_over_an_existing_file(sdk: Sdk, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_bytes(b"first")
    key = await sdk(lambda c: c.records.create("account", {"name": "Twice"}))
    await sdk(lambda c: c.files.upload("account", key, "new_Document", str(file)))
    file.write_bytes(b"second")
    await sdk(lambda c: c.files.upload("account", key, "new_Document", str(file), if_none_match=False))
    assert await content(sdk, f"accounts({key})/new_document/$value") == b"second"


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # the SDK's own way to send
async def test_chunked_upload(sdk: Sdk, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(b"0123456789abcdef" * 600_000)
    key = await sdk(lambda c: c.records.create("account", {"name": "Large"}))
    await sdk(lambda c: c.files.upload("account", key, "new_Document", str(file), mode="chunk"))
    assert await content(sdk, f"accounts({key})/new_document/$value") == file.read_bytes()


async def test_upload_to_a_row_that_is_not_there(sdk: Sdk, tmp_path: Path) -> None:
    file = tmp_path / "lost.txt"
    file.write_bytes(b"lost")
    with pytest.raises(HttpError) as caught:
        await sdk(
            lambda c: c.files.upload("account", "00000000-0000-4000-8000-00000000dead", "new_Document", str(file))
        )
    assert caught.value.status_code == 404


async def test_data_frames(sdk: Sdk) -> None:
    frame = pd.DataFrame([{"name": "Frame one", "numberofemployees": 1}, {"name": "Frame two", "numberofemployees": 2}])
    ids = await sdk(lambda c: c.dataframe.create("account", frame))
    assert len(ids) == 2
    changes = pd.DataFrame({"accountid": list(ids), "description": ["framed", "framed"]})
    await sdk(lambda c: c.dataframe.update("account", changes, id_column="accountid"))
    read = await sdk(
        lambda c: c.dataframe.sql(
            "SELECT name, numberofemployees FROM account WHERE description = 'framed' ORDER BY name"
        )
    )
    assert list(read["name"]) == ["Frame one", "Frame two"]
    await sdk(lambda c: c.dataframe.delete("account", ids))
    assert not list(await sdk(lambda c: c.records.list("account", filter="description eq 'framed'")))
