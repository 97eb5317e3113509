"""What `crmchat doctor` looks at in Dataverse: its clock, the application user, their rights, acting for people."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from uuid import UUID

import aiohttp

from commands import operations  # noqa: F401  joins them to the catalog
from commands.operation import CATALOG
from commands.people import Identity
from crm.auth import Application, Impersonated
from crm.client import Dataverse
from crm.errors import ConfigurationError, CrmError, Forbidden
from crm.query import Query, col
from crm.records import Row
from crm.session import Session
from crm.tables import USER

from .doctor_rights import unheld
from .environments import addresses, application_auth, policy_file
from .finding import Finding
from .settings import Settings, SettingsError

_DEADLINE = 15.0
_APPLICATION = "The application user"
_CLOCK = 120.0
"""Seconds that our clock may be off; Slack refuses signatures, and Entra assertions, that are 300 s old."""
_ADDRESS = "Check DATAVERSE_URL, the network and the firewall."


async def clock(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    if not settings.dataverse_url:
        return []
    try:
        # Without a token: a 401 carries the date as well as any answer.
        async with session.get(settings.dataverse_url.rstrip("/") + "/api/data/v9.2/") as answer:
            theirs = parsedate_to_datetime(answer.headers["Date"])
    except (aiohttp.ClientError, TimeoutError, OSError, KeyError, ValueError):
        return []  # unreachable is said by the check of Dataverse itself
    off = time.time() - theirs.timestamp()
    if abs(off) > _CLOCK:
        return [
            Finding(
                "clock",
                f"This machine's clock is {abs(off):.0f} seconds {'ahead of' if off > 0 else 'behind'} Dataverse's.",
                "Turn on time synchronisation (timedatectl set-ntp true); signatures and tokens depend on it.",
            )
        ]
    return [Finding("clock", note=f"within {_CLOCK:.0f} seconds of Dataverse's")]


async def dataverse(settings: Settings) -> list[Finding]:
    if not settings.dataverse_url:
        return []  # said by the settings
    try:
        urls = addresses(settings, policy_file(settings))
    except (SettingsError, ConfigurationError):
        urls = {"": settings.dataverse_url}  # the policy file's problems are said by the settings
    parts = await asyncio.gather(*(_environment(settings, url) for url in urls.values()))
    # Where there are several, each finding says of which.
    return [
        replace(finding, check=f"{name}: {finding.check}") if len(urls) > 1 else finding
        for name, found in zip(urls, parts, strict=True)
        for finding in found
    ]


async def _environment(settings: Settings, url: str) -> list[Finding]:
    try:
        auth = application_auth(settings, url)
        async with Dataverse(url, auth=auth, deadline=_DEADLINE) as dataverse:
            return [finding async for finding in _organisation(dataverse, settings.identity)]
    except CrmError as e:
        return [Finding("Dataverse", e.message, _ADDRESS)]


async def _organisation(dataverse: Dataverse, identity: Identity) -> AsyncIterator[Finding]:
    app = dataverse.acting_as(Application())
    try:
        me = await app.who_am_i()
    except Forbidden as e:
        yield Finding(
            "application user",
            e.message,
            "In the Power Platform admin centre, add AZURE_CLIENT_ID as an application user of this environment.",
        )
        return
    except CrmError as e:
        yield Finding("Dataverse", e.message, f"{_ADDRESS} For the sign-in: AZURE_TENANT_ID, AZURE_CLIENT_ID, secret.")
        return
    yield Finding("Dataverse", note=dataverse.url)
    yield Finding("application user", note=str(me))
    rights = [finding async for finding in unreadable(app, _APPLICATION)]
    for finding in rights:
        yield finding
    if identity is not Identity.DELEGATED:  # there, only the person's own rights count
        async for finding in unheld(app, me, _APPLICATION, known=_tables()):
            yield finding
    if identity is Identity.IMPERSONATION and not any(f.check == f"privileges on {USER.logical}" for f in rights):
        yield await _impersonation(dataverse, app, me)


async def unreadable(session: Session, who: str) -> AsyncIterator[Finding]:
    """A problem for each table of our operations that the caller may not read; one finding that all is well else."""
    denied, tables = False, _tables()
    for table, primary_id in tables.items():
        if (problem := await _readable(session, table, primary_id, who)) is not None:
            denied = True
            yield problem
    if not denied:
        yield Finding("privileges", note=f"{who} can read {', '.join(sorted(tables))}")


def _tables() -> dict[str, str]:
    """Primary key by logical name, of everything that operations touch."""
    touched = {op.table.logical: op.table.primary_id for op in CATALOG.values() if op.table}
    return {**touched, USER.logical: USER.primary_id}


async def _readable(session: Session, table: str, primary_id: str, who: str) -> Finding | None:
    try:
        await session.page(Query(table).select(primary_id).top(1))
    except Forbidden as e:
        return Finding(
            f"privileges on {table}",
            f"{who} may not read {table}" + (f" (missing {e.privilege})." if e.privilege else "."),
            "Give it a security role that may do with this table what people shall do; each person needs it, too.",
        )
    except CrmError as e:
        return Finding(f"privileges on {table}", e.message, "Is the app that brings this table installed?")
    return None


async def _impersonation(dataverse: Dataverse, app: Session, me: UUID) -> Finding:
    """Act as somebody and ask who that is: nothing else proves the privilege and the header at once."""
    entra, disabled = USER.entra_id.logical, USER.disabled.logical
    known = col(entra) != None  # noqa: E711  becomes a condition
    enabled = col(disabled) == False  # noqa: E712
    query = Query(USER.logical).select(USER.primary_id, entra, disabled).where(known, enabled)
    try:
        rows = (await app.page(query.top(5))).rows
        somebody = next((r for r in rows if r.ref.id != me), None)
        if somebody is None:
            return Finding("impersonation", "No other enabled user has an Entra id.", "Add people to the environment.")
        return await _acted(dataverse, somebody)
    except Forbidden as e:
        return Finding(
            "impersonation",
            f"The application user may not act for people: {e.message}",
            "Give it the role Delegate (prvActOnBehalfOfAnotherUser).",
        )
    except CrmError as e:
        return Finding("impersonation", e.message, "Try again; the checks above say more if it persists.")


async def _acted(dataverse: Dataverse, person: Row) -> Finding:
    seen = await dataverse.acting_as(Impersonated(UUID(str(person[USER.entra_id.logical])))).who_am_i()
    if str(seen) != str(person.ref.id):
        return Finding(
            "impersonation",
            "A call for a person was made as somebody else.",
            "A proxy in between may drop the header CallerObjectId; nothing must be served before it passes.",
        )
    return Finding("impersonation", note="calls run as the person named")
