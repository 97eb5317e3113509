"""`Dispatcher`: Request -> checks -> run -> Reply; what runs inline and what becomes a job.

The only door from a face into the command layer. It never raises for anything a person can cause: every problem comes
back as a card, and unknown ones carry a reference that is also in the log.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from crm.auth import Application
from crm.errors import CrmError, Forbidden, SignInRequired
from crm.languages import language_code
from crm.notifications import Change

from . import forms, helping
from .access import Access, reading
from .answering import Refused, explained, pending
from .audit import DENIED, SHARED, Audit
from .cards import Action, Card, CardKind, Fact, Option
from .confirming import confirmation
from .delivery import Delivery
from .engine import Engine
from .environments import FIELD, Environment, Environments
from .errors import (
    BadInput,
    NotAccepted,
    SignInNeeded,
    StaleButton,
    UnknownCommand,
    UserError,
)
from .explain import explain
from .grammar import HelpAsked, Meaning, Menu, OfLast, Parsed, Problem, of_last, parse
from .jobs import DEADLINE, Jobs, not_certain
from .operation import CATALOG, Effect, Operation
from .operations import case_from_message, home, search
from .performing import THREAD_REPLY, Performer
from .policy import Policy
from .press import Do, Press, Seal
from .rate import Rate, TooFast
from .receipt import RECEIPT, Receipt, Stage
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
from .sign_in_flow import Forget, SignInFlow, ask_to_connect
from .signing_in import SignIn
from .state import State
from .threads import Happened, Threads, case_news, reply_key
from .vocabulary import MetadataVocabulary
from .waiting import Command
from .work import Answer, Work

log = logging.getLogger(__name__)

_UNREAD = "-"
"""In the place of a verb, where a request was refused before it was read, or means no operation."""
_GRACE = 0.3
"""Seconds past the window that preparing an answer may take before it counts as late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """One command, understood, not yet checked against the organisation."""

    operation: type[Operation]
    args: dict[str, str]
    environment: Environment
    key: str
    etag: str = "*"
    confirmed: bool = False
    """Its person was asked, where the environment asks before it is changed."""
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
        environments: Environments,
        policy: Policy,
        state: State,
        engine: Engine,
        faces: Faces,
        seal: Seal,
        threads: Threads | None = None,
        audit: Audit | None = None,
        rate: Rate | None = None,
        window: float = 1.5,
        sign_in: SignIn | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        self.seal = seal
        """Faces put `seal.seal(action.press)` on their buttons and forms, and give back what `seal.open(token)`
        returns. A token that does not open (`BadSeal`) is answered with the card of `stale()`."""
        self._delivery = Delivery(state, faces)
        self.jobs = Jobs(engine, self.perform, self._delivery.of_work, deadline=deadline)
        self.access = Access(
            environments=environments, policy=policy, state=state, faces=faces, jobs=self.jobs, threads=threads,
            audit=audit, sign_in=sign_in, rate=rate,
        )  # fmt: skip
        self._state, self._faces, self._window = state, faces, window
        self._threads = threads
        self.sign_in = (
            SignInFlow(sign_in, state, self._delivery, self._resume, self._changes) if sign_in is not None else None
        )
        """What the sign-in pages talk to; None where nobody signs in."""
        self._performer = Performer(self.access, faces, threads, self.sign_in)

    @property
    def environments(self) -> Environments:
        """The organisations that it works in."""
        return self.access.environments

    # -- the door -----------------------------------------------------------------------------------------------

    async def dispatch(self, request: Request) -> Reply:
        """Answer within the acknowledgement window (CRMCHAT_ACK_WINDOW, 1.5 s), whatever Dataverse does.

        Not done by then: `Reply(pending=True)` with a card that says so; the answer comes through `Face.deliver`.
        A write is journalled before this returns. The same `request.key` again joins the work that runs, or gives
        its answer: nothing is done twice.
        """
        receipt = Receipt(request.sent or asyncio.get_running_loop().create_future())
        RECEIPT.set(receipt)
        task = asyncio.create_task(self._guarded(request))
        left = False
        try:
            done, _ = await asyncio.wait({task}, timeout=self._window + _GRACE)
            reply = task.result() if done else _unfinished(task, receipt)
            left = bool(done) and not reply.pending
        finally:
            if not receipt.left.done() and not (left and request.sent):
                receipt.left.set_result(left)
        if not done and not task.cancelling():
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
                environment = self.environments.of(operation, press.args, place)
                async with self.access.admitting(operation, principal, place, environment):
                    ctx = await self.access.context(principal, place, environment, key="", operation=operation)
                    return await forms.suggest(operation, field, typed, ctx)
        except (TimeoutError, CrmError, UserError, ValueError) as e:
            log.info("no suggestions for %s: %s", field, type(e).__name__)
            return []

    async def home(self, principal: Principal, place: Place) -> Card:
        """The home tab: my cases, leads, opportunities, recent records, connection state (kind HOME, sections)."""
        environment = self.environments.here(place)
        try:
            async with self.access.admitting(CATALOG["home"], principal, place, environment):
                card = await home.card(await self.access.context(principal, place, environment, key=""))
        except Exception as e:
            card = explain(e)
        return environment.mark_card(card)

    async def search(self, text: str, nouns: Sequence[str], principal: Principal, place: Place) -> list[Card]:
        """Record cards for the search extension, at most 25; empty `text` gives the person's recent records.

        `nouns`: limit to these (`case`, `lead`); empty searches all seven tables. Raises UserError and CrmError.
        """
        environment = self.environments.here(place)
        async with self.access.admitting(CATALOG["search"], principal, place, environment):
            found = await search.cards(await self.access.context(principal, place, environment, key=""), text, nouns)
        return [environment.mark_card(card) for card in found]

    async def unfurl(self, url: str, principal: Principal, place: Place) -> Card | None:
        """The public card (`Card.public()` form) for a record's URL of our organisations; None for any other URL.

        It shows the minimal facts that everyone may see and carries a button that fetches the rest per person.
        """
        environment = self.environments.at(url)
        if environment is None:
            return None
        try:
            async with asyncio.timeout(self._window):
                async with self.access.admitting(CATALOG["search"], principal, place, environment, public=True):
                    card = await search.unfurl(await self.access.context(principal, place, environment, key=""), url)
                return environment.mark_card(card) if card else None
        except Exception as e:
            log.info("no preview: %s", type(e).__name__)
            return None

    async def heard(
        self, principal: Principal, place: Place, message: Message, happened: Happened = Happened.WRITTEN
    ) -> Reply | None:
        """A message in a thread that was not addressed to us: told to the case that the thread follows, if any.

        It is journalled when this returns, and what there is to say of it comes through `Face.deliver`; only what was
        refused is returned. The same message again changes nothing.
        """
        if self._threads is None or message.author.bot or not (following := await self._threads.followed(place)):
            return None
        work = Work(
            key=reply_key(message, happened),
            verb=THREAD_REPLY,
            args={"happened": happened.value, FIELD: following.env},
            principal=principal,
            place=place,
            quote=Quote(message=message),
        )
        try:
            environment = self.environments.named(following.env)
            async with self.access.admitting(CATALOG["case note"], principal, place, environment):
                reply = await self.jobs.run(work, window=self._window)
        except SignInNeeded as e:
            asked = await explained(ask_to_connect(self.sign_in, work, e, quietly=True))
            return asked if asked.card else None
        except Exception as e:
            return Reply(card=explain(e))
        # Within `dispatch` the answer travels with the acknowledgement; elsewhere the job delivers it itself.
        return (reply or pending()) if RECEIPT.get() else None

    async def exchange(self, principal: Principal, token: str) -> bool:
        """Connect with a token that the person's client gave to our app (Teams' single sign-on).

        True: connected, and what waited for that runs. False: the person must consent first. Raises UserError and
        CrmError where the account is not theirs, or the provider is away.
        """
        return self.sign_in is not None and await self.sign_in.exchange(principal, token)

    async def follows(self, place: Place) -> bool:
        """Whether this thread follows a case; a face that asks first need not read what is said elsewhere."""
        return self._threads is not None and await self._threads.followed(place) is not None

    async def news(self, change: Change, environment: Environment | None = None) -> int:
        """Something happened in an organisation (the first): tell the threads that follow it; how many were told.

        Raises CrmError and DeliveryFailed where the sender should try again.
        """
        if self._threads is None:
            return 0
        where = environment or self.environments.first
        crm = where.dataverse.acting_as(Application())
        return await case_news(self._threads, crm, self._faces, change, known_as=where.known_as, marked=where.mark_card)

    async def labels(self, operation: type[Operation], principal: Principal) -> dict[str, list[str]]:
        """The organisation's choices by field name, in the person's language; empty while metadata is not loaded."""
        if operation.table is None:
            return {}
        try:
            info = await self.environments.first.dataverse.metadata.table(operation.table.logical)
        except CrmError as e:
            log.info("no choices for %s: %s", operation.verb, type(e).__name__)
            return {}
        language = language_code(principal.locale)
        columns = {p.name: info.columns.get(p.column.logical) for p in operation.parameters.values() if p.column}
        return {name: [c.label(language) for c in column.choices] for name, column in columns.items() if column}

    async def start(self) -> None:
        """Resume what a former process left, once the faces can deliver. Raises EngineError."""
        await self.jobs.start()
        if self.sign_in:
            await self.sign_in.resume()

    async def stop(self, grace: float = 8.0) -> None:
        """Finish or park what runs."""
        await self.jobs.stop(int(grace))
        await self._delivery.stop()

    # -- understanding ------------------------------------------------------------------------------------------

    async def _guarded(self, request: Request) -> Reply:
        try:
            reply = await explained(self._answer(request))
        except (SignInNeeded, SignInRequired) as e:
            reply = await explained(ask_to_connect(self.sign_in, request, e))
        try:
            return await self._delivery.ready(reply, request.principal, request.place)
        except SQLAlchemyError as e:  # what its buttons carry cannot be kept
            receipt = RECEIPT.get()
            return pending() if receipt and receipt.owed else Reply(card=explain(e))

    async def _resume(self, command: Command, forget: Forget) -> None:
        """Run what waited for a sign-in, and deliver its answer; a job holds an answer until that has arrived."""
        sent, reply = asyncio.get_running_loop().create_future(), Reply()
        try:
            if isinstance(command, Work):
                RECEIPT.set(None)  # nobody waits for it: the job delivers
                await self.jobs.run(command, window=0.0)
            else:
                reply = await self.dispatch(replace(command, sent=sent))
        except UserError as e:
            reply = Reply(card=explain(e))
        await forget()
        if reply.pending or not (reply.card or reply.form):
            return
        arrived = await self._delivery.late(command.place, command.principal, reply)
        if not sent.done():
            sent.set_result(arrived)

    def _changes(self, command: Command) -> tuple[bool, Press | None]:
        """Whether a command that waited changes something without a further question; a button that does the same."""
        if isinstance(command, Work):
            if command.verb not in CATALOG:  # what was said in a thread, which nobody asked us for
                return True, None
            etag = "" if command.etag == "*" else command.etag
            press = Press(do=Do.RUN, verb=command.verb, args=command.args, key=command.key, etag=etag)
            return True, replace(press, owner=command.principal.key)
        ask = command.ask
        if isinstance(ask, FromMessage):
            if not ask.at_once:
                return False, None
            key = self.environments.here(command.place).key(ask.quote.message.key)
            capture = case_from_message.CaptureCase(quote=ask.quote)
            press = Press(do=Do.RUN, verb=capture.verb, args=capture.args(), key=key)
        elif isinstance(ask, Typed):
            vocabulary = MetadataVocabulary(self.environments.first.dataverse.metadata)
            said = parse(ask.text, reading(command.principal), vocabulary)
            if not isinstance(said, Parsed):
                return False, None
            press = Press(do=Do.RUN, verb=said.operation.verb, args=said.whole_args())
        elif isinstance(ask, Submitted):
            press = replace(ask.press, do=Do.RUN, args=forms.filled(ask.press, ask.submission))
        else:
            press = ask.press
        operation = CATALOG.get(press.verb)
        changes = operation is not None and operation.effect is not Effect.READ and press.do is not Do.FORM
        return changes, replace(press, key=press.key or command.key, owner=command.principal.key)

    async def _answer(self, request: Request) -> Reply:
        try:
            await self.access.pace(request.principal)
        except TooFast as e:
            await self._refusal(request, _UNREAD)(e)
            raise
        ask = request.ask
        if isinstance(ask, Typed):
            environment, said = await self._read(ask.text, request)
            about, words = _UNREAD, {"text": ask.text}
            if isinstance(said, Parsed):
                about, words = said.operation.verb, said.whole_args()
            refused = self._refusal(request, about, words, environment)
            return await explained(self._typed(ask, said, environment, request), environment, refused)
        if isinstance(ask, FromMessage):
            environment = self.environments.here(request.place)
            refused = self._refusal(request, case_from_message.CaptureCase.verb, {}, environment)
            return await explained(self._from_message(ask, environment, request), environment, refused)
        press = await self._opened(ask.press, request.principal)
        if press.do is Do.DISMISS:
            return Reply(card=Card(kind=CardKind.NOTICE, title="Put away."), replace=True)
        submitted = isinstance(ask, Submitted)
        args = forms.filled(press, ask.submission) if isinstance(ask, Submitted) else press.args
        wish = self._wish(press, request, args, form=submitted)
        refused = self._refusal(request, wish.operation.verb, wish.args, wish.environment)
        return await explained(self._wished_by(press, wish, request), wish.environment, refused)

    async def _read(self, text: str, request: Request) -> tuple[Environment, Meaning]:
        """What the words say, read with the columns of the organisation that they go to. Raises BadInput."""
        environment = self.environments.mentioned(text) or self.environments.here(request.place)
        said = await self._meant(text, environment, request)
        if isinstance(said, Parsed):
            meant = self.environments.of(said.operation, said.args, request.place)
            if meant is not environment:
                return meant, await self._meant(text, meant, request)
        return environment, said

    async def _meant(self, text: str, environment: Environment, request: Request) -> Meaning:
        vocabulary = MetadataVocabulary(environment.dataverse.metadata)
        said = parse(text, reading(request.principal), vocabulary)
        if isinstance(said, Problem) and said.operation and await self._learnt(said.operation, environment):
            said = parse(text, reading(request.principal), vocabulary)  # now it knows the organisation's columns
        if isinstance(said, OfLast):
            last = await self._state.memory(request.principal, request.place, environment.known_as).last()
            return of_last(said, last.table if last else "", vocabulary)
        return said

    async def _learnt(self, operation: type[Operation], environment: Environment) -> bool:
        """Wait for the metadata of its table, within the window; whether it was loaded just now."""
        metadata = environment.dataverse.metadata
        if operation.table is None or metadata.known(operation.table.logical):
            return False
        try:
            async with asyncio.timeout(self._window / 2):
                await metadata.table(operation.table.logical)
        except (TimeoutError, CrmError) as e:
            log.info("%s goes on without metadata: %s", operation.verb, type(e).__name__)
            return False
        return True

    async def _typed(self, ask: Typed, said: Meaning, environment: Environment, request: Request) -> Reply:
        if isinstance(said, Menu):
            return Reply(card=helping.menu_card())
        if isinstance(said, HelpAsked):
            card = helping.help_card(said.about)
            if self.environments.several and isinstance(said.about, type):
                names = ", ".join(self.environments.names)
                which = Fact(FIELD, f"Which organisation: {names} (left out: {environment.name})")
                card = replace(card, facts=(*card.facts, which))
            return Reply(card=card)
        if isinstance(said, Problem):
            if noted := await self._noted(ask, said.error, request):
                return noted
            raise said.error
        args = said.whole_args()
        return await self._wished(
            _Wish(operation=said.operation, args=args, environment=environment, key=request.key), request
        )

    async def _from_message(self, ask: FromMessage, environment: Environment, request: Request) -> Reply:
        await self.access.allow_kind(CATALOG["case capture"], request.principal, request.place, environment)
        key = environment.key(ask.quote.message.key)
        ctx = await self.access.context(request.principal, request.place, environment, key=key, quote=ask.quote)
        if not ask.at_once or await ctx.links.linked(ask.quote.message.key):
            return await case_from_message.begin(ctx)
        # What else the case needs is read in Dataverse, and that may take longer than an acknowledgement can wait.
        bare = case_from_message.CaptureCase(quote=ask.quote)
        made = _Wish(operation=type(bare), args=bare.args(), environment=environment, key=key, quote=ask.quote)
        return await self._carry_out(made, request)

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
            where = {FIELD: following.env} if following.env else {}
            args = {"record": str(following.case.id), "text": ask.text, **where}
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

    def _wish(self, press: Press, request: Request, args: dict[str, str], *, form: bool) -> _Wish:
        operation = CATALOG.get(press.verb)
        if operation is None:
            raise StaleButton("What this button did is not offered any more.", "Type help to see what is.")
        share = press.do is Do.SHARE
        return _Wish(
            operation=operation,
            args=args,
            environment=self.environments.of(operation, args, request.place),
            key=press.key or request.key,
            etag=press.etag or "*",
            confirmed=press.do is Do.CONFIRM,
            form=form,
            visibility=Visibility.EVERYONE if share else Visibility.PRIVATE,
            replace=not share,
        )

    async def _wished_by(self, press: Press, wish: _Wish, request: Request) -> Reply:
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
        if isinstance(operation, case_from_message.CaptureCase) and operation.bare:
            return await self._carry_out(replace(wish, args=operation.args(), quote=operation.quote), request)
        if wish.operation.effect is not Effect.READ:
            metadata = wish.environment.dataverse.metadata
            await self._learnt(wish.operation, wish.environment)
            if forms.missing(operation, metadata):
                return Reply(form=await self._form(wish, request))
            if problems := forms.problems(operation, metadata):
                if wish.form:
                    return Reply(form=(await self._form(wish, request)).with_problems(wish.args, problems))
                raise BadInput(" ".join(problems.values()), f"For example: {operation.example}", problems=problems)
        return await self._carry_out(replace(wish, args=operation.args()), request)

    async def _form(self, wish: _Wish, request: Request) -> forms.Form:
        environment = wish.environment
        await self.access.allow_kind(wish.operation, request.principal, request.place, environment)
        ctx = await self.access.context(
            request.principal, request.place, environment, key=wish.key, etag=wish.etag, quote=wish.quote,
            operation=wish.operation,
        )  # fmt: skip
        return await forms.form(wish.operation, wish.args, ctx)

    def _refusal(
        self, request: Request, verb: str, words: dict[str, str] | None = None, environment: Environment | None = None
    ) -> Refused:
        """What notes a refusal of this request."""
        said = environment.args(words or {}) if environment else {}

        async def note(e: UserError | SignInRequired) -> None:
            fast = isinstance(e, TooFast)  # whoever hammers fills no table: once a minute is enough to know
            key = f"too fast/{datetime.now(UTC):%Y-%m-%d %H:%M}" if fast else request.key
            await self.access.note(request.principal, request.place, verb, key, DENIED, said, e, once=fast)

        return note

    # -- carrying out -------------------------------------------------------------------------------------------

    async def _carry_out(self, wish: _Wish, request: Request) -> Reply:
        operation = wish.operation.read(wish.args, reading(request.principal))
        environment = wish.environment
        words = environment.args(wish.args)
        if (receipt := RECEIPT.get()) and wish.operation.effect is not Effect.READ:
            receipt.stage = Stage.WRITING
        if not operation.without_account:
            public = wish.visibility is Visibility.EVERYONE
            await self.access.allow(operation, request.principal, request.place, environment, public=public)
        if wish.operation.effect is Effect.READ:
            ctx = await self.access.context(
                request.principal, request.place, environment, key=wish.key, user_id=operation.user_id,
                operation=wish.operation,
            )  # fmt: skip
            try:
                reply = await operation.run(ctx)
            except Forbidden as e:
                reply = Reply(card=explain(e, tried=wish.operation, ask=self.access.policy.ask))
                await self.access.note(
                    request.principal, request.place, operation.verb, request.key, DENIED, words, reply
                )
        elif environment.confirm and not wish.confirmed:
            ctx = await self.access.context(
                request.principal, request.place, environment, key=wish.key, etag=wish.etag, quote=wish.quote,
                user_id=operation.user_id, operation=wish.operation,
            )  # fmt: skip
            reply = Reply(card=await confirmation(operation, ctx, environment))
        else:
            work = Work(
                key=wish.key,
                verb=wish.operation.verb,
                args=words,
                principal=request.principal,
                place=request.place,
                etag=wish.etag,
                quote=wish.quote,
            )
            repeatable = request.sent is not None and work.key == request.key
            answer = await self.jobs.run(work, window=self._window, repeatable=repeatable)
            if answer is None:
                return pending()
            reply = answer
        reduced = reply.card.public() if reply.card else None
        if wish.visibility is Visibility.EVERYONE and reduced:
            # Nothing else may reach a conversation; errors and questions stay with the person.
            reply = replace(reply, card=reduced, visibility=Visibility.EVERYONE)
            await self.access.note(request.principal, request.place, operation.verb, request.key, SHARED, words, reply)
        return replace(reply, replace=reply.replace or wish.replace)

    async def perform(self, work: Work, resumed: bool) -> Answer:
        """Run one journalled attempt; every failure becomes an answer."""
        return await self._performer.perform(work, resumed)


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


def _unfinished(task: asyncio.Task[Reply], receipt: Receipt) -> Reply:
    """What can be said with truth at the end of the window."""
    if receipt.stage is Stage.WRITING:  # a write is acknowledged once it is journalled, and this one is in no journal
        task.cancel()
        slow = NotAccepted(
            "This was not accepted, and nothing was done: Dynamics 365 answers too slowly just now.",
            "Try again in a minute.",
        )
        return Reply(card=explain(slow))
    return Reply(card=explain(not_certain())) if receipt.stage is Stage.ASKING else pending()
