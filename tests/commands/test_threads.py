"""A thread that follows a case: replies to notes, news to the thread, and no loops."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.ext.asyncio import create_async_engine

from commands.cards import to_text
from commands.case_news import case_news
from commands.cipher import FernetCipher
from commands.following import FollowedThreads
from commands.operations.case_from_message import CaptureCase
from commands.request import DeliveryFailed, Message, Person, Place, Principal, Quote, QuotedFile, Reply
from commands.state import TABLES, State, parse_record
from commands.thread_notes import thread_reply
from commands.threads import Following, Happened
from crm.notifications import Change, read_change
from crm.query import Query, lookup
from crm.records import Ref, Row

from .organisation import PERSON, Desk

THREAD = Place(platform="slack", tenant="T1", conversation="C9", thread="1700000000.000100")


class Channel:
    """A chat platform that remembers what it was told."""

    platform = "slack"

    def __init__(self) -> None:
        self.told: list[Reply] = []
        self.refuses: DeliveryFailed | None = None

    async def deliver(self, place: Place, principal: Principal, reply: Reply) -> str:
        """Remember it."""
        del place, principal
        if self.refuses:
            raise self.refuses
        self.told.append(reply)
        return "m1"

    async def thread(self, place: Place, message: Message) -> Quote:
        """The message alone."""
        del place
        return Quote(message=message)

    async def download(self, place: Place, file: QuotedFile) -> bytes:
        """The file's id as its bytes."""
        del place
        if file.name.startswith("lost"):
            raise DeliveryFailed("it was deleted.", again=False)
        return file.id.encode()

    async def profile(self, principal: Principal) -> Principal:
        """Nothing more is known."""
        return principal


@pytest.fixture
async def threads(tmp_path: Path) -> AsyncIterator[FollowedThreads]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'state.db'}")
    async with engine.begin() as db:
        await db.run_sync(TABLES.create_all)
    yield FollowedThreads(State(engine, FernetCipher(Fernet.generate_key())))
    await engine.dispose()


def _message(key: str, text: str, *files: str, bot: bool = False) -> Message:
    return Message(
        key=key,
        text=text,
        author=Person(name="Maria Campbell", bot=bot),
        sent=datetime.now(UTC),
        permalink="https://acme.slack.com/p1",
        files=tuple(QuotedFile(id=f"F-{name}", name=name, mime="text/plain") for name in files),
    )


async def _case(desk: Desk, threads: FollowedThreads, title: str) -> Ref:
    reply = await desk.say(f"case create '{title}' account='Contoso'")
    assert reply.card
    table, _, row = reply.card.record.partition("/")
    case = Ref(table, UUID(row))
    await threads.follow(Following(place=THREAD, principal=PERSON, case=case, told="In Progress"))
    return case


async def _notes(desk: Desk, case: Ref) -> list[Row]:
    query = Query("annotation").select("subject", "notetext", "filename").where(lookup("objectid") == case)
    return (await desk.context().crm.page(query.order("createdon"))).rows


def _noted(note: Ref, case: Ref, number: int = 1) -> Change:
    values = {"objectid": case, "notetext": "The part has arrived."}
    return Change(ref=note, message="Create", id=f"Create/{note.id}/{number}", values=values)


async def test_replies_become_notes_once(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Replies")
    crm, channel = desk.context().crm, Channel()
    for _ in range(2):
        reply = await thread_reply(threads, crm, channel, THREAD, _message("a", "Is it\nplugged in?"), Happened.WRITTEN)
        assert reply
        assert reply.reaction == "memo"
    notes = await _notes(desk, case)
    assert [n["subject"] for n in notes] == ["Is it"]
    assert notes[0]["notetext"].startswith("Maria Campbell in Slack:\nIs it\nplugged in?")
    assert "https://acme.slack.com/p1" in notes[0]["notetext"]


async def test_edits_and_deletions_are_followed(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Edits")
    crm = desk.context().crm
    await thread_reply(threads, crm, None, THREAD, _message("b", "frist"), Happened.WRITTEN)
    await thread_reply(threads, crm, None, THREAD, _message("b", "first"), Happened.EDITED)
    assert "first" in (await _notes(desk, case))[0]["notetext"]
    await thread_reply(threads, crm, None, THREAD, _message("b", "first"), Happened.DELETED)
    assert await _notes(desk, case) == []
    assert await thread_reply(threads, crm, None, THREAD, _message("b", "first"), Happened.DELETED) is None


async def test_what_was_said_to_us_is_followed_only_where_it_became_a_note(
    desk: Desk, threads: FollowedThreads
) -> None:
    case = await _case(desk, threads, "Amended")
    crm = desk.context().crm
    assert await thread_reply(threads, crm, None, THREAD, _message("am1", "lead list"), Happened.AMENDED) is None
    assert await _notes(desk, case) == []
    await thread_reply(threads, crm, None, THREAD, _message("am2", "the part is heer"), Happened.WRITTEN)
    await thread_reply(threads, crm, None, THREAD, _message("am2", "the part is here"), Happened.AMENDED)
    assert [n["notetext"].splitlines()[1] for n in await _notes(desk, case)] == ["the part is here"]


async def test_what_was_deleted_comes_back_in_whatever_order_it_is_told(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Restored")
    crm = desk.context().crm

    async def tell(happened: Happened, at: int, text: str = "look again") -> None:
        message = replace(_message("r", text), version=f"2026-01-01T00:00:0{at}.000000+00:00")
        await thread_reply(threads, crm, None, THREAD, message, happened)

    async def texts() -> list[str]:
        return [n["notetext"].splitlines()[1] for n in await _notes(desk, case)]

    await tell(Happened.RESTORED, 0)  # nobody took it back: it may have been a command
    assert await texts() == []
    await thread_reply(threads, crm, None, THREAD, _message("r", "look again"), Happened.WRITTEN)
    await tell(Happened.DELETED, 2)
    await tell(Happened.EDITED, 1, "too late")
    assert await texts() == []
    await tell(Happened.RESTORED, 3)
    await tell(Happened.DELETED, 2)  # once more, late
    await tell(Happened.EDITED, 1, "too late")
    assert await texts() == ["look again"]
    await tell(Happened.DELETED, 4)
    assert await texts() == []


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
@pytest.mark.parametrize("at_once", [False, True])
async def test_of_several_edits_the_newest_wins(
    desk: Desk, threads: FollowedThreads, order: tuple[int, ...], at_once: bool
) -> None:
    case = await _case(desk, threads, "Newest")
    crm, key = desk.context().crm, f"n{order}{at_once}"
    await thread_reply(threads, crm, None, THREAD, _message(key, "text 0"), Happened.WRITTEN)
    edits = [replace(_message(key, f"text {n}"), version=f"170000000{n}.000100") for n in order]
    telling = [thread_reply(threads, crm, None, THREAD, edit, Happened.EDITED) for edit in edits]
    for one in [asyncio.gather(*telling)] if at_once else telling:
        await one
    await thread_reply(threads, crm, None, THREAD, edits[0], Happened.EDITED)  # once more
    assert [n["notetext"].splitlines()[1] for n in await _notes(desk, case)] == ["text 3"]


async def test_whatever_the_order_the_last_state_stays(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Order")
    crm = desk.context().crm
    await thread_reply(threads, crm, None, THREAD, _message("o", "second"), Happened.EDITED)
    await thread_reply(threads, crm, None, THREAD, _message("o", "first"), Happened.WRITTEN)
    assert "second" in (await _notes(desk, case))[0]["notetext"]
    edit = _message("p", "new words")
    await asyncio.gather(
        thread_reply(threads, crm, None, THREAD, edit, Happened.EDITED),
        thread_reply(threads, crm, None, THREAD, replace(edit, text="old words"), Happened.WRITTEN),
    )
    words = [n["notetext"] for n in await _notes(desk, case) if "words" in n["notetext"]]
    assert [text.count("new words") for text in words] == [1]
    gone = _message("q", "never mind")
    await thread_reply(threads, crm, None, THREAD, gone, Happened.DELETED)
    assert await thread_reply(threads, crm, None, THREAD, gone, Happened.WRITTEN) is None
    assert not any("never mind" in n["notetext"] for n in await _notes(desk, case))


async def test_customers_see_replies_only_after_the_switch(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Switch")
    ctx = replace(desk.context(), place=THREAD, threads=threads)
    shown = await desk.read("case thread").run(ctx)
    assert shown.card
    assert "Replies are internal" in to_text(shown.card)
    await desk.read("case thread customer").run(ctx)
    await thread_reply(threads, ctx.crm, None, THREAD, _message("c", "We are on it."), Happened.WRITTEN)
    assert (await _notes(desk, case))[0]["notetext"].startswith("*WEB* ")
    await desk.read("case thread stop").run(ctx)
    assert await thread_reply(threads, ctx.crm, None, THREAD, _message("d", "hello"), Happened.WRITTEN) is None


async def test_bots_and_other_threads_make_no_notes(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Bots")
    crm = desk.context().crm
    assert await thread_reply(threads, crm, None, THREAD, _message("e", "beep", bot=True), Happened.WRITTEN) is None
    other = replace(THREAD, thread="other")
    assert await thread_reply(threads, crm, None, other, _message("f", "hello"), Happened.WRITTEN) is None
    assert await _notes(desk, case) == []


async def test_files_go_along_and_what_cannot_is_said(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Files")
    message = _message("g", "see", "photo.txt", "lost.txt")
    reply = await thread_reply(threads, desk.context().crm, Channel(), THREAD, message, Happened.WRITTEN)
    assert reply
    assert reply.card
    assert reply.card.text == ("lost.txt: it was deleted.",)
    assert {n["filename"] for n in await _notes(desk, case)} == {None, "photo.txt"}


async def test_notes_of_the_case_come_to_the_thread_once(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "News")
    crm, channel = desk.context().crm, Channel()
    note = await crm.attach(case, subject="Part", text="The part has arrived.")
    for _ in range(3):
        await case_news(threads, crm, {"slack": channel}, _noted(note, case))
    assert len(channel.told) == 1
    card = channel.told[0].card
    assert card
    assert card.public() is card
    assert "System Administrator added a note.\nThe part has arrived." in to_text(card)


async def test_what_came_from_the_thread_is_not_said_there_again(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Echo")
    crm, channel = desk.context().crm, Channel()
    await thread_reply(threads, crm, channel, THREAD, _message("h", "from here"), Happened.WRITTEN)
    note = (await _notes(desk, case))[0].ref
    assert await case_news(threads, crm, {"slack": channel}, _noted(note, case)) == 0
    assert channel.told == []


async def test_what_a_case_was_made_of_is_not_said_in_its_thread(desk: Desk, threads: FollowedThreads) -> None:
    quote = Quote(message=_message("made", "Leaks", "log.txt"))
    operation = CaptureCase.read({"title": "Leaks", "customer": "Contoso", "files": "F-log.txt"})
    channel = Channel()
    context = replace(desk.context("made", face=channel, quote=quote), threads=threads, place=THREAD)
    reply = await operation.run(context)
    assert reply.card
    case = parse_record(reply.card.record)
    assert await threads.followed(THREAD)
    notes = await _notes(desk, case)
    assert len(notes) == 2
    for note in notes:
        assert await case_news(threads, context.crm, {"slack": channel}, _noted(note.ref, case)) == 0
    assert channel.told == []


async def test_a_new_status_is_told_and_the_same_one_is_not(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Status")
    crm, channel = desk.context().crm, Channel()

    def change(number: int) -> Change:
        return Change(ref=case, message="Update", id=f"Update/{case.id}/{number}", values={})

    assert await case_news(threads, crm, {"slack": channel}, change(1)) == 0
    await desk.say("case resolve it 'New fuse'")
    assert await case_news(threads, crm, {"slack": channel}, change(2)) == 1
    assert await case_news(threads, crm, {"slack": channel}, change(3)) == 0
    assert channel.told[0].card
    assert "is now: Problem Solved" in to_text(channel.told[0].card)


async def test_where_outsiders_read_along_only_that_there_is_a_note(desk: Desk, threads: FollowedThreads) -> None:
    case = await _case(desk, threads, "Shared")
    await threads.follow(Following(place=replace(THREAD, shared=True), principal=PERSON, case=case))
    crm, channel = desk.context().crm, Channel()
    note = await crm.attach(case, subject="Secret", text="Their contract ends soon.")
    await case_news(threads, crm, {"slack": channel}, _noted(note, case))
    assert channel.told[0].card
    assert "contract" not in to_text(channel.told[0].card)


async def test_a_thread_that_is_gone_is_forgotten_and_one_that_is_busy_is_told_later(
    desk: Desk, threads: FollowedThreads
) -> None:
    case = await _case(desk, threads, "Gone")
    crm, channel = desk.context().crm, Channel()
    note = await crm.attach(case, subject="x", text="y")
    channel.refuses = DeliveryFailed("busy", again=True)
    with pytest.raises(DeliveryFailed):
        await case_news(threads, crm, {"slack": channel}, _noted(note, case))
    channel.refuses = None
    assert await case_news(threads, crm, {"slack": channel}, _noted(note, case)) == 1
    channel.refuses = DeliveryFailed("archived", again=False)
    assert await case_news(threads, crm, {"slack": channel}, _noted(note, case, 2)) == 0
    assert await threads.followers(case) == []


def test_a_webhook_message_is_read() -> None:
    body = {
        "PrimaryEntityName": "annotation",
        "PrimaryEntityId": "5f3c8d2e-0000-4000-8000-000000000001",
        "MessageName": "Create",
        "OperationId": "5f3c8d2e-0000-4000-8000-000000000002",
        "UserId": "5f3c8d2e-0000-4000-8000-000000000003",
        "InputParameters": [
            {
                "key": "Target",
                "value": {
                    "__type": "Entity:http://schemas.microsoft.com/xrm/2011/Contracts",
                    "Attributes": [
                        {"key": "notetext", "value": "Hello"},
                        {
                            "key": "objectid",
                            "value": {
                                "__type": "EntityReference:http://schemas.microsoft.com/xrm/2011/Contracts",
                                "Id": "5f3c8d2e-0000-4000-8000-000000000004",
                                "LogicalName": "incident",
                            },
                        },
                    ],
                },
            }
        ],
    }
    change = read_change(body)
    assert change.values["notetext"] == "Hello"
    assert change.values["objectid"].table == "incident"
    assert change.id.startswith("Create/annotation/5f3c8d2e")
    for wrong in ({}, {"PrimaryEntityName": "x", "PrimaryEntityId": "y", "MessageName": "z"}, {"InputParameters": 3}):
        with pytest.raises(ValueError, match="no message of a Dataverse webhook"):
            read_change(wrong)
