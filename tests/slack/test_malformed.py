"""Every kind of payload with each of its parts missing or of another shape: refused or answered, never a crash.

The short form sends a fifth of them, always the same.
"""

import asyncio
import itertools
import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

import pytest

from bots.playground.answer import Answer
from bots.playground.slack_server import FakeSlack
from bots.playground.slack_world import View
from commands.cards import Action, Card, CardKind, Form, Input, InputKind
from commands.press import Do, Press
from commands.request import Reply

from .conftest import Script

pytestmark = pytest.mark.usefixtures("face")

URL = "https://contoso.crm.dynamics.com/main.aspx?etn=incident&id=1"
SHOW = Press(do=Do.RUN, verb="case show", args={"record": "CAS-1"})
RECORD = Card(kind=CardKind.RECORD, title="Printer", url=URL, actions=(Action(label="Show", press=SHOW),))
FORM = Form(
    title="New case",
    submit=Press(do=Do.SUBMIT, verb="case create"),
    inputs=(Input(name="title", label="Title"), Input(name="customer", label="Customer", kind=InputKind.LOOKUP)),
    more=Press(do=Do.FORM, verb="case create"),
)
DEPTH = 2
_numbers = itertools.count(1)


async def _gestures(slack: FakeSlack, script: Script) -> dict[str, Answer]:
    """One of each kind, as the fake Slack sends it."""
    made: dict[str, Answer] = {}
    script.answers(Reply(card=RECORD))
    script.found = [RECORD]
    made["command"] = await slack.command("/crm", "case show CAS-1")
    card = await slack.until(lambda: slack.last("C1", "U1"))
    made["button"] = await slack.click(card, "Show")
    message = await slack.say("Printer burns", user="U2", channel="C1")
    script.answers(Reply(form=FORM))
    made["message shortcut"] = await slack.shortcut("create_case_from_message", message, user="U1")

    def form() -> View | None:
        return view if (view := slack.view("U1")) and view.body["callback_id"] == "form" else None

    view = await slack.until(form)
    made["typeahead"] = await slack.suggest(view, "Customer", "con")
    made["more fields"] = await slack.click(view, "More fields")
    await slack.settle()
    script.answers(Reply(card=RECORD))
    made["submit"] = await slack.submit(await slack.until(form), {"title": "x"})
    made["global shortcut"] = await slack.shortcut("crm_new")
    speech = {"type": "message", "user": "U1", "text": "hello", "ts": "1.2", "channel": "C1", "channel_type": "channel"}
    item = {"type": "message", "channel": "C1", "ts": message.ts}
    for name, event in {
        "mention": {**speech, "type": "app_mention"},
        "direct": {**speech, "channel": "D1", "channel_type": "im"},
        "reply": {**speech, "thread_ts": message.ts, "edited": {"ts": "1.3"}, "files": [{"id": "F1"}]},
        "edit": {**speech, "subtype": "message_changed", "message": {**speech, "thread_ts": "1.0"}},
        "reaction": {"type": "reaction_added", "user": "U1", "reaction": "ticket", "item": item, "item_user": "U2"},
        "home": {"type": "app_home_opened", "user": "U1", "tab": "home"},
        "link": {"type": "link_shared", "user": "U1", "channel": "C1", "message_ts": "1.2", "links": [{"url": URL}]},
        "details": {"type": "entity_details_requested", "user": "U1", "entity_url": URL, "trigger_id": "1.2"},
        "revoked": {"type": "tokens_revoked", "tokens": {"bot": ["U9"]}},
    }.items():
        made[name] = await slack.event(event)
    return made


def _spoilt(value: Any, depth: int = DEPTH) -> Iterator[Any]:
    """Copies of a JSON object, each with one part missing or changed."""
    for key in value:
        rest = {k: v for k, v in value.items() if k != key}
        yield rest
        for other in (None, "x<!channel>\u202e\x00", 7, [None], {"id": 7}):
            if type(other) is not type(value[key]):
                yield {**rest, key: other}
        if isinstance(value[key], dict) and depth > 1:
            for part in _spoilt(value[key], depth - 1):
                yield {**rest, key: part}
        if isinstance(value[key], list) and value[key] and isinstance(value[key][0], dict) and depth > 1:
            for part in _spoilt(value[key][0], depth - 1):
                yield {**rest, key: [part]}


def _variants(body: bytes, kind: str) -> Iterator[bytes]:
    if "json" in kind:
        speech = json.loads(body)["event"].get("ts")
        for payload in _spoilt(json.loads(body)):
            number, event = next(_numbers), payload.get("event")  # else it were known already
            fresh: dict[str, Any] = {"event_id": f"Ev{number}"} if payload.get("event_id") else {}
            if isinstance(event, dict) and event.get("ts") == speech:
                fresh["event"] = {**event, "ts": f"{number}.2"}
            yield json.dumps({**payload, **fresh}).encode()
        return
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    if "payload" not in fields:
        for key in fields:
            yield urlencode({k: v for k, v in fields.items() if k != key}).encode()
            yield urlencode({**fields, key: "x<!channel>\u202e\x00"}).encode()
        return
    for payload in _spoilt(json.loads(fields["payload"])):
        yield urlencode({"payload": json.dumps(payload)}).encode()


@pytest.mark.parametrize("of", [pytest.param(5, id="some"), pytest.param(1, id="all", marks=pytest.mark.soak)])
async def test_no_payload_is_a_crash(
    slack: FakeSlack, script: Script, caplog: pytest.LogCaptureFixture, of: int
) -> None:
    made = await _gestures(slack, script)
    await slack.settle()
    bad: list[str] = []

    async def send(name: str, body: bytes, headers: dict[str, str]) -> None:
        answer = await slack.raw(body, {**headers, **slack.sign(body)})
        if answer.status >= 500:
            bad.append(f"{name}: {answer.status} {unquote_plus(body.decode())}")

    for name, answer in made.items():
        assert answer.delivery, name
        headers = dict(answer.delivery.headers)
        kind = next(v for k, v in headers.items() if k.lower() == "content-type")
        variants = list(_variants(answer.delivery.body, kind))
        variants = random.Random(name).sample(variants, -(-len(variants) // of))
        for start in range(0, len(variants), 20):
            await asyncio.gather(*(send(name, v, headers) for v in variants[start : start + 20]))
    await slack.settle()
    assert not bad, f"{len(bad)}:\n" + "\n".join(bad[:5])
    crashed = [r.getMessage() for r in caplog.records if r.exc_info and r.levelname == "ERROR"]
    assert not crashed, crashed[:5]
