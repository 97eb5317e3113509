"""Cases: what customers need help with."""

from typing import Annotated

from commands.context import Context
from commands.fields import ChoiceWord, Day, Email, Instant, Integer, Memo, Reference, Text
from commands.operation import Accepts
from crm.actions import CASE_RESOLUTION, ActionCall, resolve_case
from crm.lifecycle import State
from crm.records import Json, Ref
from crm.tables import CASE

from .customers import CustomerOf
from .lifecycle import Act, SetState
from .lists import List, Search
from .records import Create, Get, OneRecord, Update, Writes


class Case(CustomerOf, Writes):
    """What can be said about a case."""

    title: Annotated[Text | None, CASE.title, Accepts("subject", "topic")] = None
    """What is wrong, in one line."""
    customer: Annotated[Reference | None, CASE.customer, Accepts("account", "company", "account_id")] = None
    """Whose case it is: an account or a contact, by name, e-mail address, id or address in Dynamics."""
    contact: Annotated[Reference | None, CASE.contact, Accepts("contact_id", "person")] = None
    """Whom to talk to; alone, this is the customer."""
    priority: Annotated[ChoiceWord | None, CASE.priority, Accepts("prio")] = None
    """How urgent it is: high, normal or low."""
    origin: Annotated[ChoiceWord | None, CASE.origin, Accepts("source")] = None
    """How it reached us: phone, email or web."""
    type: Annotated[ChoiceWord | None, CASE.case_type] = None
    """Question, problem or request."""
    description: Annotated[Memo | None, CASE.description, Accepts("text")] = None
    """The whole story, in as many lines as it takes."""
    product: Annotated[Reference | None, CASE.product] = None
    """Which product it is about."""
    serial_number: Annotated[Text | None, CASE.serial_number, Accepts("serial")] = None
    """Serial number of the product."""
    email: Annotated[Email | None, CASE.email] = None
    """Where to write to about it."""
    follow_up: Annotated[Day | None, CASE.follow_up, Accepts("follow")] = None
    """When to look at it again."""
    resolve_by: Annotated[Instant | None, CASE.resolve_by, Accepts("due")] = None
    """When it must be solved."""
    parent: Annotated[Reference | None, CASE.parent] = None
    """The case that this one belongs to."""
    owner: Annotated[Reference | None, CASE.owner] = None
    """Who looks after it: a name, an e-mail address or me."""


class OneCase(OneRecord):
    """Says which case."""

    record: Annotated[Reference, CASE.id, Accepts("case", "case_id", "id", "number")]
    """Which case: its number, title, id or address in Dynamics, or it."""


class CreateCase(
    Create,
    Case,
    verb="case create",
    table=CASE,
    slug="DYNAMICS365_DYNAMICSCRM_CREATE_CASE",
    example="case create 'Printer on fire' account='Contoso' priority=high",
    words="title",
):
    """Open a case for a customer."""


class UpdateCase(
    OneCase, Update, Case, verb="case update", table=CASE, example="case update CAS-01002 priority=low", words="record"
):
    """Change a case."""

    status: Annotated[ChoiceWord | None, CASE.status] = None
    """Status reason, like waiting for details."""


class GetCase(OneCase, Get, verb="case get", table=CASE, example="case show CAS-01001", words="record"):
    """Show a case."""


class ListCases(List, verb="case list", table=CASE, example="case list open priority=high mine", words="where"):
    """List cases."""


class SearchCases(Search, verb="case search", table=CASE, example="case search printer", words="text"):
    """Find cases by a part of a title or number."""


class ResolveCase(
    OneCase,
    Act,
    verb="case resolve",
    table=CASE,
    example="case resolve CAS-01004 'Sent the manual'",
    words=("record", "resolution"),
):
    """Resolve a case."""

    leaves = State.RESOLVED
    done = "Case resolved."
    makes = (CASE_RESOLUTION,)

    resolution: Annotated[Text, Accepts("how", "subject")]
    """What solved it, in one line."""
    minutes: Annotated[Integer | None, Accepts("time", "timespent")] = None
    """Time spent, in minutes."""
    reason: ChoiceWord | None = None
    """Problem solved or information provided."""
    details: Annotated[Memo | None, Accepts("description")] = None
    """The whole story, in as many lines as it takes."""

    async def call(self, ctx: Context, ref: Ref) -> ActionCall:
        """Close as resolved."""
        status = await self.status(ctx, self.reason)
        return resolve_case(ref, status, subject=self.resolution, minutes=self.minutes, description=self.details)

    def remarks(self, answer: Json) -> tuple[str, ...]:
        """What solved it."""
        del answer
        return (self.resolution,)


class ReopenCase(OneCase, SetState, verb="case reopen", table=CASE, example="case reopen CAS-01011", words="record"):
    """Open a resolved or canceled case again."""

    leaves = State.OPEN
    done = "Case reopened."


class CancelCase(OneCase, SetState, verb="case cancel", table=CASE, example="case cancel CAS-01008", words="record"):
    """Cancel a case that needs no answer."""

    leaves = State.CANCELED
    done = "Case canceled."
