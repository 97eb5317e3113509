"""What the face talks to, on one loopback port: an OpenID issuer, a token endpoint, a Bot Framework connector."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

APP = "00000000-0000-0000-0000-00000000b0b0"
TENANT = "aaaaaaaa-0000-0000-0000-000000000001"
ISSUER = "https://api.botframework.com"

_KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


class Peer:
    """Records every call; `fail` and `keys` change how it behaves."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.fail: Callable[[web.Request], web.Response | None] = lambda _request: None
        self.keys = {"key-0": _KEYS[0]}
        self.endorsements: list[str] | None = ["msteams"]
        self.metadata_reads = 0
        self.tokens_given = 0
        self.delay = 0.0
        self._next = 0
        app = web.Application()
        app.add_routes(
            [
                web.get("/openid", self._metadata),
                web.get("/keys", self._jwks),
                web.post("/login/{tenant}/oauth2/v2.0/token", self._token),
                web.route("*", "/connector/v3/{tail:.*}", self._connector),
            ]
        )
        self._server = TestServer(app)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    @property
    def service_url(self) -> str:
        return f"{self.url}/connector/"

    def rollover(self) -> None:
        """The issuer signs with a new key from now on."""
        self.keys = {"key-1": _KEYS[1]}

    def sign(
        self, claims: dict[str, Any] | None = None, *, kid: str | None = None, key: Any = None, algorithm: str = "RS256"
    ) -> str:
        """A token that is good for this bot; `claims` change or (None) remove some."""
        now = time.time()
        name = kid or next(iter(self.keys))
        body: dict[str, Any] = {
            "iss": ISSUER,
            "aud": APP,
            "serviceurl": self.service_url,
            "nbf": now - 10,
            "exp": now + 600,
        } | (claims or {})
        body = {k: v for k, v in body.items() if v is not None}
        return jwt.encode(body, key or self.keys.get(name) or _KEYS[0], algorithm=algorithm, headers={"kid": name})

    def sent(self, method: str = "POST") -> list[dict[str, Any]]:
        """The bodies of connector calls with this method."""
        return [call["body"] for call in self.calls if call["method"] == method]

    def cards(self) -> list[dict[str, Any]]:
        """The cards that were posted."""
        return [body["attachments"][0]["content"] for body in self.sent() if body and body.get("attachments")]

    async def _metadata(self, _request: web.Request) -> web.Response:
        self.metadata_reads += 1
        return web.json_response({"issuer": ISSUER, "jwks_uri": f"{self.url}/keys"})

    async def _jwks(self, _request: web.Request) -> web.Response:
        keys = []
        for kid, key in self.keys.items():
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            jwk |= {"kid": kid, "use": "sig"}
            if self.endorsements is not None:
                jwk["endorsements"] = self.endorsements
            keys.append(jwk)
        return web.json_response({"keys": keys})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("client_secret") != "secret":
            return web.json_response({"error": "invalid_client"}, status=401)
        self.tokens_given += 1
        return web.json_response({"access_token": f"bot-token-{self.tokens_given}", "expires_in": 3600})

    async def _connector(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.calls.append(
            {
                "method": request.method,
                "path": request.match_info["tail"],
                "query": dict(request.query),
                "authorization": request.headers.get("Authorization", ""),
                "body": body,
            }
        )
        failure = self.fail(request)
        if failure is not None:
            return failure
        if self.delay:
            await asyncio.sleep(self.delay)
        self._next += 1
        name = "conv" if request.match_info["tail"] == "conversations" else "msg"
        return web.json_response({"id": f"{name}-{self._next}"}, status=201 if request.method == "POST" else 200)


def activity(peer: Peer, **changes: Any) -> dict[str, Any]:
    """A message of Ada in her personal chat with the bot."""
    return {
        "type": "message",
        "id": "1700000000001",
        "channelId": "msteams",
        "serviceUrl": peer.service_url,
        "from": {"id": "29:ada", "name": "Ada Lovelace", "aadObjectId": "ada00000-0000-0000-0000-000000000001"},
        "recipient": {"id": f"28:{APP}", "name": "CRM"},
        "conversation": {"id": "a:personal-ada", "conversationType": "personal", "tenantId": TENANT},
        "channelData": {"tenant": {"id": TENANT}},
        "locale": "en-GB",
        "entities": [{"type": "clientInfo", "locale": "en-GB", "timezone": "Europe/London"}],
        "text": "help",
        **changes,
    }


def in_channel(peer: Peer, **changes: Any) -> dict[str, Any]:
    """A message of Ada that mentions the bot in a thread of a channel."""
    return activity(
        peer,
        conversation={
            "id": "19:general@thread.tacv2;messageid=1699",
            "conversationType": "channel",
            "isGroup": True,
            "tenantId": TENANT,
        },
        channelData={
            "tenant": {"id": TENANT},
            "team": {"id": "19:team", "aadGroupId": "9" * 8 + "-0000-0000-0000-000000000000", "name": "Support"},
            "channel": {"id": "19:general@thread.tacv2"},
        },
        text="<at>CRM</at> help",
        entities=[{"type": "mention", "text": "<at>CRM</at>", "mentioned": {"id": f"28:{APP}", "name": "CRM"}}],
        **changes,
    )
