"""Webhooks: what is posted to whom, when, and what survives."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from crm.emulator import Webhook
from crm.emulator.messages import MAX_BODY

from .api import Api, api
from .process import serving

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"


@dataclass(slots=True)
class Endpoint:
    """A server that takes messages, and answers as it is told."""

    url: str = ""
    received: list[web.Request] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    held: asyncio.Event | None = None

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.received.append(request)
        self.sizes.append(len(raw))
        self.bodies.append(json.loads(raw))
        if self.held is not None:
            await self.held.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def seen(self, count: int) -> list[dict[str, Any]]:
        await until(lambda: len(self.bodies) >= count)
        return self.bodies


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another server
            await asyncio.sleep(0.01)


async def settled(dataverse: Api) -> dict[str, Any]:
    """How the one webhook fares once nothing waits any more."""
    async with asyncio.timeout(60):
        while True:
            [hook] = await dataverse.emulator.webhooks.describe()
            if not hook["waiting"]:
                return hook
            await asyncio.sleep(0.01)


@asynccontextmanager
async def receiving() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application(client_max_size=8 * MAX_BODY)
    app.router.add_post("/hook", endpoint.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield endpoint
    finally:
        if endpoint.held is not None:
            endpoint.held.set()
        await runner.cleanup()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with receiving() as found:
        yield found


def parameters(body: dict[str, Any], name: str = "InputParameters") -> dict[str, Any]:
    return {item["key"]: item["value"] for item in body[name]}


def attributes(body: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: item["value"] for item in parameters(body)["Target"]["Attributes"]}


async def register(dataverse: Api, **webhook: Any) -> str:
    answer = await dataverse("POST", f"{dataverse.emulator.url}/_emulator/webhooks", webhook)
    assert answer.status == 201, answer.text
    return str(answer.body["id"])


async def test_create_update_and_delete_are_told(dataverse: Api, endpoint: Endpoint) -> None:
    step = await register(dataverse, url=endpoint.url, tables=["opportunity"])
    account = await dataverse.create("accounts", {"name": "Not asked for"})
    record = {
        "name": "Deal", "estimatedvalue": 12.5, "opportunityratingcode": 2, "estimatedclosedate": "2026-01-02",
        "customerid_account@odata.bind": f"/accounts({account})",
    }  # fmt: skip
    key = await dataverse.create("opportunities", record)
    await endpoint.seen(1)
    headers = {"If-Match": "*"}
    await dataverse("PATCH", f"opportunities({key})", {"name": "Deal 2", "description": None}, headers=headers)
    await endpoint.seen(2)
    assert (await dataverse("DELETE", f"opportunities({key})")).status == 204
    created, updated, deleted = await endpoint.seen(3)

    assert [body["MessageName"] for body in endpoint.bodies] == ["Create", "Update", "Delete"]
    assert {body["PrimaryEntityId"] for body in endpoint.bodies} == {key}
    assert {body["PrimaryEntityName"] for body in endpoint.bodies} == {"opportunity"}
    assert {(body["Stage"], body["Mode"], body["Depth"]) for body in endpoint.bodies} == {(40, 1, 1)}
    assert {body["OwningExtension"]["Id"] for body in endpoint.bodies} == {step}
    assert len({body["OperationId"] for body in endpoint.bodies}) == 3
    me = (await dataverse.get("WhoAmI")).body
    for body in endpoint.bodies:
        assert (body["UserId"], body["BusinessUnitId"]) == (me["UserId"], me["BusinessUnitId"])
        assert body["OrganizationId"] == me["OrganizationId"]
        assert abs(int(body["OperationCreatedOn"][6:-7]) / 1000 - time.time()) < 60

    assert parameters(created, "OutputParameters") == {"id": key}
    target = parameters(created)["Target"]
    assert (target["__type"], target["Id"], target["LogicalName"]) == (f"Entity:{CONTRACTS}", key, "opportunity")
    assert int(parameters(updated)["Target"]["RowVersion"]) > int(target["RowVersion"])
    values = attributes(created)
    assert values["name"] == "Deal"
    assert values["estimatedvalue"] == {"__type": f"Money:{CONTRACTS}", "Value": 12.5}
    assert values["opportunityratingcode"] == {"__type": f"OptionSetValue:{CONTRACTS}", "Value": 2}
    assert values["estimatedclosedate"] == "/Date(1767312000000)/"
    assert values["customerid"] == {
        "__type": f"EntityReference:{CONTRACTS}", "Id": account, "LogicalName": "account", "Name": None,
        "KeyAttributes": [], "RowVersion": None,
    }  # fmt: skip
    assert values["createdon"].startswith("/Date(")
    assert values["opportunityid"] == key
    labels = {item["key"]: item["value"] for item in target["FormattedValues"]}
    assert labels["opportunityratingcode"] == "Warm"

    values = attributes(updated)
    assert values["name"] == "Deal 2"
    assert values["description"] is None
    assert "estimatedvalue" not in values, "an update tells what was written"
    assert parameters(deleted)["Target"]["__type"] == f"EntityReference:{CONTRACTS}"
    assert parameters(deleted)["Target"]["Id"] == key

    sent = endpoint.received[0].headers
    assert sent["Content-Type"] == "application/json"
    assert sent["x-ms-dynamics-organization"] == dataverse.emulator.url.removeprefix("http://")
    assert sent["x-ms-dynamics-entity-name"] == "opportunity"
    assert sent["x-ms-dynamics-request-name"] == "Create"
    assert sent["x-ms-correlation-request-id"] == created["CorrelationId"]
    assert "x-ms-dynamics-msg-size-exceeded" not in sent


async def test_filters(dataverse: Api, endpoint: Endpoint) -> None:
    hook = Webhook(url=endpoint.url, tables=("account",), messages=("Update",), columns=("telephone1",))
    await dataverse.emulator.webhooks.register(hook)
    key = await dataverse.create("accounts", {"name": "A", "telephone1": "1"})
    for change in ({"name": "B"}, {"telephone1": "2"}):
        await dataverse("PATCH", f"accounts({key})", change, headers={"If-Match": "*"})
    [body] = await endpoint.seen(1)
    assert attributes(body)["telephone1"] == "2"
    assert (await settled(dataverse))["delivered"] == 1


@pytest.mark.parametrize(
    ("auth", "kind"), [({"headers": {"x-secret": "s3cr3t"}}, "header"), ({"key": "s3cr3t"}, "key"),
                       ({"query": {"token": "s3cr3t"}}, "query"), ({}, None)],
)  # fmt: skip
async def test_authentication(endpoint: Endpoint, auth: dict[str, Any], kind: str | None) -> None:
    async with api() as dataverse:
        key = await register(dataverse, url=f"{endpoint.url}?a=b", **auth)
        await dataverse.create("accounts", {"name": "A"})
        await endpoint.seen(1)
        request = endpoint.received[0]
        found = {
            "header": request.headers.get("x-secret"),
            "key": request.query.get("code"),
            "query": request.query.get("token"),
        }
        assert found == {name: "s3cr3t" if name == kind else None for name in found}
        assert request.query["a"] == "b"
        listed = await dataverse.get(f"{dataverse.emulator.url}/_emulator/webhooks")
        assert listed.body["webhooks"][0]["authentication"] == kind
        assert "s3cr3t" not in listed.text
        assert (await dataverse("DELETE", f"{dataverse.emulator.url}/_emulator/webhooks/{key}")).status == 204
        await dataverse.create("accounts", {"name": "B"})
        assert await dataverse.emulator.webhooks.describe() == []
        assert len(endpoint.bodies) == 1
        assert (await dataverse("DELETE", f"{dataverse.emulator.url}/_emulator/webhooks/{key}")).status == 404


async def test_too_large_a_message_loses_its_parameters(dataverse: Api, endpoint: Endpoint) -> None:
    await register(dataverse, url=endpoint.url, tables=["annotation"])
    for letter in ("y", "語"):  # of one and of three bytes
        await dataverse.create("annotations", {"subject": "x", "notetext": letter * 100_000})
    bodies = {len(body): body for body in await endpoint.seen(2)}
    whole, cut = bodies[max(bodies)], bodies[min(bodies)]
    assert len(attributes(whole)["notetext"]) == 100_000
    assert not {"InputParameters", "ParentContext", "PreEntityImages", "PostEntityImages"} & cut.keys()
    assert cut["PrimaryEntityName"] == "annotation"
    flags = [request.headers.get("x-ms-dynamics-msg-size-exceeded") for request in endpoint.received]
    assert sorted(map(str, flags)) == ["None", "true"]
    assert max(endpoint.sizes) <= MAX_BODY


async def test_only_committed_changes_are_told(dataverse: Api, endpoint: Endpoint) -> None:
    await register(dataverse, url=endpoint.url)
    part = (
        "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {n}\r\n\r\n"
        "POST /api/data/v9.2/accounts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
    )
    good, bad = '{"name": "Undone"}', '{"nothing": 1}'
    inner = part.replace("{n}", "1").replace("{body}", good) + part.replace("{n}", "2").replace("{body}", bad)
    data = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--c--\r\n--b--\r\n"
    answer = await dataverse("POST", "$batch", data=data, headers={"Content-Type": "multipart/mixed; boundary=b"})
    assert "nothing" in answer.text
    await dataverse("POST", "accounts", {"nothing": 1})
    await dataverse.create("accounts", {"name": "Kept"})
    [body] = await endpoint.seen(1)
    assert attributes(body)["name"] == "Kept"
    assert (await settled(dataverse))["delivered"] == 1


@pytest.mark.parametrize(
    ("answers", "posts", "failure"),
    [([503, 200], 2, ""), ([504, 502], 2, "answered 502"), ([500], 1, "answered 500"), ([302], 1, "answered 302")],
)
async def test_a_gateway_gets_a_second_chance(
    dataverse: Api, endpoint: Endpoint, answers: list[int], posts: int, failure: str
) -> None:
    dataverse.emulator.webhooks.retry_delay = 0.01
    endpoint.answers = answers
    await register(dataverse, url=endpoint.url)
    await dataverse.create("accounts", {"name": "A"})
    hook = await settled(dataverse)
    assert (hook["delivered"], hook["failed"]) == ((0, 1) if failure else (1, 0))
    assert failure in hook["last_failure"]
    assert len(endpoint.bodies) == posts
    assert len({body["OperationId"] for body in endpoint.bodies}) == 1, "a repetition can be recognised"


async def test_an_endpoint_that_is_slow_or_gone_holds_up_nobody(dataverse: Api, endpoint: Endpoint) -> None:
    dataverse.emulator.webhooks.timeout = 0.3
    endpoint.held = asyncio.Event()
    await register(dataverse, url=endpoint.url)
    await dataverse.create("accounts", {"name": "First"})
    await endpoint.seen(1)
    async with receiving() as other:
        second = await dataverse.emulator.webhooks.register(Webhook(url=other.url))
        for number in range(20):
            await dataverse.create("accounts", {"name": f"A{number}"})
        assert len(await other.seen(20)) == 20
        await until(lambda: len(endpoint.bodies) > 8)
        await dataverse.emulator.webhooks.remove(second)
    endpoint.held.set()
    hook = await settled(dataverse)
    assert hook["failed"] >= 1
    assert hook["last_failure"] == "The endpoint did not answer within 0.3 seconds."


async def test_messages_wait_for_the_next_start(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.held = asyncio.Event()
    async with api(db=tmp_path / "a.db") as dataverse:
        await register(dataverse, url=endpoint.url, key="k")
        for number in range(12):
            await dataverse.create("accounts", {"name": f"A{number}"})
        await endpoint.seen(1)
    endpoint.held.set()
    async with api(db=tmp_path / "a.db") as dataverse:
        await settled(dataverse)
        told = {body["PrimaryEntityId"] for body in endpoint.bodies}
        assert told == {row["accountid"] for row in (await dataverse.get("accounts")).value}
        assert len(told) == 12
        assert {request.query["code"] for request in endpoint.received} == {"k"}


async def test_a_kill_loses_no_message(tmp_path: Path, endpoint: Endpoint) -> None:
    db = tmp_path / "a.db"
    async with api(db=db) as dataverse:
        await register(dataverse, url=endpoint.url)
    endpoint.held = asyncio.Event()
    made = []
    async with serving(db) as (process, url):
        async with api() as other:  # a client; its own emulator is not asked
            for number in range(10):
                answer = await other("POST", f"{url}/api/data/v9.2/accounts", {"name": f"A{number}"})
                made.append(answer.id)
        await endpoint.seen(1)
        process.kill()
        await process.wait()
    endpoint.held.set()
    async with api(db=db) as dataverse:
        await settled(dataverse)
        assert set(made) <= {body["PrimaryEntityId"] for body in endpoint.bodies}


async def test_a_webhook_that_makes_no_sense_is_refused(dataverse: Api) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"url": "ftp://x"}, "http"),
        ({"url": "http://x", "tables": ["nothing"]}, "does not exist"),
        ({"url": "http://x", "tables": ["account"], "columns": ["nothing"]}, "none of the webhook's tables"),
        ({"url": "http://x", "messages": ["Retrieve"]}, "Create"),
        ({"url": "http://x", "key": "a", "query": {"b": "c"}}, "one of headers, key and query"),
        ({"url": "http://x", "headers": {"a": "b\r\nc: d"}}, "cannot be sent"),
        ({}, "url"),
    ]
    for webhook, said in refused:
        answer = await dataverse("POST", f"{dataverse.emulator.url}/_emulator/webhooks", webhook)
        assert answer.status == 400
        assert said in answer.message
    assert await dataverse.emulator.webhooks.describe() == []


async def test_beginning_again_forgets_webhooks(dataverse: Api, endpoint: Endpoint) -> None:
    await register(dataverse, url=endpoint.url)
    await dataverse.emulator.reset()
    await dataverse.create("accounts", {"name": "A"})
    assert await dataverse.emulator.webhooks.describe() == []
    assert endpoint.bodies == []


# -- as in Dataverse: rows of its own tables --------------------------------------------------------------------


async def endpoint_row(dataverse: Api, endpoint: Endpoint, **more: Any) -> str:
    record = {"name": "crmchat", "url": endpoint.url, "contract": 8, "authtype": 4, "authvalue": "s3cr3t", **more}
    return await dataverse.create("serviceendpoints", record)


async def step_row(dataverse: Api, service_endpoint: str, message: str, table: str, **more: Any) -> str:
    """Register a step as other programs do: look the message and its filter up, then bind them."""
    query = f"primaryobjecttypecode eq '{table}' and sdkmessageid/name eq '{message}'"
    [found] = (
        await dataverse.get("sdkmessagefilters", select="sdkmessagefilterid,_sdkmessageid_value", filter=query)
    ).value
    record = {
        "name": f"{message} of {table}", "mode": 1, "stage": 40, "rank": 1, "supporteddeployment": 0,
        "asyncautodelete": True, "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({service_endpoint})",
        "sdkmessageid@odata.bind": f"/sdkmessages({found['_sdkmessageid_value']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})", **more,
    }  # fmt: skip
    return await dataverse.create("sdkmessageprocessingsteps", record)


async def test_steps_are_registered_as_in_dataverse(dataverse: Api, endpoint: Endpoint) -> None:
    where = await endpoint_row(dataverse, endpoint)
    step = await step_row(dataverse, where, "Update", "account", filteringattributes="telephone1, fax")
    key = await dataverse.create("accounts", {"name": "A", "telephone1": "1"})
    for change in ({"name": "B"}, {"fax": "2"}):
        await dataverse("PATCH", f"accounts({key})", change, headers={"If-Match": "*"})
    [body] = await endpoint.seen(1)
    assert (body["MessageName"], body["OwningExtension"]["Id"]) == ("Update", step)
    assert attributes(body)["fax"] == "2"
    assert endpoint.received[0].query["code"] == "s3cr3t"
    hook = await settled(dataverse)
    assert (hook["id"], hook["step"], hook["delivered"], hook["authentication"]) == (step, True, 1, "key")
    row = (await dataverse.get(f"serviceendpoints({where})")).body
    assert "authvalue" not in row
    assert row["isauthvalueset"] is True


async def test_a_step_is_switched_off_on_and_away(dataverse: Api, endpoint: Endpoint) -> None:
    where = await endpoint_row(dataverse, endpoint)
    step = await step_row(dataverse, where, "Create", "account")
    switch = {"If-Match": "*"}

    async def names(*expected: str) -> None:
        assert [attributes(body)["name"] for body in await endpoint.seen(len(expected))] == list(expected)

    await dataverse.create("accounts", {"name": "On"})
    await names("On")
    await dataverse("PATCH", f"sdkmessageprocessingsteps({step})", {"statecode": 1}, headers=switch)
    await dataverse.create("accounts", {"name": "Off"})
    await dataverse("PATCH", f"sdkmessageprocessingsteps({step})", {"statecode": 0}, headers=switch)
    await dataverse.create("accounts", {"name": "On again"})
    await names("On", "On again")
    async with receiving() as elsewhere:
        await dataverse("PATCH", f"serviceendpoints({where})", {"url": elsewhere.url}, headers=switch)
        await dataverse.create("accounts", {"name": "Elsewhere"})
        assert attributes((await elsewhere.seen(1))[0])["name"] == "Elsewhere"
        assert (await dataverse("DELETE", f"serviceendpoints({where})")).status == 204
        await dataverse.create("accounts", {"name": "Nobody"})
        await until(lambda: not dataverse.emulator.webhooks._workers)
        assert (await dataverse.get("sdkmessageprocessingsteps")).value == []
        assert await dataverse.emulator.webhooks.describe() == []
        assert len(elsewhere.bodies) == 1
    await names("On", "On again")


async def test_a_step_of_a_batch_that_fails_tells_nobody(dataverse: Api, endpoint: Endpoint) -> None:
    where = await endpoint_row(dataverse, endpoint)
    messages = {row["name"]: row["sdkmessageid"] for row in (await dataverse.get("sdkmessages")).value}
    assert sorted(messages) == ["Create", "Delete", "Update"]
    step = {
        "name": "x", "mode": 1, "stage": 40, "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({where})",
        "sdkmessageid@odata.bind": f"/sdkmessages({messages['Create']})",
    }  # fmt: skip
    parts = [("sdkmessageprocessingsteps", step), ("accounts", {"name": "Undone"}), ("accounts", {"nothing": 1})]
    inner = "".join(
        f"--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nPOST /api/data/v9.2/{path} HTTP/1.1\r\n"
        f"Content-Type: application/json\r\n\r\n{json.dumps(record)}\r\n"
        for number, (path, record) in enumerate(parts)
    )
    data = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--c--\r\n--b--\r\n"
    await dataverse("POST", "$batch", data=data, headers={"Content-Type": "multipart/mixed; boundary=b"})
    await dataverse.create("accounts", {"name": "Untold"})
    await dataverse.create("sdkmessageprocessingsteps", step)
    await dataverse.create("accounts", {"name": "Told"})  # of every table, as there is no filter
    assert [attributes(body)["name"] for body in await endpoint.seen(1)] == ["Told"]
    await settled(dataverse)
    assert len(endpoint.bodies) == 1


async def test_steps_outlive_the_process(tmp_path: Path, endpoint: Endpoint) -> None:
    headers = '<settings><setting name="x-secret" value="s3cr3t" /></settings>'
    async with api(db=tmp_path / "a.db") as dataverse:
        where = await endpoint_row(dataverse, endpoint, authtype=5, authvalue=headers)
        await step_row(dataverse, where, "Delete", "account")
        key = await dataverse.create("accounts", {"name": "A"})
    async with api(db=tmp_path / "a.db") as dataverse:
        await dataverse("DELETE", f"accounts({key})")
        [body] = await endpoint.seen(1)
        await dataverse.emulator.reset()
        assert await dataverse.emulator.webhooks.describe() == []
    assert (body["MessageName"], body["PrimaryEntityId"]) == ("Delete", key)
    assert endpoint.received[0].headers["x-secret"] == "s3cr3t"


async def test_a_custom_table_has_messages_while_it_is_there(dataverse: Api, endpoint: Endpoint) -> None:
    name = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
    }
    table = {"SchemaName": "new_Region", "Attributes": [name]}
    assert (await dataverse("POST", "EntityDefinitions", table)).status == 204
    where = await endpoint_row(dataverse, endpoint)
    await step_row(dataverse, where, "Create", "new_region")
    await dataverse.create("new_regions", {"new_name": "EMEA"})
    assert attributes((await endpoint.seen(1))[0])["new_name"] == "EMEA"
    assert (await dataverse("DELETE", "EntityDefinitions(LogicalName='new_region')")).status == 204
    assert (await dataverse.get("sdkmessageprocessingsteps")).value == []
    assert (await dataverse.get("sdkmessagefilters", filter="primaryobjecttypecode eq 'new_region'")).value == []


@pytest.mark.parametrize(
    ("endpoint_change", "step_change", "status", "said"),
    [
        ({"contract": 1}, {}, 501, "contract"),
        ({"url": "ftp://x"}, {}, 400, "http"),
        ({"url": None}, {}, 400, "http"),
        ({"authtype": 2}, {}, 400, "authtype"),
        ({"authtype": 5, "authvalue": "x-secret=1"}, {}, 400, "<settings>"),
        ({"authtype": 5, "authvalue": '<!DOCTYPE a [<!ENTITY b "c">]><settings/>'}, {}, 400, "<settings>"),
        ({}, {"mode": 0}, 501, "synchronous"),
        ({}, {"stage": 20}, 400, "stage 40"),
        ({}, {"filteringattributes": "nothing"}, 400, "nothing"),
        ({}, {"sdkmessageid@odata.bind": "create"}, 400, "does not belong"),
    ],
)
async def test_a_registration_that_cannot_be_kept_is_refused(
    dataverse: Api,
    endpoint: Endpoint,
    endpoint_change: dict[str, Any],
    step_change: dict[str, Any],
    status: int,
    said: str,
) -> None:
    where = await endpoint_row(dataverse, endpoint)
    step = await step_row(dataverse, where, "Update", "account")
    if "sdkmessageid@odata.bind" in step_change:
        [other] = (await dataverse.get("sdkmessages", filter="name eq 'Create'")).value
        step_change = {"sdkmessageid@odata.bind": f"/sdkmessages({other['sdkmessageid']})"}
    path, change = (f"serviceendpoints({where})", endpoint_change)
    if step_change:
        path, change = f"sdkmessageprocessingsteps({step})", step_change
    answer = await dataverse("PATCH", path, change, headers={"If-Match": "*"})
    assert answer.status == status, answer.text
    assert said.lower() in answer.message.lower()


async def test_only_administrators_register(endpoint: Endpoint) -> None:
    async with api(seed="contoso") as dataverse:
        ben = {"CallerObjectId": "00000000-0000-4000-8000-0000000000a2"}
        record = {"name": "x", "url": endpoint.url, "contract": 8, "authtype": 4, "authvalue": "x"}
        answer = await dataverse("POST", "serviceendpoints", record, headers=ben)
        assert (answer.status, answer.code) == (403, "0x80040220")
