"""People in the fake Teams: every gesture is one signed activity; the answer is checked against its contract and
applied as the client would."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import aiohttp

from . import adaptive, teams_contract, teams_text
from .answer import Answer, Delivery, Wire, deliver, until
from .seed import Person
from .teams_issuer import Issuer
from .teams_world import BOT_NAME, Conversation, Dialog, Post, World, iso, new_guid, said

T = TypeVar("T")
_TROUBLE = "Unable to reach app. Please try again."
_TASK_FETCH = "task/fetch"


class TeamsPeople:
    """The gestures. `user`: a key, e-mail or id; `conversation`: "personal", "group", "channel", a name or an id."""

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

    # -- messages

    async def message(
        self,
        text: str,
        *,
        user: str = "anna",
        conversation: str = "personal",
        mention: bool = True,
        reply_to: Post | None = None,
        targeted: bool = False,
    ) -> Answer:
        """Send a message; in groups and channels it mentions the bot unless told not to, and then the bot hears nothing
        (`hears_everything`: resource-specific consent was given). `targeted`: a private slash command."""
        who, place = self.world.person(user), self.world.conversation(conversation, user)
        addressed = mention and place.kind != "personal" and not targeted
        typed = f"@{BOT_NAME} {text}" if addressed else text
        post = self._posted(place, who, typed, reply_to)
        post.to = who.teams if targeted else ""
        activity = self.activity(who, place, root=post.root or post.id) | {
            "type": "message",
            "id": post.id,
            "text": text,
            "textFormat": "plain",
            "attachments": said(text)["attachments"],
        }
        if addressed:
            tag = f"<at>{BOT_NAME}</at>"
            activity["text"] = f"{tag} {text}"
            activity["entities"] = [*activity["entities"], _mention(activity["recipient"], tag)]
        if targeted:
            activity["recipient"] = activity["recipient"] | {"isTargeted": True}
        if post.root:
            activity["replyToId"] = post.root
        if not place.bot or not (place.kind == "personal" or addressed or targeted or self.hears_everything):
            return Answer(status=0, error="not_delivered")
        return await self._post(activity, f"message {typed[:60]!r}", teams_contract.MESSAGE_SECONDS)

    async def edit(self, post: Post, text: str) -> Answer:
        """Change a person's own message."""
        who, place = self.world.people[post.sender], self.world.conversation(post.conversation)
        post.activity, post.edited = said(text), True
        activity = self.activity(who, place, root=post.root or post.id)
        activity |= {"type": "messageUpdate", "id": post.id, "text": text}
        activity["channelData"] |= {"eventType": "editMessage"}
        return await self._post(activity, "messageUpdate", teams_contract.MESSAGE_SECONDS)

    async def delete(self, post: Post) -> Answer:
        """Delete a person's own message."""
        who, place = self.world.people[post.sender], self.world.conversation(post.conversation)
        post.deleted = True
        activity = self.activity(who, place, root=post.root or post.id) | {"type": "messageDelete", "id": post.id}
        activity["channelData"] |= {"eventType": "softDeleteMessage"}
        return await self._post(activity, "messageDelete", teams_contract.MESSAGE_SECONDS)

    async def react(self, post: Post, kind: str = "like", *, user: str = "anna") -> Answer:
        """React; the bot hears of reactions to its own messages only."""
        who, place = self.world.person(user), self.world.conversation(post.conversation)
        post.reactions.setdefault(kind, []).append(who.teams)
        self.world.changed()
        if not post.by_bot:
            return Answer(status=0, error="not_delivered")
        activity = self.activity(who, place, root=post.root) | {
            "type": "messageReaction",
            "reactionsAdded": [{"type": kind}],
            "replyToId": post.id,
        }
        return await self._post(activity, f"reaction {kind}", teams_contract.MESSAGE_SECONDS)

    async def install(self, conversation: str = "personal", *, user: str = "anna") -> Answer:
        """Add the app: installationUpdate, then conversationUpdate with the bot among the members added."""
        return await self._installation(conversation, user, added=True)

    async def uninstall(self, conversation: str = "personal", *, user: str = "anna") -> Answer:
        """Remove the app."""
        return await self._installation(conversation, user, added=False)

    async def _installation(self, conversation: str, user: str, *, added: bool) -> Answer:
        who, place = self.world.person(user), self.world.conversation(conversation, user)
        place.bot = added
        shared = self.activity(who, place)
        update = shared | {"type": "installationUpdate", "action": "add" if added else "remove", "id": new_guid()}
        answer = await self._post(update, update["type"], teams_contract.MESSAGE_SECONDS)
        changed = shared | {
            "type": "conversationUpdate",
            "id": new_guid(),
            ("membersAdded" if added else "membersRemoved"): [{"id": shared["recipient"]["id"]}],
        }
        await self._post(changed, "conversationUpdate", teams_contract.MESSAGE_SECONDS)
        return answer

    # -- invokes

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

    async def press(
        self, post: Post, action: str, inputs: Mapping[str, Any] | None = None, *, user: str = "anna"
    ) -> Answer:
        """Press any button of a card by id, verb or title; its type decides what is sent."""
        return await self._press(post, action, "", inputs, user)

    async def execute(
        self, post: Post, action: str, inputs: Mapping[str, Any] | None = None, *, user: str = "anna"
    ) -> Answer:
        """Action.Execute: a card in the answer replaces the card for this person, a message is a toast."""
        return await self._press(post, action, "Action.Execute", inputs, user)

    async def submit_action(
        self, post: Post, action: str, inputs: Mapping[str, Any] | None = None, *, user: str = "anna"
    ) -> Answer:
        """Action.Submit: a message activity with `value` and no text, or task/fetch when its data says so. On a button
        that is Action.Execute: what an older client sends, its fallback."""
        return await self._press(post, action, "Action.Submit", inputs, user)

    async def _press(self, post: Post, action: str, kind: str, inputs: Mapping[str, Any] | None, user: str) -> Answer:
        card = post.card(self.world.person(user).teams)
        found = find_action(card, action, kind if kind == "Action.Execute" else "")
        if kind == "Action.Submit" and found["type"] == "Action.Execute":
            found = found.get("fallback") or {}
        data, missing = gather(card, found, inputs or {})
        if missing:
            return Answer(status=0, error="required_field", problems=tuple(missing))
        return await self.pressed(post, found, data, user=user)

    async def pressed(self, post: Post, action: Mapping[str, Any], data: Any, *, user: str = "anna") -> Answer:
        """What this button (its JSON) sends, with its data and the inputs already put together."""
        who, place = self.world.person(user), self.world.conversation(post.conversation, user)
        if action["type"] == "Action.Execute":
            sent = {key: action[key] for key in ("type", "id", "verb", "title") if action.get(key)} | {"data": data}
            return await self._executed(post, who, {"action": sent, "trigger": "manual"})
        if action["type"] != "Action.Submit":
            return Answer(status=0, error="not_delivered")
        if isinstance(data, Mapping) and (data.get("msteams") or {}).get("type") == _TASK_FETCH:
            return await self.task_fetch(data, user=user, conversation=place.id)
        activity = self.activity(who, place, root=post.root or post.id)
        activity |= {"type": "message", "id": new_guid(), "value": data, "replyToId": post.id}
        return await self._post(activity, f"submit {action.get('title')}", teams_contract.MESSAGE_SECONDS)

    async def refresh(self, post: Post, *, user: str = "anna") -> Answer:
        """What the client does by itself when a card with `refresh` comes into view."""
        who = self.world.person(user)
        refresh = (post.card() or {}).get("refresh")
        if not refresh:
            raise LookupError("this card has no refresh")
        if "userIds" in refresh and who.teams not in refresh["userIds"] and who.aad not in refresh["userIds"]:
            return Answer(status=0, error="not_delivered")
        return await self._executed(post, who, {"action": dict(refresh["action"]), "trigger": "automatic"})

    async def _executed(self, post: Post, who: Person, value: Mapping[str, Any]) -> Answer:
        answer = await self.invoke(
            "adaptiveCard/action", value, user=who.key, conversation=post.conversation, reply_to=post
        )
        self.world.toasts.pop(who.teams, None)
        body = answer.json
        if answer.error or not isinstance(body, dict):
            self.world.toasts[who.teams] = _TROUBLE
        elif body["type"] == adaptive.CONTENT_TYPE:
            post.views[who.teams] = body["value"]
        elif isinstance(body.get("value"), str):
            self.world.toasts[who.teams] = body["value"]
        elif isinstance(body.get("value"), dict):
            self.world.toasts[who.teams] = body["value"].get("message", _TROUBLE)
        self.world.changed()
        return answer

    async def typeahead(
        self, dataset: str, typed: str, *, user: str = "anna", conversation: str = "personal", data: Any = None
    ) -> Answer:
        """Type into a filtered choice set; `answer.json["value"]["results"]` are what may be picked."""
        value = {"queryText": typed, "queryOptions": {"skip": 0, "top": 15}, "dataset": dataset}
        if data is not None:
            value["data"] = data
        return await self.invoke("application/search", value, user=user, conversation=conversation)

    # -- dialogs

    async def task_fetch(self, data: Any, *, user: str = "anna", conversation: str = "personal") -> Answer:
        """A button that opens a dialog."""
        value = {"data": data, "context": {"theme": "default"}}
        return await self._dialog("task/fetch", value, user, conversation)

    async def task_submit(self, data: Any, *, user: str = "anna", conversation: str = "") -> Answer:
        """Submit the open dialog with this data."""
        place = conversation or self._open_dialog(user).conversation
        return await self._dialog("task/submit", {"data": data, "context": {"theme": "default"}}, user, place)

    async def compose_fetch_task(
        self,
        message: Post | None = None,
        *,
        user: str = "anna",
        command: str = "createCase",
        conversation: str = "personal",
    ) -> Answer:
        """A message-extension action, on a message or from the compose box. Works where the bot is not installed."""
        context: dict[str, Any] = {
            "commandId": command,
            "commandContext": "message" if message else "compose",
            "requestId": new_guid(),
            "context": {"theme": "default"},
        }
        if message is not None:
            context["messagePayload"] = self.world.payload(message)
            conversation = message.conversation
        return await self._dialog("composeExtension/fetchTask", context, user, conversation, message)

    async def compose_submit(self, data: Any, *, user: str = "anna", message: Post | None = None) -> Answer:
        """Submit the dialog that a message-extension action opened."""
        dialog = self._open_dialog(user)
        value = {**dialog.context, "data": data}
        return await self._dialog("composeExtension/submitAction", value, user, dialog.conversation, message)

    async def submit_dialog(
        self, inputs: Mapping[str, Any] | None = None, action: str = "", *, user: str = "anna"
    ) -> Answer:
        """Fill in the open dialog's card and press its button (the only one, or by name)."""
        dialog = self._open_dialog(user)
        found = find_action(dialog.card, action, "" if action else "Action.Submit")
        data, missing = gather(dialog.card, found, inputs or {})
        if missing:
            dialog.problem = missing[0]
            self.world.changed()
            return Answer(status=0, error="required_field", problems=tuple(missing))
        return await self.submitted(data, user=user)

    async def submitted(self, data: Any, *, user: str = "anna") -> Answer:
        """Submit the open dialog with this data, by the invoke that belongs to it."""
        if self._open_dialog(user).source == "compose":
            return await self.compose_submit(data, user=user)
        return await self.task_submit(data, user=user)

    async def preview_send(self, *, user: str = "anna") -> Answer:
        """Press Send under the preview of a bot message."""
        draft = self.world.drafts.pop(self.world.person(user).teams)
        value = {**draft["context"], "botMessagePreviewAction": "send", "botActivityPreview": [draft["activity"]]}
        return await self._dialog("composeExtension/submitAction", value, user, draft["conversation"])

    def close_dialog(self, *, user: str = "anna") -> None:
        self.world.dialogs.pop(self.world.person(user).teams, None)
        self.world.changed()

    # -- the search extension and links

    async def query(
        self,
        command: str,
        text: str = "",
        *,
        user: str = "anna",
        conversation: str = "personal",
        parameter: str = "query",
        skip: int = 0,
    ) -> Answer:
        """Search as one types; without text the first results ("initialRun")."""
        name, value = (parameter, text) if text else ("initialRun", "true")
        body = {
            "commandId": command,
            "parameters": [{"name": name, "value": value}],
            "queryOptions": {"skip": skip, "count": 25},
        }
        answer = await self.invoke("composeExtension/query", body, user=user, conversation=conversation)
        found = (answer.json or {}).get("composeExtension", {}) if not answer.error else {}
        self.world.results[self.world.person(user).teams] = found
        self.world.changed()
        return answer

    def insert(self, index: int, *, user: str = "anna", conversation: str = "channel") -> Post:
        """Pick one of the last results and send it: the card becomes the person's own message."""
        who = self.world.person(user)
        attachment = self.world.results.pop(who.teams)["attachments"][index]
        return self._posted_card(self.world.conversation(conversation, user), who, attachment, "")

    async def query_link(
        self, url: str, *, user: str = "anna", conversation: str = "channel", anonymous: bool = False
    ) -> Answer:
        """Paste an address of the organisation; the message carries the card that comes back."""
        name = "composeExtension/anonymousQueryLink" if anonymous else "composeExtension/queryLink"
        answer = await self.invoke(name, {"url": url}, user=user, conversation=conversation)
        cards = (answer.json or {}).get("composeExtension", {}).get("attachments") if not answer.error else ()
        who, place = self.world.person(user), self.world.conversation(conversation, user)
        if cards:
            self._posted_card(place, who, cards[0], url)
        return answer

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
        self, probe: Callable[[], T | None] | Callable[[], Awaitable[T | None]], deadline: float = 5.0
    ) -> T:
        """Poll until the probe gives something true; TimeoutError otherwise."""
        return await until(probe, deadline)

    # -- the wire

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
                    "timezone": "Europe/Amsterdam",
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

    # -- how it is done

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

    def _open_dialog(self, user: str) -> Dialog:
        dialog = self.dialog(user)
        if dialog is None:
            raise LookupError(f"{user} has no dialog open")
        return dialog

    async def _dialog(
        self, name: str, value: Mapping[str, Any], user: str, conversation: str, reply_to: Post | None = None
    ) -> Answer:
        """An invoke whose answer opens, changes or closes a dialog, or hands a card over."""
        answer = await self.invoke(name, value, user=user, conversation=conversation, reply_to=reply_to)
        who, place = self.world.person(user), self.world.conversation(conversation, user)
        dialog = self.world.dialogs.get(who.teams)
        body = answer.json or {}
        if answer.error:
            if dialog is not None:
                dialog.problem = _TROUBLE
            self.world.toasts[who.teams] = _TROUBLE
        elif "task" in body:
            self._show_task(body["task"], name, value, who, place)
        else:
            self.world.dialogs.pop(who.teams, None)
            self._compose_result(body.get("composeExtension") or {}, value, who, place)
        self.world.changed()
        return answer

    def _show_task(
        self, task: Mapping[str, Any], name: str, value: Mapping[str, Any], who: Person, place: Conversation
    ) -> None:
        kept = {k: v for k, v in value.items() if k not in ("data", "botMessagePreviewAction", "botActivityPreview")}
        dialog = Dialog(
            user=who.teams,
            conversation=place.id,
            source="compose" if name.startswith("composeExtension") else "task",
            context=kept,
        )
        shown = task["value"]
        if isinstance(shown, str):
            dialog.message = shown
        else:
            dialog.title, dialog.url = str(shown.get("title", "")), str(shown.get("url", ""))
            dialog.card = shown["card"]["content"] if "card" in shown else None
        self.world.dialogs[who.teams] = dialog

    def _compose_result(
        self, result: Mapping[str, Any], value: Mapping[str, Any], who: Person, place: Conversation
    ) -> None:
        match result.get("type"):
            case "result":
                self.world.results[who.teams] = dict(result)
            case "message":
                self.world.toasts[who.teams] = result["text"]
            case "botMessagePreview":
                context = {k: v for k, v in value.items() if k != "data"}
                activity = result["activityPreview"]
                draft = {"context": context, "activity": activity, "conversation": place.id}
                self.world.drafts[who.teams] = draft


def find_action(card: Mapping[str, Any] | None, wanted: str, kind: str = "") -> dict[str, Any]:
    """A button of the card by id, verb or title (or the only one of a kind); LookupError lists what is there."""
    actions = [p for p in adaptive.parts(dict(card or {})) if str(p["type"]).startswith("Action.")]
    for action in actions:
        names = (action.get("id"), action.get("verb"), action.get("title"))
        if (wanted in names if wanted else True) and kind in ("", action["type"]):
            return action
    there = ", ".join(f"{a.get('title')} ({a.get('id') or a.get('verb') or a['type']})" for a in actions)
    raise LookupError(f"no button {wanted or kind!r} here; there are: {there or 'none'}")


def gather(
    card: Mapping[str, Any] | None, action: Mapping[str, Any], inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The data that a button sends: the inputs' values, then its own data on top; and what the client refuses to
    send. Input names are ids or labels."""
    data: dict[str, Any] = {}
    missing: list[str] = []
    known = [p for p in adaptive.parts(dict(card or {})) if str(p["type"]).startswith("Input.") and "id" in p]
    unknown = set(inputs) - {p["id"] for p in known} - {p.get("label") for p in known}
    if unknown:
        raise LookupError(f"no input {sorted(unknown)}; there are: {[p['id'] for p in known]}")
    takes = str(action.get("associatedInputs", "auto")).lower() != "none"
    for part in known if takes else ():
        value = inputs.get(part["id"], inputs.get(part.get("label", ""), part.get("value")))
        value = _chosen(part, value)
        if said := _refused(part, value):
            missing.append(part.get("errorMessage") or f"{part.get('label', part['id'])}: {said}")
        data[part["id"]] = value if value is not None else ""
    own = action.get("data") or {}
    return (data | dict(own) if isinstance(own, Mapping) else data), missing


def _chosen(part: Mapping[str, Any], value: Any) -> Any:
    """A choice may be named by its title."""
    for choice in part.get("choices") or ():
        if value == choice["title"]:
            return choice["value"]
    if part["type"] == "Input.Toggle":
        on, off = part.get("valueOn", "true"), part.get("valueOff", "false")
        return on if value in (True, on) else off
    return value if value is None else str(value)


def _refused(part: Mapping[str, Any], value: Any) -> str:
    if value in (None, ""):
        return "is required" if part.get("isRequired") else ""
    if "maxLength" in part and len(value) > part["maxLength"]:
        return f"at most {part['maxLength']} characters"
    if "regex" in part and not re.search(part["regex"], value):
        return "has the wrong form"
    return ""


def _mention(recipient: Mapping[str, Any], tag: str) -> dict[str, Any]:
    return {"type": "mention", "mentioned": {"id": recipient["id"], "name": recipient["name"]}, "text": tag}
