"""`crmchat mcp`: the catalog for one agent, on standard input and output."""

import asyncio
import gc
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from commands.people import NOBODY, Identity
from commands.request import Principal
from crm.address import is_loopback

from .app import build
from .log_filter import redact
from .mcp.server import PLATFORM, make_server, serve_stdio
from .settings import SettingsError, load

_FOR_TABLES = 10.0
"""Seconds that an agent's server waits for custom tables before it offers its tools."""


async def run_mcp(env_file: Path, *, allow_writes: bool) -> int:
    """Beside `serve` on the same data folder, or alone."""
    settings = load(env_file)
    redact(settings)
    if not settings.dataverse_url:
        raise SettingsError("DATAVERSE_URL is not set; an emulator will do: crmchat emulator")
    alone = is_loopback(urlsplit(settings.dataverse_url).hostname or "")
    if settings.identity is Identity.DELEGATED:
        raise SettingsError("CRMCHAT_IDENTITY=delegated is for people in a chat; agents need impersonation.")
    who = settings.mcp_user
    if not who and not alone:
        raise SettingsError("CRMCHAT_MCP_USER is not set: the Entra object id or e-mail address to act for.")
    principal = Principal(
        platform=PLATFORM, tenant=settings.azure_tenant_id or "-", user=who or NOBODY,
        entra_id="" if "@" in who else who, email=who if "@" in who else "",
    )  # fmt: skip
    async with build(settings, agent=True) as app:
        gc.freeze()
        gc.enable()
        with suppress(TimeoutError):  # an agent lists the tools once, at the beginning
            await asyncio.wait_for(app.tables_tried.wait(), _FOR_TABLES)
        await serve_stdio(make_server(app.dispatcher, principal, allow_writes=allow_writes))
    return 0
