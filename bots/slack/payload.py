"""What a Slack payload says of where, who and in which place; nothing is trusted that the signature does not cover."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from commands.request import Place, PlaceKind, Principal, Standing

from .api import Workspace

RESPONSE_SECONDS = 29 * 60
"""A `response_url` works for 30 minutes."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The workspace that the app answers for, and the person who acted."""

    workspace: Workspace
    user: str
    user_team: str = ""
    """The person's own workspace where the payload names it; another one than ours means Slack Connect."""
    name: str = ""

    @property
    def tenant(self) -> str:
        """The organisation on Enterprise Grid (its user ids hold throughout), else the workspace."""
        return self.workspace.enterprise or self.workspace.team

    @property
    def key(self) -> str:
        """Prefix of every intent key from this workspace."""
        return f"slack:{self.workspace.enterprise}:{self.workspace.team}"

    def principal(self) -> Principal:
        """As much as the payload vouches for; `People.profile` knows more."""
        foreign = bool(self.user_team) and self.user_team not in (self.workspace.team, self.workspace.enterprise)
        return Principal(
            platform="slack",
            tenant=self.user_team if foreign else self.tenant,
            user=self.user,
            name=self.name,
            standing=Standing.STRANGER if foreign else Standing.MEMBER,
        )


def of_command(body: Body) -> Origin:
    """Of a slash command's form fields."""
    workspace = Workspace(body.get("team_id", ""), body.get("enterprise_id") or "")
    return Origin(workspace, body.get("user_id", ""), name=body.get("user_name", ""))


def of_interaction(body: Body) -> Origin:
    """Of a button, modal, typeahead or shortcut. In an org-wide installation `team` may be null."""
    user = body.get("user") or {}
    view = body.get("view") or {}
    team = view.get("app_installed_team_id") or (body.get("team") or {}).get("id") or user.get("team_id") or ""
    enterprise = (body.get("enterprise") or {}).get("id") or (body.get("team") or {}).get("enterprise_id") or ""
    if team == enterprise:  # an organisation-wide installation names the organisation here
        team = user.get("team_id") or ""
    name = user.get("name") or user.get("username") or ""
    return Origin(Workspace(team, enterprise), user.get("id", ""), user.get("team_id") or "", name)


def of_event(body: Body) -> Origin:
    """Of an event: `authorizations[0]` is where we are installed; the top level may name the sender's workspace.

    An installation in a whole organisation names no workspace there; the top level's counts if it is of the same one.
    """
    event = body.get("event") or {}
    authorization = (body.get("authorizations") or [{}])[0]
    enterprise = authorization.get("enterprise_id") or body.get("enterprise_id") or ""
    team = authorization.get("team_id") or ""
    if not team and (body.get("enterprise_id") or "") == enterprise and body.get("team_id") != enterprise:
        team = body.get("team_id") or ""
    user = event.get("user") or ""
    if isinstance(user, dict):
        user = str(user.get("id") or "")
    foreign = event.get("user_team") or event.get("source_team") or ""
    if enterprise and foreign and foreign != enterprise and not body.get("is_ext_shared_channel"):
        foreign = ""  # another workspace of the same organisation
    return Origin(Workspace(team, enterprise), user, foreign)


def place_kind(channel: str, hint: str = "") -> PlaceKind:
    """By Slack's `channel_type` or `channel_name` where given, else by the id's first letter."""
    if hint in ("im", "directmessage", "app_home") or channel.startswith(("D", "U", "W")):
        return PlaceKind.PERSONAL
    if hint in ("mpim", "group") or hint.startswith("mpdm-"):
        return PlaceKind.GROUP
    return PlaceKind.CHANNEL


def place(
    origin: Origin,
    channel: str,
    *,
    thread: str = "",
    hint: str = "",
    shared: bool | None = None,
    name: str = "",
    response_url: str = "",
    **address: str,
) -> Place:
    """Where to answer. Without a channel (home tab, global shortcut) it is the conversation with the person."""
    known = {"team": origin.workspace.team, "enterprise": origin.workspace.enterprise, "user": origin.user, **address}
    if response_url:
        known |= {"response_url": response_url, "response_until": str(int(time.time()) + RESPONSE_SECONDS)}
    return Place(
        platform="slack",
        tenant=origin.tenant,
        conversation=channel or origin.user,
        thread=thread,
        kind=place_kind(channel or origin.user, hint),
        shared=shared,
        name=name,
        address={k: v for k, v in known.items() if v},
    )


def event_place(origin: Origin, body: Body, *, thread: str = "", message_ts: str = "") -> Place:
    """Where an event happened in a conversation."""
    event = body["event"]
    return place(
        origin,
        str(event.get("channel") or ""),
        thread=thread,
        hint=str(event.get("channel_type") or ""),
        shared=outside(body),
        message_ts=message_ts,
    )


def outside(body: Body) -> bool | None:
    """Whether an event's channel is shared with other organisations; None where Slack does not say."""
    said = body.get("is_ext_shared_channel")
    return said if isinstance(said, bool) else None


def workspace_at(place: Place) -> Workspace:
    """The workspace whose token answers there."""
    return Workspace(place.address.get("team", ""), place.address.get("enterprise", ""))


def used(body: Body) -> str:
    """What the control that was used carries: a button's value, or that of the option chosen."""
    control = body["actions"][0]
    return str(control.get("value") or (control.get("selected_option") or {}).get("value") or "")
