"""Starting: files, locks, tokens, TLS, and what is said when it cannot be."""

import asyncio
import json
import ssl
from pathlib import Path

import aiohttp
import pytest

from crm.emulator import Emulator, StoreError
from crm.emulator.errors import DataverseError
from crm.emulator.store import Store

from .api import API, api
from .process import refusal, serving


async def test_rows_survive_a_restart(tmp_path: Path) -> None:
    db = tmp_path / "emulator.db"
    async with api(db=db, seed="contoso") as first:
        key = await first.create("accounts", {"name": "Kept"})
        count = len((await first.get("contacts")).value)
    async with api(db=db, seed="contoso") as second:
        assert (await second.get(f"accounts({key})", select="name")).body["name"] == "Kept"
        assert len((await second.get("contacts")).value) == count, "a seed is loaded once"


async def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    db = tmp_path / "emulator.db"
    async with serving(db):
        status, said = await refusal(db)
    assert status != 0
    assert said.strip() == (
        f"{db} is already in use by another emulator. Stop that one, or start this one with another file."
    )


async def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    db = tmp_path / "emulator.db"
    async with api(db=db):
        pass
    db.chmod(0o444)
    with pytest.raises(StoreError, match="is read-only"):
        await Emulator(db).start()


@pytest.mark.parametrize("content", [b"not a database, but long enough to be looked at" * 50, b"{}"])
async def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    db = tmp_path / "other.txt"
    db.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be used as the emulator's database"):
        await Emulator(db).start()
    assert db.read_bytes() == content


async def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        await Emulator(tmp_path).start()


async def test_a_taken_port_frees_the_file(tmp_path: Path) -> None:
    async with api() as other:
        with pytest.raises(OSError, match="in use"):
            await Emulator(tmp_path / "a.db", port=other.emulator.port).start()
    async with api(db=tmp_path / "a.db"):
        pass


async def test_a_token_is_asked_for_only_when_wanted() -> None:
    async with api(require_token=True) as dataverse:
        refused = await dataverse.get("accounts")
        assert refused.status == 401
        assert refused.code == "0x80044302"
        assert refused.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
        assert (await dataverse.get("accounts", headers={"Authorization": "Bearer anything"})).status == 200
        assert (await dataverse.get("accounts", headers={"Authorization": "Basic abc"})).status == 401


async def test_tls_is_trusted_by_its_certificate() -> None:
    async with Emulator(tls=True) as emulator:
        assert emulator.url.startswith("https://localhost:")
        context = ssl.create_default_context(cafile=str(emulator.certificate))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{emulator.url}{API}/WhoAmI", ssl=context) as answer,
        ):
            assert answer.status == 200
    assert emulator.certificate is not None
    assert not emulator.certificate.exists()


async def test_the_control_plane_answers_only_to_this_machine() -> None:
    async with api() as dataverse:
        url = f"{dataverse.emulator.url}/_emulator/anything"
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            async with dataverse.session.get(url, headers=headers) as response:
                assert response.status == 403, headers


async def test_links_follow_the_address_that_was_called() -> None:
    async with api() as dataverse:
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "crm.example"}
        answer = await dataverse("POST", "accounts", {"name": "A"}, headers=forwarded)
        assert answer.headers["OData-EntityId"].startswith(f"https://crm.example{API}/accounts(")


async def test_unknown_addresses_and_versions_have_dataverses_shape() -> None:
    async with api() as dataverse:
        for path in ("/", "/nothing", "/api/data/v9.7/accounts", f"{API}/nothings"):
            answer = await dataverse.get(dataverse.emulator.url + path)
            assert answer.status == 404, path
            assert set(answer.body["error"]) == {"code", "message"}


async def test_a_read_that_takes_too_long_is_given_up() -> None:
    store = Store(":memory:", read_seconds=0.05)
    await store.open()
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    try:
        with pytest.raises(DataverseError, match="ran too long") as given_up:
            await store.read(lambda tx: tx.execute(endless).fetchone())
        assert (given_up.value.status, given_up.value.code) == (503, "0x80044151")
        assert await store.read(lambda tx: tx.execute("SELECT 1").fetchone()) == (1,)
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("target", "caller"), [(b"accounts", b"\xff"), (b"\xff\xfe", b"x"), (b"accounts?$select=\xff", b"x")]
)
async def test_bytes_that_are_no_text_are_refused_like_anything_else(target: bytes, caller: bytes) -> None:
    async with api() as dataverse:
        reader, writer = await asyncio.open_connection("127.0.0.1", dataverse.emulator.port)
        line = b"GET " + API.encode() + b"/" + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        writer.write(line + b"CallerObjectId: " + caller + b"\r\n\r\n")
        async with asyncio.timeout(10):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        assert head.split()[1].startswith(b"4"), head
        if b"json" in head:
            assert set(json.loads(body)["error"]) == {"code", "message"}
