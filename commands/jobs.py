"""Durable execution: a write is journalled before the platform is acknowledged, and done exactly once by its key.

A job is one attempt at one intent: its id is intent key + attempt. The same key again joins the attempt that runs, or
gives the answer of the one that succeeded; a new attempt starts only after the former ended in failure or a question.
What may succeed later is tried again by a successor, queued with a delay, so that nothing waits in a worker's slot.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from prometheus_client import Counter
from pydantic import TypeAdapter
from sqlalchemy.exc import SQLAlchemyError

from . import workflows
from .cards import Card, CardKind
from .engine import Engine, EngineError
from .errors import NotAccepted, UserError
from .explain import explain
from .receipt import RECEIPT, Receipt, Stage, came_to
from .request import Reply
from .work import ATTEMPTS, Answer, Attempt, Outcome, Work, job_id
from .workflows import End

log = logging.getLogger(__name__)

DEADLINE = 600.0
"""Seconds for which what may succeed later is tried again; then the person is told."""
_ANSWERED = 1000
_POLL = 0.1
_JOURNAL = 1.2
"""Seconds that the journal may take to accept work; the rest of the window is the work's own."""

_RETRIES = Counter("crmchat_jobs_retries", "Attempts that are tried again later by themselves.")
_REFUSED = Counter("crmchat_jobs_refused", "Commands that were not accepted, for the journal could not be written.")
_FAILURES = Counter("crmchat_jobs_failures", "Attempts that ended in failure.")

Perform = Callable[[Work, bool], Awaitable[Answer]]
"""Runs the operation; never raises: every failure is an Answer. The flag: an earlier try may have got through."""
Deliver = Callable[[Work, Reply], Awaitable[None]]
"""Puts a late answer where it was asked for; retries and falls back by itself. Raises SQLAlchemyError."""

_ATTEMPT: TypeAdapter[Attempt] = TypeAdapter(Attempt)
_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


@dataclass(slots=True, eq=False)
class _Slot:
    """Acknowledgements that wait for one answer."""

    answer: asyncio.Future[Answer]
    receipts: list[Receipt] = field(default_factory=list)


class Jobs:
    """The journal and what executes it."""

    def __init__(self, engine: Engine, perform: Perform, deliver: Deliver, *, deadline: float = DEADLINE) -> None:
        self._engine, self._perform, self._deliver, self._deadline = engine, perform, deliver, deadline
        self._slots: dict[str, _Slot] = {}
        self._fresh: set[str] = set()
        """Begun by this process and not ended yet: no earlier try can have got through."""
        self._beginning: dict[str, asyncio.Future[None]] = {}
        self._executing: set[str] = set()
        self._answered: OrderedDict[str, Answer] = OrderedDict()

    async def start(self) -> None:
        """Resume what a former process left unfinished."""
        await self._engine.start(self._execute)

    async def stop(self, grace: int = 8) -> None:
        """Let what runs finish for `grace` seconds; the rest stays journalled for the next process."""
        await self._engine.stop(grace)

    async def run(self, work: Work, *, window: float, repeatable: bool = False) -> Reply | None:
        """Journal the work, then wait up to `window` seconds for its answer; None: it will be delivered later.

        `repeatable`: the platform may bring this very gesture again, and its answer is sent apart. Where the journal
        has it already, the job delivers or has delivered the answer, and there is nothing more to say.
        Raises NotAccepted if it could not be journalled: nothing was done then, and nothing will be. Raises UserError
        where the journal does not say in time whether it has it.
        """
        started = time.monotonic()
        came_to(Stage.WRITING)
        job, known, ended = await self._in_time(work.key)
        if known:
            came_to(Stage.JOURNALLED)
        if ended or (known and repeatable):
            # Whoever asks again sees the answer again; everyone else has seen what was meant for them.
            return replace(ended.reply, stub=None) if ended and not repeatable else Reply()
        slot = self._slots.get(job)
        if slot is None:
            slot = self._slots[job] = _Slot(asyncio.get_running_loop().create_future())
        if receipt := RECEIPT.get():
            slot.receipts.append(receipt)
            receipt.owed = True
        if not known:
            came_to(Stage.ASKING)
            await self._begin(job, work, _JOURNAL - (time.monotonic() - started))
            came_to(Stage.JOURNALLED)
        left = window - (time.monotonic() - started)
        waiting: set[asyncio.Future[Answer]] = {slot.answer}
        # Where another process of ours executes it, that one delivers the answer, and a second copy would be ours.
        poll = asyncio.create_task(self._poll(job)) if self._engine.elsewhere else None
        if poll:
            waiting.add(poll)
        try:
            done, _ = await asyncio.wait(waiting, timeout=max(left, 0.0), return_when=asyncio.FIRST_COMPLETED)
            answer = done.pop().result() if done else None
        except (SQLAlchemyError, EngineError):
            answer = None
        finally:
            if poll:
                poll.cancel()
            if job not in self._executing and (known or self._engine.elsewhere):
                self._slots.pop(job, None)
        return answer.reply if answer and answer.outcome is not Outcome.LATER else None

    async def later(self, work: Work, at: float) -> None:
        """Journal it to be done at `at` (seconds since 1970), its answer delivered then; once for each key.

        Raises NotAccepted if it could not be journalled.
        """
        new = Attempt(1, work, since=at)
        try:
            async with asyncio.timeout(_JOURNAL):
                await self._engine.begin(new.job, _ATTEMPT.dump_json(new).decode(), delay=max(at - time.time(), 0.1))
        except (SQLAlchemyError, EngineError, TimeoutError) as e:
            raise _not_accepted(e) from e

    async def call_off(self, key: str, person: str) -> bool:
        """Take back what `later` journalled for this person (`Principal.key`); False where nothing of it waits."""
        job = job_id(key, 1)
        argument = await self._engine.waiting(job)
        if argument is None or _ATTEMPT.validate_json(argument).work.principal.key != person:
            return False
        await self._engine.cancel(job)
        return True

    async def _in_time(self, key: str) -> tuple[str, bool, Answer | None]:
        try:
            async with asyncio.timeout(_JOURNAL):
                return await self._latest(key)
        except TimeoutError as e:  # an earlier delivery of the same gesture may be in it
            raise not_certain() from e
        except (SQLAlchemyError, EngineError) as e:
            raise _not_accepted(e) from e

    async def _begin(self, job: str, work: Work, patience: float) -> None:
        """Journal a new job, once for all who ask for it. See `run` for what is raised."""
        begun = self._beginning.get(job)
        if begun is None:
            if job in self._fresh:
                return  # journalled, and about to run
            self._fresh.add(job)
            new = Attempt(int(job.rpartition("~")[2]), work)
            begun = asyncio.ensure_future(self._engine.begin(job, _ATTEMPT.dump_json(new).decode()))
            self._beginning[job] = begun
            begun.add_done_callback(lambda ended: self._begun(job, ended))
        done, _ = await asyncio.wait({begun}, timeout=max(patience, 0.1))
        if not done:
            log.warning("the journal does not say whether it has %s", job)
            slot, receipt = self._slots.get(job), RECEIPT.get()
            if slot and receipt in slot.receipts:  # what is said now is no answer; the job, if there is one, owes it
                slot.receipts.remove(receipt)
            raise not_certain()
        try:
            begun.result()
        except (SQLAlchemyError, EngineError) as e:
            raise _not_accepted(e) from e

    def _begun(self, job: str, begun: "asyncio.Future[None]") -> None:
        del self._beginning[job]
        if self._engine.elsewhere:
            self._fresh.discard(job)
        if begun.cancelled() or begun.exception():
            self._fresh.discard(job)
            if slot := self._slots.pop(job, None):
                for receipt in slot.receipts:
                    receipt.owed = False

    async def _poll(self, job: str) -> Answer:
        """Wait for a job that another process may be executing."""
        while True:
            status = await self._engine.status(job)
            if status and status.ended and status.result:
                return _ANSWER.validate_json(status.result)
            await asyncio.sleep(_POLL)

    async def _latest(self, key: str) -> tuple[str, bool, Answer | None]:
        """The id to run under, whether the journal has it already, and the answer, if the work is done."""
        for attempt in range(1, ATTEMPTS + 1):
            job = job_id(key, attempt)
            answer = self._answered.get(job)
            if answer is None:
                status = await self._engine.status(job)
                answer = self._answered.get(job)  # meanwhile
            if answer is None:
                if status is None or not status.ended:
                    return job, status is not None, None
                answer = _ANSWER.validate_json(status.result) if status.result else None
            if answer and answer.outcome is Outcome.DONE:
                return job, True, answer
        raise NotAccepted(f"This has been tried {ATTEMPTS} times.", "Type the command again to start afresh.")

    async def _execute(self, argument: str, end: End | None) -> str:
        given = _ATTEMPT.validate_json(argument)
        job = given.job
        resumed = job not in self._fresh or given.tries > 0

        async def perform() -> str:
            answer = _given_up(job, end) if end else await self._performed(given.work, resumed)
            if answer.again_in is not None and (pause := given.pause(answer.again_in, self._deadline)):
                if await workflows.called_off(job):
                    return _ANSWER.dump_json(_given_up(job, End.CALLED_OFF)).decode()
                _RETRIES.inc()
                answer = replace(answer, outcome=Outcome.LATER, again_in=pause)
            elif answer.outcome is Outcome.FAILED:
                _FAILURES.inc()
            # Recording takes as long as the write did. If the process dies meanwhile, the next one finds the row, and
            # the person has the same answer twice. Whoever has seen it may go on at once: it is remembered first.
            if answer.outcome is not Outcome.LATER:
                self._remember(job, answer)
            self._show(job, answer)
            return _ANSWER.dump_json(answer).decode()

        async def hand_over() -> str:
            slot = self._slots.pop(job, None)
            if answer.outcome is Outcome.LATER:
                return "later"
            for receipt in slot.receipts if slot else ():
                if await receipt.arrived():
                    return "acknowledgement"
            return await self._delivered(given.work, answer.reply)

        self._executing.add(job)
        try:
            result = await workflows.work("perform", perform)
            answer = _ANSWER.validate_json(result)
            if answer.outcome is Outcome.LATER:
                then = given.successor()
                await self._engine.begin(then.job, _ATTEMPT.dump_json(then).decode(), delay=answer.again_in or 0.0)
            # Outside the steps: where a former process has recorded them, someone may have asked this one again.
            self._remember(job, answer)
            self._show(job, answer)
            await workflows.step("answer", hand_over)
        finally:
            self._executing.discard(job)
            self._fresh.discard(job)
            self._slots.pop(job, None)
        return result

    async def _performed(self, work: Work, resumed: bool) -> Answer:
        """Whatever goes wrong becomes an answer: a job that ended in an exception would tell nobody."""
        try:
            return await self._perform(work, resumed)
        except Exception as e:
            return Answer(Outcome.FAILED, Reply(card=explain(e)))

    async def _delivered(self, work: Work, reply: Reply) -> str:
        """The answer, or where that cannot be shown, a card with a reference to why."""
        try:
            try:
                await self._deliver(work, reply)
            except SQLAlchemyError:
                raise
            except Exception as e:
                await self._deliver(work, Reply(card=explain(e)))
                return "a reference"
        except SQLAlchemyError as e:  # what must be kept before it is shown cannot be: later, and not the end
            log.warning("an answer waits for its database: %s", type(e).__name__)
            raise asyncio.CancelledError from e
        except Exception:
            log.exception("not even a reference could be delivered for %s", work.key)
            return "nothing"
        return "delivered"

    def _show(self, job: str, answer: Answer) -> None:
        """To the acknowledgements that wait for it."""
        slot = self._slots.get(job)
        if slot and not slot.answer.done():
            slot.answer.set_result(answer)

    def _remember(self, job: str, answer: Answer) -> None:
        """Between the answer and the journal's last entry a repeated request must not wait for nothing."""
        self._answered[job] = answer
        while len(self._answered) > _ANSWERED:
            self._answered.popitem(last=False)


def _given_up(job: str, end: End) -> Answer:
    """What the person of a job is told that is not tried (any more)."""
    log.error("the job %s is given up: %s", job, end.value)
    if end is End.CALLED_OFF:
        title = "The people who run this bot have called this off."
        text: tuple[str, ...] = ("It will not be tried again. Look whether it was done before you type it again.",)
    else:
        title = "This could not be finished, and will not be tried again."
        text = (
            "The program stopped each time it was begun. Look whether it was done before you type it again.",
            f"Tell the people who run this bot: crmchat jobs show {job}",
        )
    return Answer(Outcome.FAILED, Reply(card=Card(kind=CardKind.ERROR, title=title, text=text)))


def not_certain() -> UserError:
    """For whoever must be answered before the journal has said whether it has their work."""
    return UserError(
        "It is not certain yet whether this was accepted: the journal answers slowly.",
        "If no answer comes here within a few minutes, look whether it was done before you try again.",
    )


def _not_accepted(cause: Exception) -> NotAccepted:
    log.warning("the journal refused work: %s: %s", type(cause).__name__, cause)
    _REFUSED.inc()
    return NotAccepted(
        "This was not accepted, and nothing was done: the journal cannot be written just now.",
        "Try again in a minute; if it persists, tell the people who run this bot.",
    )
