"""A message becomes a case: what is filled in, what goes along, and that there is only ever one."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from commands import forms
from commands.cards import Form, Input, Submission, to_text
from commands.context import Context
from commands.errors import Question
from commands.operations.case_from_message import CaptureCase, begin, complete
from commands.request import Message, Person, Quote, QuotedFile, Reply
from crm.query import Query, lookup
from crm.records import Row

from .organisation import Desk
from .test_threads import Channel

MARIA = Person(name="Maria Campbell", email="maria.campbell@fabrikam.example")


class Thread(Channel):
    """A channel whose thread has a second message, and one that could not be read."""

    async def thread(self, place: object, message: Message) -> Quote:
        """The message and its answer."""
        del place
        answer = _message("answer", "Have you tried descaling it?", author=Person(name="Ben Carter"))
        return Quote(message=message, thread=(message, answer), missing=("One message was deleted.",))


def _message(key: str, text: str, *files: str, author: Person = MARIA) -> Message:
    return Message(
        key=key,
        text=text,
        author=author,
        sent=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
        permalink=f"https://acme.slack.com/{key}",
        files=tuple(QuotedFile(id=f"F-{name}", name=name, mime="text/plain") for name in files),
    )


def _context(desk: Desk, quote: Quote, face: Channel | None = None) -> Context:
    return desk.context(quote.message.key, quote=quote, face=face or Thread())


def _input(form: Form, name: str) -> Input:
    return next(i for i in form.inputs if i.name == name)


async def _submitted(desk: Desk, form: Form, face: Channel | None = None, **typed: str) -> Reply:
    values = {i.name: i.value for i in form.inputs if i.value} | typed
    operation = CaptureCase.read(forms.filled(form.submit, Submission(values)))
    return await operation.run(desk.context(form.submit.key, face=face or Thread()))


async def _notes(desk: Desk, reply: Reply) -> list[Row]:
    from commands.state import parse_record

    assert reply.card
    query = Query("annotation").select("subject", "notetext", "filename")
    where = lookup("objectid") == parse_record(reply.card.record)
    return (await desk.context().crm.page(query.where(where))).rows


async def test_the_form_is_filled_from_the_message(desk: Desk) -> None:
    quote = Quote(message=_message("m1", "Boiler is cold\nSince this morning.\n", "photo.txt"), in_thread=True)
    with desk.requests() as calls:
        reply = await begin(_context(desk, quote))
    assert reply.form
    assert len(calls) == 1
    assert _input(reply.form, "title").value == "Boiler is cold"
    assert _input(reply.form, "description").value == "Boiler is cold\nSince this morning."
    assert _input(reply.form, "customer").value.startswith("/accounts(")
    assert _input(reply.form, "contact").value.startswith("/contacts(")
    assert [o.label for o in _input(reply.form, "take").options] == ["This message", "The whole thread"]
    assert [o.label for o in _input(reply.form, "files").options] == ["photo.txt"]
    assert reply.form.submit.key == "m1"


async def test_one_request_makes_the_case_with_its_transcript(desk: Desk) -> None:
    quote = Quote(message=_message("m2", "Leaks", "a.txt", "lost.txt"), in_thread=True)
    begun = await begin(_context(desk, quote))
    assert begun.form
    with desk.requests() as calls:
        reply = await _submitted(desk, begun.form, take="thread")
    assert [(c.method, c.path.partition("?")[0]) for c in calls] == [("POST", "incidents"), ("POST", "annotations")]
    assert reply.card
    text = to_text(reply.card)
    assert "Customer: Fabrikam, Inc." in text
    assert "One message was deleted." in text
    assert "lost.txt was not taken along: it was deleted." in text
    assert reply.stub
    assert reply.stub.public() is reply.stub
    assert "Fabrikam" not in to_text(reply.stub)
    assert reply.reaction == "ticket"
    notes = await _notes(desk, reply)
    transcript = next(n["notetext"] for n in notes if not n["filename"])
    assert transcript == (
        "Maria Campbell · 2026-11-24 09:30 UTC\nLeaks\nFiles: a.txt, lost.txt\nhttps://acme.slack.com/m2\n\n"
        "Ben Carter · 2026-11-24 09:30 UTC\nHave you tried descaling it?\nhttps://acme.slack.com/answer"
    )
    assert [n["filename"] for n in notes if n["filename"]] == ["a.txt"]


async def test_two_people_at_once_make_one_case(desk: Desk) -> None:
    quote = Quote(message=_message("m3", "Both saw it"))
    begun = await begin(_context(desk, quote))
    assert begun.form
    first, second = await asyncio.gather(_submitted(desk, begun.form), _submitted(desk, begun.form, title="Mine!"))
    assert first.card
    assert second.card
    assert first.card.record == second.card.record
    assert any("is a case already" in line for r in (first, second) if r.card for line in r.card.text)
    assert len(await _notes(desk, first)) == 1


async def test_the_same_message_again_shows_its_case(desk: Desk) -> None:
    quote = Quote(message=_message("m4", "Again"))
    made = await complete(_context(desk, quote))
    reply = await made.run(_context(desk, quote))
    desk.links.by_message.clear()  # even where the link was lost, the id follows from the message
    again = await begin(_context(desk, quote))
    assert again.card
    assert reply.card
    assert again.card.record == reply.card.record
    assert again.card.text[0] == "This message is a case already."
    assert await desk.links.linked("m4")


async def test_running_again_after_a_crash_adds_nothing(desk: Desk) -> None:
    quote = Quote(message=_message("m5", "Crash", "b.txt"))
    made = await complete(_context(desk, quote))
    first = await made.run(_context(desk, quote))
    again = await CaptureCase.read(made.args()).run(_context(desk, quote))
    assert first.card
    assert again.card
    assert again.card.text[0] == "Case created from the message."
    assert len(await _notes(desk, again)) == 2


@pytest.mark.parametrize("email", ["someone@gmail.com", "somebody.else@contoso.example", ""])
async def test_nobody_is_guessed_from_free_mail_colleagues_or_nothing(desk: Desk, email: str) -> None:
    quote = Quote(message=_message(f"guess-{email}", "Whose?", author=Person(name="X", email=email)))
    begun = await begin(_context(desk, quote))
    assert begun.form
    assert _input(begun.form, "customer").value == ""
    assert _input(begun.form, "contact").value == ""


async def test_the_company_of_the_domain_is_guessed(desk: Desk) -> None:
    account = await desk.say("account create 'Domain Co' website=https://www.domain-co.example/")
    assert account.card
    quote = Quote(message=_message("m6", "Hi", author=Person(name="New", email="new@domain-co.example")))
    begun = await begin(_context(desk, quote))
    assert begun.form
    assert account.card.record.partition("/")[2] in _input(begun.form, "customer").value


async def test_at_once_without_a_customer_asks_whose_it_is(desk: Desk) -> None:
    quote = Quote(message=_message("m7", "Whose?", author=Person(name="Nobody")))
    with pytest.raises(Question) as asked:
        await complete(_context(desk, quote))
    reply = asked.value.reply
    assert reply.card
    press = reply.card.actions[0].press
    assert press
    form = await forms.form(CaptureCase, press.args, desk.context(press.key))
    assert _input(form, "title").value == "Whose?"
    assert _input(form, "customer").required


async def test_nasty_messages_are_taken_as_they_are(desk: Desk) -> None:
    for number, text in enumerate(("🔥" * 300, "", "x" * 9000, "<!channel> <@U1> *b* _i_ `c`", "\n\n  \nsecond")):
        quote = Quote(message=_message(f"nasty-{number}", text))
        made = await complete(_context(desk, quote))
        reply = await made.run(_context(desk, quote))
        assert reply.card
        assert reply.card.title


async def test_files_chosen_in_the_form_go_along_and_others_do_not(desk: Desk) -> None:
    quote = Quote(message=_message("m8", "Two files", "one.txt", "two.txt"))
    begun = await begin(_context(desk, quote))
    assert begun.form
    reply = await _submitted(desk, begun.form, files="F-two.txt")
    assert [n["filename"] for n in await _notes(desk, reply) if n["filename"]] == ["two.txt"]


async def test_none_chosen_takes_none(desk: Desk) -> None:
    quote = Quote(message=_message("m9", "No files please", "one.txt"))
    begun = await begin(_context(desk, quote))
    assert begun.form
    values = {i.name: i.value for i in begun.form.inputs if i.value and i.name != "files"}
    operation = CaptureCase.read(forms.filled(begun.form.submit, Submission(values)))
    reply = await operation.run(replace(desk.context("m9"), face=Thread()))
    assert [n["filename"] for n in await _notes(desk, reply) if n["filename"]] == []


async def test_the_queue_takes_the_case(desk: Desk) -> None:
    quote = Quote(message=_message("m10", "Queue"))
    begun = await begin(_context(desk, quote))
    assert begun.form
    with desk.requests() as calls:
        await _submitted(desk, begun.form, queue="Support")
    assert any("AddToQueue" in c.path for c in calls)
