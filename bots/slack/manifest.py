"""The app's manifest, made from what this face listens to: nothing is written twice, nothing is asked for too much.

Schema: slackapi/manifest-schema, version 2. `crmchat manifest slack --url https://…` writes `manifest/slack.json`.
"""

from collections.abc import Iterable
from typing import Any

from .settings import GLOBAL_SHORTCUT, MESSAGE_SHORTCUT, SlackSettings
from .text import clip

BOT_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:write",
    "links:read",
    "links:write",
    "mpim:history",
    "mpim:read",
    "reactions:read",
    "reactions:write",
    "users:read",
    "users:read.email",
)
"""`*:history`: threads of cases; `*:read`: whether outsiders read along; `im:write`: answers that find no other way."""

BOT_EVENTS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "entity_details_requested",
    "link_shared",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "tokens_revoked",
)
UNFURL_DOMAINS = 5
COMMAND_HINT = 1000


def manifest(settings: SlackSettings, nouns: Iterable[str]) -> dict[str, Any]:
    """The manifest for these settings. With an app token it is for Socket Mode, and no address of ours is in it.

    `nouns`: what the catalog's commands are about (`case`, `lead`), for the usage hint. Raises ValueError where HTTP is
    wanted and `public_url` is not an https address.
    """
    socket, base = bool(settings.app_token), settings.public_url.rstrip("/")
    if not socket and not base.startswith("https://"):
        raise ValueError("Slack reaches the app over https: give its address, like --url https://crm.example.com")
    url = f"{base}/slack/events"
    reached = {} if socket else {"url": url}
    hint = clip(f"[{' | '.join(dict.fromkeys(nouns))}] [create | list | show | update | …]  or: help", COMMAND_HINT)
    commands = [_command(settings.command, "Dynamics 365: look up, create and change records", hint, reached)]
    for name, words in settings.shortcuts.items():
        commands.append(_command(name, f"Short for {settings.command} {words}", "[create | list | show | …]", reached))
    features: dict[str, Any] = {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": settings.command.lstrip("/"), "always_online": True},
        "shortcuts": [
            {
                "name": "Create case",
                "type": "message",
                "callback_id": MESSAGE_SHORTCUT,
                "description": "Make a Dynamics 365 case of this message or its thread",
            },
            {
                "name": "Dynamics 365",
                "type": "global",
                "callback_id": GLOBAL_SHORTCUT,
                "description": "Create or find a record in Dynamics 365",
            },
        ],
        "slash_commands": commands,
    }
    if settings.unfurl_domains:
        features["unfurl_domains"] = sorted(d.lower() for d in settings.unfurl_domains)[:UNFURL_DOMAINS]
    events: dict[str, Any] = {"bot_events": list(BOT_EVENTS)}
    interactivity: dict[str, Any] = {"is_enabled": True}
    oauth: dict[str, Any] = {"scopes": {"bot": list(BOT_SCOPES)}}
    if not socket:
        events["request_url"] = url
        interactivity |= {"request_url": url, "message_menu_options_url": url}
        oauth["redirect_urls"] = [f"{base}/slack/oauth_redirect"]
    return {
        "_metadata": {"major_version": 2},
        "display_information": {
            "name": "crmchat",
            "description": "Dynamics 365 inside Slack: commands, cards, and cases out of messages",
            "background_color": "#1f3a5f",
        },
        "features": features,
        "oauth_config": oauth,
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": True,
            "socket_mode_enabled": socket,
            "token_rotation_enabled": bool(settings.client_id),
        },
    }


def _command(name: str, description: str, hint: str, reached: dict[str, str]) -> dict[str, Any]:
    return {"command": name, "description": description, "usage_hint": hint, "should_escape": True, **reached}
