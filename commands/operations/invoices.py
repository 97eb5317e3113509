"""Invoices: what customers have to pay."""

from typing import Annotated

from commands.fields import Amount, ChoiceWord, Deadline, Memo, PastDay, Reference, Text
from commands.operation import Accepts
from crm.tables import INVOICE

from .lists import List, Search
from .pricing import Priced
from .records import Create, Get, OneRecord, Update


class Invoice(Priced):
    """What can be said about an invoice."""

    name: Annotated[Text | None, INVOICE.name, Accepts("title")] = None
    """What it is for, in one line."""
    customer: Annotated[
        Reference | None, INVOICE.customer, Accepts("account", "company", "account_id", "contact", "contact_id")
    ] = None
    """Who pays: an account or a contact, by name, e-mail address, id or address in Dynamics."""
    price_list: Annotated[Reference | None, INVOICE.price_list, Accepts("price_level_id")] = None
    """Price list of its products; the only one there is needs no mention."""
    currency: Annotated[Reference | None, INVOICE.currency, Accepts("currency_id")] = None
    """Currency of the amounts: EUR."""
    discount: Annotated[Amount | None, INVOICE.discount] = None
    """Discount on the whole invoice, as an amount."""
    freight: Annotated[Amount | None, INVOICE.freight] = None
    """What the freight costs."""
    due: Annotated[Deadline | None, INVOICE.due] = None
    """When it must be paid."""
    delivered: Annotated[PastDay | None, INVOICE.delivered] = None
    """When the goods were delivered."""
    payment_terms: Annotated[ChoiceWord | None, INVOICE.payment_terms] = None
    """When to pay: Net 30, Net 45 and so on."""
    order: Annotated[Reference | None, INVOICE.order] = None
    """The order that it belongs to."""
    description: Annotated[Memo | None, INVOICE.description] = None
    """Anything else, in as many lines as it takes."""
    owner: Annotated[Reference | None, INVOICE.owner] = None
    """Who looks after it: a name, an e-mail address or me."""


class OneInvoice(OneRecord):
    """Says which invoice."""

    record: Annotated[Reference, INVOICE.id, Accepts("invoice", "invoice_id", "id", "number")]
    """Which invoice: its number, name, id or address in Dynamics, or it."""


class CreateInvoice(
    Create,
    Invoice,
    verb="invoice create",
    table=INVOICE,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_INVOICE",
    example="invoice create 'Invoice #12345' account='Contoso' currency=USD due='30 Jun 2027'",
    words="name",
):
    """Create an invoice."""


class UpdateInvoice(
    OneInvoice,
    Update,
    Invoice,
    verb="invoice update",
    table=INVOICE,
    example="invoice update INV-01002 due=2027-07-31",
    words="record",
):
    """Change an invoice."""

    status: Annotated[ChoiceWord | None, INVOICE.status] = None
    """Status reason, like billed."""


class GetInvoice(OneInvoice, Get, verb="invoice get", table=INVOICE, example="invoice show INV-01001", words="record"):
    """Show an invoice."""


class ListInvoices(List, verb="invoice list", table=INVOICE, example="invoice list due<30d sort=due", words="where"):
    """List invoices."""


class SearchInvoices(Search, verb="invoice search", table=INVOICE, example="invoice search grinders", words="text"):
    """Find invoices by a part of a name or number."""
