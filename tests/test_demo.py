"""`crmchat demo` as a process of its own, driven over sockets as a stranger would: signed bytes in, bytes out."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.signature import SignatureVerifier

from tests.ports import free_port

SECRET = "a secret of the outside program"


@dataclass
class Sink:
    """An outside program's `response_url` and `serviceUrl`."""

    posts: list[tuple[str, Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({}, status=404)  # it keeps no roster
        self.posts.append((request.path, await request.json()))
        return web.json_response({"id": f"m{len(self.posts)}"})


@dataclass
class Demo:
    url: str
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    sink: Sink
    sink_url: str
    dataverse: str

    async def slack(self, text: str, *, secret: str = SECRET, trigger: str = "t1", age: int = 0) -> tuple[int, Any]:
        """A signed slash command; status and JSON."""
        fields = {
            "command": "/crm", "text": text, "team_id": "T1", "user_id": "U1", "channel_id": "C1", "api_app_id": "A1",
            "trigger_id": trigger, "response_url": f"{self.sink_url}/respond",
        }  # fmt: skip
        body = urlencode(fields)
        stamp = str(int(time.time()) - age)
        signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body) or ""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature,
        }
        async with self.session.post(f"{self.url}/slack/events", data=body, headers=headers) as answer:
            raw = await answer.text()
            return answer.status, await answer.json() if raw.startswith("{") else raw

    async def said(self, text: str, says: str, trigger: str) -> None:
        """The command's answer contains `says`, in the acknowledgement or behind it."""
        status, answer = await self.slack(text, trigger=trigger)
        assert status == 200
        if says.lower() not in str(answer).lower():
            assert "Working on it" in str(answer) or not answer, answer
            await self.posted(says)

    async def teams(self, text: str, key: str) -> int:
        """A message in a personal chat."""
        activity = {
            "type": "message", "id": key, "text": text, "channelId": "msteams", "serviceUrl": f"{self.sink_url}/",
            "from": {"id": "29:anna", "aadObjectId": "00000000-0000-4000-8000-0000000000a1", "name": "Anna"},
            "recipient": {"id": "28:bot", "name": "crm"},
            "conversation": {"id": "a:1", "conversationType": "personal", "tenantId": "t"},
            "channelData": {"tenant": {"id": "t"}},
        }  # fmt: skip
        async with self.session.post(f"{self.url}/api/messages", json=activity) as answer:
            return answer.status

    async def count(self, table: str, condition: str) -> int:
        """Rows in the emulator."""
        url = f"{self.dataverse}/api/data/v9.2/{table}"
        async with self.session.get(url, params={"$filter": condition}) as answer:
            return len((await answer.json())["value"])

    async def posted(self, text: str) -> Any:
        """The first thing posted to us that contains the text; polls with a deadline."""
        async with asyncio.timeout(60):
            while True:
                for _, body in self.sink.posts:
                    if text.lower() in str(body).lower():
                        return body
                await asyncio.sleep(0.05)


@asynccontextmanager
async def demo(folder: Path, **environment: str) -> AsyncIterator[Demo]:
    port, emulator = free_port(), free_port()
    sink = Sink()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", sink.take)
    env = {
        "PATH": os.environ["PATH"], "PORT": str(port), "EMULATOR_PORT": str(emulator), "CRMCHAT_DATA_DIR": str(folder),
        "SLACK_SIGNING_SECRET": SECRET, **environment,
    }  # fmt: skip
    script = Path(sys.executable).with_name("crmchat")
    process = await asyncio.create_subprocess_exec(
        script, "demo", env=env, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            async with asyncio.timeout(60):
                while process.returncode is None:
                    try:
                        async with session.get(f"{url}/readyz") as answer:
                            if answer.status == 200:
                                break
                    except aiohttp.ClientConnectionError:
                        await asyncio.sleep(0.1)
            base = str(server.make_url("")).rstrip("/")
            yield Demo(url, process, session, sink, base, f"http://127.0.0.1:{emulator}")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert b"Traceback" not in output, output.decode()


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """One for all that only talk to it."""
    async with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running
    assert running.process.returncode == 0


async def test_signed_bytes_from_outside(running: Demo) -> None:
    await running.said("lead create Jane Smith company='Acme Corp' topic=Machines", "Jane Smith", "a")
    again = await running.slack("lead create Jane Smith company='Acme Corp' topic=Machines", trigger="a")
    assert again[0] == 200
    assert await running.count("leads", "companyname eq 'Acme Corp'") == 1

    for refused in ({"secret": "wrong"}, {"age": 400}):
        status, _ = await running.slack("lead create Eve Evil topic=No", trigger="b", **refused)  # type: ignore[arg-type]
        assert status == 401
    assert await running.count("leads", "lastname eq 'Evil'") == 0

    assert await running.teams(
        "case create 'Printer on fire' account='Adventure Works Cycles' priority=high", "m1"
    ) in (200, 202)
    card = await running.posted("Printer on fire")
    assert "High" in str(card)
    assert await running.teams(
        "case create 'Printer on fire' account='Adventure Works Cycles' priority=high", "m1"
    ) in (200, 202)
    assert await running.count("incidents", "title eq 'Printer on fire'") == 1

    async with running.session.get(f"{running.url}/playground") as page:
        assert page.status == 200
    foreign = {"Host": "evil.example"}
    async with running.session.get(f"{running.url}/playground", headers=foreign) as page:
        assert page.status == 403


BAD = {
    "unknown verb": ("case burn CAS-1", "case"),
    "missing value": ("case create", "Title"),
    "unclosed quote": ('case create "Printer', "quote"),
    "unknown column": ("lead create Jane Smith topic=x colour=red", "colour"),
    "wrong guid": ("case show 12345678-1234-1234-1234-12345678901z", "12345678901z"),
    "too long": (f"lead create Jane Smith topic={'x' * 400}", "300"),
    "impossible choice": ("case create x account='Adventure Works Cycles' priority=urgentish", "urgentish"),
    "emoji": ("🎉🎉", "help"),
    "10 kB": ("word " * 2000, ""),
}


async def test_bad_input_on_both_faces_creates_nothing(running: Demo) -> None:
    before = [await running.count(t, f"{t[:-1]}id ne null") for t in ("leads", "incidents")]
    for number, (name, (text, says)) in enumerate(BAD.items()):
        status, answer = await running.slack(text, trigger=f"bad{number}")
        assert status == 200, name
        assert says.lower() in str(answer).lower() or not answer, (name, answer)
        assert await running.teams(text, f"bad{number}") in (200, 202), name
        assert says.lower() in str(await running.posted(says)).lower()
    after = [await running.count(t, f"{t[:-1]}id ne null") for t in ("leads", "incidents")]
    assert before == after


async def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        script = Path(sys.executable).with_name("crmchat")

        async def refused(setting: str) -> None:
            env = {
                "PATH": os.environ["PATH"], "PORT": str(free_port()), "EMULATOR_PORT": str(free_port()),
                "CRMCHAT_DATA_DIR": str(tmp_path / setting), setting: port,
            }  # fmt: skip
            process = await asyncio.create_subprocess_exec(
                script, "demo", env=env, cwd=tmp_path, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            _, errors = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 2
            assert port in errors.decode()
            assert setting in errors.decode()
            assert "Traceback" not in errors.decode()

        await asyncio.gather(refused("PORT"), refused("EMULATOR_PORT"))


@pytest.mark.parametrize("arguments", [["serve"], ["mcp"]])
async def test_what_is_missing_is_said(tmp_path: Path, arguments: list[str]) -> None:
    script = Path(sys.executable).with_name("crmchat")
    process = await asyncio.create_subprocess_exec(
        script, *arguments, env={"PATH": os.environ["PATH"]}, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert "DATAVERSE_URL is not set" in errors.decode()


async def test_a_wrong_log_level_is_one_sentence(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("crmchat")
    env = {"PATH": os.environ["PATH"], "LOG_LEVEL": "loud"}
    process = await asyncio.create_subprocess_exec(
        script, "serve", env=env, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert errors.decode() == "crmchat: LOG_LEVEL: LOUD is no level; choose DEBUG, INFO, WARNING or ERROR.\n"
