"""Single sign-on: Teams hands over a token for our app, and the composition root turns it into access to Dynamics.

Protocol: "Add single sign-on to your bot" (learn.microsoft.com/microsoftteams/platform/bots/how-to/authentication).
In a personal chat a sign-in card goes out as an OAuthCard. Teams then posts one exchange for each client that the
person has open: only the first is worked on, the others join it. 200, and the card never shows; 412, and Teams asks the
person for consent, or shows the card's button, which leads to our own sign-in page.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from commands.cards import Card
from commands.errors import UserError
from commands.press import BadSeal, Do, Press, Seal
from commands.request import Principal

from .activity import Json
from .exchanges import Exchanges
from .memory import Once
from .plain import one_line
from .port import Answer

if TYPE_CHECKING:
    from .invokes import Gesture

CONNECTION: Final = "crmchat"
"""What Teams gives back as `connectionName`; the protocol wants one."""
_PURPOSE: Final = "sign in"

log = logging.getLogger(__name__)

Exchange = Callable[[Principal, str], Awaitable[bool]]
"""Takes a person's token for our app; True when their access to Dynamics is ready, False when consent is needed."""


class _NotReady(Exception):
    """The token gives no access (yet)."""


def oauth_card(card: Card, resource: str, who: Principal, gesture: str, seal: Seal) -> Json:
    """The content of an OAuthCard for a sign-in card; its exchange is for this person alone."""
    identity = seal.seal(Press(do=Do.DISMISS, verb=_PURPOSE, key=gesture, owner=who.key))
    buttons = [{"type": "signin", "title": one_line(a.label, 40), "value": a.url} for a in card.actions if a.url]
    return {
        "text": one_line(" ".join((f"{card.title}.", *card.text)), 500),
        "connectionName": CONNECTION,
        "tokenExchangeResource": {"id": identity, "uri": resource},
        "buttons": buttons,
    }


class SignIn:
    """`signin/*` invokes."""

    def __init__(self, exchange: Exchange | None, seal: Seal, exchanges: Exchanges, *, window: float) -> None:
        """`window`: seconds that an exchange may take."""
        self._exchange, self._seal, self._exchanges, self._window = exchange, seal, exchanges, window
        self._once: Once[None] = Once()

    async def exchange(self, gesture: "Gesture") -> Answer:
        """200 when the token was good for access; 412 makes Teams ask the person for consent; 400: not ours."""
        identity, token = gesture.value.get("id"), gesture.value.get("token")
        failure = {"id": identity, "connectionName": gesture.value.get("connectionName")}
        if self._exchange is None:
            return Answer(412, failure | {"failureDetail": "Single sign-on is not set up for this bot."})
        if not isinstance(identity, str) or not isinstance(token, str) or not token:
            return Answer(400, failure | {"failureDetail": "An exchange has an id and a token."})
        if not self._asked(identity, gesture.who):
            log.warning("%s sent a token that was not asked of them", gesture.who.key)
            return Answer(400, failure | {"failureDetail": "This sign-in was not asked of this person."})
        exchange = self._exchange

        async def run() -> None:
            if not await self._exchanges.once(identity, lambda: exchange(gesture.who, token)):
                raise _NotReady

        try:
            await asyncio.wait_for(self._once.run(identity, run), self._window)
        except (_NotReady, TimeoutError) as e:
            log.info("%s could not be signed in at once: %s", gesture.who.key, type(e).__name__)
        except UserError as e:
            # Not by consent, but by the card's button: the person can pick the right account there.
            log.warning("%s sent a token that connects nobody: %s", gesture.who.key, e.sentence)
            return Answer(412, failure | {"failureDetail": e.sentence})
        except Exception:
            log.exception("a token could not be exchanged")
        else:
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

    async def stop(self) -> None:
        """Give up exchanges that are under way; Teams asks again."""
        await self._once.stop()

    def _asked(self, identity: str, who: Principal) -> bool:
        try:
            press = self._seal.open(identity)
        except BadSeal:
            return False
        return (press.do, press.verb, press.owner) == (Do.DISMISS, _PURPOSE, who.key)
