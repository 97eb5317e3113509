"""The app package: valid by Microsoft's schema, at the lowest version that serves, the same bytes each time."""

import io
import json
import struct
import zipfile
from pathlib import Path

import jsonschema
import pytest

import commands.operations  # noqa: F401 - fills the catalog
from bots.main import main
from bots.teams.icons import color_icon, outline_icon
from bots.teams.manifest import files, manifest, package, write
from commands.operation import CATALOG

from .conftest import APP

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "node_modules" / "@microsoft" / "app-manifest" / "build" / "json-schemas" / "teams"
COMMITTED = ROOT / "manifest" / "teams"


def made(**changes):
    given = {"app_id": "", "url": "https://crmchat.example.com", "catalog": CATALOG}
    return manifest(**given | {"dataverse_hosts": ["*.crm.dynamics.com"]} | changes)


def complaints(document, version):
    schema = json.loads((SCHEMAS / f"v{version}" / "MicrosoftTeams.schema.json").read_text(encoding="utf-8"))
    document = document | {
        "manifestVersion": version,
        "$schema": f"https://developer.microsoft.com/json-schemas/teams/v{version}/MicrosoftTeams.schema.json",
    }
    return [e.message for e in jsonschema.validators.validator_for(schema)(schema).iter_errors(document)]


SSO = "api://botid-00000000-0000-0000-0000-00000000b0b0"


@pytest.mark.parametrize("sso", ["", SSO])
@pytest.mark.parametrize(("rights", "version", "before"), [(False, "1.5", "1.4"), (True, "1.12", "1.11")])
def test_valid_at_the_lowest_version_that_has_what_is_used(rights, version, before, sso):
    document = made(read_messages=rights, sso_resource=sso)
    assert document["manifestVersion"] == version
    assert complaints(document, version) == []
    assert complaints(document, before) != []
    newest = max((p.name[1:] for p in SCHEMAS.glob("v1.*")), key=lambda v: int(v.split(".")[1]))
    assert complaints(document, newest) == []


def test_the_application_is_named_only_where_somebody_asks_for_it(tmp_path, monkeypatch, capsys):
    assert "webApplicationInfo" not in made()
    assert made(sso_resource=SSO)["webApplicationInfo"]["resource"] == SSO
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MICROSOFT_APP_ID", APP)
    monkeypatch.setenv("MICROSOFT_SSO_RESOURCE", SSO)
    with pytest.raises(SystemExit, match="0"):
        main(["manifest", "teams", "--url", "https://crm.example.com", "--read-messages"])
    with zipfile.ZipFile(tmp_path / capsys.readouterr().out.strip()) as archive:
        written = json.loads(archive.read("manifest.json"))
    assert written["webApplicationInfo"] == {"id": APP, "resource": SSO}
    assert "token.botframework.com" in written["validDomains"]
    rights = written["authorization"]["permissions"]["resourceSpecific"]
    assert {right["name"] for right in rights} == {"ChannelMessage.Read.Group", "ChatMessage.Read.Chat"}


def test_a_changed_package_is_newer_than_the_one_before(tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)

    def version(*more: str) -> str:
        with pytest.raises(SystemExit, match="0"):
            main(["manifest", "teams", "--url", "https://crm.example.com", *more])
        with zipfile.ZipFile(tmp_path / capsys.readouterr().out.strip()) as archive:
            return json.loads(archive.read("manifest.json"))["version"]

    assert version() == "1.0.0"
    assert "MICROSOFT_APP_ID is not set" in caplog.text
    monkeypatch.setenv("MICROSOFT_APP_ID", APP)
    assert [version(), version()] == ["1.0.0", "1.0.0"]
    assert version("--read-messages") == "1.0.1"
    assert version("--read-messages") == "1.0.1"
    assert version() == "1.0.2"
    for damaged in ("", "[]", '{"version": "one"}', '{"version": 1}', '{"version": "1.0"}'):
        (tmp_path / "manifest" / "teams" / "manifest.json").write_text(damaged)
        assert version() == "1.0.0"


def test_the_committed_package_is_the_generated_one():
    for name, content in files(made()).items():
        assert (COMMITTED / name).read_bytes() == content, f"{name} is stale: run `make generate`"


def test_the_zip_is_what_teams_takes(tmp_path):
    path = write(tmp_path, made())
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["color.png", "manifest.json", "outline.png"]
    assert path.read_bytes() == package(made())
    with zipfile.ZipFile(io.BytesIO(package(made(app_id="x" * 8)))) as archive:
        assert json.loads(archive.read("manifest.json"))["bots"][0]["botId"] == "x" * 8


@pytest.mark.parametrize(("icon", "side"), [(color_icon, 192), (outline_icon, 32)])
def test_icons_have_the_sizes_of_teams(icon, side):
    assert struct.unpack(">II", icon()[16:24]) == (side, side)


@pytest.mark.parametrize("url", ["", "http://crm.example.com", "crm.example.com", "https://"])
def test_an_address_that_teams_cannot_reach(url):
    with pytest.raises(ValueError, match="https"):
        made(url=url)
