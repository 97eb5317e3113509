"""`Performer`: one journalled attempt, run from its beginning; every failure becomes an answer."""

from dataclasses import replace

from crm.errors import CrmError, Forbidden, SignInRequired

from . import forms
from .access import Access, reading
from .answering import REFUSALS, explained
from .audit import DENIED
from .context import Context
from .environments import Environment
from .errors import Question, SignInNeeded
from .explain import explain
from .listening import THREAD_REPLY, Listening
from .operation import CATALOG, Effect, Operation
from .operations import case_from_message
from .request import Reply
from .sign_in_flow import SignInFlow, ask_to_connect
from .work import Answer, Outcome, Work, failed


class Performer:
    """What the journal calls."""

    def __init__(self, access: Access, listening: Listening, sign_in: SignInFlow | None) -> None:
        self._access, self._listening, self._sign_in = access, listening, sign_in

    async def perform(self, work: Work, resumed: bool) -> Answer:
        """Run one journalled attempt; every failure becomes an answer."""
        answer, outcome = await self._attempt(work, resumed)
        if work.remark and (card := answer.reply.card):
            card = replace(card, text=(work.remark, *card.text))
            answer = replace(answer, reply=replace(answer.reply, card=card, replace=False))
        await self._access.note(work.principal, work.place, work.verb, work.key, outcome, work.args, answer.reply)
        return replace(answer, reply=replace(answer.reply, whose=work.principal.key))

    async def _attempt(self, work: Work, resumed: bool) -> tuple[Answer, str]:
        """What there is to answer, and how that is called in the audit."""
        if work.verb == THREAD_REPLY:
            answer = await self._listening.tell_case(work)
            return answer, answer.outcome
        environment = None
        try:
            environment = self._access.environments.of_work(work.args, resumed)
            operation = CATALOG[work.verb].read(work.args, reading(work.principal))
            ctx = await self._access.context(
                work.principal, work.place, environment, key=work.key, etag=work.etag, quote=work.quote,
                user_id=operation.user_id, operation=type(operation),
            )  # fmt: skip
            if not resumed and work.quote is None:
                await _complete(operation, ctx)
            bare = isinstance(operation, case_from_message.CaptureCase) and operation.bare
            if bare:
                operation = await case_from_message.complete(ctx)
            if bare or not resumed or operation.effect is Effect.READ:
                # It was allowed when it was asked, which may be long ago. What may have been done is not denied now.
                await self._access.allow(operation, work.principal, work.place, environment)
            return Answer(Outcome.DONE, environment.mark(await self._run(operation, ctx, resumed))), Outcome.DONE
        except Question as question:
            return Answer(Outcome.QUESTION, _of_work(question.reply, work, environment)), Outcome.QUESTION
        except Exception as e:
            if isinstance(e, (SignInNeeded, SignInRequired)):
                reply = await explained(ask_to_connect(self._sign_in, work, e))
            else:
                reply = Reply(
                    card=explain(e, again=work.again(), tried=CATALOG.get(work.verb), ask=self._access.policy.ask)
                )
            outcome = DENIED if isinstance(e, (*REFUSALS, Forbidden)) else Outcome.FAILED
            return failed(_of_work(reply, work, environment), e), outcome

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


def _of_work(reply: Reply, work: Work, environment: Environment | None) -> Reply:
    """What journalled work answers. It was confirmed before that, so what goes on with it is not asked back again."""
    if environment is None:
        return reply
    return environment.mark(reply, confirmed=work.key if environment.confirm else "")


async def _complete(operation: Operation, ctx: Context) -> None:
    """Ask for what the organisation requires, where its metadata came too late to ask before. Raises Question."""
    if operation.table:
        await ctx.crm.metadata.table(operation.table.logical)
        if forms.missing(operation, ctx.crm.metadata):
            raise Question.form(await forms.form(type(operation), operation.args(), ctx))
