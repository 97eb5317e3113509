"""Rows out of the store that the caller may read: a page, one row, a count."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote as encode

from .catalog import Collection, Table
from .errors import not_found
from .odata_tree import Node
from .operands import Scope, Sql, join
from .session import Row, Session
from .sorting import SortKey, after, order_by
from .sql import condition, related
from .sqlite_tables import quote
from .wire import Request

MAX_PAGE = 5000
_OWNERS = frozenset({"ownerid", "owningbusinessunit"})
"""What decides whether a row may be read; a selection may leave out either."""


def where(scope: Scope, node: Node | None, *more: Sql) -> Sql:
    """The caller's filter, what the caller may read, and further conditions, as one."""
    items = [*more]
    if node is not None:
        items.append(condition(scope, node))
    allowed = scope.session.security.readable(scope.session, scope.table, scope.alias)
    if allowed is not None:
        items.append(Sql(allowed[0], tuple(allowed[1])))
    return join("AND", items)


def count_rows(scope: Scope, kept: Sql) -> tuple[int, bool]:
    """How many rows match, up to 5000, and whether there are more."""
    source = f"SELECT 1 FROM {quote(scope.table.logical_name)} t WHERE {kept.text} LIMIT {MAX_PAGE + 1}"
    found: int = scope.session.tx.execute(f"SELECT count(*) FROM ({source})", kept.values).fetchone()[0]
    return min(found, MAX_PAGE), found > MAX_PAGE


def select_page(
    scope: Scope,
    names: Sequence[str],
    kept: Sql,
    keys: Sequence[SortKey],
    last: Sequence[Any] | None,
    limit: int,
) -> tuple[list[Row], list[tuple[Any, ...]]]:
    """The rows of one page and each row's sort values."""
    if last is not None:
        kept = join("AND", [kept, after(keys, last)])
    order = order_by(keys)
    listed = ", ".join(f"t.{quote(name)}" for name in names)
    sorted_by = ", ".join(key.sql.text for key in keys)
    sort_values = tuple(value for key in keys for value in key.sql.values)
    found = scope.session.tx.execute(
        f"SELECT {listed}, {sorted_by} FROM {quote(scope.table.logical_name)} t "
        f"WHERE {kept.text} ORDER BY {order.text} LIMIT ?",
        (*sort_values, *kept.values, *order.values, limit),
    ).fetchall()
    width = len(names)
    return [dict(zip(names, row[:width], strict=True)) for row in found], [row[width:] for row in found]


def next_link(session: Session, path: str, request: Request, cookie: str) -> str:
    """The absolute link to the next page: the same query with the place to go on from."""
    kept = [(name, value) for name, value in request.query.items() if name != "$skiptoken"]
    options = [f"{name}={encode(value, safe='')}" for name, value in (*kept, ("$skiptoken", cookie))]
    return f"{session.base}/{path}?{'&'.join(options)}"


def collection_scope(
    session: Session, table: Table, key: str, collection: Collection, node: Node | None = None
) -> tuple[Scope, Sql]:
    """The rows of one row's collection: a scope on alias `t` and the condition that keeps them."""
    target = session.table(collection.table)
    scope = Scope(session, target, "t")
    owner = Scope(session, table, "o", counter=scope.counter)
    source = related(owner, collection.name, target, "t")
    text = source.split(" WHERE ", 1)[1].replace(f"o.{quote(table.primary_id)}", "?", 1)
    return scope, where(scope, node, Sql(text, (key,)))


def get_row(session: Session, table: Table, key: str, names: Sequence[str]) -> Row:
    """One row that the caller may read.

    Raises: DataverseError 403, 404.
    """
    found = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(table.logical_name)} WHERE {quote(table.primary_id)} = ?",
        (key,),
    ).fetchone()
    if found is None:
        raise not_found(table.logical_name, key)
    row = dict(zip(names, found, strict=True))
    session.security.authorise(
        session, table, "read", row if row.keys() >= _OWNERS else _owned(session, table, key, row)
    )
    return row


def _owned(session: Session, table: Table, key: str, row: Row) -> Row:
    if "ownerid" not in table.columns or table.ownership != "user":
        return row
    names = [name for name in ("ownerid", "ownerid__t", "owningbusinessunit") if name.split("__")[0] in table.columns]
    found = session.tx.execute(
        f"SELECT {', '.join(map(quote, names))} FROM {quote(table.logical_name)} WHERE {quote(table.primary_id)} = ?",
        (key,),
    ).fetchone()
    return {**row, **dict(zip(names, found, strict=True))}
