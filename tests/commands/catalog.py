"""A small catalog of its own for the grammar's tests: every kind of field, every way words are used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import Field

from commands.fields import (
    Amount,
    ChoiceWord,
    Columns,
    Day,
    Email,
    Instant,
    Integer,
    Memo,
    Number,
    Phone,
    RawOData,
    Reference,
    Text,
    WebAddress,
    YesNo,
)
from commands.filters import Filter
from commands.operation import CATALOG, Accepts, Effect, Operation
from crm.tables import ACCOUNT, CASE, LEAD, OPPORTUNITY


@contextmanager
def only_these() -> Iterator[None]:
    """The process's catalog holds the operations below and nothing else, until the end of the block."""
    before = dict(CATALOG)
    CATALOG.clear()
    CATALOG.update(OURS)
    try:
        yield
    finally:
        CATALOG.clear()
        CATALOG.update(before)


_BEFORE = dict(CATALOG)
CATALOG.clear()


class CreateLead(
    Operation,
    verb="lead create",
    effect=Effect.WRITE,
    table=LEAD,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_LEAD",
    example="lead create Jane Smith company='Acme Corp'",
    words="name",
):
    """Create a lead."""

    first_name: Annotated[Text | None, LEAD.first_name] = None
    """Given name."""
    last_name: Annotated[Text | None, LEAD.last_name] = None
    """Family name."""
    email: Annotated[Email | None, LEAD.email] = None
    """E-mail address."""
    phone: Annotated[Phone | None, LEAD.phone] = None
    """Phone."""
    company: Annotated[Text | None, LEAD.company] = None
    """Company."""
    topic: Annotated[Text | None, LEAD.topic] = None
    """What they are interested in."""
    website: Annotated[WebAddress | None, LEAD.website] = None
    """Web site."""
    job_title: Annotated[Text | None, LEAD.job_title] = None
    """Job title."""
    budget: Annotated[Amount | None, LEAD.budget] = None
    """Budget."""
    description: Annotated[Memo | None, LEAD.description] = None
    """More."""
    columns: Columns = Field(default_factory=dict)
    """Further columns."""


class CreateCase(
    Operation,
    verb="case create",
    effect=Effect.WRITE,
    table=CASE,
    example="case create 'Printer on fire'",
    words="title",
    also=("report problem",),
):
    """Open a case for a customer."""

    title: Annotated[Text, CASE.title]
    """What is wrong, in one line."""
    description: Annotated[Memo | None, CASE.description] = None
    """The whole story."""
    account: Annotated[Reference | None, CASE.customer, Accepts("account_id")] = None
    """The customer."""
    priority: Annotated[ChoiceWord | None, CASE.priority] = None
    """How urgent it is."""
    follow_up: Annotated[Day | None, CASE.follow_up] = None
    """When to look at it again."""
    resolve_by: Annotated[Instant | None, CASE.resolve_by] = None
    """When it must be done."""
    columns: Columns = Field(default_factory=dict)
    """Further columns."""


class GetCase(Operation, verb="case get", table=CASE, example="case get CAS-01042", words="record"):
    """Show a case."""

    record: Annotated[Reference, CASE.id, Accepts("case_id", "id")]
    """Which case."""


class ListCases(Operation, verb="case list", table=CASE, example="case list priority=high mine", words="where"):
    """List cases."""

    where: Annotated[Filter | None, Accepts("conditions")] = None
    """Conditions."""
    sort: Text | None = None
    """Sort by."""
    top: Integer = 10
    """How many."""
    filter: RawOData | None = None
    """Raw OData."""
    select: RawOData | None = None
    """Raw columns."""
    orderby: RawOData | None = None
    """Raw order."""


class NoteCase(
    Operation,
    verb="case note",
    effect=Effect.WRITE,
    table=CASE,
    example="case note CAS-01042 called back",
    words=("record", "note"),
):
    """Add a note to a case."""

    record: Annotated[Reference, CASE.id, Accepts("case_id", "id")]
    """Which case."""
    note: Memo
    """What to note."""


class UpdateOpportunity(
    Operation,
    verb="opportunity update",
    effect=Effect.WRITE,
    table=OPPORTUNITY,
    example="opportunity update Acme value=250k",
    words="record",
):
    """Change an opportunity."""

    record: Annotated[Reference, OPPORTUNITY.id, Accepts("opportunity_id", "id")]
    """Which opportunity."""
    value: Annotated[Amount | None, OPPORTUNITY.estimated_value] = None
    """How much it may bring."""
    close: Annotated[Day | None, OPPORTUNITY.estimated_close] = None
    """When it may close."""
    probability: Annotated[Integer | None, OPPORTUNITY.probability] = None
    """In percent."""
    share: Annotated[Number | None, Accepts("our_share")] = None
    """Our share."""


class CreateAccount(
    Operation,
    verb="account create",
    effect=Effect.WRITE,
    table=ACCOUNT,
    example="account create Contoso",
    words="name",
):
    """Create an account."""

    name: Annotated[Text, ACCOUNT.name]
    """Its name."""
    credit_hold: Annotated[YesNo | None, ACCOUNT.credit_hold] = None
    """No more credit."""


class Search(Operation, verb="search", example="search contoso", words="text"):
    """Search everything."""

    text: Text
    """What to look for."""


class Recent(Operation, verb="recent", example="recent"):
    """What I looked at last."""


OURS = dict(CATALOG)
CATALOG.clear()
CATALOG.update(_BEFORE)
