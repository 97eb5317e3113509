"""`Listening`: what reaches us without a command: words in a thread that follows a case, and news of the case."""

from dataclasses import replace
from typing import Final

from crm.auth import Application
from crm.errors import SignInRequired
from crm.notifications import Change

from .access import Access
from .answering import explained, pending
from .cards import Action, Card, CardKind
from .case_news import case_news
from .environments import FIELD, Environment
from .errors import SignInNeeded, UnknownCommand, UserError
from .explain import explain
from .jobs import Jobs
from .operation import CATALOG
from .press import Do, Press
from .receipt import RECEIPT
from .request import Faces, Message, Place, Principal, Quote, Reply, Request, Typed
from .sign_in_flow import SignInFlow, ask_to_connect
from .thread_notes import reply_key, thread_reply
from .threads import Happened, Threads
from .work import Answer, Outcome, Work, failed

THREAD_REPLY: Final = "thread reply"
"""What the journal calls a message of a thread on its way to the case; nobody types it."""


class Listening:
    """One for all threads; without `threads` none follows a case."""

    def __init__(
        self,
        access: Access,
        jobs: Jobs,
        faces: Faces,
        threads: Threads | None,
        sign_in: SignInFlow | None,
        *,
        window: float,
    ) -> None:
        self._access, self._jobs, self._faces, self._threads = access, jobs, faces, threads
        self._sign_in, self._window = sign_in, window

    async def follows(self, place: Place) -> bool:
        """Whether this thread follows a case; a face that asks first need not read what is said elsewhere."""
        return self._threads is not None and await self._threads.followed(place) is not None

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
            environment = self._access.environments.named(following.env)
            async with self._access.admitting(CATALOG["case note"], principal, place, environment):
                reply = await self._jobs.run(work, window=self._window)
        except SignInNeeded as e:
            asked = await explained(ask_to_connect(self._sign_in, work, e, quietly=True))
            return asked if asked.card else None
        except Exception as e:
            return Reply(card=explain(e))
        # Within `dispatch` the answer travels with the acknowledgement; elsewhere the job delivers it itself.
        return (reply or pending()) if RECEIPT.get() else None

    async def tell_case(self, work: Work) -> Answer:
        """A journalled message of a thread. Its note has the message's own id, so that repeating it is harmless."""
        if self._threads is None or work.quote is None:
            return Answer(Outcome.DONE, Reply())
        face, happened = self._faces.get(work.place.platform), Happened(work.args["happened"])
        try:
            crm = await self._access.environments.named(work.args[FIELD]).people.session(work.principal)
            reply = await thread_reply(self._threads, crm, face, work.place, work.quote.message, happened)
        except (SignInNeeded, SignInRequired) as e:
            return Answer(Outcome.FAILED, await ask_to_connect(self._sign_in, work, e, quietly=True))
        except Exception as e:
            return failed(Reply(card=explain(e)), e)
        return Answer(Outcome.DONE, reply or Reply())

    async def noted(self, ask: Typed, error: UserError, request: Request) -> Reply | None:
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

    async def news(self, change: Change, environment: Environment | None = None) -> int:
        """Something happened in an organisation (the first): tell the threads that follow it; how many were told.

        Raises CrmError and DeliveryFailed where the sender should try again.
        """
        if self._threads is None:
            return 0
        where = environment or self._access.environments.first
        crm = where.dataverse.acting_as(Application())
        return await case_news(self._threads, crm, self._faces, change, known_as=where.known_as, marked=where.mark_card)
