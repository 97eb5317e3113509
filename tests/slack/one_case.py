"""One case as the command layer answers with it: card, stub and form."""

from dataclasses import replace

from bots.playground.slack_server import FakeSlack
from bots.playground.slack_world import Message as Posted
from bots.playground.slack_world import View
from commands.cards import Action, Card, CardKind, Form, Input, InputKind, Option
from commands.press import Do, Press
from commands.request import Reply

from .conftest import Script

SHOW = Press(do=Do.RUN, verb="case show", args={"record": "CAS-1"})
EDIT = replace(SHOW, do=Do.FORM, verb="case update", etag='W/"7"')
RECORD = Card(
    kind=CardKind.RECORD,
    title="Printer on fire",
    subtitle="Case CAS-1",
    actions=(
        Action(label="Refresh", press=SHOW),
        Action(label="Edit", press=EDIT),
        Action(label="Share", press=replace(SHOW, do=Do.SHARE)),
        Action(label="Close", press=Press(do=Do.DISMISS)),
        Action(label="Open in Dynamics", url="https://contoso.crm.dynamics.com/main.aspx"),
    ),
)
STUB = Card(kind=CardKind.STUB, title="Printer on fire", subtitle="Case CAS-1")
FORM = Form(
    title="Edit case",
    submit=replace(EDIT, do=Do.SUBMIT),
    inputs=(
        Input(name="title", label="Title", required=True, value="Printer on fire"),
        Input(name="customer", label="Customer", kind=InputKind.LOOKUP),
        Input(name="priority", label="Priority", kind=InputKind.CHOICE, options=(Option("High", "1"),)),
        Input(name="due", label="Due", kind=InputKind.DATETIME, value="2026-09-01T10:30"),
    ),
    more=replace(EDIT, args={"fields": "all"}),
)


async def shown(slack: FakeSlack, script: Script, card: Card = RECORD, channel: str = "C1") -> Posted:
    script.answers(Reply(card=card))
    await slack.command("/crm", "case show CAS-1", channel=channel)
    return await slack.until(lambda: slack.last(channel, "U1"))


async def opened(slack: FakeSlack, script: Script, form: Form = FORM) -> View:
    script.answers(Reply(form=form))
    await slack.command("/crm", "case update CAS-1")
    return await slack.until(lambda: slack.view("U1"))
