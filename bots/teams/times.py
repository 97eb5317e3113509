"""How long the Teams face waits."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds. Teams gives up on an invoke after five."""

    call: float = 2.0
    """A call to Teams may take before an invoke is answered without it."""
    lookup: float = 4.0
    """A search, or the record behind a link, may take."""
    exchange: float = 4.0
    """Access to Dynamics may take from a single sign-on token."""
    graph: float = 1.0
    """The form for a message may wait for what Microsoft Graph says of it."""
    retries: tuple[float, ...] = (2.0, 10.0, 30.0)
    """Between tries to send an answer that Teams did not take."""
    reread: float = 60.0
    """After which a process looks for what others have noted of conversations."""
    standing: float = 300.0
    """What a conversation's roster says is believed."""
    keys: float = 30.0
    """Between two look-ups of unknown keys, so that forged tokens cannot make us hammer the issuer."""


TIMES: Final = Times()
