"""Kill -9 during writes: what was acknowledged is there afterwards, whole or not at all, and the file is sound."""

import asyncio
import random
import sqlite3
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .api import API
from .process import serving

WRITERS = 4
CRM = "Microsoft.Dynamics.CRM."


@dataclass
class Ledger:
    """What the server acknowledged.

    Attributes:
        rows: account id -> its acknowledged name, None when its deletion was acknowledged.
        open: ids whose last write was not answered: old or new state are both right.
        sets: ids that were written together.
    """

    rows: dict[str, str | None] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    sets: list[list[str]] = field(default_factory=list)


class Writer:
    def __init__(self, url: str, session: aiohttp.ClientSession, ledger: Ledger, rng: random.Random) -> None:
        self.base = f"{url}{API}"
        self.session = session
        self.ledger = ledger
        self.rng = rng

    async def send(self, method: str, path: str, ids: list[str], after: str | None, **options: Any) -> None:
        self.ledger.open.update(ids)
        async with self.session.request(method, f"{self.base}/{path}", **options) as response:
            text = await response.text()
        assert response.status < 300, text
        self.ledger.open.difference_update(ids)
        self.ledger.rows.update(dict.fromkeys(ids, after))

    async def run(self, mine: list[str]) -> None:
        """Write until the server dies. Only this writer touches the rows in `mine`."""
        while True:
            await self.step(mine)

    async def step(self, mine: list[str]) -> None:
        pick, name = self.rng.random(), f"name {self.rng.random()}"
        living = [key for key in mine if self.ledger.rows.get(key) is not None]
        if pick < 0.5 or not living:
            key = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
            mine.append(key)
            await self.send("POST", "accounts", [key], name, json={"accountid": key, "name": name})
        elif pick < 0.7:
            key = self.rng.choice(living)
            await self.send("PATCH", f"accounts({key})", [key], name, json={"name": name}, headers={"If-Match": "*"})
        elif pick < 0.75:
            key = self.rng.choice(living)
            await self.send("DELETE", f"accounts({key})", [key], None)
        elif pick < 0.9:
            keys = [str(uuid.UUID(int=self.rng.getrandbits(128), version=4)) for _ in range(20)]
            mine.extend(keys)
            self.ledger.sets.append(keys)
            targets = [{"@odata.type": f"{CRM}account", "accountid": key, "name": name} for key in keys]
            await self.send("POST", f"accounts/{CRM}CreateMultiple", keys, name, json={"Targets": targets})
        else:
            await self.change_set(mine, name)

    async def change_set(self, mine: list[str], name: str) -> None:
        keys = [str(uuid.UUID(int=self.rng.getrandbits(128), version=4)) for _ in range(3)]
        mine.extend(keys)
        self.ledger.sets.append(keys)
        parts = "".join(
            f"--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nPOST {API}/accounts HTTP/1.1\r\n"
            f'Content-Type: application/json\r\n\r\n{{"accountid":"{key}","name":"{name}"}}\r\n'
            for number, key in enumerate(keys)
        )
        body = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{parts}--c--\r\n--b--\r\n"
        headers = {"Content-Type": "multipart/mixed; boundary=b"}
        await self.send("POST", "$batch", keys, name, data=body.encode(), headers=headers)


def sound(db: Path) -> dict[str, str]:
    """The accounts in the file, read with plain SQLite after its own check."""
    connection = sqlite3.connect(db)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(connection.execute("SELECT accountid, name FROM account"))
    finally:
        connection.close()


def compare(ledger: Ledger, held: dict[str, str]) -> None:
    for key, name in ledger.rows.items():
        if key not in ledger.open:
            assert held.get(key) == name, f"{key} was acknowledged as {name!r} and is {held.get(key)!r}"
    for keys in ledger.sets:
        fresh = [key for key in keys if key in ledger.open and key not in ledger.rows]
        assert len({key in held for key in fresh}) <= 1, "a change set was kept in part"
    for key in ledger.open:
        ledger.rows[key] = held.get(key)
    ledger.open.clear()


async def kill_while_writing(db: Path, kills: int, seed: int) -> int:
    rng = random.Random(seed)
    ledger = Ledger()
    mine: list[list[str]] = [[] for _ in range(WRITERS)]
    for _ in range(kills):
        target = len(ledger.rows) + rng.randint(30, 150)
        async with serving(db) as (process, url), aiohttp.ClientSession() as session:
            writers = [
                asyncio.create_task(Writer(url, session, ledger, random.Random(rng.random())).run(keys))
                for keys in mine
            ]
            async with asyncio.timeout(60):
                while len(ledger.rows) < target and not any(writer.done() for writer in writers):
                    await asyncio.wait(writers, timeout=0.002)
            process.kill()
            done = await asyncio.gather(*writers, return_exceptions=True)
            assert all(isinstance(error, aiohttp.ClientError | OSError) for error in done), done
        compare(ledger, sound(db))
    async with serving(db) as (_, url), aiohttp.ClientSession() as session:
        for key in rng.sample(sorted(ledger.rows), 50):
            response = await session.get(f"{url}{API}/accounts({key})?$select=name")
            async with response:
                held = (await response.json()).get("name")
                assert (response.status, held) == ((404, None) if ledger.rows[key] is None else (200, ledger.rows[key]))
    return len(ledger.rows)


async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    assert await kill_while_writing(tmp_path / "emulator.db", 3, 7) > 90


@pytest.mark.soak
async def test_nothing_acknowledged_is_lost_in_fifty_kills(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}: {await kill_while_writing(tmp_path / 'emulator.db', 50, seed)} rows written")
