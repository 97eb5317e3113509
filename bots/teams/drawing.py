"""Draws a `Reply` as a message, for whoever will see it."""

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from commands.cards import Card, CardKind, to_text
from commands.press import Seal
from commands.request import Place, Principal, Reply, Visibility

from .adaptive import Reader, render
from .elements import Element
from .forms import render_form
from .port import OAUTH_CARD, Message
from .requests import reader
from .signin import oauth_card

HELP: Final = 200
"""Drawn help cards that are kept."""


class Drawing:
    """One for all replies; help is drawn once."""

    def __init__(self, seal: Seal, sso_resource: str) -> None:
        self._seal, self._sso_resource = seal, sso_resource
        self._help: OrderedDict[tuple[int, Reader], tuple[Card, Message]] = OrderedDict()
        """By the card's identity, which holds while the card is kept beside it."""

    def message(self, place: Place, principal: Principal, reply: Reply) -> Message | None:
        """The reply's card or form as a message; None where there is nothing to say."""
        if reply.form is not None:
            card = render_form(reply.form, self._seal, reader(principal, place), dialog=False)
            return Message(card=card, summary=reply.form.title[:200])
        if reply.card is None:
            return None
        return self.of_card(reply.card, place, principal, shown_to_all=for_all(reply, place))

    def sign_in(self, card: Card, place: Place, principal: Principal) -> Message:
        """A sign-in card that Teams answers by itself where it can."""
        content = oauth_card(card, self._sso_resource, principal, place.address.get("gesture", ""), self._seal)
        return Message(card=content, card_type=OAUTH_CARD, summary=card.title[:200])

    def card(self, card: Card, place: Place, principal: Principal) -> Element:
        """A card for this person's eyes alone."""
        return render(card, self._seal, reader(principal, place))

    def of_card(self, card: Card, place: Place, principal: Principal, *, shown_to_all: bool) -> Message:
        """A card as a message, for this person or for everyone in the conversation."""
        seen_by = reader(principal, place, shown_to_all=shown_to_all)
        if card.kind is not CardKind.HELP:
            return self._drawn(card, seen_by)
        # Help is the same object for everyone, shows no record, and is asked for most: drawn once for each client.
        name = (id(card), replace(seen_by, viewers=()))
        kept = self._help.get(name)
        if kept is None:
            kept = self._help[name] = (card, self._drawn(card, seen_by))
            if len(self._help) > HELP:
                self._help.popitem(last=False)
        return kept[1]

    def _drawn(self, card: Card, seen_by: Reader) -> Message:
        return Message(card=render(card, self._seal, seen_by), summary=to_text(card).partition("\n")[0][:200])


def for_all(reply: Reply, place: Place) -> bool:
    """Whether the card of a reply is meant for everyone in the conversation."""
    # Who asked privately is answered privately, whatever the command says.
    return reply.visibility is Visibility.EVERYONE and not place.address.get("private") and reply.form is None
