"""Threads and files through Microsoft Graph, where an administrator granted the app the right to read them.

Rights: resource-specific consent `ChannelMessage.Read.Group` and `ChatMessage.Read.Chat` for messages; files in
SharePoint need `Files.Read.All` or `Sites.Selected`. Routes: "chatMessage", "shares" (learn.microsoft.com/graph).
"""

import base64
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
import orjson

from commands.request import DeliveryFailed, Message, Place, PlaceKind, Quote, QuotedFile

from . import requests
from .credentials import AppTokens, NoToken
from .plain import plain
from .settings import TeamsSettings

TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
PAGE: Final = 50
REPLIES: Final = 200
"""Messages of a thread that are taken along."""
LARGEST: Final = 50 * 1024 * 1024
"""Bytes of a file that is taken along."""
GRANT: Final = "An administrator can allow it: see “Threads and files” in docs/teams.md."
NO_FILES: Final = f"Files and pictures do not come along: Teams gives them to this app only with permission. {GRANT}"
NOT_GIVEN: Final = f"Teams gives it to this app only with permission. {GRANT}"
NO_THREAD: Final = f"The other messages of the thread do not come along. {GRANT}"

log = logging.getLogger(__name__)


class Graph:
    """Read-only calls with the app's own token, for the tenant of the conversation."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: TeamsSettings,
        tokens: AppTokens | None,
        *,
        largest: int = LARGEST,
    ) -> None:
        """`largest`: bytes of a file."""
        self._session, self._tokens, self._largest = session, tokens, largest
        self._url = (settings.graph_url or settings.addresses.graph_url).rstrip("/")

    async def thread(self, place: Place, message: Message) -> Quote:
        """The message with its files and its thread; what may not be read is said in `missing`."""
        path = _messages_path(place)
        own_id = message.key.rpartition(":")[2]
        if path is None or self._tokens is None:
            return Quote(message=message, missing=(NO_FILES, NO_THREAD))
        try:
            if place.kind is not PlaceKind.CHANNEL:
                full = await self._get(place.tenant, f"{path}/{quote(own_id, safe='')}")
                return Quote(message=_with_files(message, full, path))
            root_id = place.thread or own_id
            root = await self._get(place.tenant, f"{path}/{quote(root_id, safe='')}")
            replies, complete = await self._replies(place.tenant, f"{path}/{quote(root_id, safe='')}/replies")
        except _Refused as e:
            log.info("the thread was not read: %s", e)
            return Quote(message=message, missing=(NO_FILES, NO_THREAD))
        below = f"{path}/{quote(root_id, safe='')}/replies"
        thread = [_message(place, root, path), *(_message(place, reply, below) for reply in replies)]
        own = next((item for item in thread if item.key == message.key), message)
        missing = () if complete else (f"Only the first {REPLIES} replies of the thread were taken along.",)
        message = replace(message, files=own.files)
        return Quote(message=message, thread=tuple(thread), in_thread=root_id != own_id, missing=missing)

    async def download(self, place: Place, file: QuotedFile) -> bytes:
        """A file's bytes. Raises DeliveryFailed that says why not."""
        path = file.source.get("path", "")
        if not path and (url := file.source.get("url")):
            token = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
            path = f"/shares/u!{token}/driveItem/content"
        if not path or self._tokens is None:
            raise DeliveryFailed(NOT_GIVEN, again=False)
        try:
            return await self._bytes(place.tenant, path)
        except _TooLarge as e:
            raise DeliveryFailed("it is too large.", again=False) from e
        except _Refused as e:
            raise DeliveryFailed(NOT_GIVEN, again=e.again) from e

    async def _replies(self, tenant: str, path: str) -> tuple[list[Mapping[str, Any]], bool]:
        found: list[Mapping[str, Any]] = []
        next_page: str | None = f"{path}?$top={PAGE}"
        while next_page and len(found) < REPLIES:
            answer = await self._get(tenant, next_page)
            found += [item for item in answer.get("value") or () if isinstance(item, Mapping)]
            link = answer.get("@odata.nextLink")
            # Only pages of Graph itself: the token must not follow a link elsewhere.
            next_page = (
                str(link).removeprefix(self._url + "/v1.0") if str(link).startswith(self._url + "/v1.0") else None
            )
        found.sort(key=lambda item: str(item.get("createdDateTime") or ""))
        return found[:REPLIES], next_page is None

    async def _get(self, tenant: str, path: str) -> Mapping[str, Any]:
        try:
            answer = orjson.loads(await self._bytes(tenant, path))
        except orjson.JSONDecodeError as e:
            raise _Refused(0) from e
        return answer if isinstance(answer, dict) else {}

    async def _bytes(self, tenant: str, path: str) -> bytes:
        if self._tokens is None:
            raise _Refused(0)
        host = urlsplit(self._url)
        try:
            token = await self._tokens.get(tenant, f"{host.scheme}://{host.netloc}/.default")
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{self._url}/v1.0{path}"
            async with self._session.get(url, headers=headers, timeout=TIMEOUT, allow_redirects=False) as response:
                if response.status == 302 and path.endswith("/content"):
                    # A pre-authenticated address of the file's store; our token has no business there.
                    return await self._unsigned(response.headers.get("Location", ""))
                if response.status != 200:
                    raise _Refused(response.status)
                return await self._limited(response)
        except (aiohttp.ClientError, TimeoutError, NoToken) as e:
            raise _Refused(0) from e

    async def _unsigned(self, url: str) -> bytes:
        if not url.startswith("https://"):
            raise _Refused(0)
        async with self._session.get(url, timeout=TIMEOUT, allow_redirects=False) as response:
            if response.status != 200:
                raise _Refused(response.status)
            return await self._limited(response)

    async def _limited(self, response: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async for chunk in response.content.iter_chunked(65536):
            data += chunk
            if len(data) > self._largest:
                raise _TooLarge
        return bytes(data)


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"Microsoft Graph answered {status or 'nothing'}")
        self.again = status in {0, 429} or status >= 500


class _TooLarge(_Refused):
    def __init__(self) -> None:
        super().__init__(413)


def _messages_path(place: Place) -> str | None:
    if place.kind is PlaceKind.CHANNEL:
        group = place.address.get("group", "")
        return (
            f"/teams/{quote(group, safe='')}/channels/{quote(place.conversation, safe='')}/messages" if group else None
        )
    if place.kind is PlaceKind.GROUP:
        return f"/chats/{quote(place.conversation, safe='')}/messages"
    return None


def _message(place: Place, data: Mapping[str, Any], path: str) -> Message:
    body = data.get("body") if isinstance(data.get("body"), Mapping) else {}
    content = str(body.get("content") or "") if isinstance(body, Mapping) else ""
    sender = data.get("from")
    message = Message(
        key=requests.message_key(place, str(data.get("id") or "")),
        text=plain(content),
        author=requests.author(sender if isinstance(sender, Mapping) else {}),
        sent=requests.instant(data.get("createdDateTime")),
        permalink=requests.permalink(data.get("webUrl")),
    )
    return _with_files(message, data, path)


def _with_files(message: Message, data: Mapping[str, Any], path: str) -> Message:
    files = list(requests.files(data.get("attachments")))
    own = f"{path}/{quote(str(data.get('id') or ''), safe='')}"
    for number, item in enumerate(data.get("hostedContents") or (), 1):
        if isinstance(item, Mapping) and item.get("id"):
            mime = str(item.get("contentType") or "image/png")
            files.append(
                QuotedFile(
                    id=str(item["id"]),
                    name=f"picture-{number}.{mime.rpartition('/')[2]}",
                    mime=mime,
                    source={"path": f"{own}/hostedContents/{quote(str(item['id']), safe='')}/$value"},
                )
            )
    return replace(message, files=tuple(files))
