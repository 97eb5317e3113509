"""Words that point at the record shown last: `it`, `this one`, `the last case`."""

from collections.abc import Sequence
from typing import Final

from commands.nouns import NounForm, named

_POINTING: Final = frozenset({"it", "this", "that", "last"})


def said_last(words: Sequence[str]) -> tuple[int, NounForm | None]:
    """How many of the first words mean the record shown last, and its kind where they say that.

    `it` one, `this one` two, `the last case` three; none: 0.
    """
    folded = [word.casefold().rstrip(":,") for word in words[:3]]
    begin = 1 if folded[:2] == ["the", "last"] else 0
    if not folded[begin:] or folded[begin] not in _POINTING:
        return 0, None
    following = folded[begin + 1] if folded[begin] != "it" and len(folded) > begin + 1 else ""
    form = named(following)
    if following == "one" or (form and not form.many):
        return begin + 2, form
    return begin + 1, None
