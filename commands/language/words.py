"""Words and phrases of a command as the text of a field."""

from typing import Final

from crm.tables import Kind

from . import markup
from .tokens import Word

_ADDRESSES: Final = frozenset({Kind.LOOKUP, Kind.ID, Kind.EMAIL, Kind.PHONE, Kind.URL})


def decoded(text: str, kind: Kind | None) -> str:
    """What a person saw; where an address is wanted, the address."""
    return markup.targets(text) if kind in _ADDRESSES else markup.plain(text)


def joined(words: list[Word], kind: Kind | None) -> str:
    """The words as one text, with their line breaks."""
    pieces = []
    for text, _, breaks, _ in words:
        pieces.append("\n" * min(breaks, 2) if breaks else " ")
        pieces.append(decoded(text, kind) if "<" in text or "&" in text else text)
    return "".join(pieces[1:])
