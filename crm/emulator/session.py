"""What one request may touch: the transaction, who calls, what time it is, and the changes to announce."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from .catalog import Catalog, Table
from .errors import bad_request, no_segment
from .store import Transaction

Row = dict[str, Any]
"""Storage values by SQLite column name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks. `user_id` is whose rights and ownership count; `acting_id` the impersonating application, if any."""

    user_id: str
    business_unit_id: str
    acting_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row changed by a committed request.

    Attributes:
        message: `Create`, `Update` or `Delete`.
        values: what was written, as storage values; empty for Delete.
        before: the row before (empty for Create); after: the row after (empty for Delete).
    """

    message: str
    table: Table
    id: str
    caller: Caller
    values: Row = field(default_factory=dict)
    before: Row = field(default_factory=dict)
    after: Row = field(default_factory=dict)


class Security(Protocol):
    """Who calls and what they may do. The one place that decides both."""

    def identify(self, transaction: Transaction, headers: Mapping[str, str]) -> Caller:
        """The caller of a request, from its (lower-case) headers.

        Raises: DataverseError 401 or 403.
        """

    def authorise(self, session: "Session", table: Table, privilege: str, row: Row | None) -> None:
        """Let `create read write delete assign append appendto share` on this row pass (None: before there is one).

        Raises: DataverseError 403.
        """

    def readable(self, session: "Session", table: Table, alias: str) -> tuple[str, list[Any]] | None:
        """An SQL condition that keeps what the caller may read in a list, or None for everything.

        Raises: DataverseError 403 when the caller may read nothing of the table.
        """


class Rules(Protocol):
    """What a table does by itself when its rows change, in the same transaction."""

    def before(self, session: "Session", table: Table, values: Row, before: Row | None) -> None:
        """Complete or refuse `values` (storage form) before they are written; `before` is None on create."""

    def after(self, session: "Session", change: Change) -> None:
        """Follow a written change: totals, side records."""


class Session:
    """One request's (or one change set's) unit of work."""

    def __init__(
        self,
        transaction: Transaction,
        *,
        caller: Caller,
        security: Security,
        rules: Rules,
        base: str,
        references: Mapping[str, str] | None = None,
        detect_duplicates: bool = False,
    ) -> None:
        self.tx = transaction
        self.caller = caller
        self.security = security
        self.rules = rules
        self.base = base
        self.references = references or {}
        self.detect_duplicates = detect_duplicates
        self.now = int(datetime.now(UTC).timestamp())
        self.changes: list[Change] = []

    @property
    def catalog(self) -> Catalog:
        return self.tx.catalog

    def table(self, logical_name: str) -> Table:
        """Raises: DataverseError 400 for a table that does not exist."""
        table = self.catalog.get(logical_name)
        if table is None:
            raise bad_request(
                f"The entity with a name = '{logical_name}' was not found in the MetadataCache.", "0x80060888"
            )
        return table

    def set(self, entity_set: str) -> Table:
        """Raises: DataverseError 404 for an entity set that does not exist."""
        table = self.catalog.sets.get(entity_set)
        if table is None:
            raise no_segment(entity_set)
        return table

    def url(self, table: Table, row_id: str) -> str:
        """The absolute URL of a row."""
        return f"{self.base}/{table.entity_set}({row_id})"

    def context(self, suffix: str) -> str:
        """The value of `@odata.context`."""
        return f"{self.base}/$metadata#{suffix}"
