"""Activity -> who, where and (for a message that becomes a case) what: `Principal`, `Place`, `Quote`."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote as quote_url
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from commands.request import Message, Person, Place, PlaceKind, Principal, Quote, QuotedFile

from .activity import CHANNEL, GROUP, Activity, BadActivity, Json, Reference
from .adaptive import Reader
from .plain import plain, tidy

PLATFORM: Final = "teams"
THREAD: Final = ";messageid="
CHANGES: Final = frozenset({"messageUpdate", "messageDelete"})
"""Activities about an earlier message; their id is that message's."""

_KINDS: Final = {CHANNEL: PlaceKind.CHANNEL, GROUP: PlaceKind.GROUP}
_SLASH: Final = re.compile(r"^/(?:crm\b)?\s*", re.IGNORECASE)
_EMBEDDED = re.compile(r'<(?:img|attachment)\b(?:[^<>]*?\bid="([^"<>]*)")?', re.IGNORECASE)
_NO_FILES: Final = ("application/vnd.microsoft.", "messageReference")
"""Begin the content types of attachments that are cards and quoted messages."""


def principal(activity: Activity) -> Principal:
    """The sender, as Teams vouches for them."""
    sender = activity.sender
    return Principal(
        platform=PLATFORM,
        tenant=activity.tenant,
        user=sender.entra or sender.id,
        name=sender.name,
        locale=activity.locale or "en-US",
        timezone=activity.timezone if zone(activity.timezone) else "UTC",
        entra_id=sender.entra,
    )


def place(activity: Activity, *, basic: bool = False) -> Place:
    """Where the activity came from, and how to answer there later.

    `basic`: the client opens no dialogs and asks for no choices (test tools, channels other than Teams).
    """
    reference = activity.reference
    conversation, _, thread = reference.conversation.partition(THREAD)
    data = activity.raw.get("channelData")
    data = data if isinstance(data, Mapping) else {}
    if reference.kind == CHANNEL and not thread and isinstance(activity.value, Mapping):
        # An action on a message of a channel belongs to the message's thread.
        payload = _mapping(activity.value.get("messagePayload"))
        thread = str(payload.get("replyToId") or payload.get("id") or "")
    team, channel = _mapping(data.get("team")), _mapping(data.get("channel"))
    address = {
        "service_url": reference.service_url,
        "bot": reference.bot,
        "user": reference.user,
        "kind": reference.kind,
        "gesture": activity.id,
        "card": activity.reply_to,
        "channel_id": reference.channel_id,
        "team": activity.team,
        "group": str(team.get("aadGroupId") or ""),
        "client": "basic" if basic else "",
        "private": "yes" if activity.targeted else "",
    }
    return Place(
        platform=PLATFORM,
        tenant=activity.tenant,
        conversation=conversation,
        thread=thread,
        kind=_KINDS.get(activity.kind, PlaceKind.PERSONAL),
        # Whether guests read along in other conversations, their roster knows.
        shared=True if str(channel.get("type") or "").lower() == "shared" else None,
        name=str(channel.get("name") or team.get("name") or ""),
        address={name: value for name, value in address.items() if value},
    )


def reference(where: Place) -> Reference:
    """The conversation of a place, to be taken up again."""
    address = where.address
    return Reference(
        service_url=address.get("service_url", ""),
        conversation=where.conversation + (THREAD + where.thread if where.thread else ""),
        kind=address.get("kind", "personal"),
        tenant=where.tenant,
        bot=address.get("bot", ""),
        user=address.get("user", ""),
        channel_id=address.get("channel_id", "msteams"),
    )


def reader(who: Principal, where: Place, *, shown_to_all: bool = False) -> Reader:
    """For whose eyes and which client a card is rendered."""
    basic = where.address.get("client") == "basic"
    alone = where.kind is PlaceKind.PERSONAL or not shown_to_all
    user = where.address.get("user", "")
    viewers: tuple[str, ...] | None = ()
    if not basic:
        viewers = ((user,) if user and where.kind is PlaceKind.PERSONAL else ()) if alone else None
    return Reader(
        locale=who.locale,
        zone=zone(who.timezone) or ZoneInfo("UTC"),
        alone=alone,
        dialogs=not basic,
        typeahead=not basic,
        viewers=viewers,
    )


def key(activity: Activity) -> str:
    """What Teams calls this gesture: the same when it is delivered again. Raises BadActivity."""
    own = activity.id
    if activity.type in CHANGES:
        at = activity.raw.get("timestamp")
        own = f"{own}@{at}" if own and at else ""  # the id alone is the same however often a message is changed
    if not own and isinstance(activity.value, Mapping):
        own = str(activity.value.get("requestId") or "")
    if not own:
        try:
            own = hashlib.sha256(orjson.dumps(dict(activity.raw), option=orjson.OPT_SORT_KEYS)).hexdigest()
        except orjson.JSONEncodeError as e:
            raise BadActivity("the activity has no id, and nests too deeply") from e
    return f"{PLATFORM}:{activity.tenant}:{activity.reference.conversation}:{own}"


def quote(payload: Json, where: Place) -> Quote:
    """The message behind a message-extension action (`messagePayload`)."""
    body = _mapping(payload.get("body"))
    content = str(body.get("content") or "")
    text = plain(content) if str(body.get("contentType") or "html") == "html" else tidy(content)
    if subject := str(payload.get("subject") or "").strip():
        text = f"{subject}\n\n{text}".strip()
    return Quote(
        message=Message(
            key=message_key(where, str(payload.get("id") or "")),
            text=text,
            author=author(_mapping(payload.get("from"))),
            sent=instant(payload.get("createdDateTime")),
            permalink=permalink(payload.get("linkToMessage")),
        ),
        in_thread=bool(payload.get("replyToId")) and payload.get("replyToId") != payload.get("id"),
    )


def has_files(payload: Json) -> bool:
    """Whether there are files or pictures on the message behind an action; Teams sends neither them nor their names."""
    attachments = payload.get("attachments")
    attached = [item for item in attachments if isinstance(item, Mapping)] if isinstance(attachments, list) else []
    others = {str(a.get("id")) for a in attached if str(a.get("contentType") or "").startswith(_NO_FILES)}
    named = [str(a.get("id")) for a in attached]
    named += _EMBEDDED.findall(str(_mapping(payload.get("body")).get("content") or ""))
    return any(name not in others for name in named)


def words(activity: Activity) -> str:
    """What somebody asks; a command may begin with a slash, as in Slack."""
    return _SLASH.sub("", activity.text)


def message(activity: Activity, where: Place) -> Message:
    """A message as it arrives at the bot, for a thread that follows a case."""
    sender = activity.sender
    root = where.thread or activity.id
    return Message(
        key=message_key(where, activity.id),
        text=activity.text,
        author=Person(name=sender.name, user=sender.entra or sender.id, entra_id=sender.entra),
        sent=instant(activity.raw.get("timestamp")),
        permalink=permalink(
            f"https://teams.microsoft.com/l/message/{quote_url(where.conversation)}/{quote_url(activity.id)}"
            f"?tenantId={quote_url(where.tenant)}&parentMessageId={quote_url(root)}"
        ),
        files=tuple(files(activity.raw.get("attachments"))),
        version=_version(activity) if activity.type in CHANGES else "",
    )


def _version(activity: Activity) -> str:
    """When a message was changed, so that a later time is a later text."""
    at = instant(activity.raw.get("timestamp"))
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else ""


def files(attachments: Any) -> Iterator[QuotedFile]:
    """The files on a message: Teams keeps them in SharePoint and sends their addresses."""
    for item in attachments if isinstance(attachments, list) else ():
        if isinstance(item, Mapping) and item.get("contentType") == "reference" and item.get("contentUrl"):
            url = str(item["contentUrl"])
            name = str(item.get("name") or "file")
            yield QuotedFile(id=str(item.get("id") or url), name=name, source={"url": url})


def message_key(where: Place, message_id: str) -> str:
    """The same message always has the same key."""
    return f"{PLATFORM}:{where.tenant}:{where.conversation}:{message_id}"


def author(sender: Json) -> Person:
    """Who wrote a message, from the `from` of a message payload or of Microsoft Graph."""
    user = _mapping(sender.get("user"))
    if user:
        entra = str(user.get("id") or "")
        known = str(user.get("userIdentityType") or "aadUser") == "aadUser"
        return Person(name=str(user.get("displayName") or ""), user=entra, entra_id=entra if known else "")
    application = _mapping(sender.get("application"))
    return Person(name=str(application.get("displayName") or "An app"), user=str(application.get("id") or ""), bot=True)


def instant(value: Any) -> datetime | None:
    """An ISO 8601 instant with a zone; None for anything else."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return read if read.tzinfo else None


def permalink(value: Any) -> str:
    """The address of a message, when it is one of Teams' own."""
    try:
        parts = urlsplit(str(value or ""))
    except ValueError:
        return ""
    host = parts.hostname or ""
    teams = host.endswith((".teams.microsoft.com", ".teams.microsoft.us", ".teams.cloud.microsoft")) or host in {
        "teams.microsoft.com",
        "teams.microsoft.us",
        "teams.cloud.microsoft",
        "teams.live.com",
    }
    return parts.geturl() if parts.scheme == "https" and teams else ""


def zone(name: str) -> ZoneInfo | None:
    """The time zone by its IANA name."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
