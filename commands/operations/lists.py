"""Lists and searches over one table: rows, sorting, paging, a count, and what to try when nothing is found."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field

from commands.cards import Action, Card, CardKind
from commands.conditions import Conditions, replaced
from commands.context import Context
from commands.errors import BadInput
from commands.fields import Integer, RawOData, Text
from commands.filters import And, Filter, describe
from commands.operation import ByButton
from commands.press import Do, Press
from commands.record_cards import Look, look
from commands.request import Reply
from crm.definitions import TableInfo
from crm.query import Query, any_of, col
from crm.records import Page

from .records import Record, reads

_PAGE = 10
"""Rows on one card."""
_MOST = 50
_LITERAL = re.compile(r"'(?:[^']|'')*'")


class List(Record):
    """A base: lists records."""

    where: Filter = Field(default_factory=And)
    """Conditions, like company~acme created>7d rating=hot mine open."""
    sort: Text | None = None
    """Columns to sort by, with - for descending: -created,name."""
    top: Integer | None = None
    """How many rows, at most 50."""
    filter: RawOData | None = None
    """Conditions in OData, passed on as they are: contains(fullname,'John')."""
    select: RawOData | None = None
    """Columns to show, by logical name or label: fullname,emailaddress1."""
    orderby: RawOData | None = None
    """Sorting in OData: createdon desc."""
    page: Annotated[Text | None, ByButton()] = None
    """Where to go on, as the button of the page before gave it."""

    async def run(self, ctx: Context) -> Reply:
        """One request reads a page."""
        seen = await look(ctx, self.of.logical)
        conditions = Conditions(
            ctx, seen.view, seen.info, lambda old, new: self._with(where=str(replaced(self.where, old, new)))
        )
        shown = [conditions.column(word).logical for word in _words((self.select or "").strip("'\""))]
        query = await self._query(ctx, seen, conditions, shown)
        if self.top is not None and self.top < 1:
            raise BadInput("top must be 1 or more: it says how many rows to show.", f"For example: {self.verb} top=20")
        size = min(self.top or _PAGE, _MOST)
        if self.top:
            query = query.top(size)
        if self.page and not self.page.startswith(f"{ctx.crm.url}/"):
            raise BadInput("This is no page of a list here.", f"Ask for the list again: {self.verb}")
        page = await ctx.crm.page(query.count(), next_link=self.page, page_size=size)
        return Reply(card=self.card(seen, page, shown, self._said(conditions)), replace=bool(self.page))

    async def _query(self, ctx: Context, seen: Look, conditions: Conditions, shown: list[str]) -> Query:
        query = Query(self.of.logical).select(*_listed(seen, shown))
        condition = await conditions.of(self.where)
        if condition is not None:
            query = query.where(condition)
        # No column begins with a quote: these are the person's own.
        raw_filter, raw_order = self.filter or "", (self.orderby or "").strip("'\"")
        if ctx.hidden and any("/" in _LITERAL.sub("", raw) for raw in (raw_filter, raw_order)):
            raise next(iter(ctx.hidden.values()))  # a path leads to another table, which might be a hidden one
        if raw_filter or raw_order:
            query = query.raw(filter=raw_filter, orderby=raw_order)
        for word in _words(self.sort):
            column = conditions.column(word.lstrip("+-"))
            query = query.order(column.logical, desc=word.startswith("-"))
        return query if query.ordering else _newest_first(query, seen.info)

    def card(self, seen: Look, page: Page, shown: Sequence[str] = (), said: tuple[str, ...] = ()) -> Card:
        """One page as a card; `said`: in words what was looked for."""
        view = seen.view
        if not page.rows:
            return self._empty(seen, said)
        # A page of a list knows how many there are in all; with `top`, what came is all that was asked for.
        count = f"{page.count}{'+' if page.count_exceeded else ''}" if page.count is not None else str(len(page.rows))
        noun = view.noun if count == "1" else view.plural
        title = (
            f"{count} {noun}" if not self.top or count == str(len(page.rows)) else f"{len(page.rows)} of {count} {noun}"
        )
        return Card(
            kind=CardKind.LIST,
            title=title,
            text=said,
            rows=tuple(seen.line(row, columns=shown) for row in page.rows),
            actions=tuple(self._paging(page)),
            more=tuple(self._sorting(seen)),
        )

    def _said(self, conditions: Conditions) -> tuple[str, ...]:
        parts = [
            describe(self.where, conditions.said) if self.where != And() else "",
            f"OData: {self.filter}" if self.filter else "",
        ]
        said = "; ".join(filter(None, parts))
        return (said[:1].upper() + said[1:],) if said else ()

    def _paging(self, page: Page) -> Iterable[Action]:
        if self.page:
            yield Action(label="First page", press=self._with(page=""))
        if page.next_link and not self.top:
            yield Action(label="Next page", press=self._with(page=page.next_link))

    def _sorting(self, seen: Look) -> Iterable[Action]:
        has = seen.info.columns
        for label, word, column in (
            ("Newest first", "-created", "createdon"),
            ("Last changed first", "-modified", "modifiedon"),
            ("By name", seen.view.title.logical, seen.view.title.logical),
        ):
            if column in has and self.sort != word:
                yield Action(label=label, press=self._with(sort=word, page=""))

    def _empty(self, seen: Look, said: tuple[str, ...]) -> Card:
        view = seen.view
        create = Press(do=Do.FORM, verb=f"{view.noun} create")
        actions = [Action(label=f"Create {view.noun}", press=create)]
        narrowed = bool(said)
        if narrowed:
            actions.insert(0, Action(label=f"All {view.plural}", press=Press(do=Do.RUN, verb=self.verb)))
        said = said or (f"There are no {view.plural} that you may see.",)
        hint = ("Leave out a condition, or write less of a name.",) if narrowed else ()
        return Card(kind=CardKind.LIST, title=f"No {view.plural}", text=(*said, *hint), actions=tuple(actions))

    def _with(self, **changed: str) -> Press:
        args = {k: v for k, v in {**self.args(), **changed}.items() if v}
        return Press(do=Do.RUN, verb=self.verb, args=args)


class Search(Record):
    """A base: finds records by a text."""

    text: Text
    """A part of a name, number, company or e-mail address."""

    async def run(self, ctx: Context) -> Reply:
        """One request looks in every column that people search by."""
        seen = await look(ctx, self.of.logical)
        searched = [c.logical for c in seen.view.searched if c.logical in seen.info.columns]
        # All that a record card shows, so that a single match needs no second request.
        query = Query(self.of.logical).select(*dict.fromkeys((*_listed(seen, ()), *reads(seen))))
        query = query.where(any_of(col(c).contains(self.text) for c in searched)).top(_PAGE).count()
        page = await ctx.crm.page(_newest_first(query, seen.info))
        view = seen.view
        if not page.rows:
            create = Press(do=Do.FORM, verb=f"{view.noun} create")
            everywhere = Press(do=Do.RUN, verb="search", args={"text": self.text})
            actions = (
                Action(label="Search everywhere", press=everywhere),
                Action(label=f"Create {view.noun}", press=create),
            )
            title = f"No {view.noun} matches “{self.text}”"
            return Reply(card=Card(kind=CardKind.LIST, title=title, actions=actions))
        if len(page.rows) == 1:
            return Reply(card=seen.record(page.rows[0]))
        card = Card(
            kind=CardKind.LIST,
            title=f"{page.count or len(page.rows)} {view.plural} match “{self.text}”",
            rows=tuple(seen.line(row) for row in page.rows),
        )
        return Reply(card=card)


def _words(text: str | None) -> list[str]:
    return [w for w in (part.strip() for part in (text or "").split(",")) if w]


def _listed(seen: Look, shown: Iterable[str]) -> list[str]:
    has = seen.info.columns
    return [c for c in dict.fromkeys((*seen.view.list_columns, *shown)) if c in has]


def _newest_first(query: Query, info: TableInfo) -> Query:
    return query.order("createdon", desc=True) if "createdon" in info.columns else query
