"""Where the app is installed: one row a workspace or organisation, tokens encrypted, shared by every process.

slack_sdk's own SQLAlchemy stores keep tokens in clear and append a row for each install, so this is a thin one of ours
behind their interface.
"""

import json
import logging
import secrets
import time
from typing import Any, Protocol

import sqlalchemy as sa
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from .api import Workspace
from .tables import INSTALLATIONS, STATES, inserted

STATE_SECONDS = 600

log = logging.getLogger(__name__)


class Cipher(Protocol):
    """Keeps tokens unreadable at rest; `cryptography.fernet` has this shape."""

    def encrypt(self, data: bytes) -> bytes: ...

    def decrypt(self, token: bytes) -> bytes: ...


class Installations(AsyncInstallationStore):
    """`find` serves every request from memory for `cache_seconds`, so that another process's change is seen soon."""

    def __init__(self, engine: AsyncEngine, cipher: Cipher, *, cache_seconds: float = 15.0) -> None:
        self._engine = engine
        self._cipher = cipher
        self._cache_seconds = cache_seconds
        self._cache: dict[Workspace, tuple[float, Installation | None]] = {}

    async def find(self, where: Workspace) -> Installation | None:
        """The installation that serves a workspace: its own, else its organisation's.

        While the database is away, what was known last serves on. Raises SQLAlchemyError where nothing was.
        """
        now = time.monotonic()
        if (kept := self._cache.get(where)) and kept[0] > now:
            return kept[1]
        try:
            found = await self._look_up(where)
        except SQLAlchemyError as e:
            if kept is None:
                raise
            log.warning("installations cannot be read, and what was known before serves on: %s", type(e).__name__)
            return kept[1]
        if len(self._cache) > 10_000:
            self._cache.clear()
        self._cache[where] = (now + self._cache_seconds, found)
        return found

    async def _look_up(self, where: Workspace) -> Installation | None:
        found = (await self.read(where))[0]
        if found is None and where.enterprise and where.team:
            return (await self.read(Workspace("", where.enterprise)))[0]
        if found is None and where.enterprise:
            return await self._any_of(where.enterprise)
        return found

    async def read(self, where: Workspace) -> tuple[Installation | None, int]:
        """The row itself, and its revision."""
        query = sa.select(INSTALLATIONS.c.data, INSTALLATIONS.c.revision).where(_is(where))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
        return (Installation(**json.loads(self._cipher.decrypt(row.data))), row.revision) if row else (None, 0)

    async def _any_of(self, enterprise: str) -> Installation | None:
        """Of an organisation that installed workspace by workspace: any of them answers for its people."""
        query = sa.select(INSTALLATIONS.c.data).where(INSTALLATIONS.c.enterprise_id == enterprise).limit(1)
        async with self._engine.connect() as connection:
            data = (await connection.execute(query)).scalar()
        return Installation(**json.loads(self._cipher.decrypt(data))) if data else None

    async def claim_rotation(self, where: Workspace, revision: int, seconds: float) -> str:
        """The sole right, among all processes, to refresh this token for `seconds`; empty if another has it."""
        owner, now = secrets.token_hex(8), time.time()
        claim = (
            sa.update(INSTALLATIONS)
            .where(_is(where), INSTALLATIONS.c.revision == revision, INSTALLATIONS.c.rotating_until < now)
            .values(rotating=owner, rotating_until=now + seconds)
        )
        async with self._engine.begin() as connection:
            return owner if (await connection.execute(claim)).rowcount == 1 else ""

    async def save_rotated(self, installation: Installation, owner: str) -> bool:
        """Keep the refreshed tokens and give the right back. False if it was lost (uninstalled meanwhile)."""
        where = workspace_of(installation)
        change = (
            sa.update(INSTALLATIONS)
            .where(_is(where), INSTALLATIONS.c.rotating == owner)
            .values(data=self._sealed(installation), revision=INSTALLATIONS.c.revision + 1, rotating_until=0.0)
        )
        async with self._engine.begin() as connection:
            saved = (await connection.execute(change)).rowcount == 1
        self.forget(where)
        return saved

    async def release_rotation(self, where: Workspace, owner: str) -> None:
        """Give the right back without a change (the refresh failed)."""
        change = sa.update(INSTALLATIONS).where(_is(where), INSTALLATIONS.c.rotating == owner)
        async with self._engine.begin() as connection:
            await connection.execute(change.values(rotating_until=0.0))

    def forget(self, where: Workspace) -> None:
        """Drop what memory holds of a workspace, or of an organisation and its workspaces."""
        for key in list(self._cache):
            if (where.team and key.team == where.team) or (where.enterprise and key.enterprise == where.enterprise):
                del self._cache[key]

    def _sealed(self, installation: Installation) -> bytes:
        kept = {**installation.to_dict_for_copying(), "user_id": ""}  # who installed it concerns nobody
        return self._cipher.encrypt(json.dumps(kept, default=str).encode())

    # slack_sdk's interface, which Bolt's OAuth flow calls

    async def async_save(self, installation: Installation) -> None:
        where = workspace_of(installation)
        values = {"enterprise_id": where.enterprise, "team_id": where.team, "data": self._sealed(installation)}
        former = sa.and_(_is(where), INSTALLATIONS.c.enterprise_id != where.enterprise)
        async with self._engine.begin() as connection:
            await connection.execute(sa.delete(INSTALLATIONS).where(former))  # it has joined an organisation since
            if not await inserted(connection, INSTALLATIONS, {**values, "revision": 1}):
                renewed = {"data": values["data"], "revision": INSTALLATIONS.c.revision + 1, "rotating": ""}
                await connection.execute(sa.update(INSTALLATIONS).where(_is(where)).values(**renewed))
        self.forget(where)

    async def async_save_bot(self, bot: Bot) -> None:
        """Bolt's rotation calls this; `bots.slack.tokens` rotates instead."""
        raise NotImplementedError(f"tokens of {bot.team_id} are refreshed by bots.slack.tokens")

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,  # noqa: ARG002  (we hold no user tokens)
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        return await self.find(Workspace("" if is_enterprise_install else team_id or "", enterprise_id or ""))

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        found = await self.async_find_installation(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=is_enterprise_install
        )
        return found.to_bot() if found else None

    async def async_delete_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,  # noqa: ARG002
    ) -> None:
        await self.delete(Workspace(team_id or "", enterprise_id or ""))

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        await self.delete(Workspace(team_id or "", enterprise_id or ""))

    async def delete(self, where: Workspace) -> None:
        """Forget a workspace's tokens: uninstalled or revoked."""
        async with self._engine.begin() as connection:
            await connection.execute(sa.delete(INSTALLATIONS).where(_is(where)))
        self.forget(where)


class OAuthStates(AsyncOAuthStateStore):
    """One-time `state` values, consumed by exactly one callback, whichever process it reaches."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def async_issue(self, *_: Any, **__: Any) -> str:
        state, now = secrets.token_urlsafe(32), time.time()
        async with self._engine.begin() as connection:
            await connection.execute(sa.delete(STATES).where(STATES.c.until < now))
            await connection.execute(sa.insert(STATES).values(state=state, until=now + STATE_SECONDS))
        return state

    async def async_consume(self, state: str) -> bool:
        taken = sa.delete(STATES).where(STATES.c.state == state, STATES.c.until > time.time())
        async with self._engine.begin() as connection:
            return (await connection.execute(taken)).rowcount == 1


def workspace_of(installation: Installation) -> Workspace:
    """The key of an installation's row; an organisation-wide one has no team."""
    team = "" if installation.is_enterprise_install else installation.team_id or ""
    return Workspace(team, installation.enterprise_id or "")


def _is(where: Workspace) -> sa.ColumnElement[bool]:
    """A workspace by its own id, which is unique in Slack: not every payload names its organisation."""
    if where.team:
        return INSTALLATIONS.c.team_id == where.team
    return sa.and_(INSTALLATIONS.c.enterprise_id == where.enterprise, INSTALLATIONS.c.team_id == "")
