"""`crmchat serve`: the whole bot, until it is told to stop."""

import logging
from pathlib import Path

from .app import build
from .log_filter import redact
from .settings import load
from .web import serve

log = logging.getLogger(__name__)


async def run_serve(env_file: Path) -> int:
    """Raises SettingsError."""
    settings = load(env_file)
    settings.require_for_serving()
    redact(settings)
    async with build(settings) as app:
        await serve(
            app.site,
            settings.host,
            settings.port,
            announce=lambda port: log.info("listening on %s", port),
            stopping=app.drain,
            loading=app.loading,
        )
    return 0
