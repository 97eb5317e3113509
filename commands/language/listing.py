"""What stands before a plural: `top 5` opportunities, `hot` leads."""

from commands.operation import Operation

from .filter_pieces import lex
from .filter_prose import formal
from .filter_tree import Term
from .names import condition
from .quotes import quote
from .reading import Unreadable
from .results import Vocabulary


def described(listing: type[Operation], text: str, vocabulary: Vocabulary | None) -> str:
    """The conditions in it, in the list language; empty where not all of it is one."""
    table = listing.table.logical if listing.table else ""
    said: list[str] = []
    column = ""
    try:
        text = formal(text, lambda word: condition(listing, word))
        for token in lex(text):
            if not isinstance(token.what, Term):
                said.append(text[token.start : token.end])
                continue
            word = token.what.text
            if choice := vocabulary.choice(table, word) if vocabulary else None:
                column = choice[0]
                said.append(f"{condition(listing, column) or column}={quote(choice[1])}")
                continue
            known = vocabulary.column(table, word) if vocabulary else None
            if not column or known is None or known[0] != column:  # `high priority`
                return ""
    except Unreadable:
        return ""
    return " ".join(said)
