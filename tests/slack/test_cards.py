"""Buttons and menus of cards, from signed bytes to what people see."""

from dataclasses import replace

import pytest

from bots.playground.slack_server import FakeSlack
from bots.slack import SlackFace
from commands.cards import Action
from commands.request import PlaceKind, Pressed, Reply, Visibility

from .conftest import Script
from .one_case import RECORD, SHOW, STUB, shown

pytestmark = pytest.mark.usefixtures("face")


async def test_a_button_brings_its_press_back(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    script.answers(Reply(card=replace(RECORD, title="Printer is cold"), replace=True))
    assert (await slack.click(card, "Refresh")).status == 200
    assert script.asked[-1].ask == Pressed(SHOW)
    assert script.asked[-1].key != script.asked[0].key
    await slack.until(lambda: "Printer is cold" in slack.transcript("C1", "U1"))
    assert "Printer on fire" not in slack.transcript("C1", "U1", since=card)


async def test_sharing_posts_to_everyone(slack: FakeSlack, script: Script, face: SlackFace) -> None:
    card = await shown(slack, script)
    script.answers(Reply(card=STUB, visibility=Visibility.EVERYONE))
    await slack.click(card, "Share")
    assert await slack.until(lambda: slack.last("C1", "U2"))
    assert await face.outsiders(script.asked[-1].place) is False


async def test_sharing_where_we_are_no_member_goes_through_the_response_url(
    slack: FakeSlack, script: Script, face: SlackFace
) -> None:
    card = await shown(slack, script, channel="C3")
    script.answers(Reply(card=STUB, visibility=Visibility.EVERYONE))
    await slack.click(card, "Share")
    assert await slack.until(lambda: slack.last("C3", "U3"))
    assert await face.outsiders(script.asked[-1].place) is True  # nobody can tell


async def test_a_direct_message_may_be_with_anybody(slack: FakeSlack, script: Script, face: SlackFace) -> None:
    """Slack's payloads call it `directmessage`, whether it is with us or with somebody of another organisation."""
    slack.world.channels["D999"] = replace(slack.world.direct("U1", "T1"), id="D999", members=["U1", "U7"])
    for channel, outsiders in (("D999", True), ("dm", False)):
        card = await shown(slack, script, channel=channel)
        script.answers(Reply(card=STUB, visibility=Visibility.EVERYONE))
        await slack.click(card, "Share", user="U1")
        place = script.asked[-1].place
        assert place.kind is PlaceKind.GROUP
        assert await face.outsiders(place) is outsiders


async def test_a_dismissed_card_goes_away(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    before = len(script.asked)
    await slack.click(card, "Close")
    await slack.until(lambda: card not in slack.messages("C1", "U1"))
    assert len(script.asked) == before


async def test_a_link_button_is_acknowledged_and_asks_nothing(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    assert (await slack.click(card, "Open in Dynamics")).status == 200
    assert len(script.asked) == 1


async def test_an_option_of_the_menu_brings_its_press_back(slack: FakeSlack, script: Script) -> None:
    url = "https://contoso.crm.dynamics.com/main.aspx"
    more = (Action(label="Account: Contoso", press=SHOW), Action(label="In Dynamics", url=url))
    card = await shown(slack, script, replace(RECORD, more=more))
    await slack.click(card, "Account: Contoso")
    assert script.asked[-1].ask == Pressed(SHOW)
    before = len(script.asked)
    assert (await slack.click(card, "In Dynamics")).status == 200
    assert len(script.asked) == before
    menu = card.blocks[-1]["elements"][-1]
    menu["options"][0]["value"] = "1forged"
    await slack.click(card, "Account: Contoso")
    await slack.until(lambda: "This button is too old." in slack.transcript("C1", "U1"))


async def test_a_changed_button_explains_itself(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    card.blocks[-1]["elements"][0]["value"] = "1forged"
    assert (await slack.click(card, "Refresh")).status == 200
    await slack.until(lambda: "This button is too old." in slack.transcript("C1", "U1"))
    assert len(script.asked) == 1


async def test_a_button_of_an_older_deployment_explains_itself(slack: FakeSlack, script: Script) -> None:
    card = await shown(slack, script)
    card.blocks[-1]["elements"][0]["action_id"] = "approve_old"
    assert (await slack.click(card, "approve_old")).status == 200
    await slack.until(lambda: "This button is too old." in slack.transcript("C1", "U1"))
