"""Field types: text and typed JSON in, one canonical text out."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import ValidationError

from commands.fields import (
    Amount,
    Columns,
    Day,
    Email,
    Form,
    Instant,
    Integer,
    Memo,
    Money,
    Named,
    Number,
    PastDay,
    Phone,
    RawOData,
    Reading,
    Reference,
    Text,
    WebAddress,
    YesNo,
)
from commands.operation import Accepts, Operation
from crm.tables import Kind

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
US = Reading(locale="en-US", now=NOW)
DE = Reading(locale="de-DE", timezone="Europe/Berlin", now=NOW)


class Everything(Operation):
    """One field of every type; a base, so that it joins no catalog."""

    amount: Amount | None = None
    day: Day | None = None
    past: PastDay | None = None
    moment: Instant | None = None
    yes: YesNo | None = None
    whole: Integer | None = None
    number: Number | None = None
    email: Email | None = None
    phone: Phone | None = None
    web: WebAddress | None = None
    ref: Reference | None = None
    line: Text | None = None
    memo: Memo | None = None
    odata: RawOData | None = None
    columns: Columns | None = None


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("amount", "€1,5 Mio", Money(Decimal(1500000), "EUR")),
        ("amount", 5, Money(Decimal(5))),
        ("amount", 5.25, Money(Decimal("5.25"))),
        ("amount", Decimal("1.234"), Money(Decimal("1.234"))),
        ("day", "30.6.", date(2027, 6, 30)),
        ("day", "2026-06-30", date(2026, 6, 30)),
        ("day", date(2026, 6, 30), date(2026, 6, 30)),
        ("past", "30 Jun", date(2026, 6, 30)),
        ("moment", "2026-06-30 14:00", datetime(2026, 6, 30, 12, tzinfo=UTC)),
        ("moment", NOW, NOW),
        ("yes", "Ja", True),
        ("yes", "нет", False),
        ("yes", "off", False),
        ("yes", 1, True),
        ("yes", False, False),
        ("whole", "1.000", 1000),
        ("whole", 7, 7),
        ("number", "2,5", Decimal("2.5")),
        ("number", 2.5, Decimal("2.5")),
        ("email", " <mailto:Jane@Example.com|jane> ", "Jane@Example.com"),
        ("email", "jörg@müller.de", "jörg@müller.de"),
        ("phone", "<tel:+4930123|030 123>", "+4930123"),
        ("phone", "+1 (555) 010-0100 ext. 5", "+1 (555) 010-0100 ext. 5"),
        ("web", "example.com/x", "https://example.com/x"),
        ("web", "<http://example.com|example>", "http://example.com"),
        ("ref", "{5F3C8D2E-0000-4000-8000-000000000001}", None),
        ("line", " a\n b ", "a b"),
        ("line", 5, "5"),
        ("memo", " a \r\n\r\n b ", "a\n\n b"),
        ("odata", "contains(fullname,‘John’)", "contains(fullname,'John')"),
        ("odata", "contains(fullname,'O’Neill')", "contains(fullname,'O’Neill')"),
        ("columns", '{"new_region": "EMEA"}', {"new_region": "EMEA"}),
        ("columns", {"new_size": 5}, {"new_size": "5"}),
    ],
)
def test_values(field: str, given: Any, value: Any) -> None:
    read = Everything.model_validate({field: given}, context=DE)
    if value is not None:
        assert getattr(read, field) == value
    for reading in (US, DE, None):
        assert Everything.read(read.args(), reading) == read


@pytest.mark.parametrize(
    ("field", "given", "says"),
    [
        ("amount", "1,234", "can mean"),
        ("amount", True, "not an amount"),
        ("day", "31 Jun", "not a day that exists"),
        ("day", 5, "not a date"),
        ("yes", "maybe", "neither yes nor no"),
        ("whole", "2,5", "not a whole number"),
        ("email", "jane", "not an e-mail address"),
        ("email", "a@b", "not an e-mail address"),
        ("email", "a b@c.de", "not an e-mail address"),
        ("phone", "call me", "not a phone number"),
        ("web", "javascript:alert(1)", "not a web address"),
        ("web", "https://a b.de", "not a web address"),
        ("ref", "/accounts(7)", "not a GUID"),
        ("line", "  ", "empty"),
        ("line", "\u200b\x00", "empty"),
        ("memo", "", "empty"),
        ("line", ["a"], "as text"),
        ("columns", "x", "name=value"),
        ("columns", "[]", "name=value"),
    ],
)
def test_problems_are_sentences(field: str, given: Any, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate({field: given}, context=DE)
    (problem,) = caught.value.errors()
    assert problem["loc"] == (field,)
    assert says in problem["msg"]
    assert not problem["msg"].startswith("Value error")


def test_marks_of_an_optional_type_count() -> None:
    class Marked(Operation):
        """A base."""

        due: Annotated[Day | None, Accepts("until")] = None

    assert Marked.parameters["due"].kind is Kind.DATE
    assert Marked.parameters["due"].names == ("due", "until")


def test_schemas_are_what_agents_need() -> None:
    properties = Everything.model_json_schema()["properties"]
    assert properties["yes"]["anyOf"][0] == {"type": "boolean"}
    assert properties["day"]["anyOf"][0] == {"type": "string", "format": "date"}
    assert properties["amount"]["anyOf"][0]["type"] == ["number", "string"]


def test_typed_values_pass_as_they_are() -> None:
    named = Named(form=Form.NAME, text="Contoso")
    read = Everything(ref=named, amount=Money(Decimal(5), "EUR"))
    assert read.args() == {"ref": "Contoso", "amount": "5 EUR"}
