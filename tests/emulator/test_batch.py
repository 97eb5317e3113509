"""`$batch`, change sets, the Multiple actions, BulkDelete and file columns."""

import asyncio
import base64
import re
import uuid
from typing import Any

import pytest

from .api import API, Answer, Api, api

CRM = "Microsoft.Dynamics.CRM."


def part(request: str, body: str = "", content_id: int | None = None) -> str:
    head = f"Content-ID: {content_id}\r\n" if content_id else ""
    kind = "Content-Type: application/json; type=entry\r\n" if body else ""
    return (
        f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{head}\r\n"
        f"{request} HTTP/1.1\r\n{kind}\r\n{body}\r\n"
    )


def change_set(*parts: str) -> str:
    inner = "".join(f"--c\r\n{text}" for text in parts)
    return f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--c--\r\n"


async def send(dataverse: Api, *parts: str, prefer: str = "") -> Answer:
    body = "".join(f"--b\r\n{text}" for text in parts) + "--b--\r\n"
    headers = {"Content-Type": 'multipart/mixed; boundary="b"', **({"Prefer": prefer} if prefer else {})}
    return await dataverse("POST", "$batch", data=body, headers=headers)


def statuses(answer: Answer) -> list[int]:
    return [int(text) for text in re.findall(r"^HTTP/1.1 (\d+)", answer.text, re.MULTILINE)]


async def test_parts_run_in_order_and_the_first_error_ends_them(dataverse: Api) -> None:
    parts = [
        part(f"POST {API}/accounts", '{"name":"One"}'),
        part(f"GET {dataverse.url('accounts')}?$select=name&$filter=name eq 'One'"),
        part(f"POST {API}/accounts", '{"nam":"Two"}'),
        part(f"POST {API}/accounts", '{"name":"Three"}'),
    ]
    answer = await send(dataverse, *parts)
    assert (answer.status, statuses(answer)) == (400, [204, 200, 400])
    assert '"name":"One"' in answer.text
    assert await dataverse.names("accounts") == ["One"]
    going_on = await send(dataverse, *parts, prefer="odata.continue-on-error")
    assert (going_on.status, statuses(going_on)) == (200, [204, 200, 400, 204])


async def test_a_change_set_refers_to_its_own_rows(dataverse: Api) -> None:
    answer = await send(
        dataverse,
        change_set(
            part(f"POST {API}/contacts", '{"lastname":"Lee"}', 1),
            part(f"POST {API}/accounts", '{"name":"A","primarycontactid@odata.bind":"$1"}', 2),
            part("PATCH $1", '{"firstname":"Ann"}', 3),
            part("PUT $2/telephone1", '{"value":"12"}', 4),
        ),
    )
    assert (answer.status, statuses(answer)) == (200, [204] * 4)
    assert [int(text) for text in re.findall(r"Content-ID: (\d+)", answer.text)] == [1, 2, 3, 4]
    assert len(re.findall(r"^OData-EntityId: ", answer.text, re.MULTILINE)) >= 2
    (row,) = (await dataverse.get("accounts", select="telephone1", expand="primarycontactid($select=fullname)")).value
    assert (row["telephone1"], row["primarycontactid"]["fullname"]) == ("12", "Ann Lee")


async def test_a_failed_change_set_leaves_nothing(dataverse: Api) -> None:
    key = await dataverse.create("accounts", {"name": "Old"})
    answer = await send(
        dataverse,
        change_set(
            part(f"PATCH {API}/accounts({key})", '{"name":"New"}', 1),
            part(f"POST {API}/accounts", '{"name":"More"}', 2),
            part(f"POST {API}/leads", '{"lastname":5}', 3),
        ),
        part(f"GET {API}/accounts"),
    )
    assert (answer.status, statuses(answer)) == (400, [400])
    assert await dataverse.names("accounts") == ["Old"]
    assert (await dataverse.get("leads")).value == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (change_set(part(f"GET {API}/accounts", "", 1)), "cannot hold GET"),
        (change_set(part(f"POST {API}/accounts", "{}")), "Content-ID"),
        (part("GET https://elsewhere.example/x"), "does not lead to"),
        (part("nonsense"), "no request line"),
        ("Content-Type: text/plain\r\n\r\nx\r\n", "text/plain"),
    ],
)
async def test_batches_that_cannot_be_read(dataverse: Api, text: str, says: str) -> None:
    answer = await send(dataverse, text)
    assert answer.status == 400
    assert says in answer.message


async def test_a_reference_to_nothing(dataverse: Api) -> None:
    answer = await send(dataverse, change_set(part("PATCH $7", '{"name":"x"}', 1)))
    assert (answer.status, statuses(answer)) == (400, [400])
    assert "Content-ID Reference: '$7' does not exist in the batch context." in answer.text


async def test_a_batch_holds_up_to_a_thousand(dataverse: Api) -> None:
    answer = await send(dataverse, *[part(f"GET {API}/WhoAmI")] * 1001)
    assert answer.status == 400
    assert "1000" in answer.message


def targets(table: str, *records: dict[str, Any]) -> dict[str, Any]:
    return {"Targets": [{"@odata.type": f"{CRM}{table}", **record} for record in records]}


async def test_create_multiple_is_all_or_nothing(dataverse: Api) -> None:
    path = f"accounts/{CRM}CreateMultiple"
    made = await dataverse("POST", path, targets("account", {"name": "A"}, {"name": "B"}))
    assert made.status == 200
    assert made.body["@odata.context"].endswith(f"#{CRM}CreateMultipleResponse")
    ids = made.body["Ids"]
    assert sorted(await dataverse.names("accounts", "accountid")) == sorted(ids)
    refused = await dataverse("POST", path, targets("account", {"name": "C"}, {"nam": "D"}))
    assert refused.status == 400
    assert len((await dataverse.get("accounts")).value) == 2
    untyped = await dataverse("POST", path, {"Targets": [{"name": "C"}]})
    assert (untyped.status, "@odata.type" in untyped.message) == (400, True)


async def test_update_and_upsert_multiple(dataverse: Api) -> None:
    keys = [await dataverse.create("accounts", {"name": name}) for name in "AB"]
    changed = targets("account", *({"accountid": key, "telephone1": "1"} for key in keys))
    assert (await dataverse("POST", f"accounts/{CRM}UpdateMultiple", changed)).status == 204
    assert await dataverse.names("accounts", "telephone1") == ["1", "1"]
    absent = targets("account", {"accountid": keys[0], "name": "X"}, {"accountid": str(uuid.uuid4()), "name": "X"})
    assert (await dataverse("POST", f"accounts/{CRM}UpdateMultiple", absent)).status == 404
    assert sorted(await dataverse.names("accounts")) == ["A", "B"]
    key_body = {"SchemaName": "new_number", "KeyAttributes": ["accountnumber"], "DisplayName": {"LocalizedLabels": []}}
    made = await dataverse("POST", "EntityDefinitions(LogicalName='account')/Keys", key_body)
    assert made.status == 204, made.text
    both = targets(
        "account",
        {"@odata.id": "accounts(accountnumber='N1')", "name": "New"},
        {"accountid": keys[0], "name": "A2"},
    )
    answer = await dataverse("POST", f"accounts/{CRM}UpsertMultiple", both)
    assert [result["RecordCreated"] for result in answer.body["Results"]] == [True, False]
    assert (await dataverse.get("accounts(accountnumber='n1')", select="name")).body["name"] == "New"
    patched = await dataverse("PATCH", "accounts(accountnumber='N1')", {"name": "Newer"})
    assert patched.status == 204
    taken = await dataverse("POST", "accounts", {"name": "Other", "accountnumber": "N1"})
    assert (taken.status, taken.code) == (412, "0x80060892")
    missing = await dataverse.get("accounts(accountnumber='none')")
    assert (missing.status, missing.code) == (404, "0x80060891")


async def test_bulk_delete(dataverse: Api) -> None:
    keys = [await dataverse.create("accounts", {"name": name}) for name in "ABC"]
    values = [{"Value": key, "Type": "System.Guid"} for key in keys[:2]]
    condition = {"AttributeName": "accountid", "Operator": "In", "Values": values}
    query = {"EntityName": "account", "Criteria": {"FilterOperator": "And", "Conditions": [condition]}}
    answer = await dataverse("POST", "BulkDelete", {"JobName": "x", "QuerySet": [query]})
    assert uuid.UUID(answer.body["JobId"])
    assert await dataverse.names("accounts") == ["C"]
    query["Criteria"] = {"Conditions": [{**condition, "Operator": "Under"}]}
    assert (await dataverse("POST", "BulkDelete", {"QuerySet": [query]})).status == 501


@pytest.fixture
async def document(dataverse: Api) -> str:
    """The URL of a file column of an account."""
    column = {
        "@odata.type": f"{CRM}FileAttributeMetadata", "SchemaName": "new_Document", "MaxSizeInKB": 64,
        "DisplayName": {"LocalizedLabels": [{"Label": "Document", "LanguageCode": 1033}]},
    }  # fmt: skip
    made = await dataverse("POST", "EntityDefinitions(LogicalName='account')/Attributes", column)
    assert made.status == 204, made.text
    return f"accounts({await dataverse.create('accounts', {'name': 'A'})})/new_document"


async def test_a_file_column_whole(dataverse: Api, document: str) -> None:
    assert (await dataverse.get(document)).status == 204
    assert (await dataverse.get(f"{document}/$value")).status == 404
    sent = {"Content-Type": "application/octet-stream", "x-ms-file-name": "a%20b.txt"}
    assert (await dataverse("PATCH", document, data=b"hello world", headers=sent)).status == 204
    whole = await dataverse.get(f"{document}/$value")
    assert (whole.text, whole.headers["x-ms-file-name"], whole.headers["x-ms-file-size"]) == (
        "hello world",
        "a b.txt",
        "11",
    )
    piece = await dataverse.get(f"{document}/$value", headers={"Range": "bytes=6-8"})
    assert (piece.status, piece.text, piece.headers["Content-Range"]) == (206, "wor", "bytes 6-8/11")
    assert base64.b64decode((await dataverse.get(document)).body["value"]) == b"hello world"
    assert (await dataverse("PATCH", document, data=b"x" * 70_000, headers=sent)).status == 400
    assert (await dataverse.get(f"{document}/$value")).text == "hello world"
    assert (await dataverse("DELETE", document)).status == 204
    assert (await dataverse.get(f"{document}/$value")).status == 404


async def test_a_file_column_in_pieces(dataverse: Api, document: str) -> None:
    begun = await dataverse("PATCH", f"{document}?x-ms-file-name=c.bin", headers={"x-ms-transfer-mode": "chunked"})
    assert (begun.status, begun.headers["x-ms-chunk-size"]) == (200, str(4 * 1024 * 1024))
    link = begun.headers["Location"]

    async def piece(content: bytes, span: str) -> int:
        sent = {"Content-Range": f"bytes {span}", "Content-Type": "application/octet-stream"}
        return (await dataverse("PATCH", link, data=content, headers=sent)).status

    assert await piece(b"abc", "0-2/6") == 206
    assert (await dataverse.get(f"{document}/$value")).status == 404, "nothing shows before the last piece"
    assert await piece(b"def", "4-6/7") == 400, "a gap"
    assert await piece(b"def", "3-5/6") == 204
    assert (await dataverse.get(f"{document}/$value")).text == "abcdef"


async def test_readers_and_writers_do_not_wait_for_each_other(tmp_path: Any) -> None:
    async with api(db=tmp_path / "a.db") as dataverse:
        records = targets("lead", *({"lastname": f"L{n}"} for n in range(1000)))
        load = asyncio.create_task(dataverse("POST", f"leads/{CRM}CreateMultiple", records))
        seen = set()
        while not load.done():
            seen.add(len((await dataverse.get("leads", top="5", select="lastname")).value))
        assert (await load).status == 200
        assert seen <= {0, 5}, "a load shows when it is whole"
        assert len((await dataverse.get("leads", select="lastname")).value) == 1000
