"""Dialogs, the message extension and links: the gestures whose answers open, change or hand over something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .answer import Answer
from .seed import Person
from .teams_buttons import find_action, gather
from .teams_link import TeamsLink
from .teams_world import Conversation, Dialog, Post, new_guid

TROUBLE = "Unable to reach app. Please try again."


class TeamsDialogs(TeamsLink):
    """task/*, composeExtension/* and what the client does with their answers."""

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

    # -- how it is done

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
                dialog.problem = TROUBLE
            self.world.toasts[who.teams] = TROUBLE
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
