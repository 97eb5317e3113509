"""Messages, their threads and files, read from Slack. What cannot be read is said, not raised."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp

from commands.request import DeliveryFailed, Message, Person, Place, Quote, QuotedFile

from .api import NotInstalled, SlackApi, SlackError, Workspace, proxy_for
from .payload import Origin, workspace_at
from .people import People, name_of
from .rich_text import wire_text
from .settings import SlackSettings
from .text import mentioned_users, plain

log = logging.getLogger(__name__)

SHARED_SECONDS = 0.5
THREAD_PAGES = 20
REPLIES = 15
"""Messages read of a thread at once; apps sold outside Slack's Marketplace get no more than 15."""
FILE_BYTES = 64 * 1024 * 1024
CHUNK = 256 * 1024

_WHY = {
    "missing_scope": "the app lacks a permission (scope) for it",
    "not_in_channel": "the app is not a member of this conversation",
    "channel_not_found": "the app is not a member of this conversation",
    "not_allowed_token_type": "Slack does not let apps read threads here",
    "thread_not_found": "the message has been deleted",
    "message_not_found": "the message has been deleted",
    "ratelimited": "Slack limits how much an app may read",
}


class Reading:
    """Nothing of it is kept."""

    def __init__(self, settings: SlackSettings, api: SlackApi, people: People) -> None:
        self._settings = settings
        self._api = api
        self._people = people

    async def outsiders(self, place: Place) -> bool:
        """Whether people of other organisations read along. What cannot be told at once counts as yes."""
        user, where = place.address.get("user", ""), workspace_at(place)
        if place.conversation == user:
            return False
        try:
            async with asyncio.timeout(SHARED_SECONDS):
                if place.conversation.startswith("D"):  # with us, or with somebody of whom we may not ask
                    ours = await self._api.call(where, "conversations_open", users=[user])
                    return bool(place.conversation != (ours.get("channel") or {}).get("id"))
                answer = await self._api.call(where, "conversations_info", channel=place.conversation)
        except (SlackError, NotInstalled, TimeoutError):
            return True
        info = answer.get("channel") or {}
        return bool(info.get("is_ext_shared") or info.get("is_pending_ext_shared"))

    # messages

    async def quote(self, origin: Origin, channel: str, message: Mapping[str, Any]) -> Quote:
        """The message of a shortcut or reaction. Its thread is read later, by `thread`, when it is wanted."""
        missing: list[str] = []
        read = await self._message(origin.workspace, origin.tenant, channel, message, missing)
        # Slack gives a message `thread_ts` once it has a reply, the root too.
        return Quote(message=read, in_thread=bool(message.get("thread_ts")), missing=tuple(missing))

    async def one(self, origin: Origin, channel: str, ts: str, author: str = "") -> tuple[Quote, str]:
        """A message by its place alone (a reaction names no more), and the root of its thread where it is known."""
        try:
            found = await self._replies(origin.workspace, channel, ts, only=True)
            message = next(m for m in found if m.get("ts") == ts)
        except (SlackError, NotInstalled, StopIteration) as error:
            code = error.code if isinstance(error, SlackError) else "message_not_found"
            quote = await self.quote(origin, channel, {"ts": ts, "user": author, "text": ""})
            return replace(quote, missing=(*quote.missing, f"The message's text: {_why(code)}.")), ts
        return await self.quote(origin, channel, message), str(message.get("thread_ts") or ts)

    async def thread(self, place: Place, message: Message) -> Quote:
        """The whole thread around a message. Never raises: what is lacking is in `missing`."""
        where, missing = workspace_at(place), list[str]()
        root = place.thread or message.key.rpartition(":")[2]
        try:
            found = await self._replies(where, place.conversation, root)
        except NotInstalled:
            return Quote(message=message, in_thread=True, missing=("The thread: the app is no longer installed.",))
        except SlackError as error:
            return Quote(message=message, in_thread=True, missing=(f"The thread: {_why(error.code)}.",))
        if found and found[-1].get("cut"):
            missing.append(f"The thread beyond its first {len(found) - 1} messages: {_why('ratelimited')}.")
            found = found[:-1]
        read = [await self._message(where, place.tenant, place.conversation, m, missing) for m in found]
        own = next((m for m in read if m.key == message.key), message)
        return Quote(message=own, thread=tuple(read), in_thread=len(read) > 1, missing=tuple(missing))

    async def _replies(self, where: Workspace, channel: str, ts: str, *, only: bool = False) -> list[dict[str, Any]]:
        """The thread from its root; a last entry `{"cut": True}` where Slack would not give the rest."""
        around: dict[str, Any] = {"oldest": ts, "latest": ts, "inclusive": True} if only else {}
        found: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(1 if only else THREAD_PAGES):
            paging = {"cursor": cursor} if cursor else {}
            try:
                page = await self._api.call(
                    where,
                    "conversations_replies",
                    patience=3.0,
                    channel=channel,
                    ts=ts,
                    limit=REPLIES,
                    **paging,
                    **around,
                )
            except SlackError as error:
                if not found or error.code != "ratelimited":
                    raise
                break
            found += page.get("messages") or []
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return found
        return found if only else [*found, {"cut": True}]

    async def _message(
        self, where: Workspace, tenant: str, channel: str, message: Mapping[str, Any], missing: list[str]
    ) -> Message:
        ts = str(message.get("ts", ""))
        raw = wire_text(message)
        names = await self._people.names(where, mentioned_users(raw))
        try:
            answer = await self._api.call(where, "chat_getPermalink", patience=2.0, channel=channel, message_ts=ts)
            permalink = str(answer.get("permalink") or "")
        except (SlackError, NotInstalled) as error:
            permalink = ""
            code = error.code if isinstance(error, SlackError) else "not_in_channel"
            if (sentence := f"The link to the message: {_why(code)}.") not in missing:
                missing.append(sentence)
        return Message(
            key=f"slack:{tenant}:{channel}:{ts}",
            text=plain(raw, names),
            author=await self._author(where, message),
            sent=datetime.fromtimestamp(float(ts), UTC) if ts.replace(".", "", 1).isdigit() else None,
            permalink=permalink,
            files=tuple(await self._files(where, message.get("files") or (), missing)),
            version=str((message.get("edited") or {}).get("ts") or ""),
        )

    async def _author(self, where: Workspace, message: Mapping[str, Any]) -> Person:
        user = str(message.get("user") or "")
        if message.get("bot_id") or not user:
            profile = message.get("bot_profile") or {}
            return Person(name=str(profile.get("name") or message.get("username") or "An app"), user=user, bot=True)
        try:
            known = await self._people.user(where, user)
        except (SlackError, NotInstalled):
            return Person(name=user, user=user)
        return Person(name=name_of(known), user=user, email=str((known.get("profile") or {}).get("email") or ""))

    # files

    async def _files(
        self, where: Workspace, files: Sequence[Mapping[str, Any]], missing: list[str]
    ) -> list[QuotedFile]:
        found = []
        for given in files:
            file, name = given, str(given.get("name") or given.get("title") or "a file")
            if given.get("mode") == "tombstone":
                missing.append(f"{name}: the file has been deleted.")
                continue
            if given.get("file_access") == "check_file_info":  # Slack Connect sends only the id
                try:
                    file = (await self._api.call(where, "files_info", patience=2.0, file=given["id"]))["file"]
                except (SlackError, NotInstalled) as error:
                    code = error.code if isinstance(error, SlackError) else "missing_scope"
                    missing.append(f"{name}: {_why(code)}.")
                    continue
            url = str(file.get("url_private_download") or file.get("url_private") or "")
            if file.get("is_external"):
                missing.append(f"{name}: it is not kept in Slack.")
                continue
            if not url:  # access was denied, or the workspace's plan hides it
                missing.append(f"{name}: Slack does not give this file to apps.")
                continue
            found.append(
                QuotedFile(
                    id=str(file.get("id", "")),
                    name=str(file.get("name") or name),
                    size=int(file.get("size") or 0),
                    mime=str(file.get("mimetype") or "application/octet-stream"),
                    source={"url": url, "team": where.team, "enterprise": where.enterprise},
                )
            )
        return found

    async def download(self, file: QuotedFile) -> bytes:
        """The file's bytes. The token goes to Slack's file hosts only, and never along a redirect.

        Raises DeliveryFailed, whose sentence stands behind the file's name.
        """
        url = file.source.get("url", "")
        if not self._settings.file_allowed(url):
            raise DeliveryFailed("its address is not one of Slack's.", again=False)
        where = Workspace(file.source.get("team", ""), file.source.get("enterprise", ""))
        try:
            headers = {"Authorization": f"Bearer {await self._api.token(where)}"}
            async with self._api.session.get(
                url, headers=headers, proxy=proxy_for(url), allow_redirects=False
            ) as answer:
                if answer.status >= 500 or answer.status == 429:
                    raise DeliveryFailed("Slack does not give the file just now.", again=True)
                if answer.status == 404:
                    raise DeliveryFailed("the file has been deleted.", again=False)
                # Without the scope Slack answers with its sign-in page.
                refused = answer.content_type == "text/html" and "html" not in file.mime
                if answer.status != 200 or refused:
                    raise DeliveryFailed(f"{_why('missing_scope')}.", again=False)
                return await _limited(answer)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise DeliveryFailed("Slack does not give the file just now.", again=True) from error
        except (SlackError, NotInstalled) as error:
            raise DeliveryFailed("the app is not installed any more.", again=False) from error


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    """The body, as long as it is no larger than what we are ready to hold."""
    read = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK):
        read += chunk
        if len(read) > FILE_BYTES:
            raise DeliveryFailed(f"it is larger than {FILE_BYTES // 1024 // 1024} MB.", again=False)
    return bytes(read)


def _why(code: str) -> str:
    return _WHY.get(code, f"Slack refused it ({code})")
