"""Service protection limits: what is refused, with which code, and for how long."""

import asyncio
import base64
import json

import pytest

from crm.emulator import Limits
from crm.emulator.errors import DataverseError
from crm.emulator.protection import Protection

from .api import Api, api


class Clock:
    def __init__(self) -> None:
        self.now = 1000.5

    def __call__(self) -> float:
        return self.now


def ask(protection: Protection, limits: Limits, seconds: float = 0.0, user: str = "u") -> tuple[str, str] | None:
    """One request: None when it was served, else the code and Retry-After."""
    try:
        protection.begin(user, limits)
    except DataverseError as error:
        return f"{error.status} {error.code}", error.headers["Retry-After"]
    protection.end(user, seconds)
    return None


def test_too_many_requests_in_the_window() -> None:
    clock, limits = Clock(), Limits()
    protection = Protection(clock=clock)
    for _ in range(3000):
        assert ask(protection, limits) is None
    clock.now += 100
    for _ in range(3000):
        assert ask(protection, limits) is None
    assert ask(protection, limits) == ("429 0x80072322", "200")
    assert ask(protection, limits, user="another") is None
    clock.now += 199
    assert ask(protection, limits) == ("429 0x80072322", "1")
    clock.now += 1
    assert ask(protection, limits) is None, "the first half has left the window"


def test_who_keeps_sending_waits_longer() -> None:
    clock, limits = Clock(), Limits(requests=3)
    protection = Protection(clock=clock)
    assert [ask(protection, limits) for _ in range(3)] == [None] * 3
    waits = []
    for _ in range(5):
        clock.now += 10
        waits.append(int((ask(protection, limits) or ("", "0"))[1]) + clock.now)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]


def test_too_much_execution() -> None:
    clock, limits = Clock(), Limits()
    protection = Protection(clock=clock)
    assert ask(protection, limits, 700) is None
    clock.now += 60
    assert ask(protection, limits, 500) is None
    assert ask(protection, limits) == ("429 0x80072321", "240")
    clock.now += 240
    assert ask(protection, limits) is None


def test_too_many_at_once() -> None:
    limits = Limits()
    protection = Protection(clock=Clock())
    for _ in range(51):
        protection.begin("u", limits)
    assert ask(protection, limits) == ("429 0x80072326", "1")
    protection.end("u", 0)
    assert ask(protection, limits) is None


async def test_over_http(dataverse: Api) -> None:
    for _ in range(3):
        assert (await dataverse.get("WhoAmI")).status == 200
    url = f"{dataverse.emulator.url}/_emulator/limits"
    switched = await dataverse("PUT", url, {"requests": 2})
    assert switched.body["limits"] == {
        "requests": 2, "execution_seconds": 1200.0, "concurrent": 52, "window_seconds": 300,
    }  # fmt: skip
    first = await dataverse.get("WhoAmI")
    assert first.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "1"
    assert 1199 < float(first.headers["x-ms-ratelimit-time-remaining-xrm-requests"]) <= 1200
    await dataverse("POST", "accounts", {"name": "A"})
    refused = await dataverse("POST", "accounts", {"name": "B"})
    assert (refused.status, refused.code) == (429, "0x80072322")
    assert refused.message == "Number of requests exceeded the limit of 2 over time window of 300 seconds."
    assert 298 <= int(refused.headers["Retry-After"]) <= 300
    claims = base64.urlsafe_b64encode(json.dumps({"appid": "another"}).encode()).decode()
    assert (await dataverse.get("WhoAmI", headers={"Authorization": f"Bearer x.{claims}.x"})).status == 200
    assert (await dataverse("DELETE", url)).status == 204
    assert await dataverse.names("accounts") == ["A"]


async def test_at_once_over_http() -> None:
    async with api(limits=Limits(concurrent=4)) as dataverse:
        dataverse.emulator.fail(delay=0.2, count=3)
        answers = await asyncio.gather(*(dataverse.get("WhoAmI") for _ in range(6)))
        refused = [answer for answer in answers if answer.status == 429]
        assert [answer.code for answer in refused] == ["0x80072326"] * 3
        assert (await dataverse.get("WhoAmI")).status == 200


@pytest.mark.parametrize(("given", "expected"), [(False, None), (True, Limits())])
async def test_limits_are_off_unless_wanted(given: bool, expected: Limits | None) -> None:
    async with api(limits=given) as dataverse:
        assert dataverse.emulator.protection.limits == expected
