"""`Dispatcher`: Request -> checks -> run -> Reply; what runs inline and what becomes a job.

The only door from a face into the command layer. It never raises for anything a person can cause: every problem comes
back as a card, and unknown ones carry a reference that is also in the log.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from crm.auth import Application
from crm.client import Dataverse
from crm.errors import CrmError
from crm.languages import language_code
from crm.notifications import Change

from . import forms, helping
from .audit import DENIED, Audit
from .cards import Action, Card, CardKind, Option
from .context import Context
from .delivery import Delivery
from .engine import Engine
from .errors import BadInput, NotAllowed, Question, StaleButton, UnknownCommand, UserError
from .explain import explain
from .fields import Reading
from .grammar import HelpAsked, Menu, Parsed, Problem, parse
from .jobs import RECEIPT, Answer, Jobs, Outcome, Receipt, Work
from .operation import CATALOG, Effect, Operation
from .operations import case_from_message, home, search
from .people import People
from .policy import Policy
from .press import Do, Press, Seal
from .rate import Rate
from .request import (
    Faces,
    FromMessage,
    Message,
    Place,
    Principal,
    Quote,
    Reply,
    Request,
    Submitted,
    Typed,
    Visibility,
)
from .state import State
from .threads import Happened, Threads, case_news, thread_reply
from .vocabulary import MetadataVocabulary

log = logging.getLogger(__name__)

_GRACE = 0.3
"""Seconds past the window that preparing an answer may take before it counts as late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """One command, understood, not yet checked against the organisation."""

    operation: type[Operation]
    args: dict[str, str]
    key: str
    etag: str = "*"
    form: bool = False
    """It came from a form, so problems go back to its fields."""
    quote: Quote | None = None
    visibility: Visibility = Visibility.PRIVATE
    replace: bool = False


class Dispatcher:
    """Built once by the composition root; shared by all faces."""

    def __init__(
        self,
        *,
        dataverse: Dataverse,
        people: People,
        policy: Policy,
        state: State,
        engine: Engine,
        faces: Faces,
        seal: Seal,
        threads: Threads | None = None,
        audit: Audit | None = None,
        rate: Rate | None = None,
        window: float = 1.5,
    ) -> None:
        self.seal = seal
        """Faces put `seal.seal(action.press)` on their buttons and forms, and give back what `seal.open(token)`
        returns. A token that does not open (`BadSeal`) is answered with the card of `stale()`."""
        self._delivery = Delivery(state, faces)
        self.jobs = Jobs(engine, self.perform, self._delivery.of_work)
        self._dataverse, self._people, self._policy = dataverse, people, policy
        self._state, self._faces, self._window = state, faces, window
        self._threads, self._audit, self._rate = threads, audit, rate
        self._vocabulary = MetadataVocabulary(dataverse.metadata)

    # -- the door -----------------------------------------------------------------------------------------------

    async def dispatch(self, request: Request) -> Reply:
        """Answer within the acknowledgement window (CRMCHAT_ACK_WINDOW, 1.5 s), whatever Dataverse does.

        Not done by then: `Reply(pending=True)` with a card that says so; the answer comes through `Face.deliver`.
        A write is journalled before this returns. The same `request.key` again joins the work that runs, or gives
        its answer: nothing is done twice.
        """
        receipt = Receipt(asyncio.get_running_loop().create_future())
        RECEIPT.set(receipt)
        task = asyncio.create_task(self._guarded(request))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._window + _GRACE)
            reply = task.result() if done else _pending()
            receipt.left.set_result(not reply.pending)
        finally:
            if not receipt.left.done():
                receipt.left.set_result(False)
        if not done:
            self._delivery.when_done(task, request, receipt)
        return reply

    def stale(self) -> Card:
        """For a button or form that cannot be opened: of an old deployment, or changed on its way."""
        return explain(
            StaleButton(
                "This button is from an older version of this message, or was changed on its way here.",
                "Ask for the record again, for example: case show CAS-01042",
            )
        )

    async def suggest(self, press: Press, field: str, typed: str, principal: Principal, place: Place) -> list[Option]:
        """Typeahead for the LOOKUP input `field` of the form that submits `press`; at most 15; under 1.5 s or empty."""
        operation = CATALOG.get(press.verb)
        if operation is None:
            return []
        try:
            async with asyncio.timeout(self._window):
                self._policy.check_kind(operation, await self._person(principal), place)
                ctx = await self._context(principal, place, key="")
                return await forms.suggest(operation, field, typed, ctx)
        except (TimeoutError, CrmError, NotAllowed, ValueError) as e:
            log.info("no suggestions for %s: %s", field, type(e).__name__)
            return []

    async def home(self, principal: Principal, place: Place) -> Card:
        """The home tab: my cases, leads, opportunities, recent records, connection state (kind HOME, sections)."""
        try:
            self._policy.check_kind(CATALOG["home"], await self._person(principal), place)
            return await home.card(await self._context(principal, place, key=""))
        except Exception as e:
            return explain(e)

    async def search(self, text: str, nouns: Sequence[str], principal: Principal, place: Place) -> list[Card]:
        """Record cards for the search extension, at most 25; empty `text` gives the person's recent records.

        `nouns`: limit to these (`case`, `lead`); empty searches all seven tables. Raises UserError and CrmError.
        """
        self._policy.check_kind(CATALOG["search"], await self._person(principal), place)
        return await search.cards(await self._context(principal, place, key=""), text, nouns)

    async def unfurl(self, url: str, principal: Principal, place: Place) -> Card | None:
        """The public card (`Card.public()` form) for a record's URL of this organisation; None for any other URL.

        It shows the minimal facts that everyone may see and carries a button that fetches the rest per person.
        """
        try:
            async with asyncio.timeout(self._window):
                self._policy.check_kind(CATALOG["search"], await self._person(principal), place)
                return await search.unfurl(await self._context(principal, place, key=""), url)
        except Exception as e:
            log.info("no preview: %s", type(e).__name__)
            return None

    async def heard(
        self, principal: Principal, place: Place, message: Message, happened: Happened = Happened.WRITTEN
    ) -> Reply | None:
        """A message in a thread that was not addressed to us: told to the case that the thread follows, if any.

        None where there is nothing to say or to do. The same message again changes nothing.
        """
        if self._threads is None or message.author.bot or await self._threads.followed(place) is None:
            return None
        try:
            self._policy.check_kind(CATALOG["case note"], await self._person(principal), place)
            crm = await self._people.session(principal)
            return await thread_reply(self._threads, crm, self._faces.get(place.platform), place, message, happened)
        except Exception as e:
            return Reply(card=explain(e))

    async def follows(self, place: Place) -> bool:
        """Whether this thread follows a case; a face that asks first need not read what is said elsewhere."""
        return self._threads is not None and await self._threads.followed(place) is not None

    async def news(self, change: Change) -> int:
        """Something happened in Dataverse: tell the threads that follow it; how many were told.

        Raises CrmError and DeliveryFailed where the sender should try again.
        """
        if self._threads is None:
            return 0
        return await case_news(self._threads, self._dataverse.acting_as(Application()), self._faces, change)

    async def labels(self, operation: type[Operation], principal: Principal) -> dict[str, list[str]]:
        """The organisation's choices by field name, in the person's language; empty while metadata is not loaded."""
        if operation.table is None:
            return {}
        try:
            info = await self._dataverse.metadata.table(operation.table.logical)
        except CrmError as e:
            log.info("no choices for %s: %s", operation.verb, type(e).__name__)
            return {}
        language = language_code(principal.locale)
        columns = {p.name: info.columns.get(p.column.logical) for p in operation.parameters.values() if p.column}
        return {name: [c.label(language) for c in column.choices] for name, column in columns.items() if column}

    async def start(self) -> None:
        """Resume what a former process left, once the faces can deliver. Raises EngineError."""
        await self.jobs.start()

    async def stop(self, grace: float = 8.0) -> None:
        """Finish or park what runs."""
        await self.jobs.stop(int(grace))
        await self._delivery.stop()

    # -- understanding ------------------------------------------------------------------------------------------

    async def _guarded(self, request: Request) -> Reply:
        try:
            if self._rate:
                await self._rate.take(request.principal)
            reply = await self._answer(request)
        except Question as question:
            reply = question.reply
        except Exception as e:
            reply = Reply(card=explain(e))
        return await self._delivery.ready(reply, request.principal, request.place)

    async def _answer(self, request: Request) -> Reply:
        ask = request.ask
        if isinstance(ask, Typed):
            return await self._typed(ask, request)
        if isinstance(ask, FromMessage):
            self._policy.check_kind(CATALOG["case capture"], await self._person(request.principal), request.place)
            ctx = await self._context(request.principal, request.place, key=ask.quote.message.key, quote=ask.quote)
            begun = await case_from_message.begin(ctx, at_once=ask.at_once)
            if isinstance(begun, Reply):
                return begun
            made = _Wish(operation=type(begun), args=begun.args(), key=ask.quote.message.key, quote=ask.quote)
            return await self._carry_out(made, request)
        press = await self._opened(ask.press, request.principal)
        if isinstance(ask, Submitted):
            wish = _wish(press, request, forms.filled(press, ask.submission), form=True)
            if press.do is Do.FORM:
                return Reply(form=await self._form(wish, request))
            return await self._wished(wish, request)
        return await self._pressed(press, request)

    async def _typed(self, ask: Typed, request: Request) -> Reply:
        said = parse(ask.text, reading(request.principal), self._vocabulary)
        if isinstance(said, Menu):
            return Reply(card=helping.menu_card())
        if isinstance(said, HelpAsked):
            return Reply(card=helping.help_card(said.about))
        if isinstance(said, Problem):
            if noted := await self._noted(ask, said.error, request):
                return noted
            raise said.error
        assert isinstance(said, Parsed)  # noqa: S101 - the grammar has four answers
        args = said.whole_args()
        return await self._wished(_Wish(operation=said.operation, args=args, key=request.key), request)

    async def _noted(self, ask: Typed, error: UserError, request: Request) -> Reply | None:
        """Words to us in a thread that follows a case: where they are no command, they are a note on the case.

        Words that come near a command are asked about, and may become a note by a button.
        """
        if ask.message is None or self._threads is None or not isinstance(error, UnknownCommand):
            return None
        following = await self._threads.followed(request.place)
        if following is None:
            return None
        if error.nearest:
            args = {"record": str(following.case.id), "text": ask.text}
            note = Press(do=Do.RUN, verb="case note", args=args, key=request.key, owner=request.principal.key)
            card = explain(error)
            return Reply(card=replace(card, actions=(*card.actions, Action(label="Add as a note", press=note))))
        reply = await self.heard(request.principal, request.place, ask.message)
        if reply is None or reply.card:
            return reply
        text = ("Write help to see what else I can do.",)
        return replace(reply, card=Card(kind=CardKind.NOTICE, title="Added to the case as a note.", text=text))

    async def _opened(self, press: Press, principal: Principal) -> Press:
        if press.owner and press.owner != principal.key:
            raise StaleButton(
                "This button belongs to somebody else's answer.",
                "Type the command yourself, and you get your own.",
            )
        kept = await self._state.unkeep(press)
        if kept is None:
            raise StaleButton("This button is too old to be used.", "Type the command again.")
        return kept

    async def _pressed(self, press: Press, request: Request) -> Reply:
        if press.do is Do.DISMISS:
            return Reply(card=Card(kind=CardKind.NOTICE, title="Put away."), replace=True)
        wish = _wish(press, request, press.args, form=False)
        if press.do is Do.FORM:
            return Reply(form=await self._form(wish, request))
        return await self._wished(wish, request)

    async def _wished(self, wish: _Wish, request: Request) -> Reply:
        """From a command to its answer; what is missing or wrong is asked for, with everything typed kept."""
        try:
            operation = wish.operation.read(wish.args, reading(request.principal))
        except ValidationError as e:
            problems = _problems(e)
            missing = {name for name, sentence in problems.items() if not sentence}
            if wish.form or missing == set(problems):
                form = await self._form(wish, request)
                return Reply(form=form.with_problems(wish.args, {k: v or "Fill this in." for k, v in problems.items()}))
            raise _bad_input(wish, problems) from e
        if wish.operation.effect is not Effect.READ:
            if forms.missing(operation, self._dataverse.metadata):
                return Reply(form=await self._form(wish, request))
            if problems := forms.problems(operation, self._dataverse.metadata):
                if wish.form:
                    return Reply(form=(await self._form(wish, request)).with_problems(wish.args, problems))
                raise BadInput(" ".join(problems.values()), f"For example: {operation.example}", problems=problems)
        return await self._carry_out(replace(wish, args=operation.args()), request)

    async def _form(self, wish: _Wish, request: Request) -> forms.Form:
        self._policy.check_kind(wish.operation, await self._person(request.principal), request.place)
        ctx = await self._context(request.principal, request.place, key=wish.key, etag=wish.etag, quote=wish.quote)
        return await forms.form(wish.operation, wish.args, ctx)

    async def _person(self, principal: Principal) -> Principal:
        """With the e-mail address that the policy's rules name people by."""
        if not self._policy.names_people or principal.email:
            return principal
        return replace(principal, email=await self._people.email(principal))

    async def _allowed(self, operation: Operation, request: Request, *, public: bool) -> None:
        try:
            who = await self._person(request.principal)
            self._policy.check(operation, who, request.place, public=public)
        except NotAllowed as e:
            await self._note(request.principal, request.place, operation.verb, request.key, DENIED, operation.args(), e)
            raise

    async def _note(
        self,
        who: Principal,
        place: Place,
        verb: str,
        key: str,
        outcome: str,
        words: dict[str, str],
        what: Reply | NotAllowed,
    ) -> None:
        """For the record. It cannot stop what has been done, so its own failure is only logged."""
        if self._audit is None:
            return
        card = what.card if isinstance(what, Reply) else None
        record = card.record if card and card.record else ""
        reason = what.sentence if isinstance(what, NotAllowed) else card.title if card and not record else ""
        try:
            await self._audit.note(
                who, place, verb, key=key, outcome=outcome, record=record, words=words, reason=reason
            )
        except SQLAlchemyError as e:
            log.error("the audit could not note %s of %s: %s", verb, key, type(e).__name__)  # noqa: TRY400  no secrets

    # -- carrying out -------------------------------------------------------------------------------------------

    async def _carry_out(self, wish: _Wish, request: Request) -> Reply:
        operation = wish.operation.read(wish.args, reading(request.principal))
        await self._allowed(operation, request, public=wish.visibility is Visibility.EVERYONE)
        if wish.operation.effect is Effect.READ:
            ctx = await self._context(request.principal, request.place, key=wish.key, user_id=operation.user_id)
            reply = await operation.run(ctx)
        else:
            work = Work(
                key=wish.key,
                verb=wish.operation.verb,
                args=wish.args,
                principal=request.principal,
                place=request.place,
                etag=wish.etag,
                quote=wish.quote,
            )
            answer = await self.jobs.run(work, window=self._window)
            if answer is None:
                return _pending()
            reply = answer
        public = reply.card.public() if reply.card else None
        if wish.visibility is Visibility.EVERYONE and public:
            # Nothing else may reach a conversation; errors and questions stay with the person.
            reply = replace(reply, card=public, visibility=Visibility.EVERYONE)
        return replace(reply, replace=reply.replace or wish.replace)

    async def perform(self, work: Work, resumed: bool) -> Answer:
        """Run one journalled attempt; every failure becomes an answer."""
        answer = await self._attempt(work, resumed)
        await self._note(work.principal, work.place, work.verb, work.key, answer.outcome, work.args, answer.reply)
        return answer

    async def _attempt(self, work: Work, resumed: bool) -> Answer:
        try:
            operation = CATALOG[work.verb].read(work.args, reading(work.principal))
            ctx = await self._context(
                work.principal, work.place, key=work.key, etag=work.etag, quote=work.quote, user_id=operation.user_id
            )
            return Answer(Outcome.DONE, await self._run(operation, ctx, resumed))
        except Question as question:
            return Answer(Outcome.QUESTION, question.reply)
        except Exception as e:
            again = Press(
                do=Do.RUN,
                verb=work.verb,
                args=work.args,
                key=work.key,
                etag="" if work.etag == "*" else work.etag,
                owner=work.principal.key,
            )
            later = (e.retry_after or 0.0) if isinstance(e, CrmError) and e.repeatable else None
            return Answer(Outcome.FAILED, Reply(card=explain(e, again=again)), later)

    async def _run(self, operation: Operation, ctx: Context, resumed: bool) -> Reply:
        """Run it; an action whose outcome is unknown is never repeated before looking whether it has happened."""
        if operation.effect is not Effect.ACTION:
            return await operation.run(ctx)
        if resumed and (reply := await operation.landed(ctx)):
            return reply
        try:
            return await operation.run(ctx)
        except CrmError as e:
            if e.outcome_unknown and (reply := await operation.landed(ctx)):
                return reply
            raise

    async def _context(
        self,
        principal: Principal,
        place: Place,
        *,
        key: str,
        etag: str = "*",
        quote: Quote | None = None,
        user_id: str = "me",
    ) -> Context:
        people = self._people
        return Context(
            principal=principal,
            place=place,
            key=key,
            crm=await (people.session(principal) if user_id == "me" else people.session_of(user_id)),
            now=_now(principal),
            memory=self._state.memory(principal, place),
            links=self._state,
            threads=self._threads,
            face=self._faces.get(place.platform),
            quote=quote,
            etag=etag,
        )


def reading(principal: Principal) -> Reading:
    """How this person writes dates and numbers, and what their clock says."""
    return Reading(locale=principal.locale, timezone=principal.timezone, now=_now(principal))


def _wish(press: Press, request: Request, args: dict[str, str], *, form: bool) -> _Wish:
    operation = CATALOG.get(press.verb)
    if operation is None:
        raise StaleButton("What this button did is not offered any more.", "Type help to see what is.")
    share = press.do is Do.SHARE
    return _Wish(
        operation=operation,
        args=args,
        key=press.key or request.key,
        etag=press.etag or "*",
        form=form,
        visibility=Visibility.EVERYONE if share else Visibility.PRIVATE,
        replace=not share,
    )


def _now(principal: Principal) -> datetime:
    try:
        zone = ZoneInfo(principal.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.now(UTC)
    return datetime.now(zone)


def _problems(e: ValidationError) -> dict[str, str]:
    """Sentence by field name; empty for a field that is missing."""
    return {
        str(p["loc"][0]) if p["loc"] else "": "" if p["type"] == "missing" else p["msg"].removeprefix("Value error, ")
        for p in e.errors()
    }


def _bad_input(wish: _Wish, problems: dict[str, str]) -> BadInput:
    sentences = [
        f"{wish.operation.parameters[name].label}: {sentence}" if name in wish.operation.parameters else sentence
        for name, sentence in problems.items()
        if sentence
    ]
    return BadInput(" ".join(sentences), f"For example: {wish.operation.example}", problems=problems)


def _pending() -> Reply:
    return Reply(
        pending=True,
        card=Card(
            kind=CardKind.NOTICE, title="Working on it …", text=("The answer comes here as soon as it is there.",)
        ),
    )
