"""The public address as the doctor sees it: each thing that may stand in front of the server, and go wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import AddressFamily

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from bots.doctor_address import public_address
from bots.finding import Finding
from bots.settings import Settings
from bots.web import application
from tests.crm.certificates import make_authority
from tests.ports import free_port


async def looked(url: str, connector: aiohttp.BaseConnector | None = None, **changes: object) -> Finding:
    settings = Settings.model_construct(
        **{**Settings.model_construct().model_dump(), "public_url": url, "host": "0.0.0.0", **changes}
    )
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), connector=connector) as session:
        found = await public_address(settings, session)
    assert bool(found.problem) == bool(found.remedy)
    return found


@asynccontextmanager
async def answering(app: web.Application) -> AsyncIterator[str]:
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def in_front(status: int, body: str = "", **headers: str) -> web.Application:
    """Whatever else answers there."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers=headers, content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def test_it_leads_here() -> None:
    async with answering(application({})) as url:
        found = await looked(url)
    assert not found.problem
    assert found.note == f"{url} leads here"


@pytest.mark.parametrize(
    "app",
    [
        in_front(404, "<h1>nginx</h1>"),
        in_front(200, "<h1>Welcome</h1>"),
        in_front(302, "", Location="https://login.example"),
        in_front(403, "no"),
    ],
    ids=["unknown path", "another site", "a sign-in in front", "refused"],
)
async def test_something_else_is_there(app: web.Application) -> None:
    async with answering(app) as url:
        found = await looked(url)
    assert "Something else than crmchat answers" in found.problem
    assert "reverse proxy" in found.remedy


async def test_that_it_does_not_run_yet_is_no_fault() -> None:
    async with answering(in_front(502, "Bad gateway")) as url:
        found = await looked(url)
    assert not found.problem
    assert "does not run" in found.note
    found = await looked(f"http://127.0.0.1:{free_port()}")
    assert not found.problem
    assert "nothing answers" in found.note


async def test_a_name_that_nobody_knows() -> None:
    class Nobody(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
        ) -> list[ResolveResult]:
            raise OSError(host, port, family)

        async def close(self) -> None: ...

    found = await looked("https://crm.example.com", aiohttp.TCPConnector(resolver=Nobody()))
    assert found.problem == "The name crm.example.com is not known."


async def test_a_certificate_that_nobody_accepts(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    server = TestServer(application({}), scheme="https")
    await server.start_server(ssl=authority.server())
    try:
        found = await looked(str(server.make_url("/")))
    finally:
        await server.close()
    assert "certificate of 127.0.0.1 is not accepted" in found.problem


async def test_what_is_written_wrongly() -> None:
    assert "https addresses only" in (await looked("http://crm.example.com")).problem
    assert "PUBLIC_URL is not set" in (await looked("", slack_client_id="1.2")).problem
    assert not (await looked("")).problem
