"""Cards that say "this takes a moment", until their answer takes their place.

They are kept in the state database, because the answer may come from another process than the card: after a restart the
journal resumes the work, and the same card is replaced. A database that is away stops no answer.
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commands.request import Place
from commands.state import TABLES, State, drop_older

_WAITING = sa.Table(
    "teams_waiting_cards",
    TABLES,
    sa.Column("gesture", sa.String(64), primary_key=True),
    sa.Column("card", sa.String(200), nullable=False),
    sa.Column("conversation", sa.String(400), nullable=False),
    sa.Column("private", sa.Boolean, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
)
_KEPT_FOR: Final = timedelta(days=2)
"""No job takes longer."""
_MOST: Final = 2_000
"""Gestures that a process remembers by itself."""
_PATIENCE: Final = 30.0
"""Seconds that an answer waits for its card to be posted."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message of the bot's. `conversation`: the person's own chat, where the place could not keep it private."""

    id: str
    conversation: str = ""
    private: bool = False
    """Within a shared conversation one person alone sees it."""


class WaitingCards:
    """One for each gesture, whoever posts it and whoever has the answer."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._cards: OrderedDict[str, asyncio.Future[Posted | None]] = OrderedDict()

    async def post(self, place: Place, post: Callable[[], Awaitable[Posted]]) -> str:
        """Posts the card, unless there is one or its answer has been there; returns its id."""
        gesture = _gesture(place)
        if not gesture:
            return (await post()).id
        if gesture in self._cards:
            return ""
        posting = self._remember(gesture)
        card = None
        try:
            if card := await self._kept(gesture):  # of a former process
                return ""
            card = await post()
        finally:
            posting.set_result(card)
        row = {"card": card.id, "conversation": card.conversation, "private": card.private, "at": datetime.now(UTC)}
        try:
            await self._state.upsert(_WAITING, {"gesture": gesture, **row}, ("gesture",))
        except SQLAlchemyError as e:
            log.warning("a waiting card cannot be kept: %s", type(e).__name__)
        if self._cards.get(gesture) is not posting:  # the answer was faster
            await self.forget(place)
        return card.id

    async def find(self, place: Place) -> Posted | None:
        """The card whose answer is there; where there is none, none will be posted any more."""
        gesture = _gesture(place)
        if not gesture:
            return None
        if gesture not in self._cards:
            posting = self._remember(gesture)
            posting.set_result(await self._kept(gesture))
        try:
            return await asyncio.wait_for(asyncio.shield(self._cards[gesture]), _PATIENCE)
        except TimeoutError:
            return None

    async def forget(self, place: Place) -> None:
        """The answer has taken its place."""
        gesture = _gesture(place)
        if not gesture:
            return
        self._remember(gesture).set_result(None)
        try:
            async with self._state.engine.begin() as db:
                await db.execute(sa.delete(_WAITING).where(_WAITING.c.gesture == gesture))
        except SQLAlchemyError as e:
            log.warning("a waiting card that was answered cannot be forgotten: %s", type(e).__name__)

    async def forget_old(self) -> int:
        """Drop what is past its time; how many rows went."""
        return await drop_older(self._state.engine, _WAITING, _KEPT_FOR)

    async def _kept(self, gesture: str) -> Posted | None:
        c = _WAITING.c
        query = sa.select(c.card, c.conversation, c.private).where(c.gesture == gesture)
        try:
            async with self._state.engine.connect() as db:
                row = (await db.execute(query)).first()
        except SQLAlchemyError as e:
            log.warning("a waiting card cannot be looked up: %s", type(e).__name__)
            return None
        return Posted(id=row.card, conversation=row.conversation, private=row.private) if row else None

    def _remember(self, gesture: str) -> "asyncio.Future[Posted | None]":
        future: asyncio.Future[Posted | None] = asyncio.get_running_loop().create_future()
        self._cards[gesture] = future
        self._cards.move_to_end(gesture)
        while len(self._cards) > _MOST:
            self._cards.popitem(last=False)
        return future


def _gesture(place: Place) -> str:
    """What is waited for: a gesture's id is Teams' own only within its conversation."""
    own = place.address.get("gesture", "")
    return hashlib.sha256(f"{place.conversation} {own}".encode()).hexdigest() if own else ""
