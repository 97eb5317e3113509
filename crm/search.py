"""Search across tables: Dataverse search where the organisation has it on, filters where not.

Dataverse search ranks by relevance and lags behind writes by seconds to minutes; it is limited to one request a second
per user. Source: Microsoft, "Use Dataverse search": texts of 3 to 100 characters, nested values as escaped JSON.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from .errors import BadAnswer, CrmError, Forbidden, Invalid, NotFound, ServerError, UnknownTable
from .query import Query, any_of, col
from .records import Hit, Json, Row
from .tables import TABLES, Kind

if TYPE_CHECKING:
    from .session import Session

log = logging.getLogger("crm")

_SHORTEST, _LONGEST = 3, 100
_OPERATORS = re.compile(r'[+|"()*\\-]+')


async def search(session: "Session", text: str, tables: Mapping[str, Sequence[str]], *, top: int = 10) -> list[Hit]:
    """Rows of these tables that match the text, best first. `tables`: columns to bring along, by table."""
    words = " ".join(_OPERATORS.sub(" ", text).split())
    if _SHORTEST <= len(words) <= _LONGEST and session.metadata.search_is_on:
        try:
            return await _relevance(session, words, tables, top)
        except (NotFound, Invalid) as error:
            session.metadata.search_is_off(error)
        except (Forbidden, ServerError) as error:
            log.info("filters stand in for Dataverse search: %s", error.message)
    return await _filters(session, " ".join(text.split()), tables, top)


async def _relevance(session: "Session", text: str, tables: Mapping[str, Sequence[str]], top: int) -> list[Hit]:
    entities = [{"name": table, "selectColumns": list(columns)} for table, columns in tables.items()]
    body: dict[str, Json] = {"search": text, "entities": orjson.dumps(entities).decode(), "top": min(top, 100)}
    answer = await session.action("searchquery", body, repeatable=True)
    try:
        response = orjson.loads(answer["response"])
        if response.get("Error"):
            raise Invalid(str(response["Error"].get("message") or "The search was refused."))
        return [_hit(item) for item in response["Value"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BadAnswer("Dataverse answered the search with something else.") from None


def _hit(item: Mapping[str, Any]) -> Hit:
    row = Row(item["EntityName"], item["Id"], dict(item.get("Attributes") or {}))
    return Hit(row, float(item.get("Score") or 0))


async def _filters(session: "Session", text: str, tables: Mapping[str, Sequence[str]], top: int) -> list[Hit]:
    found = await asyncio.gather(
        *(_one_table(session, text, table, columns, top) for table, columns in tables.items()), return_exceptions=True
    )
    hits: list[Hit] = []
    denied: CrmError | None = None
    for result in found:
        if isinstance(result, (Forbidden, UnknownTable)):
            denied = result  # a table that this person may not read has no results for them
        elif isinstance(result, BaseException):
            raise result
        else:
            hits += result
    if denied and not hits and all(isinstance(result, CrmError) for result in found):
        raise denied
    hits.sort(key=lambda hit: -hit.score)
    return hits[:top]


async def _one_table(session: "Session", text: str, table: str, columns: Sequence[str], top: int) -> list[Hit]:
    searched, primary = await _searched(session, table)
    if not text or not searched:
        return []
    query = Query(table).select(*dict.fromkeys([*columns, *searched]))
    page = await session.page(query.where(any_of(col(column).contains(text) for column in searched)).top(top))
    return [Hit(row, _score(str(row.get(primary) or ""), text)) for row in page.rows]


async def _searched(session: "Session", table: str) -> tuple[list[str], str]:
    """The columns in which people expect to find something, and the primary name."""
    standard = TABLES.get(table)
    if standard is None:
        name = (await session.metadata.table(table)).primary_name
        return ([name], name) if name else ([], "")
    columns = [standard.primary_name, *([standard.number] if standard.number else [])]
    columns += [column.logical for column in standard.columns.values() if column.kind is Kind.EMAIL]
    return columns, standard.primary_name


def _score(name: str, text: str) -> float:
    """0 to 1, by how much of the name the text is."""
    name, text = name.casefold(), text.casefold()
    if name == text:
        return 1.0
    return 0.75 if name.startswith(text) else 0.5 if text in name else 0.25
