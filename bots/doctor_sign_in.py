"""`crmchat doctor --sign-in`: a person signs in by device code, and Dataverse is asked as that person.

Needs no secret: the app registration must allow public client flows and have Dataverse's delegated permission
`user_impersonation`.
"""

from collections.abc import AsyncIterator, Callable

from crm.auth import Delegated
from crm.client import Dataverse
from crm.entra import Entra, SignedIn
from crm.errors import CrmError

from .doctor_dataverse import unreadable
from .finding import Finding
from .settings import Settings

_REGISTRATION = (
    "Check AZURE_TENANT_ID and AZURE_CLIENT_ID; the app registration must allow public client flows and have the "
    "delegated permission user_impersonation of Dynamics CRM."
)


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
