"""`Fulfilment`: from what a person wants to the answer: asked back, allowed, read or confirmed or journalled."""

from dataclasses import replace

from pydantic import ValidationError

from crm.errors import Forbidden

from . import forms
from .access import Access, reading
from .answering import pending
from .audit import DENIED, SHARED
from .confirming import confirmation
from .context import Context
from .errors import BadInput
from .explain import explain
from .jobs import Jobs
from .operation import Effect, Operation
from .operations import case_from_message
from .operations.case_from_message import CaptureCase
from .receipt import Stage, came_to
from .request import Reply, Request, Visibility
from .understanding import Intent, Understanding
from .work import Outcome, Work

_EMPTY = "Fill this in."
_UNCHANGED = "Nothing has been changed yet. Change a field, or close the form."


class Fulfilment:
    """One for all requests."""

    def __init__(self, access: Access, understanding: Understanding, jobs: Jobs, *, window: float) -> None:
        self._access, self._understanding, self.jobs, self._window = access, understanding, jobs, window

    async def answer(self, intent: Intent, request: Request) -> Reply:
        """Carry it out; what is missing or wrong is asked for first, with everything typed kept."""
        try:
            operation = intent.operation.read(intent.args, reading(request.principal))
        except ValidationError as e:
            problems = _problems(e)
            if intent.form or not any(problems.values()):
                return await self.ask(intent, request, {k: v or _EMPTY for k, v in problems.items()})
            raise _bad_input(intent, problems) from e
        if isinstance(operation, CaptureCase) and operation.bare:
            return await self.carry_out(replace(intent, args=operation.args(), quote=operation.quote), request)
        if intent.operation.effect is not Effect.READ:
            metadata = intent.environment.dataverse.metadata
            await self._understanding.learn(intent.operation, intent.environment)
            if empty := forms.missing(operation, metadata):
                return await self.ask(intent, request, dict.fromkeys(empty, _EMPTY))
            if problems := forms.problems(operation, metadata):
                if intent.form:
                    return await self.ask(intent, request, problems)
                raise BadInput(" ".join(problems.values()), f"For example: {operation.example}", problems=problems)
        return await self.carry_out(replace(intent, args=operation.args()), request)

    async def ask(self, intent: Intent, request: Request, problems: dict[str, str] | None = None) -> Reply:
        """The command's form, filled with what is known; `problems`, by field name, are shown once it was submitted."""
        came_to(Stage.READING)
        await self._access.allow(intent.operation, request.principal, request.place, intent.environment)
        form = await forms.form(intent.operation, intent.args, await self._context(intent, request))
        if not (problems and intent.form):
            return Reply(form=form)
        fields = {i.name for i in form.inputs}
        return Reply(form=form.with_problems(intent.args, problems, "" if fields & problems.keys() else _UNCHANGED))

    async def carry_out(self, intent: Intent, request: Request) -> Reply:
        """Read at once, ask to confirm, or journal; where policy allows it."""
        operation = intent.operation.read(intent.args, reading(request.principal))
        public = intent.visibility is Visibility.EVERYONE
        changes = intent.operation.effect is not Effect.READ
        came_to(Stage.WRITING if changes else Stage.READING)
        if not operation.without_account:
            await self._access.allow(operation, request.principal, request.place, intent.environment, public=public)
        if not changes:
            reply = await self._read(operation, intent, request)
        elif intent.environment.confirm and not intent.confirmed:
            ctx = await self._context(intent, request, user_id=operation.user_id)
            reply = Reply(card=await confirmation(operation, ctx, intent.environment))
        elif answer := await self._journal(intent, request):
            reply = answer
        else:
            return pending()
        if public and (shown := reply.card.public() if reply.card else None):
            # Nothing else may reach a conversation; errors and questions stay with the person.
            reply = replace(reply, card=shown, visibility=Visibility.EVERYONE)
            await self._note(SHARED, reply, intent, request)
        return replace(reply, replace=reply.replace or intent.replace)

    async def _read(self, operation: Operation, intent: Intent, request: Request) -> Reply:
        ctx = await self._context(intent, request, user_id=operation.user_id)
        try:
            reply = await operation.run(ctx)
        except Forbidden as e:
            refused = Reply(card=explain(e, tried=intent.operation, ask=self._access.policy.ask))
            await self._note(DENIED, refused, intent, request)
            return refused
        if operation.noted or operation.user_id != "me":  # what somebody else may see
            await self._note(Outcome.DONE, reply, intent, request)
        return reply

    async def _journal(self, intent: Intent, request: Request) -> Reply | None:
        """The answer, if it is there within the window; None: the job delivers it."""
        work = Work(
            key=intent.key,
            verb=intent.operation.verb,
            args=intent.environment.args(intent.args),
            principal=request.principal,
            place=request.place,
            etag=intent.etag,
            quote=intent.quote,
        )
        repeatable = request.sent is not None and work.key == request.key
        reply = await self.jobs.run(work, window=self._window, repeatable=repeatable)
        if reply and reply.whose not in ("", request.principal.key):
            # Two people made a case of one message; what the other was answered may be more than this one may see.
            quote = intent.quote or CaptureCase.read(intent.args).quote
            return await case_from_message.begin(await self._context(replace(intent, quote=quote), request))
        return reply

    async def _context(self, intent: Intent, request: Request, *, user_id: str = "me") -> Context:
        return await self._access.context(
            request.principal, request.place, intent.environment, key=intent.key, etag=intent.etag,
            quote=intent.quote, user_id=user_id, operation=intent.operation,
        )  # fmt: skip

    async def _note(self, outcome: str, reply: Reply, intent: Intent, request: Request) -> None:
        words = intent.environment.args(intent.args)
        verb = intent.operation.verb
        await self._access.note(request.principal, request.place, verb, request.key, outcome, words, reply)


def _problems(e: ValidationError) -> dict[str, str]:
    """Sentence by field name; empty for a field that is missing."""
    return {
        str(p["loc"][0]) if p["loc"] else "": "" if p["type"] == "missing" else p["msg"].removeprefix("Value error, ")
        for p in e.errors()
    }


def _bad_input(intent: Intent, problems: dict[str, str]) -> BadInput:
    sentences = [
        f"{intent.operation.parameters[name].label}: {sentence}" if name in intent.operation.parameters else sentence
        for name, sentence in problems.items()
        if sentence
    ]
    return BadInput(" ".join(sentences), f"For example: {intent.operation.example}", problems=problems)
