"""The page in a browser: commands, buttons, modals and dialogs by mouse and keyboard, with both reference bots."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, Route, async_playwright, expect

from bots.playground import Playground
from tests.chromium import CHROMIUM

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

pytestmark = pytest.mark.browser


@pytest.fixture
async def page(playground: Playground) -> AsyncIterator[Page]:
    """A page of the playground; anything on its console fails the test."""
    complaints: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = await browser.new_page(viewport={"width": 1300, "height": 800})
        opened.on("pageerror", lambda problem: complaints.append(str(problem)))
        opened.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type in ("error", "warning") and "ERR_INTERNET_DISCONNECTED" not in said.text
                else None
            ),
        )
        opened.set_default_timeout(10_000)
        await opened.goto(playground.url)
        await opened.wait_for_selector("body[data-ready]")
        yield opened
        await browser.close()
    assert complaints == []


async def test_slack_from_a_command_to_a_submitted_modal(page: Page) -> None:
    box = page.locator("#main-box")
    await box.fill("/crm hello <b>&</b>")
    await box.press("Enter")
    card = page.locator("#messages .message.bot").last
    await expect(card).to_contain_text("You said hello <b>&</b>")
    await expect(card).to_contain_text("Only visible to you")
    await card.get_by_role("button", name="More").click()
    await expect(page.locator("#messages .message").last).to_contain_text("more")

    await box.fill("/crm form")
    await box.press("Enter")
    dialog = page.locator("#dialog")
    await expect(dialog.get_by_role("heading")).to_have_text("New lead")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Please complete this required field.")
    await page.keyboard.type("Nadia")
    company = dialog.get_by_role("combobox", name="Company (optional)", exact=True)
    await company.fill("fabr")
    await dialog.get_by_role("option", name="Fabr").wait_for()
    await expect(company).to_have_attribute("aria-activedescendant", re.compile("^options-"))
    await company.press("Enter")
    await dialog.get_by_label("Rating").select_option("Hot")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="CRM", exact=True).click()
    await expect(page.locator("#messages .message").last).to_contain_text("Nadia is hot")

    await page.get_by_role("button", name="Wire").click()
    line = page.locator("#wire li", has_text="/crm hello")
    await line.locator("summary").click()
    await expect(line).to_contain_text('"response_url"')


async def test_slack_message_menu_thread_home_and_other_eyes(page: Page) -> None:
    message = page.locator("#messages .message", has_text="label printer")
    await message.hover()
    await message.get_by_label("More actions").click()
    await page.get_by_role("menuitem", name="Create case").click()
    await message.get_by_role("button", name="replies").click()
    thread = page.locator("#thread")
    await expect(thread.locator(".message").last).to_contain_text("case: The label printer in")
    await thread.get_by_label("Reply…").fill("@crm and now?")
    await page.keyboard.press("Enter")
    await expect(thread.locator(".message").last).to_contain_text("yes?")
    await page.get_by_role("button", name="CRM home").click()
    await expect(page.locator(".home")).to_contain_text("My cases")
    await page.locator("#me").select_option("Ben Carter")
    await page.get_by_role("button", name="support", exact=True).click()
    await expect(page.locator("#messages")).to_contain_text("label printer")
    await page.get_by_role("button", name="sales", exact=True).click()
    await page.locator("#me").select_option("Maria Campbell")  # a customer, in one shared channel only
    await expect(page.get_by_role("heading", level=1)).to_have_text("#fabrikam-shared")
    await expect(page.locator("#messages")).not_to_contain_text("Forecast call")
    await page.set_viewport_size({"width": 375, "height": 700})  # a telephone
    await expect(page.locator("#main-box")).to_be_in_viewport(ratio=1)


async def test_what_the_guide_offers_lands_where_it_works(page: Page) -> None:
    guide = page.locator("#guide")
    await guide.locator("li", has_text="Ask in a thread").get_by_role("button").click()
    await expect(page.locator("#thread-box")).to_be_focused()
    await expect(page.locator("#thread-box")).to_have_value(re.compile("^@crm "))
    await page.get_by_label("Close the thread").click()
    await guide.locator("li", has_text="Create a lead").get_by_role("button").click()
    await expect(page.locator("#main-box")).to_have_value(re.compile("^/crm lead create .*topic="))


async def test_a_thread_takes_the_guides_place(page: Page) -> None:
    toggle, guide, thread = (
        page.get_by_role("button", name="What to try"),
        page.locator("#guide"),
        page.locator("#thread"),
    )
    await page.get_by_role("button", name="3 replies").click()
    await expect(guide).to_be_hidden()
    await expect(toggle).to_have_attribute("aria-expanded", "false")
    await toggle.click()
    await expect(guide).to_be_visible()
    await expect(thread).to_be_hidden()


async def test_a_page_that_outlives_the_demo_says_so(page: Page) -> None:
    async def another(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json={**await answer.json(), "run": "another"})

    await page.get_by_role("button", name="3 replies").click()
    await page.route("**/playground/state/*", another)
    await page.get_by_role("button", name="sales", exact=True).click()
    notice = page.locator("#notice")
    await expect(notice).to_contain_text("conversations begin anew")
    await notice.get_by_role("button", name="OK").click()
    await expect(notice).to_be_hidden()
    await expect(page.locator("#messages")).to_contain_text("Forecast call")


async def test_a_message_taller_than_the_log_is_read_from_its_top(page: Page) -> None:
    box, log = page.locator("#main-box"), page.locator("#messages")
    await box.fill("\n".join(f"line {n}" for n in range(60)))
    await box.press("Enter")
    last = log.locator(".message").last
    await expect(last).to_contain_text("line 59")
    at, top = await last.bounding_box(), await log.bounding_box()
    assert at
    assert top
    assert abs(at["y"] - top["y"]) < 2
    await box.fill("short")
    await box.press("Enter")
    await expect(last).to_have_text(re.compile("short"))
    await expect(last).to_be_in_viewport(ratio=1)


async def test_what_was_typed_stays_while_nobody_answers(page: Page) -> None:
    box = page.locator("#main-box")
    await box.fill("/nobody hello")
    await box.press("Enter")
    await expect(page.locator("#toast")).to_have_text("/nobody is not a valid command. Try /crm help")
    await expect(box).to_have_value("/nobody hello")
    await page.context.set_offline(True)
    await box.fill("/crm hello")
    await box.press("Enter")
    await expect(page.locator("#toast")).to_contain_text("does not answer")
    await expect(box).to_have_value("/crm hello")
    await page.context.set_offline(False)
    await box.press("Enter")
    await expect(page.locator("#messages .message").last).to_contain_text("You said hello")


async def test_teams_from_a_message_to_a_submitted_dialog(page: Page) -> None:
    await page.get_by_role("tab", name="Teams").click()
    box = page.locator("#main-box")
    await expect(box).to_have_attribute("placeholder", "Type a command, for example: lead list")
    await box.fill("hello")
    await box.press("Enter")
    await page.locator("#messages .ac-adaptiveCard").get_by_role("button", name="Close").click()
    card = page.locator("#messages .message").last
    await expect(card).to_contain_text("closed by Anna Weber")
    await box.fill("hello again")
    await box.press("Enter")
    await expect(card).to_contain_text("hello again")
    await expect(card).to_have_class(re.compile("bot"))
    await card.get_by_role("button", name="More options", exact=True).press("Enter")
    await expect(page.get_by_role("menuitem", name="Close later")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("menu")).to_have_count(0)
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(card).to_contain_text("closed by Anna Weber")
    await page.get_by_role("button", name="support", exact=True).click()
    message = page.locator("#messages .message", has_text="label printer").first
    await message.hover()
    await message.get_by_label("More options").first.click()
    await page.get_by_role("menuitem", name="Create case").click()
    dialog = page.locator("#dialog")
    await expect(dialog.get_by_role("heading", name="Case from Anna Weber")).to_be_visible()
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog).to_contain_text("Say what")
    await dialog.get_by_label("Title").fill("Printer")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog).to_contain_text("made Printer k")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="Dynamics 365").click()
    await dialog.locator(".result").first.click()
    await expect(page.locator("#messages .message").last).to_contain_text("Contoso")
