"""People in the fake Teams: every gesture is one signed activity; the answer is checked against its contract and
applied as the client would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import adaptive, teams_contract
from .answer import Answer
from .seed import Person
from .teams_buttons import find_action, gather
from .teams_contract import OAUTH_CARD
from .teams_dialogs import TROUBLE, TeamsDialogs
from .teams_world import BOT_NAME, Post, new_guid, said

_TASK_FETCH = "task/fetch"


class TeamsPeople(TeamsDialogs):
    """The gestures. `user`: a key, e-mail or id; `conversation`: "personal", "group", "channel", a name or an id."""

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

    async def edit(self, post: Post, text: str, *, mention: bool = False) -> Answer:
        """Change a person's own message; `mention`: the new one mentions the bot."""
        post.activity, post.edited = said(f"@{BOT_NAME} {text}" if mention else text), True
        return await self._updated(post, "editMessage", text, mention=mention)

    async def undelete(self, post: Post) -> Answer:
        """Take the deletion of a person's own message back."""
        post.deleted = False
        mention = post.text.startswith(f"@{BOT_NAME} ")
        text = post.text.removeprefix(f"@{BOT_NAME} ")
        return await self._updated(post, "undeleteMessage", text, mention=mention)

    async def _updated(self, post: Post, kind: str, text: str, *, mention: bool) -> Answer:
        who, place = self.world.people[post.sender], self.world.conversation(post.conversation)
        activity = self.activity(who, place, root=post.root or post.id)
        activity |= {"type": "messageUpdate", "id": post.id, "text": text}
        if mention:
            tag = f"<at>{BOT_NAME}</at>"
            activity["text"] = f"{tag} {text}"
            activity["entities"] = [*activity["entities"], _mention(activity["recipient"], tag)]
        activity["channelData"] |= {"eventType": kind}
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

    # -- buttons

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
            self.world.toasts[who.teams] = TROUBLE
        elif body["type"] == adaptive.CONTENT_TYPE:
            post.views[who.teams] = body["value"]
        elif isinstance(body.get("value"), str):
            self.world.toasts[who.teams] = body["value"]
        elif isinstance(body.get("value"), dict):
            self.world.toasts[who.teams] = body["value"].get("message", TROUBLE)
        self.world.changed()
        return answer

    async def sign_on(self, post: Post, token: str, *, user: str = "anna") -> Answer:
        """What each of the person's clients does with an OAuthCard, once Entra gave it a token; 412: it asks for
        consent, or shows the card's button."""
        content = next(a["content"] for a in post.activity["attachments"] if a["contentType"] == OAUTH_CARD)
        exchange = {"id": content["tokenExchangeResource"]["id"], "connectionName": content["connectionName"]}
        return await self.invoke(
            "signin/tokenExchange", exchange | {"token": token}, user=user, conversation=post.conversation
        )

    async def typeahead(
        self, dataset: str, typed: str, *, user: str = "anna", conversation: str = "personal", data: Any = None
    ) -> Answer:
        """Type into a filtered choice set; `answer.json["value"]["results"]` are what may be picked."""
        value = {"queryText": typed, "queryOptions": {"skip": 0, "top": 15}, "dataset": dataset}
        if data is not None:
            value["data"] = data
        return await self.invoke("application/search", value, user=user, conversation=conversation)


def _mention(recipient: Mapping[str, Any], tag: str) -> dict[str, Any]:
    return {"type": "mention", "mentioned": {"id": recipient["id"], "name": recipient["name"]}, "text": tag}
