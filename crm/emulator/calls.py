"""Actions and functions: finding the operation that a URL names, and reading its parameters."""

import re

from .absent import no_resource
from .catalog import Table
from .errors import DataverseError, bad_request
from .odata import CRM, parse_parameter
from .registry import Call, Operation, Registry
from .session import Session
from .wire import Request, Response, Segment, pairs


def _kind(request: Request) -> str:
    if request.method == "POST":
        return "action"
    if request.method == "GET":
        return "function"
    raise DataverseError(405, "0x80060888", f"The requested resource does not support http method '{request.method}'.")


def find_unbound(registry: Registry, request: Request) -> Operation | None:
    """The action or function at the service root that the request calls, or None."""
    if len(request.segments) != 1 or request.method not in {"GET", "POST"}:
        return None
    name = request.segments[0].name.removeprefix(CRM)
    return registry.find(_kind(request), name, None)


def call_unbound(session: Session, request: Request, registry: Registry) -> Response:
    """Call an operation at the service root.

    Raises: DataverseError 404 for a name that is none.
    """
    operation = find_unbound(registry, request)
    segment = request.segments[0]
    if operation is None:
        raise no_resource(segment.name)
    return operation.handler(session, Call(request=request, parameters=_parameters(operation, segment, request)))


def find_bound(
    registry: Registry, table: Table, rest: list[Segment], request: Request, *, row: bool
) -> Operation | None:
    name = rest[0].name.removeprefix(CRM)
    return registry.find(_kind(request), name, "entity" if row else "collection", table.logical_name)


def call_bound(
    session: Session, table: Table, row_id: str | None, rest: list[Segment], request: Request, registry: Registry
) -> Response:
    """Call an operation on an entity set or (with `row_id`) on a row.

    Raises: DataverseError 404.
    """
    operation = find_bound(registry, table, rest, request, row=row_id is not None)
    if operation is None or len(rest) != 1:
        raise no_resource(rest[-1].name)
    parameters = _parameters(operation, rest[0], request)
    return operation.handler(session, Call(request=request, parameters=parameters, table=table, id=row_id))


def refuse_unqualified(registry: Registry, table: Table, rest: list[Segment], request: Request, *, row: bool) -> None:
    """Raises: DataverseError 400 for a bound action that is called without `Microsoft.Dynamics.CRM.`."""
    if request.method == "POST" and find_bound(registry, table, rest, request, row=row):
        raise bad_request("Request message has unresolved parameters.")


def _parameters(operation: Operation, segment: Segment, request: Request) -> dict[str, object]:
    if operation.kind == "action":
        return request.record() if request.body.strip() else {}
    found: dict[str, object] = {}
    for name, value in pairs(segment.args or ""):
        if not name and not value:
            continue
        if not re.fullmatch(r"\w+", name):
            raise bad_request(f"Bad Request - Error in query syntax: '{segment}'.")
        found[name] = parse_parameter(value, request.query)
    return found
