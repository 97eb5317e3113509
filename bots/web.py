"""The aiohttp application: routes, health, readiness, metrics, and a server that stops gracefully."""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from crm.address import is_loopback

from .settings import SettingsError

log = logging.getLogger(__name__)

STOPPING = 5.0
"""Seconds for which what runs may finish when the process is told to stop."""
_STOPPED = 9.0
"""Seconds after which it ends whatever still hangs; work that was accepted is in the journal."""

MAX_BODY = 1024 * 1024
"""Bytes; Slack and the Bot Framework both send far less."""

Check = Callable[[], Awaitable[str]]
"""One part's health: an empty text when it is well, else one sentence."""


def application(checks: Mapping[str, Check]) -> web.Application:
    """An application with health, readiness and metrics; the composition root adds the faces' routes."""

    async def ready(_request: web.Request) -> web.Response:
        return await _ready(checks)

    app = web.Application(client_max_size=MAX_BODY, middlewares=[_no_stack_traces])
    app.add_routes(
        [
            web.get("/healthz", _alive),
            web.get("/readyz", ready),
            web.get("/metrics", _metrics),
        ]
    )
    return app


@web.middleware
async def _no_stack_traces(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return web.json_response({"error": "internal error; the log has the details"}, status=500)


async def _alive(_request: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def _ready(checks: Mapping[str, Check]) -> web.Response:
    answers = dict(zip(checks, await asyncio.gather(*(_checked(c) for c in checks.values())), strict=True))
    bad = {name: sentence for name, sentence in answers.items() if sentence}
    return web.json_response({"status": "not ready" if bad else "ready", "problems": bad}, status=503 if bad else 200)


async def _checked(check: Check) -> str:
    try:
        return await asyncio.wait_for(check(), 3)
    except TimeoutError:
        return "no answer within 3 seconds"
    except Exception as e:
        log.warning("a readiness check failed", exc_info=e)
        return f"the check itself failed ({type(e).__name__}); see the log"


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@web.middleware
async def loopback_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """For unsigned routes: refuses a Host or Origin that is not this machine's own (DNS rebinding, foreign pages)."""
    host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    origin = request.headers.get("Origin")
    if not is_loopback(host) or (origin and not is_loopback(urlsplit(origin).hostname or "")):
        raise web.HTTPForbidden(text="This address answers only to pages and programs on this machine.")
    return await handler(request)


async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    announce: Callable[[int], None],
    stopping: Callable[[], Awaitable[None]] | None = None,
    loading: "asyncio.Future[None] | None" = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Raises SettingsError for a busy port, naming it and the setting.

    What start-up and `loading` (what is still read while we serve already) have made stays for good, and the garbage
    collector is told so: looking through all of it stops every answer for 0.2 s.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as e:
            raise SettingsError(busy(host, port, "--port or PORT")) from e
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):
                loop.add_signal_handler(sig, stop.set)
        gc.collect()
        gc.freeze()
        gc.enable()
        if loading:
            loading.add_done_callback(lambda _: gc.freeze())
        announce(runner.addresses[0][1])
        await stop.wait()
        log.info("told to stop: no more work is taken, and what runs has %d seconds", STOPPING)
        last = threading.Timer(_STOPPED, _end)
        last.daemon = True
        last.start()
        if stopping:  # still answering, so that health says what happens
            await stopping()
    finally:
        await runner.cleanup()


def _end() -> None:
    log.warning("not everything ended in time; what was accepted goes on when this program starts again")
    os._exit(0)


def busy(host: str, port: int, setting: str) -> str:
    """The sentence for a port that cannot be had."""
    return f"Port {port} on {host} is already in use. Stop what uses it, or choose another port with {setting}."
