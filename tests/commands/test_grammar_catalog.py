"""The real catalog: the public toolkit's names to the letter, and what people say every day."""

import importlib

import pytest

from commands.errors import UnknownCommand
from commands.fields import Reading
from commands.grammar import OfLast, Parsed, Problem, of_last, parse
from commands.operation import CATALOG, by_slug

# ruff: noqa: E501 - a command and its meaning stand on one line

importlib.import_module("commands.operations")  # joins the operations to the catalog

GUID = "5f3c8d2e-0000-4000-8000-000000000001"
TOOLKIT = {
    "CREATE_LEAD": {"firstname": "Jane", "lastname": "Smith", "emailaddress1": "jane@example.com", "telephone1": "+1 555 0100", "companyname": "Acme Corp", "subject": "Enterprise plan"},
    "UPDATE_LEAD": {"lead_id": GUID, "firstname": "Jane", "lastname": "Smith", "emailaddress1": "jane@example.com", "telephone1": "+1 555 0100", "companyname": "Acme Corp", "subject": "x"},
    "GET_A_LEAD": {"lead_id": GUID},
    "GET_ALL_LEADS": {"filter": "contains(fullname,'John')", "select": "fullname,emailaddress1", "orderby": "createdon desc", "top": "5"},
    "CREATE_ACCOUNT": {"name": "Contoso", "description": "a\nb", "revenue": "5000000", "accountcategorycode": "1", "creditonhold": "false"},
    "CREATE_CONTACT": {"firstname": "Ada", "lastname": "Lovelace", "emailaddress1": "ada@example.com", "telephone1": "+1 555 0100", "mobilephone": "+1 555 0101", "jobtitle": "Analyst", "address1_city": "London", "address1_stateorprovince": "England", "address1_postalcode": "W1", "address1_country": "UK"},
    "CREATE_OPPORTUNITY": {"name": "Website", "description": "x", "estimatedvalue": "250000", "estimatedclosedate": "2027-06-30", "customer_account_id": GUID, "customer_contact_id": GUID},
    "UPDATE_OPPORTUNITY": {"opportunity_id": GUID, "opportunityratingcode": "1", "salesstagecode": "1", "name": "Website", "description": "x", "estimatedvalue": "250000", "estimatedclosedate": "2027-06-30", "customer_account_id": GUID, "customer_contact_id": GUID},
    "CREATE_SALES_ORDER": {"name": "Ten printers", "description": "x", "account_id": f"/accounts({GUID})", "currency_id": f"/transactioncurrencies({GUID})", "price_level_id": f"/pricelevels({GUID})"},
    "UPDATE_SALES_ORDER": {"salesorder_id": GUID, "name": "x", "discountamount": "5", "freightamount": "49.90"},
    "CREATE_INVOICE": {"name": "Invoice #12345", "description": "x", "account_id": f"/accounts({GUID})", "currency_id": f"/transactioncurrencies({GUID})", "price_level_id": f"/pricelevels({GUID})"},
    "CREATE_CASE": {"title": "Printer on fire", "description": "x", "prioritycode": "1", "caseorigincode": "1", "account_id": f"/accounts({GUID})", "contact_id": f"/contacts({GUID})"},
}  # fmt: skip
"""Every parameter of the twelve tools, with a value."""


@pytest.mark.parametrize("tool", TOOLKIT)
def test_the_toolkits_names_to_the_letter(tool: str) -> None:
    slug = f"DYNAMICS365_DYNAMICSCRM_{tool}"
    operation = by_slug(slug)
    assert operation is not None
    given = TOOLKIT[tool] | {"user_id": "me"}
    said = parse(f"{slug} " + " ".join(f'{name}="{value}"' for name, value in given.items()))
    assert isinstance(said, Parsed), said
    assert said.operation is operation
    assert sorted(said.args.values()) == sorted(given.values())
    assert said.read(Reading(locale="de-DE")).given()


@pytest.mark.parametrize("name", ["lead_id", "leadid", "id"])
@pytest.mark.parametrize("tool", ["UPDATE_LEAD", "GET_A_LEAD"])
def test_the_toolkits_names_for_an_id(tool: str, name: str) -> None:
    said = parse(f"DYNAMICS365_DYNAMICSCRM_{tool} {name}={{{GUID.upper()}}}")
    assert isinstance(said, Parsed)
    assert said.read().args() == {"record": GUID}


@pytest.mark.parametrize(
    ("text", "verb", "args"),
    [
        ("case create 'Printer on fire' account=Contoso priority=high", "case create", {"title": "Printer on fire", "customer": "Contoso", "priority": "high"}),
        ("lead create Jane Smith company=\"Acme Corp\" email=jane.smith@example.com subject=\"Interested in Enterprise plan\"", "lead create",
         {"first_name": "Jane", "last_name": "Smith", "company": "Acme Corp", "email": "jane.smith@example.com", "topic": "Interested in Enterprise plan"}),
        ("lead list company~acme created>7d rating=hot mine sort=-created top=20", "lead list", {"where": "company~acme created>7d rating=hot mine", "sort": "-created", "top": "20"}),
        ("case create Error: cannot log in", "case create", {"title": "Error: cannot log in"}),
        ("my cases", "case list", {"where": "mine"}),
        ("my leads", "lead list", {"where": "mine"}),
        ("my open deals", "opportunity list", {"where": "mine open"}),
        ("recent", "recent", {}),
        ("search acme", "search", {"text": "acme"}),
        ("show Contoso", "search", {"text": "Contoso"}),
        ("CAS-01042", "case get", {"record": "CAS-01042"}),
        ("cancel CAS-01042", "case cancel", {"record": "CAS-01042"}),
        ("cancel ORD-01001", "order cancel", {"record": "ORD-01001"}),
        ("ship order ORD-01001", "order fulfil", {"record": "ORD-01001"}),
        ("order invoice ORD-01001", "order invoice", {"record": "ORD-01001"}),
        ("invoice order ORD-01001", "order invoice", {"record": "ORD-01001"}),
        ("bill order ORD-01001", "order invoice", {"record": "ORD-01001"}),
        ("create bill 'Invoice #12345'", "invoice create", {"name": "Invoice #12345"}),
        ("close case CAS-01042 'Replaced the fuser'", "case resolve", {"record": "CAS-01042", "resolution": "Replaced the fuser"}),
        ("resolve CAS-01042 Replaced the fuser", "case resolve", {"record": "CAS-01042", "resolution": "Replaced the fuser"}),
        ("reopen ticket CAS-01042", "case reopen", {"record": "CAS-01042"}),
        ("qualify Jane Smith", "lead qualify", {"record": "Jane Smith"}),
        ("win deal 'New website'", "opportunity win", {"record": "New website"}),
        ("opportunity lost 'New website'", "opportunity lose", {"record": "New website"}),
        ("assign case CAS-01042 to Anna Weber", "case assign", {"record": "CAS-01042", "to": "Anna Weber"}),
        ("assign CAS-01042 to Anna Weber", "case assign", {"record": "CAS-01042", "to": "Anna Weber"}),
        ("case assign it to me", "case assign", {"record": "it", "to": "me"}),
        ("note CAS-01042 called back", "case note", {"record": "CAS-01042", "text": "called back"}),
        ("add a note to case CAS-01042: called back", "case note", {"record": "CAS-01042", "text": "called back"}),
        ("opportunity create New website account=Contoso", "opportunity create", {"name": "New website", "customer": "Contoso"}),
        ("create new opportunity New website", "opportunity create", {"name": "New website"}),
        ("lead create name='Jane Smith' city=Berlin", "lead create", {"first_name": "Jane", "last_name": "Smith", "city": "Berlin"}),
        ("list cases for Contoso", "case list", {"where": 'customer~"Contoso"'}),
        ("show all my open tickets", "case list", {"where": "mine open"}),
        ("add it priority=high", None, {}),
        ("open CAS-01042", "case get", {"record": "CAS-01042"}),
        (f"assign /accounts({GUID}) to me", "account assign", {"record": f"/accounts({GUID})", "to": "me"}),
        (f"note <https://org.example/main.aspx?etn=lead&amp;id={GUID}> called", "lead note", {"record": f"https://org.example/main.aspx?etn=lead&id={GUID}", "text": "called"}),
        ("lead update 'Jane Smith' phone= email=\"\" city=Berlin", "lead update", {"record": "Jane Smith", "city": "Berlin", "clear": "phone,email"}),
        ("close this ticket new toner", "case resolve", {"record": "it", "resolution": "new toner"}),
        ("assign the last order to Ben Carter", "order assign", {"record": "it", "to": "Ben Carter"}),
        ("note on this case: called", "case note", {"record": "it", "text": "called"}),
        ("resolve this order", None, {}),
        ("bill ORD-01002", "order invoice", {"record": "ORD-01002"}),
        ("bill INV-01002", "invoice get", {"record": "INV-01002"}),
        ("can you show me my open cases?", "case list", {"where": "mine open"}),
        ("what are my leads?", "lead list", {"where": "mine"}),
        ("case #1001", "case get", {"record": "1001"}),
        ("lead create for Jane van Dyke from Acme Corp", "lead create", {"first_name": "Jane", "last_name": "van Dyke", "company": "Acme Corp"}),
        ("contact create 'Jane at Acme'", "contact create", {"first_name": "Jane at", "last_name": "Acme"}),
        ("lead update 'Jane Smith' clear=city phone=", "lead update", {"record": "Jane Smith", "clear": "city,phone"}),
    ],
)  # fmt: skip
def test_everyday_commands(text: str, verb: str | None, args: dict[str, str]) -> None:
    said = parse(text)
    if verb is None:
        assert isinstance(said, Problem)
        assert isinstance(said.error, UnknownCommand)
        return
    assert isinstance(said, Parsed), said
    assert (said.operation.verb, said.args) == (verb, args)


@pytest.mark.parametrize(
    ("text", "table", "verb", "args"),
    [
        ("assign it to Ben Carter", "incident", "case assign", {"record": "it", "to": "Ben Carter"}),
        ("give it to me", "account", "account assign", {"record": "it", "to": "me"}),
        ('note it "Called back"', "lead", "lead note", {"record": "it", "text": "Called back"}),
        ("add a note to it: called back", "incident", "case note", {"record": "it", "text": "called back"}),
        ("update it priority=high", "incident", "case update", {"record": "it", "priority": "high"}),
        ("cancel it", "salesorder", "order cancel", {"record": "it"}),
        ("open it", "contact", "contact get", {"record": "it"}),
        ("it", "invoice", "invoice get", {"record": "it"}),
        ("show me this one", "opportunity", "opportunity get", {"record": "it"}),
        ("invoice it", "salesorder", "order invoice", {"record": "it"}),
        ("invoice it", "invoice", "invoice get", {"record": "it"}),
        ("bill this one", "salesorder", "order invoice", {"record": "it"}),
        ("close it: new toner", "incident", "case resolve", {"record": "it", "resolution": "new toner"}),
        ("resolve this one new toner", "incident", "case resolve", {"record": "it", "resolution": "new toner"}),
    ],
)  # fmt: skip
def test_a_verb_for_it_waits_for_the_record_shown_last(text: str, table: str, verb: str, args: dict[str, str]) -> None:
    said = parse(text)
    assert isinstance(said, OfLast)
    command = of_last(said, table)
    assert isinstance(command, Parsed), command
    assert (command.operation.verb, command.args) == (verb, args)


def test_a_verb_for_it_says_what_is_missing() -> None:
    said = parse("cancel it")
    assert isinstance(said, OfLast)
    nothing, unfit = of_last(said, ""), of_last(said, "account")
    assert isinstance(nothing, Problem)
    assert (nothing.error.sentence, nothing.error.remedy) == (
        "No record was shown to you here in the last 30 minutes.", "Name it, like: case cancel CAS-01008",
    )  # fmt: skip
    assert isinstance(unfit, Problem)
    assert unfit.error.sentence == "“cancel” is nothing that I can do with an account."


@pytest.mark.parametrize("text", ["close it", "close this one", "resolve it done"])
def test_a_verb_of_one_kind_of_record_waits_too(text: str) -> None:
    """Another case may have been shown before: what was shown last is meant, and it cannot be resolved."""
    said = parse(text)
    assert isinstance(said, OfLast)
    unfit = of_last(said, "opportunity")
    assert isinstance(unfit, Problem)
    assert "nothing that I can do with an opportunity" in unfit.error.sentence
    assert "name the record that you mean" in unfit.error.remedy


@pytest.mark.parametrize("noun", ["lead", "account", "contact", "opportunity", "order", "invoice", "case"])
@pytest.mark.parametrize("verb", ["create", "update", "get", "list", "search"])
def test_every_table_has_every_verb(noun: str, verb: str) -> None:
    assert f"{noun} {verb}" in CATALOG
    for text in (f"{noun} {verb} x", f"{verb} {noun} x"):
        said = parse(text)
        assert isinstance(said, Parsed)
        assert said.operation is CATALOG[f"{noun} {verb}"]
