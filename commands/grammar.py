"""Text -> operation: `parse()`; and back: `unparse()`.

    case create "Printer on fire" account=Contoso priority=high

The verb comes first (noun and verb in either order), then words, quoted phrases and `name=value` pairs in any order.
Nothing is dropped: a word that is no value joins the title, or is a problem with a sentence. Never raises, whatever the
text; linear in its length.
"""

import re
from itertools import pairwise
from typing import Final

from .errors import BadInput, UnknownCommand, UserError
from .language import markup, references
from .language.arguments import PREPOSITIONS, read_arguments
from .language.listing import described
from .language.names import nearest
from .language.phrases import Phrases, Said, leading, phrases
from .language.pointing import said_last
from .language.printing import unparse
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
_SHORT: Final = 40
"""Characters of a text that is repeated whole."""
_HELP: Final = frozenset({"help", "?", "hilfe", "aide", "помощь", "usage", "--help", "-h"})
_MENU: Final = frozenset(
    {"", "menu", "start", "hi", "hello", "hey", "hallo", "привет", "crm", "commands", "what can you do?"}
)

_MARKED: Final = re.compile(r"mark\s+(?P<what>\S.{0,200})\s+as\s+(?P<how>\w+)", re.IGNORECASE)
_BEFORE_LISTED: Final = frozenset({"show", "list", "find", "get", "give", "display", "me", "all", "the", "my"})
"""Words before what says which records are meant."""
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
    if first[:1] == ["how"] and len(first) > 2 and first[1] != "many" and (asked := _how_to(text, known)):
        return asked
    said = known.match(text)
    if said is None:
        return _listed(text, known, vocabulary) or _unknown(text, first, known)
    rest = text[said.end :].strip()
    if meant := _as_verb(text, said, rest, known, vocabulary):
        return meant
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


def _how_to(text: str, known: Phrases) -> HelpAsked | None:
    """`how do I create a case?`"""
    words = leading(text)
    begin = 2 if words[1][0] in ("to", "can", "do") and words[2][0] not in ("i", "we", "you") else 3
    said = known.match(text[words[begin - 1][1] :].strip())
    return HelpAsked(said.operation or said.noun) if said else None


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
    if getting and rest.lstrip("#").isdecimal():
        return read_arguments(getting, rest.lstrip("#"), vocabulary)
    return _what_to_do(noun, word, rest, known, alone=not any(map(_points, rest.split()[1:])))


def _what_to_do(noun: Noun, word: str, said: str, known: Phrases, *, alone: bool = False) -> Problem:
    """The verb is missing or misspelt. `alone`: what was said may be the name of a record, and no verb at all."""
    near, all_of_it = _ways_near(noun, word, known), [op.verb for op in known.of_noun(noun)]
    example = near[0] if near else all_of_it[0] if all_of_it else f"{noun.word} help"
    if alone and not near and known.verb(noun, "get") and len(said) <= _SHORT:
        example = f"{noun.word} show {said}"
    error = UnknownCommand(
        f"I do not know what to do with {noun.word} {shown(said, 30)}.",
        f"Say what to do, like: {example}.",
        nearest=near or tuple(all_of_it[:5]),
    )
    return Problem(error=error)


def _ways_near(noun: Noun, word: str, known: Phrases) -> tuple[str, ...]:
    """The verbs of a noun that a word was probably meant to be, likeliest first."""
    verbs = {op.verb.rpartition(" ")[2]: op.verb for op in known.of_noun(noun)}
    ways = verbs | {
        way: canonical for verb, canonical in verbs.items() for way in VERBS.get(verb, ()) if way not in verbs
    }
    return tuple(dict.fromkeys(ways[way] for way in nearest(word, ways)))


def _listed(text: str, known: Phrases, vocabulary: Vocabulary | None) -> Parsed | Problem | None:
    """`top 5 opportunities by value`, `my hot leads`: what is before the plural says which of them."""
    words = leading(text)
    led = next((n for n, (word, _) in enumerate(words) if word not in _BEFORE_LISTED), 0)
    mine = "mine" if any(word == "my" for word, _ in words[:led]) else ""
    for (_, begin), (word, end) in pairwise(words[led:]):
        form = named(word)
        listing = known.verb(form.noun, "list") if form and form.many else None
        if listing and (said := described(listing, text[words[led - 1][1] if led else 0 : begin], vocabulary)):
            return read_arguments(listing, " ".join(filter(None, (mine, said, text[end:].strip()))), vocabulary)
    return None


def _as_verb(
    text: str, said: Said, rest: str, known: Phrases, vocabulary: Vocabulary | None
) -> Parsed | OfLast | Problem | None:
    """`close it`, whatever that was; `bill ORD-01002`, although a bill is a thing too. None where neither was meant."""
    verb = known.verb_alone(text)
    if verb is None or verb[1] != said.end:
        return None
    ways = tuple(op for op in known.verbs[verb[0]] if op.words[:1] == ("record",))
    getting = known.verb(said.noun, "get") if said.noun else None
    if ways and (last := _of_it(verb[0], ways if getting is None else (*ways, getting), rest, vocabulary)):
        return last
    if said.noun and rest:
        noun = _noun_of(rest.split(None, 1)[0].rstrip(":,"))
        fitting = next((op for op in ways if noun and noun != said.noun and op.noun() == noun.word), None)
        return read_arguments(fitting, rest, vocabulary) if fitting else None
    return None


def _of_it(
    verb: str, ways: tuple[type[Operation], ...], rest: str, vocabulary: Vocabulary | None
) -> Parsed | OfLast | Problem | None:
    """`close it`: what was shown last decides; `close this ticket` says it. None where another record is named."""
    words = rest.split(None, 4)
    count, form = said_last(words[1:] if words and words[0].casefold() in PREPOSITIONS else words)
    if not count:
        return None
    if form is None:
        return OfLast(verb=verb, ways=ways, rest=rest)
    fitting = next((op for op in ways if op.noun() == form.noun.word), None)
    return read_arguments(fitting, rest, vocabulary) if fitting else _no_way(form.noun, verb)


def _no_way(noun: Noun, verb: str) -> Problem:
    """A verb that this kind of record does not have."""
    near = _ways_near(noun, verb, phrases())
    article = "an" if noun.word[:1] in "aeiou" else "a"
    error = UnknownCommand(
        f"{shown(verb, 30)} is nothing that I can do with {article} {noun.word}.",
        f"Say what to do with it{', like: ' + near[0] if near else ''}, or name the record that you mean.",
        nearest=near,
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
    if (marked := _MARKED.fullmatch(text)) and known.verb_alone(f"mark as {marked['how']}"):
        return _verb_alone(
            known.verbs[f"mark as {marked['how'].casefold()}"], marked["what"], f"mark as {marked['how']}"
        )
    if verb := known.verb_alone(text):
        return _verb_alone(known.verbs[verb[0]], text[verb[1] :].strip(), verb[0])
    if len(first) > 1 and (form := named(first[1])):
        return _what_to_do(form.noun, first[0], first[0], known)
    near = known.meant(first)
    looked_for = f"search {text}" if len(text) <= _SHORT else "search and a part of its name"
    remedy = (
        f"Did you mean {' or '.join(near)}?"
        if near
        else f"Write help to see what I can do, or {looked_for} to look for a record."
    )
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
    if to_one and (last := _of_it(verb, to_one, rest, None)) and not (looks_up and _searches(rest)):
        return last
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
        return _no_way(noun, said.verb)
    return read_arguments(fitting, said.rest, vocabulary)


def _searches(text: str) -> bool:
    """Whether more than the record shown last is looked for: `show last week`."""
    words = text.split(None, 3)
    return len(words) > said_last(words)[0]


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
