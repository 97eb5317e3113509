"""What the Dataverse client costs, beside bare httpx and Microsoft's async SDK, against one canned server.

python -m tests.bench.client
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self

import httpx
from httpx_aiohttp import AiohttpTransport
from PowerPlatform.Dataverse.aio import AsyncDataverseClient

from crm.auth import Application, Demand, Token, TokenAuth
from crm.client import Dataverse
from crm.query import Query
from tests.bench.canned import ROWS, canned

CALLS = 400
ROUNDS = 5
CALLERS = 16
PAYLOAD = {"subject": "Interested", "companyname": "Contoso Ltd.", "leadqualitycode": 1, "budgetamount": 12500.5}
COLUMNS = ["subject", "companyname", "leadqualitycode", "budgetamount", "createdon"]
HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "Authorization": "Bearer token",
    "Content-Type": "application/json; charset=utf-8",
    "Prefer": 'odata.include-annotations="*"',
}

Operation = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Cost:
    """Medians over the rounds."""

    cpu: float
    """Microseconds of CPU per call, one after the other."""
    rate: float
    """Calls a second with 16 in flight."""


@dataclass(frozen=True)
class Check:
    """A promise, and what was measured."""

    name: str
    value: float
    bound: float
    at_least: bool

    @property
    def holds(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{self.name}: {self.value:.2f} ({sign} {self.bound:.2f}) {'ok' if self.holds else 'NOT MET'}"


class _Credential:
    """What Microsoft's SDK wants to be given."""

    async def get_token(self, *_: str, **__: Any) -> Any:
        return SimpleNamespace(token="token", expires_on=int(time.time()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


async def _token(_: Demand) -> Token:
    return Token("token", 3600)


async def _clients(url: str, stack: AsyncExitStack) -> dict[str, tuple[Operation, Operation]]:
    """Create and list, by client."""
    dataverse = await stack.enter_async_context(Dataverse(url, auth=TokenAuth(_token)))
    session = dataverse.acting_as(Application())
    query = Query("lead").select(*COLUMNS)

    async def our_create() -> None:
        await session.create("lead", PAYLOAD)

    async def our_list() -> None:
        page = await session.page(query)
        assert len(page.rows) == ROWS

    clients = {"crm": (our_create, our_list)}
    for name, transport in (("httpx on aiohttp", AiohttpTransport()), ("httpx", None)):
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport))
        clients[name] = _bare(http, url)

    sdk = await stack.enter_async_context(AsyncDataverseClient(url, _Credential()))

    async def sdk_create() -> None:
        await sdk.records.create("lead", PAYLOAD)

    async def sdk_list() -> None:
        rows = await sdk.records.list("lead", select=COLUMNS, include_annotations="*")
        assert len(rows) == ROWS

    clients["Microsoft's async SDK"] = (sdk_create, sdk_list)
    return clients


def _bare(http: httpx.AsyncClient, url: str) -> tuple[Operation, Operation]:
    leads = f"{url}/api/data/v9.2/leads"
    select = {"$select": ",".join(COLUMNS)}

    async def create() -> None:
        answer = await http.post(leads, json=PAYLOAD, headers=HEADERS)
        assert answer.headers["OData-EntityId"]

    async def rows() -> None:
        answer = await http.get(leads, params=select, headers=HEADERS)
        assert len(answer.json()["value"]) == ROWS

    return create, rows


async def _cpu(operation: Operation, calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        await operation()
    return (time.process_time() - start) / calls * 1e6


async def _rate(operation: Operation, calls: int) -> float:
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            await operation()

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return calls / (time.perf_counter() - start)


async def measure(calls: int = CALLS, rounds: int = ROUNDS) -> dict[str, tuple[Cost, Cost]]:
    """Costs of create and of a list of 50, by client; clients take turns within each round."""
    with canned() as url:
        async with AsyncExitStack() as stack:
            clients = await _clients(url, stack)
            found: dict[tuple[str, int], list[tuple[float, float]]] = {}
            for operations in clients.values():
                for operation in operations:
                    await _cpu(operation, 20)
            for _ in range(rounds):
                for name, operations in clients.items():
                    for which, operation in enumerate(operations):
                        cost = (await _cpu(operation, calls), await _rate(operation, calls * 2))
                        found.setdefault((name, which), []).append(cost)

    def cost(name: str, which: int) -> Cost:
        runs = found[name, which]
        return Cost(statistics.median(cpu for cpu, _ in runs), statistics.median(rate for _, rate in runs))

    return {name: (cost(name, 0), cost(name, 1)) for name in clients}


def checks(costs: dict[str, tuple[Cost, Cost]]) -> list[Check]:
    """The promises of the client's speed."""
    ours, bare, own, sdk = costs.values()
    return [
        Check("CPU of create / bare httpx on the same transport", ours[0].cpu / bare[0].cpu, 1.25, False),
        Check("CPU of a list of 50 / bare httpx on the same transport", ours[1].cpu / bare[1].cpu, 1.25, False),
        Check("creates a second / httpx on its own transport", ours[0].rate / own[0].rate, 3.0, True),
        Check("lists a second / httpx on its own transport", ours[1].rate / own[1].rate, 2.0, True),
        Check("creates a second / Microsoft's async SDK", ours[0].rate / sdk[0].rate, 0.65, True),
        Check("lists a second / Microsoft's async SDK", ours[1].rate / sdk[1].rate, 1.0, True),
    ]


async def main(calls: int = CALLS, rounds: int = ROUNDS) -> str:
    """The section of `docs/benchmarks.md`."""
    costs = await measure(calls, rounds)
    how = (
        f"`python -m tests.bench.client`: one canned server process on loopback, plain HTTP, medians of {rounds} "
        f"rounds; CPU per call one after the other, calls a second with {CALLERS} in flight."
    )
    lines = [
        "## The Dataverse client",
        "",
        how,
        "",
        "| client | create: CPU us | creates a second | list of 50: CPU us | lists a second |",
        "|---|---|---|---|---|",
    ]
    for name, (create, rows) in costs.items():
        lines.append(f"| {name} | {create.cpu:.0f} | {create.rate:.0f} | {rows.cpu:.0f} | {rows.rate:.0f} |")
    lines += ["", *(f"- {check}" for check in checks(costs)), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(asyncio.run(main()))
