"""Contacts: people."""

from typing import Annotated

from commands.fields import ChoiceWord, Email, Memo, PastDay, Phone, Reference, Text
from commands.operation import Accepts
from crm.tables import CONTACT

from .lists import List, Search
from .records import Create, Get, OneRecord, Update, Writes


class Contact(Writes):
    """What can be said about a contact."""

    first_name: Annotated[Text | None, CONTACT.first_name, Accepts("first")] = None
    """First name."""
    last_name: Annotated[Text | None, CONTACT.last_name, Accepts("last", "surname")] = None
    """Last name."""
    company: Annotated[Reference | None, CONTACT.company, Accepts("account", "account_id")] = None
    """The company they belong to."""
    job_title: Annotated[Text | None, CONTACT.job_title, Accepts("job", "role")] = None
    """What they do there."""
    department: Annotated[Text | None, CONTACT.department] = None
    """Department."""
    email: Annotated[Email | None, CONTACT.email, Accepts("mail")] = None
    """E-mail address."""
    phone: Annotated[Phone | None, CONTACT.phone, Accepts("tel")] = None
    """Business phone."""
    mobile: Annotated[Phone | None, CONTACT.mobile] = None
    """Mobile phone."""
    birthday: Annotated[PastDay | None, CONTACT.birthday] = None
    """Birthday."""
    preferred_contact: Annotated[ChoiceWord | None, CONTACT.preferred_contact] = None
    """How they like to be reached: any, email, phone, fax or mail."""
    street: Annotated[Text | None, CONTACT.street] = None
    """Street and house number."""
    postal_code: Annotated[Text | None, CONTACT.postal_code, Accepts("zip")] = None
    """Postal code."""
    city: Annotated[Text | None, CONTACT.city] = None
    """City."""
    state: Annotated[Text | None, CONTACT.state_or_province, Accepts("province")] = None
    """State or province."""
    country: Annotated[Text | None, CONTACT.country] = None
    """Country."""
    description: Annotated[Memo | None, CONTACT.description] = None
    """Anything else, in as many lines as it takes."""
    owner: Annotated[Reference | None, CONTACT.owner] = None
    """Who looks after them: a name, an e-mail address or me."""


class OneContact(OneRecord):
    """Says which contact."""

    record: Annotated[Reference, CONTACT.id, Accepts("contact", "contact_id", "id")]
    """Which contact: a name, an e-mail address, an id, an address in Dynamics, or it."""


class CreateContact(
    Create,
    Contact,
    verb="contact create",
    table=CONTACT,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_CONTACT",
    example="contact create Ada Lovelace email=ada@example.com company='Contoso' job='Head of Analytics'",
    words="name",
):
    """Create a contact."""


class UpdateContact(
    OneContact,
    Update,
    Contact,
    verb="contact update",
    table=CONTACT,
    example="contact update maria.campbell@fabrikam.example mobile='+44 20 7946 0000'",
    words="record",
):
    """Change a contact."""


class GetContact(
    OneContact, Get, verb="contact get", table=CONTACT, example="contact show 'Yvonne McKay'", words="record"
):
    """Show a contact."""


class ListContacts(List, verb="contact list", table=CONTACT, example="contact list company='Contoso'", words="where"):
    """List contacts."""


class SearchContacts(Search, verb="contact search", table=CONTACT, example="contact search maria", words="text"):
    """Find contacts by a part of a name, e-mail address or phone number."""
