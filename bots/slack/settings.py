"""What the Slack face is told by the composition root."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

API_URL = "https://slack.com/api/"
MESSAGE_SHORTCUT = "create_case_from_message"
GLOBAL_SHORTCUT = "crm_new"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_RESPONSE_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_FILE_HOSTS = frozenset({"files.slack.com", "files.slack-gov.com"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings:
    """Secrets are never in `repr`."""

    signing_secret: str = field(default="", repr=False)
    bot_token: str = field(default="", repr=False)
    """One workspace; empty where workspaces install by OAuth."""
    app_token: str = field(default="", repr=False)
    """`xapp-…`: Socket Mode; Slack then needs no public address of ours."""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    api_url: str = API_URL
    authorize_url: str = "https://slack.com/oauth/v2/authorize"
    public_url: str = ""
    """`https://crm.example.com`: where browsers reach us; the OAuth redirect address is derived from it."""
    ack_window: float = 1.5
    """Seconds an acknowledgement waits for its answer (Slack's own limit is 3)."""
    loopback: bool = False
    """Honour addresses on loopback in payloads (demo, emulator, tests); never in production."""
    allowed_workspaces: frozenset[str] = frozenset()
    """Workspaces and organisations (`T…`, `E…`) that are served; empty: all in which the app is installed."""
    any_team: bool = False
    """With a bot token: take requests of any workspace id, not only of the token's own (demo)."""
    command: str = "/crm"
    shortcuts: dict[str, str] = field(default_factory=dict)
    """Further slash commands and the words they stand for: `{"/lead": "lead"}`."""
    case_reactions: frozenset[str] = frozenset()
    """Emoji names that turn a message into a case: `{"ticket"}`."""
    unfurl_domains: tuple[str, ...] = ()
    """Hosts of the organisation's record addresses; Slack allows five."""
    work_objects: bool = False
    """Preview records as Slack's Work Objects; to be turned on in the app's own settings first."""

    def serves(self, team: str | None, enterprise: str | None) -> bool:
        """Whether people of this workspace or its organisation are believed to be who their workspace says."""
        return not self.allowed_workspaces or not self.allowed_workspaces.isdisjoint({team, enterprise})

    def response_allowed(self, url: str) -> bool:
        """Whether a `response_url` leads to Slack; everything else is not posted to."""
        return self._allowed(url, _RESPONSE_HOSTS)

    def file_allowed(self, url: str) -> bool:
        """Whether a file's address may be sent the bot token."""
        return self._allowed(url, _FILE_HOSTS)

    def _allowed(self, url: str, hosts: frozenset[str]) -> bool:
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
        except ValueError:
            return False
        if parts.scheme == "https" and host in hosts and parts.port in (None, 443):
            return True
        return self.loopback and parts.scheme in ("http", "https") and host in _LOOPBACK
