"""Text -> operation: `parse()`; and back: `unparse()`.

    case create "Printer on fire" account=Contoso priority=high

The verb comes first (noun and verb in either order), then words, quoted phrases and `name=value` pairs in any order.
Nothing is dropped: a word that is no value joins the title, or is a problem with a sentence. Never raises, whatever the
text; linear in its length.
"""

from typing import Final

from .errors import UnknownCommand, UserError
from .fields import ColumnsMark, Named
from .filters import FilterMark
from .language import markup, references
from .language.arguments import nearest, read_arguments
from .language.phrases import Phrases, Said, leading, phrases
from .language.quotes import quote
from .language.reading import Reading, Unreadable, shown
from .language.results import HelpAsked, Menu, Parsed, Problem, Vocabulary
from .nouns import NOUNS, VERBS, Noun, named
from .operation import CATALOG, Operation

__all__ = ["HelpAsked", "Menu", "Parsed", "Problem", "Result", "Vocabulary", "parse", "unparse"]

Result = Parsed | HelpAsked | Menu | Problem

_LONGEST: Final = 100_000
_HELP: Final = frozenset({"help", "?", "hilfe", "помощь", "usage", "--help", "-h"})
_MENU: Final = frozenset({"", "menu", "start", "hi", "hello", "hey", "hallo", "привет", "crm"})

_NAMES: Final = (references.Form.NAME, references.Form.ME, references.Form.MENTION)
"""What does not tell by its shape that a record is meant."""


def parse(text: str, reading: Reading | None = None, vocabulary: Vocabulary | None = None) -> Result:
    """What the person asks for."""
    del reading  # values stay text here; kept for callers that read them next with the same one
    text = markup.tidy(text[: _LONGEST + 1]).strip()
    if len(text) > _LONGEST:
        return Problem(
            error=UserError("This is too long for a command.", "Leave some of it out, and add it as a note.")
        )
    known = phrases()
    first = [word for word, _ in leading(text)]
    if text.casefold().strip("!.,: ") in _MENU:
        return Menu()
    if first and first[0] in _HELP:
        return _help(text[leading(text)[0][1] :].strip(), known)
    said = known.match(text)
    if said is None:
        return _unknown(text, first, known)
    rest = text[said.end :].strip()
    if said.operation is None:
        return _noun(said, rest, known, vocabulary)
    operation = _rather_open(said.operation, text[: said.end], rest, known)
    if rest.casefold().rstrip("!.") in _HELP:
        return HelpAsked(operation)
    return read_arguments(operation, f"{said.inject} {rest}".strip(), vocabulary)


def _help(rest: str, known: Phrases) -> Result:
    if rest.casefold().split(" ", 1)[0] in ("with", "on", "for", "about", "me"):
        rest = rest.partition(" ")[2]
    said = known.match(rest) if rest else None
    if said is None:
        return HelpAsked() if not rest else _unknown(rest, [w for w, _ in leading(rest)], known)
    return HelpAsked(said.operation or said.noun)


def _rather_open(operation: type[Operation], said: str, rest: str, known: Phrases) -> type[Operation]:
    """`open case CAS-01042` shows it, although `open case Printer on fire` makes one."""
    noun = NOUNS.get(operation.noun())
    if noun and operation.verb.endswith(" create") and "open" in said.casefold().split() and _points(rest):
        return known.verb(noun, "get") or operation
    return operation


def _points(text: str) -> bool:
    """Whether a text is a reference to a record by its shape alone."""
    try:
        return references.reference(text).form not in _NAMES
    except Unreadable:
        return False


def _noun(said: Said, rest: str, known: Phrases, vocabulary: Vocabulary | None) -> Result:
    noun = said.noun
    if noun is None or rest.casefold() in _HELP or (not rest and not said.many):
        return HelpAsked(noun)
    listing, getting = known.verb(noun, "list"), known.verb(noun, "get")
    if said.many and listing:
        return read_arguments(listing, rest, vocabulary)
    if getting and _points(rest):
        return read_arguments(getting, rest, vocabulary)
    word = leading(rest)[0][0] if leading(rest) else rest
    return _what_to_do(noun, word, shown(rest, 30), known)


def _what_to_do(noun: Noun, word: str, said: str, known: Phrases) -> Problem:
    """The verb is missing or misspelt."""
    verbs = {op.verb.rpartition(" ")[2]: op.verb for op in known.of_noun(noun)}
    ways = verbs | {
        way: canonical for verb, canonical in verbs.items() for way in VERBS.get(verb, ()) if way not in verbs
    }
    near = tuple(dict.fromkeys(ways[way] for way in nearest(word, ways)))
    example = near[0] if near else f"{noun.word} {next(iter(verbs), 'help')}"
    error = UnknownCommand(
        f"I do not know what to do with {noun.word} {said}.",
        f"Say what to do, like: {example}.",
        nearest=near or tuple(list(verbs.values())[:5]),
    )
    return Problem(error=error)


def _unknown(text: str, first: list[str], known: Phrases) -> Problem | Parsed:
    search = CATALOG.get("search")
    if search and _points(text):
        return read_arguments(search, text, None)
    verb = first[0] if first else ""
    whats = [
        op.verb for op in known.operations if op.verb.split()[-1] == verb or verb in VERBS.get(op.verb.split()[-1], ())
    ]
    if verb and whats:
        error = UnknownCommand(
            f"{verb.capitalize()} what?", f"Name the kind of record, like: {whats[0]}.", nearest=tuple(whats[:7])
        )
        return Problem(error=error)
    if len(first) > 1 and (form := named(first[1])):
        return _what_to_do(form.noun, verb, shown(verb, 30), known)
    said = " ".join(first[:3])[:60]
    meant = dict.fromkeys(known.canonical[phrase] for phrase in nearest(said, known.canonical, 12)) if said else {}
    near = tuple(meant)[:3]
    remedy = f"Did you mean {' or '.join(near)}?" if near else "Write help to see what I can do."
    return Problem(error=UnknownCommand(f"I do not know {shown(text, 40)}.", remedy, nearest=near))


def unparse(operation: Operation) -> str:
    """A command that `parse` reads as this operation again, in every locale."""
    kind = type(operation)
    pieces = [kind.verb]
    for name, text in operation.args().items():
        parameter = kind.parameters[name]
        if parameter.marked(ColumnsMark):
            pieces += (
                f"{quote(column)}={quote(markup.escape(value))}" for column, value in getattr(operation, name).items()
            )
        elif parameter.marked(FilterMark) or _is_person(getattr(operation, name)):
            pieces.append(f"{name}={quote(text)}")
        else:
            pieces.append(f"{name}={quote(markup.escape(text))}")
    return " ".join(pieces)


def _is_person(value: object) -> bool:
    """Somebody of the chat platform, written as the platform does."""
    return isinstance(value, Named) and value.form is references.Form.MENTION
