"""A hand-written bot that uses everything the fake Teams offers; the reference bot of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jwt
from aiohttp import web

from bots.playground.teams_server import FakeTeams

ADAPTIVE = "application/vnd.microsoft.card.adaptive"


def card(words: str, **extra: Any) -> dict[str, Any]:
    execute = {"type": "Action.Execute", "title": "Close", "verb": "close", "id": "close", "data": {"case": 1}}
    body = [{"type": "TextBlock", "text": words, "wrap": True}]
    later = {**execute, "title": "Close later", "id": "later", "mode": "secondary"}
    return {"type": "AdaptiveCard", "version": "1.5", "body": body, "actions": [execute, later], **extra}


def form() -> dict[str, Any]:
    title = {"type": "Input.Text", "id": "title", "label": "Title", "isRequired": True, "errorMessage": "Say what"}
    submit = {"type": "Action.Submit", "title": "Create", "data": {"key": "k"}}
    return {"type": "AdaptiveCard", "version": "1.5", "body": [title], "actions": [submit]}


def attachment(content: dict[str, Any]) -> dict[str, Any]:
    preview = {"contentType": "application/vnd.microsoft.card.thumbnail", "content": {"title": "Contoso"}}
    return {"contentType": ADAPTIVE, "content": content, "preview": preview}


class EchoBot:
    """Checks the token, echoes messages as cards, answers invokes."""

    def __init__(self, teams: FakeTeams, session: aiohttp.ClientSession) -> None:
        self.teams = teams
        self.session = session
        self.token = ""

    async def receive(self, request: web.Request) -> web.Response:
        activity = await request.json()
        if self.teams.issuer.app_id and not await self.trusted(request.headers.get("Authorization", ""), activity):
            return web.Response(status=401)
        if activity["type"] == "invoke":
            body = self.answers(activity)
            return web.json_response(body) if body is not None else web.Response(status=501)
        if activity["type"] == "message":
            text = activity.get("text", "") or f"value {activity['value']}"
            words = text.replace("<at>CRM</at>", "").strip()
            sent = {"type": "message", "attachments": [{"contentType": ADAPTIVE, "content": card(words)}]}
            await self.call("POST", activity, "activities", sent)
        if activity["type"] == "installationUpdate":
            await self.call("POST", activity, "activities", {"type": "message", "text": "Welcome"})
        return web.Response(status=202)

    def answers(self, activity: dict[str, Any]) -> dict[str, Any] | None:
        value = activity["value"]
        match activity["name"]:
            case "adaptiveCard/action":
                return {"statusCode": 200, "type": ADAPTIVE, "value": card(f"closed by {activity['from']['name']}")}
            case "composeExtension/fetchTask":
                title = f"Case from {value['messagePayload']['from']['user']['displayName']}"
                return {"task": {"type": "continue", "value": {"title": title, "card": attachment(form())}}}
            case "composeExtension/submitAction":
                return {"task": {"type": "message", "value": f"made {value['data']['title']} {value['data']['key']}"}}
            case "composeExtension/query":
                result = {"type": "result", "attachmentLayout": "list", "attachments": [attachment(card("Contoso"))]}
                return {"composeExtension": result}
            case "composeExtension/queryLink":
                bare = {"contentType": ADAPTIVE, "content": card("no preview")}
                return {"composeExtension": {"type": "result", "attachmentLayout": "list", "attachments": [bare]}}
            case "application/search":
                results = [{"title": value["queryText"].title(), "value": "1"}]
                kind = "application/vnd.microsoft.search.searchResponse"
                return {"statusCode": 200, "type": kind, "value": {"results": results}}
        return None

    async def call(self, verb: str, activity: dict[str, Any], what: str, body: Any = None) -> tuple[int, Any]:
        url = f"{activity['serviceUrl']}v3/conversations/{activity['conversation']['id']}/{what}"
        headers = {"Authorization": f"Bearer {await self.bearer()}"} if self.teams.issuer.app_id else {}
        async with self.session.request(verb, url, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def bearer(self) -> str:
        if not self.token:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.teams.issuer.app_id,
                "client_secret": self.teams.issuer.app_password,
                "scope": "https://api.botframework.com/.default",
            }
            async with self.session.post(self.teams.token_url, data=form) as response:
                self.token = (await response.json())["access_token"]
        return self.token

    async def trusted(self, authorization: str, activity: dict[str, Any]) -> bool:
        token = authorization.removeprefix("Bearer ")
        async with self.session.get(self.teams.openid_url) as response:
            metadata = await response.json()
        async with self.session.get(metadata["jwks_uri"]) as response:
            keys = {k["kid"]: k for k in (await response.json())["keys"]}
        try:
            key = jwt.PyJWK(keys[jwt.get_unverified_header(token)["kid"]])
            claims = jwt.decode(
                token, key, algorithms=["RS256"], audience=self.teams.issuer.app_id, issuer=metadata["issuer"]
            )
        except (jwt.PyJWTError, KeyError):
            return False
        return bool(claims["serviceurl"] == activity["serviceUrl"])


@asynccontextmanager
async def running(teams: FakeTeams) -> AsyncIterator[EchoBot]:
    """The reference bot, served on loopback and known to the fake."""
    async with aiohttp.ClientSession() as session:
        bot = EchoBot(teams, session)
        site = web.Application()
        site.router.add_post("/api/messages", bot.receive)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        teams.bot_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/messages"
        try:
            yield bot
        finally:
            await runner.cleanup()
