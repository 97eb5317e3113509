"""The organisations that the bot works in: to which one a command goes, and how an answer says where it comes from.

A command goes to the environment that it names (`env=sandbox`), else to the one whose record it points at by address,
else to the conversation's own, else to the first, which is DATAVERSE_URL's. Buttons and forms carry the name of the
environment in which they were made, and so does journalled work: what was begun in one ends in the same.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from crm.client import Dataverse
from crm.tables import Kind

from .cards import Action, Card
from .errors import BadInput, UserError
from .membership import Memberships
from .operation import Operation
from .people import People
from .press import Do, Press
from .request import Place, Reply

_MENTIONED = re.compile(r"(?:^|\s)env\s*=\s*[\"'“„«]?([\w-]+)", re.IGNORECASE)
FIELD = "env"
"""The argument of every command that names the environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One organisation, and the people in it."""

    dataverse: Dataverse
    people: People
    memberships: Memberships
    name: str = ""
    """As people write it; empty where the policy file names no environments."""
    badge: str = ""
    """Stands on every card from here; empty where there is only one environment."""
    confirm: bool = False
    """A change here is asked back before it is made."""
    conversations: frozenset[str] = frozenset()
    """Where it is the default, by the platforms' ids."""
    first: bool = False
    """It is DATAVERSE_URL's, and so what was kept before environments had names is of it."""

    @property
    def known_as(self) -> frozenset[str]:
        """The names under which things of it may have been kept."""
        return frozenset({self.name, ""} if self.first else {self.name})

    def key(self, key: str) -> str:
        """The intent key of what is made here: one message may become a case in each of two organisations."""
        return f"{key}@{self.name}" if self.name else key

    def args(self, args: Mapping[str, str]) -> dict[str, str]:
        """The arguments of a command, with the name of the environment that it goes to."""
        return {**args, FIELD: self.name} if self.name else dict(args)

    def mark(self, reply: Reply, *, confirmed: str = "") -> Reply:
        """The reply with its badge, and with buttons and forms that stay in this environment.

        `confirmed`: the intent that its person has confirmed; buttons that go on with it are not asked back again.
        """
        if not self.name:
            return reply

        def stay(press: Press) -> Press:
            asked = bool(confirmed) and press.key == confirmed and press.do is Do.RUN
            return self._stay(replace(press, do=Do.CONFIRM) if asked else press)

        form = reply.form
        if form:
            more = stay(form.more) if form.more else None
            form = replace(form, submit=stay(form.submit), more=more, badge=self.badge)
        card = self._marked(reply.card, stay) if reply.card else None
        return replace(reply, card=card, form=form, stub=self._marked(reply.stub, stay) if reply.stub else None)

    def mark_card(self, card: Card) -> Card:
        """The same of a card alone."""
        return self._marked(card, self._stay) if self.name else card

    def _stay(self, press: Press) -> Press:
        return replace(press, args={**press.args, FIELD: press.args.get(FIELD) or self.name}) if press.verb else press

    def _marked(self, card: Card, stay: Callable[[Press], Press]) -> Card:
        return replace(
            _mapped(card, stay),
            badge=self.badge,
            env=self.name,
            stub=self._marked(card.stub, stay) if card.stub else None,
        )


def _mapped(card: Card, change: Callable[[Press], Press]) -> Card:
    """The card with every press of its buttons changed."""

    def changed(action: Action) -> Action:
        return replace(action, press=change(action.press)) if action.press else action

    return replace(
        card,
        actions=tuple(map(changed, card.actions)),
        more=tuple(map(changed, card.more)),
        rows=tuple(replace(r, action=changed(r.action)) if r.action else r for r in card.rows),
        sections=tuple(_mapped(section, change) for section in card.sections),
    )


class Environments:
    """All of them; the first one is DATAVERSE_URL's."""

    def __init__(self, *environments: Environment) -> None:
        self.first = environments[0]
        self._all = environments

    def __iter__(self) -> Iterator[Environment]:
        return iter(self._all)

    @property
    def several(self) -> bool:
        """Whether there is anything to choose from."""
        return len(self._all) > 1

    @property
    def ask_back(self) -> bool:
        """Whether a change is asked back in any of them."""
        return any(e.confirm for e in self._all)

    @property
    def names(self) -> list[str]:
        """As people write them."""
        return [e.name for e in self._all]

    def choice(self, left_out: Environment) -> str:
        """Which there are, in a sentence for help; empty where there is one alone."""
        names = ", ".join(self.names)
        return f"Which organisation: {names} (left out: {left_out.name})" if self.several else ""

    def here(self, place: Place) -> Environment:
        """The conversation's own. Teams appends the thread to a channel's id: `19:…@thread.tacv2;messageid=…`."""
        conversation = place.conversation.partition(";")[0]
        return next((e for e in self._all if conversation in e.conversations), self.first)

    def named(self, name: str) -> Environment:
        """By name; no name means the first. Raises BadInput with the known names."""
        if not name:
            return self.first
        found = next((e for e in self._all if e.name.casefold() == name.strip().casefold()), None)
        if found is None:
            there = f"There are: {', '.join(self.names)}." if self.first.name else "There is only one: leave out env."
            raise BadInput(f"There is no environment “{name[:40]}” here.", there)
        return found

    def at(self, url: str) -> Environment | None:
        """The one that an address of a record belongs to."""
        address = url.casefold()
        return next(
            (e for e in self._all if address.startswith(tuple(f"{e.dataverse.url}{c}".casefold() for c in "/?"))), None
        )

    def mentioned(self, text: str) -> Environment | None:
        """The one that a typed command seems to name, before it is read: its columns are needed for that."""
        found = _MENTIONED.search(text)
        return next((e for e in self._all if found and e.name.casefold() == found[1].casefold()), None)

    def of_work(self, args: Mapping[str, str], resumed: bool) -> Environment:
        """Where journalled work goes on. Raises UserError where its environment has been taken out of the settings."""
        try:
            return self.named(args.get(FIELD, ""))
        except BadInput as e:
            done = "may have been done there before that; look before you do it again" if resumed else "was not done"
            raise UserError(f"{e.sentence} It has been taken out of the settings, and this {done}.", e.remedy) from e

    def of(self, operation: type[Operation], args: Mapping[str, str], place: Place) -> Environment:
        """To which one a command goes. Raises BadInput where the name that it says is none."""
        if args.get(FIELD):
            return self.named(args[FIELD])
        for name, text in args.items():
            parameter = operation.parameters.get(name)
            if parameter and parameter.kind in {Kind.ID, Kind.LOOKUP} and (found := self.at(text.strip())):
                return found
        return self.here(place)
