"""`crmchat doctor`: looks at everything the bot needs, and says for each what is wrong and how to mend it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

import commands
import crm
from commands.people import Identity
from crm.errors import ConfigurationError

from .database import database_url
from .doctor_address import public_address
from .doctor_dataverse import clock, dataverse
from .doctor_sign_in import sign_in as as_person
from .doctor_sign_in import sign_in_page
from .environments import policy_file
from .finding import Finding
from .settings import Settings, SettingsError, load, private_folder
from .slack.manifest import BOT_SCOPES
from .teams.credentials import AppTokens, NoToken
from .teams.settings import TeamsSettings
from .teams_settings import teams_settings

_TIMEOUT = aiohttp.ClientTimeout(total=15)


async def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which a person would mend them. Raises nothing."""
    found = [_installed(), *_settings(settings), await _database(settings)]
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session:
        parts = await asyncio.gather(
            _slack(settings, session),
            _teams(teams_settings(settings), session),
            clock(settings, session),
            sign_in_page(settings),
            dataverse(settings),
        )
        found.append(await public_address(settings, session))
    return [*found, *(finding for part in parts for finding in part)]


async def run_doctor(env_file: Path, tell: Callable[[str], None], *, sign_in: bool = False) -> int:
    """Examine what the environment and `env_file` say, tell every finding; 1 when something is wrong.

    `sign_in`: let a person sign in on another device, too, and look at Dataverse as that person.
    """
    try:
        settings = load(env_file)
    except SettingsError as e:
        tell(str(Finding("settings", str(e), f"Mend it in the environment or in {env_file}.")))
        return 1
    findings = await examine(settings)
    for finding in findings:
        tell(str(finding))
    if sign_in:
        more = await as_person(settings, tell)
        for finding in more:
            tell(str(finding))
        findings = [*findings, *more]
    wrong = sum(1 for f in findings if f.problem)
    tell(f"\n{wrong} of {len(findings)} checks found something wrong." if wrong else "\nAll is well.")
    return 1 if wrong else 0


# -- this machine -----------------------------------------------------------------------------------------------


def _installed() -> Finding:
    here = Path(__file__).parent.parent
    strangers = [m.__name__ for m in (commands, crm) if Path(str(m.__file__)).parent.parent != here]
    if strangers:
        return Finding(
            "installation",
            f"{' and '.join(strangers)} do not come from {here}, where bots is.",
            "Another distribution shadows them: install crmchat into an environment of its own.",
        )
    return Finding("installation", note=str(here))


def _settings(settings: Settings) -> list[Finding]:
    try:
        settings.require_for_serving()
    except SettingsError as e:
        return [Finding("settings", str(e), "See docs/configuration.md.")]
    weak = [k for k in settings.secret_keys if len(k) < 16]
    if weak and not settings.only_loopback:
        return [Finding("settings", "CRMCHAT_SECRET_KEY is short.", "Make one with: openssl rand -hex 32")]
    if settings.azure_client_id and not settings.azure_tenant_id:
        return [
            Finding(
                "settings",
                "AZURE_CLIENT_ID is set, but AZURE_TENANT_ID is not.",
                "Put the directory (tenant) id of the app registration there.",
            )
        ]
    if settings.policy:
        try:
            policy_file(settings)
        except (SettingsError, ConfigurationError) as e:
            return [Finding("policy", str(e), "Mend the file; docs/policy.md says what it may hold.")]
    certificate = settings.azure_client_certificate_path
    if certificate and not os.access(certificate, os.R_OK):
        return [
            Finding(
                "settings",
                f"AZURE_CLIENT_CERTIFICATE_PATH names {certificate}, which cannot be read.",
                "Put the certificate and its key there, readable by this user.",
            )
        ]
    return [Finding("settings")]


async def _database(settings: Settings) -> Finding:
    try:
        folder = private_folder(settings.data_dir)
        engine = create_async_engine(database_url(settings, folder))
    except (OSError, SQLAlchemyError, ImportError) as e:
        return Finding(
            "database",
            f"{settings.database_url.partition('://')[0] or settings.data_dir} cannot be used ({type(e).__name__}).",
            "CRMCHAT_DATA_DIR must be a folder that this user may write to; DATABASE_URL like postgresql://host/name.",
        )
    try:
        async with asyncio.timeout(15), engine.connect() as db:
            # IF NOT EXISTS: SQLite's driver commits it at once, and a doctor before us may have been interrupted.
            await db.execute(sa.text("CREATE TABLE IF NOT EXISTS crmchat_doctor (id INTEGER)"))
            await db.execute(sa.text("DROP TABLE crmchat_doctor"))
            await db.commit()
    except (SQLAlchemyError, OSError, TimeoutError) as e:
        return Finding(
            "database",
            f"The database cannot be written to ({type(e).__name__}).",
            "Check DATABASE_URL, that it may create tables, or that the files in CRMCHAT_DATA_DIR belong to this user.",
        )
    finally:
        await engine.dispose()
    return Finding("database", note="can be written to")


# -- the platforms ----------------------------------------------------------------------------------------------


async def _slack(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    token = settings.slack_bot_token.get_secret_value()
    secret = settings.slack_signing_secret.get_secret_value() or settings.slack_app_token.get_secret_value()
    if not token and not secret and not settings.slack_client_id:
        return [Finding("Slack", note="not set up")]
    found = []
    if not secret:
        found.append(
            Finding(
                "Slack signing secret",
                "Neither SLACK_SIGNING_SECRET nor SLACK_APP_TOKEN is set, so Slack is not served.",
                "Copy one from your app's page: Basic Information, App Credentials (Socket Mode: App-Level Tokens).",
            )
        )
    if not token:
        if not (settings.slack_client_id and settings.slack_client_secret.get_secret_value()):
            found.append(
                Finding(
                    "Slack token",
                    "There is neither SLACK_BOT_TOKEN nor SLACK_CLIENT_ID with SLACK_CLIENT_SECRET.",
                    "Install the app and copy the Bot User OAuth Token, or set both to let workspaces install it.",
                )
            )
        if not settings.slack_allowed_workspaces and settings.identity is not Identity.DELEGATED:
            found.append(
                Finding(
                    "Slack workspaces",
                    "Any workspace may install the app, and whoever runs one says which address its members have.",
                    "Put the ids of your own workspaces (T…) or organisation (E…) into SLACK_ALLOWED_WORKSPACES.",
                )
            )
        return found or [Finding("Slack", note="workspaces install it at /slack/install")]
    found.append(await _slack_token(settings, token, session))
    return found


async def _slack_token(settings: Settings, token: str, session: aiohttp.ClientSession) -> Finding:
    url = settings.slack_api_url.rstrip("/") + "/auth.test"
    try:
        async with session.post(url, headers={"Authorization": f"Bearer {token}"}) as answer:
            body = await answer.json(content_type=None)
            # Slack names the token's scopes in this header (docs.slack.dev, "Scopes").
            granted = {s.strip() for s in answer.headers.get("X-OAuth-Scopes", "").split(",") if s.strip()}
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as e:
        return Finding(
            "Slack token",
            f"{urlsplit(url).hostname} cannot be reached ({type(e).__name__}).",
            "Check SLACK_API_URL, the network and the firewall.",
        )
    if not body.get("ok"):
        return Finding(
            "Slack token",
            f"Slack refuses SLACK_BOT_TOKEN: {body.get('error', 'no reason given')}.",
            "Install the app to the workspace again and copy the Bot User OAuth Token (xoxb-…).",
        )
    if missing := sorted(set(BOT_SCOPES) - granted):
        return Finding(
            "Slack scopes",
            f"The token lacks {', '.join(missing)}.",
            "Put the manifest of `crmchat manifest slack` into the app's settings and reinstall the app.",
        )
    return Finding("Slack token", note=f"{body.get('user', 'the bot')} in {body.get('team', 'the workspace')}")


async def _teams(teams: TeamsSettings, session: aiohttp.ClientSession) -> list[Finding]:
    if not teams.app_id and not teams.app_password:
        return [Finding("Teams", note="not set up")]
    if not teams.app_id:
        return [
            Finding(
                "Teams credentials",
                "MICROSOFT_APP_PASSWORD is set, but MICROSOFT_APP_ID is not.",
                "Put the Azure bot's app id there.",
            )
        ]
    if problems := teams.problems():
        return [Finding("Teams credentials", p, "See docs/teams.md.") for p in problems]
    tokens = AppTokens(
        session,
        app_id=teams.app_id,
        password=teams.app_password,
        login_url=teams.login_url or teams.addresses.login_url,
    )
    try:
        await tokens.get(teams.token_tenant, teams.addresses.scope)
    except NoToken as e:
        return [
            Finding(
                "Teams credentials",
                f"No token for the bot: {e}",
                "Check the network, the proxy and the firewall, and MICROSOFT_CLOUD."
                if e.unreachable
                else "Check MICROSOFT_APP_ID, MICROSOFT_APP_TENANT_ID and MICROSOFT_APP_TYPE, and make a new client "
                "secret for MICROSOFT_APP_PASSWORD if the old one has expired.",
            )
        ]
    return [Finding("Teams credentials", note="the bot gets its token")]
