"""Whose case a message is: its author's e-mail address, or the company that owns the address's domain.

Nobody is guessed from a domain where everybody may have an address, nor from the organisation's own.
"""

from dataclasses import dataclass
from typing import Final

from commands.context import Context
from commands.request import Message
from crm.batch import Batch, Part, Result
from crm.errors import NotFound
from crm.lifecycle import State, state_number
from crm.query import Query, col
from crm.records import Ref, Row
from crm.tables import ACCOUNT, CONTACT, USER

_FREE_MAIL = """
    gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com ymail.com aol.com icloud.com me.com
    mac.com proton.me protonmail.com pm.me gmx.com gmx.net gmx.de gmx.at gmx.ch web.de t-online.de freenet.de mail.com
    mail.ru yandex.ru yandex.com rambler.ru bk.ru list.ru inbox.ru qq.com 163.com 126.com foxmail.com sina.com
    naver.com daum.net hanmail.net orange.fr wanadoo.fr free.fr laposte.net sfr.fr libero.it virgilio.it tiscali.it
    wp.pl o2.pl onet.pl interia.pl seznam.cz abv.bg ukr.net zoho.com fastmail.com hey.com tutanota.com tuta.com
    hotmail.co.uk hotmail.de hotmail.fr hotmail.it live.de live.co.uk outlook.de outlook.fr yahoo.co.uk yahoo.de
    yahoo.fr yahoo.it yahoo.co.jp yahoo.co.in yahoo.com.br btinternet.com sky.com comcast.net verizon.net att.net
    bluewin.ch rediffmail.com uol.com.br bol.com.br terra.com.br
"""
FREE_MAIL: Final = frozenset(_FREE_MAIL.split())
"""Domains where everybody may have an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """References as text; empty where nothing is sure. `case`: what the message has become already."""

    customer: str = ""
    contact: str = ""
    case: Row | None = None


async def guess(ctx: Context, message: Message, case: Ref, columns: list[str]) -> Guess:
    """In one request: is there this case already, and if not, who is its customer? Raises CrmError."""
    batch = Batch()
    existing = batch.get(case, select=columns)
    email = message.author.email.strip().casefold()
    domain = email.rpartition("@")[2]
    asks: dict[str, Part] = {}
    if domain:
        asks["contact"] = batch.page(_contact(email))
        asks["colleague"] = batch.page(_colleagues(domain))
        if domain not in FREE_MAIL:
            asks["account"] = batch.page(_accounts(domain))
    results = await ctx.crm.batch(batch, continue_on_error=True)
    found = _existing(results[existing])
    if found or not asks:
        return Guess(case=found)
    contacts = results[asks["contact"]].rows()
    if len(contacts) == 1:
        company = contacts[0].lookup(CONTACT.company.logical)
        account = company.path(ACCOUNT.entity_set) if company and company.table == ACCOUNT.logical else ""
        return Guess(customer=account, contact=contacts[0].ref.path(CONTACT.entity_set))
    if contacts or "account" not in asks or results[asks["colleague"]].rows():
        return Guess()
    accounts = results[asks["account"]].rows()
    return Guess(customer=accounts[0].ref.path(ACCOUNT.entity_set)) if len(accounts) == 1 else Guess()


def _existing(result: Result) -> Row | None:
    try:
        return result.row()
    except NotFound:
        return None


def _contact(email: str) -> Query:
    active = col("statecode") == state_number(CONTACT.logical, State.OPEN)
    by_email = col(CONTACT.email.logical) == email
    return (
        Query(CONTACT.logical).select(CONTACT.full_name.logical, CONTACT.company.logical).where(active, by_email).top(2)
    )


def _colleagues(domain: str) -> Query:
    return Query(USER.logical).select(USER.email.logical).where(col(USER.email.logical).endswith(f"@{domain}")).top(1)


def _accounts(domain: str) -> Query:
    active = col("statecode") == state_number(ACCOUNT.logical, State.OPEN)
    website = col(ACCOUNT.website.logical)
    theirs = (
        col(ACCOUNT.email.logical).endswith(f"@{domain}")
        | website.endswith(f"//{domain}")
        | website.contains(f"//{domain}/")
        | website.endswith(f".{domain}")
        | website.contains(f".{domain}/")
    )
    return Query(ACCOUNT.logical).select(ACCOUNT.name.logical).where(active, theirs).top(2)
