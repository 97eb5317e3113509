"""The database under the journal: SQLite or PostgreSQL, opened for DBOS, with everything in it encrypted."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from dbos import DBOSClient
from dbos._serialization import Serializer  # its public home is the config's `serializer`; the class has no other

from .state import Cipher

_LOCKED: Final = 0.5
"""Seconds that a new job waits for a locked journal before it is refused."""


class Sealed(Serializer):
    """JSON, encrypted: neither arguments nor results can be read, or turned into code, by whoever reads the file."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def serialize(self, data: Any) -> str:
        """Text for the journal."""
        if isinstance(data, BaseException):
            data = {"error": type(data).__name__}
        return self._cipher.encrypt(json.dumps(data).encode()).decode()

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805  the parent names it so
        """Back from the journal."""
        return json.loads(cls._cipher.decrypt(serialized_data.encode()))

    def name(self) -> str:
        """What the journal calls this format."""
        return "crmchat_sealed_json"


def open_client(path: Path, cipher: Cipher, url: str) -> DBOSClient:
    """The journal, for whoever executes nothing of it. A lost connection is said at once, not waited for."""
    given: dict[str, Any] = {} if url else {"system_database_engine": sqlite_engine(path)}
    return DBOSClient(
        system_database_url=url or f"sqlite:///{path}",
        serializer=Sealed(cipher),
        application_name="crmchat",
        retry_connection_errors=False,
        **given,
    )


def sqlite_engine(path: Path) -> sa.Engine:
    """WAL and two connections: with DBOS's own settings unfair busy waiting makes a long tail before the answer."""
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=2, max_overflow=0)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if sqlite3.sqlite_version_info < (3, 42):
            # DBOS looks at Python's version, not SQLite's, before it uses this function.
            connection.create_function("unixepoch", 1, lambda _modifier: time.time())

    return engine


def probe(path: Path, *, write: bool) -> None:
    """Whether a job could be written now: raises sqlite3.Error where it could not. `write`: not only the lock."""
    db = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_LOCKED, isolation_level=None)
    try:
        db.execute("BEGIN IMMEDIATE")
        if write:
            db.execute("PRAGMA user_version = 1")
        db.execute("COMMIT")
    finally:
        db.close()
