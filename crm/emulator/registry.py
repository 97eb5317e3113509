"""Where modules announce what they answer: resources, actions and functions.

A module has a function `register(registry: Registry) -> None` and stands in `modules.MODULES`; it needs to know nothing
of sockets, threads or batches. Handlers run in a database thread, inside the request's transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .catalog import Table
from .session import Change, Row, Session
from .wire import Request, Response

Bound = Literal["entity", "collection"]
Resource = Callable[[Session, Request], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of an action or function.

    Attributes:
        parameters: the body of an action; the decoded parameters of a function (aliases resolved, JSON and literals
            as Python values).
        table, id: what a bound operation is called on.
    """

    request: Request
    parameters: dict[str, Any]
    table: Table | None = None
    id: str | None = None


Handler = Callable[[Session, Call], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An action (POST) or function (GET).

    Attributes:
        bound: called on a row, on an entity set, or (None) at the service root.
        tables: logical names it is bound to; None for all.
        reads: it changes nothing, although it is a POST.
    """

    name: str
    handler: Handler
    kind: Literal["action", "function"]
    bound: Bound | None = None
    tables: frozenset[str] | None = None
    reads: bool = False


BeforeWrite = Callable[[Session, Table, Row, Row | None], None]
AfterWrite = Callable[[Session, Change], None]
EVERY_TABLE = "*"


@dataclass(slots=True)
class Registry:
    resources: dict[str, Resource] = field(default_factory=dict)
    operations: dict[tuple[str, str, str | None], list[Operation]] = field(default_factory=dict)
    before_write: dict[str, list[BeforeWrite]] = field(default_factory=dict)
    after_write: dict[str, list[AfterWrite]] = field(default_factory=dict)

    def resource(self, segment: str, handler: Resource) -> None:
        """Answer every request whose path begins with this segment (`EntityDefinitions`, `$metadata`)."""
        self.resources[segment] = handler

    def action(
        self,
        name: str,
        handler: Handler,
        *,
        bound: Bound | None = None,
        tables: frozenset[str] | None = None,
        reads: bool = False,
    ) -> None:
        operation = Operation(name=name, handler=handler, kind="action", bound=bound, tables=tables, reads=reads)
        self.operations.setdefault(("action", name, bound), []).append(operation)

    def function(
        self, name: str, handler: Handler, *, bound: Bound | None = None, tables: frozenset[str] | None = None
    ) -> None:
        operation = Operation(name=name, handler=handler, kind="function", bound=bound, tables=tables, reads=True)
        self.operations.setdefault(("function", name, bound), []).append(operation)

    def find(self, kind: str, name: str, bound: Bound | None, table: str | None = None) -> Operation | None:
        for operation in self.operations.get((kind, name, bound), ()):
            if operation.tables is None or table in operation.tables:
                return operation
        return None

    def rule_before(self, table: str, rule: BeforeWrite) -> None:
        """Run before a row of this table (or of EVERY_TABLE) is written: see session.Rules."""
        self.before_write.setdefault(table, []).append(rule)

    def rule_after(self, table: str, rule: AfterWrite) -> None:
        """Run after a row of this table (or of EVERY_TABLE) was written, in the same transaction."""
        self.after_write.setdefault(table, []).append(rule)

    def before(self, session: Session, table: Table, values: Row, before: Row | None) -> None:
        for name in (EVERY_TABLE, table.logical_name):
            for rule in self.before_write.get(name, ()):
                rule(session, table, values, before)

    def after(self, session: Session, change: Change) -> None:
        for name in (EVERY_TABLE, change.table.logical_name):
            for rule in self.after_write.get(name, ()):
                rule(session, change)
