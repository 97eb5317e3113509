"""The standard tables and columns that operations name. Logical names live here and nowhere above `crm`.

Everything an organisation may change (labels, lengths, required levels, choices, custom columns) is *not* here: it is
read from the organisation's metadata (`crm.metadata`). Source of the names: Microsoft's table reference.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self


class Kind(StrEnum):
    """What a column holds, as far as reading a value from a person and showing it is concerned."""

    TEXT = "text"
    MULTILINE = "multiline"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    CHOICE = "choice"
    CHOICES = "choices"
    LOOKUP = "lookup"
    DATE = "date"
    DATETIME = "datetime"
    MONEY = "money"
    DECIMAL = "decimal"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ID = "id"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, by its logical name (lower case)."""

    logical: str
    kind: Kind = Kind.TEXT
    targets: tuple[str, ...] = ()
    """Logical names of the tables a lookup may point at, the usual one first."""
    table: str = ""
    past: bool = False
    """A date of what has happened, although people may write it; what people plan lies ahead."""

    def of(self, table: str) -> Self:
        """The same column, knowing its table's logical name."""
        return replace(self, table=table)


class Table:
    """A table; its columns are attributes named in the user's words. Subclass, list the columns, make one instance."""

    logical: str
    entity_set: str
    primary_id: str
    primary_name: str
    number: str | None = None
    """Logical name of the auto-number that people quote (`CAS-01042`), where there is one."""
    notes: str | None = None
    """Navigation property of its notes: `{notes: [{"subject": …, "notetext": …}]}` in a create brings notes along."""

    def __init__(self) -> None:
        for name, value in vars(type(self)).items():
            if isinstance(value, Column):
                setattr(self, name, value.of(self.logical))

    @property
    def columns(self) -> dict[str, Column]:
        """Column by logical name."""
        return {c.logical: c for c in vars(self).values() if isinstance(c, Column)}

    def __repr__(self) -> str:
        return f"<table {self.logical}>"


def _choice(logical: str) -> Column:
    return Column(logical, Kind.CHOICE)


def _lookup(logical: str, *targets: str) -> Column:
    return Column(logical, Kind.LOOKUP, targets)


def _money(logical: str) -> Column:
    return Column(logical, Kind.MONEY)


_TEXT_DESCRIPTION: Final = Column("description", Kind.MULTILINE)
_OWNER: Final = _lookup("ownerid", "systemuser", "team")
_CREATED: Final = Column("createdon", Kind.DATETIME)
_MODIFIED: Final = Column("modifiedon", Kind.DATETIME)
_STATE: Final = _choice("statecode")
_STATUS: Final = _choice("statuscode")
_CURRENCY: Final = _lookup("transactioncurrencyid", "transactioncurrency")
_PRICE_LIST: Final = _lookup("pricelevelid", "pricelevel")
_CUSTOMER: Final = _lookup("customerid", "account", "contact")


class LeadTable(Table):
    """A person or company that may become a customer."""

    logical, entity_set, primary_id, primary_name = "lead", "leads", "leadid", "fullname"
    notes = "Lead_Annotation"
    id = Column("leadid", Kind.ID)
    full_name = Column("fullname")
    topic = Column("subject")
    first_name = Column("firstname")
    last_name = Column("lastname")
    company = Column("companyname")
    job_title = Column("jobtitle")
    email = Column("emailaddress1", Kind.EMAIL)
    phone = Column("telephone1", Kind.PHONE)
    mobile = Column("mobilephone", Kind.PHONE)
    website = Column("websiteurl", Kind.URL)
    description = _TEXT_DESCRIPTION
    city = Column("address1_city")
    country = Column("address1_country")
    rating = _choice("leadqualitycode")
    source = _choice("leadsourcecode")
    industry = _choice("industrycode")
    budget = _money("budgetamount")
    revenue = _money("revenue")
    employees = Column("numberofemployees", Kind.INTEGER)
    estimated_value = _money("estimatedamount")
    estimated_close = Column("estimatedclosedate", Kind.DATE)
    account = _lookup("parentaccountid", "account")
    contact = _lookup("parentcontactid", "contact")
    currency = _CURRENCY
    owner = _OWNER
    state = _STATE
    status = _STATUS
    created = _CREATED
    modified = _MODIFIED


class AccountTable(Table):
    """A company."""

    logical, entity_set, primary_id, primary_name = "account", "accounts", "accountid", "name"
    notes = "Account_Annotation"
    id = Column("accountid", Kind.ID)
    name = Column("name")
    number_text = Column("accountnumber")
    phone = Column("telephone1", Kind.PHONE)
    email = Column("emailaddress1", Kind.EMAIL)
    website = Column("websiteurl", Kind.URL)
    description = _TEXT_DESCRIPTION
    revenue = _money("revenue")
    credit_limit = _money("creditlimit")
    credit_hold = Column("creditonhold", Kind.BOOLEAN)
    category = _choice("accountcategorycode")
    industry = _choice("industrycode")
    relationship = _choice("customertypecode")
    ownership = _choice("ownershipcode")
    employees = Column("numberofemployees", Kind.INTEGER)
    street = Column("address1_line1")
    city = Column("address1_city")
    state_or_province = Column("address1_stateorprovince")
    postal_code = Column("address1_postalcode")
    country = Column("address1_country")
    parent = _lookup("parentaccountid", "account")
    primary_contact = _lookup("primarycontactid", "contact")
    currency = _CURRENCY
    owner = _OWNER
    state = _STATE
    status = _STATUS
    created = _CREATED
    modified = _MODIFIED


class ContactTable(Table):
    """A person."""

    logical, entity_set, primary_id, primary_name = "contact", "contacts", "contactid", "fullname"
    notes = "Contact_Annotation"
    id = Column("contactid", Kind.ID)
    full_name = Column("fullname")
    first_name = Column("firstname")
    last_name = Column("lastname")
    email = Column("emailaddress1", Kind.EMAIL)
    phone = Column("telephone1", Kind.PHONE)
    mobile = Column("mobilephone", Kind.PHONE)
    job_title = Column("jobtitle")
    department = Column("department")
    description = _TEXT_DESCRIPTION
    birthday = Column("birthdate", Kind.DATE, past=True)
    preferred_contact = _choice("preferredcontactmethodcode")
    street = Column("address1_line1")
    city = Column("address1_city")
    state_or_province = Column("address1_stateorprovince")
    postal_code = Column("address1_postalcode")
    country = Column("address1_country")
    company = _lookup("parentcustomerid", "account", "contact")
    currency = _CURRENCY
    owner = _OWNER
    state = _STATE
    status = _STATUS
    created = _CREATED
    modified = _MODIFIED


class OpportunityTable(Table):
    """A sale that may happen."""

    logical, entity_set, primary_id, primary_name = "opportunity", "opportunities", "opportunityid", "name"
    notes = "Opportunity_Annotation"
    id = Column("opportunityid", Kind.ID)
    name = Column("name")
    description = _TEXT_DESCRIPTION
    customer = _CUSTOMER
    account = _lookup("parentaccountid", "account")
    contact = _lookup("parentcontactid", "contact")
    estimated_value = _money("estimatedvalue")
    estimated_close = Column("estimatedclosedate", Kind.DATE)
    actual_value = _money("actualvalue")
    actual_close = Column("actualclosedate", Kind.DATE, past=True)
    probability = Column("closeprobability", Kind.INTEGER)
    budget = _money("budgetamount")
    rating = _choice("opportunityratingcode")
    stage = _choice("salesstage")
    process_code = _choice("salesstagecode")
    step = Column("stepname")
    total = _money("totalamount")
    price_list = _PRICE_LIST
    lead = _lookup("originatingleadid", "lead")
    currency = _CURRENCY
    owner = _OWNER
    state = _STATE
    status = _STATUS
    created = _CREATED
    modified = _MODIFIED


class OrderTable(Table):
    """A sales order."""

    logical, entity_set, primary_id, primary_name = "salesorder", "salesorders", "salesorderid", "name"
    number = "ordernumber"
    notes = "SalesOrder_Annotation"
    id = Column("salesorderid", Kind.ID)
    name = Column("name")
    order_number = Column("ordernumber")
    description = _TEXT_DESCRIPTION
    customer = _CUSTOMER
    currency = _CURRENCY
    price_list = _PRICE_LIST
    opportunity = _lookup("opportunityid", "opportunity")
    discount = _money("discountamount")
    discount_percent = Column("discountpercentage", Kind.DECIMAL)
    freight = _money("freightamount")
    total = _money("totalamount")
    tax = _money("totaltax")
    delivery_by = Column("requestdeliveryby", Kind.DATE)
    fulfilled = Column("datefulfilled", Kind.DATE, past=True)
    payment_terms = _choice("paymenttermscode")
    owner = _OWNER
    state = _STATE
    status = _STATUS
    created = _CREATED
    modified = _MODIFIED


class InvoiceTable(Table):
    """A bill."""

    logical, entity_set, primary_id, primary_name = "invoice", "invoices", "invoiceid", "name"
    number = "invoicenumber"
    notes = "Invoice_Annotation"
    id = Column("invoiceid", Kind.ID)
    name = Column("name")
    invoice_number = Column("invoicenumber")
    description = _TEXT_DESCRIPTION
    customer = _CUSTOMER
    currency = _CURRENCY
    price_list = _PRICE_LIST
    order = _lookup("salesorderid", "salesorder")
    opportunity = _lookup("opportunityid", "opportunity")
    discount = _money("discountamount")
    freight = _money("freightamount")
    total = _money("totalamount")
    tax = _money("totaltax")
    due = Column("duedate", Kind.DATE)
    delivered = Column("datedelivered", Kind.DATE, past=True)
    payment_terms = _choice("paymenttermscode")
    owner = _OWNER
    state = _STATE
    status = _STATUS
    created = _CREATED
    modified = _MODIFIED


class CaseTable(Table):
    """A support case (Dataverse: incident)."""

    logical, entity_set, primary_id, primary_name = "incident", "incidents", "incidentid", "title"
    number = "ticketnumber"
    notes = "Incident_Annotation"
    id = Column("incidentid", Kind.ID)
    title = Column("title")
    ticket_number = Column("ticketnumber")
    description = _TEXT_DESCRIPTION
    customer = _CUSTOMER
    contact = _lookup("primarycontactid", "contact")
    priority = _choice("prioritycode")
    origin = _choice("caseorigincode")
    case_type = _choice("casetypecode")
    satisfaction = _choice("customersatisfactioncode")
    email = Column("emailaddress", Kind.EMAIL)
    serial_number = Column("productserialnumber")
    product = _lookup("productid", "product")
    parent = _lookup("parentcaseid", "incident")
    follow_up = Column("followupby", Kind.DATE)
    resolve_by = Column("resolveby", Kind.DATETIME)
    owner = _OWNER
    state = _STATE
    status = _STATUS
    created = _CREATED
    modified = _MODIFIED


class UserTable(Table):
    """A person with a licence, or an application user."""

    logical, entity_set, primary_id, primary_name = "systemuser", "systemusers", "systemuserid", "fullname"
    id = Column("systemuserid", Kind.ID)
    full_name = Column("fullname")
    email = Column("internalemailaddress", Kind.EMAIL)
    login = Column("domainname")
    entra_id = Column("azureactivedirectoryobjectid", Kind.ID)
    disabled = Column("isdisabled", Kind.BOOLEAN)


class NoteTable(Table):
    """A note or an attached file (Dataverse: annotation)."""

    logical, entity_set, primary_id, primary_name = "annotation", "annotations", "annotationid", "subject"
    id = Column("annotationid", Kind.ID)
    subject = Column("subject")
    text = Column("notetext", Kind.MULTILINE)
    file_name = Column("filename")
    regarding = _lookup("objectid")
    created = _CREATED


class CurrencyTable(Table):
    """A currency."""

    logical, entity_set, primary_id = "transactioncurrency", "transactioncurrencies", "transactioncurrencyid"
    primary_name = "currencyname"
    id = Column("transactioncurrencyid", Kind.ID)
    name = Column("currencyname")
    code = Column("isocurrencycode")
    symbol = Column("currencysymbol")


class PriceListTable(Table):
    """A price list."""

    logical, entity_set, primary_id, primary_name = "pricelevel", "pricelevels", "pricelevelid", "name"
    id = Column("pricelevelid", Kind.ID)
    name = Column("name")
    currency = _CURRENCY


class QueueTable(Table):
    """A queue that cases wait in."""

    logical, entity_set, primary_id, primary_name = "queue", "queues", "queueid", "name"
    id = Column("queueid", Kind.ID)
    name = Column("name")


LEAD: Final = LeadTable()
ACCOUNT: Final = AccountTable()
CONTACT: Final = ContactTable()
OPPORTUNITY: Final = OpportunityTable()
ORDER: Final = OrderTable()
INVOICE: Final = InvoiceTable()
CASE: Final = CaseTable()
USER: Final = UserTable()
NOTE: Final = NoteTable()
CURRENCY: Final = CurrencyTable()
PRICE_LIST: Final = PriceListTable()
QUEUE: Final = QueueTable()

TABLES: Final[dict[str, Table]] = {
    t.logical: t
    for t in (
        LEAD,
        ACCOUNT,
        CONTACT,
        OPPORTUNITY,
        ORDER,
        INVOICE,
        CASE,
        USER,
        NOTE,
        CURRENCY,
        PRICE_LIST,
        QUEUE,
    )
}
"""Table by logical name."""
