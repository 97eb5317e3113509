"""From what a person calls a record to the record: one exact match is taken, anything less certain is asked.

For a write only one *exact* match (case and accents ignored, inactive records left out) is used without asking; a
partial match is offered, several are a card to choose from that carries the pending command, and for none the nearest
names are offered, and to create it. One request answers every name, however many tables it may be in.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from rapidfuzz import fuzz, process

from crm.batch import Batch
from crm.lifecycle import State, has_own_states, state_number
from crm.query import Condition, Query, any_of, col
from crm.records import Ref, Row
from crm.tables import ACCOUNT, CASE, CONTACT, CURRENCY, INVOICE, LEAD, ORDER, PRICE_LIST, QUEUE, USER, Column

from . import cards
from .cards import Action, Card, CardKind
from .context import Context
from .errors import BadInput, Question
from .fields import Form, Named
from .language.references import reference
from .operation import CATALOG
from .press import Do, Press
from .record_cards import look
from .request import Principal, Reply
from .views import VIEWS

_SHOWN = 8
"""Candidates on a card."""
_READ = 40
"""Candidates read for it, of each table."""
_NEAR = 55
"""How alike a name must be to be called near, of 100."""

_NAMED_BY: Final[dict[str, tuple[Column, ...]]] = {
    USER.logical: (USER.full_name, USER.email, USER.login),
    CURRENCY.logical: (CURRENCY.name, CURRENCY.code),
    PRICE_LIST.logical: (PRICE_LIST.name,),
    QUEUE.logical: (QUEUE.name,),
}
"""What names a row of a table without a view of its own, the usual one first."""


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


@dataclass(frozen=True, slots=True)
class _Candidate:
    row: Row
    names: tuple[str, ...]
    """Everything that it may be called, the name first."""


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
    found = await _find(ctx, targets, named, closed=False)
    plain = _plain(typed)
    holding = [c for c in found if any(plain in _plain(name) for name in c.names)] or _nearest(typed, found)
    ranked = sorted(holding, key=lambda c: (not _plain(c.names[0]).startswith(plain), c.names[0].casefold()))
    return [(c.row.ref, _told_apart(c, several=len(targets) > 1)) for c in ranked[:limit]]


def _told_apart(candidate: _Candidate, *, several: bool) -> str:
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
    found = await _find(ctx, wanted.targets, named, closed=wanted.closed)
    plain = _plain(text)
    exact = [c for c in found if any(_is_called(name, plain, named.form) for name in c.names)]
    if len(exact) == 1:
        return replace(exact[0].row.ref, name=exact[0].names[0])
    if exact:
        raise await _question(ctx, wanted, f"Several records are called “{text}”. Which one?", exact)
    partial = [c for c in found if any(plain in _plain(name) for name in c.names)]
    if len(partial) == 1 and wanted.silent:
        return replace(partial[0].row.ref, name=partial[0].names[0])
    if partial:
        which = "Did you mean this one?" if len(partial) == 1 else "Which one do you mean?"
        raise await _question(ctx, wanted, f"Nothing is called exactly “{text}”. {which}", partial)
    near = _nearest(text, found)
    sentence = f"No {' or '.join(map(_noun, wanted.targets))} is called “{text}”."
    if near:
        sentence += " These names are near:"
    raise await _question(ctx, wanted, sentence, near, create=wanted.named.form is Form.NAME)


async def _find(ctx: Context, targets: Iterable[str], named: Named | None, *, closed: bool) -> list[_Candidate]:
    """Rows that are called so, or nearly; those that are called exactly so are among them."""
    batch = Batch()
    asked = []
    for table in targets:
        names = await _naming(ctx, table)
        query = await _readable(ctx, table, names, closed=closed)
        if named is None:
            asked.append((batch.page(query.order(names[0]).top(_READ)), names))
            continue
        text = named.text
        exact = any_of(col(name) == text for name in names)
        if named.form is Form.NUMBER:
            exact |= any_of(col(name).startswith(f"{text}-") for name in names)
        asked.append((batch.page(query.where(exact).top(_SHOWN)), names))
        asked.append((batch.page(query.where(_loosely(names, text)).order(names[0]).top(_READ)), names))
    results = await ctx.crm.batch(batch)
    rows = {row.ref: (row, names) for part, names in asked for row in results[part].rows()}
    return [
        _Candidate(row, tuple(str(row[n]) for n in names if row.get(n)) or ("(no name)",))
        for row, names in rows.values()
    ]


async def _naming(ctx: Context, table: str) -> tuple[str, ...]:
    """Columns that name a row, the name first."""
    view = VIEWS.get(table)
    if view:
        columns = (view.title, view.number, *view.exact)
        return tuple(dict.fromkeys(c.logical for c in columns if c))
    if table in _NAMED_BY:
        return tuple(c.logical for c in _NAMED_BY[table])
    info = await ctx.crm.metadata.table(table)
    return (info.primary_name or info.primary_id,)


async def _readable(ctx: Context, table: str, names: tuple[str, ...], *, closed: bool) -> Query:
    view = VIEWS.get(table)
    query = Query(table).select(*dict.fromkeys((*names, *(view.list_columns if view else ()))))
    if closed:
        return query
    if table == USER.logical:
        return query.where(col(USER.disabled.logical) == False)  # noqa: E712  a condition, not a comparison
    info = await ctx.crm.metadata.table(table)
    if "statecode" in info.columns and not has_own_states(table):
        return query.where(col("statecode") == state_number(table, State.OPEN))
    return query


def _loosely(names: Sequence[str], text: str) -> Condition:
    """Contains the text, or begins as it does: what is near in spelling is mostly among those.

    `names`: columns, the name first, then numbers and addresses.
    """
    # A name is looked for in names; in e-mail addresses it would bring everybody of a company.
    sought = names if "@" in text else names[:1]
    conditions = [col(name).contains(text) for name in sought]
    begins = text[: max(2, len(text) // 3)]
    return any_of([*conditions, col(names[0]).startswith(begins)])


def _is_called(name: str, plain: str, form: Form) -> bool:
    """Whether this is its name. `CAS-01042` says all of `CAS-01042-X1Y2`: what follows is there to prevent guessing."""
    called = _plain(name)
    return called == plain or (form is Form.NUMBER and called.startswith(f"{plain}-"))


def _plain(text: str) -> str:
    """Without case, accents and doubled spaces."""
    letters = unicodedata.normalize("NFKD", " ".join(text.split()).casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _nearest(text: str, found: Sequence[_Candidate]) -> list[_Candidate]:
    names = {number: c.names[0] for number, c in enumerate(found)}
    near = process.extract(text, names, processor=_plain, scorer=fuzz.WRatio, limit=_SHOWN, score_cutoff=_NEAR)
    return [found[number] for _, _, number in near]


# -- asking -----------------------------------------------------------------------------------------------------


async def _question(
    ctx: Context, wanted: Wanted, sentence: str, candidates: Sequence[_Candidate], *, create: bool = False
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
    words = [_noun(table) for table in tables]
    return " or ".join(f"{'an' if word[:1] in 'aeiou' else 'a'} {word}" for word in words)


def _example(table: str) -> str:
    return _EXAMPLES.get(table, "its name")
