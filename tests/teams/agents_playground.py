"""Drives Microsoft's own Agents Playground, unmodified, against the demo, in a browser; leaves screenshots.

python -m tests.teams.agents_playground [folder]

It needs Chromium and the Node packages. Buttons and words go through its page; message actions, search, links and
uninstallation through its HTTP API, which its page uses too.
"""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Page, async_playwright

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
CLI = ROOT / "node_modules" / "@microsoft" / "m365agentsplayground" / "cli.js"
CHAT = "personal-chat-of-the-script"
USER = "user-id-0"


@asynccontextmanager
async def process(ready: str, *command: str, **environment: str) -> AsyncIterator[re.Match[str]]:
    """A program that runs until the end of the block, once its output has matched."""
    with tempfile.TemporaryDirectory() as folder:
        started = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert started.stdout
        said = ""
        try:
            async with asyncio.timeout(60):
                while not (found := re.search(ready, said)):
                    line = await started.stdout.readline()
                    assert line, f"{command[0]} ended:\n{said}"
                    said += line.decode()
            drain = asyncio.create_task(_drain(started.stdout))
            yield found
            drain.cancel()
        finally:
            if started.returncode is None:
                started.send_signal(signal.SIGINT)
                try:
                    await asyncio.wait_for(started.wait(), 15)
                except TimeoutError:
                    started.kill()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass


class Playground:
    """The page and the API of the playground."""

    def __init__(self, page: Page, session: aiohttp.ClientSession, url: str, dataverse: str, folder: Path) -> None:
        self.page, self.session, self.url, self.dataverse, self.folder = page, session, url, dataverse, folder
        self.shots = len(list(folder.glob("*.png")))

    async def say(self, words: str, expect: str) -> None:
        """Type words, send them, and wait for the answer."""
        await self.page.locator("[contenteditable=true]").first.click()  # the last one is the log panel
        await self.page.keyboard.type(words)
        await self.page.get_by_label("Send Message").click()
        await self.see(expect)

    async def see(self, text: str) -> None:
        """Wait until a text shows."""
        try:
            await self.page.get_by_text(text).last.wait_for(timeout=10_000)
        except Exception:
            await self.shoot("failed")
            raise

    async def press(self, label: str, expect: str) -> None:
        """Press the newest button of that name."""
        await self.page.get_by_role("button", name=label, exact=True).last.click()
        await self.see(expect)

    async def shoot(self, name: str) -> None:
        """Keep a screenshot."""
        self.shots += 1
        await self.page.wait_for_timeout(300)
        await self.page.screenshot(path=str(self.folder / f"{self.shots:02}-{name}.png"))
        print(f"seen: {name}", flush=True)

    async def invoke(self, name: str, value: dict[str, Any]) -> Any:
        """An invoke, answered by the bot."""
        body = {"name": name, "value": value, "from": {"id": USER}, "conversation": {"id": CHAT}}
        async with self.session.post(f"{self.url}/_conversation/v1/invoke", json=body) as response:
            assert response.status == 200, (response.status, await response.text())
            answer = await response.json()
        print(f"ok: {name}", flush=True)
        return answer


@asynccontextmanager
async def playground(folder: Path, **environment: str) -> AsyncIterator[Playground]:
    """The demo, Microsoft's playground before it, and a browser with its page."""
    port, emulator = free_port(), free_port()
    async with AsyncExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory())
        await stack.enter_async_context(
            process(
                "crmchat is running",
                str(Path(sys.executable).with_name("crmchat")),
                "demo",
                PORT=str(port),
                EMULATOR_PORT=str(emulator),
                CRMCHAT_DATA_DIR=data,
                **environment,
            )
        )
        node = ("node", str(CLI), "start", "-c", "msteams", "--dt", "-p", str(free_port()), "--conversation-id", CHAT)
        listening = await stack.enter_async_context(
            process(
                r"Listening on (\d+)",
                *node,
                "-e",
                f"http://127.0.0.1:{port}/api/messages",
                TEAMSAPPTESTER_BROWSER="none",
            )
        )
        url = f"http://127.0.0.1:{listening.group(1)}"
        drive = await stack.enter_async_context(async_playwright())
        browser = await drive.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        stack.push_async_callback(browser.close)
        page = await browser.new_page(viewport={"width": 1400, "height": 1000})
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await page.goto(url)
        yield Playground(page, session, url, f"http://127.0.0.1:{emulator}", folder)


async def walk(folder: Path) -> None:
    """Everything that the playground can do."""
    async with playground(folder) as seen:
        await seen.see("What can I do for you?")
        await seen.shoot("installed")
        await seen.say("help case", "case create")
        await seen.shoot("help")
        await seen.say("lead create Jane Porter company='Porter Tea' topic='Ten kettles'", "Lead created.")
        await seen.shoot("created")
        await seen.say("lead list company='Porter Tea'", "1 lead")
        await seen.shoot("list")
        await seen.press("Open", "Ten kettles")
        await seen.press("Edit", "Edit lead")
        await seen.page.get_by_label("Company Name").last.fill("Porter & Daughters")
        await seen.shoot("form")
        await seen.press("Save", "Saved.")
        await seen.see("Porter & Daughters")
        await seen.shoot("saved")
        await extensions(seen)
    async with playground(folder, CRMCHAT_ACK_WINDOW="0.001") as seen:
        await seen.see("What can I do for you?")
        await seen.say("lead create Late Lane company=Later topic=Late", "Lead created.")
        assert not await seen.page.get_by_text("Working on it").count(), "the waiting card was not replaced"
        await seen.shoot("proactive")


async def extensions(seen: Playground) -> None:
    """A message to a case, search, and a link."""
    payload = {
        "id": "1700000000123",
        "createdDateTime": "2026-01-01T10:00:00.000Z",
        "linkToMessage": "https://teams.microsoft.com/l/message/19:x@thread.v2/1700000000123",
        "from": {"user": {"userIdentityType": "aadUser", "id": "user-id-1", "displayName": "Megan Bowen"}},
        "body": {"contentType": "html", "content": "<div>The <b>mill</b> at Contoso stands still</div>"},
        "attachments": [],
    }
    value = {"commandId": "createCase", "commandContext": "message", "messagePayload": payload}
    opened = await seen.invoke("composeExtension/fetchTask", value)
    card = opened["task"]["value"]["card"]["content"]
    data = {p["id"]: p.get("value", "") for p in card["body"] if str(p["type"]).startswith("Input.")}
    assert data["f.title"].startswith("The mill at Contoso"), data
    button = next(a for a in card["actions"] if a["title"] == "Create")
    data |= button["data"] | {"f.customer": "Contoso"}
    made = await seen.invoke("composeExtension/submitAction", value | {"data": data})
    assert "CAS-" in str(made), made
    again = await seen.invoke("composeExtension/fetchTask", value)
    assert "already" in str(again), again
    query = {"commandId": "searchRecords", "parameters": [{"name": "query", "value": "contoso"}]}
    found = await seen.invoke("composeExtension/query", query | {"queryOptions": {"skip": 0, "count": 25}})
    titles = [a["preview"]["content"]["title"] for a in found["composeExtension"]["attachments"]]
    assert "Contoso" in titles, titles
    link = await seen.invoke("composeExtension/queryLink", {"url": "https://example.com/nothing-of-ours"})
    assert link["composeExtension"]["attachments"] == [], link
    leads = f"{seen.dataverse}/api/data/v9.2/leads?$select=leadid&$filter=lastname eq 'Porter'"
    async with seen.session.get(leads) as response:
        lead = (await response.json())["value"][0]["leadid"]
    link = await seen.invoke(
        "composeExtension/queryLink", {"url": f"{seen.dataverse}/main.aspx?pagetype=entityrecord&etn=lead&id={lead}"}
    )
    shown = link["composeExtension"]["attachments"]
    assert "Show details" in str(shown), link
    assert "Porter" not in str(shown), "a preview that Teams keeps for everyone names nobody"


def main() -> None:
    """Entry point."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="agents-playground-"))
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(walk(folder))
    print(f"screenshots: {folder}")


if __name__ == "__main__":
    main()
