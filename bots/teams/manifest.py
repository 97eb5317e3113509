"""The app package for Teams, made from the catalog: manifest.json, two icons, and the zip an administrator uploads.

Schema: developer.microsoft.com/json-schemas/teams/v1.5/MicrosoftTeams.schema.json, the lowest version that has
everything used here. `crmchat manifest teams --url https://…` writes the folder `manifest/teams/`.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from commands.operation import Operation

from .extension import KIND, QUERY
from .icons import color_icon, outline_icon
from .plain import clip

VERSION: Final = "1.5"
VERSION_WITH_RIGHTS: Final = "1.12"
"""The lowest that has resource-specific consent."""
NO_APP: Final = "00000000-0000-0000-0000-000000000000"
"""Stands where the app's id belongs until it is known."""
COMMANDS: Final = 10
"""Commands that a list of the manifest may hold."""
CHOICES: Final = 10
TITLE: Final = 32
DESCRIPTION: Final = 128
ACCENT: Final = "#0B6E6E"
CREATE_CASE: Final = "createCase"
SEARCH_RECORDS: Final = "searchRecords"
# (time of the zip's entries: fixed, so that the same manifest gives the same bytes)
_STAMP: Final = (2020, 1, 1, 0, 0, 0)


def manifest(
    *,
    app_id: str,
    url: str,
    catalog: Mapping[str, type[Operation]],
    dataverse_hosts: Iterable[str] = (),
    version: str = "1.0.0",
    read_messages: bool = False,
    sso_resource: str = "",
    privacy_url: str = "",
    terms_url: str = "",
) -> dict[str, Any]:
    """The manifest. `url`: where the server is reached; `dataverse_hosts`: whose record links are shown as cards.

    `read_messages` asks, by resource-specific consent, for the right to read all messages where the app is installed:
    then threads follow their case without mentioning the app, and cases take their thread along. `sso_resource`: the
    Application ID URI for which Teams hands over people's tokens (single sign-on). Raises ValueError.
    """
    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname:
        raise ValueError("Teams reaches the app over https: give its address, like --url https://crm.example.com")
    app_id = app_id or NO_APP
    schema = VERSION_WITH_RIGHTS if read_messages else VERSION
    made: dict[str, Any] = {
        "$schema": f"https://developer.microsoft.com/json-schemas/teams/v{schema}/MicrosoftTeams.schema.json",
        "manifestVersion": schema,
        "version": version,
        "id": app_id,
        "developer": {
            "name": "crmchat",
            "websiteUrl": f"https://{address.netloc}",
            "privacyUrl": privacy_url or f"https://{address.netloc}",
            "termsOfUseUrl": terms_url or f"https://{address.netloc}",
        },
        "name": {"short": "crmchat", "full": "crmchat: Dynamics 365 in Teams"},
        "description": {
            "short": "Dynamics 365 in your chats: look up, create, change, make cases of messages.",
            "full": (
                "Ask for leads, accounts, contacts, opportunities, orders, invoices and cases in words, change them "
                "with buttons, and turn any message into a case whose thread follows it. Everything runs as you, with "
                "your own rights in Dynamics 365."
            ),
        },
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": ACCENT,
        "bots": [
            {
                "botId": app_id,
                "scopes": ["personal", "team", "groupChat"],
                "supportsFiles": False,
                "isNotificationOnly": False,
                "commandLists": [{"scopes": ["personal", "team", "groupChat"], "commands": _commands(catalog)}],
            }
        ],
        "composeExtensions": [_extension(app_id, catalog, dataverse_hosts)],
        "validDomains": [address.netloc],
    }
    if sso_resource or read_messages:
        # A right for the installed app belongs to an Entra application, which this names, with or without sign-on.
        made["webApplicationInfo"] = {"id": app_id, "resource": sso_resource or f"https://{address.netloc}"}
    if sso_resource:
        made["validDomains"].append("token.botframework.com")
    if read_messages:
        rights = [
            {"name": name, "type": "Application"} for name in ("ChannelMessage.Read.Group", "ChatMessage.Read.Chat")
        ]
        made["authorization"] = {"permissions": {"resourceSpecific": rights}}
    return made


def _commands(catalog: Mapping[str, type[Operation]]) -> list[dict[str, str]]:
    """Help and home first, then what is created, then what is listed, as far as there is room."""
    ranked = sorted(
        (verb for verb in catalog if verb.endswith((" create", " list"))), key=lambda verb: verb.endswith(" list")
    )
    chosen = [("help", "What you can ask"), ("home", catalog["home"].summary())]
    chosen += [(verb, catalog[verb].summary()) for verb in ranked]
    return [
        {"title": clip(title, TITLE), "description": clip(description, DESCRIPTION)}
        for title, description in chosen[:COMMANDS]
    ]


def _extension(app_id: str, catalog: Mapping[str, type[Operation]], hosts: Iterable[str]) -> dict[str, Any]:
    nouns = list(dict.fromkeys(op.noun() for op in catalog.values() if op.noun() and op.table is not None))
    made: dict[str, Any] = {
        "botId": app_id,
        "commands": [
            {
                "id": CREATE_CASE,
                "type": "action",
                "title": "Create case",
                "description": "Make a Dynamics 365 case of this message",
                "context": ["message"],
                "fetchTask": True,
            },
            {
                "id": SEARCH_RECORDS,
                "type": "query",
                "title": "Dynamics 365",
                "description": "Find a record and put its card into the conversation",
                "context": ["compose", "commandBox"],
                "initialRun": True,
                "parameters": [
                    {
                        "name": QUERY,
                        "title": "Search",
                        "description": "A name, a number or a part of one",
                        "inputType": "text",
                    },
                    {
                        "name": KIND,
                        "title": "Kind",
                        "description": "Only records of this kind",
                        "inputType": "choiceset",
                        "choices": [{"title": noun.capitalize(), "value": noun} for noun in nouns[:CHOICES]],
                    },
                ],
            },
        ],
    }
    if domains := sorted({host.lower() for host in hosts}):
        made["messageHandlers"] = [{"type": "link", "value": {"domains": domains}}]
    return made


def files(made: Mapping[str, Any]) -> dict[str, bytes]:
    """The package's files by name."""
    return {
        "manifest.json": (json.dumps(made, indent=2, ensure_ascii=False) + "\n").encode(),
        "color.png": color_icon(),
        "outline.png": outline_icon(),
    }


def package(made: Mapping[str, Any]) -> bytes:
    """The zip that is uploaded; the same manifest always gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(made).items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def successor(folder: Path, made: dict[str, Any]) -> dict[str, Any]:
    """The manifest with a higher version than the one in `folder`, where that is of the same app and says other things.

    Teams takes an upload for news by its version alone.
    """
    try:
        former = json.loads((folder / "manifest.json").read_bytes())
        first, second, last = (int(number) for number in former["version"].split("."))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return made
    if former.get("id") != made["id"]:
        return made
    same = former == made | {"version": former["version"]}
    return made | {"version": f"{first}.{second}.{last if same else last + 1}"}


def write(folder: Path, made: Mapping[str, Any], *, zipped: bool = True) -> Path:
    """Writes the files, and (`zipped`) `crmchat.zip` beside them; returns the path to upload."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files(made).items():
        (folder / name).write_bytes(content)
    archive = folder / "crmchat.zip"
    if zipped:
        archive.write_bytes(package(made))
    return archive
