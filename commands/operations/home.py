"""The home tab: what is mine, what I looked at last, and as whom I am connected."""

from dataclasses import replace
from typing import Final

from commands.cards import Action, Card, CardKind, Style
from commands.context import Context
from commands.operation import Operation
from commands.press import Do, Press
from commands.record_cards import Look, look
from commands.request import Reply
from crm.batch import Batch
from crm.errors import Forbidden
from crm.lifecycle import State, state_number
from crm.query import Query, col
from crm.records import Row
from crm.tables import CASE, LEAD, OPPORTUNITY

from .search import Recent

_EACH = 5
_MINE: Final = (CASE.logical, LEAD.logical, OPPORTUNITY.logical)


class Home(Operation, verb="home", example="home", also=("my records", "mine")):
    """Show your open cases, leads and opportunities, and what you looked at last."""

    async def run(self, ctx: Context) -> Reply:
        """One request for everything."""
        return Reply(card=await card(ctx))


async def card(ctx: Context) -> Card:
    """The home card (kind HOME, with sections). Raises CrmError."""
    looks = [await look(ctx, table) for table in _MINE]
    batch = Batch()
    parts = [batch.page(_mine(seen)) for seen in looks]
    results = await ctx.crm.batch(batch, continue_on_error=True)
    sections = []
    refused: Forbidden | None = None
    for seen, part in zip(looks, parts, strict=True):
        try:
            sections.append(_section(seen, results[part].rows()))
        except Forbidden as e:
            refused = e  # who works with cases alone has a home too
    if refused and not sections:
        raise refused
    recent = (await Recent().run(ctx)).card
    if recent and recent.rows:
        sections.append(replace(recent, rows=recent.rows[:_EACH]))
    account = await ctx.sign_in.connections.find(ctx.principal.key) if ctx.sign_in else None
    leave = (Action(label="Disconnect", press=Press(do=Do.RUN, verb="disconnect")),) if account else ()
    return Card(
        kind=CardKind.HOME,
        title="My Dynamics 365",
        sections=tuple(sections),
        actions=(
            Action(label="New case", press=Press(do=Do.FORM, verb="case create"), style=Style.PRIMARY),
            Action(label="New lead", press=Press(do=Do.FORM, verb="lead create")),
            Action(label="Who am I?", press=Press(do=Do.RUN, verb="whoami")),
            *leave,
        ),
        footer=(f"Connected to {ctx.crm.url.partition('//')[2]}" + (f" as {account.username}" if account else ""),),
    )


def _mine(seen: Look) -> Query:
    table = seen.view.table.logical
    mine = col("ownerid").function("EqualUserId") & (col("statecode") == state_number(table, State.OPEN))
    columns = [c for c in seen.view.list_columns if c in seen.info.columns]
    return Query(table).select(*columns).where(mine).order("createdon", desc=True).top(_EACH + 1)


def _section(seen: Look, rows: list[Row]) -> Card:
    view = seen.view
    everything = Press(do=Do.RUN, verb=f"{view.noun} list", args={"where": "mine open"})
    more = (Action(label=f"All my {view.plural}", press=everything),) if len(rows) > _EACH else ()
    return Card(
        kind=CardKind.LIST,
        title=f"My {view.plural}",
        text=() if rows else (f"You have no open {view.plural}.",),
        rows=tuple(seen.line(row) for row in rows[:_EACH]),
        actions=more,
    )
