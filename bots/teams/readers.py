"""Whether outsiders read along: asked of a conversation's whole roster, page by page until somebody is found.

The roster of a standard channel is its team's (Microsoft, "Get the roster or user profile": paged members, at most 500
on a page). A large team takes many pages, so the look goes on behind whoever could not wait for it.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from commands.request import Place, Standing

from .connector import Connector, ConnectorError
from .standing import unknown_there
from .times import TIMES

PATIENCE: Final = 1.0
"""Seconds that an answer waits for the roster."""
_KEPT: Final = 2_000

log = logging.getLogger(__name__)


class Readers:
    """Believed for five minutes for each conversation."""

    def __init__(
        self, connector: Connector, standing: Callable[[Mapping[str, Any]], Standing], *, unsigned: bool = False
    ) -> None:
        """`standing`: of a roster's entry. `unsigned`: without an app id, on loopback, a connector needs no roster."""
        self._connector, self._standing, self._silent = connector, standing, not unsigned
        self._known: OrderedDict[str, tuple[float, asyncio.Task[bool]]] = OrderedDict()

    async def outsiders(self, place: Place) -> bool:
        """See `commands.request.Face`. Where the bot is no member there is no roster to ask, and it says no."""
        until, looking = self._known.get(place.conversation, (0.0, None))
        if looking is None or time.monotonic() > until:
            looking = asyncio.create_task(self._look(place))
            self._known[place.conversation] = time.monotonic() + TIMES.standing, looking
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        try:
            return await asyncio.wait_for(asyncio.shield(looking), PATIENCE)
        except TimeoutError:
            return True

    async def close(self) -> None:
        """End the looks that are under way."""
        tasks = [task for _, task in self._known.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, place: Place) -> bool:
        try:
            async for member in self._connector.members(place.address.get("service_url", ""), place.conversation):
                if self._standing(member) is not Standing.MEMBER:
                    return True
        except ConnectorError as e:
            if unknown_there(e):
                return False
            log.info("Teams does not say who reads along: %s", e)
            self._known.pop(place.conversation, None)
            return self._silent
        return False
