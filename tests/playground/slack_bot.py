"""A bare Bolt app that uses everything the fake Slack offers; the reference bot of these tests."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bots.playground.slack_server import FakeSlack


def text(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words}


def button(words: str, action: str, value: str = "1") -> dict[str, Any]:
    return {"type": "button", "text": text(words), "action_id": action, "value": value}


FORM = {
    "type": "modal",
    "callback_id": "lead",
    "title": text("New lead"),
    "submit": text("Create"),
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "name",
            "label": text("Name"),
            "element": {"type": "plain_text_input", "action_id": "name", "max_length": 20},
        },
        {
            "type": "input",
            "block_id": "company",
            "optional": True,
            "label": text("Company"),
            "element": {"type": "external_select", "action_id": "company", "min_query_length": 2},
        },
        {
            "type": "input",
            "block_id": "rating",
            "label": text("Rating"),
            "element": {
                "type": "static_select",
                "action_id": "rating",
                "options": [{"text": text(t), "value": t.lower()} for t in ("Hot", "Cold")],
                "initial_option": {"text": text("Cold"), "value": "cold"},
            },
        },
    ],
}


def build(client: AsyncWebClient, secret: str) -> AsyncApp:
    app = AsyncApp(client=client, signing_secret=secret)
    commands(app)
    modals(app)
    events(app)
    return app


def commands(app: AsyncApp) -> None:
    @app.command("/crm")
    async def command(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        match body["text"]:
            case "form":
                await ack()
                await client.views_open(trigger_id=body["trigger_id"], view=FORM)
            case "public":
                await ack({"response_type": "in_channel", "text": "for *everyone*"})
            case "broken":
                await ack({"text": "x", "blocks": [{"type": "header", "text": text("x" * 151)}]})
            case "silent":
                return
            case words:
                await ack(
                    {
                        "text": words,
                        "blocks": [
                            {
                                "type": "section",
                                "text": {"type": "mrkdwn", "text": f"*You said* {html.escape(words, quote=False)}"},
                            },
                            {"type": "actions", "elements": [button("More", "more"), button("Replace", "replace")]},
                        ],
                    }
                )

    @app.action("more")
    async def more(ack: Any, respond: Any) -> None:
        await ack()
        await respond("more", replace_original=False)

    @app.action("replace")
    async def replace(ack: Any, respond: Any) -> None:
        await ack()
        await respond("replaced", replace_original=True)


def modals(app: AsyncApp) -> None:
    @app.options("company")
    async def company(ack: Any, body: dict[str, Any]) -> None:
        await ack(options=[{"text": text(body["value"].title()), "value": body["value"]}])

    @app.view("lead")
    async def submitted(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        values = body["view"]["state"]["values"]
        name = values["name"]["name"]["value"]
        if name == "bad":
            await ack(response_action="errors", errors={"name": "Not this one"})
        elif name == "odd":
            await ack(response_action="errors", errors={"nowhere": "Not this one"})
        else:
            await ack()
            rating = values["rating"]["rating"]["selected_option"]["value"]
            await client.chat_postMessage(channel=body["user"]["id"], text=f"{name} is {rating}")

    @app.view_closed("lead")
    async def closed(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.chat_postMessage(channel=body["user"]["id"], text="closed")


def events(app: AsyncApp) -> None:
    @app.shortcut("create_case_from_message")
    async def shortcut(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.chat_postMessage(
            channel=body["channel"]["id"], thread_ts=body["message"]["ts"], text=f"case: {body['message']['text'][:20]}"
        )

    @app.event("app_mention")
    async def mention(event: dict[str, Any], say: Any) -> None:
        await say(text="yes?", thread_ts=event.get("thread_ts", event["ts"]))

    @app.event("app_home_opened")
    async def home(event: dict[str, Any], client: AsyncWebClient) -> None:
        view = {"type": "home", "blocks": [{"type": "header", "text": text("My cases")}]}
        await client.views_publish(user_id=event["user"], view=view)

    @app.event("link_shared")
    async def link(event: dict[str, Any], client: AsyncWebClient) -> None:
        block = {"type": "section", "text": text("CAS-1"), "accessory": button("Show", "more")}
        await client.chat_unfurl(
            unfurl_id=event["unfurl_id"],
            source=event["source"],
            unfurls={found["url"]: {"blocks": [block]} for found in event["links"]},
        )

    @app.event("message")
    async def message() -> None:
        """Heard, and nothing to do."""


@asynccontextmanager
async def running(slack: FakeSlack) -> AsyncIterator[AsyncApp]:
    """The reference bot, served on loopback and known to the fake."""
    async with aiohttp.ClientSession() as session:
        app = build(
            AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=session), slack.signing_secret
        )

        async def receive(request: web.Request) -> web.Response:
            return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

        site = web.Application()
        site.router.add_post("/slack/events", receive)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.bot_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        try:
            yield app
        finally:
            await runner.cleanup()
