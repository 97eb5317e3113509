"""News from Dataverse: `POST /dataverse/webhook`, checked, then handed to the command layer.

A Dataverse webhook has no signature: it proves itself by a long secret, sent as `?code=` (WebhookKey) or in the header
`x-crmchat-secret` (HttpHeader). Any answer but 2xx is tried again by Dataverse. Source: Microsoft, "Use webhooks".
"""

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

log = logging.getLogger(__name__)

HEADER = "x-crmchat-secret"
News = Callable[[Mapping[str, Any]], Awaitable[int]]
"""Takes the webhook's JSON. Raises ValueError for what is none; anything else means: try again."""


class Webhook:
    """Handles the route; without a secret there is none."""

    def __init__(self, secret: str, news: News) -> None:
        self._secret, self._news = secret.encode(), news

    async def handle(self, request: web.Request) -> web.Response:
        """The answer's body is for people who test it; Dataverse does not look at it."""
        given = (request.query.get("code") or request.headers.get(HEADER) or "").encode("utf-8", "replace")
        if not self._secret:
            raise web.HTTPNotFound
        if not hmac.compare_digest(given, self._secret):
            log.warning("a Dataverse webhook with a wrong secret was refused")
            raise web.HTTPUnauthorized(text="The secret is wrong.")
        try:
            told = await self._news(orjson.loads(await request.read()))
        except ValueError as e:
            raise web.HTTPBadRequest(text=f"{e}") from e
        except Exception as e:
            log.warning("news from Dataverse could not be told: %s", type(e).__name__)
            raise web.HTTPServiceUnavailable(text="Try again later.") from e
        return web.json_response({"told": told})
