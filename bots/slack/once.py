"""Each event has its effect once: Slack delivers it at least once, and Bolt runs it each time.

So it is begun in `SeenEvents` first; what it asks is journalled before the acknowledgement; and only then is it
finished there and acknowledged.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from slack_bolt.response import BoltResponse

from .payload import Body
from .seen_events import Begun, SeenEvents
from .tasks import Tasks

ACK_SECONDS = 2.7
"""Slack waits three."""

Work = Callable[[], Awaitable[None]]


class Once:
    """One for all listeners of events; what it returns is the answer to Slack, None the usual one."""

    def __init__(self, seen: SeenEvents, tasks: Tasks) -> None:
        self._seen, self._tasks = seen, tasks

    async def __call__(self, body: Body, work: Work, name: str = "") -> BoltResponse | None:
        """Do it unless it was done; while another delivery of it is at work, have Slack come again later.

        `name`: what it is about, where several events may be about the same.
        """
        key = f"slack:{name or body.get('event_id') or ''}"
        begun = await self._seen.begin(key)
        if begun is Begun.DONE:
            return None
        if begun is Begun.BUSY:
            return BoltResponse(status=503, body="busy")
        task = self._tasks.start(self._finish(key, work), "take on an event")
        done, _ = await asyncio.wait({task}, timeout=ACK_SECONDS)
        if not done:  # not journalled yet, so not ours yet: Slack comes again, and finds it done
            return BoltResponse(status=503, body="busy")
        task.result()
        return None

    async def _finish(self, key: str, work: Work) -> None:
        try:
            async with self._seen.kept(key):
                await work()
        except BaseException:
            await self._seen.forget(key)
            raise
        await self._seen.finish(key)

    async def begun(
        self, body: Body, work: Callable[[Body], Coroutine[Any, Any, None]], name: str
    ) -> BoltResponse | None:
        """What is only shown is begun once, and not waited for."""

        async def begin() -> None:
            self._tasks.start(work(body), name)

        return await self(body, begin)
