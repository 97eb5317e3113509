"""Accounts: companies."""

from typing import Annotated

from commands.fields import Amount, ChoiceWord, Email, Integer, Memo, Phone, Reference, Text, WebAddress, YesNo
from commands.operation import Accepts
from crm.tables import ACCOUNT

from .lists import List, Search
from .records import Create, Get, OneRecord, Update, Writes


class Account(Writes):
    """What can be said about an account."""

    name: Annotated[Text | None, ACCOUNT.name, Accepts("company")] = None
    """The company's name."""
    number: Annotated[Text | None, ACCOUNT.number_text] = None
    """Its account number."""
    phone: Annotated[Phone | None, ACCOUNT.phone, Accepts("tel")] = None
    """Main phone."""
    email: Annotated[Email | None, ACCOUNT.email, Accepts("mail")] = None
    """E-mail address."""
    website: Annotated[WebAddress | None, ACCOUNT.website, Accepts("url")] = None
    """Web address."""
    industry: Annotated[ChoiceWord | None, ACCOUNT.industry] = None
    """Line of business."""
    category: Annotated[ChoiceWord | None, ACCOUNT.category] = None
    """Preferred customer or standard."""
    relationship: Annotated[ChoiceWord | None, ACCOUNT.relationship, Accepts("type")] = None
    """Customer, partner, supplier and so on."""
    revenue: Annotated[Amount | None, ACCOUNT.revenue] = None
    """Annual revenue: €1.5m."""
    employees: Annotated[Integer | None, ACCOUNT.employees] = None
    """How many people work there."""
    credit_limit: Annotated[Amount | None, ACCOUNT.credit_limit] = None
    """How much credit it has."""
    credit_hold: Annotated[YesNo | None, ACCOUNT.credit_hold] = None
    """Whether it gets no more credit: yes or no."""
    street: Annotated[Text | None, ACCOUNT.street] = None
    """Street and house number."""
    postal_code: Annotated[Text | None, ACCOUNT.postal_code, Accepts("zip")] = None
    """Postal code."""
    city: Annotated[Text | None, ACCOUNT.city] = None
    """City."""
    state: Annotated[Text | None, ACCOUNT.state_or_province, Accepts("province")] = None
    """State or province."""
    country: Annotated[Text | None, ACCOUNT.country] = None
    """Country."""
    parent: Annotated[Reference | None, ACCOUNT.parent] = None
    """The company that it belongs to."""
    primary_contact: Annotated[Reference | None, ACCOUNT.primary_contact, Accepts("contact")] = None
    """Whom to talk to there."""
    description: Annotated[Memo | None, ACCOUNT.description] = None
    """Anything else, in as many lines as it takes."""
    currency: Annotated[Reference | None, ACCOUNT.currency] = None
    """Currency of the amounts: EUR."""
    owner: Annotated[Reference | None, ACCOUNT.owner] = None
    """Who looks after it: a name, an e-mail address or me."""


class OneAccount(OneRecord):
    """Says which account."""

    record: Annotated[Reference, ACCOUNT.id, Accepts("account", "account_id", "id")]
    """Which account: its name, number, id or address in Dynamics, or it."""


class CreateAccount(
    Create,
    Account,
    verb="account create",
    table=ACCOUNT,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_ACCOUNT",
    example="account create 'Fabrikam Robotics' revenue=5000000 category=standard credit_hold=no",
    words="name",
):
    """Create an account."""


class UpdateAccount(
    OneAccount,
    Update,
    Account,
    verb="account update",
    table=ACCOUNT,
    example="account update 'Wingtip Toys' phone='+1 555 0100' city=Berlin",
    words="record",
):
    """Change an account."""


class GetAccount(OneAccount, Get, verb="account get", table=ACCOUNT, example="account show 'Contoso'", words="record"):
    """Show an account."""


class ListAccounts(List, verb="account list", table=ACCOUNT, example="account list city=Berlin mine", words="where"):
    """List accounts."""


class SearchAccounts(Search, verb="account search", table=ACCOUNT, example="account search contoso", words="text"):
    """Find accounts by a part of a name, number, city or e-mail address."""
