"""What Slack in particular could trip over, beside the cards and forms that both faces render."""

from dataclasses import replace
from datetime import UTC, date, datetime

from commands.cards import Action, Card, CardKind, Fact, Form, Input, InputKind, Link, Moment, Option, Row, Status, Tone
from commands.press import Do, Press
from tests.teams.samples import CARDS, FORMS

EVIL = (
    "<!channel> <@U1> <https://evil.example|Open record> &lt;!here&gt; *b* _i_ ~s~ `c` :fire: > quote \u202eevil \ud83d"
)
LONGEST = "Ω&<>" * 1500
PRESS = Press(do=Do.RUN, verb="case show", args={"record": "CAS-1"}, key="k" * 100, etag='W/"1234567"')


def _card(text: str, count: int) -> Card:
    action = Action(label=text, press=PRESS)
    section = Card(
        kind=CardKind.HELP,
        title=text,
        text=(text,),
        facts=(Fact(text, text),),
        rows=(Row(title=text, detail=(text, Link(text, f"https://x.example/{'p' * 5000}")), action=action),),
        actions=(action,) * 30,
    )
    return Card(
        kind=CardKind.RECORD,
        title=text,
        subtitle=text,
        url="https://contoso.crm.dynamics.com/main.aspx?a=1&b=<2>|3",
        status=Status(text, Tone.WARNING),
        badge=text,
        text=(text,) * 3,
        facts=tuple(
            Fact(text, v, wide=w) for v in (text, Moment(datetime(2026, 8, 28, tzinfo=UTC)), "") for w in (0, 1)
        ),
        rows=(Row(title=text, detail=(text,), status=Status(text), action=action),) * count,
        sections=(section,) * count,
        actions=(action, Action(label=text, url="https://x.example/" + "p" * 4000)) * count,
        more=(action,) * count,
        footer=(text, Moment(date(2026, 8, 28)), text),
    )


SLACK_CARDS = {
    **CARDS,
    "evil": _card(EVIL, 1),
    "longest": _card(LONGEST, 60),
    "empty": Card(kind=CardKind.NOTICE, title=""),
}
SLACK_FORMS = {
    **FORMS,
    "evil": replace(FORMS["create"], title=EVIL, intro=EVIL, problem=EVIL, badge=EVIL),
    "longest": Form(
        title=LONGEST,
        submit=replace(PRESS, do=Do.SUBMIT),
        submit_label=LONGEST,
        more_label=LONGEST,
        more=PRESS,
        inputs=tuple(
            Input(
                name=f"{kind}_{n}",
                label=LONGEST,
                kind=kind,
                hint=LONGEST,
                placeholder=LONGEST,
                problem=LONGEST,
                value=LONGEST,
                max_length=100,
                options=tuple(Option(f"{LONGEST}{i}", str(i)) for i in range(300)),
            )
            for n in range(6)
            for kind in InputKind
        ),
    ),
    "empty": Form(title="", submit=PRESS, inputs=(), submit_label=""),
}
