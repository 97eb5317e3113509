"""The environment and `.env`, read once into one frozen `Settings`."""

import os
import secrets
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from commands.people import Identity
from crm.address import is_loopback


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what to put there."""


class Settings(BaseSettings):
    """Every setting, by its environment variable. Secrets never appear in a repr."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file_encoding="utf-8", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(3978, ge=0, le=65535)
    public_url: str = ""
    """https address under which the platforms reach us; empty: taken from what they call."""

    slack_signing_secret: SecretStr = SecretStr("")
    slack_bot_token: SecretStr = SecretStr("")
    slack_app_token: SecretStr = SecretStr("")
    slack_client_id: str = ""
    slack_client_secret: SecretStr = SecretStr("")
    slack_allowed_workspaces: str = ""
    """Workspaces and organisations (`T…`, `E…`) that are served, separated by commas; empty: all that installed it."""
    slack_api_url: str = "https://slack.com/api/"

    case_reactions: str = Field("", validation_alias=AliasChoices("CRMCHAT_CASE_REACTIONS", "case_reactions"))
    """Emoji names, separated by commas, that make a case of a Slack message: `ticket,sos`."""
    slash_commands: str = Field("", validation_alias=AliasChoices("CRMCHAT_SLASH_COMMANDS", "slash_commands"))
    """Further slash commands and the words that they stand for: `/lead=lead,/case=case`."""
    work_objects: bool = Field(False, validation_alias=AliasChoices("CRMCHAT_WORK_OBJECTS", "work_objects"))
    """Preview records in Slack as Work Objects, whose side pane shows each viewer what they may see."""
    tables: Path | None = Field(None, validation_alias=AliasChoices("CRMCHAT_TABLES", "tables"))
    """A YAML file of custom tables and columns that join with the same verbs; see docs/configuration.md."""

    microsoft_app_id: str = ""
    microsoft_app_password: SecretStr = SecretStr("")
    microsoft_app_type: str = "SingleTenant"
    microsoft_app_tenant_id: str = ""
    microsoft_allowed_tenants: str = ""
    """Tenants whose people are let in, separated by commas; empty: MICROSOFT_APP_TENANT_ID alone."""
    microsoft_cloud: str = "public"
    """`public` (GCC too) or `usgov` (GCC High, DoD)."""
    microsoft_sso_resource: str = ""
    """The app's Application ID URI, like `api://botid-<app id>`: Teams then signs people in without a page."""
    microsoft_openid_url: str = ""
    """Who signs what Teams sends, where that is not the cloud's own issuer: a local peer in tests."""
    microsoft_login_url: str = ""
    microsoft_graph_url: str = ""

    dataverse_url: str = ""
    dataverse_webhook_secret: SecretStr = SecretStr("")
    azure_tenant_id: str = ""
    azure_client_id: str = ""
    azure_client_secret: SecretStr = SecretStr("")
    azure_client_certificate_path: Path | None = None
    azure_authority_host: str = "https://login.microsoftonline.com"

    identity: Identity = Field(Identity.IMPERSONATION, validation_alias=AliasChoices("CRMCHAT_IDENTITY", "identity"))
    email_domains: str = Field("", validation_alias=AliasChoices("CRMCHAT_EMAIL_DOMAINS", "email_domains"))
    """Domains whose addresses say who somebody is in Dynamics, separated by commas; empty: any."""
    mcp_user: str = Field("", validation_alias=AliasChoices("CRMCHAT_MCP_USER", "mcp_user"))
    data_dir: Path = Field(Path(".crmchat"), validation_alias=AliasChoices("CRMCHAT_DATA_DIR", "data_dir"))
    secret_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("CRMCHAT_SECRET_KEY", "secret_key"))
    """Old keys may follow the first, separated by commas: they still open, the first one seals."""
    ack_window: float = Field(1.5, gt=0, le=2.5, validation_alias=AliasChoices("CRMCHAT_ACK_WINDOW", "ack_window"))
    job_deadline: float = Field(600, gt=0, validation_alias=AliasChoices("CRMCHAT_JOB_DEADLINE", "job_deadline"))
    """Seconds for which a write that may succeed later is tried again."""
    policy: Path | None = Field(None, validation_alias=AliasChoices("CRMCHAT_POLICY", "policy"))
    """The policy file; see docs/policy.md."""
    rate_person: int = Field(600, ge=0, validation_alias=AliasChoices("CRMCHAT_RATE_PERSON", "rate_person"))
    """Requests a minute of one person, a third of them at once; 0: no limit."""
    rate_tenant: int = Field(6000, ge=0, validation_alias=AliasChoices("CRMCHAT_RATE_TENANT", "rate_tenant"))
    """The same of one workspace or tenant."""
    audit_days: int = Field(365, ge=2, validation_alias=AliasChoices("CRMCHAT_AUDIT_DAYS", "audit_days"))
    """How long the audit keeps events."""
    database_url: str = Field("", repr=False)
    """PostgreSQL, mostly with a password in it; empty: SQLite under CRMCHAT_DATA_DIR."""
    emulator_port: int = Field(8065, ge=0, le=65535)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment and `.env`; what has a name with CRMCHAT_ is read by that name alone.

        The bare names (`SECRET_KEY`, `TABLES`) are for our own code: in an environment they may be somebody else's.
        """
        del settings_cls, file_secret_settings
        bare = {name for name, field in cls.model_fields.items() if field.validation_alias}
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = {name: value for name, value in source.env_vars.items() if name not in bare}
        return init_settings, env_settings, dotenv_settings

    @model_validator(mode="after")
    def _check_urls(self) -> Self:
        if self.dataverse_url:
            url = urlsplit(self.dataverse_url)
            if url.scheme not in ("https", "http") or not url.hostname:
                raise ValueError("DATAVERSE_URL must be an address like https://contoso.crm.dynamics.com")
        return self

    @property
    def only_loopback(self) -> bool:
        """Nothing leaves this machine and nobody else reaches us: the terms on which checks may be relaxed."""
        return is_loopback(self.host) and is_loopback(urlsplit(self.dataverse_url).hostname or "")

    @property
    def secret_keys(self) -> list[bytes]:
        """CRMCHAT_SECRET_KEY, newest first."""
        return [k.strip().encode() for k in self.secret_key.get_secret_value().split(",") if k.strip()]

    @property
    def domains(self) -> frozenset[str]:
        """CRMCHAT_EMAIL_DOMAINS, in lower case."""
        return frozenset(d.strip().lstrip("@").casefold() for d in self.email_domains.split(",") if d.strip())

    @property
    def one_tenant(self) -> str:
        """AZURE_TENANT_ID where it names a tenant: people of any other must not sign in."""
        return "" if self.azure_tenant_id.casefold() in _SEVERAL_TENANTS else self.azure_tenant_id

    def _require_for_signing_in(self) -> None:
        secret = self.azure_client_secret.get_secret_value() or self.azure_client_certificate_path
        wanted = {
            "PUBLIC_URL": self.public_url,
            "AZURE_TENANT_ID": self.one_tenant,
            "AZURE_CLIENT_ID": self.azure_client_id,
            "AZURE_CLIENT_SECRET": secret,
        }
        if missing := [name for name, value in wanted.items() if not value]:
            raise SettingsError(
                f"CRMCHAT_IDENTITY=delegated needs {', '.join(missing)}: people sign in through one tenant's app "
                "registration, and come back to PUBLIC_URL/auth/callback. See docs/configuration.md."
            )

    def require_for_serving(self) -> None:
        """Refuse to serve where a missing setting would leave a door open. Raises SettingsError."""
        if not self.dataverse_url:
            raise SettingsError(
                "DATAVERSE_URL is not set. Put your organisation's address there, like "
                "https://contoso.crm.dynamics.com, or run `crmchat demo`, which needs no settings."
            )
        if self.identity is Identity.DELEGATED:
            self._require_for_signing_in()
        if not self.secret_keys and not self.only_loopback:
            raise SettingsError(
                "CRMCHAT_SECRET_KEY is not set. Make one with `openssl rand -hex 32` and keep it: buttons and stored "
                "tokens stop working when it changes."
            )
        slack = self.slack_signing_secret.get_secret_value() or self.slack_app_token.get_secret_value()
        if not self.microsoft_app_id and not self.only_loopback and not slack:
            raise SettingsError(
                "Neither SLACK_SIGNING_SECRET (or SLACK_APP_TOKEN) nor MICROSOFT_APP_ID is set, so no platform could "
                "be checked. See docs/slack.md and docs/teams.md."
            )


_SEVERAL_TENANTS = frozenset({"common", "organizations", "consumers"})


def load(env_file: Path | None = Path(".env"), **given: object) -> Settings:
    """Settings from the environment, then `env_file`, then `given` as defaults. Raises SettingsError."""
    try:
        read = Settings(_env_file=env_file if env_file and env_file.exists() else None)
        fresh = {k: v for k, v in given.items() if k not in read.model_fields_set}
        return Settings.model_validate({**read.model_dump(exclude_unset=True), **fresh}) if fresh else read
    except ValidationError as e:
        first = e.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from e


def demo(emulator_url: str = "", *, dataverse: str = "", slack_api_url: str = "") -> Settings:
    """Settings for `crmchat demo`: no `.env`, no DATAVERSE_* and AZURE_* of the environment; the rest of it wins.

    `dataverse` (an explicit flag) points the demo at a real organisation; then the environment's credentials count.
    `slack_api_url`: the playground's own Slack.
    """
    hidden = {}
    if not dataverse:
        hidden = {k: os.environ.pop(k) for k in list(os.environ) if k.startswith(("DATAVERSE_", "AZURE_"))}
    try:
        first = load(None)
        folder = first.data_dir / "demo"
        own: dict[str, object] = {
            "dataverse_url": dataverse or emulator_url,
            "secret_key": SecretStr(kept_secret(folder / "secret.key")),
            "slack_signing_secret": SecretStr(kept_secret(folder / "slack-signing-secret.key")),
            "slack_bot_token": SecretStr("xoxb-playground"),
            "case_reactions": "ticket",
            "dataverse_webhook_secret": SecretStr(kept_secret(folder / "webhook.key")),
        }
        if slack_api_url:
            own["slack_api_url"] = slack_api_url
        return load(None, **own)
    finally:
        os.environ.update(hidden)


def kept_secret(path: Path) -> str:
    """A random secret kept in a file that only its owner can read; made on first use."""
    private_folder(path.parent)
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as f:
            f.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text()


def keys_of(settings: Settings, folder: Path) -> list[bytes]:
    """What seals stored data and buttons, newest first: CRMCHAT_SECRET_KEY, else a key that is kept in the folder."""
    return settings.secret_keys or [kept_secret(folder / "secret.key").encode()]


def private_folder(path: Path) -> Path:
    """The folder, made if needed, readable by its owner alone."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path
