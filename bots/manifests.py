"""`crmchat manifest slack|teams`: the platforms' manifests, from the catalog and the settings."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import commands.operations  # noqa: F401  fills the catalog
from commands.operation import CATALOG

from .environments import addresses, policy_file
from .settings import Settings, SettingsError
from .slack import manifest as slack
from .slack_settings import slack_settings
from .teams import manifest as teams

log = logging.getLogger(__name__)


def write(platform: str, settings: Settings, *, url: str, folder: Path, read_messages: bool = False) -> Path:
    """Write a platform's manifest for a server at `url`; returns what to upload. Raises SettingsError.

    `read_messages` (Teams): ask for the right to read all messages where the app is installed.
    """
    urls = addresses(settings, policy_file(settings)).values()
    hosts = tuple(dict.fromkeys(host for each in urls if (host := urlsplit(each).hostname)))
    try:
        if platform == "slack":
            return _slack(settings, url, hosts, folder)
        return _teams(settings, url, hosts, folder, read_messages=read_messages)
    except ValueError as e:
        raise SettingsError(str(e)) from e


def _slack(settings: Settings, url: str, hosts: tuple[str, ...], folder: Path) -> Path:
    given = slack_settings(settings, hosts)
    given = replace(given, public_url=url, app_token="" if url else given.app_token)
    made = slack.manifest(given, [noun for op in CATALOG.values() if (noun := op.noun())])
    path = folder / "slack.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def _teams(settings: Settings, url: str, hosts: tuple[str, ...], folder: Path, *, read_messages: bool) -> Path:
    made = teams.manifest(
        app_id=settings.microsoft_app_id,
        url=url,
        catalog=CATALOG,
        dataverse_hosts=hosts,
        read_messages=read_messages,
        sso_resource=settings.microsoft_sso_resource,
    )
    if not settings.microsoft_app_id:
        log.warning("MICROSOFT_APP_ID is not set, so Teams will not take this package: it stands for no bot")
    if not hosts:
        log.warning("DATAVERSE_URL is not set, so the addresses of its records will not become cards")
    return teams.write(folder / "teams", teams.successor(folder / "teams", made))
