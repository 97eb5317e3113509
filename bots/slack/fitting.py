"""What of a card fits into one message or view: Slack limits the blocks, and in a message the whole of their text."""

from collections.abc import Sequence
from typing import Any

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_TEXT = 11_000
"""Characters of a message's blocks, what is around them counted in.

Slack publishes no number. It refuses (`msg_blocks_too_long`) from about 13,200, and counts more than the texts:
https://github.com/slackapi/bolt-js/issues/2509 and 2867.
"""
AROUND = 25
"""Characters that we count for each text and each block beside its own."""


def fits(blocks: Sequence[dict[str, Any]], most: int) -> bool:
    """Whether all of them can be shown: in a view (`most=VIEW_BLOCKS`) by their number alone."""
    return len(blocks) <= most and (most == VIEW_BLOCKS or sum(map(size, blocks)) <= MESSAGE_TEXT)


def fitted(
    blocks: Sequence[dict[str, Any]], most: int, spare: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The first blocks, and what people act on at the end, with room for a block of `spare` characters between."""
    tail = [b for b in blocks[-3:] if b["type"] in ("actions", "context")]
    while len(tail) > 1 and sum(map(size, tail)) > MESSAGE_TEXT // 2:
        tail = tail[1:]
    kept, room = blocks[: most - len(tail) - 1], MESSAGE_TEXT - spare - AROUND - sum(map(size, tail))
    if most != VIEW_BLOCKS:
        while kept and sum(map(size, kept)) > room:
            kept = kept[:-1]
    return list(kept), tail


def size(part: Any) -> int:
    """Characters of a block as we count them."""
    if isinstance(part, dict):
        own = AROUND if "type" in part else 0
        return own + sum(len(v) if k == "text" and isinstance(v, str) else size(v) for k, v in part.items())
    return sum(map(size, part)) if isinstance(part, list) else 0
