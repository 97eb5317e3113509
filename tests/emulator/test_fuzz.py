"""Malformed requests: a 4xx in Dataverse's shape, never a 500, never a changed row."""

import hashlib
import json
import os
import random
import string
from typing import Any
from urllib.parse import quote

import pytest

from .api import Answer, Api

ROW = "11111111-2222-4333-8444-555555555555"
ODD = [
    "\x00", "%", "%zz", "%00", "'", '"', "(", ")", "[", "]", "{", "}", "$", "@", "/", "//", "..", ";", "&", "=", "+",
    ",", "\u202e", "é", "😀", "\ud800", "9" * 400, "-1", "1e999", "null", "NaN", " " * 50, "a" * 5000, "(" * 200,
    "%" * 60,
]  # fmt: skip
READS = [
    "accounts",
    "accounts?$select=name,revenue&$filter=contains(name,'x') and revenue gt 5&$orderby=name desc&$top=3&$count=true",
    'accounts?$filter=Microsoft.Dynamics.CRM.In(PropertyName=\'name\',PropertyValues=["a","b"])',
    "accounts?$filter=Account_Tasks/any(t:t/subject eq 'x')&$expand=primarycontactid($select=name),Account_Tasks",
    f"accounts({ROW})?$select=name",
    f"accounts({ROW})/name/$value",
    f"accounts({ROW})/primarycontactid/$ref",
    f"accounts({ROW})/Account_Tasks/$count",
    "accounts(accountnumber='A1')",
    "accounts?$apply=groupby((industrycode),aggregate(revenue with sum as total))",
    "accounts?sql=SELECT TOP 3 name, revenue FROM account WHERE name LIKE 'a%' AND revenue > 3 ORDER BY name",
    "accounts?fetchXml=<fetch count='2'><entity name='account'><attribute name='name'/></entity></fetch>",
    "accounts?fetchXml=<fetch top='1'><entity name='account'><order attribute='name'/></entity></fetch>",
    "accounts?$skiptoken=<cookie pagenumber='2' pagingcookie='%253ccookie%253e' istracking='False' />",
    "accounts?$deltatoken=5!01/02/2026 03:04:05",
    "RetrieveTotalRecordCount(EntityNames=['account'])",
    "WhoAmI()",
    "EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'account'",
    "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.StateAttributeMetadata?$expand=OptionSet",
    'RetrieveMetadataChanges(Query=@p1)?@p1={"Properties":{"AllProperties":true}}',
    "GlobalOptionSetDefinitions(Name='budgetstatus')",
    "",
]
WRITES = [
    ("POST", "accounts"), ("PATCH", f"accounts({ROW})"), ("PUT", f"accounts({ROW})/name"),
    ("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple"),
    ("POST", "accounts/Microsoft.Dynamics.CRM.UpdateMultiple"),
    ("POST", "accounts/Microsoft.Dynamics.CRM.UpsertMultiple"), ("POST", "BulkDelete"), ("POST", "searchquery"),
    ("PUT", f"accounts({ROW})/primarycontactid/$ref"), ("POST", f"accounts({ROW})/Account_Tasks/$ref"),
    ("POST", "CreateEntities"), ("POST", "EntityDefinitions"), ("POST", "RelationshipDefinitions"),
    ("POST", "EntityDefinitions(LogicalName='account')/Attributes"), ("POST", "UploadBlock"),
    ("POST", "CommitAnnotationBlocksUpload"), ("POST", "InitializeFileBlocksUpload"),
]  # fmt: skip
BATCH = (
    "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    "GET /api/data/v9.2/accounts?$filter=name eq 'x y'&$top=1 HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n"
    "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    "--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
    "POST /api/data/v9.2/accounts HTTP/1.1\r\nContent-Type: application/json; type=entry\r\n\r\n"
    '{"name":"never","zzqq":1,"qqzz":2}\r\n'
    "--c\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\nPATCH $1 HTTP/1.1\r\n\r\n"
    '{"qqzz@odata.bind":"$9","zzqq":5}\r\n--c--\r\n--b--\r\n'
)


class Fuzzer:
    def __init__(self, dataverse: Api, rng: random.Random) -> None:
        self.dataverse = dataverse
        self.rng = rng

    def mutated(self, text: str) -> str:
        for _ in range(self.rng.randint(1, 3)):
            place = self.rng.randrange(len(text) + 1)
            match self.rng.randrange(4):
                case 0:
                    text = text[:place] + self.rng.choice(ODD) + text[place:]
                case 1:
                    text = text[:place] + text[place + self.rng.randint(1, 6) :]
                case 2:
                    text = text[:place] + self.rng.choice(string.printable) + text[place + 1 :]
                case _:
                    other = self.rng.randrange(len(text) + 1)
                    text = text[: max(place, other)] + text[min(place, other) :]
        return text[:20_000]

    def junk(self, depth: int = 0) -> Any:
        pick = self.rng.randrange(8 if depth < 3 else 6)
        if pick == 6:
            return [self.junk(depth + 1) for _ in range(self.rng.randrange(3))]
        if pick == 7:
            keys = [
                "name",
                "@odata.type",
                "primarycontactid@odata.bind",
                "Targets",
                "accountid",
                "value",
                "@odata.id",
                "x",
            ]
            return {self.rng.choice(keys): self.junk(depth + 1) for _ in range(self.rng.randrange(4))}
        return [None, True, -1, 1e300, "", self.rng.choice(ODD).replace("\ud800", "")][pick]

    async def read(self) -> tuple[str, Answer]:
        path, _, query = self.rng.choice(READS).partition("?")
        if self.rng.random() < 0.5:
            path = self.mutated(path)
        else:
            query = self.mutated(query)
        text = quote(path, safe="/()=',$@.", errors="replace")
        if query:
            text += "?" + quote(query, safe=self.rng.choice(["=&$", "=&$+'(),/%@"]), errors="replace")
        return f"GET {text}", await self.dataverse("GET", text)

    async def broken_json(self) -> tuple[str, Answer]:
        method, path = self.rng.choice(WRITES)
        body = self.mutated(json.dumps({"name": "x", "Targets": [self.junk()]}))
        try:
            json.loads(body)
            body += "]"
        except ValueError:
            pass
        data = body.encode("utf-8", "surrogatepass")
        return f"{method} {path} {data[:300]!r}", await self.dataverse(method, path, data=data)

    async def wrong_values(self) -> tuple[str, Answer]:
        method, path = self.rng.choice(WRITES)
        record = {"zzqq": self.junk(), "Targets": [{"zzqq": 1, "name": self.junk()}], "Entities": self.junk()}
        if self.rng.random() < 0.5:
            record = {"name": [self.junk()], "value": {"x": 1}, "Target": self.junk()}
        return f"{method} {path} {record}", await self.dataverse(method, path, record)

    async def batch(self) -> tuple[str, Answer]:
        body = self.mutated(BATCH).encode("utf-8", "surrogatepass")
        kind = "multipart/mixed; boundary=b"
        if self.rng.random() < 0.2:
            kind = "".join(c for c in self.mutated(kind) if c in string.ascii_letters + "/=;-_ ")
        headers = {"Content-Type": kind}
        if self.rng.random() < 0.5:
            headers["Prefer"] = "odata.continue-on-error"
        return f"$batch {kind} {body!r}", await self.dataverse("POST", "$batch", data=body, headers=headers)

    async def headers(self) -> tuple[str, Answer]:
        usable = string.ascii_letters + string.digits + " =*\"'/;,.-_W"
        values = {
            name: "".join(self.rng.choice(usable) for _ in range(self.rng.randint(1, 30))).strip() or "x"
            for name in self.rng.sample(["Prefer", "If-None-Match", "Content-Type", "x-ms-file-name", "Content-Range",
                                         "Accept", "OData-Version", "CallerObjectId", "MSCRMCallerID"], 3)
        }  # fmt: skip
        if self.rng.random() < 0.5:
            values["If-Match"] = 'W/"stale"'
            return f"PATCH {values}", await self.dataverse(
                "PATCH", f"accounts({ROW})", {"name": "never"}, headers=values
            )
        values["Prefer"] = "odata.maxpagesize=" + self.rng.choice([*ODD[1:6], "0", "-5", "99999999999"])
        return f"GET {values}", await self.dataverse("GET", "accounts", headers=values)


async def state(dataverse: Api) -> str:
    """A digest of everything in the database."""
    store = dataverse.emulator.service.store
    return await store.read(lambda tx: hashlib.sha256("\n".join(tx.connection.iterdump()).encode()).hexdigest())


async def check(dataverse: Api, seed: int, count: int) -> dict[int, int]:
    await dataverse.create("accounts", {"accountid": ROW, "name": "Kept", "revenue": 5})
    before = await state(dataverse)
    fuzzer = Fuzzer(dataverse, random.Random(seed))
    kinds = [fuzzer.read, fuzzer.read, fuzzer.broken_json, fuzzer.wrong_values, fuzzer.batch, fuzzer.headers]
    tally: dict[int, int] = {}
    for number in range(count):
        what, answer = await kinds[number % len(kinds)]()
        tally[answer.status] = tally.get(answer.status, 0) + 1
        where = f"seed {seed}, request {number}: {what[:2000]}\n-> {answer.status} {answer.text[:500]}"
        assert answer.status < 500 or answer.status == 501, where
        if answer.status >= 400 and "multipart" not in answer.headers.get("Content-Type", ""):
            error = answer.body["error"]
            assert set(error) == {"code", "message"}, where
            assert error["message"], where
        elif not what.startswith(("GET", "$batch")):
            assert answer.status >= 400 or "searchquery" in what, where
    assert await state(dataverse) == before
    return tally


async def test_malformed_requests_are_refused_and_change_nothing(dataverse: Api) -> None:
    tally = await check(dataverse, 20261124, 1500)
    assert sum(n for status, n in tally.items() if status >= 400) > 700


async def check_control(dataverse: Api, seed: int, count: int) -> dict[int, int]:
    """The same for the control plane: no request that is wrong changes faults, limits, roles, webhooks or rows."""
    rng = random.Random(seed)
    fuzzer = Fuzzer(dataverse, rng)
    emulator = dataverse.emulator
    paths = ["requests", "faults", "limits", "roles", "webhooks", "webhooks/x", "seed/no", "log", "tables/account"]
    bodies = [
        '{"status": 429, "count": 2}', '{"drop": "after"}', '{"requests": 5}', '{"R": {"lead": {"read": "user"}}}',
        '{"url": "http://127.0.0.1/x", "tables": ["account"]}',
    ]  # fmt: skip
    before = await state(dataverse)
    tally: dict[int, int] = {}
    for number in range(count):
        method = rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH"])
        path = rng.choice(paths)
        if number % 2:
            path = fuzzer.mutated(path)
        body = fuzzer.mutated(rng.choice(bodies)) + "]"  # never a whole document
        url = f"{emulator.url}/_emulator/{quote(path, safe='/?=&', errors='replace')}"
        data = None if method == "GET" else body.encode("utf-8", "surrogatepass")
        answer = await dataverse(method, url, data=data)
        tally[answer.status] = tally.get(answer.status, 0) + 1
        assert answer.status < 500, (
            f"seed {seed}, request {number}: {method} {url} {body[:500]!r}\n-> {answer.text[:500]}"
        )
    assert (emulator.faults.waiting, emulator.protection.limits) == ([], None)
    assert await emulator.webhooks.describe() == []
    assert await state(dataverse) == before
    return tally


async def test_malformed_requests_to_the_control_plane_change_nothing(dataverse: Api) -> None:
    tally = await check_control(dataverse, 20261124, 500)
    assert sum(n for status, n in tally.items() if status >= 400) > 200


@pytest.mark.soak
async def test_fifty_thousand_malformed_requests(dataverse: Api) -> None:
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(2**32))
    count = int(os.environ.get("SOAK_REQUESTS") or 50_000)
    print(f"SOAK_SEED={seed} SOAK_REQUESTS={count}")
    print(await check(dataverse, seed, count))
    print(await check_control(dataverse, seed, count // 10))
