"""Cards with long data on a telephone: nothing is cut off or sticks out at 375 pixels, on either platform."""

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.chromium import CHROMIUM
from tests.test_demo import demo

pytestmark = pytest.mark.browser
LONG: Final = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
SAID: Final = {
    f"account create '{LONG} & Söhne' email=first.middle.last@a-really-long-domain-name-for-a-mail.example "
    f"website=https://www.a-really-long-domain-name.example/with/a/path?and=query": "Active",
    f"case create 'Fire in the {LONG} warehouse' account=Contoso description='{LONG}'": "In Progress",
    "case list open": " cases",
    "account show cont": "which one",
    "opportunity update 'Warehouse canteen' value=1.234": "can mean",
    "help case create": "Usage",
    "case list title~nowhere": "No cases",
}
"""What is said, and what is answered then, in the card's later views, too: a record, a list, a choice, an error, help,
an empty list."""
OUTSIDE: Final = """
message => [message, ...message.querySelectorAll('*')].filter(e => {
  const box = e.getBoundingClientRect(), hidden = getComputedStyle(e).overflowX !== 'visible';
  const out = box.width && (box.right > innerWidth + 1 || box.left < -1);
  return out || (hidden && e.clientWidth && e.scrollWidth > e.clientWidth + 1);
}).map(e => `${e.tagName}.${e.className}: ${(e.textContent || '').slice(0, 60)}`)
"""


async def test_nothing_sticks_out_on_a_telephone(tmp_path: Path) -> None:
    async with demo(tmp_path) as bot, async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for platform in ("Slack", "Teams"):
            page = await browser.new_page(viewport={"width": 375, "height": 812})
            page.set_default_timeout(15_000)
            await page.goto(f"{bot.url}/playground")
            await page.wait_for_selector("body[data-ready]")
            await page.get_by_role("tab", name=platform).click()
            for text, answer in SAID.items():
                await fits(page, text if platform == "Teams" else f"/crm {text}", answer)
            await page.close()
        await browser.close()


async def fits(page: Page, text: str, answer: str) -> None:
    """The answer to this is seen whole."""
    await page.locator("#main-box").fill(text)
    await page.locator("#main-box").press("Enter")
    message = page.locator("#messages .message").last
    await expect(message).to_contain_text(answer, timeout=15_000)
    assert await message.evaluate(OUTSIDE) == [], text
