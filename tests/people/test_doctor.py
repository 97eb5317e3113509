"""`crmchat doctor`: well against the emulator; each thing broken is named, with a remedy."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bots.doctor import _teams, examine, run_doctor
from bots.playground.slack_server import FakeSlack
from bots.playground.teams_server import FakeTeams
from bots.settings import Settings
from bots.teams.settings import TeamsSettings
from commands.people import Identity
from crm.emulator import Emulator, Fault
from tests.bot import settings_for

ANNA, DMITRI = "00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a4"
"""A sales manager and a service engineer."""


@dataclass
class Patient:
    emulator: Emulator
    slack: FakeSlack
    folder: Path

    def settings(self, **changes: object) -> Settings:
        return settings_for(self.folder, self.emulator.url, self.slack, **changes)

    async def wrong(self, **changes: object) -> dict[str, str]:
        """What is found wrong, by check; every problem has a remedy."""
        found = [f for f in await examine(self.settings(**changes)) if f.problem]
        assert all(f.remedy for f in found), found
        return {f.check: str(f) for f in found}


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Patient]:
    async with Emulator(seed="contoso") as emulator, FakeSlack() as slack:
        yield Patient(emulator, slack, tmp_path)


async def test_well(patient: Patient) -> None:
    await examine(patient.settings())  # once more is as well as once
    found = await examine(patient.settings())
    assert [str(f) for f in found if f.problem] == []
    checks = {f.check for f in found}
    assert {"Slack token", "database", "clock", "Dataverse", "privileges", "impersonation", "installation"} <= checks


async def test_settings_and_credentials(patient: Patient) -> None:
    # Not on loopback: then a key is needed, and sign-in.
    found = await patient.wrong(host="0.0.0.0", secret_key=SecretStr(""))
    assert "CRMCHAT_SECRET_KEY" in found["settings"]
    found = await patient.wrong(host="0.0.0.0", secret_key=SecretStr("short"))
    assert "openssl rand" in found["settings"]
    found = await patient.wrong(dataverse_url="")
    assert "DATAVERSE_URL" in found["settings"]
    found = await patient.wrong(azure_client_id="app")
    assert "AZURE_TENANT_ID" in found["settings"]
    missing = patient.folder / "no.pem"
    assert "no.pem" in (await patient.wrong(azure_client_certificate_path=missing))["settings"]


async def test_slack(patient: Patient) -> None:
    found = await patient.wrong(slack_bot_token=SecretStr("xoxb-wrong"))
    assert "invalid_auth" in found["Slack token"]
    assert "xoxb-wrong" not in str(found)
    assert "Basic Information" in (await patient.wrong(slack_signing_secret=SecretStr("")))["Slack signing secret"]
    assert "SLACK_CLIENT_ID" in (await patient.wrong(slack_bot_token=SecretStr("")))["Slack token"]
    assert "cannot be reached" in (await patient.wrong(slack_api_url="http://127.0.0.1:9/api/"))["Slack token"]
    patient.slack.missing_scopes = frozenset({"users:read.email"})
    assert "users:read.email" in (await patient.wrong())["Slack scopes"]


async def test_workspaces_and_policy(patient: Patient) -> None:
    installed = {
        "slack_bot_token": SecretStr(""), "slack_client_id": "1.2", "slack_client_secret": SecretStr("s"),
    }  # fmt: skip
    assert "SLACK_ALLOWED_WORKSPACES" in (await patient.wrong(**installed))["Slack workspaces"]
    assert await patient.wrong(**installed, slack_allowed_workspaces="T1") == {}
    policy = patient.folder / "policy.yaml"
    policy.write_text("version: 1\nask: desk\nrules:\n- rule: a\n  deny: {nouns: [invoces]}\n")
    assert "line 5: 'invoces' is none of the nouns; did you mean" in (await patient.wrong(policy=policy))["policy"]
    assert "cannot be read" in (await patient.wrong(policy=patient.folder / "none.yaml"))["policy"]


async def test_teams(patient: Patient) -> None:
    found = await patient.wrong(microsoft_app_password=SecretStr("x"))
    assert "MICROSOFT_APP_ID" in found["Teams credentials"]
    found = await patient.wrong(microsoft_app_id="a")
    assert "MICROSOFT_APP_PASSWORD" in found["Teams credentials"] or "TENANT" in found["Teams credentials"]
    async with FakeTeams(app_id="app", app_password="right") as teams, aiohttp.ClientSession() as session:
        for password, says in (("right", ""), ("wrong", "No token")):
            given = TeamsSettings(
                app_id="app",
                app_password=password,
                app_type="SingleTenant",
                tenant_id=teams.world.tenant,
                login_url=teams.service_url.rstrip("/"),
            )
            (finding,) = await _teams(given, session)
            assert says in finding.problem
            assert bool(finding.problem) == bool(says)


async def test_public_address_and_database(patient: Patient) -> None:
    assert "https" in (await patient.wrong(public_url="http://crm.example.com"))["public address"]
    plain = patient.folder / "file"
    plain.write_text("")
    assert "CRMCHAT_DATA_DIR" in (await patient.wrong(data_dir=plain))["database"]
    assert "database" in await patient.wrong(database_url="postgresql://127.0.0.1:9/none")


async def test_dataverse_away(patient: Patient) -> None:
    found = await patient.wrong(dataverse_url="http://127.0.0.1:9")
    assert "DATAVERSE_URL" in found["Dataverse"]


@pytest.mark.parametrize(
    ("match", "code", "check", "says"),
    [
        ("WhoAmI", "0x80072560", "application user", "AZURE_CLIENT_ID"),
        (r"v9\.2/leads", "0x80040220", "privileges on lead", "security role"),
    ],
)
async def test_rights(patient: Patient, match: str, code: str, check: str, says: str) -> None:
    patient.emulator.faults.add(Fault(match=match, code=code, count=1))
    assert says in (await patient.wrong())[check]


async def test_rights_that_only_writing_needs(patient: Patient) -> None:
    """An application user with the roles of Dmitri, who serves cases, or of Anna, who sells, can do but half."""
    async with _between(patient.emulator.url, application=DMITRI) as url:
        found = [str(f) for f in await examine(patient.settings(dataverse_url=url)) if f.problem]
    assert any("lacks Create on opportunityclose (prvCreateOpportunityClose)" in f for f in found), found
    [order] = [f for f in found if "Write on salesorder" in f]
    assert "(prvWriteOrder)" in order
    assert "order update, order fulfil, order cancel, order invoice" in order
    assert "as Sales Manager has" in order
    assert not any("on incidentresolution" in f for f in found)
    only_sales = {"Customer Service Manager": {"*": {"read": "organization"}}}  # she holds that role, too
    async with aiohttp.ClientSession() as session:
        answer = await session.put(f"{patient.emulator.url}/_emulator/roles", json=only_sales)
        assert answer.ok
    async with _between(patient.emulator.url, application=ANNA) as url:
        found = [str(f) for f in await examine(patient.settings(dataverse_url=url)) if f.problem]
    assert any("lacks Assign on incident (prvAssignIncident)" in f and "Customer Service" in f for f in found), found
    assert not any("on salesorder" in f for f in found)


async def test_rights_that_reach_less_far_are_named(patient: Patient) -> None:
    role = {"Sales Manager": {"*": {"*": "organization"}, "lead": {"*": "organization", "write": "user"}}}
    async with aiohttp.ClientSession() as session:
        answer = await session.put(f"{patient.emulator.url}/_emulator/roles", json=role)
        assert answer.ok
    async with _between(patient.emulator.url, application=ANNA) as url:
        found = {f.check: f for f in await examine(patient.settings(dataverse_url=url))}
    assert found["rights"].note.endswith("for a part of the organization: prvWriteLead")
    assert not found["rights"].problem


async def test_a_person_s_rights_are_their_own(patient: Patient) -> None:
    """Where each person signs in, the application user needs none but to read."""
    async with _between(patient.emulator.url, application=ANNA) as url:
        found = await examine(patient.settings(dataverse_url=url, identity=Identity.DELEGATED))
    assert [str(f) for f in found if f.problem and "privileges" in f.check] == []
    assert "rights" not in {f.check for f in found}


@pytest.mark.parametrize(
    ("match", "check"), [("RetrieveUserSetOfPrivilegesByNames", "rights"), ("EntityDefinitions.*Privileges", "rights")]
)
async def test_rights_that_cannot_be_found_out(patient: Patient, match: str, check: str) -> None:
    patient.emulator.faults.add(Fault(match=match, code="0x80040220", count=1))
    assert "could not be found out" in (await patient.wrong())[check]


async def test_impersonation_refused(patient: Patient) -> None:
    # The application's own WhoAmI comes first and passes; the one for a person does not.
    async with _between(patient.emulator.url, refuse=True) as url:
        assert "Delegate" in (await patient.wrong(dataverse_url=url))["impersonation"]


async def test_a_proxy_that_drops_the_caller(patient: Patient) -> None:
    async with _between(patient.emulator.url) as url:
        assert "CallerObjectId" in (await patient.wrong(dataverse_url=url))["impersonation"]


async def test_the_clock(patient: Patient) -> None:
    async with _between(patient.emulator.url, date="Tue, 01 Jan 2019 00:00:00 GMT") as url:
        assert "time synchronisation" in (await patient.wrong(dataverse_url=url))["clock"]


def _between(target: str, *, refuse: bool = False, date: str = "", application: str = "") -> TestServer:
    """A proxy in front of the emulator that drops `CallerObjectId`, refuses it, or sets another date.

    `application`: whose rights the application user has.
    """

    async def pass_on(request: web.Request) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k not in ("Host", "CallerObjectId", "Accept-Encoding")}
        if application:
            headers["CallerObjectId"] = request.headers.get("CallerObjectId", application)
        if refuse and "CallerObjectId" in request.headers:
            error = {"code": "0x80040220", "message": "missing prvActOnBehalfOfAnotherUser privilege"}
            return web.json_response({"error": error}, status=403)
        async with (
            aiohttp.ClientSession(auto_decompress=True) as session,
            session.request(request.method, target + request.path_qs, headers=headers) as answer,
        ):
            kind = {"Content-Type": answer.headers.get("Content-Type", "")}
            return web.Response(
                body=await answer.read(), status=answer.status, headers={**kind, **({"Date": date} if date else {})}
            )

    class _Server(TestServer):
        async def __aenter__(self) -> str:  # type: ignore[override]
            await self.start_server()
            return str(self.make_url("")).rstrip("/")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    return _Server(app)


async def test_the_command(patient: Patient) -> None:
    env = {
        "PATH": os.environ["PATH"], "CRMCHAT_DATA_DIR": str(patient.folder / "data"),
        "DATAVERSE_URL": patient.emulator.url,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("crmchat"), "doctor", env=env, cwd=patient.folder, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, out
    assert b"All is well" in out


@pytest.mark.parametrize(("given", "says"), [("", "DATAVERSE_URL is not set"), ("ftp://x", "an address like")])
async def test_the_command_names_settings_that_cannot_be_used(patient: Patient, given: str, says: str) -> None:
    file, told = patient.folder / "settings.env", list[str]()
    file.write_text(f"DATAVERSE_URL={given}\nCRMCHAT_DATA_DIR={patient.folder / 'data'}\n")
    assert await run_doctor(file, told.append) == 1
    assert says in "\n".join(told)
