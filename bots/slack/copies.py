"""Requests that come a second time with the very same signature."""

import asyncio
import time


class Copies:
    """Which signed requests were taken on. Slack signs each delivery anew, so the same signature again is a copy."""

    def __init__(self, seconds: float, most: int = 100_000) -> None:
        """`seconds`: how long a request's signature is worth something, and so how long it is remembered at least.

        Where more than `most` come in that time, the newest `most` are.
        """
        self._seconds, self._most = seconds, most
        self._under_way: dict[bytes, asyncio.Future[bool]] = {}
        # Two sets that take turns, for one entry of an ordered dictionary is several times as large.
        self._recent: set[bytes] = set()
        self._former: set[bytes] = set()
        self._since = time.monotonic()

    async def taken(self, signature: str) -> bool | None:
        """Whether the request that this is a copy of was taken on, once that is certain.

        None: it is no copy. Whoever is told so takes it on, and says by `ended` how that ended.
        """
        self._turn()
        key = _key(signature)
        if key in self._recent or key in self._former:
            return True
        if under_way := self._under_way.get(key):
            return await asyncio.shield(under_way)
        self._under_way[key] = asyncio.get_running_loop().create_future()
        return None

    def ended(self, signature: str, *, taken: bool) -> None:
        """It was taken on; or it was not, and a copy of it may be."""
        key = _key(signature)
        self._under_way.pop(key).set_result(taken)
        if taken:
            self._recent.add(key)

    def _turn(self) -> None:
        now = time.monotonic()
        if len(self._recent) >= self._most or now - self._since > self._seconds:
            self._former, self._recent, self._since = self._recent, set(), now


def _key(signature: str) -> bytes:
    """Half of what stands behind `v0=`: 128 bits that only the signing secret could have made."""
    return bytes.fromhex(signature[3:])[:16]
