"""`crmchat doctor --sign-in`: a person signs in on another device, and Dataverse is looked at as that person."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bots.doctor_sign_in import sign_in, sign_in_page
from bots.playground.slack_server import FakeSlack
from bots.settings import Settings
from crm.emulator import Emulator, seeds
from tests.bot import settings_for
from tests.crm.openid import OpenId

BEN, STRANGER = "00000000-0000-4000-8000-0000000000a2", "00000000-0000-4000-8000-00000000dead"
PEOPLE = {
    BEN: {"preferred_username": "ben.carter@contoso.example", "name": "Ben Carter"},
    STRANGER: {"preferred_username": "nobody@contoso.example", "name": "Nobody"},
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenId]:
    openid = OpenId(tmp_path_factory.mktemp("openid"), people=PEOPLE)
    openid.add_client("public-app")
    with openid:
        yield openid


@pytest.fixture
async def settings(provider: OpenId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    """An organisation that knows Ben, a salesperson."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(provider.ca_file))
    async with Emulator(seed="contoso") as emulator, FakeSlack() as slack:
        yield settings_for(
            tmp_path,
            emulator.url,
            slack,
            azure_tenant_id=provider.tenant,
            azure_client_id="public-app",
            azure_authority_host=provider.host,
        )


async def signed_in(provider: OpenId, settings: Settings, person: str) -> tuple[list[str], list[str]]:
    """What was told on the way, and what was found."""
    told: list[str] = []
    code = asyncio.Event()

    def tell(text: str) -> None:
        told.append(text)
        code.set()

    waiting = asyncio.create_task(sign_in(settings, tell))
    async with asyncio.timeout(60):
        await code.wait()
        await provider.control(approve=person)
        return told, [str(finding) for finding in await waiting]


async def test_a_person_signs_in_and_sees_what_they_may(provider: OpenId, settings: Settings) -> None:
    told, found = await signed_in(provider, settings, BEN)
    assert told == [f"Open https://{provider.host.removeprefix('https://')}/device and enter ABCD-EFGH."]
    assert found[0] == "ok    sign-in: ben.carter@contoso.example"
    assert found[1] == f"ok    Dataverse as ben.carter@contoso.example: {seeds.row_id('systemuser', 'ben')}"
    assert "ben.carter@contoso.example can read account" in found[2]
    assert "WRONG" not in "".join(found)


async def test_a_stranger_is_told_what_is_missing(provider: OpenId, settings: Settings) -> None:
    _, found = await signed_in(provider, settings, STRANGER)
    assert found[0].startswith("ok")
    assert found[1].startswith("WRONG Dataverse as")
    assert "security role" in found[1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "ok    sign-in page: "),
        ({"azure_authority_host": "https://localhost:1"}, "AZURE_AUTHORITY_HOST"),
        ({"azure_tenant_id": "fabrikam.example"}, "WRONG sign-in page"),
        ({"azure_client_secret": SecretStr("")}, "not set up"),
        ({"azure_tenant_id": "Common"}, "not set up"),
    ],
)
async def test_the_page_that_people_come_back_to(settings: Settings, changes: dict[str, object], says: str) -> None:
    well = {"public_url": "https://crm.example.com/", "azure_client_secret": SecretStr("x")}
    [finding] = await sign_in_page(settings.model_copy(update={**well, **changes}))
    assert says in str(finding)
    if not changes:
        assert "https://crm.example.com/auth/callback" in finding.note
        assert "user_impersonation" in finding.note


async def test_what_must_be_set_is_named(settings: Settings) -> None:
    bare = settings.model_copy(update={"azure_tenant_id": "", "azure_client_id": ""})
    [finding] = await sign_in(bare, pytest.fail)
    assert finding.problem == "AZURE_TENANT_ID and AZURE_CLIENT_ID must be set to sign in."
    wrong = settings.model_copy(update={"azure_tenant_id": "fabrikam.example"})
    [finding] = await sign_in(wrong, pytest.fail)
    assert "AZURE_TENANT_ID" in finding.problem
    assert "public client flows" in finding.remedy
