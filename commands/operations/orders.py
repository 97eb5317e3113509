"""Orders: what customers bought."""

from typing import Annotated

from commands.context import Context
from commands.fields import Amount, ChoiceWord, Deadline, Memo, Percent, Reference, Text
from commands.operation import Accepts
from commands.record_cards import look
from commands.request import Reply
from crm.actions import ORDER_CLOSE, ActionCall, cancel_order, fulfil_order, invoice_order, invoices_of
from crm.lifecycle import State
from crm.records import Ref
from crm.tables import INVOICE, ORDER

from .lifecycle import Act
from .lists import List, Search
from .pricing import Priced
from .records import Create, Get, OneRecord, Update, reads


class Order(Priced):
    """What can be said about an order."""

    name: Annotated[Text | None, ORDER.name, Accepts("title")] = None
    """What was ordered, in one line."""
    customer: Annotated[
        Reference | None, ORDER.customer, Accepts("account", "company", "account_id", "contact", "contact_id")
    ] = None
    """Who ordered: an account or a contact, by name, e-mail address, id or address in Dynamics."""
    price_list: Annotated[Reference | None, ORDER.price_list, Accepts("price_level_id")] = None
    """Price list of its products; the only one there is needs no mention."""
    currency: Annotated[Reference | None, ORDER.currency, Accepts("currency_id")] = None
    """Currency of the amounts: EUR."""
    discount: Annotated[Amount | None, ORDER.discount] = None
    """Discount on the whole order, as an amount."""
    discount_percent: Annotated[Percent | None, ORDER.discount_percent] = None
    """Discount on the whole order, in percent."""
    freight: Annotated[Amount | None, ORDER.freight] = None
    """What the freight costs."""
    delivery_by: Annotated[Deadline | None, ORDER.delivery_by, Accepts("deliver")] = None
    """When it must be delivered."""
    payment_terms: Annotated[ChoiceWord | None, ORDER.payment_terms] = None
    """When to pay: Net 30, Net 45 and so on."""
    opportunity: Annotated[Reference | None, ORDER.opportunity] = None
    """The opportunity that it came from."""
    description: Annotated[Memo | None, ORDER.description] = None
    """Anything else, in as many lines as it takes."""
    owner: Annotated[Reference | None, ORDER.owner] = None
    """Who looks after it: a name, an e-mail address or me."""


class OneOrder(OneRecord):
    """Says which order."""

    record: Annotated[Reference, ORDER.id, Accepts("order", "salesorder_id", "order_id", "id", "number")]
    """Which order: its number, name, id or address in Dynamics, or it."""


class CreateOrder(
    Create,
    Order,
    verb="order create",
    table=ORDER,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_SALES_ORDER",
    example="order create 'Ten machines' account='Contoso' currency=USD",
    words="name",
):
    """Create an order."""


class UpdateOrder(
    OneOrder,
    Update,
    Order,
    verb="order update",
    table=ORDER,
    slug="DYNAMICS365_DYNAMICSCRM_UPDATE_SALES_ORDER",
    example="order update ORD-01003 discount=500 freight=49.90",
    words="record",
):
    """Change an order."""

    status: Annotated[ChoiceWord | None, ORDER.status] = None
    """Status reason: new or pending."""


class GetOrder(OneOrder, Get, verb="order get", table=ORDER, example="order show ORD-01001", words="record"):
    """Show an order."""


class ListOrders(List, verb="order list", table=ORDER, example="order list open customer='Contoso'", words="where"):
    """List orders."""


class SearchOrders(Search, verb="order search", table=ORDER, example="order search grinders", words="text"):
    """Find orders by a part of a name or number."""


class FulfilOrder(OneOrder, Act, verb="order fulfil", table=ORDER, example="order fulfil ORD-01004", words="record"):
    """Mark an order as fulfilled."""

    leaves = State.FULFILLED
    done = "Order fulfilled."
    makes = (ORDER_CLOSE,)

    how: Annotated[ChoiceWord | None, Accepts("reason")] = None
    """Complete or partial."""

    async def call(self, ctx: Context, ref: Ref) -> ActionCall:
        """Fulfil."""
        return fulfil_order(ref, await self.status(ctx, self.how), subject="Order fulfilled")


class CancelOrder(OneOrder, Act, verb="order cancel", table=ORDER, example="order cancel ORD-01005", words="record"):
    """Cancel an order."""

    leaves = State.CANCELED
    done = "Order canceled."
    makes = (ORDER_CLOSE,)

    reason: Text | None = None
    """Why, in a few words."""

    async def call(self, ctx: Context, ref: Ref) -> ActionCall:
        """Cancel."""
        return cancel_order(ref, await self.status(ctx), subject=self.reason or "Order canceled")


class InvoiceOrder(OneOrder, Act, verb="order invoice", table=ORDER, example="order invoice ORD-01002", words="record"):
    """Make an invoice from an order."""

    leaves = State.INVOICED
    done = "Invoice created from the order."
    makes = (INVOICE.logical,)

    async def run(self, ctx: Context) -> Reply:
        """One request: the action, and the invoice that it made."""
        order = await self.subject(ctx)
        seen = await look(ctx, INVOICE.logical)
        return Reply(card=seen.record(await invoice_order(ctx.crm, order, reads(seen)), notes=[self.done]))

    async def landed(self, ctx: Context) -> Reply | None:
        """The invoice of this order, if there is one now."""
        order = await self.subject(ctx)
        seen = await look(ctx, INVOICE.logical)
        made = (await ctx.crm.page(invoices_of(order, reads(seen)))).rows
        return Reply(card=seen.record(made[0], notes=[self.done])) if made else None
