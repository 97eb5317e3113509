"""Text -> operation: `parse()`; and back: `unparse()`.

    case create "Printer on fire" account=Contoso priority=high

The verb comes first (noun and verb in either order), then words, quoted phrases and `name=value` pairs in any order.
Nothing is dropped: a word that is no value joins the title, or is a problem with a sentence. Never raises, whatever the
text; linear in its length.
"""

from typing import Final

from .errors import BadInput, UnknownCommand, UserError
from .fields import ColumnsMark, Named
from .filters import FilterMark
from .language import markup, references
from .language.arguments import PREPOSITIONS, nearest, read_arguments
from .language.phrases import Phrases, Said, leading, phrases
from .language.quotes import quote
from .language.reading import Reading, Unreadable, shown
from .language.results import HelpAsked, Meaning, Menu, OfLast, Parsed, Problem, Result, Vocabulary
from .nouns import NOUNS, VERBS, Noun, named, of_number, of_table
from .operation import CATALOG, Operation

__all__ = [
    "HelpAsked",
    "Meaning",
    "Menu",
    "OfLast",
    "Parsed",
    "Problem",
    "Result",
    "Vocabulary",
    "of_last",
    "parse",
    "unparse",
]

_LONGEST: Final = 100_000
_HELP: Final = frozenset({"help", "?", "hilfe", "помощь", "usage", "--help", "-h"})
_MENU: Final = frozenset(
    {"", "menu", "start", "hi", "hello", "hey", "hallo", "привет", "crm", "commands", "what can you do?"}
)

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


def _unknown(text: str, first: list[str], known: Phrases) -> Parsed | OfLast | Problem:
    """No phrase begins the text: it may be a reference alone, or a verb without its noun."""
    search = CATALOG.get("search")
    if _is_last(text):
        return OfLast(verb="show", ways=tuple(known.verbs.get("get", ())), rest=text)
    if _points(text):
        noun = _noun_of(text)
        operation = (known.verb(noun, "get") if noun else None) or search
        if operation:
            return read_arguments(operation, text, None)
    if verb := known.verb_alone(text):
        return _verb_alone(known.verbs[verb[0]], text[verb[1] :].strip(), verb[0])
    if len(first) > 1 and (form := named(first[1])):
        return _what_to_do(form.noun, first[0], shown(first[0], 30), known)
    near = known.meant(first)
    remedy = f"Did you mean {' or '.join(near)}?" if near else "Write help to see what I can do."
    return Problem(error=UnknownCommand(f"I do not know {shown(text, 40)}.", remedy, nearest=near))


def _verb_alone(ways: list[type[Operation]], rest: str, verb: str) -> Parsed | OfLast | Problem:
    """`assign CAS-01042 to Anna`: the reference may tell the noun; `show Contoso` looks for it everywhere."""
    words = rest.split(None, 2)
    if len(words) > 1 and words[0].casefold() in PREPOSITIONS:
        words = words[1:]
    looks_up = any(op.verb.endswith(" get") for op in ways)
    if looks_up and _points(rest):
        ways = [op for op in ways if op.verb.endswith(" get")]  # `open CAS-01042` opens no case
    to_one = tuple(op for op in ways if op.words[:1] == ("record",))
    if to_one and _is_last(rest if looks_up else words[0].rstrip(":,") if words else ""):
        return OfLast(verb=verb, ways=to_one, rest=rest)
    form = named(words[0]) if words else None
    noun = form.noun if form else _noun_of(words[0].rstrip(":,")) if words else None
    fitting = [op for op in ways if noun and op.noun() == noun.word]
    if fitting:
        return read_arguments(fitting[0], rest, None)
    search = CATALOG.get("search")
    if rest and search and looks_up:
        return read_arguments(search, rest, None)
    example = f"{ways[0].verb} {rest}".strip()
    example = example if len(example) < 60 else ways[0].verb
    near = tuple(op.verb for op in ways[:7])
    error = UnknownCommand(f"{verb.capitalize()} what?", f"Name the kind of record, like: {example}.", nearest=near)
    return Problem(error=error)


def of_last(said: OfLast, table: str, vocabulary: Vocabulary | None = None) -> Parsed | Problem:
    """The command for a record of this table, the one shown last; `table` is empty where none was shown."""
    noun = of_table(table)
    if noun is None:
        example = said.ways[0].example if said.ways else "case show CAS-01042"
        return Problem(
            error=BadInput("No record was shown to you here in the last 30 minutes.", f"Name it, like: {example}")
        )
    fitting = next((op for op in said.ways if op.noun() == noun.word), None)
    if fitting is None:
        return _what_to_do(noun, said.verb, said.verb, phrases())
    return read_arguments(fitting, said.rest, vocabulary)


def _is_last(text: str) -> bool:
    """Whether a text means the record shown last: `it`."""
    try:
        return references.reference(text).form is references.Form.LAST
    except Unreadable:
        return False


def _noun_of(text: str) -> Noun | None:
    """The kind of record that a reference tells by its shape: a number's prefix, an entity set, an address."""
    try:
        named_record = references.reference(text)
    except Unreadable:
        return None
    if named_record.form is references.Form.NUMBER:
        return of_number(named_record.text)
    return of_table(named_record.table) if named_record.table else None


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
