"""The control plane under /_emulator/: what tests and people do to the emulator that Dataverse has no request for.

Bodies and answers are JSON; a refusal is `{"error": {"message"}}` with a sentence. Nothing here is signed, so
`guard_unsigned` keeps all but this machine away.
"""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from . import seeds, write
from .errors import DataverseError
from .faults import Fault
from .organization import ROOT_UNIT_ID
from .protection import Limits
from .roles import ROLES_META, SHIPPED
from .session import Session
from .steps import Webhook
from .store import Transaction

if TYPE_CHECKING:
    from .server import Emulator

ROOT: Final = "/_emulator"
_Handler = Callable[[web.Request], Awaitable[web.Response]]
_Depth = Literal["none", "user", "team", "organization"]
_Privilege = Literal["*", "create", "read", "write", "delete", "assign", "append", "appendto", "share"]


@web.middleware
async def guard_unsigned(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keep web pages of other origins away from the unsigned control routes (DNS rebinding, cross-site posts)."""
    if request.path.startswith(ROOT):
        origin = request.headers.get("Origin")
        if not _is_loopback(request.host) or (origin is not None and not _is_loopback(urlsplit(origin).netloc)):
            raise web.HTTPForbidden(text="The control plane answers only to this machine: use http://127.0.0.1.")
    return await handler(request)


def _is_loopback(netloc: str) -> bool:
    host = urlsplit(f"//{netloc}").hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Roles(RootModel[dict[str, dict[str, dict[_Privilege, _Depth]]]]):
    """Role name -> table (`*`: all others) -> privilege (`*`: all others) -> depth."""


class _LogQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    match: str = ""
    top: int = Field(default=100, ge=1)


class Control:
    """The control plane's routes over one emulator."""

    def __init__(self, emulator: "Emulator") -> None:
        self.emulator = emulator

    def routes(self) -> list[web.RouteDef]:
        answers: tuple[tuple[str, str, _Handler], ...] = (
            ("GET", "/requests", self.requests),
            ("DELETE", "/requests", self.clear_requests),
            ("POST", "/reset", self.reset),
            ("POST", "/seed/{name}", self.seed),
            ("GET", "/roles", self.roles),
            ("PUT", "/roles", self.put_roles),
            ("GET", "/faults", self.faults),
            ("POST", "/faults", self.post_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("GET", "/limits", self.limits),
            ("PUT", "/limits", self.put_limits),
            ("DELETE", "/limits", self.clear_limits),
            ("GET", "/webhooks", self.webhooks),
            ("POST", "/webhooks", self.post_webhook),
            ("DELETE", "/webhooks/{id}", self.remove_webhook),
        )
        return [web.route(method, ROOT + path, _refusing(handler)) for method, path, handler in answers]

    async def requests(self, request: web.Request) -> web.Response:
        """The newest `top` requests, oldest first, of those that `match`; counts are of all that match."""
        query = _LogQuery.model_validate(dict(request.query))
        log = self.emulator.requests
        try:
            entries = log.matching(query.match)
        except re.error as error:
            raise ValueError(f"match is no regular expression: {error}.") from None
        return _answer(
            {
                "total": log.count(query.match),
                "by_method": Counter(entry.method for entry in entries),
                "by_status": Counter(str(entry.status) for entry in entries),
                "requests": [entry.document() for entry in entries[-query.top :]],
            }
        )

    async def clear_requests(self, request: web.Request) -> web.Response:
        del request
        self.emulator.requests.clear()
        return _done()

    async def reset(self, request: web.Request) -> web.Response:
        del request
        await self.emulator.reset()
        return _done()

    async def seed(self, request: web.Request) -> web.Response:
        await self.emulator.load_seed(request.match_info["name"])
        return _done()

    async def roles(self, request: web.Request) -> web.Response:
        del request
        return _answer(await self.emulator.service.store.read(_roles))

    async def put_roles(self, request: web.Request) -> web.Response:
        """Replace the roles of one's own (they also stand before shipped ones of their name) and give each a row."""
        given = Roles.model_validate_json(await request.read()).root
        await self.emulator.service.run(self.emulator.base, lambda session: _save_roles(session, given))
        return await self.roles(request)

    async def faults(self, request: web.Request) -> web.Response:
        del request
        waiting = self.emulator.faults.waiting
        return _answer({"waiting": [{**fault.model_dump(exclude_none=True), "count": left} for fault, left in waiting]})

    async def post_fault(self, request: web.Request) -> web.Response:
        self.emulator.faults.add(Fault.model_validate_json(await request.read()))
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        del request
        self.emulator.faults.clear()
        return _done()

    async def limits(self, request: web.Request) -> web.Response:
        del request
        limits = self.emulator.protection.limits
        return _answer({"limits": None if limits is None else limits.model_dump()})

    async def put_limits(self, request: web.Request) -> web.Response:
        """Switch the limits on; what the body leaves out is as in Dataverse."""
        self.emulator.protection.limits = Limits.model_validate_json(await request.read() or b"{}")
        self.emulator.protection.clear()
        return await self.limits(request)

    async def clear_limits(self, request: web.Request) -> web.Response:
        del request
        self.emulator.protection.limits = None
        self.emulator.protection.clear()
        return _done()

    async def webhooks(self, request: web.Request) -> web.Response:
        del request
        return _answer({"webhooks": await self.emulator.webhooks.describe()})

    async def post_webhook(self, request: web.Request) -> web.Response:
        webhook = Webhook.model_validate_json(await request.read())
        return _answer({"id": await self.emulator.webhooks.register(webhook)}, 201)

    async def remove_webhook(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        try:
            await self.emulator.webhooks.remove(key)
        except KeyError:
            return _answer({"error": {"message": f"There is no webhook {key}."}}, 404)
        return _done()


def _roles(tx: Transaction) -> dict[str, Any]:
    return {"shipped": SHIPPED, "own": json.loads(tx.meta(ROLES_META, "{}"))}


def _save_roles(session: Session, roles: dict[str, Any]) -> None:
    for role, tables in roles.items():
        for table in tables:
            if table != "*" and session.catalog.get(table) is None:
                raise ValueError(f"The role '{role}' names the table '{table}', which does not exist.")
    table = session.table("role")
    held = {name for (name,) in session.tx.execute("SELECT name FROM role")}
    for role in roles:
        if role not in held:
            write.create(session, table, {"name": role, "businessunitid@odata.bind": f"/businessunits({ROOT_UNIT_ID})"})
    session.tx.set_meta(ROLES_META, json.dumps(roles))


def _refusing(handler: _Handler) -> _Handler:
    """Turn what a handler refuses into an answer."""

    async def wrapped(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}".removeprefix(": ") for e in error.errors())
            return _answer({"error": {"message": "; ".join(faults)}}, 400)
        except DataverseError as error:
            return _answer({"error": {"code": error.code, "message": error.message}}, 409)
        except seeds.SeedError as error:
            return _answer({"error": {"message": str(error)}}, 404)
        except ValueError as error:
            return _answer({"error": {"message": str(error)}}, 400)

    return wrapped


def _answer(document: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")


def _done() -> web.Response:
    return web.Response(status=204)
