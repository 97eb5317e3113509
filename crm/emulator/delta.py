"""Delta links: what changed in a table since a moment (`Prefer: odata.track-changes`).

Facts: learn.microsoft.com/power-apps/developer/data-platform/use-change-tracking-synchronize-data-external-systems.
A link names a row version; the answer holds rows above it in order of version, then the ids of deleted rows.
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote as encode

from .catalog import Table
from .errors import BAD_COOKIE, DataverseError, bad_request
from .fetching import MAX_PAGE, where
from .operands import Scope, Sql
from .options import parse_names
from .render import fetch_names, render_rows, selected_columns
from .session import Session
from .sqlite_tables import quote
from .values import EPOCH
from .wire import Request, Response, json_response

VALID_DAYS = 7
EXPIRED = "0x80044352"
NOT_ENABLED = "0x80044351"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a synchronisation stands: changes above `since` up to `until`, `last` version already given."""

    since: int
    until: int
    last: int


def list_changes(session: Session, table: Table, request: Request, *, counting: bool = False) -> Response:
    """Answer a list with `odata.track-changes`, a delta link, or (`counting`) how many changes a link would give.

    Raises: DataverseError 400.
    """
    if not table.change_tracking:
        raise DataverseError(400, NOT_ENABLED, f"Change tracking is not enabled for the table '{table.logical_name}'.")
    for name in ("$filter", "$orderby", "$expand", "$top", "$count", "$apply"):
        if name in request.query:
            raise bad_request(f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.')
    place = _place(session, request)
    if counting:
        return Response(200, f"\ufeff{_count(session, table, place)}".encode(), [("Content-Type", "text/plain")])
    return _page(session, table, request, place)


def _place(session: Session, request: Request) -> Place:
    if token := request.query.get("$skiptoken"):
        match = re.fullmatch(r"tracking:(\d{1,18}):(\d{1,18}):(\d{1,18})", token)
        if match is None:
            raise DataverseError(400, BAD_COOKIE, "Paging cookie is invalid: follow @odata.nextLink as it was given.")
        return Place(int(match[1]), int(match[2]), int(match[3]))
    until = session.tx.version()
    if "$deltatoken" not in request.query:
        return Place(0, until, 0)
    since, moment = read_token(request.query["$deltatoken"])
    if session.now - moment > VALID_DAYS * 86400:
        raise DataverseError(
            400, EXPIRED, "Version stamp associated with the client has expired. Please perform a full sync."
        )
    return Place(since, until, since)


def read_token(token: str) -> tuple[int, int]:
    """`919042!08/22/2017 08:10:44` -> row version, seconds since 1970.

    Raises: DataverseError 400.
    """
    match = re.fullmatch(r"(\d{1,18})!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)", token)
    if match is not None:
        try:
            moment = datetime.strptime(match[2], "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
            return int(match[1]), int((moment - EPOCH).total_seconds())
        except ValueError:
            pass
    raise bad_request("The delta token is invalid: follow @odata.deltaLink as it was given.")


def _changed(session: Session, table: Table, place: Place) -> tuple[Scope, Sql]:
    scope = Scope(session, table, "t")
    between = Sql("t.versionnumber > ? AND t.versionnumber <= ?", (place.last, place.until))
    return scope, where(scope, None, between)


def _deleted(session: Session, table: Table, place: Place, limit: int) -> list[tuple[int, str]]:
    if not place.since:
        return []
    return session.tx.execute(
        "SELECT version, id FROM _deleted WHERE table_name = ? AND version > ? AND version <= ? "
        "ORDER BY version LIMIT ?",
        (table.logical_name, max(place.since, _tombstone_start(place)), place.until, limit),
    ).fetchall()


def _tombstone_start(place: Place) -> int:
    """Tombstones follow the rows: their pages go on from `last` once that is above `until`."""
    return place.last - place.until if place.last > place.until else 0


def _count(session: Session, table: Table, place: Place) -> int:
    _, kept = _changed(session, table, place)
    source = f"SELECT count(*) FROM {quote(table.logical_name)} t WHERE {kept.text}"
    rows: int = session.tx.execute(source, kept.values).fetchone()[0]
    return rows + len(_deleted(session, table, place, MAX_PAGE))


def _page(session: Session, table: Table, request: Request, place: Place) -> Response:
    size = min(request.prefer.max_page_size or MAX_PAGE, MAX_PAGE)
    select = parse_names(request.query["$select"]) if "$select" in request.query else None
    columns = selected_columns(table, select)
    names = fetch_names(table, columns, request.prefer)
    values: list[dict[str, Any]] = []
    last = place.last
    if place.last <= place.until:
        _, kept = _changed(session, table, place)
        listed = ", ".join(f"t.{quote(name)}" for name in names)
        found = session.tx.execute(
            f"SELECT {listed} FROM {quote(table.logical_name)} t WHERE {kept.text} ORDER BY t.versionnumber LIMIT ?",
            (*kept.values, size + 1),
        ).fetchall()
        rows = [dict(zip(names, row, strict=True)) for row in found[:size]]
        values = render_rows(session, rows, columns, request.prefer)
        if len(found) > size:
            return _answer(session, table, request, values, Place(place.since, place.until, rows[-1]["versionnumber"]))
        last = place.until
    room = size - len(values)
    gone = _deleted(session, table, Place(place.since, place.until, last), room + 1)
    context = session.context(f"{table.entity_set}/$deletedEntity")
    values.extend({"@odata.context": context, "id": key, "reason": "deleted"} for _, key in gone[:room])
    if len(gone) > room:
        mark = gone[room - 1][0] if room else max(place.since, _tombstone_start(Place(place.since, place.until, last)))
        return _answer(session, table, request, values, Place(place.since, place.until, place.until + mark))
    return _answer(session, table, request, values, None, place.until)


def _answer(
    session: Session,
    table: Table,
    request: Request,
    values: list[dict[str, Any]],
    following: Place | None,
    until: int = 0,
) -> Response:
    select = request.query.get("$select")
    options = [f"$select={encode(select, safe='')}"] if select else []
    document: dict[str, Any] = {
        "@odata.context": session.context(f"{table.entity_set}{f'({select})' if select else ''}/$delta"),
        "value": values,
    }
    link = f"{session.base}/{table.entity_set}?"
    if following is not None:
        token = f"$skiptoken=tracking:{following.since}:{following.until}:{following.last}"
        document["@odata.nextLink"] = link + "&".join([*options, token])
    else:
        moment = datetime.fromtimestamp(session.now, UTC).strftime("%m/%d/%Y %H:%M:%S")
        token = encode(f"{until}!{moment}", safe="").lower()
        document["@odata.deltaLink"] = link + "&".join([*options, f"$deltatoken={token}"])
    return json_response(document, headers=[("Preference-Applied", "odata.track-changes")])
