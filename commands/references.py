"""From what a person calls a record to the record: one exact match is taken, anything less certain is asked.

For a write only one *exact* match (case and accents ignored, inactive records left out) is used without asking; a
partial match is offered, several are a card to choose from that carries the pending command, and for none the nearest
names are offered, and to create it. One request answers every name, however many tables it may be in.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from crm.records import Ref
from crm.tables import ACCOUNT, CASE, CONTACT, CURRENCY, INVOICE, LEAD, ORDER, PRICE_LIST, QUEUE, USER

from . import cards
from .cards import Action, Card, CardKind
from .context import Context
from .errors import BadInput, Question
from .fields import Form, Named
from .finding import Candidate, find, is_called, nearest, plain_text
from .language.references import reference
from .nouns import one
from .operation import CATALOG
from .press import Do, Press
from .record_cards import look
from .request import Principal, Reply
from .views import VIEWS

_SHOWN = 8
"""Candidates on a card."""

_WORDS: Final = {
    USER.logical: "user",
    "team": "team",
    CURRENCY.logical: "currency",
    PRICE_LIST.logical: "price list",
    QUEUE.logical: "queue",
}
_EXAMPLES: Final = {
    CASE.logical: "CAS-01042",
    ORDER.logical: "ORD-01001",
    INVOICE.logical: "INV-01001",
    ACCOUNT.logical: "Contoso",
    CONTACT.logical: "'Jane Smith'",
    LEAD.logical: "'Jane Smith'",
    USER.logical: "anna@example.com",
    CURRENCY.logical: "EUR",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A reference to resolve, and the command that waits for it."""

    named: Named
    targets: tuple[str, ...]
    """Logical names of the tables it may be in, the usual one first."""
    label: str
    """What it is for: `Customer`."""
    again: Callable[[str], Press]
    """The pending command with this text in the reference's place."""
    silent: bool = False
    """A single partial match will do, and closed records count: nothing is written by a mistake."""
    closed: bool = False
    """Inactive records count."""


async def resolve(ctx: Context, wanted: Wanted) -> Ref:
    """The record that is meant. Raises Question where a person must choose, BadInput for a text that leads nowhere."""
    named = wanted.named
    match named.form:
        case Form.GUID:
            return Ref(wanted.targets[0], UUID(named.id))
        case Form.PATH | Form.URL:
            return await _addressed(ctx, wanted)
        case Form.LAST:
            return await _last(ctx, wanted)
        case Form.ME:
            return await _me(ctx, wanted)
        case Form.MENTION:
            return await _mentioned(ctx, wanted)
    return await _called(ctx, wanted)


async def suggestions(ctx: Context, targets: Sequence[str], typed: str, *, limit: int = 15) -> list[tuple[Ref, str]]:
    """What a typeahead offers: references with the text to show, likeliest first."""
    named = reference(typed) if typed.strip() else None
    found = await find(ctx, targets, named, closed=False)
    plain = plain_text(typed)
    holding = [c for c in found if any(plain in plain_text(name) for name in c.names)] or nearest(typed, found)
    ranked = sorted(holding, key=lambda c: (not plain_text(c.names[0]).startswith(plain), c.names[0].casefold()))
    return [(c.row.ref, _told_apart(c, several=len(targets) > 1)) for c in ranked[:limit]]


def _told_apart(candidate: Candidate, *, several: bool) -> str:
    """The name with its number, or with its kind where kinds are mixed."""
    view = VIEWS.get(candidate.row.ref.table)
    number = candidate.row.get(view.number.logical) if view and view.number else None
    if number:
        return f"{candidate.names[0]} · {number}"
    return f"{candidate.names[0]} ({_noun(candidate.row.ref.table)})" if several else candidate.names[0]


# -- what needs no search ---------------------------------------------------------------------------------------


async def _addressed(ctx: Context, wanted: Wanted) -> Ref:
    named = wanted.named
    if named.form is Form.URL and named.host != urlsplit(ctx.crm.url).hostname:
        raise BadInput(
            f"{wanted.label}: {named.host} is not this organisation's address.",
            f"Use an address that begins with {ctx.crm.url}, or the record's name.",
        )
    table = named.table or (await ctx.crm.metadata.find_table(named.entity_set)).logical
    if table not in wanted.targets:
        raise BadInput(
            f"{wanted.label} must be {_nouns(wanted.targets)}, and {named.text} is {_nouns((table,))}.",
            f"Write it like {_example(wanted.targets[0])}.",
        )
    return Ref(table, UUID(named.id))


async def _last(ctx: Context, wanted: Wanted) -> Ref:
    for table in wanted.targets:
        if found := await ctx.memory.last(table):
            return found
    raise BadInput(
        f"No {' or '.join(map(_noun, wanted.targets))} was shown to you here in the last 30 minutes.",
        f"Name it instead: {_example(wanted.targets[0])}",
    )


async def _me(ctx: Context, wanted: Wanted) -> Ref:
    if USER.logical not in wanted.targets:
        raise BadInput(f"{wanted.label} cannot be you; it is {_nouns(wanted.targets)}.", "Give its name.")
    return Ref(USER.logical, await ctx.crm.who_am_i(), ctx.principal.name or None)


async def _mentioned(ctx: Context, wanted: Wanted) -> Ref:
    person = Principal(platform=ctx.principal.platform, tenant=ctx.principal.tenant, user=wanted.named.id)
    known = await ctx.face.profile(person) if ctx.face else person
    if not known.email:
        raise BadInput(
            f"{wanted.label}: the e-mail address of {known.name or wanted.named.text} is not known here.",
            "Give the e-mail address or the name instead.",
        )
    return await _called(ctx, replace(wanted, named=Named(form=Form.EMAIL, text=known.email)))


# -- names, numbers and e-mail addresses --------------------------------------------------------------------------


async def _called(ctx: Context, wanted: Wanted) -> Ref:
    named, text = wanted.named, wanted.named.text
    found = await find(ctx, wanted.targets, named, closed=wanted.closed)
    plain = plain_text(text)
    exact = [c for c in found if any(is_called(name, plain, named.form) for name in c.names)]
    if len(exact) == 1:
        return replace(exact[0].row.ref, name=exact[0].names[0])
    if exact:
        raise await _question(ctx, wanted, f"Several records are called “{text}”. Which one?", exact)
    partial = [c for c in found if any(plain in plain_text(name) for name in c.names)]
    if len(partial) == 1 and wanted.silent:
        return replace(partial[0].row.ref, name=partial[0].names[0])
    if partial:
        which = "Did you mean this one?" if len(partial) == 1 else "Which one do you mean?"
        raise await _question(ctx, wanted, f"Nothing is called exactly “{text}”. {which}", partial)
    near = nearest(text, found)
    sentence = f"No {' or '.join(map(_noun, wanted.targets))} is called “{text}”."
    if near:
        sentence += " These names are near:"
    raise await _question(ctx, wanted, sentence, near, create=wanted.named.form is Form.NAME)


# -- asking -----------------------------------------------------------------------------------------------------


async def _question(
    ctx: Context, wanted: Wanted, sentence: str, candidates: Sequence[Candidate], *, create: bool = False
) -> Question:
    """A card to choose from; each button carries the pending command with its record filled in."""
    rows = []
    for candidate in candidates[:_SHOWN]:
        ref = candidate.row.ref
        path = ref.path((await ctx.crm.metadata.table(ref.table)).entity_set)
        action = Action(label="Choose", press=replace(wanted.again(path), owner=ctx.principal.key))
        if ref.table in VIEWS:
            rows.append((await look(ctx, ref.table)).line(candidate.row, action=action))
        else:
            rows.append(cards.Row(title=candidate.names[0], detail=candidate.names[1:2], action=action))
    more = f"There are more than {_SHOWN}; write more of the name to narrow them." if len(candidates) > _SHOWN else ""
    offers = [_creates(table, wanted.named.text) for table in wanted.targets if create and table in VIEWS]
    card = Card(
        kind=CardKind.CHOICE,
        title=f"{wanted.label}: which one?" if candidates else f"{wanted.label} not found",
        text=tuple(filter(None, (sentence, more))),
        rows=tuple(rows),
        actions=tuple(offer for offer in offers if offer),
    )
    return Question(Reply(card=card))


def _creates(table: str, name: str) -> Action | None:
    """`Create account “Contoso”`: opens the form with the name filled in."""
    view = VIEWS[table]
    operation = CATALOG.get(f"{view.noun} create")
    if operation is None or not operation.words:
        return None
    args = {operation.words[0]: name}
    if operation.words[0] == "name" and "last_name" in operation.parameters:
        first, _, last = name.rpartition(" ")
        args = {"last_name": last, **({"first_name": first} if first else {})}
    press = Press(do=Do.FORM, verb=operation.verb, args=args)
    return Action(label=f"Create {view.noun} “{name[:40]}”", press=press)


def _noun(table: str) -> str:
    view = VIEWS.get(table)
    return view.noun if view else _WORDS.get(table, table)


def _nouns(tables: Iterable[str]) -> str:
    """`an account or a contact`."""
    return " or ".join(one(_noun(table)) for table in tables)


def _example(table: str) -> str:
    return _EXAMPLES.get(table, "its name")
