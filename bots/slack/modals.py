"""`Form` and `Card` -> modal views, each with the place that it was asked from."""

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from commands.cards import Card, Form
from commands.press import BadSeal, Do, Press, Seal
from commands.request import Place, PlaceKind, Principal

from .blocks import SECTION_TEXT, Block, note, plain_text, render
from .fitting import VIEW_BLOCKS
from .inputs import input_block

METADATA = 3000
MOST_VIEWS = 3
"""Slack's limit on views on top of each other."""

FORM = "form"
SHOWN = "shown"
"""Callback ids of views: one that asks, one that only shows."""
MORE = "more_fields"


class Unsealed(Exception):
    """A view's metadata is not ours, or is of an old deployment."""


class Modals:
    """Builds views whose `private_metadata` is sealed: the press that a submit sends back, and where it was asked."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def form(self, form: Form, principal: Principal, place: Place) -> Block:
        """The form as a view. Inputs beyond Slack's 100 blocks are left out, and the view says so."""
        blocks = list(self._form_blocks(form, _zone(principal)))
        if len(blocks) > VIEW_BLOCKS:
            blocks = [*blocks[: VIEW_BLOCKS - 1], note("More fields than Slack shows: add the rest by command.")]
        return {
            "type": "modal",
            "callback_id": FORM,
            "title": plain_text(form.title, 24),
            "submit": plain_text(form.submit_label, 24),
            "close": plain_text("Cancel", 24),
            "private_metadata": self._metadata(form.submit, principal, place),
            "blocks": blocks,
            **_known_by(place),
        }

    def card(self, card: Card, principal: Principal, place: Place, *, title: str = "") -> Block:
        """A card as a view, for the surfaces that have no conversation: home tab, global shortcut, a modal's answer."""
        shown = render(card, self._seal, most=VIEW_BLOCKS)
        return {
            "type": "modal",
            "callback_id": SHOWN,
            "title": plain_text(title or next((t for t in (card.subtitle, card.title) if 0 < len(t) <= 24), "CRM"), 24),
            "close": plain_text("Close", 24),
            "private_metadata": self._metadata(Press(do=Do.DISMISS), principal, place),
            "blocks": shown.blocks or [note("Done.")],
            **_known_by(place),
        }

    def home(self, card: Card, principal: Principal, place: Place) -> Block:
        """A card as the home tab."""
        return {
            "type": "home",
            "private_metadata": self._metadata(Press(do=Do.DISMISS), principal, place),
            "blocks": render(card, self._seal, most=VIEW_BLOCKS).blocks or [note("Nothing to show yet.")],
        }

    def loading(self, principal: Principal, place: Place, *, text: str = "Loading…", title: str = "CRM") -> Block:
        """Shown at once, because trigger ids live three seconds; the real view follows as an update."""
        return {
            "type": "modal",
            "callback_id": SHOWN,
            "title": plain_text(title, 24),
            "close": plain_text("Close", 24),
            "private_metadata": self._metadata(Press(do=Do.DISMISS), principal, place),
            "blocks": [{"type": "section", "text": plain_text(text, SECTION_TEXT)}],
            **_known_by(place),
        }

    def _metadata(self, submit: Press, principal: Principal, place: Place) -> str:
        where = Press(do=Do.DISMISS, verb="place", args=_flat(place), owner=principal.key)
        metadata = f"{self._seal.seal(submit)} {self._seal.seal(where)}"
        if len(metadata) > METADATA:
            raise ValueError(f"what the form of `{submit.verb}` carries is too long for a Slack view")
        return metadata

    def opened(self, view: Mapping[str, Any], principal: Principal) -> tuple[Press, Place]:
        """What a view of ours carries. Raises Unsealed, also where it was made for another person."""
        try:
            submit, where = (self._seal.open(token) for token in str(view.get("private_metadata") or "").split(" "))
        except (BadSeal, ValueError) as error:
            raise Unsealed from error
        if where.verb != "place" or where.owner != principal.key:
            raise Unsealed
        return submit, _placed(where.args)

    def _form_blocks(self, form: Form, zone: tzinfo) -> Iterator[Block]:
        if form.badge:
            yield note(form.badge)
        if form.problem:
            yield {"type": "section", "text": plain_text(f"⚠️ {form.problem}", SECTION_TEXT)}
        if form.intro:
            yield {"type": "section", "text": plain_text(form.intro, SECTION_TEXT)}
        for asked in form.inputs:
            yield input_block(asked, zone)
            if asked.problem:
                yield note(f"⚠️ {asked.problem}")
        if form.more:
            button = {
                "type": "button",
                "action_id": MORE,
                "text": plain_text(form.more_label, 75),
                "value": self._seal.seal(form.more),
            }
            yield {"type": "actions", "elements": [button]}


def _known_by(place: Place) -> dict[str, str]:
    """Our own name for the view, so that a late answer finds it; an update that leaves it out would drop it."""
    return {"external_id": name} if (name := place.address.get("view", "")) else {}


def _flat(place: Place) -> dict[str, str]:
    fields = {
        "tenant": place.tenant,
        "conversation": place.conversation,
        "thread": place.thread,
        "kind": place.kind.value,
        "shared": "" if place.shared is None else "yes" if place.shared else "no",
        **{f"address.{k}": v for k, v in place.address.items()},
    }
    return {k: v for k, v in fields.items() if v}


def _placed(fields: Mapping[str, str]) -> Place:
    return Place(
        platform="slack",
        tenant=fields.get("tenant", ""),
        conversation=fields.get("conversation", ""),
        thread=fields.get("thread", ""),
        kind=PlaceKind(fields.get("kind", PlaceKind.PERSONAL)),
        shared=fields["shared"] == "yes" if "shared" in fields else None,
        address={k.removeprefix("address."): v for k, v in fields.items() if k.startswith("address.")},
    )


def _zone(principal: Principal) -> tzinfo:
    try:
        return ZoneInfo(principal.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def depth(view: Mapping[str, Any]) -> int:
    """How many views lie on top of each other up to this one."""
    if not view.get("previous_view_id"):
        return 1
    return 2 if view["previous_view_id"] == view.get("root_view_id") else MOST_VIEWS
