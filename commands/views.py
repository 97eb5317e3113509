"""How each table looks to people: one declaration per table, read by cards, lists, searches and forms.

Labels, lengths, choices and required levels are not here: the organisation's metadata has them.
"""

from dataclasses import dataclass
from typing import Final

from crm.lifecycle import State
from crm.tables import (
    ACCOUNT,
    CASE,
    CONTACT,
    INVOICE,
    LEAD,
    OPPORTUNITY,
    ORDER,
    Column,
    Table,
)

from .cards import Tone

TONES: Final[dict[State, Tone]] = {
    State.OPEN: Tone.INFO,
    State.INACTIVE: Tone.NEUTRAL,
    State.QUALIFIED: Tone.GOOD,
    State.DISQUALIFIED: Tone.NEUTRAL,
    State.WON: Tone.GOOD,
    State.LOST: Tone.BAD,
    State.SUBMITTED: Tone.INFO,
    State.FULFILLED: Tone.GOOD,
    State.INVOICED: Tone.GOOD,
    State.CLOSED: Tone.NEUTRAL,
    State.PAID: Tone.GOOD,
    State.RESOLVED: Tone.GOOD,
    State.CANCELED: Tone.NEUTRAL,
}
"""How a state feels. The word always stands beside it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A button on a record card: the verb that it runs on this record."""

    label: str
    verb: str
    ask: bool = False
    """Open the verb's form first."""
    danger: str = ""
    """What cannot be undone, as the question to confirm; empty where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One table as people see it."""

    table: Table
    noun: str
    """The user's word: `case`."""
    plural: str
    sample: str
    """A record of the example data, as it is named in a command: `CAS-01001`."""
    title: Column
    """What a record is called."""
    number: Column | None = None
    """The number that people quote, where there is one."""
    lead_text: Column | None = None
    """Shown under the title, as text."""
    facts: tuple[Column, ...]
    """Key facts, in order; empty ones are left out."""
    wide: tuple[Column, ...] = ()
    """Long texts, after the facts."""
    listed: tuple[Column, ...]
    """Details of a row in a list, in one line."""
    searched: tuple[Column, ...]
    """Columns that free text is looked for in."""
    exact: tuple[Column, ...] = ()
    """Columns that name a record beside its title and number (e-mail addresses)."""
    related: tuple[Column, ...] = ()
    """Lookups that get a button to open their record."""
    steps: dict[State, tuple[Step, ...]]
    """What can be done in each state, the usual thing first."""
    form_columns: tuple[str, ...] = ()
    """Further columns, by logical name, that the settings put on its forms."""
    public: bool = False
    """Number, title and status may be shown to everyone in a conversation."""
    custom: bool = False
    """Of this organisation, found through metadata."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Logical names of all that a record card reads."""
        own = self.table.columns
        wanted = [
            self.title,
            self.number,
            self.lead_text,
            *self.facts,
            *self.wide,
            *self.related,
            *(own[c] for c in ("statecode", "statuscode", "createdon", "modifiedon", "ownerid") if c in own),
        ]
        return tuple(dict.fromkeys(c.logical for c in wanted if c))

    @property
    def list_columns(self) -> tuple[str, ...]:
        """Logical names of all that a row in a list reads."""
        own = self.table.columns
        wanted = [self.title, self.number, *self.listed, *(own[c] for c in ("statecode", "statuscode") if c in own)]
        return tuple(dict.fromkeys(c.logical for c in wanted if c))

    def named(self, word: str) -> str:
        """`Case` for the beginning of a sentence."""
        return word[:1].upper() + word[1:]


_EDIT = "Edit"


def _open(noun: str, *steps: Step) -> tuple[Step, ...]:
    return (
        *steps,
        Step(_EDIT, f"{noun} update", ask=True),
        Step("Add note", f"{noun} note", ask=True),
        Step("Assign", f"{noun} assign", ask=True),
    )


def _closed(noun: str, *steps: Step) -> tuple[Step, ...]:
    return (*steps, Step("Add note", f"{noun} note", ask=True))


def usual_steps(noun: str) -> dict[State, tuple[Step, ...]]:
    """Of a table that knows active and inactive records only."""
    return {State.OPEN: _open(noun), State.INACTIVE: _closed(noun)}


_VIEWS: Final = (
    View(
        table=LEAD,
        noun="lead",
        plural="leads",
        sample="'Luis Alverca'",
        title=LEAD.full_name,
        lead_text=LEAD.topic,
        facts=(
            LEAD.company,
            LEAD.job_title,
            LEAD.email,
            LEAD.phone,
            LEAD.mobile,
            LEAD.rating,
            LEAD.source,
            LEAD.estimated_value,
            LEAD.estimated_close,
            LEAD.budget,
            LEAD.city,
            LEAD.owner,
            LEAD.created,
        ),
        wide=(LEAD.description,),
        listed=(LEAD.company, LEAD.topic, LEAD.rating, LEAD.owner, LEAD.created),
        searched=(LEAD.full_name, LEAD.company, LEAD.topic, LEAD.email),
        exact=(LEAD.email,),
        related=(LEAD.account, LEAD.contact),
        steps={
            State.OPEN: (
                *_open(
                    "lead",
                    Step(
                        "Qualify",
                        "lead qualify",
                        danger="Qualify this lead? It cannot be turned back into an open lead.",
                    ),
                ),
                Step("Disqualify", "lead disqualify", danger="Disqualify this lead?"),
            ),
            State.QUALIFIED: _closed("lead"),
            State.DISQUALIFIED: _closed("lead", Step("Reopen", "lead reopen")),
        },
    ),
    View(
        table=ACCOUNT,
        noun="account",
        plural="accounts",
        sample="'Contoso'",
        title=ACCOUNT.name,
        facts=(
            ACCOUNT.number_text,
            ACCOUNT.phone,
            ACCOUNT.email,
            ACCOUNT.website,
            ACCOUNT.city,
            ACCOUNT.country,
            ACCOUNT.industry,
            ACCOUNT.category,
            ACCOUNT.relationship,
            ACCOUNT.revenue,
            ACCOUNT.employees,
            ACCOUNT.credit_hold,
            ACCOUNT.primary_contact,
            ACCOUNT.owner,
        ),
        wide=(ACCOUNT.description,),
        listed=(ACCOUNT.city, ACCOUNT.phone, ACCOUNT.primary_contact, ACCOUNT.owner),
        searched=(ACCOUNT.name, ACCOUNT.number_text, ACCOUNT.email, ACCOUNT.city),
        exact=(ACCOUNT.email, ACCOUNT.number_text),
        related=(ACCOUNT.primary_contact, ACCOUNT.parent),
        steps=usual_steps("account"),
    ),
    View(
        table=CONTACT,
        noun="contact",
        plural="contacts",
        sample="maria.campbell@fabrikam.example",
        title=CONTACT.full_name,
        facts=(
            CONTACT.company,
            CONTACT.job_title,
            CONTACT.department,
            CONTACT.email,
            CONTACT.phone,
            CONTACT.mobile,
            CONTACT.street,
            CONTACT.postal_code,
            CONTACT.city,
            CONTACT.state_or_province,
            CONTACT.country,
            CONTACT.owner,
        ),
        wide=(CONTACT.description,),
        listed=(CONTACT.company, CONTACT.job_title, CONTACT.email, CONTACT.phone),
        searched=(CONTACT.full_name, CONTACT.email, CONTACT.phone),
        exact=(CONTACT.email,),
        related=(CONTACT.company,),
        steps=usual_steps("contact"),
    ),
    View(
        table=OPPORTUNITY,
        noun="opportunity",
        plural="opportunities",
        sample="'Warehouse canteen'",
        title=OPPORTUNITY.name,
        facts=(
            OPPORTUNITY.customer,
            OPPORTUNITY.contact,
            OPPORTUNITY.estimated_value,
            OPPORTUNITY.estimated_close,
            OPPORTUNITY.probability,
            OPPORTUNITY.rating,
            OPPORTUNITY.stage,
            OPPORTUNITY.process_code,
            OPPORTUNITY.actual_value,
            OPPORTUNITY.actual_close,
            OPPORTUNITY.price_list,
            OPPORTUNITY.owner,
        ),
        wide=(OPPORTUNITY.description,),
        listed=(OPPORTUNITY.customer, OPPORTUNITY.estimated_value, OPPORTUNITY.estimated_close, OPPORTUNITY.owner),
        searched=(OPPORTUNITY.name,),
        related=(OPPORTUNITY.customer, OPPORTUNITY.contact, OPPORTUNITY.lead),
        steps={
            State.OPEN: _open(
                "opportunity",
                Step("Won", "opportunity win", danger="Close this opportunity as won?"),
                Step("Lost", "opportunity lose", danger="Close this opportunity as lost?"),
            ),
            State.WON: _closed("opportunity"),
            State.LOST: _closed("opportunity"),
        },
    ),
    View(
        table=ORDER,
        noun="order",
        plural="orders",
        sample="ORD-01003",
        title=ORDER.name,
        number=ORDER.order_number,
        facts=(
            ORDER.customer,
            ORDER.total,
            ORDER.discount,
            ORDER.freight,
            ORDER.tax,
            ORDER.price_list,
            ORDER.currency,
            ORDER.payment_terms,
            ORDER.delivery_by,
            ORDER.fulfilled,
            ORDER.opportunity,
            ORDER.owner,
            ORDER.created,
        ),
        wide=(ORDER.description,),
        listed=(ORDER.customer, ORDER.total, ORDER.owner, ORDER.created),
        searched=(ORDER.name, ORDER.order_number),
        related=(ORDER.customer, ORDER.opportunity),
        steps={
            State.OPEN: (
                *_open(
                    "order",
                    Step(
                        "Fulfil",
                        "order fulfil",
                        danger="Mark this order as fulfilled? It cannot be changed afterwards.",
                    ),
                    Step("Invoice", "order invoice", danger="Make an invoice from this order?"),
                ),
                Step("Cancel order", "order cancel", danger="Cancel this order? This cannot be undone."),
            ),
            State.SUBMITTED: _open(
                "order",
                Step("Fulfil", "order fulfil", danger="Mark this order as fulfilled? It cannot be changed afterwards."),
                Step("Invoice", "order invoice", danger="Make an invoice from this order?"),
            ),
            State.FULFILLED: _closed(
                "order", Step("Invoice", "order invoice", danger="Make an invoice from this order?")
            ),
            State.INVOICED: _closed("order"),
            State.CANCELED: _closed("order"),
        },
    ),
    View(
        table=INVOICE,
        noun="invoice",
        plural="invoices",
        sample="INV-01002",
        title=INVOICE.name,
        number=INVOICE.invoice_number,
        facts=(
            INVOICE.customer,
            INVOICE.total,
            INVOICE.discount,
            INVOICE.freight,
            INVOICE.tax,
            INVOICE.due,
            INVOICE.price_list,
            INVOICE.currency,
            INVOICE.payment_terms,
            INVOICE.order,
            INVOICE.owner,
            INVOICE.created,
        ),
        wide=(INVOICE.description,),
        listed=(INVOICE.customer, INVOICE.total, INVOICE.due, INVOICE.owner),
        searched=(INVOICE.name, INVOICE.invoice_number),
        related=(INVOICE.customer, INVOICE.order),
        steps={
            State.OPEN: _open("invoice"),
            State.CLOSED: _closed("invoice"),
            State.PAID: _closed("invoice"),
            State.CANCELED: _closed("invoice"),
        },
    ),
    View(
        table=CASE,
        noun="case",
        plural="cases",
        sample="CAS-01001",
        title=CASE.title,
        number=CASE.ticket_number,
        facts=(
            CASE.customer,
            CASE.contact,
            CASE.priority,
            CASE.origin,
            CASE.case_type,
            CASE.product,
            CASE.follow_up,
            CASE.resolve_by,
            CASE.owner,
            CASE.created,
            CASE.modified,
        ),
        wide=(CASE.description,),
        listed=(CASE.customer, CASE.priority, CASE.owner, CASE.created),
        searched=(CASE.title, CASE.ticket_number),
        related=(CASE.customer, CASE.contact, CASE.parent),
        steps={
            State.OPEN: (
                *_open("case", Step("Resolve", "case resolve", ask=True)),
                Step("Cancel case", "case cancel", danger="Cancel this case?"),
            ),
            State.RESOLVED: _closed("case", Step("Reopen", "case reopen")),
            State.CANCELED: _closed("case", Step("Reopen", "case reopen")),
        },
        public=True,
    ),
)

VIEWS: Final[dict[str, View]] = {view.table.logical: view for view in _VIEWS}
"""View by the table's logical name. Tables that settings add join at start; see `operations.custom`."""


def noun_view(noun: str) -> View | None:
    """The view that people call by this word: `case`, `cases`."""
    return next((v for v in VIEWS.values() if noun in {v.noun, v.plural}), None)
