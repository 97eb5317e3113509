"""What is shown without a command: the home tab, previews of links, the pane beside them."""

import html
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.answer import Answer
from bots.playground.slack_server import FakeSlack
from commands.cards import Action, Card, CardKind, Confirm, Style
from commands.request import Pressed, Reply, Typed

from .conftest import Script, serving, settings_for
from .one_case import EDIT, FORM, RECORD, SHOW, STUB

URL = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"

pytestmark = pytest.mark.usefixtures("face")


async def test_the_home_tab(slack: FakeSlack) -> None:
    await slack.open_home("U1")
    home = await slack.until(lambda: slack.home("U1"))
    assert "Home of U1" in slack.text(home)
    await slack.open_home("U2", tab="messages")
    await slack.settle()
    assert slack.home("U2") is None


async def test_a_record_link_shows_only_what_everyone_may_see(slack: FakeSlack, script: Script) -> None:
    secret = replace(RECORD, url=URL, text=("Their CFO is ill.",), stub=replace(STUB, url=URL))
    script.found = [secret]
    slack.unfurl_domains = {"contoso.crm.dynamics.com"}
    message = await slack.say(f"see {URL}", user="U1", channel="C1")
    await slack.until(lambda: message.unfurls)
    text = str(message.unfurls)
    assert "Case CAS-1" in text
    assert "CFO" not in text


async def test_a_record_link_becomes_a_work_object_where_an_admin_says_so(
    slack: FakeSlack, script: Script, engine: AsyncEngine
) -> None:
    script.found = [replace(STUB, url=URL, record="incident/1")]
    slack.unfurl_domains = {"contoso.crm.dynamics.com"}
    async with serving(settings_for(slack, work_objects=True), script, engine) as (_, address):
        slack.bot_url = f"{address}slack/events"
        await slack.say(f"see {URL}", user="U1", channel="C1")
        call = await slack.until(lambda: next((c for c in slack.calls if c.method == "chat.unfurl"), None))
    assert call.answer["ok"]
    assert "unfurls" not in call.args
    sent = call.args["metadata"]
    item = (json.loads(sent) if isinstance(sent, str) else sent)["entities"][0]
    received = html.unescape(item["app_unfurl_url"])  # it must equal the address as it came, escapes and all
    assert (received, item["external_ref"], item["entity_type"]) == (
        URL,
        {"id": "incident/1"},
        "slack#/entities/item",
    )


async def test_a_link_in_the_composer_is_unfurled_by_its_id(slack: FakeSlack, script: Script) -> None:
    script.found = [replace(STUB, url=URL)]
    await slack.compose(URL)
    call = await slack.until(lambda: next((c for c in slack.calls if c.method == "chat.unfurl"), None))
    assert call.args["source"] == "composer"
    assert "channel" not in call.args


async def test_the_side_pane_shows_the_viewers_own_view(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=RECORD))
    await slack.open_entity(URL, user="U1")
    await slack.until(lambda: "U1" in slack.world.entities)
    shown = slack.world.entities["U1"]["metadata"]
    assert shown["entity_payload"]["attributes"]["title"] == {"text": "Printer on fire"}
    assert "app_unfurl_url" not in shown
    assert script.asked[-1].ask == Typed(URL)


async def test_the_side_pane_says_why_there_is_nothing_to_see(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=Card(kind=CardKind.ERROR, title="You may not see this case.", text=("Ask for a role.",))))
    await slack.open_entity(URL, user="U1")
    await slack.until(lambda: "U1" in slack.world.entities)
    why = {"status": "custom", "custom_title": "You may not see this case.", "custom_message": "Ask for a role."}
    assert slack.world.entities["U1"] == {"error": why}
    page = Action(label="Connect", url="https://crm.example.com/auth/start/abc")
    script.answers(Reply(card=Card(kind=CardKind.SIGN_IN, title="Connect your account", actions=(page,))))
    await slack.open_entity(URL, user="U2")
    await slack.until(lambda: "U2" in slack.world.entities)
    assert slack.world.entities["U2"] == {"user_auth_required": True, "user_auth_url": page.url}


async def test_the_side_pane_has_the_records_buttons_and_shows_what_they_changed(
    slack: FakeSlack, script: Script
) -> None:
    """At most two and five more; what asks a question first stays on the card."""
    further = [Action(label=f"Further {n}", press=replace(SHOW, args={"record": str(n)})) for n in range(9)]
    asking = Action(label="Cancel case", press=SHOW, confirm=Confirm("Cancel it?", "It ends."), style=Style.DANGER)
    ours = replace(RECORD, record="incident/1", actions=(*RECORD.actions[:2], asking), more=tuple(further))
    script.answers(Reply(card=ours))
    await slack.open_entity(URL, user="U1", reference={"id": "incident/1"})
    await slack.until(lambda: "U1" in slack.world.entities)
    offered = slack.world.entities["U1"]["metadata"]["entity_payload"]["actions"]
    assert [b["text"] for b in offered["primary_actions"]] == ["Refresh", "Edit"]
    assert [b["text"] for b in offered["overflow_actions"]] == [f"Further {n}" for n in range(5)]
    refresh, edit = offered["primary_actions"]

    script.answers(Reply(card=replace(ours, title="Printer is cold"), replace=True))
    assert (await pressed_in_pane(slack, refresh)).status == 200
    assert script.asked[-1].ask == Pressed(SHOW)
    await slack.until(lambda: "Printer is cold" in str(slack.world.entities["U1"]))
    said = await slack.until(lambda: slack.last("C1", "U1"))
    assert (said.to, "Printer is cold" in slack.text(said)) == ("U1", True)

    script.answers(Reply(form=FORM))
    assert (await pressed_in_pane(slack, edit)).status == 200
    view = await slack.until(lambda: (v := slack.view("U1")) and v.body["callback_id"] == "form" and v)
    assert script.asked[-1].ask == Pressed(EDIT)
    script.answers(Reply(card=replace(ours, title="Printer is warm")))
    await slack.submit(view, {"title": "Printer is warm"})
    await slack.until(lambda: "Printer is warm" in slack.transcript("C1", "U1"))


async def test_a_pane_out_of_a_search_stands_in_no_channel(slack: FakeSlack, script: Script) -> None:
    script.answers(Reply(card=replace(RECORD, record="incident/1")))
    await slack.open_entity(URL, user="U1")
    await slack.until(lambda: "U1" in slack.world.entities)
    button = slack.world.entities["U1"]["metadata"]["entity_payload"]["actions"]["primary_actions"][0]
    assert (await pressed_in_pane(slack, button, nowhere=True)).status == 200
    said = await slack.until(lambda: slack.last("dm", "U1"))
    assert "Printer on fire" in slack.text(said)


async def pressed_in_pane(slack: FakeSlack, button: dict[str, Any], *, nowhere: bool = False) -> Answer:
    """As https://docs.slack.dev/messaging/work-objects-implementation has it, for an action of the flexpane."""
    where = {} if nowhere else {"channel_id": "C1", "message_ts": "1753813500.959789"}
    opened = {"type": "entity_detail", "entity_url": URL, "external_ref": {"id": "incident/1"}}
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "anna", "name": "anna", "team_id": "T1"},
        "team": {"id": "T1", "domain": "acme"},
        "container": {**opened, "app_unfurl_url": URL, **where},
        "trigger_id": slack.world.trigger("U1", "T1"),
        "actions": [{"type": "button", "block_id": "TPdc", **button, "text": {"type": "plain_text", **button}}],
    }
    return await slack.post_payload(payload, "press in the pane")
