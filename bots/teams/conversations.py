"""What delivery knows of conversations: who sent the bot away, and where a person's own chat is.

In the state database, for every process that serves the same bot. A message costs nothing here unless its conversation
was known to have sent the bot away: what other processes noted is read once a minute.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commands.state import TABLES, State, drop_older

from .times import TIMES

_CONVERSATIONS = sa.Table(
    "teams_conversations",
    TABLES,
    sa.Column("conversation", sa.String(400), primary_key=True),
    sa.Column("person", sa.String(200), nullable=False, index=True),
    sa.Column("away", sa.Boolean, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
)
"""`person`: `Principal.key` of whom the bot is alone with there, else empty. `away`: it was removed or blocked."""

KEPT_FOR: Final = timedelta(days=90)
"""After which a conversation is tried once more, and a person's own chat asked for anew."""
PATIENCE: Final = 1.0
"""Seconds that such a look may take while somebody waits for an answer."""
_MOST: Final = 10_000
"""Conversations that a process recognises by itself when they speak again."""

log = logging.getLogger(__name__)


class Conversations:
    """One database of them. A database that is away stops no answer: then nothing is known of the conversation."""

    def __init__(self, state: State, *, reread: float = TIMES.reread) -> None:
        """`reread`: seconds after which it looks for what other processes have noted."""
        self._state, self._reread = state, reread
        self._away: set[str] = set()
        self._read_again = 0.0

    async def is_away(self, conversation: str) -> bool:
        """Whether the bot was removed or blocked there, as far as any process has heard."""
        c = _CONVERSATIONS.c
        try:
            async with self._state.engine.connect() as db:
                away = await db.scalar(sa.select(c.away).where(c.conversation == conversation))
        except SQLAlchemyError as e:
            log.warning("what is known of a conversation cannot be read: %s", type(e).__name__)
            return conversation in self._away
        return bool(away)

    async def sent_away(self, conversation: str, person: str = "") -> None:
        """The bot was removed or blocked; nothing more is sent there. `person`: whose own chat it is."""
        self._away.add(conversation)
        await self._keep(conversation, person, away=True)

    async def here_again(self, conversation: str) -> None:
        """The conversation spoke to the bot, so it may be spoken to."""
        if time.monotonic() >= self._read_again:
            await self.refresh()
        if conversation in self._away:
            await self.forget(conversation)

    async def forget(self, conversation: str) -> None:
        """The bot was installed there (again): what was known does not hold any more."""
        self._away.discard(conversation)
        try:
            async with self._state.engine.begin() as db:
                await db.execute(sa.delete(_CONVERSATIONS).where(_CONVERSATIONS.c.conversation == conversation))
        except SQLAlchemyError as e:
            log.warning("a conversation that speaks again cannot be noted: %s", type(e).__name__)

    async def own_chat(self, person: str) -> str:
        """The chat of the bot and this person alone, where it has been opened before; else empty."""
        c = _CONVERSATIONS.c
        query = sa.select(c.conversation).where(c.person == person).order_by(c.at.desc()).limit(1)
        try:
            async with self._state.engine.connect() as db:
                return await db.scalar(query) or ""
        except SQLAlchemyError as e:
            log.warning("a person's own chat cannot be looked up: %s", type(e).__name__)
            return ""

    async def opened(self, conversation: str, person: str) -> None:
        """The own chat of a person was opened."""
        await self._keep(conversation, person, away=False)

    async def forget_old(self) -> int:
        """Drop what is past its time; how many rows went."""
        return await drop_older(self._state.engine, _CONVERSATIONS, KEPT_FOR)

    async def _keep(self, conversation: str, person: str, *, away: bool) -> None:
        row: dict[str, object] = {
            "conversation": conversation,
            "person": person,
            "away": away,
            "at": datetime.now(UTC),
        }
        try:
            await self._state.upsert(_CONVERSATIONS, row, ("conversation",))
        except SQLAlchemyError as e:
            log.warning("what is known of a conversation cannot be kept: %s", type(e).__name__)

    async def refresh(self) -> None:
        """Read which conversations have sent the bot away; of many, the newest."""
        self._read_again = time.monotonic() + self._reread
        c = _CONVERSATIONS.c
        query = sa.select(c.conversation).where(c.away).order_by(c.at.desc()).limit(_MOST)
        try:
            async with asyncio.timeout(PATIENCE), self._state.engine.connect() as db:
                self._away = set(await db.scalars(query))
        except (SQLAlchemyError, TimeoutError) as e:
            log.warning("what is known of conversations cannot be read: %s", type(e).__name__)
