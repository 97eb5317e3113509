"""The fake Web API refuses, limits and expires as Slack's does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bots.playground.slack_server import FakeSlack

from .slack_bot import FORM, text


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    """The fake Slack alone; it tells no bot of anything."""
    async with FakeSlack() as slack:
        slack.subscriptions.clear()
        yield slack


@pytest.fixture
async def client(fake: FakeSlack) -> AsyncWebClient:
    return AsyncWebClient(token=fake.bot_token, base_url=fake.api_url, session=fake.session)


def error(failed: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(failed.value.response["error"])


async def test_tokens_scopes_and_channels_are_checked(fake: FakeSlack, client: AsyncWebClient) -> None:
    async def code(**arguments: Any) -> str:
        with pytest.raises(SlackApiError) as failed:
            await client.api_call("chat.postMessage", json=arguments)
        return error(failed)

    with pytest.raises(SlackApiError) as refused:
        await client.auth_test(token="xoxb-other")
    assert error(refused) == "invalid_auth"
    assert await code(channel="C9", text="x") == "channel_not_found"
    assert await code(channel="C3", text="x") == "channel_not_found"  # private, and the app is outside
    assert await code(channel="C1") == "no_text"
    assert await code(channel="C1", text="x" * 40_001) == "msg_too_long"
    assert await code(channel="C1", text="x", thread_ts="1.000000") == "invalid_thread_ts"
    fake.missing_scopes.add("chat:write")
    assert await code(channel="C1", text="x") == "missing_scope"


async def test_one_message_a_second_and_channel(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.rate_limits = True
    await client.chat_postMessage(channel="C1", text="one")
    with pytest.raises(SlackApiError) as failed:
        await client.chat_postMessage(channel="C1", text="two")
    assert failed.value.response.status_code == 429
    assert failed.value.response.headers["Retry-After"] == "1"
    await client.chat_postMessage(channel="C2", text="elsewhere")
    fake.advance(1)
    await client.chat_postMessage(channel="C1", text="two")


async def test_a_trigger_is_spent_once_and_within_three_seconds(fake: FakeSlack, client: AsyncWebClient) -> None:
    async def code(trigger: str) -> str:
        with pytest.raises(SlackApiError) as failed:
            await client.views_open(trigger_id=trigger, view=FORM)
        return error(failed)

    trigger = fake.world.trigger("U1", "T1")
    await client.views_open(trigger_id=trigger, view=FORM)
    assert await code(trigger) == "exchanged_trigger_id"
    late = fake.world.trigger("U1", "T1")
    fake.advance(3.1)
    assert await code(late) == "expired_trigger_id"
    assert await code("1.2.3") == "invalid_trigger_id"


async def test_an_outdated_hash_is_refused_and_typed_text_survives(fake: FakeSlack, client: AsyncWebClient) -> None:
    opened = await client.views_open(trigger_id=fake.world.trigger("U1", "T1"), view=FORM)
    view = fake.view()
    assert view is not None
    fake.fill(view, "name", "Nadia")
    await client.views_update(view_id=view.id, hash=opened["view"]["hash"], view=FORM)
    assert view.values["name"]["name"]["value"] == "Nadia"
    with pytest.raises(SlackApiError) as failed:
        await client.views_update(view_id=view.id, hash=opened["view"]["hash"], view=FORM)
    assert error(failed) == "hash_conflict"


async def test_three_modals_deep_and_no_deeper(fake: FakeSlack, client: AsyncWebClient) -> None:
    await client.views_open(trigger_id=fake.world.trigger("U1", "T1"), view=FORM)
    for depth in range(3):
        trigger = fake.world.trigger("U1", "T1", view=fake.world.stacks["U1"][-1])
        if depth < 2:
            await client.views_push(trigger_id=trigger, view=FORM)
            continue
        with pytest.raises(SlackApiError) as failed:
            await client.views_push(trigger_id=trigger, view=FORM)
        assert error(failed) == "push_limit_reached"


async def test_invalid_blocks_are_refused_with_a_pointer(fake: FakeSlack, client: AsyncWebClient) -> None:
    broken: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    with pytest.raises(SlackApiError) as failed:
        await client.chat_postMessage(channel="C1", text="x", blocks=broken)
    assert error(failed) == "invalid_blocks"
    assert failed.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    view = {"type": "modal", "title": text("x" * 25), "blocks": []}
    with pytest.raises(SlackApiError) as failed:
        await client.views_open(trigger_id=fake.world.trigger("U1", "T1"), view=view)
    assert "/view/title/text" in str(failed.value.response)


async def test_only_own_messages_can_be_changed(fake: FakeSlack, client: AsyncWebClient) -> None:
    theirs = fake.messages("C1")[0]
    for call, code in ((client.chat_update, "cant_update_message"), (client.chat_delete, "cant_delete_message")):
        with pytest.raises(SlackApiError) as failed:
            await call(channel="C1", ts=theirs.ts, text="mine now")
        assert error(failed) == code
    posted = await client.chat_postMessage(channel="C1", text="first")
    await client.chat_update(channel="C1", ts=posted["ts"], text="second")
    assert fake.transcript("C1").endswith("CRM: second")


async def test_files_go_up_and_come_down_with_the_token_only(fake: FakeSlack, client: AsyncWebClient) -> None:
    await client.files_upload_v2(channel="C1", filename="leads.csv", content="a,b\n1,2\n", title="Leads")
    message = fake.last("C1")
    assert message is not None
    assert message.files[0]["title"] == "Leads"
    url = message.files[0]["url_private_download"]
    async with fake.session.get(url, headers={"Authorization": f"Bearer {fake.bot_token}"}) as response:
        assert await response.text() == "a,b\n1,2\n"
    async with fake.session.get(url) as response:
        assert "Sign in" in await response.text()


async def test_small_pages_for_apps_outside_the_marketplace(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.rate_limits = fake.small_pages = True
    root = await fake.say("root", channel="C1")
    for number in range(20):
        await fake.say(f"reply {number}", channel="C1", thread=root)
    page = await client.conversations_replies(channel="C1", ts=root.ts, limit=100)
    assert len(page["messages"]) == 15
    assert page["has_more"]
    with pytest.raises(SlackApiError) as failed:
        await client.conversations_replies(channel="C1", ts=root.ts, limit=100)
    assert failed.value.response.status_code == 429


async def _access(fake: FakeSlack, **arguments: str) -> dict[str, Any]:
    client = {"client_id": fake.oauth.client_id, "client_secret": fake.oauth.client_secret}
    async with fake.session.post(f"{fake.api_url}oauth.v2.access", data=client | arguments) as response:
        return dict(await response.json())


async def _code(fake: FakeSlack) -> str:
    query = {"client_id": fake.oauth.client_id, "scope": "commands,chat:write", "state": "s", "allow": "1"}
    query["redirect_uri"] = "http://127.0.0.1/back"
    async with fake.session.post(fake.authorize_url, data=query, allow_redirects=False) as response:
        return response.headers["Location"].split("code=")[1].split("&")[0]


async def test_a_code_and_a_refresh_token_work_once(fake: FakeSlack) -> None:
    fake.oauth.rotation = True
    code = await _code(fake)
    first = await _access(fake, code=code)
    assert (await _access(fake, code=code))["error"] == "invalid_code"
    second = await _access(fake, grant_type="refresh_token", refresh_token=first["refresh_token"])
    again = await _access(fake, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again["error"] == "invalid_refresh_token"
    await _access(fake, grant_type="refresh_token", refresh_token=second["refresh_token"])
    # two live tokens at most: the third ended the first
    client = AsyncWebClient(token=first["access_token"], base_url=fake.api_url, session=fake.session)
    with pytest.raises(SlackApiError) as failed:
        await client.auth_test()
    assert error(failed) == "token_revoked"
    fake.advance(43_201)
    client.token = second["access_token"]
    with pytest.raises(SlackApiError) as failed:
        await client.auth_test()
    assert error(failed) == "token_expired"


async def test_socket_mode_carries_commands_and_acknowledgements(fake: FakeSlack) -> None:
    heard: list[SocketModeRequest] = []

    async def listen(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        heard.append(request)
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, {"text": "by socket"}))

    web = AsyncWebClient(base_url=fake.api_url)
    client = SocketModeClient(app_token=fake.app_token, web_client=web)
    client.socket_mode_request_listeners.append(listen)
    await client.connect()
    await fake.until(lambda: fake.sockets)
    answer = await asyncio.wait_for(fake.command("/crm", "help"), 5)
    assert answer.json == {"text": "by socket"}
    assert heard[0].type == "slash_commands"
    assert fake.transcript("C1").endswith("by socket")
    await client.close()


async def test_a_failure_can_be_ordered(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.fail("auth.test", retry_after=7)
    with pytest.raises(SlackApiError) as failed:
        await client.auth_test()
    assert failed.value.response.headers["Retry-After"] == "7"
    assert (await client.auth_test())["team_id"] == "T1"
