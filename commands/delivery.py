"""An answer on its way to the person: made small enough to travel, noted as shown, delivered late where it must be."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from .cards import Action, Card, CardKind
from .press import Do
from .receipt import Receipt
from .request import DeliveryFailed, Faces, Place, Principal, Reply, Request
from .state import State, parse_record
from .work import Work

log = logging.getLogger(__name__)

_PAUSES = (1.0, 5.0, 30.0, 120.0)
"""Seconds between tries to deliver a late answer."""
_UNDELIVERED = Counter("crmchat_answers_undelivered", "Late answers that were given up, because a platform took none.")


class Delivery:
    """What every answer passes on its way out. Never raises for what a platform does."""

    def __init__(self, state: State, faces: Faces) -> None:
        self._state, self._faces = state, faces
        self._tasks: set[asyncio.Task[None]] = set()

    async def ready(self, reply: Reply, principal: Principal, place: Place) -> Reply:
        """Keep what is too long to travel in a button, and note what the person is being shown."""
        if reply.card and reply.card.kind is not CardKind.HELP:  # help shows no record, and its buttons carry little
            reply = replace(reply, card=await self._kept(reply.card))
            if reply.card and reply.card.record:
                record, mentioned = parse_record(reply.card.record), reply.card.kind is not CardKind.RECORD
                title = reply.card.title
                env = reply.card.env
                self._background(self._state.shown(principal, place, record, title, env=env, only_mentioned=mentioned))
        if reply.form:
            form = reply.form
            more = await self._state.keep(form.more) if form.more else None
            values = {i.name: i.value for i in form.inputs if i.value}
            again = replace(form.submit, do=Do.FORM, args={**form.submit.args, **values})
            submit, again = await self._state.keep(form.submit), await self._state.keep(again)
            reply = replace(reply, form=replace(form, submit=submit, more=more, again=again))
        return reply

    async def of_work(self, work: Work, reply: Reply) -> None:
        """The answer of a job that missed the acknowledgement."""
        await self.late(work.place, work.principal, reply)

    async def late(self, place: Place, principal: Principal, reply: Reply) -> bool:
        """An answer that nobody waits for any more; whether it arrived."""
        return await self._deliver(place, principal, await self.ready(reply, principal, place))

    def behind(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it behind whatever is answered now; what fails is logged."""
        self._background(work)

    def when_done(self, task: asyncio.Task[Reply], request: Request, receipt: Receipt) -> None:
        """Deliver what `task` answers, unless a job has taken that upon itself."""
        self._background(self._when_done(task, request, receipt))

    async def stop(self) -> None:
        """Give up what is still on its way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _kept(self, card: Card) -> Card:
        async def kept(action: Action) -> Action:
            return replace(action, press=await self._state.keep(action.press)) if action.press else action

        return replace(
            card,
            actions=tuple([await kept(a) for a in card.actions]),
            more=tuple([await kept(a) for a in card.more]),
            rows=tuple([replace(r, action=await kept(r.action)) if r.action else r for r in card.rows]),
            sections=tuple([await self._kept(s) for s in card.sections]),
            stub=await self._kept(card.stub) if card.stub else None,
        )

    async def _when_done(self, task: asyncio.Task[Reply], request: Request, receipt: Receipt) -> None:
        reply = await task
        if not reply.pending and not receipt.owed:
            await self._deliver(request.place, request.principal, reply)

    async def _deliver(self, place: Place, principal: Principal, reply: Reply) -> bool:
        face = self._faces.get(place.platform)
        if face is None:
            return False
        for pause in (*_PAUSES, None):
            try:
                await face.deliver(place, principal, reply)
            except DeliveryFailed as e:
                if not e.again or pause is None:
                    log.warning("an answer could not be delivered to %s: %s", place.key, e.sentence)
                    _UNDELIVERED.inc()
                    break
                await asyncio.sleep(max(pause, e.retry_after or 0))
            else:
                return True
        return False

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or not (e := task.exception()):
            return
        if isinstance(e, SQLAlchemyError):  # what was shown, say, is not remembered; the database says why elsewhere
            log.warning("background work failed without the database: %s", type(e).__name__)
        else:
            log.error("background work failed", exc_info=e)
