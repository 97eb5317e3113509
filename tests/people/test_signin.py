"""Each person signs in once: from the Slack card through a browser and a provider to the answer of what waited."""

import asyncio
import os
import re
import secrets
import shutil
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
import pytest
from aiohttp import CookieJar
from playwright.async_api import Browser, async_playwright, expect

from bots.playground import seed as seeds
from bots.playground.slack_server import FakeSlack
from crm.emulator import Emulator
from tests.crm.openid import OpenId

STAFF = {p.key: p for p in seeds.load().people if not p.external}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class House:
    """A bot in a process of its own, and everything around it."""

    folder: Path
    slack: FakeSlack
    emulator: Emulator
    entra: OpenId
    port: int
    log: bytes = b""
    process: asyncio.subprocess.Process | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, **changes: str) -> None:
        env = {
            "PATH": os.environ["PATH"], "PORT": str(self.port), "PUBLIC_URL": self.url, "LOG_LEVEL": "DEBUG",
            "CRMCHAT_DATA_DIR": str(self.folder / "data"), "CRMCHAT_SECRET_KEY": "a secret for these tests",
            "CRMCHAT_IDENTITY": "delegated", "DATAVERSE_URL": self.emulator.url,
            "SLACK_SIGNING_SECRET": self.slack.signing_secret, "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_API_URL": self.slack.api_url, "AZURE_TENANT_ID": self.entra.tenant, "AZURE_CLIENT_ID": "app",
            "AZURE_CLIENT_SECRET": "s3cret-of-the-app", "AZURE_AUTHORITY_HOST": self.entra.host,
            "REQUESTS_CA_BUNDLE": str(self.entra.ca_file), **changes,
        }  # fmt: skip
        script = Path(sys.executable).with_name("crmchat")
        out = (self.folder / "log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            script, "serve", env=env, cwd=self.folder, stdout=out, stderr=out
        )
        out.close()
        async with aiohttp.ClientSession() as http:
            until = time.monotonic() + 40
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
        await self.slack.command("/crm", words, user=STAFF[who].slack, channel="C1")

    async def told(self, who: str, says: str | Callable[[str], bool]) -> str:
        """Until this person has been told so; what they were told."""
        user = STAFF[who].slack
        right = says if callable(says) else lambda text: says in text

        def found() -> str:
            texts = [self.slack.text(m) for m in self.slack.messages("C1", user)]
            return next((t for t in reversed(texts) if right(t)), "")

        until = time.monotonic() + 20
        while not (text := found()):
            assert time.monotonic() < until, (says, self.slack.transcript("C1", user)[-1500:], self.written()[-2000:])
            await asyncio.sleep(0.05)
        return text

    def links(self, who: str) -> list[str]:
        """The addresses of every sign-in card that this person got, in order."""
        shown = [str(m) for m in self.slack.messages("C1", STAFF[who].slack)]
        return [link for m in shown for link in re.findall(re.escape(self.url) + r"/auth/start\?state=[\w-]+", m)]

    async def link(self, who: str) -> str:
        until = time.monotonic() + 20
        while not (links := self.links(who)):
            assert time.monotonic() < until, self.slack.transcript("C1", STAFF[who].slack)[-1500:]
            await asyncio.sleep(0.05)
        return links[-1]

    def callers(self) -> set[str]:
        """Whom the emulator saw reading leads or writing cases."""
        return {e.caller for e in self.emulator.requests.entries if "/leads" in e.path or "/incidents" in e.path}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(seed="contoso"))
        slack = await stack.enter_async_context(FakeSlack())
        port = free_port()
        people = {p.aad: {"name": p.name, "preferred_username": p.email} for p in STAFF.values()}
        entra = OpenId(tmp_path, people=people)
        redirect = f"http://127.0.0.1:{port}/auth/callback"
        entra.add_client("app", secret="s3cret-of-the-app", redirects=(redirect,))
        stack.enter_context(entra)
        made = House(tmp_path, slack, emulator, entra, port)
        slack.bot_url = f"{made.url}/slack/events"
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


@pytest.mark.browser
async def test_two_people_from_their_cards_through_their_browsers_to_their_answers(house: House) -> None:
    mark = uuid.uuid4().hex[:6]
    words = {"anna": "lead list", "ben": f"case create 'Case {mark}' account=Contoso"}
    people = ["anna", "ben"]
    for who in people:
        await house.ask(who, "lead list")
        await house.ask(who, words[who])
    links = {who: await house.link(who) for who in people}
    assert all(len(house.links(who)) == 1 for who in people)
    house.emulator.requests.clear()

    async def sign_in(browser: Browser, who: str) -> None:
        context = await browser.new_context(ignore_https_errors=True)
        page = await context.new_page()
        await page.goto(links[who])
        await expect(page.locator("strong")).to_contain_text(STAFF[who].slack)
        await page.get_by_role("button").click()
        await page.get_by_role("button", name=STAFF[who].name).click()
        await expect(page.get_by_role("heading")).to_have_text("You are connected")
        await expect(page.locator("strong")).to_have_text(STAFF[who].email)
        await context.close()

    async with chromium() as browser:
        await asyncio.gather(*(sign_in(browser, who) for who in people))
    for who in people:
        await house.told(who, f"as {STAFF[who].name}")
    await house.told("anna", lambda text: "lead" in text.lower() and "Connect" not in text)
    await house.told("ben", lambda text: f"Case {mark}" in text and "Connect" not in text)
    assert house.callers() == {STAFF[who].aad for who in people}
    writers = {e.caller for e in house.emulator.requests.entries if e.method == "POST" and "incidents" in e.path}
    assert writers == {STAFF["ben"].aad}


async def test_links_of_others_used_ones_and_foreign_answers_are_refused(house: House) -> None:
    await house.ask("anna", "lead list")
    link = await house.link("anna")
    async with Http(house) as anna, Http(house) as thief:
        assert (await anna.open(f"{house.url}/auth/start?state={secrets.token_urlsafe(32)}"))[0] == 400
        _, page = await anna.open(link)
        assert STAFF["anna"].slack in page
        # Pressed elsewhere than where it was opened: without the cookie nothing goes on.
        assert (await thief.press(page))[0] == 400
        back = await anna.through(link, "anna")
        assert (await thief.open(back))[0] == 400
        assert (await thief.open(back.replace("state=", "state=x")))[0] == 400
        status, page = await anna.open(back)
        assert status == 200, page
        await house.told("anna", f"as {STAFF['anna'].name}")
        assert (await anna.open(back))[0] == 400
        assert (await anna.open(link))[0] == 400
    code = back.partition("code=")[2].partition("&")[0]
    written = house.written()
    assert code
    for secret in (code, link.partition("state=")[2], "s3cret-of-the-app", "eyJ0", "refresh_token="):
        assert secret not in written, secret
    data = b"".join(p.read_bytes() for p in (house.folder / "data").iterdir() if p.is_file())
    for secret in (code, link.partition("state=")[2], "eyJ0", STAFF["anna"].email):
        assert secret.encode() not in data, secret


async def test_a_denied_sign_in_can_be_begun_again_and_a_revoked_one_asks_once(house: House) -> None:
    await house.ask("anna", "lead list")
    link = await house.link("anna")
    await house.stop()  # what was asked survives a restart between the card and the sign-in
    await house.start()
    async with Http(house) as anna:
        _, page = await anna.open(link)
        _, provider = await anna.press(page)
        async with anna.http.post(provider, data={"deny": "1"}, ssl=house.entra._tls, allow_redirects=False) as denied:
            status, page = await anna.open(denied.headers["Location"])
        assert status == 502
        assert "cancelled" in page
        status, page = await anna.open(await anna.through(link, "anna"))
        assert status == 200, page
    await house.told("anna", f"as {STAFF['anna'].name}")
    await house.told("anna", lambda text: "lead" in text.lower() and "Connect" not in text)
    await house.ask("anna", "whoami")
    assert "by sign-in as" in await house.told("anna", "by sign-in as")

    before = len(house.links("anna"))
    await house.ask("anna", "disconnect")
    await house.told("anna", "Disconnected")
    for _ in range(3):
        await house.ask("anna", "lead list")
    await house.told("anna", "This waits until you have connected")
    assert len(house.links("anna")) == before + 1


async def test_a_revoked_sign_in_asks_with_one_card_and_goes_on_after_it(house: House) -> None:
    await house.entra.control(lifetime=20)  # shorter than tokens are trusted for, so each call renews
    async with Http(house) as anna:
        await house.ask("anna", "lead list")
        assert (await anna.open(await anna.through(await house.link("anna"), "anna")))[0] == 200
        await house.told("anna", f"as {STAFF['anna'].name}")
        await house.told("anna", lambda text: "lead" in text.lower() and "onnect" not in text)
        await house.entra.control(revoke=True)
        await house.stop()
        await house.start()
        for number in range(3):
            await house.ask("anna", f"case create 'Waits {number}' account=Contoso")
        await house.told("anna", "This waits until you have connected")
        assert len(house.links("anna")) == 2
        assert (await anna.open(await anna.through(house.links("anna")[-1], "anna")))[0] == 200
        for number in range(3):
            wanted = f"Waits {number}"
            await house.told("anna", lambda text, wanted=wanted: wanted in text and "onnect" not in text)
