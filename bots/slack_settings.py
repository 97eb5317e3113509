"""The Slack face's part of the settings; the bot and its manifest are made of the same."""

from collections.abc import Sequence

from .settings import Settings, SettingsError
from .slack.settings import SlackSettings


def slack_settings(settings: Settings, hosts: Sequence[str], *, demo: bool = False) -> SlackSettings:
    """`hosts`: of the organisations whose record addresses are unfurled. Raises SettingsError."""
    return SlackSettings(
        signing_secret=settings.slack_signing_secret.get_secret_value(),
        bot_token=settings.slack_bot_token.get_secret_value(),
        app_token=settings.slack_app_token.get_secret_value(),
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret.get_secret_value(),
        api_url=settings.slack_api_url,
        allowed_workspaces=frozenset(_words(settings.slack_allowed_workspaces)),
        public_url=settings.public_url,
        ack_window=settings.ack_window,
        loopback=demo or settings.only_loopback,
        any_team=demo,
        case_reactions=frozenset(_words(settings.case_reactions)),
        shortcuts=dict(_pair(w) for w in _words(settings.slash_commands)),
        work_objects=settings.work_objects,
        unfurl_domains=tuple(dict.fromkeys(hosts)),
    )


def _words(text: str) -> list[str]:
    return [word.strip().strip(":") for word in text.split(",") if word.strip()]


def _pair(word: str) -> tuple[str, str]:
    command, _, words = word.partition("=")
    if not command.startswith("/") or not words.strip():
        raise SettingsError(f"CRMCHAT_SLASH_COMMANDS: write {word!r} like /lead=lead")
    return command.strip(), words.strip()
