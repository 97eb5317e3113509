"""How Dataverse compares text: without regard to case and accents (its database's default collation)."""

import unicodedata
from functools import lru_cache


def fold(text: str) -> str:
    """The form in which two texts that Dataverse calls equal are equal."""
    if text.isascii():
        return text.lower()
    return _fold(text)


@lru_cache(maxsize=65536)
def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def like_glob(pattern: str) -> str:
    """A Transact-SQL LIKE pattern (folded) as an SQLite GLOB pattern: `%` `_` `[a-z]` `[^a]` keep their meaning."""
    out: list[str] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        closing = pattern.find("]", index + 1) if char == "[" else -1
        if char == "%":
            out.append("*")
        elif char == "_":
            out.append("?")
        elif closing > index + 1:
            out.append(pattern[index : closing + 1])
            index = closing
        elif char in "*?[":
            out.append(f"[{char}]")
        else:
            out.append(char)
        index += 1
    return "".join(out)
