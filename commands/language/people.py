"""A person's name in one piece -> first and last name."""

from typing import Final

_PARTICLES: Final = frozenset(
    {"van", "von", "vom", "zu", "zur", "de", "del", "della", "der", "den", "da", "di", "do", "dos", "du", "la", "le"}
    | {"el", "al", "bin", "ibn", "ben", "ten", "ter", "af", "av"}
)
"""Lower-case words that begin a family name."""


def split(name: str) -> tuple[str, str]:
    """(first, last): `Jane Mary Smith`, `Smith, Jane`, `Vincent van Gogh`; a single word is the last name."""
    last, comma, first = name.partition(",")
    if comma and first.strip() and last.strip():
        return " ".join(first.split()), " ".join(last.split())
    words = name.replace(",", " ").split()
    begin = next((i for i, word in enumerate(words) if 0 < i < len(words) - 1 and word in _PARTICLES), len(words) - 1)
    return " ".join(words[:begin]), " ".join(words[begin:])
