"""Every setting is documented, and nothing else is."""

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr

from bots.settings import Settings, SettingsError, load
from commands.people import Identity


def test_every_setting_is_documented() -> None:
    names = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names.add(str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper())
    text = Path("docs/configuration.md").read_text()
    told = {n for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for n in re.findall(r"`([A-Z_]+)`", row)}
    assert told - {"LOG_LEVEL"} == names


def test_nothing_is_served_where_people_must_sign_in_and_cannot() -> None:
    given = {
        "dataverse_url": "https://contoso.crm.dynamics.com",
        "secret_key": SecretStr("k" * 32),
        "slack_signing_secret": SecretStr("s"),
        "identity": Identity.DELEGATED,
        "public_url": "https://crm.example.com",
        "azure_tenant_id": "contoso.example",
        "azure_client_id": "app",
        "azure_client_secret": SecretStr("x"),
    }

    def settings(**changes: object) -> Settings:
        return Settings.model_construct(**{**Settings.model_construct().model_dump(), **given, **changes})

    settings().require_for_serving()
    settings(azure_client_secret=SecretStr(""), azure_client_certificate_path=Path("x.pem")).require_for_serving()
    for name, empty in (
        ("public_url", ""),
        ("azure_tenant_id", ""),
        ("azure_tenant_id", "organizations"),
        ("azure_tenant_id", "COMMON"),  # people of every tenant could sign in
        ("azure_client_id", ""),
        ("azure_client_secret", SecretStr("")),
    ):
        with pytest.raises(SettingsError, match=f"delegated needs {name.upper()}:"):
            settings(**{name: empty}).require_for_serving()


def test_our_own_settings_are_read_by_their_full_names_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SECRET_KEY", "TABLES", "IDENTITY", "DATA_DIR"):  # somebody else's
        monkeypatch.setenv(name, "delegated")
    env_file = tmp_path / ".env"
    env_file.write_text("POLICY=theirs.yaml\nCRMCHAT_DATA_DIR=ours\nAUDIT_DAYS=zero\n")
    read = load(env_file, secret_key=SecretStr("given"))
    assert read.identity is Identity.IMPERSONATION
    assert (read.secret_keys, read.tables, read.policy) == ([b"given"], None, None)
    assert read.data_dir == Path("ours")
