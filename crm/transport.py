"""The aiohttp transport under httpx, and what its failures mean.

httpx's own pool collapses under concurrency; aiohttp's does not. Any httpx client can use this transport; `send` goes
straight to the wire, without what `httpx.AsyncClient` does on every request for browsers' sake (cookies, redirects,
URL merging) and without building its objects.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from multidict import CIMultiDictProxy
from yarl import URL

from .address import is_loopback
from .errors import BadAnswer, CertificateProblem, CrmError, DeadlineExceeded, Unreachable

_LARGE = 2**20
"""Bytes."""
_LARGEST = 2**28
"""Bytes of an answer, unpacked: a note's file of 128 MB, which is the most that an organisation can allow, is 171 MB as
base64 (Microsoft, "Organization table": maxuploadfilesize)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def to_httpx(self, request: httpx.Request) -> httpx.Response:
        """As httpx's auth flows want to see it."""
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-encoding"}
        return httpx.Response(self.status, headers=headers, content=self.body, request=request)


class Transport(AiohttpTransport):
    """One connection pool to one organisation."""

    def __init__(
        self,
        url: str,
        *,
        connections: int = 100,
        verify: ssl.SSLContext | bool = True,
        connect_timeout: float = 10.0,
        idle: float = 30.0,
        largest: int = _LARGEST,
    ) -> None:
        super().__init__(verify=verify)
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
        self._idle = idle
        self._largest = largest
        self._proxy = _proxy(httpx.URL(url))
        self._session: aiohttp.ClientSession | None = None

    def get_client(self) -> aiohttp.ClientSession:
        """The session; made on first use, inside the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections, ssl=self.ssl_context, keepalive_timeout=self._idle
            )
            self._session = self.client = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=self._proxy,
                timeout=self._timeout,
                skip_auto_headers=("User-Agent", "Content-Type"),
            )
            # aiohttp would repeat a DELETE by itself when a kept connection turns out to be dead, and hide from us
            # that the first one may have been carried out.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """The whole answer, decompressed; the URL is encoded already. Raises aiohttp's errors: see `failure`."""
        session = self._session or self.get_client()
        # A large body goes out in pieces, so that the event loop is not held up.
        data = BytesIO(body) if body and len(body) > _LARGE else body
        async with session.request(
            method, URL(url, encoded=True), headers=headers, data=data, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await _body(response, self._largest))


class AnswerTooLargeError(aiohttp.ClientError):
    """An answer has no end, or unpacks to more than memory should hold."""

    def __init__(self, status: int, limit: int) -> None:
        super().__init__(status, limit)
        self.status = status
        self.limit = limit


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > limit:
            raise AnswerTooLargeError(response.status, limit)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _proxy(url: httpx.URL) -> str | None:
    """The proxy that the environment asks for, decided once instead of at every request."""
    return None if is_loopback(url.host) or proxy_bypass(url.host) else getproxies().get(url.scheme)


FAILURES = (aiohttp.ClientError, OSError, TimeoutError)
"""What `Transport.send` raises when no complete answer came."""


def was_sent(exc: Exception) -> bool:
    """Whether the request may have reached the server before this happened."""
    return not isinstance(exc, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL))


def failure(exc: Exception, host: str) -> CrmError:
    """The exception as one sentence with what to check."""
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return CertificateProblem(_certificate(exc.certificate_error, host))
        case aiohttp.ClientConnectorSSLError():
            return CertificateProblem(
                f"No secure connection to {host} could be made ({_reason(exc.os_error)}). "
                "Check that the address and port speak TLS."
            )
        case aiohttp.ClientConnectorDNSError():
            return Unreachable(f"The host name {host} is not known. Check the address and this machine's DNS.")
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return Unreachable(f"The proxy on the way to {host} refused. Check HTTPS_PROXY and NO_PROXY.")
        case aiohttp.ConnectionTimeoutError():
            return Unreachable(f"{host} did not accept a connection in time. Check the network and firewall.")
        case aiohttp.ClientConnectorError():
            return Unreachable(
                f"{host} cannot be reached ({_reason(exc.os_error)}). Check the address, the network and the firewall."
            )
        case AnswerTooLargeError():
            return BadAnswer(
                f"The answer of {host} is larger than {exc.limit // 2**20} MB. Ask for less at once.", status=exc.status
            )
        case aiohttp.ClientPayloadError():
            return BadAnswer(f"The answer of {host} was cut off. If it happens again, look at the proxy in between.")
        case aiohttp.ClientResponseError():
            return BadAnswer(f"{host} does not speak HTTP as expected. Check the address and port.")
        case TimeoutError():
            return DeadlineExceeded(f"{host} did not answer in time.")
    return Unreachable(f"The connection to {host} broke before an answer came.")


def _reason(exc: BaseException) -> str:
    return getattr(exc, "strerror", None) or str(exc)


def _certificate(exc: Exception, host: str) -> str:
    reason = getattr(exc, "verify_message", "") or str(exc)
    if "expired" in reason:
        return f"The certificate of {host} has expired. If it has not, this machine's clock is wrong."
    if "not yet valid" in reason:
        return f"The certificate of {host} is not valid yet. Check this machine's clock."
    if "mismatch" in reason.lower() or "match" in reason.lower():
        return f"The certificate was issued for another host than {host}. Check the address."
    return (
        f"The certificate of {host} is not trusted ({reason}). "
        "If your company inspects TLS, point SSL_CERT_FILE at its certificate."
    )
