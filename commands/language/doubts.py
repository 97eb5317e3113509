"""What stands behind the verb and fits nowhere, in a sentence that says how to mend it."""

from collections.abc import Mapping

from commands.errors import BadInput, UserError
from commands.fields import ColumnsMark
from commands.operation import Operation

from .names import names, nearest, squash
from .quotes import quote
from .reading import shown
from .results import Vocabulary
from .tokens import Pair, Word


class Doubt(Exception):
    """Something in the arguments that the person must mend."""

    def __init__(self, sentence: str, remedy: str, key: str = "") -> None:
        super().__init__(sentence)
        self.error: UserError = BadInput(sentence, remedy, problems={key: f"{sentence} {remedy}"} if key else None)


def torn(operation: type[Operation], pair: Pair, word: Word) -> Doubt:
    """A word after an unquoted text: part of it, or not?"""
    both = f"{pair.key}={quote(f'{pair.value} {word.text}')}"
    remedy = f"If it does, write {both}; if not, put it before the names."
    parameter = names(operation).get(squash(pair.key))
    field = parameter.name if parameter else pair.key
    return Doubt(f"Does {shown(word.text, 30)} belong to {pair.key}?", remedy, field)


def left_over(operation: type[Operation], args: Mapping[str, str], words: list[Word]) -> Doubt:
    """Words for which there is no place."""
    text = shown(" ".join(w.text for w in words), 40)
    filled = next((n for n in (*operation.words, "last_name") if n in args), "")
    if filled:
        return Doubt(f"{filled} is given already, so I do not know where {text} belongs.", "Use name=value.", filled)
    near = nearest(words[0].text, (p.name for p in operation.parameters.values()))
    hint = f"Did you mean {near[0]}=…?" if near else f"Write name=value, like: {operation.example}"
    return Doubt(f"I do not know where {text} belongs.", hint)


def unknown(operation: type[Operation], pair: Pair, vocabulary: Vocabulary | None) -> Doubt:
    """A name that is no field."""
    known = names(operation)
    own = [p.name for p in operation.parameters.values() if not p.marked(ColumnsMark)]
    table = operation.table.logical if operation.table else ""
    others = vocabulary.names(table) if vocabulary and table else ()
    near = nearest(pair.key, (*own, *others)) or nearest(pair.key, known)
    near = list(dict.fromkeys(known[squash(n)].name if squash(n) in known else n for n in near))
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known names: {', '.join(own[:8])}."
    sentence = f"{operation.verb} has no field {shown(pair.key, 40)}."
    return Doubt(sentence, f"{hint} If it is text, put it in quotes.", pair.key)
