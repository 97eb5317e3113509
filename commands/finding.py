"""Looks for rows by what people call them: names, numbers, e-mail addresses; one request however many tables."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz, process

from crm.batch import Batch
from crm.errors import Forbidden
from crm.lifecycle import State, has_own_states, state_number
from crm.query import Condition, Query, any_of, col
from crm.records import Row
from crm.tables import CURRENCY, PRICE_LIST, QUEUE, USER, Column

from .context import Context
from .fields import Form, Named
from .views import VIEWS

_EXACT = 8
"""Exact matches read, of each table."""
_READ = 40
"""Near ones read, of each table."""
_NEAREST = 8
"""How many near names are worth offering."""
_NEAR = 55
"""How alike a name must be to be called near, of 100."""

_NAMED_BY: Final[dict[str, tuple[Column, ...]]] = {
    USER.logical: (USER.full_name, USER.email, USER.login),
    CURRENCY.logical: (CURRENCY.name, CURRENCY.code),
    PRICE_LIST.logical: (PRICE_LIST.name,),
    QUEUE.logical: (QUEUE.name,),
}
"""What names a row of a table without a view of its own, the usual one first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be meant."""

    row: Row
    names: tuple[str, ...]
    """Everything that it may be called, the name first."""


async def find(ctx: Context, targets: Iterable[str], named: Named | None, *, closed: bool) -> list[Candidate]:
    """Rows that are called so, or nearly; those that are called exactly so are among them.

    Raises NotAllowed where policy keeps every target from this person.
    """
    targets = tuple(targets)
    open_ones = [table for table in targets if table not in ctx.hidden]
    if targets and not open_ones:
        raise ctx.hidden[targets[0]]
    batch = Batch()
    asked = []
    for table in open_ones:
        names = await _naming(ctx, table)
        query = await _readable(ctx, table, names, closed=closed)
        if named is None:
            asked.append((batch.page(query.order(names[0]).top(_READ)), names))
            continue
        text = named.text
        exact = any_of(col(name) == text for name in names)
        if named.form is Form.NUMBER:
            exact |= any_of(col(name).startswith(f"{text}-") for name in names)
        asked.append((batch.page(query.where(exact).top(_EXACT)), names))
        asked.append((batch.page(query.where(_loosely(names, text)).order(names[0]).top(_READ)), names))
    results = await ctx.crm.batch(batch, continue_on_error=True)
    # A table that this person may not read holds nobody for them; where that is all of them, they are told.
    readable = [(part, names) for part, names in asked if not isinstance(results[part].error, Forbidden)] or asked
    rows = {row.ref: (row, names) for part, names in readable for row in results[part].rows()}
    return [
        Candidate(row, tuple(str(row[n]) for n in names if row.get(n)) or ("(no name)",))
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
    # Figures may be a part of a number.
    sought = names if "@" in text or text.isdecimal() else names[:1]
    conditions = [col(name).contains(text) for name in sought]
    begins = text[: max(2, len(text) // 3)]
    return any_of([*conditions, col(names[0]).startswith(begins)])


def is_called(name: str, plain: str, form: Form) -> bool:
    """Whether this is its name. `CAS-01042` says all of `CAS-01042-X1Y2`: what follows is there to prevent guessing."""
    called = plain_text(name)
    return called == plain or (form is Form.NUMBER and called.startswith(f"{plain}-"))


def plain_text(text: str) -> str:
    """Without case, accents and doubled spaces."""
    letters = unicodedata.normalize("NFKD", " ".join(text.split()).casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def nearest(text: str, found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates whose names look most like the text, likeliest first."""
    names = {number: c.names[0] for number, c in enumerate(found)}
    near = process.extract(text, names, processor=plain_text, scorer=fuzz.WRatio, limit=_NEAREST, score_cutoff=_NEAR)
    return [found[number] for _, _, number in near]
