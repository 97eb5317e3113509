"""The message that becomes a case, as far as its form must know it.

Teams sends the text with the gesture; of files and the thread it says no more than that they are there. Microsoft Graph
gives them, where it may, and the form offers them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from commands.request import Message, Place, PlaceKind, Quote

from . import requests
from .activity import Json
from .graph import NO_FILES, NO_THREAD

TOO_SLOW: Final = "Files and pictures do not come along: Teams did not give them in time."

Read = Callable[[Place, Message], Awaitable[Quote]]
"""See `commands.request.Face.thread`."""


class Quoting:
    """Reads messages that people point at."""

    def __init__(self, read: Read, *, patience: float) -> None:
        """`patience`: seconds that a form waits for what Graph says."""
        self._read, self._patience = read, patience

    async def quote(self, payload: Json, where: Place) -> Quote:
        """The message behind a message-extension action (`messagePayload`), with its files.

        The thread itself is read when the case is made: until then people go on writing.
        """
        quote, files = requests.quote(payload, where), requests.has_files(payload)
        if not files and where.kind is not PlaceKind.CHANNEL:
            return quote
        try:
            read = await asyncio.wait_for(self._read(where, quote.message), self._patience)
        except TimeoutError:
            return replace(quote, missing=(TOO_SLOW,) if files else ())
        concerns = {NO_FILES: files, NO_THREAD: quote.in_thread}
        return replace(
            quote,
            message=replace(quote.message, files=read.message.files),
            in_thread=quote.in_thread or len(read.thread) > 1,
            missing=tuple(sentence for sentence in read.missing if concerns.get(sentence)),
        )
