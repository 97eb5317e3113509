"""One card of each kind and the forms, with ordinary and with the nastiest data."""

from datetime import UTC, date, datetime

from commands.cards import (
    Action,
    Card,
    CardKind,
    Confirm,
    Fact,
    Form,
    Input,
    InputKind,
    Link,
    Moment,
    Option,
    Row,
    Status,
    Style,
    Tone,
)
from commands.press import Do, Press

WHEN = datetime(2026, 8, 28, 14, 5, tzinfo=UTC)
CASE = "11111111-0000-0000-0000-000000000042"
NASTY = (
    "<b>bold</b> [click](javascript:alert(1)) **x** _y_ `z` # h {{DATE(2020-01-01T00:00:00Z,SHORT)}} ${name} "
    "<at>Everyone</at> &amp; \u202egnirts\u202c \x00\x07 1. one\n- two\n\n> three 🔥🧯 " + "ﷺ" * 40
)


def press(verb: str = "case show", do: Do = Do.RUN, **args: str) -> Press:
    return Press(do=do, verb=verb, args=args or {"record": CASE}, owner="teams:t:ada")


STUB = Card(
    kind=CardKind.STUB,
    title="Printer on fire",
    subtitle="Case CAS-01042",
    status=Status("Active", Tone.INFO),
    record=f"incident/{CASE}",
    actions=(Action(label="Show", press=Press(do=Do.RUN, verb="case show", args={"record": CASE})),),
)
RECORD = Card(
    kind=CardKind.RECORD,
    title="Printer on fire",
    subtitle="Case CAS-01042",
    url=f"https://contoso.crm.dynamics.com/main.aspx?pagetype=entityrecord&etn=incident&id={CASE}",
    status=Status("High", Tone.WARNING),
    badge="Sandbox",
    text=("Smoke on floor 2.\nThe alarm is off.",),
    facts=(
        Fact("Customer", Link("Contoso", "https://contoso.crm.dynamics.com/main.aspx?etn=account&id=1")),
        Fact("Owner", "Ada Lovelace"),
        Fact("Created", Moment(WHEN)),
        Fact("Follow up", Moment(date(2026, 9, 1))),
        Fact("Description", "First line\nSecond line", wide=True),
    ),
    actions=(
        Action(label="Edit", press=press("case update", Do.FORM), style=Style.PRIMARY),
        Action(label="Add note", press=press("case note", Do.FORM)),
        Action(
            label="Cancel case",
            press=press("case cancel"),
            style=Style.DANGER,
            confirm=Confirm("Cancel this case?", "It can be opened again.", "Cancel it", "Keep it"),
        ),
        Action(label="Share", press=press("case show", Do.SHARE)),
        Action(label="Open in Dynamics", url="https://contoso.crm.dynamics.com/main.aspx"),
    ),
    more=(
        Action(label="Contoso", press=press("account show", record="another")),
        Action(label="Refresh", press=press("case show")),
        Action(label="Assign", press=press("case assign", Do.FORM)),
    ),
    footer=("Support", Moment(WHEN)),
    record=f"incident/{CASE}",
    etag='W/"1"',
    stub=STUB,
)
LIST = Card(
    kind=CardKind.LIST,
    title="Leads",
    subtitle="3 of 120",
    rows=tuple(
        Row(
            title=name,
            detail=(company, Moment(WHEN), Link("site", "https://example.com")),
            status=Status(status, tone),
            action=Action(label="Open", press=press("lead show", record=name)),
        )
        for name, company, status, tone in (
            ("Grace Hopper", "Navy", "Hot", Tone.BAD),
            ("Alan Turing", "Bletchley", "Warm", Tone.WARNING),
            ("Mary Jackson", "NASA", "Cold", Tone.NEUTRAL),
        )
    ),
    actions=(Action(label="Next", press=press("lead list", page="2")),),
)
CARDS = {
    "record": RECORD,
    "list": LIST,
    "stub": STUB,
    "choice": Card(
        kind=CardKind.CHOICE,
        title="Which Contoso?",
        text=("Several accounts have that name.",),
        rows=(
            Row(title="Contoso Ltd", detail=("London",), action=Action(label="Choose", press=press("case create"))),
            Row(title="Contoso GmbH", detail=("Berlin",), action=Action(label="Choose", press=press("case create"))),
        ),
    ),
    "confirm": Card(
        kind=CardKind.CONFIRM,
        title="Close as won?",
        text=("The opportunity becomes read-only.",),
        actions=(
            Action(label="Close it", press=press("opportunity win"), style=Style.PRIMARY),
            Action(label="Leave it", press=press("opportunity win", Do.DISMISS)),
        ),
    ),
    "help": Card(
        kind=CardKind.HELP,
        title="What you can ask",
        sections=(
            Card(kind=CardKind.HELP, title="Cases", text=("case create 'Printer on fire'", "case list mine")),
            Card(
                kind=CardKind.HELP,
                title="Leads",
                facts=(Fact("lead list", "Leads, newest first"),),
                actions=(Action(label="New lead", press=press("lead create", Do.FORM)),),
            ),
        ),
    ),
    "notice": Card(kind=CardKind.NOTICE, title="Working on it …", text=("The answer comes here.",)),
    "error": Card(
        kind=CardKind.ERROR,
        title="There is no case CAS-99999.",
        text=("Check the number, or list cases: case list",),
        actions=(Action(label="Try again", press=press("case show", record="CAS-99999")),),
        footer=("Reference 7F3A",),
    ),
    "home": Card(
        kind=CardKind.HOME,
        title="Your Dynamics 365",
        sections=(
            Card(kind=CardKind.HOME, title="My cases", rows=LIST.rows[:2]),
            Card(kind=CardKind.HOME, title="Connection", text=("Connected as Ada.",)),
        ),
        actions=(Action(label="New case", press=press("case create", Do.FORM), style=Style.PRIMARY),),
    ),
    "sign-in": Card(
        kind=CardKind.SIGN_IN,
        title="Connect to Dynamics 365",
        text=("Connect your own account once, and everything you do here runs as you.",),
        actions=(Action(label="Connect", url="https://crm.example.com/auth/start?state=x", style=Style.PRIMARY),),
    ),
    "nasty": Card(
        kind=CardKind.RECORD,
        title=NASTY,
        subtitle=NASTY,
        url="javascript:alert(1)",
        status=Status(NASTY, Tone.BAD),
        badge=NASTY,
        text=(NASTY, NASTY * 30),
        facts=(
            Fact(NASTY, NASTY),
            Fact("Link", Link(NASTY, "javascript:alert(1)")),
            Fact("Empty", ""),
            Fact("Description", NASTY * 60, wide=True),
        ),
        rows=tuple(
            Row(title=NASTY, detail=(NASTY, NASTY), action=Action(label=NASTY, press=press(record=NASTY)))
            for _ in range(60)
        ),
        actions=(
            Action(label=NASTY, press=press(record=NASTY)),
            Action(label="Bad address", url="javascript:alert(1)"),
            *(Action(label=f"Number {n}", press=press()) for n in range(9)),
        ),
        footer=(NASTY,),
        record=f"incident/{CASE}",
    ),
}
OPTIONS = (Option("High", "1"), Option("Normal", "2"), Option("Low, or none", "3"))
FORM = Form(
    title="Open a case",
    submit=Press(do=Do.SUBMIT, verb="case create", key="teams:t:c:1", owner="teams:t:ada"),
    submit_label="Create",
    intro="From Ada's message.",
    inputs=(
        Input(name="title", label="Title", required=True, max_length=200, value="Printer on fire"),
        Input(name="customer", label="Customer", kind=InputKind.LOOKUP, value="a1", value_label="Contoso"),
        Input(name="priority", label="Priority", kind=InputKind.CHOICE, options=OPTIONS, value="2"),
        Input(name="labels", label="Labels", kind=InputKind.CHOICES, options=OPTIONS, value="1\n3"),
        Input(name="description", label="Description", kind=InputKind.MULTILINE, hint="What was said."),
        Input(name="email", label="E-mail", kind=InputKind.EMAIL, value="nobody", problem="That is no e-mail address."),
        Input(name="phone", label="Phone", kind=InputKind.PHONE),
        Input(name="site", label="Site", kind=InputKind.URL, placeholder="https://example.com"),
        Input(name="revenue", label="Revenue", kind=InputKind.MONEY, value="1,5k"),
        Input(name="count", label="Count", kind=InputKind.NUMBER, value="3"),
        Input(name="due", label="Due", kind=InputKind.DATE, value="2026-09-01"),
        Input(name="start", label="Start", kind=InputKind.DATETIME, value="2026-09-01T10:30"),
        Input(name="hold", label="Credit hold", kind=InputKind.BOOLEAN, value="no"),
    ),
    more=Press(do=Do.FORM, verb="case create", args={"fields": "all"}),
)
FORMS = {
    "create": FORM,
    "problem": FORM.with_problems(
        {"title": "", "due": "tomorrow-ish"},
        {"title": "A title is needed.", "due": "That is no date."},
        "Two fields need you.",
    ),
    "nasty": Form(
        title=NASTY,
        submit=press("case create", Do.SUBMIT),
        intro=NASTY,
        problem=NASTY,
        inputs=tuple(
            Input(
                name=f"field_{kind}",
                label=NASTY,
                kind=kind,
                required=True,
                value=NASTY,
                value_label=NASTY,
                hint=NASTY,
                placeholder=NASTY,
                problem=NASTY,
                options=tuple(Option(NASTY + str(n), f"{n},%2C <b>") for n in range(150)),
            )
            for kind in InputKind
        ),
    ),
}
