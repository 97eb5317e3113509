"""Who executes which jobs: the lock that a process holds on its executor id, by which others see that it is dead."""

import asyncio
import fcntl
import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

import psycopg

_PATIENCE = 5.0
"""Seconds for any statement on the kept connection; slower than this is as good as gone."""
_MIGRATION = 60.0
"""Seconds to wait while another process migrates."""
_HASH = "hashtextextended('crmchat:' || %s, 0)"


class ClaimError(Exception):
    """The lock cannot be had; the message says what to do."""


class Claim(Protocol):
    """A lock that ends with its process."""

    executor: str
    """The executor id that it guards."""

    async def take(self) -> None:
        """Raises ClaimError."""
        ...

    async def held(self) -> bool:
        """Whether it is still ours."""
        ...

    async def release(self) -> None:
        """Give it back."""
        ...


class FolderClaim:
    """One process per data folder: a lock on a file in it. A restarted process has the same executor id."""

    def __init__(self, folder: Path) -> None:
        self.executor = "main"
        self._folder, self._path = folder, folder / "journal.lock"
        self._lock: int | None = None

    async def take(self) -> None:
        """See `Claim.take`."""
        await self.release()
        lock = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            os.close(lock)
            raise ClaimError(
                f"Another crmchat process works in {self._folder}. Stop it, or give this one its own folder with "
                "CRMCHAT_DATA_DIR, or share one database among many with DATABASE_URL=postgresql://…"
            ) from e
        self._lock = lock

    async def held(self) -> bool:
        """The kernel keeps it as long as the process lives; worth something while others find the same file."""
        if self._lock is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._lock), self._path.stat())
        except FileNotFoundError:
            return False

    async def release(self) -> None:
        """See `Claim.release`."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class DatabaseClaim:
    """Many processes on one PostgreSQL: an advisory lock on a connection that is kept for nothing else.

    Every `take` is for a new executor id, so that whoever lost the lock never works under an id that others adopt.
    """

    def __init__(self, url: str) -> None:
        self.executor = ""
        self._url = url
        self._db: psycopg.AsyncConnection[tuple[bool]] | None = None

    async def take(self) -> None:
        """See `Claim.take`."""
        await self.release()
        executor = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        try:
            # A machine that vanished without a word loses its lock after 15 s, by the server's own keepalives.
            db = await psycopg.AsyncConnection.connect(
                self._url, autocommit=True, connect_timeout=int(_PATIENCE), application_name="crmchat claim",
                options="-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2",
            )  # fmt: skip
        except psycopg.Error as e:
            raise ClaimError(f"PostgreSQL cannot be reached (DATABASE_URL): {str(e).strip()}") from e
        self._db = db
        if not await self._ask(f"SELECT pg_try_advisory_lock({_HASH})", executor):
            raise ClaimError(f"The executor id {executor} is taken.")
        self.executor = executor

    async def held(self) -> bool:
        """See `Claim.held`."""
        try:
            return await self._ask("SELECT true")
        except (psycopg.Error, TimeoutError):
            return False

    async def release(self) -> None:
        """See `Claim.release`."""
        if self._db:
            with suppress(psycopg.Error, TimeoutError):
                await asyncio.wait_for(self._db.close(), _PATIENCE)
            self._db = None

    @asynccontextmanager
    async def of_dead(self, executor: str) -> AsyncIterator[bool]:
        """Whether the process of this id is gone; while True its lock is ours. Raises psycopg.Error, TimeoutError."""
        dead = await self._ask(f"SELECT pg_try_advisory_lock({_HASH})", executor)
        try:
            yield dead
        finally:
            if dead:
                await self._ask(f"SELECT pg_advisory_unlock({_HASH})", executor)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """One process at a time: for migrations."""
        # Asked again and again: a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY waits for those.
        async with asyncio.timeout(_MIGRATION):
            while not await self._ask(f"SELECT pg_try_advisory_lock({_HASH})", "migrations"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        try:
            yield
        finally:
            await self._ask(f"SELECT pg_advisory_unlock({_HASH})", "migrations")

    async def _ask(self, statement: str, *values: str) -> bool:
        if self._db is None:
            return False
        async with asyncio.timeout(_PATIENCE):
            row = await (await self._db.execute(statement, values)).fetchone()
        return bool(row and row[0])
