"""Activities that Teams would never send: whatever is missing or of another type, the answer is an answer.

The short form sends a third of the changed values, always the same.
"""

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from bots.playground.teams_contract import problems
from commands.press import Do, Press
from commands.request import Reply

from .conftest import SEAL
from .samples import FORM, RECORD

pytestmark = pytest.mark.usefixtures("face")

ODD: tuple[Any, ...] = (None, 5, "", "x" * 300, [], [None], {}, {"id": 5}, True, -1.5)
PRESS = SEAL.seal(Press(do=Do.RUN, verb="case show", args={"record": "CAS-1"}))
VALUES: dict[str, Any] = {
    "adaptiveCard/action": {
        "action": {"type": "Action.Execute", "verb": "run", "id": "1", "data": {"press": PRESS, "f.x": "1"}},
        "trigger": "manual",
    },
    "application/search": {
        "queryText": "con",
        "queryOptions": {"skip": 0, "top": 15},
        "dataset": "case create/customer",
        "data": {"f.title": "x"},
    },
    "task/fetch": {"data": {"press": PRESS, "msteams": {"type": "task/fetch"}}, "context": {"theme": "dark"}},
    "task/submit": {
        "data": {"press": SEAL.seal(FORM.submit), "f.title": "x", "m.labels": "1,3", "kept": {"due": ["1", "2"]}},
        "context": {"theme": "dark"},
    },
    "composeExtension/fetchTask": {
        "commandId": "createCase",
        "commandContext": "message",
        "messagePayload": {
            "id": "1",
            "replyToId": "2",
            "createdDateTime": "2026-01-01T00:00:00Z",
            "subject": "s",
            "linkToMessage": "https://teams.microsoft.com/l/message/1/2",
            "from": {"user": {"id": "u", "displayName": "U", "userIdentityType": "aadUser"}},
            "body": {"contentType": "html", "content": "<p>x</p>"},
            "attachments": [{"contentType": "reference", "contentUrl": "https://x"}],
            "mentions": [{"id": 0}],
        },
    },
    "composeExtension/submitAction": {
        "commandId": "createCase",
        "data": {"press": SEAL.seal(FORM.submit), "f.title": "x", "msteams": {"justInTimeInstall": False}},
    },
    "composeExtension/query": {
        "commandId": "searchRecords",
        "parameters": [{"name": "query", "value": "x"}, {"name": "kind", "value": "case"}],
        "queryOptions": {"skip": 0, "count": 25},
    },
    "composeExtension/queryLink": {"url": "https://contoso.crm.dynamics.com/x"},
    "signin/tokenExchange": {"id": "1", "connectionName": "crmchat", "token": "x"},
    "signin/verifyState": {"state": "1"},
}


def changed(value: Any, dice: random.Random) -> Iterator[Any]:
    """The value with one thing in it left out, or of another type; each thing in turn."""
    for path in _paths(value):
        for odd in (*dice.sample(ODD, 2), ...):
            copy = json.loads(json.dumps(value))
            at = copy
            for step in path[:-1]:
                at = at[step]
            if odd is ...:
                del at[path[-1]]
            else:
                at[path[-1]] = odd
            yield copy


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


@pytest.mark.parametrize("of", [pytest.param(3, id="some"), pytest.param(1, id="all", marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", VALUES)
async def test_invokes(teams, script, name, of):
    script.reply = lambda _request: Reply(card=RECORD)
    dice = random.Random(name)
    anna = teams.world.person("anna")
    values = list(changed(VALUES[name], dice))
    for value in (*dice.sample(values, -(-len(values) // of)), *ODD):
        activity = teams.activity(anna, teams.world.personal(anna))
        activity |= {"type": "invoke", "name": name, "id": f"f:{dice.random()}", "value": value}
        answer = await teams.raw(activity, teams.authorization())
        assert answer.status < 500 or answer.status == 501, value  # 501: a command that is not ours
        assert answer.status != 200 or problems(name, answer.json) == [], value


@pytest.mark.parametrize("kind", ["message", "messageUpdate", "invoke", "installationUpdate", "conversationUpdate"])
async def test_envelopes(teams, kind):
    dice = random.Random(kind)
    anna = teams.world.person("anna")
    whole = teams.activity(anna, teams.world.conversation("channel"), root="1") | {
        "type": kind,
        "id": "1",
        "text": "<at>CRM</at> help",
        "name": "composeExtension/query",
        "value": VALUES["composeExtension/query"] if kind == "invoke" else None,
        "replyToId": "2",
        "action": "add",
        "attachments": [{"contentType": "reference", "contentUrl": "https://x", "name": "a", "content": {}}],
    }
    # An installation is answered with a card, and Teams takes few a second in one conversation.
    some = 6 if kind == "installationUpdate" else 1
    for number, activity in enumerate(itertools.islice(changed(whole, dice), 0, None, some)):
        if activity.get("id") == "1":
            activity["id"] = f"{kind}{number}"
        answer = await teams.raw(activity, teams.authorization())
        assert answer.status < 500 or answer.status == 501, activity


async def test_bodies_of_any_size(teams):
    anna = teams.world.person("anna")
    activity = teams.activity(anna, teams.world.personal(anna)) | {"type": "message", "id": "big"}
    assert (await teams.raw(activity | {"text": "x" * 400_000}, teams.authorization())).status == 200
    assert (await teams.raw(activity | {"text": "x" * 900_000}, teams.authorization())).status == 413
    nested: Any = "x"
    for _ in range(400):
        nested = {"a": [nested]}
    for name in ("", "task/submit"):
        odd = activity | {"type": "invoke" if name else "message", "name": name, "value": {"data": nested}}
        assert (await teams.raw(odd, teams.authorization())).status == 200
        assert (await teams.raw(odd | {"id": ""}, teams.authorization())).status == 400
