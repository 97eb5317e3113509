"""The search extension and link unfurling: what a person finds, and what everyone may see of it."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from commands.cards import Card, CardKind
from commands.dispatch import Dispatcher
from commands.explain import explain
from commands.request import PlaceKind, Pressed

from . import answers, requests
from .adaptive import render
from .elements import Element
from .port import Answer

if TYPE_CHECKING:
    from .invokes import Gesture

QUERY: Final = "query"
"""The manifest's name for what is typed."""
KIND: Final = "kind"
"""The manifest's name for the kind of record."""
RESULTS: Final = 25
KEPT: Final = 15.0
"""Seconds for which one person's answer to one text is kept, because Teams asks at every keystroke."""
REMEMBERED: Final = 500

log = logging.getLogger(__name__)


class Extension:
    """`searchRecords` and links to records."""

    def __init__(self, dispatcher: Dispatcher, *, window: float) -> None:
        """`window`: seconds that an answer may take."""
        self._dispatcher, self._window = dispatcher, window
        self._found: OrderedDict[tuple[str, str], tuple[float, list[Card]]] = OrderedDict()

    async def query(self, gesture: "Gesture") -> Answer:
        """Records for what is being typed; the person's recent ones while nothing is."""
        if gesture.value.get("commandId") not in {"searchRecords", None}:
            return answers.NOT_IMPLEMENTED
        options = gesture.value.get("queryOptions")
        if isinstance(options, Mapping) and options.get("skip"):
            return answers.results(())
        try:
            found = await asyncio.wait_for(self._search(gesture, *_asked(gesture.value)), self._window)
        except TimeoutError:
            return answers.note("Dynamics 365 takes long to answer. Type on, or try again in a moment.")
        except Exception as e:
            return await self._trouble(gesture, e)
        if not found:
            return answers.note("Nothing found.")
        return answers.results([(card, self._for_all(gesture, card)) for card in found[:RESULTS]])

    async def _trouble(self, gesture: "Gesture", e: Exception) -> Answer:
        """Why nothing can be found; or where to sign in first."""
        problem = explain(e)
        connect = next((a.press for a in problem.actions if a.press and a.press.verb == "connect"), None)
        if connect:
            problem = (await self._dispatcher.dispatch(gesture.request(Pressed(connect)))).card or problem
        page = next((action for action in problem.actions if action.url), None)
        if page and page.url and problem.kind is CardKind.SIGN_IN:
            return answers.sign_in(page.url, page.label)
        return answers.note(" ".join((problem.title, *problem.text)))

    async def link(self, gesture: "Gesture") -> Answer:
        """The public card of a record whose address is being pasted. Teams keeps it for half an hour, for everyone."""
        url = str(gesture.value.get("url") or "")
        try:
            card = await asyncio.wait_for(
                self._dispatcher.browsing.unfurl(url, gesture.who, gesture.where), self._window
            )
        except TimeoutError:
            card = None
        public = card.public() if card else None
        if public is None:
            return answers.results(())
        return answers.results([(public, self._for_all(gesture, public))])

    async def anonymous_link(self, gesture: "Gesture") -> Answer:
        """Nobody's link is shown to somebody whom Teams does not name."""
        del gesture
        return answers.results(())

    async def _search(self, gesture: "Gesture", text: str, nouns: tuple[str, ...]) -> list[Card]:
        name = (gesture.who.key, f"{','.join(nouns)}/{text}")
        kept = self._found.get(name)
        if kept and kept[0] > time.monotonic():
            return kept[1]
        found = await self._dispatcher.browsing.search(text, nouns, gesture.who, gesture.where)
        self._found[name] = (time.monotonic() + KEPT, found)
        if len(self._found) > REMEMBERED:
            self._found.popitem(last=False)
        return found

    def _for_all(self, gesture: "Gesture", card: Card) -> Element:
        """What is inserted into a conversation: never more than everyone may see."""
        public = card.public() or Card(kind=card.kind, title=card.title, subtitle=card.subtitle, url=card.url)
        # It may be put into, or forwarded to, a conversation of any kind.
        anywhere = replace(gesture.where, kind=PlaceKind.GROUP)
        reader = requests.reader(gesture.who, anywhere, shown_to_all=True)
        return render(public, self._dispatcher.seal, reader)


def _asked(value: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The text and the kinds of record from the query's parameters."""
    text = ""
    nouns: tuple[str, ...] = ()
    parameters = value.get("parameters")
    for parameter in parameters if isinstance(parameters, list) else ():
        if isinstance(parameter, Mapping):
            given = str(parameter.get("value") or "").strip()[:200]
            if parameter.get("name") == QUERY:
                text = given
            elif parameter.get("name") == KIND and given:
                nouns = (given,)
    return text, nouns
