"""Finding records wherever they are: `search`, `recent`, the search extension and previews of links."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from commands import cards as shapes
from commands.cards import Action, Card, CardKind
from commands.context import Context
from commands.errors import UserError
from commands.fields import Form, Text
from commands.language.reading import Unreadable
from commands.language.references import reference
from commands.operation import Operation
from commands.press import Do, Press
from commands.record_cards import Look, look
from commands.request import Reply
from commands.view import View
from commands.views import VIEWS, noun_view
from crm.batch import Batch
from crm.errors import CrmError, NotFound
from crm.query import Query, col
from crm.records import Ref, Row
from crm.tables import USER

from .records import reads

_MOST = 25
_LISTED = 10


class SearchEverywhere(Operation, verb="search", example="search contoso", words="text"):
    """Find records of every kind by a part of a name, number or e-mail address."""

    text: Text
    """What to look for."""

    async def run(self, ctx: Context) -> Reply:
        """The best matches of all tables."""
        looks = {table: await look(ctx, table) for table in VIEWS}
        hits = await ctx.crm.search(self.text, {t: _listed(seen) for t, seen in looks.items()}, top=_LISTED)
        if not hits:
            tip = "Write less of the name, or look in one place: account search …, case search …"
            return Reply(card=Card(kind=CardKind.LIST, title=f"Nothing matches “{self.text}”", text=(tip,)))
        rows = tuple(_with_noun(looks[hit.row.ref.table], hit.row) for hit in hits)
        return Reply(card=Card(kind=CardKind.LIST, title=f"Matches for “{self.text}”", rows=rows))


class Recent(Operation, verb="recent", example="recent"):
    """Show the records that you looked at last."""

    async def run(self, ctx: Context) -> Reply:
        """What the memory has; no request."""
        shown = await ctx.memory.recent(_LISTED)
        rows = tuple(_remembered(VIEWS[s.ref.table], s.ref, s.title) for s in shown if s.ref.table in VIEWS)
        if rows:
            return Reply(card=Card(kind=CardKind.LIST, title="Recent records", rows=rows))
        tip = "Records that you open appear here. Try: my cases"
        return Reply(card=Card(kind=CardKind.LIST, title="No recent records", text=(tip,)))


class WhoAmI(Operation, verb="whoami", example="whoami", also=("who am i",)):
    """Show as whom you work in Dynamics 365, and where."""

    async def run(self, ctx: Context) -> Reply:
        """One request."""
        query = Query(USER.logical).select(USER.full_name.logical, USER.email.logical, USER.login.logical)
        mine = query.where(col(USER.id.logical).function("EqualUserId")).top(1)
        account = await ctx.sign_in.connections.find(ctx.principal.key) if ctx.sign_in else None
        rows = (await ctx.crm.page(mine)).rows
        if not rows:
            raise UserError("Dynamics 365 does not say who you are there.", "Ask your Dynamics administrator.")
        facts = (
            shapes.Fact("E-mail", str(rows[0].get(USER.email.logical) or "-")),
            shapes.Fact("Organisation", shapes.Link(ctx.crm.url.partition("//")[2], ctx.crm.url)),
            shapes.Fact("Here", ctx.principal.name or ctx.principal.user),
            *([shapes.Fact("Connected", f"by sign-in as {account.username}")] if account else []),
        )
        name = str(rows[0].get(USER.full_name.logical) or "You")
        return Reply(card=Card(kind=CardKind.NOTICE, title=name, subtitle="User", facts=facts))


async def cards(ctx: Context, text: str, nouns: Sequence[str]) -> list[Card]:
    """Record cards for a search box, the best first, at most 25; for no text the person's recent records.

    `nouns`: only these kinds; words that are none are ignored. Raises CrmError.
    """
    views = [view for noun in nouns if (view := noun_view(noun))] or list(VIEWS.values())
    looks = {view.table.logical: await look(ctx, view.table.logical) for view in views}
    if text.strip():
        found = await ctx.crm.search(text, {t: _listed(seen) for t, seen in looks.items()}, top=_MOST)
        refs = [hit.row.ref for hit in found]
    else:
        refs = [s.ref for s in await ctx.memory.recent(_MOST) if s.ref.table in looks]
    return [_to_put_in(looks[row.ref.table], row) for row in await _read(ctx, refs, looks)]


async def unfurl(ctx: Context, url: str) -> Card | None:
    """What everyone may see of the record at an address of this organisation; None for other addresses.

    Of kinds that are not for everyone it says no more than the kind. Raises CrmError.
    """
    try:
        named = reference(url)
    except Unreadable:
        return None
    view = VIEWS.get(named.table)
    ours = ctx.crm.url.casefold()
    if named.form is not Form.URL or view is None or not url.casefold().startswith((f"{ours}/", f"{ours}?")):
        return None
    seen = await look(ctx, named.table)
    ref = Ref(named.table, UUID(named.id))
    if not view.public:
        show = Action(label="Show details", press=seen.press("show", ref))
        title = f"{seen.info.label(seen.language)} in Dynamics 365"
        return Card(kind=CardKind.STUB, title=title, actions=(show,), record=f"{ref.table}/{ref.id}")
    try:
        return seen.stub(await ctx.crm.get(ref, select=_listed(seen)))
    except NotFound:
        return None


def _to_put_in(seen: Look, row: Row) -> Card:
    """The record, to be put into a conversation: whoever does that shows its name there, and each reader the rest."""
    card = seen.record(row)
    return card if card.stub else replace(card, stub=replace(seen.stub(row), status=None))


async def _read(ctx: Context, refs: Sequence[Ref], looks: dict[str, Look]) -> list[Row]:
    """Rows in this order, in one request; those that are gone or not to be seen are left out."""
    if not refs:
        return []
    batch = Batch()
    parts = [batch.get(ref, select=reads(looks[ref.table])) for ref in refs]
    results = await ctx.crm.batch(batch, continue_on_error=True)
    rows = []
    for part in parts:
        try:
            rows.append(results[part].row())
        except CrmError:
            continue
    return rows


def _listed(seen: Look) -> list[str]:
    has = seen.info.columns
    return [c for c in seen.view.list_columns if c in has]


def _with_noun(seen: Look, row: Row) -> shapes.Row:
    line = seen.line(row)
    return shapes.Row(
        title=line.title,
        detail=(seen.info.label(seen.language), *line.detail[:3]),
        status=line.status,
        action=line.action,
    )


def _remembered(view: View, ref: Ref, title: str) -> shapes.Row:
    press = Press(do=Do.RUN, verb=f"{view.noun} get", args={"record": str(ref.id)})
    return shapes.Row(title=title, detail=(view.named(view.noun),), action=Action(label="Open", press=press))
