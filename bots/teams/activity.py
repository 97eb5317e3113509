"""A Bot Framework activity as this room sees it: read leniently from raw JSON, frozen, complete in `raw`.

Field names and shapes: "Conversation basics", "Send and receive messages" (learn.microsoft.com/microsoftteams).
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]

PERSONAL: Final = "personal"
GROUP: Final = "groupChat"
CHANNEL: Final = "channel"
_OF_TWO: Final = "@unq.gbl.spaces"
"""Ends the id of a chat that is named after the two who are in it."""

_EMPTY: Final[Json] = {}
_TAGGED = re.compile(r"<at\b[^>]*>(.*?)</at>", re.IGNORECASE | re.DOTALL)
_SPACES = re.compile(r"[ \t\u00a0]+")


class BadActivity(ValueError):
    """The body of a request is not an activity: HTTP 400."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person or the bot. `id` is the channel's (`29:…`, `28:…`), opaque; `entra` the Entra object id, when sent."""

    id: str
    name: str = ""
    entra: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a conversation can be spoken to again: everything that a later message needs."""

    service_url: str
    conversation: str
    kind: str = PERSONAL
    tenant: str = ""
    bot: str = ""
    user: str = ""
    channel_id: str = "msteams"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One inbound activity."""

    type: str
    id: str
    name: str
    text: str
    """As the person wrote it: the bot's own mention removed once, HTML entities decoded, trimmed."""
    value: Any
    sender: Account
    bot: Account
    reference: Reference
    reply_to: str
    locale: str
    timezone: str
    addressed: bool
    """It is meant for the bot: alone with it, mentioning it, or written privately to it. With the right to read all
    messages the bot hears others too, and these are no commands."""
    targeted: bool
    """The person wrote privately to the bot within a shared conversation: the answer must be private too."""
    team: str
    raw: Json

    @property
    def kind(self) -> str:
        """`personal`, `groupChat` or `channel`."""
        return self.reference.kind

    @property
    def tenant(self) -> str:
        """Entra tenant id of the conversation."""
        return self.reference.tenant


def parse(raw: Any) -> Activity:
    """Reads a raw activity.

    Raises:
        BadActivity: it is not an object, or lacks what every activity has (type, sender, conversation).
    """
    if not isinstance(raw, Mapping):
        raise BadActivity("the body is not a JSON object")
    kind = _text(raw, "type")
    if not kind:
        raise BadActivity("the activity has no type")
    sender, bot = _account(raw.get("from")), _account(raw.get("recipient"))
    conversation, data = _object(raw, "conversation"), _object(raw, "channelData")
    if not sender.id or not _text(conversation, "id"):
        raise BadActivity("the activity names no sender or no conversation")
    tenant = _text(_object(data, "tenant"), "id") or _text(conversation, "tenantId")
    client = _client_info(raw)
    scope = _scope(conversation, bot.id)
    targeted = _object(raw, "recipient").get("isTargeted") is True
    return Activity(
        type=kind,
        id=_text(raw, "id"),
        name=_text(raw, "name"),
        text=spoken(raw, bot.id),
        value=raw.get("value"),
        sender=sender,
        bot=bot,
        reference=Reference(
            service_url=_text(raw, "serviceUrl"),
            conversation=_text(conversation, "id"),
            kind=scope,
            tenant=tenant,
            bot=bot.id,
            user=sender.id,
            channel_id=_text(raw, "channelId") or "msteams",
        ),
        reply_to=_text(raw, "replyToId"),
        locale=_text(raw, "locale") or _text(client, "locale"),
        timezone=_text(_object(raw, "localTimezone"), "name")
        or _text(raw, "localTimezone")
        or _text(client, "timezone"),
        addressed=scope == PERSONAL or targeted or bool(_names_of(raw, bot.id)),
        targeted=targeted,
        team=_text(_object(data, "team"), "id"),
        raw=raw,
    )


def _scope(conversation: Json, bot: str) -> str:
    """The kind of a conversation. A chat of two people calls itself personal too, though somebody else reads along:
    from there come actions on messages, links and searches."""
    kind, name = _text(conversation, "conversationType") or PERSONAL, _text(conversation, "id")
    of_people = kind == PERSONAL and name.endswith(_OF_TWO) and bot.rpartition(":")[2] not in name
    return GROUP if of_people else kind


def spoken(raw: Json, bot: str) -> str:
    """What a message says, without the bot's own mention.

    The first tag that mentions the bot goes, once; other people stay by name. (The SDK's own helper deletes the bot's
    *name* wherever it occurs in the sentence.) The tag in `text` may carry attributes that the entity's text lacks.
    """
    text = _text(raw, "text")
    if not text:
        return ""
    own = _names_of(raw, bot)
    gone = False

    def tag(found: re.Match[str]) -> str:
        nonlocal gone
        name: str = found.group(1)
        if not gone and _plain(name) in own:
            gone = True
            return " "
        return name

    text = html.unescape(_TAGGED.sub(tag, text)).replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(_SPACES.sub(" ", line).strip() for line in text.split("\n")).strip()


def _names_of(raw: Json, account: str) -> frozenset[str]:
    """The names under which a message mentions an account, as they stand between its tags."""
    names = set()
    for entity in _objects(raw.get("entities")):
        mentioned = _object(entity, "mentioned")
        if _text(entity, "type").lower() == "mention" and _text(mentioned, "id") == account:
            names.add(_plain(_TAGGED.sub(r"\1", _text(entity, "text"))))
            names.add(_plain(_text(mentioned, "name")))
    return frozenset(names - {""})


def _plain(name: str) -> str:
    return _SPACES.sub(" ", html.unescape(name)).strip()


def _client_info(raw: Json) -> Json:
    return next((e for e in _objects(raw.get("entities")) if _text(e, "type") == "clientInfo"), _EMPTY)


def _account(data: Any) -> Account:
    if not isinstance(data, Mapping):
        return Account("")
    return Account(_text(data, "id"), _text(data, "name"), _text(data, "aadObjectId"))


def _text(data: Json, key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _object(data: Json, key: str) -> Json:
    value = data.get(key)
    return value if isinstance(value, Mapping) else _EMPTY


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
