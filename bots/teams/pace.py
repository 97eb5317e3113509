"""How often Teams lets one bot write into one conversation.

Limits: "Optimize your bot with rate limiting" (learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit).
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

WINDOWS: Final = ((7, 1.0), (8, 2.0), (60, 30.0), (1800, 3600.0))
"""(messages, seconds)."""
MARGIN: Final = 0.1
"""Seconds added to each window, because messages do not arrive as evenly as they leave."""
CONVERSATIONS: Final = 5_000
"""Conversations remembered; the longest silent ones are forgotten first."""


class Pace:
    """Hands out the moments at which messages may go, in the order in which they were asked for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: OrderedDict[str, deque[float]] = OrderedDict()

    def book(self, conversation: str) -> float:
        """Books the next free moment of a conversation; returns the seconds to wait for it."""
        now = self._clock()
        booked = self._sent.setdefault(conversation, deque(maxlen=WINDOWS[-1][0]))
        self._sent.move_to_end(conversation)
        if len(self._sent) > CONVERSATIONS:
            self._sent.popitem(last=False)
        moment = max(now, booked[-1]) if booked else now
        for messages, seconds in WINDOWS:
            if len(booked) >= messages:
                moment = max(moment, booked[-messages] + seconds + MARGIN)
        booked.append(moment)
        return moment - now

    def hold(self, conversation: str, seconds: float) -> None:
        """Lets nothing into a conversation for a while, because the platform said so (Retry-After)."""
        booked = self._sent.setdefault(conversation, deque(maxlen=WINDOWS[-1][0]))
        booked.append(self._clock() + seconds)
