"""From the fake Teams to the bot: signed activities, and what people see of the outcome."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import aiohttp

from . import teams_contract, teams_text
from .answer import PATIENCE, Answer, Delivery, Wire, deliver, until
from .seed import Person
from .teams_issuer import Issuer
from .teams_world import BOT_NAME, Conversation, Dialog, Post, World, iso, new_guid, said

T = TypeVar("T")


class TeamsLink:
    """Sends activities and keeps the answers; shows conversations through one person's eyes."""

    world: World
    issuer: Issuer
    wire: Wire
    service_url: str
    bot_url: str
    hears_everything: bool

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def activity(self, who: Person, place: Conversation, root: str = "") -> dict[str, Any]:
        """The fields that every activity of this person there has."""
        now = self.world.now()
        conversation_id = f"{place.id};messageid={root}" if place.kind == "channel" and root else place.id
        conversation: dict[str, Any] = {
            "id": conversation_id,
            "conversationType": place.kind,
            "tenantId": self.world.tenant,
        }
        data: dict[str, Any] = {"tenant": {"id": self.world.tenant}}
        if place.kind != "personal":
            conversation["isGroup"] = True
        if place.kind == "channel":
            team = {"id": self.world.seed.team_id, "name": self.world.seed.company}
            data |= {"team": team, "channel": {"id": place.id}, "teamsTeamId": team["id"], "teamsChannelId": place.id}
        return {
            "channelId": "msteams",
            "serviceUrl": self.service_url,
            "timestamp": iso(now),
            "localTimestamp": iso(now),
            "from": {"id": who.teams, "name": who.name, "aadObjectId": who.aad},
            "recipient": {"id": f"28:{self.issuer.app_id or 'playground'}", "name": BOT_NAME},
            "conversation": conversation,
            "channelData": data,
            "locale": "en-GB",
            "entities": [
                {
                    "type": "clientInfo",
                    "locale": "en-GB",
                    "country": "GB",
                    "platform": "Web",
                    "timezone": self.world.timezone,
                }
            ],
        }

    def authorization(self, **claims: Any) -> str:
        """The header of a good activity; claims override, see `Issuer.activity_token`."""
        return f"Bearer {self.issuer.activity_token(self.service_url, **claims)}"

    async def raw(self, activity: Mapping[str, Any] | bytes, authorization: str | None = None) -> Answer:
        """This activity or these bytes, with this Authorization header or none."""
        body = activity if isinstance(activity, bytes) else json.dumps(activity).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if authorization is not None:
            headers["Authorization"] = authorization
        return await self._send(Delivery(url=self.bot_url, body=body, headers=headers, label="raw"), 15.0)

    async def redeliver(self, delivery: Delivery) -> Answer:
        """The same activity again, as Teams does after a timeout."""
        return await self._send(replace(delivery, headers=self._headers(), label=f"{delivery.label} (again)"), 15.0)

    def _headers(self) -> dict[str, str]:
        signed = {"Authorization": self.authorization()} if self.issuer.app_id else {}
        return {"Content-Type": "application/json; charset=utf-8", **signed}

    async def _post(self, activity: Mapping[str, Any], label: str, seconds: float) -> Answer:
        body = json.dumps(activity, ensure_ascii=False).encode()
        return await self._send(Delivery(url=self.bot_url, body=body, headers=self._headers(), label=label), seconds)

    async def _send(self, delivery: Delivery, seconds: float) -> Answer:
        answer = await deliver(self.session, delivery, seconds)
        self.answers.append(answer)
        try:
            shown = json.loads(delivery.body)
        except ValueError:
            shown = delivery.body.decode("utf-8", "replace")
        said = answer.json if answer.json is not None else answer.text or answer.error
        self.wire.record("Teams → bot", delivery.label, answer.status, answer.seconds, shown, said)
        self.world.changed()
        return answer

    async def invoke(
        self,
        name: str,
        value: Any,
        *,
        user: str = "anna",
        conversation: str = "personal",
        reply_to: Post | None = None,
    ) -> Answer:
        """Any invoke; the answer's `problems` say how it breaks its contract, `error` that the client would give up."""
        who, place = self.world.person(user), self.world.conversation(conversation, user)
        activity = self.activity(who, place, root=(reply_to.root or reply_to.id) if reply_to else "")
        activity |= {"type": "invoke", "name": name, "value": value, "id": f"f:{new_guid()}"}
        if reply_to is not None:
            activity["replyToId"] = reply_to.id
        answer = await self._post(activity, name, teams_contract.deadline(name))
        if answer.error:
            return answer
        found = teams_contract.problems(name, answer.json)
        return replace(answer, error="invalid_response", problems=tuple(found)) if found else answer

    # -- what people see

    def messages(self, conversation: str, user: str = "anna", root: Post | None = None) -> list[Post]:
        place = self.world.conversation(conversation, user)
        return self.world.seen(place, self.world.person(user).teams, root.id if root else None)

    def last(self, conversation: str = "personal", user: str = "anna", *, bot: bool = True) -> Post | None:
        """The newest message there that the person sees, threads included: the bot's, or (`bot=False`) a person's."""
        place, who = self.world.conversation(conversation, user), self.world.person(user).teams
        found = [
            p
            for p in self.world.posts.values()
            if p.conversation == place.id and not p.deleted and p.to in ("", who) and p.by_bot is bot
        ]
        return found[-1] if found else None

    def dialog(self, user: str = "anna") -> Dialog | None:
        return self.world.dialogs.get(self.world.person(user).teams)

    def toast(self, user: str = "anna") -> str:
        return self.world.toasts.get(self.world.person(user).teams, "")

    def text(self, what: Post | Dialog, user: str = "anna") -> str:
        """A message or dialog as a person reads it."""
        if isinstance(what, Dialog):
            return "\n".join(teams_text.dialog_lines(what))
        return "\n".join(teams_text.post_lines(what, self.world, self.world.person(user).teams))

    def transcript(self, conversation: str = "personal", user: str = "anna", *, since: Post | None = None) -> str:
        """Everything that the person sees there, threads indented, an open dialog and a toast last."""
        place, who = self.world.conversation(conversation, user), self.world.person(user).teams
        lines: list[str] = []
        for post in self.world.seen(place, who):
            thread = self.world.seen(place, who, post.id)[1:] if place.kind == "channel" else []
            for index, shown in enumerate([post, *thread]):
                if since is None or int(shown.id) >= int(since.id):
                    indent = "    " if index else ""
                    lines += [indent + line for line in teams_text.post_lines(shown, self.world, who)]
        if (dialog := self.dialog(user)) is not None:
            lines += teams_text.dialog_lines(dialog)
        return "\n".join([*lines, f"({self.toast(user)})"] if self.toast(user) else lines)

    async def until(
        self, probe: Callable[[], T | None] | Callable[[], Awaitable[T | None]], deadline: float = PATIENCE
    ) -> T:
        """Poll until the probe gives something true; TimeoutError otherwise."""
        return await until(probe, deadline)

    def _posted(self, place: Conversation, who: Person, text: str, reply_to: Post | None) -> Post:
        root = (reply_to.root or reply_to.id) if reply_to and place.kind == "channel" else ""
        post = Post(
            id=self.world.new_id(),
            conversation=place.id,
            root=root,
            sender=who.teams,
            activity=said(text),
            at=self.world.now(),
        )
        return self.world.add(post)

    def _posted_card(self, place: Conversation, who: Person, attachment: Mapping[str, Any], text: str) -> Post:
        post = self._posted(place, who, text, None)
        shown = {key: value for key, value in attachment.items() if key != "preview"}
        post.activity = {**post.activity, "attachments": [*post.activity["attachments"], shown]}
        self.world.changed()
        return post
