"""What the page's clicks do: each name is one gesture of the fakes, with JSON arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .answer import Answer
from .slack_records import Message, View
from .slack_server import FakeSlack
from .teams_server import FakeTeams
from .teams_world import Post

Said = Mapping[str, Any]
SlackGesture = Callable[[FakeSlack, Said], Awaitable[Answer | None]]
TeamsGesture = Callable[[FakeTeams, Said], Awaitable[Answer | None]]


def _where(slack: FakeSlack, said: Said) -> Message | View:
    """The view with `view`, or the message at `place` and `message`."""
    if said.get("view"):
        return _view(slack, said)
    return _message(slack, said)


def _message(slack: FakeSlack, said: Said) -> Message:
    return slack.world.find(slack.place(said["place"], said["user"]).id, said["message"])


def _view(slack: FakeSlack, said: Said) -> View:
    view = slack.world.find_view(said["view"])
    for block_id, values in (said.get("values") or {}).items():
        view.values.setdefault(block_id, {}).update(values)
    return view


async def _say(slack: FakeSlack, said: Said) -> Answer | None:
    before = len(slack.answers)
    await slack.say(said["text"], user=said["user"], channel=said["place"], thread=said.get("thread", ""))
    return next((a for a in slack.answers[before:] if a.error), None)


async def _command(slack: FakeSlack, said: Said) -> Answer:
    command, _, text = said["text"].partition(" ")
    return await slack.command(command, text, user=said["user"], channel=said["place"])


async def _click(slack: FakeSlack, said: Said) -> Answer:
    where, value = _where(slack, said), said.get("value")
    return await slack.click(where, said["action"], value, user=said["user"], block_id=said["block"])


async def _suggest(slack: FakeSlack, said: Said) -> Answer:
    where = _where(slack, said)
    return await slack.suggest(where, said["action"], said["typed"], user=said["user"], block_id=said["block"])


async def _fill(slack: FakeSlack, said: Said) -> None:
    _view(slack, said)


async def _shortcut(slack: FakeSlack, said: Said) -> Answer:
    message = _message(slack, said) if said.get("message") else None
    return await slack.shortcut(said["callback_id"], message, user=said["user"])


async def _react(slack: FakeSlack, said: Said) -> Answer | None:
    return await slack.react(_message(slack, said), said["emoji"], user=said["user"])


SLACK: Mapping[str, SlackGesture] = {
    "say": _say,
    "command": _command,
    "click": _click,
    "suggest": _suggest,
    "fill": _fill,
    "submit": lambda slack, said: slack.submit(_view(slack, said), user=said["user"]),
    "close": lambda slack, said: slack.close_view(_view(slack, said), user=said["user"]),
    "shortcut": _shortcut,
    "react": _react,
    "edit": lambda slack, said: slack.edit(_message(slack, said), said["text"]),
    "delete": lambda slack, said: slack.delete(_message(slack, said)),
    "home": lambda slack, said: slack.open_home(said["user"]),
}


def _post(teams: FakeTeams, said: Said) -> Post:
    return teams.world.find(said["message"], teams.world.conversation(said["place"], said["user"]))


async def _message_teams(teams: FakeTeams, said: Said) -> Answer | None:
    thread = said.get("thread")
    root = teams.world.posts[thread] if thread else None
    answer = await teams.message(
        said["text"], user=said["user"], conversation=said["place"], mention=said.get("mention", True), reply_to=root
    )
    return None if answer.error == "not_delivered" else answer


async def _compose_action(teams: FakeTeams, said: Said) -> Answer:
    post = _post(teams, said) if said.get("message") else None
    return await teams.compose_fetch_task(post, user=said["user"], command=said["command"], conversation=said["place"])


async def _insert(teams: FakeTeams, said: Said) -> None:
    teams.insert(said["index"], user=said["user"], conversation=said["place"])


async def _close_dialog(teams: FakeTeams, said: Said) -> None:
    teams.close_dialog(user=said["user"])


TEAMS: Mapping[str, TeamsGesture] = {
    "message": _message_teams,
    "press": lambda teams, said: teams.pressed(_post(teams, said), said["action"], said["data"], user=said["user"]),
    "refresh": lambda teams, said: teams.refresh(_post(teams, said), user=said["user"]),
    "submit": lambda teams, said: teams.submitted(said["data"], user=said["user"]),
    "close": _close_dialog,
    "compose": _compose_action,
    "send_preview": lambda teams, said: teams.preview_send(user=said["user"]),
    "query": lambda teams, said: teams.query(
        said["command"], said["text"], user=said["user"], conversation=said["place"]
    ),
    "insert": _insert,
    "link": lambda teams, said: teams.query_link(said["url"], user=said["user"], conversation=said["place"]),
    "typeahead": lambda teams, said: teams.typeahead(
        said["dataset"], said["typed"], user=said["user"], conversation=said["place"], data=said.get("data")
    ),
    "react": lambda teams, said: teams.react(_post(teams, said), said["emoji"], user=said["user"]),
    "edit": lambda teams, said: teams.edit(_post(teams, said), said["text"]),
    "delete": lambda teams, said: teams.delete(_post(teams, said)),
    "install": lambda teams, said: teams.install(said["place"], user=said["user"]),
}
