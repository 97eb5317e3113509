"""`$apply`: aggregate, groupby and filter, the subset that Dataverse has.

Facts: learn.microsoft.com/power-apps/developer/data-platform/webapi/query/aggregate-data.
"""

import re
from typing import Any

from .catalog import Table
from .errors import bad_request, not_implemented
from .fetching import MAX_PAGE
from .joined import AGGREGATE_ROWS, Output, Statement, aggregate_output, check_alias, column_output, render, start
from .odata import parse_filter
from .odata_tree import Path
from .operands import Sql, operand
from .options import parse_count
from .read import check_options
from .session import Session
from .sql import condition
from .wire import Request, Response, json_response, split_outside

_OPTIONS = frozenset({"$apply", "$filter", "$orderby", "$top"})
_FUNCTIONS = {"sum": "sum", "min": "min", "max": "max", "average": "avg", "countdistinct": "countdistinct"}


def run_apply(session: Session, table: Table, request: Request) -> Response:
    """Answer a list with `$apply`.

    Raises: DataverseError 400, 501.
    """
    check_options(request, _OPTIONS)
    statement = start(session, table, "")
    if text := request.query.get("$filter"):
        statement.where.append(condition(statement.root, parse_filter(text, request.query)))
    steps = split_outside(request.query["$apply"], "/")
    for index, step in enumerate(steps):
        name, arguments = _call(step)
        if name == "filter" and index < len(steps) - 1:
            statement.where.append(condition(statement.root, parse_filter(arguments, request.query)))
        elif name in {"groupby", "aggregate"} and index == len(steps) - 1:
            _read_step(statement, name, arguments)
        else:
            raise not_implemented(f"The transformation '{name}' at this place of $apply")
    statement.limit_rows(AGGREGATE_ROWS)
    _order(statement, request.query.get("$orderby", ""))
    top = parse_count("$top", request.query["$top"]) if "$top" in request.query else MAX_PAGE
    rows = statement.run(min(top, MAX_PAGE))
    document: dict[str, Any] = {
        "@odata.context": session.context(table.entity_set),
        "value": render(statement, rows, request.prefer),
    }
    return json_response(document, annotations=request.prefer.annotations)


def _call(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", text, re.DOTALL)
    if match is None:
        raise bad_request(f"Syntax error in $apply: '{text[:200]}'.")
    return match[1], match[2]


def _read_step(statement: Statement, name: str, arguments: str) -> None:
    if name == "aggregate":
        _aggregate(statement, arguments)
        return
    parts = split_outside(arguments, ",")
    columns = parts[0].strip()
    if not (columns.startswith("(") and columns.endswith(")")) or len(parts) > 2:
        raise bad_request(f"Syntax error in groupby: '{arguments[:200]}'.")
    for column in split_outside(columns[1:-1], ","):
        _group(statement, column.strip())
    if len(parts) == 2:
        inner, rest = _call(parts[1])
        if inner != "aggregate":
            raise not_implemented(f"'{inner}' inside groupby")
        _aggregate(statement, rest)


def _group(statement: Statement, name: str) -> None:
    """Group by a column, or by one of a related row: `primarycontactid/fullname` is answered as `contact_fullname`."""
    if not re.fullmatch(r"\w+(/\w+)?", name):
        raise not_implemented(f"Grouping by '{name[:100]}'")
    path = Path(tuple(name.split("/")))
    held = operand(statement.root, path)
    if held.column.type == "datetime":
        raise bad_request(f"Grouping by the date and time '{name}' is not supported.")
    if len(path.parts) > 1:
        if held.column.polymorphic:
            raise not_implemented(f"Grouping by '{name}', which may lead to several tables,")
        statement.group.append(held.comparable)
        related = f"{held.table.logical_name}_{held.column.name}"
        statement.outputs.append(Output(related, held.stored, held.column, held.table, sparse=True))
        return
    statement.group.append(held.comparable)
    output = column_output(statement.root, held, name, sparse=True)
    if output.target is not None:
        statement.group.append(output.target)
    statement.outputs.append(output)


def _aggregate(statement: Statement, text: str) -> None:
    for item in split_outside(text, ","):
        if match := re.fullmatch(r"\s*\$count\s+as\s+(\w+)\s*", item):
            statement.outputs.append(aggregate_output(None, "count", check_alias(match[1])))
        elif match := re.fullmatch(r"\s*(\w+)\s+with\s+(\w+)\s+as\s+(\w+)\s*", item):
            function = _FUNCTIONS.get(match[2])
            if function is None:
                raise bad_request(f"The aggregation method '{match[2]}' is not supported.")
            held = operand(statement.root, Path((match[1],)))
            statement.outputs.append(aggregate_output(held, function, check_alias(match[3])))
        else:
            raise bad_request(f"Syntax error in aggregate: '{item[:200]}'.")


def _order(statement: Statement, text: str) -> None:
    for part in split_outside(text, ","):
        words = part.split()
        if not words:
            continue
        if words[0] not in statement.root.table.by_wire_name:
            # An aggregate's alias; the words are Dataverse's (learn.microsoft.com, "Aggregate data using OData").
            raise bad_request("The query node SingleValueOpenPropertyAccess is not supported")
        output = next((output for output in statement.outputs if output.name == words[0]), None)
        if output is None or len(words) > 2 or (len(words) == 2 and words[1] not in {"asc", "desc"}):
            raise bad_request(f"Syntax error in $orderby: '{text[:200]}'. Name a grouped column.")
        statement.order.append(Sql(f"{output.sql.text}{' DESC' if words[-1] == 'desc' else ''}", output.sql.values))
