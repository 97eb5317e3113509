"""The payloads that Slack sends for what people do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from . import blockkit, slack_text
from .answer import Answer
from .slack_records import Channel, Message, ResponseUrl, User, View
from .slack_sight import SlackSight
from .slack_state import all_options, element_state


class SlackPayloads(SlackSight):
    """Interactive payloads and event envelopes; controls are found by id or by what can be read on them."""

    async def event(
        self, event: Mapping[str, Any], *, team: str = "T1", event_id: str = "", of_organisation: bool = False
    ) -> Answer:
        """Any event in the envelope of the Events API; what happens to a whole organisation names no workspace."""
        workspace, org_wide = self.world.teams[team], self.world.org_wide(team)
        place = self.world.channels.get(str(event.get("channel") or (event.get("item") or {}).get("channel") or ""))
        envelope = {
            "token": "legacy",
            "type": "event_callback",
            **({} if of_organisation else {"team_id": team, "context_team_id": team}),
            **({"enterprise_id": workspace.enterprise} if workspace.enterprise else {}),
            "api_app_id": "APLAYGROUND",
            "event": {"event_ts": self.world.new_ts(), **event},
            "event_id": event_id or self.world.new_id("Ev"),
            "event_time": int(time.time()),
            "authorizations": [
                {
                    "enterprise_id": workspace.enterprise,
                    "team_id": None if org_wide else team,
                    "user_id": workspace.bot_user,
                    "is_bot": True,
                    "is_enterprise_install": org_wide,
                }
            ],
            "is_ext_shared_channel": place is not None and place.shared,
        }
        return await self.post_event(envelope, f"event {event.get('type')}")

    def response_url(self, who: User, place: Channel, source: Message | None = None) -> str:
        name = self.world.new_id("R")
        self.world.response_urls[name] = ResponseUrl(
            user=who.id, channel=place.id, team=place.team, born=self.world.now(), source=source
        )
        return f"{self.world.base}response/{name}"

    def find_control(
        self, where: Message | View, wanted: str, value: Any, nth: int, *, stateful: bool = False, block_id: str = ""
    ) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """A block, the element in it, and the value to send; LookupError lists what is there."""
        blocks = where.blocks if isinstance(where, View) else where.all_blocks()
        found, there = [], []
        for block in blocks if not block_id else [b for b in blocks if b.get("block_id") == block_id]:
            for element in blockkit.elements([block]):
                if not isinstance(element, dict) or element.get("type") == "image":
                    continue
                label = slack_text.words(block.get("label")) or slack_text.element_text(element).strip("[]")
                there.append(f"{element.get('action_id')} ({label})")
                names = {element.get("action_id"), label, slack_text.words(element.get("text"))}
                if block.get("type") == "input" or stateful:
                    names.add(block.get("block_id"))
                if wanted in names:
                    found.append((block, element, element.get("value") if value is None else value))
                elif element.get("type") == "overflow":
                    found += [(block, element, o["value"]) for o in element["options"] if slack_text.words(o) == wanted]
        exact = [f for f in found if value is not None and f[1].get("value") == value] or found
        if nth >= len(exact):
            raise LookupError(f"no control {wanted!r} here; there are: {', '.join(there) or 'none'}")
        return exact[nth]

    def _acted(self, block: Mapping[str, Any], element: Mapping[str, Any], value: Any) -> dict[str, Any]:
        acted = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
        if element["type"] == "button":
            return acted | {k: element[k] for k in ("text", "value", "url", "style") if k in element}
        if element["type"] == "overflow":
            wanted = [o for o in all_options(element) if value in (o["value"], slack_text.words(o))]
            return acted | {"selected_option": wanted[0]}
        return acted | (element_state(element, value) or {})

    def _payload(self, kind: str, who: User, where: Message | View | None) -> dict[str, Any]:
        team = where.team if where is not None else who.team
        workspace = self.world.teams[team]
        payload: dict[str, Any] = {
            "type": kind,
            "team": {"id": team, "domain": workspace.domain},
            "user": {"id": who.id, "username": who.name, "name": who.name, "team_id": who.team},
            "api_app_id": "APLAYGROUND",
            "token": "legacy",
            "enterprise": {"id": workspace.enterprise, "name": "Grid"} if workspace.enterprise else None,
            "is_enterprise_install": self.world.org_wide(team),
            "trigger_id": self.world.trigger(who.id, team, where.id if isinstance(where, View) else ""),
        }
        if isinstance(where, View):
            return payload | {"container": {"type": "view", "view_id": where.id}, "view": where.json()}
        if where is None:
            return payload
        place = self.world.channels[where.channel]
        container = {"message_ts": where.ts, "channel_id": where.channel, "is_ephemeral": bool(where.to)}
        payload |= {
            "channel": channel_ref(place),
            "state": {"values": {}},
            "response_url": self.response_url(who, place, where if where.bot_id else None),
        }
        if where.thread_ts:
            container["thread_ts"] = where.thread_ts
        if where.unfurls and not where.bot_id:
            unfurl = where.unfurl_attachments()[0]
            container |= {"is_app_unfurl": True, "app_unfurl_url": unfurl["from_url"], "attachment_id": 1}
            return payload | {"container": {"type": "message_attachment", **container}, "app_unfurl": unfurl}
        payload["container"] = {"type": "message", **container}
        # Slack keeps no ephemeral messages, so their content does not come back
        return payload if where.to else payload | {"message": where.json()}

    def _reader(self, where: Message | View) -> str:
        return where.user if isinstance(where, View) else where.to or "U1"

    def _link_event(self, message: Message, links: list[str], source: str) -> dict[str, Any]:
        unfurl_id = f"{message.ts}.unfurl"
        self.world.unfurl_ids[unfurl_id] = message
        place = self.world.channels.get(message.channel)
        event = {
            "type": "link_shared",
            "channel": message.channel,
            "is_bot_user_member": place is not None and self.world.teams[message.team].bot_user in place.members,
            "user": message.user,
            "message_ts": unfurl_id if source == "composer" else message.ts,
            "unfurl_id": unfurl_id,
            "source": source,
            "links": [{"url": url, "domain": urlsplit(url).hostname} for url in links],
        }
        return event | ({"thread_ts": message.thread_ts} if message.thread_ts else {})


def channel_ref(place: Channel) -> dict[str, str]:
    return {"id": place.id, "name": "directmessage" if place.im else place.name}
