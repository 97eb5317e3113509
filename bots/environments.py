"""The organisations that the settings name, opened: DATAVERSE_URL's, and those of the policy file."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from commands.environment_settings import EnvironmentPart
from commands.environments import Environment, Environments
from commands.membership import Memberships
from commands.people import People
from commands.policy_file import PolicyError, PolicyFile, load
from commands.request import Faces
from commands.signing_in import SignIn
from crm.address import organisation
from crm.client import Dataverse
from crm.credentials import Certificate, Secret
from crm.entra import Entra

from .settings import Settings, SettingsError


def policy_file(settings: Settings) -> PolicyFile | None:
    """The checked policy file, where there is one. Raises SettingsError."""
    try:
        file = load(settings.policy) if settings.policy else None
    except PolicyError as e:
        raise SettingsError(f"CRMCHAT_POLICY: {e}") from e
    _check_together(settings, file)
    return file


def addresses(settings: Settings, file: PolicyFile | None) -> dict[str, str]:
    """Address by name of every environment, DATAVERSE_URL's first; its name is empty where the file gives none."""
    parts = file.environments if file else {}
    first = next((name for name, part in parts.items() if not part.url), "")
    return {first: settings.dataverse_url, **{name: part.url for name, part in parts.items() if part.url}}


async def open_environments(
    settings: Settings,
    file: PolicyFile | None,
    *,
    folder: Path,
    faces: Faces,
    demo: bool,
    stack: AsyncExitStack,
    sign_in: SignIn | None = None,
) -> Environments:
    """A client and the people of each; `stack` closes them. Raises crm.errors.ConfigurationError."""
    urls = addresses(settings, file)
    made: list[Environment] = []
    for name, url in urls.items():
        dataverse = await stack.enter_async_context(
            Dataverse(url, auth=application_auth(settings, url), cache_dir=folder)
        )
        part = file.environments[name] if file and name else EnvironmentPart()
        made.append(
            Environment(
                dataverse=dataverse,
                people=People(
                    dataverse,
                    identity=settings.identity,
                    faces=faces,
                    unknown_as_application=demo and dataverse.organisation.loopback,
                    sign_in=sign_in,
                    email_domains=settings.domains,
                ),
                memberships=Memberships(dataverse),
                name=name,
                badge=part.badge_for(name) if len(urls) > 1 else "",
                confirm=part.confirm,
                conversations=frozenset(part.channels),
                first=not made,
            )
        )
    return Environments(*made)


def application_auth(settings: Settings, url: str) -> httpx.Auth | None:
    """The application user's sign-in for the organisation at `url`; None without credentials (an emulator)."""
    if not settings.azure_client_id:
        return None
    secret = settings.azure_client_secret.get_secret_value()
    certificate = settings.azure_client_certificate_path
    entra = Entra(
        tenant=settings.azure_tenant_id,
        client_id=settings.azure_client_id,
        credential=Certificate(certificate) if certificate else Secret(secret) if secret else None,
        authority_host=settings.azure_authority_host,
    )
    return entra.application(url.rstrip("/"))


def _check_together(settings: Settings, file: PolicyFile | None) -> None:
    """Checks are relaxed where DATAVERSE_URL is on this machine, so no real organisation may stand beside it."""
    further = [part.url for part in file.environments.values() if part.url] if file else []
    if not further or not settings.dataverse_url:
        return
    first = organisation(settings.dataverse_url)
    for url in further:
        other = organisation(url)
        if other.url.casefold() == first.url.casefold():
            raise SettingsError(f"CRMCHAT_POLICY: {url} is DATAVERSE_URL's organisation; leave out its url.")
        if other.loopback != first.loopback:
            raise SettingsError(
                f"CRMCHAT_POLICY: {first.host} and {other.host} cannot be served together: either every environment "
                "is on this machine, or none is."
            )
