"""Several workspaces: OAuth, tokens at rest, uninstalls."""

import asyncio
import html
import time
from dataclasses import replace

import sqlalchemy as sa
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from bots.playground.slack_server import FakeSlack
from bots.slack import SlackFace
from bots.slack.api import Workspace
from bots.slack.installations import Installations
from bots.slack.tables import INSTALLATIONS, STATES
from commands.request import Standing

from .conftest import CIPHER, Script, serving, settings_for


async def _rows(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(INSTALLATIONS))).scalar() or 0)


async def test_installing_and_uninstalling(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    _, url = distributed
    answer = await slack.command("/crm", "my cases")
    assert "not installed" in answer.text
    page = await slack.install(f"{url}slack/install")
    assert "is installed in" in page
    async with engine.connect() as connection:
        stored = (await connection.execute(sa.select(INSTALLATIONS.c.data))).scalar_one()
    assert b"xoxb" not in stored
    answer = await slack.command("/crm", "my cases")
    assert "You said my cases" in answer.text
    await slack.say("my cases", user="U1", channel="dm")
    await slack.until(lambda: slack.last("dm", "U1"))
    await slack.uninstall("T1")
    assert "not installed" in (await slack.command("/crm", "my cases")).text
    assert await _rows(engine) == 0


async def test_an_organisation_installs_once_for_all_its_workspaces(
    distributed: tuple[SlackFace, str], slack: FakeSlack, script: Script, engine: AsyncEngine
) -> None:
    """By Slack's payloads of an organisation-wide installation: no `team` in the grant, none in `authorizations`."""
    _, url = distributed
    slack.world.teams["T1"].enterprise = "E1"
    slack.oauth.org_wide = slack.oauth.rotation = True
    assert "is installed in Grid" in await slack.install(f"{url}slack/install")
    answer = await slack.command("/crm", "my cases")
    assert "You said my cases" in answer.text
    await slack.say("my leads", user="U2", channel="dm")
    shown = await slack.until(lambda: slack.last("dm", "U2"))
    assert "my leads" in slack.text(shown)
    await slack.shortcut("crm_new", user="U2")
    await slack.until(lambda: slack.view("U2"))
    assert {(r.principal.tenant, r.principal.standing) for r in script.asked} == {("E1", Standing.MEMBER)}
    assert {r.place.address["team"] for r in script.asked} == {"T1"}
    assert all(c.answer["ok"] for c in slack.calls), [c for c in slack.calls if not c.answer["ok"]]
    await slack.uninstall("T1")
    assert "not installed" in (await slack.command("/crm", "my cases")).text
    assert await _rows(engine) == 0


async def test_an_organisations_uninstallation_may_name_a_workspace(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    _, url = distributed
    slack.world.teams["T1"].enterprise = "E1"
    slack.oauth.org_wide = True
    await slack.install(f"{url}slack/install")
    await slack.event({"type": "app_uninstalled"})
    assert await _rows(engine) == 0


async def test_an_organisations_guests_from_elsewhere_are_strangers(
    distributed: tuple[SlackFace, str], slack: FakeSlack, script: Script
) -> None:
    """By Slack Connect: the event is the other workspace's, and `authorizations` names our organisation alone."""
    face, url = distributed
    slack.world.teams["T1"].enterprise = "E1"
    slack.oauth.org_wide = True
    await slack.install(f"{url}slack/install")
    slack.add_team("T666", "Elsewhere")
    slack.world.users["U7"] = replace(slack.world.users["U7"], team="T666", email="anna.weber@contoso.example")
    slack.world.users["U7"].external = False  # no stranger to Slack: we share a channel
    said = {"type": "app_mention", "user": "U7", "text": "<@UBOT> my cases", "channel": "C4", "ts": "1700000000.000100"}
    authorization = {"enterprise_id": "E1", "team_id": None, "user_id": "UBOT", "is_enterprise_install": True}
    envelope = {"type": "event_callback", "team_id": "T666", "context_team_id": "T666", "is_ext_shared_channel": True}
    envelope |= {"authorizations": [authorization], "event": {**said, "team": "T666", "user_team": "T666"}}
    assert (await slack.post_event({**envelope, "event_id": "Ev1"}, "from elsewhere")).status == 200
    del envelope["event"]["user_team"]
    envelope["event"]["ts"] = "1700000000.000200"
    assert (await slack.post_event({**envelope, "event_id": "Ev2"}, "from elsewhere")).status == 200
    assert len(script.asked) == 2
    for request in script.asked:
        vouched = await face.profile(request.principal)
        assert (vouched.standing, vouched.email) == (Standing.STRANGER, "")


async def test_a_workspace_that_joins_an_organisation_is_still_served(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    _, url = distributed
    await slack.install(f"{url}slack/install")
    slack.world.teams["T1"].enterprise = "E1"
    assert "You said my cases" in (await slack.command("/crm", "my cases")).text
    await slack.install(f"{url}slack/install")
    assert await _rows(engine) == 1
    assert "You said my cases" in (await slack.command("/crm", "my cases")).text
    await slack.uninstall("T1")
    assert await _rows(engine) == 0


async def test_an_uninstallation_that_comes_late_leaves_the_new_installation(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    _, url = distributed
    await slack.install(f"{url}slack/install")
    late = {"type": "event_callback", "team_id": "T1", "event_time": int(time.time()) - 290, "event_id": "Ev1"}
    for number, event in enumerate(({"type": "app_uninstalled"}, {"type": "tokens_revoked", "tokens": {"bot": ["U"]}})):
        assert (await slack.post_event({**late, "event": event, "event_id": f"Ev{number}"}, "late")).status == 200
    assert await _rows(engine) == 1
    assert "You said my cases" in (await slack.command("/crm", "my cases")).text


async def test_two_install_one_workspace_at_once(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    _, url = distributed
    slack.oauth.rotation = True
    pages = await asyncio.gather(*(slack.install(f"{url}slack/install") for _ in range(2)))
    assert all("is installed in" in page for page in pages)
    assert await _rows(engine) == 1
    await slack.say("my cases", user="U1", channel="dm")
    await slack.until(lambda: slack.last("dm", "U1"))


class Browser:
    """One browser on its way through an installation, which may stop, go back, or hand its address to another."""

    def __init__(self, slack: FakeSlack, url: str) -> None:
        self._slack, self._url, self.cookie = slack, url, ""

    async def begin(self) -> str:
        """Press *Add to Slack*, allow; the address that Slack then sends this browser to."""
        session = self._slack.session
        async with session.get(f"{self._url}slack/install", allow_redirects=False) as answer:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
            consent = URL(answer.headers["Location"])
        form = {**consent.query, "team": "T1", "allow": "1"}
        async with session.post(consent.with_query(None), data=form, allow_redirects=False) as answer:
            return answer.headers["Location"]

    async def open(self, address: str) -> str:
        """What the page there says."""
        async with self._slack.session.get(URL(address, encoded=True), headers={"Cookie": self.cookie}) as page:
            return html.unescape(await page.text())


async def test_an_installation_is_of_one_browser_one_use_and_ten_minutes(
    distributed: tuple[SlackFace, str], slack: FakeSlack, engine: AsyncEngine
) -> None:
    _, url = distributed
    assert "another browser" in await slack.install(f"{url}slack/install", keep_cookies=False)
    assert "cancelled" in await slack.install(f"{url}slack/install", allow=False)
    one, other = Browser(slack, url), Browser(slack, url)
    address = await one.begin()
    await other.begin()
    assert "another browser" in await other.open(address)
    async with engine.begin() as connection:
        await connection.execute(sa.update(STATES).values(until=time.time() - 1))
    assert "older than ten minutes" in await one.open(address)
    assert await _rows(engine) == 0
    address = await one.begin()
    pages = await asyncio.gather(one.open(address), one.open(address))
    assert sorted("is installed in" in page for page in pages) == [False, True]
    assert any("was used before" in page for page in pages)
    assert "was used before" in await one.open(address)


async def test_workspaces_that_are_not_ours_are_not_served(
    slack: FakeSlack, script: Script, engine: AsyncEngine
) -> None:
    for allowed, served in ((frozenset({"T2", "E9"}), False), (frozenset({"T2", "T1"}), True)):
        settings = settings_for(
            slack, bot_token="", client_id="1.1", client_secret="playground-client-secret", allowed_workspaces=allowed
        )
        async with serving(settings, script, engine) as (_, url):
            slack.bot_url = f"{url}slack/events"
            await slack.install(f"{url}slack/install")
            assert ("You said my cases" in (await slack.command("/crm", "my cases")).text) is served


async def test_one_workspace_has_no_install_page(slack: FakeSlack, script: Script, engine: AsyncEngine) -> None:
    async with (
        serving(settings_for(slack), script, engine) as (_, url),
        slack.session.get(f"{url}slack/install") as page,
    ):
        assert page.status == 404
        assert "SLACK_CLIENT_ID" in await page.text()


async def test_an_organisation_wide_installation_serves_its_workspaces(engine: AsyncEngine) -> None:
    store = Installations(engine, CIPHER, cache_seconds=0)
    wide = Installation(enterprise_id="E1", team_id=None, user_id="U1", bot_token="xoxb-1", is_enterprise_install=True)
    await store.async_save(wide)
    for where in (Workspace("T1", "E1"), Workspace("", "E1")):
        found = await store.find(where)
        assert found
        assert found.bot_token == "xoxb-1"
    assert await store.find(Workspace("T1", "E2")) is None
    await store.async_save(
        Installation(enterprise_id="E1", team_id="T1", user_id="U1", bot_token="xoxb-2", is_enterprise_install=False)
    )
    own = await store.find(Workspace("T1", "E1"))
    assert own
    assert own.bot_token == "xoxb-2"


async def test_installing_again_keeps_one_row(engine: AsyncEngine) -> None:
    store = Installations(engine, CIPHER, cache_seconds=60)
    for token in ("xoxb-1", "xoxb-2"):
        await store.async_save(Installation(team_id="T1", user_id="U1", bot_token=token))
        found = await store.find(Workspace("T1"))
        assert found
        assert found.bot_token == token
    assert await _rows(engine) == 1
