"""Each person signs in: from the chat through a browser and a provider to the answer of what waited.

One bot serves the whole module; every test has people of its own.
"""

import asyncio
import json
import secrets
import sqlite3
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from bots.database import database
from bots.playground.slack_world import Message
from bots.settings import Settings
from commands.audit import Audit
from commands.cipher import FernetCipher
from commands.state import State
from crm.emulator import Fault
from tests.dialogues.people import OnSlack, OnTeams

from .house import KEY, PEOPLE, SECRET, STAFF, Http, TwoFaces, chromium, opened

_STEP = '{"access_token": {"acrs": {"essential": true, "value": "c1"}}}'


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoFaces]:
    async with opened(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
async def house(running: TwoFaces) -> AsyncIterator[TwoFaces]:
    if running.identity != "delegated":
        await running.stop()
        await running.start()
    running.emulator.requests.clear()
    yield running
    running.emulator.faults.clear()
    await running.entra.control(lifetime=3600, down=0, refuse={})


def age(house: TwoFaces, table: str, column: str, days: float) -> None:
    """Make what is kept older, behind the bot's back."""
    with sqlite3.connect(house.folder / "data" / "state.db", timeout=10) as db:
        db.execute(f"UPDATE {table} SET {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, ?)", (f"-{days} days",))
    db.close()


def a_lead_list(text: str) -> bool:
    return "lead" in text.lower() and "onnect" not in text


@pytest.mark.browser
async def test_two_people_from_their_cards_through_their_browsers_to_their_answers(house: TwoFaces) -> None:
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
    await house.told("anna", a_lead_list)
    await house.told("ben", lambda text: f"Case {mark}" in text and "Connect" not in text)
    assert house.callers() == {STAFF[who].aad for who in people}
    writers = {e.caller for e in house.emulator.requests.entries if e.method == "POST" and "incidents" in e.path}
    assert writers == {STAFF["ben"].aad}


async def test_links_of_others_used_ones_and_foreign_answers_are_refused(house: TwoFaces) -> None:
    await house.ask("chiara", "lead list")
    link = await house.link("chiara")
    async with Http(house) as chiara, Http(house) as thief:
        assert (await chiara.open(f"{house.url}/auth/start?state={secrets.token_urlsafe(32)}"))[0] == 400
        async with chiara.http.get(link) as answer:
            page, headers, cookie = await answer.text(), answer.headers, answer.cookies["crmchat-sign-in"]
        assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        assert f"“Chiara Rossi” {STAFF['chiara'].email} ({STAFF['chiara'].slack}) in Slack" in page
        # Pressed elsewhere than where it was opened: without the cookie nothing goes on.
        assert (await thief.press(page))[0] == 400
        back = await chiara.through(link, "chiara")
        assert (await thief.open(back))[0] == 400
        assert (await thief.open(back.replace("state=", "state=x")))[0] == 400
        status, page = await chiara.open(back)
        assert status == 200, page
        await house.told("chiara", f"as {STAFF['chiara'].name}")
        assert (await chiara.open(back))[0] == 400
        assert (await chiara.open(link))[0] == 400
    code = back.partition("code=")[2].partition("&")[0]
    written = house.written()
    assert code
    for secret in (code, link.partition("state=")[2], SECRET, "eyJ0", "refresh_token="):
        assert secret not in written, secret
    data = b"".join(p.read_bytes() for p in (house.folder / "data").iterdir() if p.is_file())
    for secret in (code, link.partition("state=")[2], "eyJ0", STAFF["chiara"].email):
        assert secret.encode() not in data, secret


async def test_a_denied_sign_in_can_be_begun_again(house: TwoFaces) -> None:
    await house.ask("dmitri", "lead list")
    link = await house.link("dmitri")
    async with Http(house) as dmitri:
        _, page = await dmitri.open(link)
        _, provider = await dmitri.press(page)
        async with dmitri.http.post(
            provider, data={"deny": "1"}, ssl=house.entra._tls, allow_redirects=False
        ) as denied:
            status, page = await dmitri.open(denied.headers["Location"])
        assert status == 502
        assert "cancelled" in page
        await dmitri.connect(link, "dmitri")
    await house.told("dmitri", f"as {STAFF['dmitri'].name}")
    await house.told("dmitri", lambda text: "lead" in text.lower() and "Connect " not in text)
    # Disconnected again, they are asked with one card, however much they ask.
    await house.ask("dmitri", "disconnect")
    await house.told("dmitri", "Disconnected")
    for _ in range(3):
        await house.ask("dmitri", "lead list")
    await house.told("dmitri", "This waits until you have connected")
    assert len(house.links("dmitri")) == 2


async def test_what_the_provider_refuses_or_cannot_do_later_is_said_and_goes_on_after_it(house: TwoFaces) -> None:
    async with Http(house) as farid:
        await house.ask("farid", "whoami")
        link = await house.link("farid")
        # The service is away: first while signing in, and then while connected.
        await house.entra.control(down=503)
        status, page = await farid.open(await farid.through(link, "farid"))
        assert status == 502
        assert "sign-in service of Dynamics 365 cannot be reached" in page
        await house.entra.control(down=0, lifetime=0)  # from now on each call needs a new token
        await farid.connect(link, "farid")
        await house.told("farid", "by sign-in as")
        await house.entra.control(down=503)
        await house.ask("farid", "case list")
        await house.told("farid", "sign-in service of Dynamics 365 cannot be reached")
        await house.entra.control(down=0, lifetime=3600)
        await house.ask("farid", "lead list")
        await house.told("farid", a_lead_list)

        # Another proof is asked for: the link carries the demand to the provider, and so does the next one.
        house.emulator.faults.add(Fault(match="incidents", status=401, claims=_STEP))
        demand = {"error": "interaction_required", "code": "AADSTS50076", "claims": _STEP}
        await house.entra.control(refuse={"refresh_token": demand})
        await house.ask("farid", "case list")
        link = await house.link("farid", after=1)
        await house.ask("farid", "connect")
        assert await house.link("farid", after=2) != link
        await house.entra.control(refuse={}, lifetime=0)
        _, page = await farid.open(link)
        _, provider = await farid.press(page)
        assert "acrs" in provider
        assert "prompt=select_account" in provider
        status, page = await farid.open(await house.entra.press(provider, STAFF["farid"].aad))
        assert status == 200, page
        await house.told(
            "farid", lambda text: "cases" in text.lower() and "onnect" not in text and "reached" not in text
        )

        # Revoked: one card, whatever is asked, and all of it runs afterwards.
        await house.entra.control(revoke=True)
        for number in range(3):
            await house.ask("farid", f"case create 'Waits {number}' account=Contoso")
        await house.told("farid", "This waits until you have connected")
        assert len(house.links("farid")) == 4
        await farid.connect(house.links("farid")[-1], "farid")
        for number in range(3):
            wanted = f"Waits {number}"
            await house.told("farid", lambda text, wanted=wanted: wanted in text and "onnect" not in text)


async def test_a_change_that_waited_long_is_offered_and_done_by_its_button(house: TwoFaces) -> None:
    mark, slack, user = uuid.uuid4().hex[:6], house.slack, STAFF["elena"].slack
    await house.ask("elena", f"case create 'Old {mark}' account=Contoso")
    link = await house.link("elena")
    said = await slack.say(f"The mill is stuck {mark}", user=user, channel="C1")
    await slack.react(said, "ticket", user=user)
    await slack.until(lambda: waiting(house) >= 2)
    age(house, "waiting_commands", "at", 1 / 24)
    async with Http(house) as elena:
        await elena.connect(link, "elena")

    def offers(says: str = "was not done") -> list[Message]:
        there = [m for m in slack.world.messages["C1"] if m.bot_id and m.to == user]  # in threads, too
        return [m for m in there if says in slack.text(m)]

    await slack.until(lambda: len(offers()) == 2)
    assert not [e for e in house.emulator.requests.entries if e.method == "POST" and "incidents" in e.path]
    for offer in offers():
        await slack.click(offer, "Do it now", user=user)
    await house.told("elena", lambda text: f"Old {mark}" in text and "onnect" not in text)
    # The message says nothing of a customer: asked for, as on the day itself.
    await slack.until(lambda: offers("Whose case is this?"))
    assert house.callers() == {STAFF["elena"].aad}


async def test_a_kill_between_giving_out_and_journalling_what_waited_loses_nothing(house: TwoFaces) -> None:
    mark, before = uuid.uuid4().hex[:6], len(house.links("farid"))
    await house.ask("farid", "disconnect")
    others = waiting(house)
    await house.ask("farid", f"case create 'Killed {mark}' account=Contoso")
    link = await house.link("farid", after=before)
    await house.stop()  # the link survives a restart between the card and the sign-in
    # Before it is journalled, its form is looked at, and the tables that this takes cannot be read.
    house.emulator.faults.add(Fault(count=1000, match="EntityDefinitions", delay=60))
    await house.start()
    async with Http(house) as farid:
        await farid.connect(link, "farid")
        async with asyncio.timeout(60):
            while not waiting(house, "claimed > datetime('now', '-5 seconds')"):  # noqa: ASYNC110  a file is asked
                await asyncio.sleep(0.01)
    assert house.process
    house.process.kill()
    await house.process.wait()
    house.emulator.faults.clear()
    assert waiting(house) == others + 1, "the kill came too late to prove anything"
    age(house, "waiting_commands", "claimed", 1)  # nobody need wait until the dead process's claim has run out
    await house.start()
    await house.slack.until(lambda: waiting(house) == others)
    await house.told("farid", lambda text: f"Killed {mark}" in text and "onnect" not in text)
    rows = f"{house.emulator.url}/api/data/v9.2/incidents?$filter=title eq 'Killed {mark}'"
    async with aiohttp.ClientSession() as http, http.get(rows) as answer:
        assert len((await answer.json())["value"]) == 1


def waiting(house: TwoFaces, which: str = "1") -> int:
    with sqlite3.connect(house.folder / "data" / "state.db", timeout=10) as db:
        (count,) = db.execute(f"SELECT count(*) FROM waiting_commands WHERE {which}").fetchone()
    db.close()
    return int(count)


@pytest.mark.parametrize("face", ["slack", "teams"])
async def test_connect_whoami_disconnect(house: TwoFaces, face: str) -> None:
    """As a conversation, on both faces."""
    email, since = STAFF["elena"].email, datetime.now(UTC)
    person = OnSlack(house.slack, email, "dm") if face == "slack" else OnTeams(house.teams, email)
    await person.type("disconnect")
    await person.sees("onnected")  # whatever a test before left
    await person.type("connect")
    await person.sees("Connect to Dynamics 365", "pass it to nobody")
    shown = json.dumps(house.teams.last("personal", "elena").card()) if face == "teams" else str(person._last)  # type: ignore[union-attr]
    (link,) = house.links_in(shown)
    person.watch()
    async with Http(house) as browser:
        if face == "teams":  # there it must be the very account that Teams knows
            _, page = await browser.open(await browser.through(link, "anna"))
            assert "is not the account that you use in Teams" in page
        await browser.connect(link, "elena")
    await person.sees("Connected to Dynamics 365 as Elena Petrova", email, "If this was not you")
    await person.type("connect")
    await person.sees("To use another account, disconnect first.")
    await person.type("whoami")
    await person.sees("Elena Petrova", "by sign-in as")
    await person.type("disconnect")
    await person.sees("Disconnected", "Nothing else was lost")
    await person.type("disconnect")
    await person.sees("You had not connected an account")
    async with database(Settings(), house.folder / "data") as engine:
        audit = Audit(State(engine, FernetCipher(KEY.encode())))
        mine = [e async for e in audit.entries(since=since) if e.person.startswith(f"{face}:")]
    assert [(e.verb, e.words.get("account"), e.outcome) for e in mine] == [
        ("disconnect", None, "done"), ("connect", email, "done"),
        ("disconnect", None, "done"), ("disconnect", None, "done"),
    ]  # fmt: skip


async def test_an_outsider_who_proves_an_account_is_served_as_that_user(house: TwoFaces) -> None:
    """Maria is of another organisation, and has got an account of ours: Elena's, to the provider."""
    await house.stop()
    await house.start(CRMCHAT_IDENTITY="impersonation")
    await house.ask("maria", "lead list")
    await house.told("maria", "people of other organisations can use Dynamics 365 here once they have signed in")
    assert house.callers() == set()
    async with Http(house) as maria:
        page = await maria.connect(await house.link("maria"), "elena")
    assert f"{PEOPLE['maria'].slack}) in Slack, workspace T1, somebody from outside" in page
    await house.told("maria", "as Elena Petrova")
    await house.told("maria", a_lead_list)
    assert house.callers() == {STAFF["elena"].aad}
    with sqlite3.connect(house.folder / "data" / "state.db", timeout=10) as db:
        kept = [t for (t,) in db.execute("SELECT tokens FROM connections WHERE person LIKE '%:U7'")]
    db.close()
    assert kept == [None]  # a link proves who somebody is, and nothing more is kept
    await house.ask("maria", "disconnect")
    await house.told("maria", "Disconnected")
    await house.ask("maria", "lead list")
    await house.link("maria", after=1)
    # In Teams, where her own account is another tenant's.
    house.teams.world.roster["maria"] = {"userRole": "user", "tenantId": str(uuid.uuid4())}
    person = OnTeams(house.teams, PEOPLE["maria"].email)
    await person.type("lead list")
    await person.sees("once they have signed in")
    (link,) = house.links_in(json.dumps(house.teams.last("personal", "maria").card()))
    house.emulator.requests.clear()
    async with Http(house) as browser:
        await browser.connect(link, "elena")
    await person.sees("Connected to Dynamics 365 as Elena Petrova")
    await person.type("case list")
    await person.sees("cases")
    assert house.callers() == {STAFF["elena"].aad}
