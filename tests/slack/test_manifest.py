"""The manifest: what Slack would take, and no more than the face uses."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from pydantic import SecretStr

from bots.manifests import write
from bots.settings import Settings, SettingsError
from bots.slack import SlackSettings
from bots.slack.manifest import BOT_EVENTS, BOT_SCOPES, manifest

SCHEMA = json.loads((Path(__file__).parent / "schema" / "slack-app-manifest.2.0.0.json").read_text("utf-8"))
SOURCES = Path(__file__).parents[2] / "bots" / "slack"
HTTP = SlackSettings(
    public_url="https://crm.example.com/",
    client_id="1.2",
    unfurl_domains=("Contoso.crm.dynamics.com",),
    shortcuts={"/lead": "lead"},
)
SOCKET = SlackSettings(app_token="xapp-1")


@pytest.mark.parametrize("settings", [HTTP, SOCKET], ids=["http", "socket"])
def test_slack_would_take_it(settings: SlackSettings) -> None:
    jsonschema.validate(manifest(settings, ["case", "lead"] * 300), SCHEMA)


def test_the_committed_manifest_is_one_that_slack_takes() -> None:
    committed = Path(__file__).parents[2] / "manifest" / "slack.json"
    jsonschema.validate(json.loads(committed.read_text("utf-8")), SCHEMA)


def test_over_http_every_surface_has_our_address() -> None:
    made = manifest(HTTP, ["case"])
    url = "https://crm.example.com/slack/events"
    assert {c["url"] for c in made["features"]["slash_commands"]} == {url}
    assert made["settings"]["event_subscriptions"]["request_url"] == url
    assert made["settings"]["interactivity"]["message_menu_options_url"] == url
    assert made["features"]["unfurl_domains"] == ["contoso.crm.dynamics.com"]
    assert made["settings"]["token_rotation_enabled"] is True
    assert [c["command"] for c in made["features"]["slash_commands"]] == ["/crm", "/lead"]


def test_in_socket_mode_no_address_is_in_it() -> None:
    made = manifest(SOCKET, ["case"])
    assert "http" not in json.dumps(made)
    assert made["settings"]["socket_mode_enabled"] is True


def test_http_needs_an_https_address() -> None:
    with pytest.raises(ValueError, match="--url https://"):
        manifest(SlackSettings(public_url="http://crm.example.com"), [])


def test_every_event_that_is_asked_for_has_a_listener() -> None:
    heard = set(re.findall(r'app\.event\("([a-z_]+)"\)', (SOURCES / "events.py").read_text("utf-8")))
    assert {e.partition(".")[0] for e in BOT_EVENTS} == heard


def test_scopes_are_sorted_and_each_once() -> None:
    assert list(BOT_SCOPES) == sorted(set(BOT_SCOPES))


def test_what_is_written_is_made_of_the_bots_own_settings(tmp_path: Path) -> None:
    settings = Settings.model_construct(slack_client_id="1.1", slash_commands="/lead=lead, /tickets=case list")
    path = write("slack", settings, url="https://crm.example.com", folder=tmp_path)
    made = json.loads(path.read_text("utf-8"))
    assert [c["command"] for c in made["features"]["slash_commands"]] == ["/crm", "/lead", "/tickets"]
    assert made["settings"]["token_rotation_enabled"]
    socket = Settings.model_construct(slack_app_token=SecretStr("xapp-later"))
    made = json.loads(write("slack", socket, url="", folder=tmp_path).read_text("utf-8"))
    assert made["settings"]["socket_mode_enabled"]
    with pytest.raises(SettingsError, match="/lead=lead"):
        write("slack", Settings.model_construct(slash_commands="lead"), url="https://x.example", folder=tmp_path)
