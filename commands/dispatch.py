"""`Dispatcher`: a request's way to its answer, and the only door from a face into the command layer.

    Request -> Understanding (what is meant) -> Fulfilment (asked back, allowed, read or journalled) -> Delivery

It never raises for anything a person can cause: every problem comes back as a card, and unknown ones carry a reference
that is also in the log. What a face asks for without a command is in `Dispatcher.browsing` and `Dispatcher.listening`.
"""

import asyncio
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from crm.errors import SignInRequired

from . import helping
from .access import Access
from .answering import explained, pending
from .audit import Audit
from .browsing import Browsing
from .cards import Card, CardKind
from .connections import Connection
from .delivery import Delivery
from .engine import Engine
from .environments import Environment, Environments
from .errors import NotAccepted, NotAllowed, SignInNeeded, StaleButton, UserError
from .explain import explain
from .fulfilment import Fulfilment
from .grammar import HelpAsked, Meaning, Menu, Parsed, Problem
from .jobs import DEADLINE, Jobs, not_certain
from .listening import Listening
from .operations import case_from_message
from .performing import Performer
from .policy import Policy
from .press import Do, Seal
from .rate import Rate, TooFast
from .receipt import RECEIPT, Receipt, Stage, came_to
from .request import Faces, FromMessage, Place, Pressed, Principal, Reply, Request, Submitted, Typed
from .sign_in_flow import Forget, SignInFlow, ask_to_connect
from .signing_in import SignIn
from .state import State
from .threads import Threads
from .understanding import Intent, Understanding
from .waiting import Command
from .work import Answer, Outcome, Work

_UNREAD = "-"
"""In the place of a verb, where a request was refused before it was read, or means no operation."""
_GRACE = 0.3
"""Seconds past the window that preparing an answer may take before it counts as late."""


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
        self._window = window
        self._delivery = Delivery(state, faces)
        self.jobs = Jobs(engine, self.perform, self._delivery.of_work, deadline=deadline)
        self.access = Access(
            environments=environments, policy=policy, state=state, faces=faces, jobs=self.jobs, threads=threads,
            audit=audit, sign_in=sign_in, rate=rate,
        )  # fmt: skip
        self._understanding = Understanding(self.access, state, window=window)
        self.fulfilment = Fulfilment(self.access, self._understanding, self.jobs, window=window)
        changes = self._understanding.changes
        self.sign_in = (
            SignInFlow(sign_in, state, self._delivery, self._resume, changes, self._note_connection)
            if sign_in
            else None
        )
        """What the sign-in pages talk to; None where nobody signs in."""
        self.browsing = Browsing(self.access, window=window)
        self.listening = Listening(self.access, self.jobs, faces, threads, self.sign_in, window=window)
        self._performer = Performer(self.access, self.listening, self.sign_in)

    @property
    def environments(self) -> Environments:
        """The organisations that it works in."""
        return self.access.environments

    async def start(self) -> None:
        """Resume what a former process left, once the faces can deliver. Raises EngineError."""
        await self.jobs.start()
        if self.sign_in:
            await self.sign_in.resume()

    async def stop(self, grace: float = 8.0) -> None:
        """Finish or park what runs."""
        await self.jobs.stop(int(grace))
        await self._delivery.stop()

    # -- from a request to its answer ---------------------------------------------------------------------------

    async def dispatch(self, request: Request) -> Reply:
        """Answer within the acknowledgement window (CRMCHAT_ACK_WINDOW, 1.5 s), whatever Dataverse does.

        Not done by then: `Reply(pending=True)` with a card that says so; the answer comes through `Face.deliver`.
        A write is journalled before this returns. The same `request.key` again joins the work that runs, or gives
        its answer: nothing is done twice.
        """
        receipt = Receipt(request.sent or asyncio.get_running_loop().create_future())
        RECEIPT.set(receipt)
        task = asyncio.create_task(self._answer(request))
        left = False
        try:
            done, _ = await asyncio.wait({task}, timeout=self._window + _GRACE)
            reply = task.result() if done else _unfinished(task, receipt)
            left = bool(done) and not reply.pending
            if receipt.stage in (Stage.WRITING, Stage.ASKING) and not reply.pending:
                reply = replace(reply, unkept=True)
        finally:
            if not receipt.left.done() and not (left and request.sent):
                receipt.left.set_result(left)
        if not done and not task.cancelling():
            self._delivery.when_done(task, request, receipt)
        return reply

    async def _answer(self, request: Request) -> Reply:
        """Ready to be shown, whatever happens; who must sign in first is asked to, and the request waits."""
        try:
            reply = await explained(self._asked(request))
        except (SignInNeeded, SignInRequired) as e:
            reply = await explained(ask_to_connect(self.sign_in, request, e))
        try:
            return await self._delivery.ready(reply, request.principal, request.place)
        except SQLAlchemyError as e:  # what its buttons carry cannot be kept
            receipt = RECEIPT.get()
            return pending() if receipt and receipt.owed else Reply(card=explain(e))

    async def _asked(self, request: Request) -> Reply:
        try:
            await self.access.pace(request.principal)
        except TooFast as e:
            await self.access.refusal(request, _UNREAD)(e)
            raise
        match request.ask:
            case Typed() as ask:
                return await self._typed(ask, request)
            case FromMessage() as ask:
                return await self._from_message(ask, request)
            case ask:
                return await self._pressed(ask, request)

    async def _typed(self, ask: Typed, request: Request) -> Reply:
        environment, said = await self._understanding.words(ask.text, request)
        verb, words = _UNREAD, {"text": ask.text}
        if isinstance(said, Parsed):
            verb, words = said.operation.verb, said.whole_args()
        refused = self.access.refusal(request, verb, words, environment)
        return await explained(self._said(said, ask, environment, request), environment, refused)

    async def _said(self, said: Meaning, ask: Typed, environment: Environment, request: Request) -> Reply:
        match said:
            case Menu():
                return Reply(card=helping.menu_card())
            case HelpAsked():
                return Reply(card=helping.help_card(said.about, self.environments.choice(environment)))
            case Problem():
                if noted := await self.listening.noted(ask, said.error, request):
                    return noted
                raise said.error
        args, key = said.whole_args(), request.key
        intent = Intent(operation=said.operation, args=args, environment=environment, key=key)
        return await self.fulfilment.answer(intent, request)

    async def _from_message(self, ask: FromMessage, request: Request) -> Reply:
        intent = self._understanding.message(ask.quote, self.environments.here(request.place))
        refused = self.access.refusal(request, intent.operation.verb, {}, intent.environment)
        return await explained(self._case_of(ask, intent, request), intent.environment, refused)

    async def _case_of(self, ask: FromMessage, intent: Intent, request: Request) -> Reply:
        environment, quote = intent.environment, ask.quote
        if not ask.at_once:
            came_to(Stage.READING)
        await self.access.allow(intent.operation, request.principal, request.place, environment)
        ctx = await self.access.context(request.principal, request.place, environment, key=intent.key, quote=quote)
        if not ask.at_once or await ctx.links.linked(quote.message.key):
            return await case_from_message.begin(ctx)
        # What else the case needs is read in Dataverse, and that may take longer than an acknowledgement can wait.
        return await self.fulfilment.carry_out(intent, request)

    async def _pressed(self, ask: Pressed | Submitted, request: Request) -> Reply:
        try:
            press = await self._understanding.opened(ask.press, request.principal)
        except NotAllowed as e:
            await self.access.refusal(request, ask.press.verb or _UNREAD)(e)
            raise
        if press.do is Do.DISMISS:
            return Reply(card=Card(kind=CardKind.NOTICE, title="Put away."), replace=True)
        submission = ask.submission if isinstance(ask, Submitted) else None
        intent = self._understanding.press(press, request, submission)
        refused = self.access.refusal(request, intent.operation.verb, intent.args, intent.environment)
        way = self.fulfilment.ask if press.do is Do.FORM else self.fulfilment.answer
        return await explained(way(intent, request), intent.environment, refused)

    def stale(self) -> Card:
        """For a button or form that cannot be opened: of an old deployment, or changed on its way."""
        return explain(
            StaleButton(
                "This button is from an older version of this message, or was changed on its way here.",
                "Ask for the record again, for example: case show CAS-01042",
            )
        )

    # -- what was journalled, and what waited for a sign-in -----------------------------------------------------

    async def perform(self, work: Work, resumed: bool) -> Answer:
        """Run one journalled attempt; every failure becomes an answer."""
        return await self._performer.perform(work, resumed)

    async def exchange(self, principal: Principal, token: str) -> bool:
        """Connect with a token that the person's client gave to our app (Teams' single sign-on).

        True: connected, and what waited for that runs. False: the person must consent first. Raises UserError and
        CrmError where the account is not theirs, or the provider is away.
        """
        return self.sign_in is not None and await self.sign_in.exchange(principal, token)

    async def _note_connection(self, principal: Principal, place: Place, connection: Connection) -> None:
        words = {"account": connection.username}
        await self.access.note(principal, place, "connect", connection.id, Outcome.DONE, words, Reply())

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


def _unfinished(task: asyncio.Task[Reply], receipt: Receipt) -> Reply:
    """What can be said with truth at the end of the window."""
    if receipt.stage in (Stage.UNREAD, Stage.WRITING):
        # A write is acknowledged once it is journalled; this one is in no journal, and would die with this process.
        task.cancel()
        who = "Dynamics 365 answers" if receipt.stage is Stage.WRITING else "crmchat works"
        slow = NotAccepted(
            f"This was not accepted, and nothing was done: {who} too slowly just now.", "Try again in a minute."
        )
        return Reply(card=explain(slow))
    return Reply(card=explain(not_certain())) if receipt.stage is Stage.ASKING else pending()
