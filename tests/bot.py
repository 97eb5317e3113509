"""The whole bot, as it runs: emulator, both faces, command layer, journal; a fake Slack and a fake Teams around it.

One per test session (the durable engine allows one per process, and starting costs a second): tests use their own
records and gestures, and never count on an empty organisation.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bots.app import App, build
from bots.playground.slack_server import FakeSlack
from bots.playground.teams_server import FakeTeams
from bots.settings import Settings
from crm.emulator import Emulator


@dataclass
class Bot:
    """What a test drives and looks at."""

    app: App
    emulator: Emulator
    slack: FakeSlack
    teams: FakeTeams
    url: str
    folder: Path


APP = "00000000-0000-0000-0000-00000000b0b0"
APP_PASSWORD = "a password for tests"


def settings_for(
    folder: Path, emulator_url: str, slack: FakeSlack, teams: FakeTeams | None = None, **changes: object
) -> Settings:
    """Settings of a bot on loopback, independent of the environment. Without `teams` nobody there has to sign."""
    given: dict[str, object] = {
        "dataverse_url": emulator_url,
        "data_dir": folder,
        "secret_key": SecretStr("a secret for tests"),
        "slack_signing_secret": SecretStr(slack.signing_secret),
        "slack_bot_token": SecretStr(slack.bot_token),
        "slack_api_url": slack.api_url,
    }
    if teams:
        given |= {
            "microsoft_app_id": teams.issuer.app_id,
            "microsoft_app_password": SecretStr(teams.issuer.app_password),
            "microsoft_app_tenant_id": teams.world.tenant,
            "microsoft_openid_url": teams.openid_url,
            "microsoft_login_url": teams.service_url,
            "microsoft_graph_url": f"{teams.service_url}graph",
        }
    return Settings.model_construct(**{**Settings.model_construct().model_dump(), **given, **changes})


@asynccontextmanager
async def running(folder: Path, **changes: object) -> AsyncIterator[Bot]:
    """A bot on free ports; stops everything at the end."""
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(seed="contoso"))
        slack = await stack.enter_async_context(FakeSlack())
        teams = await stack.enter_async_context(FakeTeams(app_id=APP, app_password=APP_PASSWORD))
        settings = settings_for(folder, emulator.url, slack, teams, **changes)
        app = await stack.enter_async_context(build(settings, demo=True))
        server = TestServer(app.site)
        await server.start_server()
        stack.push_async_callback(server.close)
        url = str(server.make_url("")).rstrip("/")
        slack.bot_url, teams.bot_url = f"{url}/slack/events", f"{url}/api/messages"
        yield Bot(app, emulator, slack, teams, url, folder)
