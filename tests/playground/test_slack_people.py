"""Gestures in the fake Slack, through a bare Bolt app and back."""

from __future__ import annotations

import time

import pytest

from bots.playground.slack_server import FakeSlack


async def test_a_command_is_answered_privately_in_its_acknowledgement(slack: FakeSlack) -> None:
    answer = await slack.command("/crm", "hello & <bye>")
    assert answer.status == 200
    assert slack.transcript("C1", "U1").splitlines()[-3:] == [
        "CRM (only visible to you):",
        "  You said hello & <bye>",
        "  [More] [Replace]",
    ]
    assert "You said" not in slack.transcript("C1", "U2")


async def test_an_answer_in_channel_shows_the_command_to_everyone(slack: FakeSlack) -> None:
    await slack.command("/crm", "public")
    assert slack.transcript("C1", "U2").endswith("Anna Weber: /crm public\nCRM: for everyone")


async def test_blocks_beyond_the_limits_are_refused_with_their_place(slack: FakeSlack) -> None:
    answer = await slack.command("/crm", "broken")
    assert answer.error == "invalid_blocks"
    assert answer.problems == ("must be less than 151 characters [json-pointer:/blocks/0/text/text]",)
    assert "failed with the error" in slack.transcript("C1", "U1")


async def test_nobody_waits_longer_than_three_seconds(slack: FakeSlack) -> None:
    answer = await slack.command("/crm", "silent")
    assert answer.error in ("operation_timeout", "dispatch_failed")
    assert answer.seconds < 3.2


async def test_buttons_answer_through_the_response_url_five_times(slack: FakeSlack) -> None:
    await slack.command("/crm", "hello")
    card = slack.last("C1", "U1")
    assert card is not None
    await slack.click(card, "More")
    await slack.until(lambda: slack.transcript("C1", "U1").endswith(": more"))
    await slack.click(card, "replace")
    await slack.until(lambda: slack.text(card).endswith("replaced"))
    url = list(slack.world.response_urls)[-1]
    for _ in range(4):
        async with slack.session.post(f"{slack.base_url}response/{url}", json={"text": "again"}) as response:
            assert response.status == 200
    async with slack.session.post(f"{slack.base_url}response/{url}", json={"text": "again"}) as response:
        assert await response.json(content_type=None) == {"ok": False, "error": "used_url"}
    slack.advance(1801)
    first = next(iter(slack.world.response_urls))
    async with slack.session.post(f"{slack.base_url}response/{first}", json={"text": "again"}) as response:
        assert await response.json(content_type=None) == {"ok": False, "error": "expired_url"}


async def test_a_modal_from_opening_to_the_message(slack: FakeSlack) -> None:
    await slack.command("/crm", "form")
    view = await slack.until(slack.view)
    assert (await slack.submit(view)).error == "required_field"
    assert view.errors == {"name": "Please complete this required field."}
    assert (await slack.suggest(view, "company", "c")).error == "too_short"
    options = (await slack.suggest(view, "company", "co")).json["options"]
    assert options[0]["value"] == "co"
    assert not (await slack.submit(view, {"name": "bad", "company": "co"})).error
    assert view.errors == {"name": "Not this one"}
    assert "  ! Not this one" in slack.text(view)
    assert (await slack.submit(view, {"name": "odd"})).error == "invalid_response"
    await slack.submit(view, {"Name": "Nadia", "Rating": "Hot"})
    assert slack.view() is None
    await slack.until(lambda: slack.transcript("dm").endswith("CRM: Nadia is hot"))


async def test_closing_a_modal_is_told_when_asked_for(slack: FakeSlack) -> None:
    await slack.command("/crm", "form")
    answer = await slack.close_view(await slack.until(slack.view))
    assert answer is not None
    assert answer.status == 200
    await slack.until(lambda: slack.transcript("dm").endswith("CRM: closed"))


async def test_a_message_shortcut_answers_in_the_thread(slack: FakeSlack) -> None:
    message = next(m for m in slack.messages("support") if "label printer" in m.text)
    await slack.shortcut("create_case_from_message", message, user="U2")
    reply = await slack.until(lambda: m if (m := slack.last("C1", "U2")) and m.thread_ts == message.ts else None)
    assert reply.text == "case: The label printer in"


async def test_mentions_home_and_links_send_events(slack: FakeSlack) -> None:
    said = await slack.say("@crm help me", channel="C1")
    assert said.text == "<@UBOT> help me"
    await slack.until(lambda: len(slack.messages("C1", "U1", thread=said)) == 2)
    await slack.open_home("U3")
    home = await slack.until(lambda: slack.home("U3"))
    assert slack.text(home) == "My cases"
    slack.unfurl_domains.add("org.crm.dynamics.com")
    linked = await slack.say("see https://org.crm.dynamics.com/main.aspx?id=1&etn=incident", channel="C1")
    await slack.until(lambda: linked.unfurls)
    assert list(linked.unfurls) == ["https://org.crm.dynamics.com/main.aspx?id=1&amp;etn=incident"]
    answer = await slack.click(linked, "Show", user="U2")
    assert answer.delivery is not None
    assert b"is_app_unfurl" in answer.delivery.body


async def test_retries_carry_the_same_event_and_slacks_headers(slack: FakeSlack) -> None:
    await slack.say("@crm hi", channel="C1")
    delivery = slack.answers[0].delivery
    assert delivery is not None
    again = await slack.redeliver(delivery, number=2)
    assert again.status == 200
    assert again.delivery is not None
    assert again.delivery.body == delivery.body
    assert again.delivery.headers["X-Slack-Retry-Num"] == "2"


async def test_forged_and_stale_requests_can_be_made(slack: FakeSlack) -> None:
    await slack.command("/crm", "hello")
    delivery = slack.answers[-1].delivery
    assert delivery is not None
    kind = {"Content-Type": delivery.headers["Content-Type"]}
    forged = await slack.raw(delivery.body, kind | slack.sign(delivery.body, secret="other"))
    stale = await slack.raw(delivery.body, kind | slack.sign(delivery.body, timestamp=int(time.time()) - 301))
    good = await slack.raw(delivery.body, kind | slack.sign(delivery.body))
    assert (forged.status, stale.status, good.status) == (401, 401, 200)


async def test_a_control_that_is_not_there_says_what_is(slack: FakeSlack) -> None:
    await slack.command("/crm", "hello")
    card = slack.last()
    assert card is not None
    with pytest.raises(LookupError, match=r"more \(More\), replace \(Replace\)"):
        await slack.click(card, "delete")
