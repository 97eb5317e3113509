"""Single sign-on: Teams hands over a token for our app, and the composition root turns it into access to Dynamics.

Protocol: "Add single sign-on to your bot" (learn.microsoft.com/microsoftteams/platform/bots/how-to/authentication).
Teams posts one exchange per client that the person has open: only the first is worked on, the others join it.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from commands.request import Principal

from .memory import Once
from .port import Answer

if TYPE_CHECKING:
    from .invokes import Gesture

log = logging.getLogger(__name__)

Exchange = Callable[[Principal, str], Awaitable[bool]]
"""Takes a person's token for our app; True when their access to Dynamics is ready, False when consent is needed."""


class SignIn:
    """`signin/*` invokes."""

    def __init__(self, exchange: Exchange | None) -> None:
        self._exchange = exchange
        self._once: Once[bool] = Once()

    async def exchange(self, gesture: "Gesture") -> Answer:
        """200 when the token was good for access; 412 makes Teams ask the person for consent."""
        identity, token = str(gesture.value.get("id") or ""), gesture.value.get("token")
        failure = {"id": identity, "connectionName": gesture.value.get("connectionName")}
        if self._exchange is None or not isinstance(token, str) or not token:
            return Answer(412, failure | {"failureDetail": "Single sign-on is not set up for this bot."})
        exchange = self._exchange
        try:
            ready = await self._once.run(f"{gesture.who.key}:{identity}", lambda: exchange(gesture.who, token))
        except Exception:
            log.exception("a token could not be exchanged")
            ready = False
        if ready:
            return Answer(200, {})
        return Answer(412, failure | {"failureDetail": "The token could not be exchanged; consent is needed."})

    async def verify(self, gesture: "Gesture") -> Answer:
        """The person came back from a sign-in page. Ours tells the person there; nothing is left to be done here."""
        del gesture
        return Answer(200, {})

    async def failure(self, gesture: "Gesture") -> Answer:
        """Teams could not get a token for the person: for the log."""
        log.warning("single sign-on failed in the client: %s", str(gesture.value.get("code") or "")[:100])
        return Answer(200, {})
