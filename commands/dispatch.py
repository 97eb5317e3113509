"""`Dispatcher`: Request -> checks -> run -> Reply; what runs inline and what becomes a job.

The only door from a face into the command layer. It never raises for anything a person can cause: every problem comes
back as a card, and unknown ones carry a reference that is also in the log.
"""

from collections.abc import Sequence

from .cards import Card, Option
from .press import Press, Seal
from .request import Place, Principal, Reply, Request


class Dispatcher:
    """Built once by the composition root; shared by all faces."""

    seal: Seal
    """Faces put `seal.seal(action.press)` on their buttons and forms and give back what `seal.open(token)` returns.
    A token that does not open (`BadSeal`) is answered with the card of `stale()`."""

    async def dispatch(self, request: Request) -> Reply:
        """Answer within the acknowledgement window (CRMCHAT_ACK_WINDOW, 1.5 s), whatever Dataverse does.

        Not done by then: `Reply(pending=True)` with a card that says so; the answer comes through `Face.deliver`.
        A write is journalled before this returns. The same `request.key` again joins the work that runs, or gives
        its answer: nothing is done twice.
        """
        raise NotImplementedError

    def stale(self) -> Card:
        """For a button or form that cannot be opened: of an old deployment, or changed on its way."""
        raise NotImplementedError

    async def suggest(self, press: Press, field: str, typed: str, principal: Principal, place: Place) -> list[Option]:
        """Typeahead for the LOOKUP input `field` of the form that submits `press`; at most 15; under 1.5 s or empty."""
        raise NotImplementedError

    async def home(self, principal: Principal, place: Place) -> Card:
        """The home tab: my cases, leads, opportunities, recent records, connection state (kind HOME, with sections)."""
        raise NotImplementedError

    async def search(self, text: str, nouns: Sequence[str], principal: Principal, place: Place) -> list[Card]:
        """Record cards for the search extension, at most 25; empty `text` gives the person's recent records.

        `nouns`: limit to these (`case`, `lead`); empty searches all seven tables.
        """
        raise NotImplementedError

    async def unfurl(self, url: str, principal: Principal, place: Place) -> Card | None:
        """The public card (`Card.public()` form) for a record's URL of this organisation; None for any other URL.

        It shows the minimal facts that everyone may see and carries a button that fetches the rest per person.
        """
        raise NotImplementedError
