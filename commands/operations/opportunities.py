"""Opportunities: sales that may happen."""

from typing import Annotated

from commands.context import Context
from commands.fields import Amount, ChoiceWord, Deadline, Memo, PastDay, Reference, Text, WholePercent
from commands.operation import Accepts
from crm.actions import OPPORTUNITY_CLOSE, ActionCall, close_opportunity
from crm.lifecycle import State
from crm.records import Ref
from crm.tables import OPPORTUNITY

from .customers import CustomerOf
from .lifecycle import Act
from .lists import List, Search
from .records import Create, Get, OneRecord, Update, Writes


class Opportunity(CustomerOf, Writes):
    """What can be said about an opportunity."""

    name: Annotated[Text | None, OPPORTUNITY.name, Accepts("title", "topic")] = None
    """What may be sold, in one line."""
    customer: Annotated[
        Reference | None, OPPORTUNITY.customer, Accepts("account", "company", "account_id", "customer_account_id")
    ] = None
    """Who may buy: an account or a contact, by name, e-mail address, id or address in Dynamics."""
    contact: Annotated[Reference | None, OPPORTUNITY.contact, Accepts("contact_id", "customer_contact_id")] = None
    """Whom to talk to; alone, this is the customer."""
    value: Annotated[Amount | None, OPPORTUNITY.estimated_value, Accepts("amount")] = None
    """What it may bring: 250k."""
    close_date: Annotated[Deadline | None, OPPORTUNITY.estimated_close, Accepts("close", "closes")] = None
    """When it may close: 2026-09-30 or end of quarter."""
    probability: Annotated[WholePercent | None, OPPORTUNITY.probability] = None
    """How likely it is, in percent."""
    rating: Annotated[ChoiceWord | None, OPPORTUNITY.rating] = None
    """How promising it is: hot, warm or cold."""
    stage: Annotated[ChoiceWord | None, OPPORTUNITY.stage] = None
    """Sales stage: qualify, develop, propose or close."""
    process_code: Annotated[ChoiceWord | None, OPPORTUNITY.process_code] = None
    """Process code; most organisations have one only. The stage is in stage."""
    budget: Annotated[Amount | None, OPPORTUNITY.budget] = None
    """The customer's budget."""
    price_list: Annotated[Reference | None, OPPORTUNITY.price_list, Accepts("price_level_id")] = None
    """Price list of its products."""
    description: Annotated[Memo | None, OPPORTUNITY.description] = None
    """Anything else, in as many lines as it takes."""
    currency: Annotated[Reference | None, OPPORTUNITY.currency, Accepts("currency_id")] = None
    """Currency of the amounts: EUR."""
    owner: Annotated[Reference | None, OPPORTUNITY.owner] = None
    """Who looks after it: a name, an e-mail address or me."""


class OneOpportunity(OneRecord):
    """Says which opportunity."""

    record: Annotated[Reference, OPPORTUNITY.id, Accepts("opportunity", "opportunity_id", "id")]
    """Which opportunity: its name, id or address in Dynamics, or it."""


class CreateOpportunity(
    Create,
    Opportunity,
    verb="opportunity create",
    table=OPPORTUNITY,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_OPPORTUNITY",
    example="opportunity create 'Canteen in Berlin' account='Contoso' value=250k close_date=2027-06-30",
    words="name",
):
    """Create an opportunity."""

    name: Annotated[Text, OPPORTUNITY.name, Accepts("title", "topic")]
    """What may be sold, in one line."""


class UpdateOpportunity(
    OneOpportunity,
    Update,
    Opportunity,
    verb="opportunity update",
    table=OPPORTUNITY,
    slug="DYNAMICS365_DYNAMICSCRM_UPDATE_OPPORTUNITY",
    example="opportunity update 'Warehouse canteen' rating=hot value=300000 stage=propose",
    words="record",
):
    """Change an opportunity."""

    status: Annotated[ChoiceWord | None, OPPORTUNITY.status] = None
    """Status reason: in progress or on hold."""


class GetOpportunity(
    OneOpportunity,
    Get,
    verb="opportunity get",
    table=OPPORTUNITY,
    example="opportunity show 'Second workshop'",
    words="record",
):
    """Show an opportunity."""


class ListOpportunities(
    List,
    verb="opportunity list",
    table=OPPORTUNITY,
    example="opportunity list open value>100k sort=-value mine",
    words="where",
):
    """List opportunities."""


class SearchOpportunities(
    Search, verb="opportunity search", table=OPPORTUNITY, example="opportunity search machines", words="text"
):
    """Find opportunities by a part of a name."""


class WinOpportunity(
    OneOpportunity,
    Act,
    verb="opportunity win",
    table=OPPORTUNITY,
    example="opportunity win 'Second workshop' revenue=240000",
    words="record",
):
    """Close an opportunity as won."""

    leaves = State.WON
    done = "Opportunity won."
    makes = (OPPORTUNITY_CLOSE,)

    revenue: Annotated[Amount | None, Accepts("value", "amount", "actualvalue")] = None
    """What it brought; without it, what was estimated."""
    on: Annotated[PastDay | None, OPPORTUNITY.actual_close, Accepts("closed")] = None
    """When it was won; without it, today."""
    note: Memo | None = None
    """What there is to say about it."""

    async def call(self, ctx: Context, ref: Ref) -> ActionCall:
        """Close as won."""
        return close_opportunity(
            ref,
            await self.status(ctx),
            won=True,
            subject="Opportunity won",
            revenue=self.revenue.value if self.revenue else None,
            on=self.on,
            description=self.note,
        )


class LoseOpportunity(
    OneOpportunity,
    Act,
    verb="opportunity lose",
    table=OPPORTUNITY,
    example="opportunity lose 'Care plans 50 machines' reason=out-sold",
    words="record",
):
    """Close an opportunity as lost."""

    leaves = State.LOST
    done = "Opportunity lost."
    makes = (OPPORTUNITY_CLOSE,)

    reason: ChoiceWord | None = None
    """Why: canceled or out-sold."""
    on: Annotated[PastDay | None, OPPORTUNITY.actual_close, Accepts("closed")] = None
    """When it was lost; without it, today."""
    note: Memo | None = None
    """What there is to say about it."""

    async def call(self, ctx: Context, ref: Ref) -> ActionCall:
        """Close as lost."""
        status = await self.status(ctx, self.reason)
        return close_opportunity(ref, status, won=False, subject="Opportunity lost", on=self.on, description=self.note)
