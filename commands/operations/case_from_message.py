"""A chat message, or its whole thread, becomes a case: the form that is filled from it, and what happens on submit.

The message's own key is the intent key, so that two people at once, or a platform that retries, make one case.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Annotated, Final

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema

from commands import forms
from commands.cards import Action, Card, CardKind, Form, Input, InputKind, Option, Style
from commands.context import Context
from commands.errors import Question, UserError
from commands.fields import Reference, Text
from commands.operation import Accepts, ByButton
from commands.press import Do, Press
from commands.record_cards import Look, look
from commands.request import DeliveryFailed, Message, Quote, QuotedFile, Reply
from commands.threads import Following, mark_ours
from crm.actions import add_to_queue, with_notes
from crm.definitions import TableInfo
from crm.errors import CrmError, DuplicateId, DuplicateKey, NotFound, TooLarge, UnknownChoice
from crm.notes import File
from crm.payload import find_choice
from crm.records import Ref, Row
from crm.tables import CASE, NOTE, QUEUE

from .cases import Case
from .customer_guess import Guess, guess
from .records import Create, reads

_QUOTE: Final[TypeAdapter[Quote]] = TypeAdapter(Quote)
_MESSAGE, _THREAD = "message", "thread"
_NOTE_LENGTH = 90_000
"""Characters of a transcript in one note; Dataverse takes 100,000."""


def _quote(value: object) -> Quote:
    if isinstance(value, Quote):
        return value
    try:
        return _QUOTE.validate_json(value) if isinstance(value, str) else _QUOTE.validate_python(value)
    except ValidationError:
        raise ValueError("This is no message that can be read.") from None


class CaptureCase(
    Create,
    Case,
    verb="case capture",
    table=CASE,
    example="case capture",
    also=("case from message", "case from thread"),
):
    """Make a case out of a message: pick Create case in the message's own menu."""

    makes = (NOTE.logical,)
    does_also = ("case create",)

    take: Annotated[Text | None, Accepts("what")] = None
    """What goes along: this message, or the whole thread."""
    files: Text | None = None
    """Which of the message's files go along, by their ids; none where nothing is said."""
    queue: Reference | None = None
    """The queue that the case waits in."""
    quote: Annotated[
        Quote | None,
        ByButton(),
        PlainValidator(lambda value: None if value is None else _quote(value)),
        WithJsonSchema({"type": "object"}),
        Field(exclude=True),  # `args()` writes it; pydantic warns of a dataclass behind a plain validator
    ] = None
    """The message itself; the form carries it."""

    def args(self) -> dict[str, str]:
        """What was said, as canonical text."""
        args = super().args()
        if self.quote:
            args["quote"] = _QUOTE.dump_json(self.quote).decode()
        return args

    @property
    def bare(self) -> bool:
        """Nothing but the message: what the case says is still to be made of it."""
        return self.quote is not None and self.args().keys() <= {"quote", "env"}

    @classmethod
    def shaped(cls, form: Form, args: Mapping[str, str]) -> Form:
        """With what there is of the message to choose from, and what could not be read of it."""
        if "quote" not in args:
            return form
        quote = _quote(args["quote"])
        inputs = [shaped for field in form.inputs if (shaped := _shaped(field, quote))]
        missing = " ".join(quote.missing)
        return replace(form, title="Create case", submit_label="Create", inputs=tuple(inputs), intro=missing)

    async def run(self, ctx: Context) -> Reply:
        """One request makes the case with its transcript; files and queue follow. Harmless to repeat."""
        quote = self.quote or ctx.quote
        if quote is None:
            return Reply(card=_how())
        quote = await self._with_thread(ctx, quote)
        seen = await look(ctx, CASE.logical)
        values = await self.values(ctx)
        payload = await self.payload(ctx, values, for_update=False)
        notes = [
            (ctx.row_id(f"transcript/{number}"), f"{ctx.place.platform.capitalize()} conversation", text)
            for number, text in enumerate(_transcript(quote))
        ]
        if ctx.threads:
            for note, _, _ in notes:
                await mark_ours(ctx.threads, Ref(NOTE.logical, note))
        ref = Ref(CASE.logical, ctx.row_id())
        columns = reads(seen, values)
        try:
            row = await ctx.crm.create(CASE.logical, with_notes(payload, notes), id=ref.id, returning=columns)
        except (DuplicateId, DuplicateKey):
            row = await ctx.crm.get(ref, select=columns)
            if not await ctx.crm.holds(ref, payload):
                return await _exists(ctx, seen, row)
        missing = [*quote.missing, *await self._attach(ctx, ref, quote), *await self._enqueue(ctx, ref)]
        await ctx.links.link(quote.message.key, ref)
        if ctx.threads:
            told = str(seen.value(row, "statuscode"))
            await ctx.threads.follow(
                Following(place=ctx.place, principal=ctx.principal, case=ref, told=told, env=ctx.env)
            )
        card = seen.record(row, notes=["Case created from the message.", *missing], also=values)
        return Reply(card=card, stub=seen.stub(row), reaction="ticket")

    async def _with_thread(self, ctx: Context, quote: Quote) -> Quote:
        if self.take != _THREAD:
            return replace(quote, thread=())
        if quote.thread or ctx.face is None:
            return quote
        read = await ctx.face.thread(ctx.place, quote.message)
        return replace(quote, thread=read.thread, missing=tuple(dict.fromkeys((*quote.missing, *read.missing))))

    async def _attach(self, ctx: Context, ref: Ref, quote: Quote) -> list[str]:
        """Put the chosen files on the case; sentences about those that could not be taken along."""
        wanted = set((self.files or "").replace(",", " ").split())
        missing = []
        for file in _files(quote):
            if file.id not in wanted:
                continue
            try:
                await self._attach_one(ctx, ref, file)
            except DeliveryFailed as e:
                missing.append(f"{file.name} was not taken along: {e.sentence}")
            except TooLarge as e:
                missing.append(f"{file.name} was not taken along: {e.message}")
            except CrmError as e:
                if e.repeatable:
                    raise  # the whole is tried again, and what is there already stays
                missing.append(f"{file.name} was not taken along: {e.message}")
        return missing

    async def _attach_one(self, ctx: Context, ref: Ref, file: QuotedFile) -> None:
        if ctx.face is None:
            raise DeliveryFailed("files cannot be fetched from here.", again=False)
        content = await ctx.face.download(ctx.place, file)
        note = ctx.row_id(f"file/{file.id}")
        if ctx.threads:
            await mark_ours(ctx.threads, Ref(NOTE.logical, note))
        try:
            await ctx.crm.attach(ref, subject=file.name, file=File(file.name, file.mime, content), id=note)
        except DuplicateId:
            return  # an earlier attempt has done it

    async def _enqueue(self, ctx: Context, ref: Ref) -> list[str]:
        if self.queue is None:
            return []
        queue = await self.reference(ctx, "queue", replace(CASE.owner, logical="queueid", targets=(QUEUE.logical,)))
        try:
            if queue:
                await add_to_queue(ctx.crm, queue.id, ref)
        except CrmError as e:
            if e.repeatable:
                raise
            return [f"The case was not put into the queue: {e.message}"]
        return []


async def begin(ctx: Context) -> Reply:
    """What *Create case* on `ctx.quote` leads to: the case that it is already, or the form.

    Raises CrmError; UserError where there is no message.
    """
    begun = await _begun(ctx)
    if isinstance(begun, Reply):
        return begun
    return Reply(form=await forms.form(CaptureCase, begun, ctx))


async def complete(ctx: Context) -> CaptureCase:
    """The command that makes a case of `ctx.quote` with defaults.

    Raises Question with the case that it is already, or for the customer; else like `begin`.
    """
    begun = await _begun(ctx)
    if isinstance(begun, Reply):
        raise Question(begun)
    if "customer" not in begun and "contact" not in begun:
        raise Question(Reply(card=_ask_customer(ctx, begun)))
    return CaptureCase.read(begun)


async def _begun(ctx: Context) -> dict[str, str] | Reply:
    """What follows from the message for its case, or the case that it is already."""
    quote = ctx.quote
    if quote is None:
        raise UserError("There is no message here to make a case from.", "Pick Create case in a message's menu.")
    seen = await look(ctx, CASE.logical)
    guessed = await guess(ctx, quote.message, Ref(CASE.logical, ctx.row_id()), reads(seen))
    linked = await ctx.links.linked(quote.message.key)
    if linked and not guessed.case:
        guessed = replace(guessed, case=await _read(ctx, linked, seen))
    if guessed.case:
        return await _exists(ctx, seen, guessed.case)
    return _prefill(ctx, quote, guessed, seen.info)


async def _read(ctx: Context, ref: Ref, seen: Look) -> Row | None:
    try:
        return await ctx.crm.get(ref, select=reads(seen))
    except NotFound:
        return None


async def _exists(ctx: Context, seen: Look, row: Row) -> Reply:
    if ctx.quote:
        await ctx.links.link(ctx.quote.message.key, row.ref)
    return Reply(card=seen.record(row, notes=["This message is a case already."]))


def _how() -> Card:
    return Card(
        kind=CardKind.NOTICE,
        title="Make a case out of a message",
        text=(
            "Open the menu of the message (three dots) and pick Create case.",
            "The form takes title, text and customer from it, and its thread and files if you like.",
        ),
        actions=(Action(label="Create a case without a message", press=Press(do=Do.FORM, verb="case create")),),
    )


def _ask_customer(ctx: Context, args: dict[str, str]) -> Card:
    press = Press(do=Do.FORM, verb=CaptureCase.verb, args=args, key=ctx.key)
    return Card(
        kind=CardKind.NOTICE,
        title="Whose case is this?",
        text=("The author's e-mail address belongs to no contact or account, so the customer must be chosen.",),
        actions=(Action(label="Choose the customer", press=press, style=Style.PRIMARY),),
    )


# -- filling the form -------------------------------------------------------------------------------------------


def _prefill(ctx: Context, quote: Quote, guessed: Guess, info: TableInfo) -> dict[str, str]:
    message = quote.message
    args = {
        "title": _title(message, info.columns[CASE.title.logical].max_length or 200),
        "description": _cut(message.text.strip(), info.columns[CASE.description.logical].max_length or 2000),
        "customer": guessed.customer,
        "contact": guessed.contact,
        "priority": _label(info, CASE.priority.logical, "Normal"),
        "origin": _label(info, CASE.origin.logical, ctx.place.platform) or _label(info, CASE.origin.logical, "Web"),
        "take": _THREAD if quote.in_thread else _MESSAGE,
        "files": "\n".join(file.id for file in _files(quote)),
        "quote": _QUOTE.dump_json(quote).decode(),
    }
    return {name: text for name, text in args.items() if text}


def _shaped(field: Input, quote: Quote) -> Input | None:
    """What goes along is chosen from what there is; where there is nothing to choose, nothing is asked."""
    if field.name == "take":
        if not quote.in_thread and not quote.thread:
            return None
        options = (Option("This message", _MESSAGE), Option("The whole thread", _THREAD))
        return replace(field, kind=InputKind.CHOICE, options=options, label="Take along")
    if field.name == "files":
        names = tuple(Option(file.name, file.id) for file in _files(quote))
        return replace(field, kind=InputKind.CHOICES, options=names, hint="") if names else None
    return field


def _files(quote: Quote) -> list[QuotedFile]:
    files = {file.id: file for message in (quote.message, *quote.thread) for file in message.files}
    return list(files.values())


def _title(message: Message, limit: int) -> str:
    line = next(filter(None, (line.strip() for line in message.text.splitlines())), "")
    return _cut(line, limit) or _cut(f"Message from {message.author.name or 'somebody'}", limit)


def _cut(text: str, limit: int) -> str:
    """At most so many characters, as Dataverse counts them (UTF-16 units)."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * limit:
        return text
    return units[: 2 * (limit - 1)].decode("utf-16-le", "ignore").rstrip() + "…"


def _label(info: TableInfo, column: str, word: str) -> str:
    """The choice of this name, if the organisation has it."""
    try:
        return find_choice(info, info.columns[column], word).label()
    except UnknownChoice:
        return ""


# -- the transcript ---------------------------------------------------------------------------------------------


def _transcript(quote: Quote) -> list[str]:
    """The conversation as the texts of one or more notes: who, when, what and where."""
    messages = quote.thread or (quote.message,)
    pages, page = [], ""
    for entry in map(_entry, messages):
        if page and len(page) + len(entry) > _NOTE_LENGTH:
            pages.append(page.rstrip())
            page = ""
        page += entry[:_NOTE_LENGTH] + "\n\n"
    return [*pages, page.rstrip()]


def _entry(message: Message) -> str:
    sent = message.sent.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if message.sent else ""
    head = " · ".join(filter(None, (message.author.name or message.author.email or "Somebody", sent)))
    files = f"Files: {', '.join(file.name for file in message.files)}" if message.files else ""
    return "\n".join(filter(None, (head, message.text.strip(), files, message.permalink)))
