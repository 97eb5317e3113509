"""Leads: people or companies that may become customers."""

from typing import Annotated

from commands.context import Context
from commands.fields import (
    Amount,
    ChoiceWord,
    Deadline,
    Email,
    Integer,
    Memo,
    Phone,
    Reference,
    Text,
    WebAddress,
    YesNo,
)
from commands.operation import Accepts
from commands.views import VIEWS
from crm.actions import ActionCall, created_tables, qualify_lead
from crm.lifecycle import State
from crm.records import Json, Ref
from crm.tables import ACCOUNT, CONTACT, LEAD, OPPORTUNITY

from .lifecycle import Act, SetState
from .lists import List, Search
from .records import Create, Get, OneRecord, Update, Writes


class Lead(Writes):
    """What can be said about a lead."""

    topic: Annotated[Text | None, LEAD.topic, Accepts("title")] = None
    """What it is about, in one line."""
    first_name: Annotated[Text | None, LEAD.first_name, Accepts("first")] = None
    """First name."""
    last_name: Annotated[Text | None, LEAD.last_name, Accepts("last", "surname")] = None
    """Last name."""
    company: Annotated[Text | None, LEAD.company] = None
    """The company they work for."""
    job_title: Annotated[Text | None, LEAD.job_title, Accepts("job", "role")] = None
    """What they do there."""
    email: Annotated[Email | None, LEAD.email, Accepts("mail")] = None
    """E-mail address."""
    phone: Annotated[Phone | None, LEAD.phone, Accepts("tel")] = None
    """Business phone."""
    mobile: Annotated[Phone | None, LEAD.mobile] = None
    """Mobile phone."""
    website: Annotated[WebAddress | None, LEAD.website, Accepts("url")] = None
    """Web address."""
    rating: Annotated[ChoiceWord | None, LEAD.rating] = None
    """How promising it is: hot, warm or cold."""
    source: Annotated[ChoiceWord | None, LEAD.source] = None
    """Where it came from."""
    industry: Annotated[ChoiceWord | None, LEAD.industry] = None
    """Their line of business."""
    value: Annotated[Amount | None, LEAD.estimated_value] = None
    """What it may be worth: 250k."""
    close_date: Annotated[Deadline | None, LEAD.estimated_close, Accepts("close")] = None
    """When it may close."""
    budget: Annotated[Amount | None, LEAD.budget] = None
    """Their budget."""
    employees: Annotated[Integer | None, LEAD.employees] = None
    """How many people work there."""
    city: Annotated[Text | None, LEAD.city] = None
    """City."""
    country: Annotated[Text | None, LEAD.country] = None
    """Country."""
    description: Annotated[Memo | None, LEAD.description] = None
    """Anything else, in as many lines as it takes."""
    currency: Annotated[Reference | None, LEAD.currency] = None
    """Currency of the amounts: EUR."""
    owner: Annotated[Reference | None, LEAD.owner] = None
    """Who looks after it: a name, an e-mail address or me."""


class OneLead(OneRecord):
    """Says which lead."""

    record: Annotated[Reference, LEAD.id, Accepts("lead", "lead_id", "id")]
    """Which lead: a name, an e-mail address, an id, an address in Dynamics, or it."""


class CreateLead(
    Create,
    Lead,
    verb="lead create",
    table=LEAD,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_LEAD",
    example='lead create Jane Smith company="Acme Corp" email=jane.smith@example.com topic="Enterprise plan"',
    words="name",
):
    """Create a lead."""


class UpdateLead(
    OneLead,
    Update,
    Lead,
    verb="lead update",
    table=LEAD,
    slug="DYNAMICS365_DYNAMICSCRM_UPDATE_LEAD",
    example="lead update 'Luis Alverca' rating=hot phone='+1 555 0100'",
    words="record",
):
    """Change a lead."""

    status: Annotated[ChoiceWord | None, LEAD.status] = None
    """Status reason: new or contacted."""


class GetLead(
    OneLead,
    Get,
    verb="lead get",
    table=LEAD,
    slug="DYNAMICS365_DYNAMICSCRM_GET_A_LEAD",
    example="lead show 'Luis Alverca'",
    words="record",
):
    """Show a lead."""


class ListLeads(
    List,
    verb="lead list",
    table=LEAD,
    slug="DYNAMICS365_DYNAMICSCRM_GET_ALL_LEADS",
    example="lead list company~acme created>7d rating=hot mine sort=-created top=20",
    words="where",
):
    """List leads."""


class SearchLeads(Search, verb="lead search", table=LEAD, example="lead search acme", words="text"):
    """Find leads by a part of a name, company or e-mail address."""


class QualifyLead(
    OneLead, Act, verb="lead qualify", table=LEAD, example="lead qualify 'Dana Birkby' opportunity=yes", words="record"
):
    """Turn a lead into an account, a contact and an opportunity."""

    leaves = State.QUALIFIED
    done = "Lead qualified."
    makes = (ACCOUNT.logical, CONTACT.logical, OPPORTUNITY.logical)

    account: YesNo = True
    """Whether to create an account: yes or no."""
    contact: YesNo = True
    """Whether to create a contact: yes or no."""
    opportunity: YesNo = True
    """Whether to create an opportunity: yes or no."""

    async def call(self, ctx: Context, ref: Ref) -> ActionCall:
        """Qualify."""
        status = await self.status(ctx)
        return qualify_lead(ref, status, account=self.account, contact=self.contact, opportunity=self.opportunity)

    def remarks(self, answer: Json) -> tuple[str, ...]:
        """What was made of it."""
        made = [view.noun for table in created_tables(answer) if (view := VIEWS.get(table))]
        return (f"Created: {', '.join(made)}.",) if made else ()


class DisqualifyLead(
    OneLead,
    SetState,
    verb="lead disqualify",
    table=LEAD,
    example="lead disqualify 'Marta Kowalska' reason=lost",
    words="record",
):
    """Close a lead that leads nowhere."""

    leaves = State.DISQUALIFIED
    done = "Lead disqualified."

    reason: ChoiceWord | None = None
    """Why: lost, cannot contact, no longer interested or canceled."""

    def because(self) -> str | None:
        """The status reason that was named."""
        return self.reason


class ReopenLead(
    OneLead, SetState, verb="lead reopen", table=LEAD, example="lead reopen 'Marta Kowalska'", words="record"
):
    """Open a disqualified lead again."""

    leaves = State.OPEN
    done = "Lead reopened."
