"""Whether people can sign in: the page that they are sent back to, and (`crmchat doctor --sign-in`) as one of them.

For the latter a person signs in by device code, and Dataverse is asked as that person. It needs no secret: the app
registration must allow public client flows. Both need Dataverse's delegated permission `user_impersonation`.
"""

from collections.abc import AsyncIterator, Callable

from commands.people import Identity
from commands.signing_in import CALLBACK
from crm.auth import Delegated
from crm.client import Dataverse
from crm.credentials import Secret
from crm.entra import Entra, SignedIn
from crm.errors import CrmError

from .doctor_dataverse import unreadable
from .finding import Finding
from .settings import Settings

_REGISTER = (
    "the app registration must name {} under Authentication, Web, and have the delegated permission "
    "user_impersonation of Dynamics CRM"
)
_REGISTRATION = (
    "Check AZURE_TENANT_ID and AZURE_CLIENT_ID; the app registration must allow public client flows and have the "
    "delegated permission user_impersonation of Dynamics CRM."
)


async def sign_in_page(settings: Settings) -> list[Finding]:
    """Whether the provider answers, and may send people back to us. Nobody is signed in."""
    if settings.identity is Identity.APPLICATION:
        return []
    secret = settings.azure_client_secret.get_secret_value() or settings.azure_client_certificate_path
    if not (settings.public_url and settings.one_tenant and settings.azure_client_id and secret):
        return [Finding("sign-in page", note="not set up")]  # where it must be, the settings say what is missing
    back = settings.public_url.rstrip("/") + CALLBACK  # whether that is https: see the public address
    try:
        entra = Entra(
            tenant=settings.azure_tenant_id,
            client_id=settings.azure_client_id,
            credential=Secret("-"),  # nothing is sent with it: the provider's endpoints are read, and no more
            authority_host=settings.azure_authority_host,
        )
        await entra.begin_sign_in(settings.dataverse_url, back)
    except CrmError as e:
        return [Finding("sign-in page", e.message, "Check AZURE_TENANT_ID, AZURE_AUTHORITY_HOST and the network.")]
    return [Finding("sign-in page", note=f"{entra.host} answers; {_REGISTER.format(back)}")]


async def sign_in(settings: Settings, tell: Callable[[str], None]) -> list[Finding]:
    """Tell where to sign in and with which code, wait until that is done, and check what the person may read."""
    missing = [
        name
        for name, value in (
            ("DATAVERSE_URL", settings.dataverse_url),
            ("AZURE_TENANT_ID", settings.azure_tenant_id),
            ("AZURE_CLIENT_ID", settings.azure_client_id),
        )
        if not value
    ]
    if missing:
        return [Finding("sign-in", f"{' and '.join(missing)} must be set to sign in.", _REGISTRATION)]
    try:
        async with Dataverse(settings.dataverse_url) as dataverse:
            entra = Entra(
                tenant=settings.azure_tenant_id,
                client_id=settings.azure_client_id,
                authority_host=settings.azure_authority_host,
            )
            device = await entra.begin_device_sign_in(dataverse.url)
            tell(device.message)
            person = await entra.finish_device_sign_in(device)
            return [finding async for finding in _as_person(dataverse, entra, person)]
    except CrmError as e:
        return [Finding("sign-in", e.message, _REGISTRATION)]


async def _as_person(dataverse: Dataverse, entra: Entra, person: SignedIn) -> AsyncIterator[Finding]:
    name = person.username or person.object_id
    yield Finding("sign-in", note=name)
    session = dataverse.acting_as(Delegated(person.object_id, entra.delegated(dataverse.url, person.cache)))
    try:
        me = await session.who_am_i()
    except CrmError as e:
        yield Finding(
            f"Dataverse as {name}",
            e.message,
            "In the Power Platform admin centre, give this person a licence and a security role in this environment.",
        )
        return
    yield Finding(f"Dataverse as {name}", note=str(me))
    async for finding in unreadable(session, name):
        yield finding
