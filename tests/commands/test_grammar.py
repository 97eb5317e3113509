"""Commands as people type them."""

# ruff: noqa: E501 - a command and its meaning stand on one line

from collections.abc import Iterable, Iterator

import pytest

from commands.errors import BadInput, UnknownCommand
from commands.grammar import HelpAsked, Menu, Parsed, Problem, parse, unparse
from commands.nouns import NOUNS, Noun, add, remove
from commands.operation import CATALOG, Operation

from . import catalog


@pytest.fixture(autouse=True)
def _only_these() -> Iterator[None]:
    with catalog.only_these():
        yield


def told(text: str) -> Problem:
    said = parse(text)
    assert isinstance(said, Problem), said
    return said


@pytest.mark.parametrize(
    ("text", "verb", "args"),
    [
        # noun and verb in either order, articles, politeness, plurals, synonyms
        ("case create Printer", "case create", {"title": "Printer"}),
        ("create case Printer", "case create", {"title": "Printer"}),
        ("CREATE Case Printer", "case create", {"title": "Printer"}),
        ("create a case: Printer", "case create", {"title": "Printer"}),
        ("please create a new case Printer", "case create", {"title": "Printer"}),
        ("could you please open a ticket Printer", "case create", {"title": "Printer"}),
        ("I'd like to log an incident Printer", "case create", {"title": "Printer"}),
        ("new ticket Printer", "case create", {"title": "Printer"}),
        ("ticket new Printer", "case create", {"title": "Printer"}),
        ("report problem Printer", "case create", {"title": "Printer"}),
        ("case create a printer burns", "case create", {"title": "a printer burns"}),
        ("case create\nPrinter", "case create", {"title": "Printer"}),
        ("case create", "case create", {}),
        ("open case Printer", "case create", {"title": "Printer"}),
        ("open case CAS-01042", "case get", {"record": "CAS-01042"}),
        ("open case it", "case get", {"record": "it"}),
        ("show me the ticket CAS-01042", "case get", {"record": "CAS-01042"}),
        ("case CAS-01042", "case get", {"record": "CAS-01042"}),
        ("update deal Acme value=5", "opportunity update", {"record": "Acme", "value": "5"}),
        ("change opp Acme value=5", "opportunity update", {"record": "Acme", "value": "5"}),
        ("search acme corp", "search", {"text": "acme corp"}),
        ("find acme", "search", {"text": "acme"}),
        ("CAS-01042", "case get", {"record": "CAS-01042"}),
        ("QUO-01042", "search", {"text": "QUO-01042"}),
        ("show CAS-01042", "case get", {"record": "CAS-01042"}),
        ("note CAS-01042 called back", "case note", {"record": "CAS-01042", "note": "called back"}),
        ("/incidents(5f3c8d2e-0000-4000-8000-000000000001)", "case get",
         {"record": "/incidents(5f3c8d2e-0000-4000-8000-000000000001)"}),
        ("recent", "recent", {}),
        # text that only looks like something else
        ("case create Error: cannot log in", "case create", {"title": "Error: cannot log in"}),
        ("case create see https://a.b/?c=d&e=f", "case create", {"title": "see https://a.b/?c=d&e=f"}),
        ("case create a = b", "case create", {"title": "a = b"}),
        ("case create x == y != z", "case create", {"title": "x == y != z"}),
        ('case create Replace 5" pipe', "case create", {"title": 'Replace 5" pipe'}),
        ("case create It's the user's rock 'n roll", "case create", {"title": "It's the user's rock 'n roll"}),
        ("case create 🔥🔥", "case create", {"title": "🔥🔥"}),
        ("case create مرحبا بالعالم", "case create", {"title": "مرحبا بالعالم"}),
        ("\u200fcase\u200f create\u200f x", "case create", {"title": "x"}),
        ("case\u00a0create\u200b x\x00y", "case create", {"title": "xy"}),
        ("case create help me", "case create", {"title": "help me"}),
        ("case create notes are lost", "case create", {"title": "notes are lost"}),
        # quotes
        ('case create "Printer on fire" priority=high', "case create", {"title": "Printer on fire", "priority": "high"}),
        ("case create “Printer on fire” priority=“very high”", "case create", {"title": "Printer on fire", "priority": "very high"}),
        ("case create „Drucker brennt“ priority=»hoch«", "case create", {"title": "Drucker brennt", "priority": "hoch"}),
        ("case create 'it's broken'", "case create", {"title": "it's broken"}),
        ('case create "priority=high"', "case create", {"title": "priority=high"}),
        ('case create "say ""hi"""', "case create", {"title": 'say "hi"'}),
        ('case create "a" "b"', "case create", {"title": "a b"}),
        ('case create title="a", priority=high', "case create", {"title": "a", "priority": "high"}),
        ("case create x priority=high, account=Acme", "case create", {"title": "x", "priority": "high", "account": "Acme"}),
        # names
        ("case create x priority:high", "case create", {"title": "x", "priority": "high"}),
        ("case create x priority:'very high'", "case create", {"title": "x", "priority": "very high"}),
        ("case create x priority = high", "case create", {"title": "x", "priority": "high"}),
        ("case create x PRIORITY=high", "case create", {"title": "x", "priority": "high"}),
        ("case create x prioritycode=1", "case create", {"title": "x", "priority": "1"}),
        ("case create x --priority=high", "case create", {"title": "x", "priority": "high"}),
        ("case create x account_id=/accounts(5f3c8d2e-0000-4000-8000-000000000001)", "case create",
         {"title": "x", "account": "/accounts(5f3c8d2e-0000-4000-8000-000000000001)"}),
        ("case create x user_id=jane@example.com", "case create", {"title": "x", "user_id": "jane@example.com"}),
        ("lead create Job Title=CTO", "lead create", {"job_title": "CTO"}),
        ("lead create 'Job title'=CTO", "lead create", {"job_title": "CTO"}),
        ("lead create job-title=CTO", "lead create", {"job_title": "CTO"}),
        ("opportunity update Acme value=", "opportunity update", {"record": "Acme", "value": ""}),
        ("opportunity update Acme value= close=eom", "opportunity update", {"record": "Acme", "value": "", "close": "eom"}),
        # values of several words that need no quotes
        ("opportunity update Acme value=€1,5 Mio close=end of quarter", "opportunity update",
         {"record": "Acme", "value": "€1,5 Mio", "close": "end of quarter"}),
        ("opportunity update Acme close=30 Jun 2026 value=250 000 EUR", "opportunity update",
         {"record": "Acme", "close": "30 Jun 2026", "value": "250 000 EUR"}),
        *((f"opportunity update Acme close={close} value=5k", "opportunity update", {"record": "Acme", "close": close, "value": "5k"})
          for close in ("nächsten Freitag", "Ende nächsten Monats", "30. Juni", "vendredi prochain", "fin du trimestre", "le 30 juin",
                        "end of June", "in 3 weeks", "dans 3 jours")),
        ("case create Printer resolve_by=tomorrow 3pm account=Acme", "case create",
         {"title": "Printer", "resolve_by": "tomorrow 3pm", "account": "Acme"}),
        ("case create Printer resolve_by=tomorrow priority=high", "case create",
         {"title": "Printer", "resolve_by": "tomorrow", "priority": "high"}),
        ("case create Printer resolve_by=next friday 3pm", "case create", {"title": "Printer", "resolve_by": "next friday 3pm"}),
        ("lead create Smith phone=+49 30 123456 email=a@b.co", "lead create",
         {"last_name": "Smith", "phone": "+49 30 123456", "email": "a@b.co"}),
        ("opportunity update probability=50 Acme", "opportunity update", {"record": "Acme", "probability": "50"}),
        # lines
        ("case create Printer on fire\nSince nine.\n\nHelp! priority=high", "case create",
         {"title": "Printer on fire", "description": "Since nine.\n\nHelp!", "priority": "high"}),
        ("case create Printer description='a\nb'", "case create", {"title": "Printer", "description": "a\nb"}),
        ("case create account=Acme\nPrinter on fire", "case create", {"title": "Printer on fire", "account": "Acme"}),
        # people's names
        ("lead create Jane Smith", "lead create", {"first_name": "Jane", "last_name": "Smith"}),
        ("lead create 'Vincent van Gogh'", "lead create", {"first_name": "Vincent", "last_name": "van Gogh"}),
        ("lead create Smith first_name=Jane", "lead create", {"first_name": "Jane", "last_name": "Smith"}),
        # words for two fields
        ("case note CAS-1042 called back", "case note", {"record": "CAS-1042", "note": "called back"}),
        ("case note 'Printer on fire' called back", "case note", {"record": "Printer on fire", "note": "called back"}),
        ("add a note to ticket CAS-1042 called\nback", "case note", {"record": "CAS-1042", "note": "called\nback"}),
        ("note case CAS-1042 called\nback", "case note", {"record": "CAS-1042", "note": "called\nback"}),
        ("case note on CAS-1042 called", "case note", {"record": "CAS-1042", "note": "called"}),
        ("case note CAS-1042", "case note", {"record": "CAS-1042"}),
        ("case note called back record=CAS-1042", "case note", {"record": "CAS-1042", "note": "called back"}),
        # what Slack makes of it
        ("lead create Smith email=<mailto:a@b.co|a@b.co> phone=<tel:+4930123|030 123>", "lead create",
         {"last_name": "Smith", "email": "a@b.co", "phone": "+4930123"}),
        ("lead create Smith website=<https://a.co/?x=1&amp;y=2|our site>", "lead create",
         {"last_name": "Smith", "website": "https://a.co/?x=1&y=2"}),
        ("case create ask <@U012AB|jane> &amp; <mailto:a@b.co|a@b.co>", "case create", {"title": "ask @jane & a@b.co"}),
        # the public toolkit's names
        ('DYNAMICS365_DYNAMICSCRM_CREATE_LEAD firstname=Jane lastname="van Dyke" emailaddress1=a@b.co', "lead create",
         {"first_name": "Jane", "last_name": "van Dyke", "email": "a@b.co"}),
        ("dynamics365_dynamicscrm_create_lead subject=x", "lead create", {"topic": "x"}),
        # lists
        ("case list", "case list", {}),
        ("cases", "case list", {}),
        ("list all cases", "case list", {}),
        ("my cases", "case list", {"where": "mine"}),
        ("my tickets", "case list", {"where": "mine"}),
        ("show my open cases", "case list", {"where": "mine open"}),
        ("open cases priority=high", "case list", {"where": "open priority=high"}),
        ("cases where priority=high", "case list", {"where": "priority=high"}),
        ("cases contoso", "case list", {"where": "contoso"}),
        ("case list company~acme created>7d rating=hot mine sort=-created top=20", "case list",
         {"where": "company~acme created>7d rating=hot mine", "sort": "-created", "top": "20"}),
        ("case list company~acme created&gt;7d", "case list", {"where": "company~acme created>7d"}),
        ("case list (a=1 OR b=2) top=3", "case list", {"where": "(a=1 OR b=2)", "top": "3"}),
        ("case list name~“Acme Corp” top=3", "case list", {"where": "name~“Acme Corp”", "top": "3"}),
        ("case list filter=contains(title,'John Smith') and statecode eq 0 select=title,ticketnumber orderby=createdon desc top=5",
         "case list", {"filter": "contains(title,'John Smith') and statecode eq 0", "select": "title,ticketnumber",
                       "orderby": "createdon desc", "top": "5"}),
        ('case list filter="contains(title,\'a top=1\')" mine', "case list", {"filter": "contains(title,'a top=1')", "where": "mine"}),
        ("case list filter=contains(title,'a top=1') top=2", "case list", {"filter": "contains(title,'a top=1')", "top": "2"}),
        ("case list where='rating=hot'", "case list", {"where": "rating=hot"}),
    ],
)  # fmt: skip
def test_commands(text: str, verb: str, args: dict[str, str]) -> None:
    said = parse(text)
    assert isinstance(said, Parsed), said
    assert said.operation.verb == verb
    assert said.args == args


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("help", None),
        ("?", None),
        ("HELP!", None),
        ("help case", "case"),
        ("help with tickets", "case"),
        ("case help", "case"),
        ("case", "case"),
        ("case ?", "case"),
        ("help case create", "case create"),
        ("case create help", "case create"),
        ("case create ?", "case create"),
        ("create case --help", "case create"),
        ("hilfe case", "case"),
        ("how do I create a case?", "case create"),
        ("how to open a ticket", "case create"),
    ],
)
def test_help(text: str, about: str | None) -> None:
    said = parse(text)
    assert isinstance(said, HelpAsked), said
    name = said.about.word if isinstance(said.about, Noun) else said.about.verb if said.about else None
    assert name == about


@pytest.mark.parametrize("text", ["", "  ", "\n", "\u200b", "\x00", "menu", "Hi", "hello!", "What can you do?"])
def test_the_menu(text: str) -> None:
    assert parse(text) == Menu()


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("case crate Printer", "case create"),
        ("crate case Printer", "case create"),
        ("caes create Printer", "case create"),
        ("create", "lead create"),
        ("serch acme", "search"),
        ("opportunity udpate Acme", "opportunity update"),
        ("case creat", "case create"),
        ("help cas create", "case create"),
    ],
)
def test_unknown_commands_name_the_nearest(text: str, nearest: str) -> None:
    error = told(text).error
    assert isinstance(error, UnknownCommand)
    assert nearest in error.nearest
    assert error.remedy


@pytest.mark.parametrize("text", ["🔥", "xyzzy plugh", "= = =", '"', "<@U012AB>", "lead Jane Smith", "12345"])
def test_nonsense_is_answered(text: str) -> None:
    assert isinstance(told(text).error, UnknownCommand)


@pytest.mark.parametrize(
    ("text", "says", "field"),
    [
        ("case create x prioritty=high", "Did you mean priority?", "prioritty"),
        ("case create x shoe_size", None, None),
        ("lead create x compny=Acme", "Did you mean company?", "compny"),
        ("case create title=a title=b", "given twice", "title"),
        ("case create title=a subject=b", "no field", "subject"),
        ("case create x priority=high prioritycode=1", "given twice", "priority"),
        ("case create 'a' title=b", "title is given already", "title"),
        ('case create "Printer', "never closes", None),
        ('lead create company="Acme', "never closes", None),
        ("lead create company=Acme Corp email=a@b.co", 'company="Acme Corp"', "company"),
        ("lead create description=it is long", 'description="it is"', "description"),
        ("case create x resolve_by=tomorrow morning", 'resolve_by="tomorrow morning"', "resolve_by"),
        ("case create x priority=very high", 'priority="very high"', "priority"),
        ("opportunity update Acme value=12 boxes", 'value="12 boxes"', "value"),
        ("recent cases", "where “cases” belongs", None),
        ("recent foo=1", "no field", "foo"),
        ("case list top=1 top=2", "given twice", "top"),
        ("case list a=1 where='b=2'", "conditions twice", None),
        ("lead create Jane first_name=J last_name=S", "given already", "last_name"),
    ],
)
def test_problems(text: str, says: str | None, field: str | None) -> None:
    if says is None:
        assert isinstance(parse(text), Parsed)
        return
    error = told(text).error
    assert isinstance(error, BadInput)
    assert says in f"{error.sentence} {error.remedy}", f"{error.sentence} {error.remedy}"
    assert not field or field in error.problems


def test_a_problem_keeps_what_was_understood() -> None:
    problem = told("case create priority=high Printer account=Acme foo=1")
    assert problem.operation is catalog.CreateCase
    assert problem.args == {"priority": "high", "account": "Acme"}


class Columns:
    """A vocabulary with one custom column and German labels."""

    def column(self, table: str, word: str) -> tuple[str, str] | None:
        known = {"region": "new_region", "new_region": "new_region", "priorität": "prioritycode", "kunde": "customerid"}
        found = known.get(word.casefold())
        return (found, word) if found and table == "incident" else None

    def choice(self, table: str, label: str) -> tuple[str, str] | None:
        return ("prioritycode", "High") if (table, label) == ("incident", "high") else None

    def names(self, table: str) -> Iterable[str]:
        return ["new_region", "Region"] if table == "incident" else []


def test_columns_of_the_organisation() -> None:
    said = parse("case create x new_region=EMEA Priorität=hoch", None, Columns())
    assert isinstance(said, Parsed)
    assert (said.args, said.columns) == ({"title": "x", "priority": "hoch"}, {"new_region": "EMEA"})
    assert said.read().given()["columns"] == {"new_region": "EMEA"}
    by_label = parse("case create x Region='EMEA North'", None, Columns())
    assert isinstance(by_label, Parsed)
    assert by_label.columns == {"new_region": "EMEA North"}
    wrong = parse("case create x new_regoin=EMEA", None, Columns())
    assert isinstance(wrong, Problem)
    assert "new_region" in wrong.error.remedy


def test_without_metadata_a_publishers_prefix_marks_a_column() -> None:
    said = parse("case create x new_region=EMEA")
    assert isinstance(said, Parsed)
    assert said.columns == {"new_region": "EMEA"}
    assert isinstance(parse("opportunity update Acme new_region=EMEA"), Problem)  # it takes no further columns


def test_reading_and_printing() -> None:
    said = parse('lead create Jane Smith company="Acme ""&amp;"" Corp" budget=€1,5m new_region=EMEA')
    assert isinstance(said, Parsed)
    operation = said.read()
    again = parse(unparse(operation))
    assert isinstance(again, Parsed)
    assert again.read() == operation


def test_an_operation_declared_now_is_understood_now() -> None:
    class Ping(Operation, verb="case ping", example="case ping", also=("poke case",)):
        """Poke it."""

    try:
        for text in ("case ping", "ping case", "ticket ping", "poke case", "poke ticket"):
            said = parse(text)
            assert isinstance(said, Parsed)
            assert said.operation is Ping
    finally:
        del CATALOG["case ping"]
    assert isinstance(parse("case ping"), Problem)


def test_a_noun_that_joins_is_understood() -> None:
    project = Noun("project", "projects", "new_project", ("initiative",))
    add(project)
    try:

        class ListProjects(Operation, verb="project list", example="project list"):
            """List projects."""

        for text in ("project list", "projects", "list initiative", "show all projects"):
            said = parse(text)
            assert isinstance(said, Parsed), text
            assert said.operation is ListProjects
        with pytest.raises(ValueError, match="means case already"):
            add(Noun("issue", "cases", "new_issue"))
    finally:
        remove(project)
        del CATALOG["project list"]
    assert "project" not in NOUNS


def test_very_long_texts_are_refused() -> None:
    assert "too long" in told("case create " + "x " * 60_000).error.sentence
