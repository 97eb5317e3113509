"""Threads and files through Microsoft Graph: with the right, without it, and with a Graph that misbehaves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.playground.teams_server import FakeTeams
from bots.teams.credentials import AppTokens
from bots.teams.graph import NO_FILES, NO_THREAD, Graph
from bots.teams.quoting import TOO_SLOW
from bots.teams.times import Times
from commands.request import DeliveryFailed, Message, Person, Place, PlaceKind, QuotedFile

from .conftest import APP, PASSWORD, post, says, settings_for
from .samples import FORM

TEAM, CHANNEL = "team-1", "19:support@thread.tacv2"


def chat_message(number: int, text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "createdDateTime": f"2026-01-01T10:{number:02}:00Z",
        "from": {"user": {"id": f"aad-{number}", "displayName": f"Person {number}", "userIdentityType": "aadUser"}},
        "body": {"contentType": "html", "content": f"<p>{text}</p>"},
        "webUrl": f"https://teams.microsoft.com/l/message/{number}",
        **more,
    }


class FakeGraph:
    """Answers what Graph answers for one thread; `refuse` is a status for everything."""

    def __init__(self) -> None:
        self.refuse = 0
        self.calls: list[tuple[str, str]] = []
        self.replies = [chat_message(n, f"reply {n}") for n in (3, 2)]
        self.elsewhere = ""
        self.garbled = False
        self.open = asyncio.Event()
        self.open.set()
        app = web.Application()
        app.router.add_get("/v1.0/{tail:.*}", self.answer)
        self.server = TestServer(app)

    async def answer(self, request: web.Request) -> web.Response:
        path = request.match_info["tail"]
        self.calls.append((path, request.headers.get("Authorization", "")))
        if self.refuse:
            return web.json_response({"error": {"code": "Forbidden"}}, status=self.refuse)
        await self.open.wait()
        if self.garbled:
            return web.Response(text="<html>Sorry</html>", content_type="text/html")
        if path.endswith("/replies"):
            if self.elsewhere:
                return web.json_response({"value": self.replies, "@odata.nextLink": self.elsewhere})
            if "skip" in request.query:
                return web.json_response({"value": self.replies[1:]})
            return web.json_response({"value": self.replies[:1], "@odata.nextLink": f"{request.url}&skip=1"})
        if path.endswith(("/driveItem/content", "/$value")):
            return web.Response(body=b"bytes of the file")
        files = [
            {"id": "f1", "contentType": "reference", "contentUrl": "https://x.sharepoint.com/a.txt", "name": "a.txt"},
            {"id": "c1", "contentType": "application/vnd.microsoft.card.adaptive"},
        ]
        pictures = [{"id": "h/1", "contentType": "image/png"}]
        own = {"id": path.rpartition("/")[2]}
        return web.json_response(chat_message(1, "root", attachments=files, hostedContents=pictures) | own)


@pytest.fixture
async def fake() -> AsyncIterator[FakeGraph]:
    fake = FakeGraph()
    await fake.server.start_server()
    yield fake
    await fake.server.close()


@pytest.fixture
def graph(teams, session, fake) -> Graph:
    return reading(teams, session, fake)


def reading(teams: FakeTeams, session: aiohttp.ClientSession, fake: FakeGraph, **limits: int) -> Graph:
    url = str(fake.server.make_url("")).rstrip("/")
    tokens = AppTokens(session, app_id=APP, password=PASSWORD, login_url=teams.service_url)
    return Graph(session, settings_for(teams, graph_url=url), tokens, **limits)


def place(kind: PlaceKind = PlaceKind.CHANNEL, **address: str) -> Place:
    return Place(
        platform="teams",
        tenant="11111111-2222-4333-8444-555555555555",
        conversation=CHANNEL,
        thread="1",
        kind=kind,
        address={"group": TEAM} | address,
    )


def message(number: int) -> Message:
    key = f"teams:11111111-2222-4333-8444-555555555555:{CHANNEL}:{number}"
    return Message(key=key, text="as quoted", author=Person(name="Ben"))


async def test_the_thread_comes_along_in_order_with_its_files(graph, fake):
    quote = await graph.thread(place(), message(2))
    assert [m.text for m in quote.thread] == ["root", "reply 2", "reply 3"]
    assert quote.in_thread
    assert quote.missing == ()
    assert quote.thread[1].key == message(2).key
    assert quote.thread[0].author.entra_id == "aad-1"
    assert [f.name for f in quote.thread[0].files] == ["a.txt", "picture-1.png"]
    assert {authorization for _, authorization in fake.calls} <= {f"Bearer {t}" for t in _tokens(graph)}
    for file in quote.thread[0].files:
        assert await graph.download(place(), file) == b"bytes of the file"


def _tokens(graph: Graph) -> list[str]:
    return [token.value for token in graph._tokens._tokens.values()]


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_without_the_right_the_case_says_so(graph, fake, status):
    fake.refuse = status
    quote = await graph.thread(place(), message(1))
    assert quote.thread == ()
    assert len(quote.missing) == 2
    assert all("docs/teams.md" in sentence for sentence in quote.missing)
    with pytest.raises(DeliveryFailed) as caught:
        await graph.download(place(), QuotedFile(id="1", name="a.txt", source={"url": "https://x/"}))
    assert "docs/teams.md" in caught.value.sentence
    assert caught.value.again is (status == 500)


async def test_an_answer_that_cannot_be_read_is_no_error(graph, fake):
    fake.garbled = True
    assert len((await graph.thread(place(), message(1))).missing) == 2


async def test_where_there_is_nothing_to_ask(teams, session, graph):
    personal = place(PlaceKind.PERSONAL)
    assert len((await graph.thread(personal, message(1))).missing) == 2
    without_app = Graph(session, settings_for(teams), None)
    assert len((await without_app.thread(place(), message(1))).missing) == 2
    with pytest.raises(DeliveryFailed):
        await graph.download(place(), QuotedFile(id="1", name="a.txt"))


async def test_a_group_chat_gives_the_message_with_its_files(graph, fake):
    quote = await graph.thread(place(PlaceKind.GROUP), message(1))
    assert [f.name for f in quote.message.files] == ["a.txt", "picture-1.png"]
    assert fake.calls[0][0].startswith("chats/")


async def test_the_token_follows_no_link_to_elsewhere(graph, fake, teams):
    fake.elsewhere = f"{teams.service_url}steal"
    quote = await graph.thread(place(), message(1))
    assert len(quote.thread) == 3
    assert teams.calls == []


async def test_a_file_that_is_too_large_is_left(teams, session, fake):
    graph = reading(teams, session, fake, largest=len(b"bytes of the file") - 1)
    with pytest.raises(DeliveryFailed, match="it is too large"):
        await graph.download(place(), QuotedFile(id="1", name="a.txt", source={"url": "https://x/"}))
    assert fake.calls


FILES = {"attachments": [{"id": "f1", "contentType": "reference"}]}
QUOTED = {
    "attachments": [{"id": "q1", "contentType": "messageReference"}],
    "body": {"contentType": "html", "content": '<attachment id="q1"></attachment>Look'},
}
PICTURE = {"body": {"contentType": "html", "content": '<p>Look <img src="https://x/1" alt="smoke"></p>'}}


@pytest.fixture
async def opened(teams, script, process, fake):
    """Picks “Create case” on a message with these details; gives the quote and the bytes of its files."""

    async def opened(conversation: str, details: dict[str, Any], *, reply: bool = False, wait: float = 30):
        script.reply = says(form=FORM)
        url = str(fake.server.make_url("")).rstrip("/")
        async with process(graph_url=url, times=Times(graph=wait)) as face:
            said = await post(teams, "It burns", conversation)
            if reply:
                said = await post(teams, "It still burns", conversation, reply_to=said)
            value = {"commandId": "createCase", "messagePayload": teams.world.payload(said) | details}
            answer = await teams.invoke("composeExtension/fetchTask", value, conversation=conversation, reply_to=said)
            assert answer.error == ""
            request = script.asked[-1]
            quote = request.ask.quote
            return quote, [await face.download(request.place, file) for file in quote.message.files]

    return opened


@pytest.mark.parametrize("details", [FILES, PICTURE], ids=["a file", "a picture"])
@pytest.mark.parametrize("conversation", ["channel", "group"])
async def test_the_form_offers_the_files_of_its_message(opened, details, conversation):
    quote, files = await opened(conversation, details)
    assert files == [b"bytes of the file"] * 2
    assert quote.in_thread is (conversation == "channel")  # which has replies
    assert quote.missing == ()


@pytest.mark.parametrize(
    ("details", "reply", "missing"),
    [(FILES, False, {NO_FILES}), (FILES, True, {NO_FILES, NO_THREAD}), ({}, True, {NO_THREAD}), ({}, False, set())],
)
async def test_the_form_says_what_may_not_come_along_and_nothing_more(opened, fake, details, reply, missing):
    fake.refuse = 403
    quote, _ = await opened("channel", details, reply=reply)
    assert set(quote.missing) == missing
    assert quote.in_thread is reply


async def test_a_form_does_not_wait_for_a_slow_graph(opened, fake):
    fake.open.clear()
    quote, files = await opened("channel", FILES, wait=0.1)
    assert (quote.missing, files) == ((TOO_SLOW,), [])
    fake.open.set()


async def test_a_quoted_message_is_no_file(opened, fake):
    quote, _ = await opened("group", QUOTED)
    assert quote.missing == ()
    assert fake.calls == []
