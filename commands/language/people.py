"""A person's name in one piece -> first and last name."""

import re
from typing import Final

_PARTICLES: Final = frozenset(
    {"van", "von", "vom", "zu", "zur", "de", "del", "della", "der", "den", "da", "di", "do", "dos", "du", "la", "le"}
    | {"el", "al", "bin", "ibn", "ben", "ten", "ter", "af", "av"}
)
"""Lower-case words that begin a family name."""


def swapped(name: str) -> bool:
    """Whether what stands before a comma is a family name alone: `Smith, Jane`, `van Gogh, Vincent`."""
    before = name.partition(",")[0].split()
    return all(word in _PARTICLES for word in before[:-1])


def split(name: str) -> tuple[str, str]:
    """(first, last): `Jane Mary Smith`, `Smith, Jane`, `Vincent van Gogh`; a single word is the last name."""
    last, comma, first = name.partition(",")
    if comma and first.strip() and last.strip():
        return " ".join(first.split()), " ".join(last.split())
    words = name.replace(",", " ").split()
    begin = next((i for i, word in enumerate(words) if 0 < i < len(words) - 1 and word in _PARTICLES), len(words) - 1)
    return " ".join(words[:begin]), " ".join(words[begin:])


_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
_PHONE = re.compile(r"\+?[\d().\-/]+")
_LEADING: Final = frozenset({"with", "and", "email", "e-mail", "mail", "address"})
"""Words before an e-mail address."""
_DIGITS: Final = 7
"""From which on figures are a phone number."""


def reached(words: list[str]) -> tuple[list[int], str, str]:
    """Which of the words are a name; the e-mail address and the phone number among them, empty where there is none."""
    kept: list[int] = []
    email = phone = ""
    figures: list[int] = []
    for at, word in enumerate([*words, ""]):
        bare = word.strip(",;")
        if bare and _PHONE.fullmatch(bare):
            figures.append(at)
            continue
        number = " ".join(words[i].strip(",;") for i in figures)
        if not phone and sum(c.isdigit() for c in number) >= _DIGITS:
            phone = number
        else:
            kept += figures
        figures = []
        if not email and _EMAIL.fullmatch(bare):
            email = bare
            while kept and words[kept[-1]].casefold().strip(":,") in _LEADING:
                kept.pop()
        elif word:
            kept.append(at)
    return kept, email, phone
