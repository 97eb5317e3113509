"""Who gets in: forged, stale, copied and unreadable requests; other workspaces; what reaches the log."""

import io
import json
import logging
import os
import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.playground.slack_server import FakeSlack
from commands.cards import Action, Card, CardKind, Fact, Form, Option
from commands.press import Do, Press
from commands.request import Reply, Standing

from .conftest import Script, serving, settings_for
from .one_case import opened

pytestmark = pytest.mark.usefixtures("face")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def body(slack: FakeSlack, **changes: str) -> bytes:
    fields = {
        "command": "/crm",
        "text": "lead list",
        "team_id": "T1",
        "user_id": "U1",
        "channel_id": "C1",
        "trigger_id": "1.2.3",
        "response_url": f"{slack.base_url}response/R1",
    }
    return urlencode({**fields, **changes}).encode()


async def test_a_forged_signature_is_refused(slack: FakeSlack, script: Script) -> None:
    given = body(slack)
    for headers in (
        {},
        slack.sign(given, secret="another secret"),
        {**slack.sign(given), "X-Slack-Signature": "v0=é"},
        slack.sign(b"something else"),
        {k: v for k, v in slack.sign(given).items() if "Timestamp" not in k},
    ):
        assert (await slack.raw(given, {**FORM, **headers})).status == 401
    assert script.asked == []


@pytest.mark.parametrize(
    "timestamp",
    [int(time.time()) - 301, int(time.time()) + 3600, "yesterday", "-5", "9" * 400, "²"],
    ids=["stale", "future", "word", "negative", "endless", "superscript"],
)
async def test_a_stale_or_impossible_time_is_refused(slack: FakeSlack, script: Script, timestamp: int | str) -> None:
    given = body(slack)
    headers = {**FORM, **slack.sign(given, timestamp=timestamp)}
    assert (await slack.raw(given, headers)).status == 401
    assert script.asked == []


async def test_a_copy_of_a_signed_request_does_nothing(slack: FakeSlack, script: Script) -> None:
    given = body(slack)
    headers = {**FORM, **slack.sign(given)}
    assert "You said lead list" in (await slack.raw(given, headers)).text
    again = await slack.raw(given, headers)
    assert again.status == 200
    assert "lead list" not in again.text
    assert len(script.asked) == 1


async def test_a_copy_of_a_look_up_finds_nothing_and_is_no_failure(slack: FakeSlack, script: Script) -> None:
    """Its payload has no id of its own: whoever looks twice within a second sends the same bytes."""
    script.options = [Option("Contoso", "accounts(1)")]
    look_up = await slack.suggest(await opened(slack, script), "Customer", "con")
    assert look_up.delivery
    given = look_up.delivery.body
    headers = {**FORM, **slack.sign(given, timestamp=int(time.time()) - 1)}
    assert [o["text"]["text"] for o in (await slack.raw(given, headers)).json["options"]] == ["Contoso"]
    assert (await slack.raw(given, headers)).json == {"options": []}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"payload=%7Bnot json", FORM),
        (b"{not json", {"Content-Type": "application/json"}),
        (b"[1, 2]", {"Content-Type": "application/json"}),
        (b"payload=%5B1%5D", FORM),
    ],
)
async def test_what_nobody_can_read_is_a_bad_request(slack: FakeSlack, content: bytes, kind: dict[str, str]) -> None:
    assert (await slack.raw(content, {**kind, **slack.sign(content)})).status == 400


@pytest.mark.parametrize("depth", [600, 100_000])
async def test_what_is_nested_without_end_is_a_bad_request(slack: FakeSlack, depth: int) -> None:
    for event in (b"%b", b'{"type": "x", "y": %b}'):
        nested = event % (b"[" * depth + b"]" * depth)
        given = b'{"type": "event_callback", "event_id": "E", "event": %b}' % nested
        headers = {"Content-Type": "application/json", **slack.sign(given)}
        async with slack.session.post(slack.bot_url, data=given, headers=headers) as answer:
            assert answer.status == 400


async def test_ten_megabytes_are_refused_unread(slack: FakeSlack, script: Script) -> None:
    given = b"text=" + b"x" * 10_000_000
    headers = {**FORM, **slack.sign(given)}
    async with slack.session.post(slack.bot_url, data=io.BytesIO(given), headers=headers) as answer:
        assert answer.status == 413
    assert script.asked == []


async def test_slacks_own_probes_are_answered(slack: FakeSlack) -> None:
    for probe in (b"ssl_check=1", b"token=old&ssl_check=1", b"ssl_check=1&token=old"):
        assert (await slack.raw(probe, FORM)).status == 200
    async with slack.session.get(f"{slack.bot_url}?ssl_check=1&token=old") as looked:
        assert looked.status == 200
    smuggled = body(slack, ssl_check="1")
    assert (await slack.raw(smuggled, FORM)).status == 401
    given = json.dumps({"type": "url_verification", "challenge": "abc", "token": "x"}).encode()
    answer = await slack.raw(given, {"Content-Type": "application/json", **slack.sign(given)})
    assert (answer.status, answer.json) == (200, {"challenge": "abc"})


async def test_an_event_that_we_did_not_ask_for_is_no_failure(slack: FakeSlack) -> None:
    answer = await slack.event({"type": "team_rename", "name": "new"})
    assert answer.status == 200


async def test_another_workspace_gets_nothing(slack: FakeSlack, script: Script) -> None:
    for changes in ({"team_id": "T666"}, {"team_id": "T666", "enterprise_id": "E666"}):
        given = body(slack, **changes)
        answer = await slack.raw(given, {**FORM, **slack.sign(given)})
        assert "not installed" in answer.text
    assert script.asked == []


async def test_a_person_of_another_workspace_is_a_stranger(slack: FakeSlack, script: Script) -> None:
    press = Press(do=Do.RUN, verb="case show", args={"record": "CAS-1"})
    script.answers(Reply(card=Card(kind=CardKind.NOTICE, title="x", actions=(Action(label="Show", press=press),))))
    await slack.command("/crm", "case show CAS-1")
    card = await slack.until(lambda: slack.last("C1", "U1"))
    slack.world.users["U2"] = replace(slack.world.users["U2"], team="T666")
    await slack.click(card, "Show", user="U2")
    principal = script.asked[-1].principal
    assert principal.standing is Standing.STRANGER
    assert principal.tenant == "T666"
    assert principal.email == ""


async def test_a_user_of_the_fields_alone_cannot_be_somebody_else(slack: FakeSlack, script: Script) -> None:
    """The actor is who Slack names in the payload, whatever a card or an earlier request said."""
    for user in ("U1", "U2", "U1"):
        await slack.command("/crm", "my cases", user=user)
    assert [r.principal.user for r in script.asked] == ["U1", "U2", "U1"]
    assert len({r.key for r in script.asked}) == 3


async def test_without_a_trigger_a_form_is_offered_as_a_button(slack: FakeSlack, script: Script) -> None:
    form = Form(title="New case", submit=Press(do=Do.SUBMIT, verb="case create"), inputs=())
    script.answers(Reply(form=form))
    given = body(slack, trigger_id="")
    answer = await slack.raw(given, {**FORM, **slack.sign(given)})
    assert "Open the form" in answer.text


async def test_markup_in_values_stays_text(slack: FakeSlack, script: Script) -> None:
    evil = (
        "<!channel> <@U2> <https://evil.example|Open record> *bold* & `code` "
        "<!subteam^S1|@all> <!date^0^{date}^https://evil.example|now> &lt;!everyone&gt; \u202enobody"
    )
    card = Card(
        kind=CardKind.RECORD,
        title=evil,
        url="https://contoso.crm.dynamics.com/x|<!here>",
        text=(evil,),
        facts=(Fact(evil, evil), Fact("Wide", evil, wide=True)),
        footer=(evil,),
    )
    script.answers(Reply(card=card))
    answer = await slack.command("/crm", "case show CAS-1")
    said = answer.text
    assert "\u202e" not in json.dumps(answer.json, ensure_ascii=False)
    assert "&amp;lt;!everyone" in answer.json["text"]  # what was an entity in the record stays one, and is not decoded
    for markup in ("<!channel", "<!here", "<@U2", "<https://evil", "<!subteam", "<!date", "<!everyone"):
        plain = [t for t in _plain_texts(answer.json["blocks"]) if markup in t]
        assert said.count(markup) == len(plain)  # only where Slack shows text as it is
    assert answer.json["unfurl_links"] is False
    assert "&lt;!channel&gt;" in answer.json["text"]


def _plain_texts(value: object) -> list[str]:
    if isinstance(value, dict):
        if value.get("type") == "plain_text":
            return [str(value["text"])]
        return [t for v in value.values() for t in _plain_texts(v)]
    if isinstance(value, list):
        return [t for v in value for t in _plain_texts(v)]
    return []


async def test_bodies_and_secrets_stay_out_of_the_log(
    slack: FakeSlack, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    given = body(slack, text="secret words")
    await slack.raw(given, {**FORM, **slack.sign(given, secret="wrong")})
    await slack.raw(given, {**FORM, **slack.sign(given)})
    await slack.raw(
        body(slack, text="secret words", team_id="T666"),
        {**FORM, **slack.sign(body(slack, text="secret words", team_id="T666"))},
    )
    script.reply = lambda _: (_ for _ in ()).throw(RuntimeError("broken"))  # type: ignore[assignment]
    await slack.event({"type": "app_mention", "user": "U1", "channel": "C1", "text": "secret words", "ts": "1.2"})
    assert "secret words" not in caplog.text
    assert slack.signing_secret not in caplog.text
    assert slack.bot_token not in caplog.text


async def test_the_environment_does_not_turn_oauth_on(
    slack: FakeSlack, script: Script, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With these set, Bolt by itself takes tokens from files and forgets the one it was given."""
    for name, value in {
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "s",
        "SLACK_BOT_TOKEN": "xoxb-of-somebody-else",
        "SLACK_SIGNING_SECRET": "another",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setitem(os.environ, name, value)
    async with serving(settings_for(slack), script, engine) as (_, url):
        slack.bot_url = f"{url}slack/events"
        await slack.command("/crm", "my cases")
        assert script.asked[-1].ask
        await slack.say("@crm my cases", user="U1", channel="C1")
        await slack.until(lambda: any(c.method == "chat.postEphemeral" for c in slack.calls))
    assert {c.token for c in slack.calls} == {slack.bot_token}
