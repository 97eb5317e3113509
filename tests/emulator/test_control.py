"""The control plane: the log of requests, faults, roles, seeds, and beginning again."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from crm.emulator import Fault

from .api import Answer, Api, api

ANNA, BEN = (f"00000000-0000-4000-8000-0000000000a{n}" for n in (1, 2))
CLIENT_FAILURES = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Api]:
    """For tests that change nothing."""
    async with api() as client:
        yield client


async def control(dataverse: Api, method: str, path: str, record: Any = None) -> Answer:
    return await dataverse(method, f"{dataverse.emulator.url}/_emulator/{path}", record)


# -- the log ----------------------------------------------------------------------------------------------------


async def test_round_trips_are_counted(dataverse: Api) -> None:
    requests = dataverse.emulator.requests
    key = await dataverse.create("accounts", {"name": "A"})
    assert (await dataverse.get(f"accounts({key})", select="name")).status == 200
    assert (await dataverse.get("accounts(00000000-0000-4000-8000-00000000dead)")).status == 404
    assert requests.count() == 3
    assert requests.count(r"^GET .*/accounts\(") == 2
    listed = (await control(dataverse, "GET", "requests?match=%5EGET&top=1")).body
    assert (listed["total"], listed["by_method"], listed["by_status"]) == (2, {"GET": 2}, {"200": 1, "404": 1})
    assert [entry["path"] for entry in listed["requests"]] == [
        "/api/data/v9.2/accounts(00000000-0000-4000-8000-00000000dead)"
    ]
    assert requests.entries[1].query == "$select=name"
    assert requests.entries[0].ms > 0
    assert (await control(dataverse, "DELETE", "requests")).status == 204
    assert requests.count() == 0, "the control plane does not count itself"


async def test_the_log_names_the_person() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"oid": BEN}).encode()).decode()
    async with api(seed="contoso") as dataverse:
        await dataverse.get("WhoAmI")
        await dataverse.get("WhoAmI", headers={"CallerObjectId": ANNA})
        await dataverse.get("WhoAmI", headers={"Authorization": f"Bearer x.{claims}.x"})
        assert [entry.caller for entry in dataverse.emulator.requests.entries] == ["", ANNA, BEN]
        text = (await control(dataverse, "GET", "requests")).text
    assert claims not in text


async def test_whatever_bytes_are_asked_for_can_be_listed(shared: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", shared.emulator.port)
    for target in (b"/api/data/v9.2/%FF?%FE=%ED%A0%80", b"/api/data/v9.2/" + b"x" * 9000):
        writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nCallerObjectId: \xff\r\n\r\n")
    await writer.drain()
    async with asyncio.timeout(10):
        seen = b""
        while seen.count(b"HTTP/1.1 4") < 2 and (more := await reader.read(65536)):
            seen += more
    writer.close()
    await writer.wait_closed()
    listed = await control(shared, "GET", "requests?top=5000")
    assert listed.status == 200
    assert max(len(entry["path"]) for entry in listed.body["requests"]) <= 2000
    assert (await shared.get(f"{shared.emulator.url}/_emulator/log")).status == 200
    assert (await control(shared, "GET", "requests?match=a&match=b")).status == 200


# -- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "code", "headers"),
    [
        ({"status": 429, "retry_after": 7}, 429, "0x80072322", {"Retry-After": "7"}),
        ({"status": 429}, 429, "0x80072322", {"Retry-After": "1"}),
        ({"code": "0x80072326"}, 429, "0x80072326", {"Retry-After": "1"}),
        ({"status": 503}, 503, "", {}),
        ({"status": 503, "code": "0x80072324", "retry_after": 2}, 503, "0x80072324", {"Retry-After": "2"}),
        ({"code": "0x80040333"}, 500, "0x80040333", {}),
        ({"code": "0x80040333", "status": 412}, 412, "0x80040333", {}),
        ({"code": "0x80060882"}, 412, "0x80060882", {}),
        ({"code": "0x80040220"}, 403, "0x80040220", {}),
        ({"status": 502, "message": "Bad gateway"}, 502, "", {}),
    ],
)
async def test_a_fault_answers_as_dataverse_would(
    shared: Api, fault: dict[str, Any], status: int, code: str, headers: dict[str, str]
) -> None:
    assert (await control(shared, "POST", "faults", fault)).status == 200
    answer = await shared("POST", "accounts", {"name": "A"})
    assert (answer.status, answer.code) == (status, code)
    assert answer.message == fault.get("message", answer.message) != ""
    assert answer.headers["Content-Type"].startswith("application/json")
    assert {name: answer.headers.get(name) for name in headers} == headers
    assert (await shared.get("accounts")).value == [], "what failed was not run; the next request is served again"


async def test_a_claims_challenge(shared: Api) -> None:
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    shared.emulator.fail(status=401, claims=claims)
    header = (await shared.get("WhoAmI")).headers["WWW-Authenticate"]
    assert header.startswith("Bearer authorization_uri=")
    assert 'error="insufficient_claims"' in header
    encoded = header.rpartition('claims="')[2].rstrip('"')
    assert base64.urlsafe_b64decode(encoded).decode() == claims


async def test_faults_take_their_requests_in_order_and_no_others(shared: Api) -> None:
    shared.emulator.fail(match=r"^POST .*/leads\?", status=503)
    shared.emulator.fail(match=r"/accounts.*name eq 'x y'", status=504, count=2)
    assert (await shared.get("accounts")).status == 200
    found = [(await shared.get("accounts", filter="name eq 'x y'")).status for _ in range(3)]
    assert found == [504, 504, 200]
    waiting = (await control(shared, "GET", "faults")).body["waiting"]
    assert [(fault["match"], fault["count"]) for fault in waiting] == [(r"^POST .*/leads\?", 1)]
    injected = [entry.status for entry in shared.emulator.requests.entries[-4:] if entry.injected]
    assert injected == [504, 504]
    assert (await control(shared, "DELETE", "faults")).status == 204
    assert shared.emulator.faults.waiting == []


async def test_a_part_of_a_batch_is_no_request_of_its_own(dataverse: Api) -> None:
    dataverse.emulator.fail(match="/accounts", status=503)
    body = (
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        "GET /api/data/v9.2/accounts HTTP/1.1\r\n\r\n\r\n--b--\r\n"
    )
    answer = await dataverse("POST", "$batch", data=body, headers={"Content-Type": 'multipart/mixed; boundary="b"'})
    assert answer.status == 200
    assert dataverse.emulator.requests.count() == 1


async def test_an_answer_that_is_somebody_elses(dataverse: Api) -> None:
    page = {"status": 200, "body": "<html>Sign in to the hotel's network</html>", "headers": {"x-proxy": "yes"}}
    assert (await control(dataverse, "POST", "faults", {**page, "match": "^POST"})).status == 200
    answer = await dataverse("POST", "accounts", {"name": "A"})
    assert (answer.status, answer.text) == (200, page["body"])
    assert (answer.headers["Content-Type"], answer.headers["x-proxy"]) == ("text/html", "yes")
    dataverse.emulator.fail(status=429, headers={"Retry-After": "soon", "x-ms-service-request-id": "mine"})
    answer = await dataverse.get("accounts")
    assert (answer.headers["Retry-After"], answer.headers["x-ms-service-request-id"]) == ("soon", "mine")
    assert (await dataverse.get("accounts")).value == []


async def test_an_answer_in_the_place_of_success(dataverse: Api) -> None:
    dataverse.emulator.fail(status=504, commit=True)
    assert (await dataverse("POST", "accounts", {"name": "A"})).status == 504
    assert await dataverse.names("accounts") == ["A"]


async def test_an_answer_that_ends_in_its_middle(dataverse: Api) -> None:
    dataverse.emulator.fail(drop="during")
    with pytest.raises(aiohttp.ClientPayloadError):
        await dataverse.get("accounts")
    assert (await dataverse.get("accounts")).status == 200


@pytest.mark.parametrize(("drop", "written"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection(dataverse: Api, drop: str, written: int) -> None:
    dataverse.emulator.fail(drop=drop, match="^POST")
    with pytest.raises(CLIENT_FAILURES):
        await dataverse("POST", "accounts", {"name": "A"})
    assert len((await dataverse.get("accounts")).value) == written
    assert dataverse.emulator.requests.entries[0].status is None
    assert dataverse.emulator.requests.entries[0].injected


async def test_a_delay_alone_lets_the_request_through_late(dataverse: Api) -> None:
    dataverse.emulator.fail(delay=0.2)
    started = time.monotonic()
    slow, quick = await asyncio.gather(dataverse("POST", "accounts", {"name": "A"}), dataverse.get("WhoAmI"))
    assert (slow.status, quick.status) == (204, 200)
    assert time.monotonic() - started >= 0.2
    entries = sorted(dataverse.emulator.requests.entries, key=lambda entry: entry.ms)
    assert entries[0].ms < 200 <= entries[1].ms, "only one waited"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({}, "say what should happen"),
        ({"status": 200}, "needs a body"),
        ({"status": 503, "body": "x", "code": "0x80040333"}, "without code and message"),
        ({"body": "x"}, "a body goes with a status"),
        ({"status": 503, "headers": {"X": "a\nb"}}, "cannot be sent"),
        ({"status": 200, "body": "x", "content_type": "a\nb"}, "cannot be sent"),
        ({"drop": "after", "commit": True}, "go with an answer"),
        ({"status": 503, "drop": "before"}, "not both"),
        ({"drop": "sometimes"}, "drop"),
        ({"code": "0x8004ffff"}, "give a status too"),
        ({"code": "oops", "status": 400}, "code"),
        ({"status": 503, "match": "("}, "no regular expression"),
        ({"status": 503, "claims": "{}"}, "claims belong to a 401"),
        ({"status": 503, "count": 0}, "count"),
        ({"status": 503, "sattus": 1}, "sattus"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(shared: Api, fault: dict[str, Any], said: str) -> None:
    answer = await control(shared, "POST", "faults", fault)
    assert answer.status == 400
    assert said in answer.message
    with pytest.raises(ValidationError):
        Fault(**fault)
    assert shared.emulator.faults.waiting == []


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "faults"), ("PUT", "roles"), ("PUT", "limits"), ("GET", "requests?top=0")]
)
async def test_a_body_or_query_that_is_none_is_refused(shared: Api, method: str, path: str) -> None:
    for data in ("{", "[1]", '"x"', "\xff"):
        answer = await shared(method, f"{shared.emulator.url}/_emulator/{path}", data=data)
        assert answer.status == 400, data
        assert answer.message


# -- roles, seeds, beginning again ------------------------------------------------------------------------------


async def test_roles_of_ones_own() -> None:
    async with api(seed="contoso") as dataverse:
        ben = (await dataverse.get("systemusers", filter=f"azureactivedirectoryobjectid eq {BEN}")).value[0]
        reader = {"Reader": {"*": {"read": "organization"}}}
        answer = await control(dataverse, "PUT", "roles", reader)
        assert answer.status == 200, answer.text
        assert answer.body["own"] == reader
        assert "Salesperson" in answer.body["shipped"]
        [role] = (await dataverse.get("roles", filter="name eq 'Reader'")).value
        for held in (await dataverse.get(f"systemusers({ben['systemuserid']})/systemuserroles_association")).value:
            path = f"systemusers({ben['systemuserid']})/systemuserroles_association({held['roleid']})/$ref"
            assert (await dataverse("DELETE", path)).status == 204
        reference = {"@odata.id": f"{dataverse.url('roles')}({role['roleid']})"}
        path = f"systemusers({ben['systemuserid']})/systemuserroles_association/$ref"
        assert (await dataverse("POST", path, reference)).status == 204
        as_ben = {"CallerObjectId": BEN}
        everything = len((await dataverse.get("leads")).value)
        assert len((await dataverse.get("leads", headers=as_ben)).value) == everything
        assert (await dataverse("POST", "leads", {"lastname": "x"}, headers=as_ben)).status == 403
        assert (await control(dataverse, "PUT", "roles", reader)).status == 200
        assert len((await dataverse.get("roles", filter="name eq 'Reader'")).value) == 1


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"R": {"nothing": {"read": "user"}}}, "does not exist"),
        ({"R": {"lead": {"raed": "user"}}}, "raed"),
        ({"R": {"lead": {"read": "everywhere"}}}, "organization"),
    ],
)
async def test_roles_that_make_no_sense_are_refused(shared: Api, roles: Any, said: str) -> None:
    answer = await control(shared, "PUT", "roles", roles)
    assert answer.status == 400
    assert said in answer.message
    assert (await control(shared, "GET", "roles")).body["own"] == {}


async def test_beginning_again(tmp_path: Any) -> None:
    async with api(db=tmp_path / "a.db", seed="contoso") as dataverse:
        before = {row["accountid"] for row in (await dataverse.get("accounts")).value}
        case = (await dataverse.get("incidents", orderby="ticketnumber desc", top="1")).value[0]["ticketnumber"]
        version = (await dataverse.get("accounts", top="1", orderby="versionnumber desc")).value[0]["versionnumber"]
        own = await dataverse.create("accounts", {"name": "Own"})
        column = {
            "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Region",
            "MaxLength": 100, "FormatName": {"Value": "Text"}, "DisplayName": {
                "LocalizedLabels": [{"Label": "Region", "LanguageCode": 1033}]},
        }  # fmt: skip
        made = await dataverse("POST", "EntityDefinitions(LogicalName='account')/Attributes", column)
        assert made.status == 204, made.text
        assert (await control(dataverse, "PUT", "roles", {"R": {}})).status == 200
        dataverse.emulator.fail(status=503)
        reset = await control(dataverse, "POST", "reset")
        assert reset.status == 204, reset.text
        assert dataverse.emulator.requests.count() == 0
        rows = (await dataverse.get("accounts")).value
        assert {row["accountid"] for row in rows} == before
        assert own not in before
        assert "new_region" not in rows[0]
        assert min(row["versionnumber"] for row in rows) > version, "an old etag fits nothing"
        newest = (await dataverse.get("incidents", orderby="ticketnumber desc", top="1")).value[0]
        assert newest["ticketnumber"] == case, "numbers begin where they began"
        assert (await control(dataverse, "GET", "roles")).body["own"] == {}
        made = await dataverse("POST", "EntityDefinitions(LogicalName='account')/Attributes", column)
        assert made.status == 204, made.text
    async with api(db=tmp_path / "a.db", seed="contoso") as again:
        assert len((await again.get("accounts")).value) == len(before), "what was reset is in the file"


async def test_a_seed_is_added_once(dataverse: Api) -> None:
    assert (await control(dataverse, "POST", "seed/contoso")).status == 204
    count = len((await dataverse.get("accounts")).value)
    assert count > 5
    twice = await control(dataverse, "POST", "seed/contoso")
    assert twice.status == 409
    assert len((await dataverse.get("accounts")).value) == count
    missing = await control(dataverse, "POST", "seed/nothing")
    assert missing.status == 404
    assert "contoso" in missing.message
