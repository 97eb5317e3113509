"""A bot in a process of its own where people sign in: a provider, Slack, Teams and Dynamics around it, and browsers."""

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import CookieJar
from playwright.async_api import Browser, async_playwright

from bots.playground import seed as seeds
from bots.playground.slack_server import FakeSlack
from bots.playground.teams_server import FakeTeams
from crm.emulator import Emulator
from tests.bot import APP, APP_PASSWORD
from tests.chromium import CHROMIUM
from tests.crm.openid import OpenId
from tests.ports import free_port

PEOPLE = {p.key: p for p in seeds.load().people}
STAFF = {key: p for key, p in PEOPLE.items() if not p.external}
SECRET = "s3cret-of-the-app"
KEY = "a secret for these tests"


@dataclass
class House:
    """The process, and everything around it."""

    folder: Path
    slack: FakeSlack
    emulator: Emulator
    entra: OpenId
    port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, **changes: str) -> None:
        env = {
            "PATH": os.environ["PATH"], "PORT": str(self.port), "PUBLIC_URL": self.url, "LOG_LEVEL": "DEBUG",
            "CRMCHAT_DATA_DIR": str(self.folder / "data"), "CRMCHAT_SECRET_KEY": KEY,
            "CRMCHAT_IDENTITY": "delegated", "DATAVERSE_URL": self.emulator.url,
            "SLACK_SIGNING_SECRET": self.slack.signing_secret, "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_API_URL": self.slack.api_url, "AZURE_TENANT_ID": self.entra.tenant, "AZURE_CLIENT_ID": "app",
            "AZURE_CLIENT_SECRET": SECRET, "AZURE_AUTHORITY_HOST": self.entra.host,
            "REQUESTS_CA_BUNDLE": str(self.entra.ca_file), **changes,
        }  # fmt: skip
        script = Path(sys.executable).with_name("crmchat")
        out = (self.folder / "log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            script, "serve", env=env, cwd=self.folder, stdout=out, stderr=out
        )
        out.close()
        async with aiohttp.ClientSession() as http:
            until = time.monotonic() + 60
            while True:
                try:
                    async with http.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                assert time.monotonic() < until, self.written()[-3000:]
                assert self.process.returncode is None, self.written()[-3000:]
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def written(self) -> str:
        return (self.folder / "log").read_text()

    async def ask(self, who: str, words: str) -> None:
        await self.slack.command("/crm", words, user=PEOPLE[who].slack, channel="C1")

    async def told(self, who: str, says: str | Callable[[str], bool]) -> str:
        """Until this person has been told so; what they were told."""
        user = PEOPLE[who].slack
        right = says if callable(says) else lambda text: says in text

        def found() -> str:
            texts = [self.slack.text(m) for m in self.slack.messages("C1", user)]
            return next((t for t in reversed(texts) if right(t)), "")

        until = time.monotonic() + 20
        while not (text := found()):
            assert time.monotonic() < until, (says, self.slack.transcript("C1", user)[-1500:], self.written()[-2000:])
            await asyncio.sleep(0.05)
        return text

    def links_in(self, shown: object) -> list[str]:
        """The addresses of sign-in pages in whatever was sent to somebody."""
        return re.findall(re.escape(self.url) + r"/auth/start\?state=[\w-]+", str(shown))

    def links(self, who: str) -> list[str]:
        """The addresses of every sign-in card that this person got in Slack, in order."""
        return [link for m in self.slack.messages("C1", PEOPLE[who].slack) for link in self.links_in(m)]

    async def link(self, who: str, *, after: int = 0) -> str:
        """Of the newest card; `after`: once there are more than so many."""
        until = time.monotonic() + 20
        while len(links := self.links(who)) <= after:
            assert time.monotonic() < until, self.slack.transcript("C1", PEOPLE[who].slack)[-1500:]
            await asyncio.sleep(0.05)
        return links[-1]

    def callers(self) -> set[str]:
        """Whom the emulator saw reading leads or writing cases."""
        return {e.caller for e in self.emulator.requests.entries if "/leads" in e.path or "/incidents" in e.path}


@dataclass
class TwoFaces(House):
    """The house with Teams at its door, too."""

    teams: FakeTeams = None  # type: ignore[assignment]  the dataclass before it has defaults
    identity: str = ""

    async def start(self, **changes: str) -> None:
        teams = {
            "MICROSOFT_APP_ID": APP, "MICROSOFT_APP_PASSWORD": APP_PASSWORD,
            "MICROSOFT_APP_TENANT_ID": self.teams.world.tenant, "MICROSOFT_OPENID_URL": self.teams.openid_url,
            "MICROSOFT_LOGIN_URL": self.teams.service_url,
        }  # fmt: skip
        self.identity = changes.get("CRMCHAT_IDENTITY", "delegated")
        await super().start(**teams, CRMCHAT_CASE_REACTIONS="ticket", **changes)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[TwoFaces]:
    """It runs, on free ports; everything stops at the end."""
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(seed="contoso"))
        slack = await stack.enter_async_context(FakeSlack())
        teams = await stack.enter_async_context(FakeTeams(app_id=APP, app_password=APP_PASSWORD))
        port = free_port()
        people = {p.aad: {"name": p.name, "preferred_username": p.email} for p in STAFF.values()}
        entra = OpenId(folder, people=people)
        entra.add_client("app", secret=SECRET, redirects=(f"http://127.0.0.1:{port}/auth/callback",))
        stack.enter_context(entra)
        made = TwoFaces(folder, slack, emulator, entra, port, teams=teams)
        slack.bot_url, teams.bot_url = f"{made.url}/slack/events", f"{made.url}/api/messages"
        stack.push_async_callback(made.stop)
        await made.start()
        yield made


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


class Http:
    """A browser of few words: cookies and forms."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.http = aiohttp.ClientSession(cookie_jar=CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def open(self, link: str) -> tuple[int, str]:
        async with self.http.get(link) as answer:
            return answer.status, await answer.text()

    async def press(self, page: str) -> tuple[int, str]:
        """The page's button; where it leads, or the page that came instead."""
        form = dict(re.findall(r'name="(\w+)" value="([\w-]+)"', page))
        async with self.http.post(f"{self.house.url}/auth/start", data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()

    async def through(self, link: str, who: str) -> str:
        """All the way; the address that the provider sends the person back to."""
        status, page = await self.open(link)
        assert status == 200, page
        status, provider = await self.press(page)
        assert status == 303, provider
        return await self.house.entra.press(provider, STAFF[who].aad)

    async def connect(self, link: str, who: str) -> str:
        """All the way and back; the last page."""
        status, page = await self.open(await self.through(link, who))
        assert status == 200, page
        return page
