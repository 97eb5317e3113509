"""Webhooks: committed changes are posted to whoever registered, as Dataverse's asynchronous steps do.

What is to be sent is written in the transaction that makes the change (`_outbox`) and removed when its delivery has
ended, so a message survives the process: each is delivered at least once. Writers never wait for an endpoint.
Source: learn.microsoft.com/power-apps/developer/data-platform/use-webhooks; the body is in `messages`.
"""

import asyncio
import functools
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp

from .messages import message
from .registry import EVERY_TABLE
from .service import Service
from .session import Change, Session
from .steps import TABLES, Webhook, registered_steps
from .store import Transaction

log = logging.getLogger(__name__)

TIMEOUT = 60.0
_AT_ONCE = 8
_REPEATED = frozenset({502, 503, 504})
_SCHEMA = """
CREATE TABLE IF NOT EXISTS _webhook (id TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS _ix_outbox ON _outbox (webhook, id)
"""


@dataclass(slots=True)
class Tally:
    """What became of a webhook's messages since the start."""

    delivered: int = 0
    failed: int = 0
    last_failure: str = ""


class Webhooks:
    """The webhooks, registered here or by rows of Dataverse's tables (`steps`), and their deliveries.

    Attributes:
        timeout: seconds that an endpoint has for its answer.
        retry_delay: seconds before the one repetition after 502, 503 or 504.
    """

    def __init__(self, service: Service, *, timeout: float = TIMEOUT, retry_delay: float = 0.5) -> None:
        self.timeout = timeout
        self.retry_delay = retry_delay
        self._store = service.store
        self._registered: dict[str, Webhook] = {}  # replaced, never changed: the writer's thread reads it
        self._steps: dict[str, Webhook] = {}
        """Those of rows that are delivered to; `_told` may know newer ones."""
        self._told: WeakKeyDictionary[Transaction, dict[str, Webhook]] = WeakKeyDictionary()
        self._following: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._tallies: dict[str, Tally] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._http: aiohttp.ClientSession | None = None
        self._ended: list[int] = []
        self._ending = asyncio.Lock()
        service.registry.rule_after(EVERY_TABLE, self._note)
        service.after_commit.append(self._wake)

    async def start(self) -> None:
        """Go on with what the database knows of: registrations, and messages not yet delivered."""

        def read(tx: Transaction) -> list[tuple[str, str]]:
            for statement in _SCHEMA.split(";"):
                tx.execute(statement)
            return tx.execute("SELECT id, definition FROM _webhook").fetchall()

        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        for key, definition in await self._store.write(read):
            self._register(key, Webhook.model_validate_json(definition))
        await self.follow_steps()

    async def stop(self) -> None:
        """End deliveries; what was not delivered stays in the file for the next start."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._end_workers(*self._workers)
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def register(self, webhook: Webhook) -> str:
        """From the next commit on, changes are posted.

        Returns: the webhook's id. Raises: ValueError for a table or column that does not exist.
        """
        for name in webhook.tables:
            if self._store.catalog.get(name) is None:
                raise ValueError(f"The table '{name}' does not exist; give logical names such as 'account'.")
        for column in webhook.columns:
            tables = (self._store.catalog.get(name) for name in webhook.tables)
            if not any(table is not None and column in table.columns for table in tables):
                raise ValueError(f"The column '{column}' is in none of the webhook's tables.")
        key = str(uuid.uuid4())
        await self._store.write(
            lambda tx: tx.execute("INSERT INTO _webhook VALUES (?, ?)", (key, webhook.model_dump_json()))
        )
        self._register(key, webhook)
        return key

    def _register(self, key: str, webhook: Webhook) -> None:
        self._registered = {**self._registered, key: webhook}
        self._begin(key, webhook)

    async def remove(self, *keys: str) -> None:
        """Forget webhooks registered here, with what is not yet delivered to them. Raises: KeyError."""
        missing = [key for key in keys if key not in self._registered]
        if missing:
            raise KeyError(missing[0])
        self._registered = {key: hook for key, hook in self._registered.items() if key not in keys}
        await self._end_workers(*keys)
        await self._forget(*keys)

    async def _forget(self, *keys: str) -> None:
        def forget(tx: Transaction) -> None:
            for key in keys:
                tx.execute("DELETE FROM _webhook WHERE id = ?", (key,))
                tx.execute("DELETE FROM _outbox WHERE webhook = ?", (key,))

        await self._store.write(forget)
        for key in keys:
            self._tallies.pop(key, None)

    async def follow_steps(self) -> None:
        """Deliver to the steps that there are now, and to no others."""
        async with self._changing:
            steps = await self._store.read(registered_steps)
            changed = [key for key, hook in self._steps.items() if steps.get(key) != hook]
            await self._end_workers(*changed)
            if gone := [key for key in changed if key not in steps]:
                await self._forget(*gone)
            self._steps = steps
            for key, hook in steps.items():
                if key not in self._workers:
                    self._begin(key, hook)

    async def clear(self) -> None:
        await self.remove(*self._registered)

    async def describe(self) -> list[dict[str, Any]]:
        """Each webhook without its secrets, and how its deliveries fare."""
        waiting = dict(
            await self._store.read(
                lambda tx: tx.execute("SELECT webhook, count(*) FROM _outbox GROUP BY webhook").fetchall()
            )
        )
        return [
            {
                "id": key,
                "step": key in self._steps,
                "url": hook.url,
                "tables": hook.tables,
                "messages": hook.messages,
                "columns": hook.columns,
                "authentication": "header" if hook.headers else "query" if hook.query else "key" if hook.key else None,
                "waiting": waiting.get(key, 0),
                "delivered": self._tallies[key].delivered,
                "failed": self._tallies[key].failed,
                "last_failure": self._tallies[key].last_failure,
            }
            for key, hook in {**self._registered, **self._steps}.items()
        ]

    # -- in the transaction -------------------------------------------------------------------------------------

    def _note(self, session: Session, change: Change) -> None:
        """Write down what will have to be sent."""
        if change.table.logical_name in TABLES:
            self._told.pop(session.tx, None)
            return
        steps = self._told.get(session.tx)
        if steps is None:
            steps = self._told[session.tx] = registered_steps(session.tx)
        for key, hook in (*self._registered.items(), *steps.items()):
            if hook.wants(change):
                headers, body = message(session, change, key)
                session.tx.execute(
                    "INSERT INTO _outbox (webhook, headers, body) VALUES (?, ?, ?)", (key, headers, body)
                )

    # -- deliveries ---------------------------------------------------------------------------------------------

    def _wake(self, changes: Sequence[Change]) -> None:
        if any(change.table.logical_name in TABLES for change in changes):
            self._following = asyncio.create_task(self._follow_after(self._following))
        for event in self._news.values():
            event.set()

    async def _follow_after(self, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await asyncio.gather(earlier, return_exceptions=True)
        await self.follow_steps()

    def _begin(self, key: str, hook: Webhook) -> None:
        self._tallies.setdefault(key, Tally())
        self._news[key] = asyncio.Event()
        self._workers[key] = asyncio.create_task(self._work(key, hook), name=f"webhook {hook.url}")

    async def _end_workers(self, *keys: str) -> None:
        tasks = [self._workers.pop(key) for key in keys]
        for key in keys:
            del self._news[key]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, key: str, hook: Webhook) -> None:
        """Deliver a webhook's messages, some at once; a slow endpoint holds up only its own."""
        news, free, last = self._news[key], asyncio.Semaphore(_AT_ONCE), 0
        try:
            async with asyncio.TaskGroup() as deliveries:
                while True:
                    await free.acquire()
                    news.clear()
                    found = await self._store.read(functools.partial(_next, key=key, after=last))
                    if found is None:
                        free.release()
                        await news.wait()
                        continue
                    last = found[0]
                    task = deliveries.create_task(self._deliver(hook, self._tallies[key], *found))
                    task.add_done_callback(lambda _: free.release())
        except* Exception:
            log.exception("Deliveries of webhook %s have stopped; they go on when the emulator starts again", key)

    async def _deliver(self, hook: Webhook, tally: Tally, number: int, headers: str, body: bytes) -> None:
        failure = await self._post(hook, json.loads(headers), body)
        if failure is None:
            tally.delivered += 1
        else:
            tally.failed += 1
            tally.last_failure = failure
            log.warning("A webhook message to %s failed: %s", hook.url.partition("?")[0], failure)
        self._ended.append(number)
        async with self._ending:  # while one transaction removes messages, the next ones to remove gather
            ended, self._ended = self._ended, []
            if ended:
                await self._store.write(
                    lambda tx: tx.connection.executemany("DELETE FROM _outbox WHERE id = ?", [(n,) for n in ended])
                )

    async def _post(self, hook: Webhook, headers: Mapping[str, str], body: bytes) -> str | None:
        """Send one message, once more where a gateway failed. Returns: None, or why it was not taken."""
        status = await self._post_once(hook, headers, body)
        if status in _REPEATED:
            await asyncio.sleep(self.retry_delay)
            status = await self._post_once(hook, headers, body)
        if isinstance(status, str):
            return status
        return None if 200 <= status < 300 else f"The endpoint answered {status}."

    async def _post_once(self, hook: Webhook, headers: Mapping[str, str], body: bytes) -> int | str:
        if self._http is None:
            raise RuntimeError("Webhooks are delivered between start and stop.")
        try:
            async with (
                asyncio.timeout(self.timeout),
                self._http.post(
                    hook.address, data=body, headers={**headers, **hook.headers}, allow_redirects=False
                ) as answer,
            ):
                return answer.status
        except TimeoutError:
            return f"The endpoint did not answer within {self.timeout:g} seconds."
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"The endpoint cannot be reached ({type(error).__name__})."


def _next(tx: Transaction, *, key: str, after: int) -> tuple[int, str, bytes] | None:
    row = tx.execute(
        "SELECT id, headers, body FROM _outbox WHERE webhook = ? AND id > ? ORDER BY id LIMIT 1", (key, after)
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])
