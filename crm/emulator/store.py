"""SQLite: one writer thread, several reader threads, and the schema's tables in it. The event loop never waits.

A file holds: one SQLite table per Dataverse table; `_catalog` (run-time schema), `_meta`, `_deleted` (tombstones
for delta links), `_autonumber`, `_file` and `_chunk` (file contents, also of uploads under way). Text columns have
a twin `name__f` with the folded text, which filters, sorts and indexes use, so that the file stays readable with
any SQLite tool. Instants are whole seconds since 1970, a polymorphic lookup keeps its target table in `name__t`.
"""

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson

from .catalog import Catalog, Table
from .catalog_json import dump_table, load_standard, overlay, read_table
from .errors import SQL_TIMEOUT, DataverseError, bad_request
from .sqlite_tables import (
    create_activity_view,
    create_table,
    quote,
)
from .store_claim import StoreError, claim
from .text import fold

T = TypeVar("T")
READERS = 3
READ_SECONDS = 120.0
"""How long a read may take before it is given up: Dataverse's own limit for a message."""
_LIMITS = ("parser stack overflow", "too large (maximum depth", "tables in a join", "pattern too complex", "too many")
"""What SQLite says of statements beyond its limits (sqlite.org/limits.html)."""
FORMAT = 1
_SYSTEM_TABLES = """
CREATE TABLE IF NOT EXISTS _meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _catalog (logical_name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _deleted (version INTEGER PRIMARY KEY, table_name TEXT NOT NULL, id TEXT NOT NULL, deleted_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS _autonumber (table_name TEXT, column_name TEXT, next INTEGER NOT NULL, PRIMARY KEY (table_name, column_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _file (id TEXT PRIMARY KEY, name TEXT NOT NULL, mime TEXT NOT NULL, size INTEGER NOT NULL, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _chunk (file TEXT, number INTEGER, label TEXT, bytes BLOB NOT NULL, PRIMARY KEY (file, number));
"""  # noqa: E501


class Transaction:
    """What a unit of work sees: one connection, the catalog, and (when writing) the next row version."""

    def __init__(self, connection: sqlite3.Connection, catalog: Catalog, *, writing: bool) -> None:
        self.connection = connection
        self.catalog = catalog
        self.writing = writing
        self._version: int | None = None

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises: DataverseError 400 for a query beyond what SQLite takes.
        """
        try:
            return self.connection.execute(sql, tuple(parameters))
        except sqlite3.OperationalError as error:
            if any(limit in str(error) for limit in _LIMITS):
                raise bad_request("The query is too complex: it has too many levels or too many joins.") from None
            raise

    def next_version(self) -> int:
        """A row version above all earlier ones of this file."""
        if self._version is None:
            self._version = int(self.meta("version", 0))
        self._version += 1
        return self._version

    def version(self) -> int:
        """The newest row version."""
        return self._version if self._version is not None else int(self.meta("version", 0))

    def meta(self, name: str, default: Any = None) -> Any:
        row = self.connection.execute("SELECT value FROM _meta WHERE name = ?", (name,)).fetchone()
        return default if row is None else row[0]

    def set_meta(self, name: str, value: Any) -> None:
        self.connection.execute("INSERT OR REPLACE INTO _meta VALUES (?, ?)", (name, value))

    def flush(self) -> None:
        """Write what the transaction counted; called once before the commit."""
        if self._version is not None:
            self.set_meta("version", self._version)

    def forget(self) -> None:
        """After a rollback to a savepoint: counts must be read again."""
        self._version = None

    def save_table(self, *tables: Table) -> None:
        """Add or change tables of the schema; takes effect with the commit."""
        for table in tables:
            create_table(self.connection, table)
            self.connection.execute(
                "INSERT OR REPLACE INTO _catalog VALUES (?, ?)",
                (table.logical_name, orjson.dumps(dump_table(table)).decode()),
            )
        self.catalog = self.catalog.with_table(*tables)
        if any(table.is_activity for table in tables):
            create_activity_view(self.connection, self.catalog)

    def drop_table(self, logical_name: str) -> None:
        """Remove a custom table with its rows."""
        self.connection.execute(f"DROP TABLE IF EXISTS {quote(logical_name)}")
        self.connection.execute("DELETE FROM _catalog WHERE logical_name = ?", (logical_name,))
        self.catalog = self.catalog.without_table(logical_name)


class Store:
    """The database. `await open()`, then `read` and `write` run a function in the right thread.

    Args:
        path: a file, created when absent, or `:memory:` (one connection, so reads and writes take turns).
        catalog: the shipped schema; what the file adds to it is laid over.
    """

    def __init__(self, path: str | Path, catalog: Catalog | None = None, *, read_seconds: float = READ_SECONDS) -> None:
        self._read_seconds = read_seconds
        self.memory = str(path) == ":memory:"
        self.path = Path(path)
        self._standard = catalog
        self._catalog = Catalog()
        self._lock: BinaryIO | None = None
        self._schema_lock = threading.Lock()
        """Keeps a reader's snapshot and its catalog together, and a commit that changes the schema with its catalog."""
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writer = ThreadPoolExecutor(1, "emulator-writer")
        self._readers = self._writer if self.memory else ThreadPoolExecutor(READERS, "emulator-reader")

    @property
    def catalog(self) -> Catalog:
        return self._catalog

    async def open(self) -> None:
        """Raises: StoreError, SchemaError."""
        loop = asyncio.get_running_loop()
        try:
            if not self.memory:
                self._lock = claim(self.path)
            await loop.run_in_executor(self._writer, self._prepare)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what is running, fold the log into the file, release it."""
        loop = asyncio.get_running_loop()
        if self._readers is not self._writer:
            await loop.run_in_executor(None, self._readers.shutdown)
        await loop.run_in_executor(None, self._writer.shutdown)
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on a consistent snapshot.

        Raises: DataverseError 503 when it takes longer than `read_seconds`.
        """
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction: committed and on disk when this returns, rolled back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._write, work)

    def _read(self, work: Callable[[Transaction], T]) -> T:
        connection = self._connection()
        self._local.deadline = time.monotonic() + self._read_seconds
        with self._schema_lock:
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM _meta LIMIT 1").fetchone()  # the first read is what takes the snapshot
            catalog = self._catalog
        try:
            return work(Transaction(connection, catalog, writing=False))
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise
            raise DataverseError(503, SQL_TIMEOUT, "The query ran too long. Narrow it down.") from None
        finally:
            self._local.deadline = math.inf
            connection.execute("ROLLBACK")

    def _write(self, work: Callable[[Transaction], T]) -> T:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        transaction = Transaction(connection, self._catalog, writing=True)
        try:
            result = work(transaction)
            transaction.flush()
            if transaction.catalog is self._catalog:
                connection.execute("COMMIT")
            else:
                with self._schema_lock:
                    connection.execute("COMMIT")
                    self._catalog = transaction.catalog
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _connection(self) -> sqlite3.Connection:
        held: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if held is None:
            held = sqlite3.connect(
                ":memory:" if self.memory else self.path, isolation_level=None, check_same_thread=False,
                cached_statements=512, timeout=30,
            )  # fmt: skip
            held.create_function("fold", 1, lambda text: None if text is None else fold(str(text)), deterministic=True)
            local = self._local
            held.set_progress_handler(lambda: time.monotonic() > getattr(local, "deadline", math.inf), 100_000)
            held.execute("PRAGMA synchronous = FULL")
            held.execute("PRAGMA cache_size = -64000")
            held.execute("PRAGMA wal_autocheckpoint = 8000")
            held.execute("PRAGMA temp_store = MEMORY")
            self._local.connection = held
            self._connections.append(held)
        return held

    def _prepare(self) -> None:
        try:
            connection = self._connection()
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SYSTEM_TABLES)
            connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(connection, Catalog(), writing=True)
            held = transaction.meta("format")
            if held is not None and held != FORMAT:
                raise StoreError(
                    f"{self.path} was written by another version of the emulator (format {held}, not {FORMAT}). "
                    "Use another file, or delete it to start afresh."
                )
            transaction.set_meta("format", FORMAT)
            saved = [
                read_table(orjson.loads(row[0]), source=row[1])
                for row in connection.execute("SELECT definition, logical_name FROM _catalog")
            ]
            self._catalog = overlay(self._standard or load_standard(), saved)
            for table in self._catalog:
                create_table(connection, table)
            create_activity_view(connection, self._catalog)
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} cannot be used as the emulator's database: {error}. "
                "Give the path of a file that the emulator made, or of a new one."
            ) from error
