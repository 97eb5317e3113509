"""The emulator on a real socket: aiohttp in front of the service.

Everything a person or program can reach is here: the Web API under /api/data/v9.x/, and the control plane under
/_emulator/, which is unsigned and therefore checks Host and Origin against loopback.
"""

import asyncio
import signal
import ssl
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from . import seeds
from .catalog import Catalog
from .catalog_json import load_standard
from .certificate import self_signed
from .control import Control, guard_unsigned
from .errors import DataverseError, no_segment
from .faults import Fault, Faults
from .inspector import Inspector
from .modules import register_all
from .organization import bootstrap, wipe
from .protection import Limits, Protection
from .requestlog import RequestLog
from .roles import RoleSecurity
from .service import Service
from .session import Security, Session
from .store import Store
from .webhooks import Webhooks
from .wire import API, Request, Response, parse_query

MAX_BODY = 160 * 1024 * 1024
MAX_URL = 32_768  # learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
PARSER_LIMIT = 1024 * 1024
"""What aiohttp accepts, well above what we do, so that too much is refused in Dataverse's words."""
SERVICE_KEY: web.AppKey[Service] = web.AppKey("service", Service)
API_PATHS = "/api/data/v9.{minor:[0-9]}"

_LEFT: Final = 2.0
"""Seconds that requests have to end when it stops: what a fault holds back would keep it for minutes."""


class Emulator:
    """A Dataverse organisation over HTTP, as an async context manager.

    Args:
        db: a database file (created when absent), or `:memory:`.
        host, port: where to listen; port 0 takes a free one (see `url`).
        tls: serve https with a certificate made for this start (`certificate` is its PEM file).
        seed: name of the rows to load into a new database, or None (`none`) for a bare organisation.
        require_token: answer 401 to requests without a bearer token. Its value is never looked at.
        security: who may do what; by default what their roles say.
        schema: the tables; by default those that ship.
        limits: service protection limits; True for Dataverse's own numbers, False for none.

    Attributes:
        requests: the log of what was asked. faults: what the next requests will suffer. protection: the limits.
        webhooks: who is told of changes.

    Raises (on entering): StoreError, SchemaError, SeedError, OSError when the port is taken.
    """

    def __init__(
        self,
        db: str | Path = ":memory:",
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: bool = False,
        seed: str | None = None,
        require_token: bool = False,
        security: Security | None = None,
        schema: Catalog | None = None,
        limits: Limits | bool = False,
    ) -> None:
        self.host, self.port, self.tls, self.seed = host, port, tls, seed
        self.certificate: Path | None = None
        self.schema = schema or load_standard()
        self.service = Service(
            Store(db, self.schema), register_all(), security or RoleSecurity(require_token=require_token)
        )
        self.requests = RequestLog()
        self.faults = Faults()
        self.protection = Protection(limits if isinstance(limits, Limits) else Limits() if limits else None)
        self.webhooks = Webhooks(self.service)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:8065`: what a client takes as the organisation's address."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else name}:{self.port}"

    @property
    def base(self) -> str:
        """The address of the Web API."""
        return f"{self.url}{API}"

    async def start(self) -> None:
        await self.service.start()
        try:
            await self.webhooks.start()
            if self.seed not in {None, "none"}:
                await self.service.run(self.base, self._load_first_seed)
            await self._listen()
        except BaseException:
            await self.stop()
            raise

    def fail(self, **fault: Any) -> None:
        """Let the next requests fail: `fail(count=2, match="POST .*/leads", status=503, retry_after=1)`.

        Args: those of `faults.Fault`. Raises: pydantic.ValidationError.
        """
        self.faults.add(Fault(**fault))

    async def load_seed(self, name: str) -> None:
        """Add a seed's rows. Raises: SeedError; DataverseError when rows of it are there already."""
        await self.service.run(self.base, lambda session: _load(session, name))

    async def reset(self) -> None:
        """Everything as at the first start: rows, schema, roles, and no webhooks, faults, log or use of limits.

        Row versions go on rising, so that no etag or paging cookie from before fits by chance.
        """

        def begin_again(session: Session) -> None:
            wipe(session.tx, self.schema)
            bootstrap(session.tx)
            if self.seed not in {None, "none"}:
                _load(session, str(self.seed))

        await self.webhooks.clear()
        await self.service.run(self.base, begin_again)
        await self.webhooks.follow_steps()
        self.requests.clear()
        self.faults.clear()
        self.protection.clear()

    def _load_first_seed(self, session: Session) -> None:
        """Load the seed into a database that had none before."""
        if self.seed is not None and session.tx.meta("seed") is None:
            _load(session, self.seed)

    async def _listen(self) -> None:
        context = None
        if self.tls:
            self.certificate, key = self_signed()
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, key)
            key.unlink()
        self._runner = web.AppRunner(
            self._app(), access_log=None, handle_signals=False, max_line_size=PARSER_LIMIT,
            max_field_size=PARSER_LIMIT,
            shutdown_timeout=_LEFT,
        )  # fmt: skip
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, ssl_context=context)
        await site.start()
        if self.port == 0:
            self.port = self._runner.addresses[0][1]

    def _app(self) -> web.Application:
        around = (guard_unsigned, self.requests.watch, _answer_errors, self.protection.limit, self.faults.inject)
        app = web.Application(client_max_size=MAX_BODY, middlewares=around)
        app[SERVICE_KEY] = self.service
        app.add_routes([*Control(self).routes(), *Inspector(self).routes()])
        app.router.add_route("*", API_PATHS, _api)
        app.router.add_route("*", API_PATHS + r"/{path:[\s\S]*}", _api)
        app.router.add_route("*", r"/{path:[\s\S]*}", _elsewhere)
        return app

    async def stop(self) -> None:
        """Answer what is under way, then close the socket and the database."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.webhooks.stop()
        await self.service.store.close()
        if self.certificate is not None:
            self.certificate.unlink(missing_ok=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _load(session: Session, name: str) -> None:
    seeds.load(session, name)
    session.tx.set_meta("seed", name)


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give errors Dataverse's shape, wherever they arise."""
    try:
        return await handler(request)
    except DataverseError as error:
        return to_http(request.app[SERVICE_KEY].error(error))


async def _api(request: web.Request) -> web.StreamResponse:
    return to_http(await request.app[SERVICE_KEY].handle(await read_request(request)))


async def _elsewhere(request: web.Request) -> web.StreamResponse:
    raise DataverseError(404, "", f"There is nothing at {request.path[:200]}: the Web API is at {API}/.")


async def read_request(request: web.Request) -> Request:
    """An aiohttp request as the service sees it.

    Raises: DataverseError for a query string that cannot be read or a body that is too large.
    """
    if len(request.raw_path) > MAX_URL:
        raise DataverseError(414, "", f"The URL is longer than {MAX_URL} characters; send the query inside $batch.")
    raw_path, _, raw_query = _readable(request.raw_path).partition("?")
    path = urlsplit(raw_path).path if raw_path.startswith("http") else raw_path
    minor = request.match_info["minor"]
    root = f"/api/data/v9.{minor}"
    if not path.lower().startswith(root):
        path = unquote(path)
    if minor not in "012":
        raise no_segment(f"v9.{minor}")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise DataverseError(413, "0x8004418a", "The request is too large.") from None
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    host = request.headers.get("X-Forwarded-Host", request.host)
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        text = _readable(value)
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return Request(
        method=request.method,
        path=path[len(root) :],
        query=parse_query(raw_query),
        headers=headers,
        body=body,
        base=f"{scheme}://{host}{API[:-1]}{minor}",
    )


def _readable(text: str) -> str:
    """Text from the wire with bytes that are no UTF-8 (aiohttp keeps them as surrogates) replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def to_http(answer: Response) -> web.Response:
    """The service's answer on the wire, header names in their own case."""
    reference = str(uuid.uuid4())
    response = web.Response(status=answer.status, body=answer.body or None)
    for name, value in answer.headers:
        response.headers[name] = value.encode("ascii", "backslashreplace").decode()
    response.headers["OData-Version"] = "4.0"
    response.headers.setdefault("x-ms-service-request-id", reference)
    response.headers.setdefault("REQ_ID", reference)
    return response


async def run(
    *,
    port: int = 8065,
    host: str = "127.0.0.1",
    db: str | Path = ":memory:",
    tls: bool = False,
    seed: str | None = "contoso",
    limits: bool = False,
    ready: Callable[[Emulator], Awaitable[None] | None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; what `crmchat emulator` runs.

    Args:
        limits: hold callers to Dataverse's service protection limits.
        ready: called once the socket listens.

    Raises: StoreError (its message is for the person), OSError when the port is taken.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Emulator(db, host, port, tls=tls, seed=seed, limits=limits) as emulator:
        if ready is not None and (pending := ready(emulator)) is not None:
            await pending
        await stopped.wait()
