"""`crmchat demo`: emulator, both bots and the playground, without any setting."""

from contextlib import AsyncExitStack

from crm.emulator import Emulator
from crm.emulator import Webhook as EmulatorWebhook

from . import settings as settings_module
from .app import build
from .log_filter import redact
from .playground.page import Playground
from .settings import Settings, SettingsError, private_folder
from .slack_settings import slack_settings
from .web import busy, serve


async def run_demo(*, dataverse: str = "") -> int:
    """`dataverse`: a real organisation's address, in the emulator's place. Raises SettingsError."""
    first = settings_module.demo(dataverse=dataverse)
    redact(first)
    folder = private_folder(first.data_dir / "demo")
    async with AsyncExitStack() as stack:
        if not dataverse:
            emulator = Emulator(db=str(folder / "dataverse.db"), port=first.emulator_port, seed="contoso")
            try:
                await stack.enter_async_context(emulator)
            except OSError as e:
                raise SettingsError(busy("127.0.0.1", first.emulator_port, "EMULATOR_PORT")) from e
            first = settings_module.demo(emulator.url)
            await emulator.webhooks.clear()
            await emulator.webhooks.register(
                EmulatorWebhook(
                    url=f"http://127.0.0.1:{first.port}/dataverse/webhook",
                    key=first.dataverse_webhook_secret.get_secret_value(),
                    tables=("incident", "annotation"),
                )
            )
        playground = Playground(
            port=first.port,
            signing_secret=first.slack_signing_secret.get_secret_value(),
            bot_token=first.slack_bot_token.get_secret_value(),
            commands=("/crm", *slack_settings(first, ()).shortcuts),
        )
        settings = settings_module.demo(
            first.dataverse_url, dataverse=dataverse, slack_api_url=playground.slack_api_url
        )
        app = await stack.enter_async_context(build(settings, demo=True))
        await playground.mount(app.site)
        stack.push_async_callback(playground.stop)
        await serve(
            app.site,
            settings.host,
            settings.port,
            announce=lambda port: _welcome(settings, port),
            stopping=app.drain,
            loading=app.loading,
        )
    return 0


def _welcome(settings: Settings, port: int) -> None:
    print(  # noqa: T201  what the person at the terminal is told
        f"""
crmchat is running.

  Playground   http://127.0.0.1:{port}/playground
  Dataverse    {settings.dataverse_url}/api/data/v9.2/   (inspector: {settings.dataverse_url}/_emulator/)

Try in the playground:
  /crm lead create Jane Smith company="Acme Corp" topic="Enterprise plan"
  /crm lead list
  /crm case create "Printer on fire" account=Contoso priority=high
  and "Create case" in the menu of any message.

Ctrl-C stops it.
""",
        flush=True,
    )
