"""Answers on their way to Teams: within a request where that is quick, else behind it, with further tries.

Whether an answer arrived is said to the job that made it (`Gesture.settle`), which keeps the answer until then.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from commands.request import DeliveryFailed, Reply

from .connector import ConnectorError
from .conversations import Conversations
from .delivery import Delivery, whose

if TYPE_CHECKING:
    from .invokes import Gesture

T = TypeVar("T")

log = logging.getLogger(__name__)


class Sending:
    """Carries calls to Teams to their end, whether or not somebody still waits for them."""

    def __init__(self, delivery: Delivery, conversations: Conversations, *, retries: tuple[float, ...]) -> None:
        """`retries`: seconds before each further try to send an answer that Teams did not take."""
        self._delivery, self._conversations, self._retries = delivery, conversations, retries
        self._tasks: set[asyncio.Task[Any]] = set()

    async def send(self, gesture: "Gesture", reply: Reply, *, within: float) -> None:
        """Send it, so many seconds of that within the request."""
        sending = self._follow(gesture, reply, self.behind(self._put(gesture, reply)))
        await asyncio.wait({sending}, timeout=within)

    async def post(self, gesture: "Gesture", reply: Reply, *, within: float) -> bool:
        """Send it; False where Teams refuses it within so many seconds, and it must be shown otherwise."""
        return await self._refusal(gesture, reply, self.behind(self._put(gesture, reply)), within) is None

    async def tell(self, gesture: "Gesture", reply: Reply, *, within: float) -> bool:
        """Send the stub of a reply that the person sees otherwise; False where the bot is no member there."""
        telling = self.behind(self._delivery.tell(gesture.where, gesture.who, reply))
        stub = replace(reply, card=None, form=None)
        refusal = await self._refusal(gesture, stub, telling, within)
        if refusal and refusal.status not in {403, 404}:
            self._follow(gesture, stub, telling)
        return refusal is None or refusal.status not in {403, 404}

    async def soon(self, work: Coroutine[Any, Any, T], *, within: float, otherwise: T) -> T:
        """What it gives, if it gives it within so many seconds; else it goes on behind the request."""
        task = self.behind(work)
        done, _ = await asyncio.wait({task}, timeout=within)
        return task.result() if done else otherwise

    def behind(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Begin it, and do not wait for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self, grace: float) -> None:
        """Let what is under way go out for so many seconds."""
        if going := set(self._tasks):
            _, late = await asyncio.wait(going, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _put(self, gesture: "Gesture", reply: Reply) -> str:
        return await self._delivery.put(gesture.turn, gesture.where, gesture.who, reply)

    async def _refusal(
        self, gesture: "Gesture", reply: Reply, first: "asyncio.Task[Any]", within: float
    ) -> ConnectorError | None:
        """What Teams said against it, if it said so in time; what takes longer is followed."""
        done, _ = await asyncio.wait({first}, timeout=within)
        if not done:
            self._follow(gesture, reply, first)
            return None
        try:
            first.result()
        except ConnectorError as e:
            log.warning("an answer was not taken: %s", e)
            return e
        return None

    def _follow(self, gesture: "Gesture", reply: Reply, first: "asyncio.Task[Any]") -> "asyncio.Task[None]":
        gesture.followed = True
        return self.behind(self._till_it_arrives(gesture, reply, first))

    async def _till_it_arrives(self, gesture: "Gesture", reply: Reply, first: "asyncio.Task[Any]") -> None:
        arrived = False
        try:
            arrived = await self._arrived(gesture, reply, first)
        finally:
            gesture.settle(arrived=arrived)

    async def _arrived(self, gesture: "Gesture", reply: Reply, first: "asyncio.Task[Any]") -> bool:
        try:
            await first
        except ConnectorError as e:
            log.warning("an answer was not taken: %s", e)
            if e.gone:
                await self._conversations.sent_away(gesture.where.conversation, whose(gesture.where, gesture.who))
            # What may have arrived is not sent again. Where only the others were not told, the person has the answer.
            return e.unknown or (e.again and await self._again(gesture, reply)) or not (reply.card or reply.form)
        return True

    async def _again(self, gesture: "Gesture", reply: Reply) -> bool:
        for pause in self._retries:
            await asyncio.sleep(pause)
            with suppress(DeliveryFailed):
                await self._delivery.deliver(gesture.where, gesture.who, reply)
                return True
        log.error("an answer was given up after %d tries: %s", len(self._retries) + 1, gesture.key)
        return False
