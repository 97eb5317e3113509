"""Which words name which operation: every way to say a verb with a noun, from the catalog and the nouns' synonyms."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Final

from rapidfuzz import fuzz, process

from commands.filters import FilterMark
from commands.nouns import NOUNS, VERBS, Noun, forms, named
from commands.operation import CATALOG, Operation

_ARTICLES: Final = frozenset({"a", "an", "the", "ein", "eine", "einen", "der", "die", "das", "den"})
_POLITE: Final = (
    *(("i", verb, "to") for verb in ("want", "need", "like", "would")),
    ("i", "would", "like", "to"),
    ("i'd", "like", "to"),
    *((verb, "you") for verb in ("can", "could", "would", "will")),
    ("can", "i"),
    ("let", "me"),
    ("what", "are"),
    ("which", "are"),
    ("how", "many"),
    *((word,) for word in ("which", "what")),
    *((word,) for word in ("let's", "please", "pls", "plz", "kindly", "just", "bitte", "пожалуйста")),
)
_LONGEST: Final = 6
_SURE: Final = 74.0
"""Similarity, 0 to 100, from which a phrase is offered as what was meant."""
_REACH: Final = 400
"""Characters within which a command's verb ends."""
_ENDS: Final = frozenset('"“”„«»‚‘`<>=')
_LISTED: Final = {
    "my": "mine",
    "mine": "mine",
    "open": "open",
    "active": "open",
    "closed": "closed",
    "inactive": "closed",
    "all": "",
    "my open": "mine open",
    "my closed": "mine closed",
    "all open": "open",
    "all my": "mine",
    "all my open": "mine open",
}
_SHOWN: Final = ("", "list", "show", "show me", "get", "find", "give me", "display", "view", "see")


@dataclass(frozen=True, slots=True)
class Said:
    """What the first words of a command mean: an operation, or a noun alone."""

    operation: type[Operation] | None = None
    noun: Noun | None = None
    many: bool = False
    inject: str = ""
    """Conditions that the phrase implies: `open cases`."""
    end: int = 0
    """Where the rest begins."""


@dataclass(frozen=True)
class Phrases:
    """All phrases of one state of the catalog and the nouns."""

    operations: tuple[type[Operation], ...]
    verbs: dict[str, list[type[Operation]]] = field(default_factory=dict)
    """Operations by each verb, alone, that they may be called with."""
    said: dict[str, Said] = field(default_factory=dict)

    def match(self, text: str) -> Said | None:
        """The longest phrase at the beginning of `text`, articles and politeness left out; None for no phrase."""
        words = leading(text)
        for skip in _starts([word for word, _ in words]):
            if found := self._from(words[skip:]):
                return found
        return None

    def _from(self, words: list[tuple[str, int]]) -> Said | None:
        kept = [(word, end) for i, (word, end) in enumerate(words) if i == 0 or word not in _ARTICLES]
        for length in range(min(_LONGEST, len(kept)), 0, -1):
            phrase, end = " ".join(word for word, _ in kept[:length]), kept[length - 1][1]
            if found := self.said.get(phrase):
                return replace(found, end=end)
            if form := named(phrase):
                return Said(noun=form.noun, many=form.many, end=end)
        return None

    def verb_alone(self, text: str) -> tuple[str, int] | None:
        """A verb at the beginning whose noun is missing, and where it ends: `add a note to …`."""
        kept = [(word, end) for word, end in leading(text) if word not in _ARTICLES]
        for length in range(min(3, len(kept)), 0, -1):
            way = " ".join(word for word, _ in kept[:length])
            if way in self.verbs:
                return way, kept[length - 1][1]
        return None

    def of_noun(self, noun: Noun) -> list[type[Operation]]:
        """Its operations, in order of declaration."""
        return self._by_noun.get(noun.word, [])

    @cached_property
    def _by_noun(self) -> dict[str, list[type[Operation]]]:
        found: dict[str, list[type[Operation]]] = {}
        for operation in self.operations:
            found.setdefault(operation.noun(), []).append(operation)
        return found

    def verb(self, noun: Noun, verb: str) -> type[Operation] | None:
        """`case` and `list` -> the operation."""
        found = self.said.get(f"{noun.word} {verb}")
        return found.operation if found else None

    @cached_property
    def canonical(self) -> dict[str, str]:
        """Canonical verb by every phrase that people may have meant, for did-you-mean."""
        return {
            phrase: said.operation.verb
            for phrase, said in self.said.items()
            if said.operation and phrase != said.operation.slug.casefold()
        }

    def meant(self, words: list[str]) -> tuple[str, ...]:
        """Canonical verbs that misspelt first words may stand for, likeliest first; at most three."""
        scored: list[tuple[float, str]] = []
        for count in (1, 2, 3):
            if len(words) >= count:
                said = " ".join(words[:count])[:60]
                found = process.extract(said, self.canonical.keys(), scorer=fuzz.ratio, limit=6, score_cutoff=_SURE)
                scored += [(score + count, self.canonical[phrase]) for phrase, score, _ in found]
        return tuple(dict.fromkeys(verb for _, verb in sorted(scored, key=lambda s: -s[0])))[:3]

    def put(self, phrase: str, op: type[Operation], inject: str = "") -> None:
        """Add a phrase unless it means something already."""
        words = [word for i, word in enumerate(phrase.casefold().split()) if i == 0 or word not in _ARTICLES]
        self.said.setdefault(" ".join(words), Said(op, inject=inject))


def leading(text: str) -> list[tuple[str, int]]:
    """The first words, folded, each with the place where it ends; a quote or a pair's name ends them."""
    words: list[tuple[str, int]] = []
    pos = 0
    for piece in text[:_REACH].split(" ")[: 3 * _LONGEST]:
        for line in piece.split("\n"):
            end, pos = pos + len(line), pos + len(line) + 1
            if not _ENDS.isdisjoint(line):
                return words
            if word := fold(line):
                words.append((word, end))
    return words


def fold(word: str) -> str:
    """A word as phrases know it: case folded, without marks of direction, and without the comma or colon after it."""
    visible = word if word.isascii() else "".join(c for c in word if unicodedata.category(c) != "Cf")
    folded = visible.casefold().replace("’", "'").rstrip(":,;.!")
    return folded.rstrip("?:,;.!") or folded


def _starts(words: list[str]) -> Iterator[int]:
    """Where the phrase may begin: at once, or after any politeness."""
    skip: int | None = 0
    while skip is not None:
        yield skip
        lengths = (len(polite) for polite in _POLITE if tuple(words[skip : skip + len(polite)]) == polite)
        length = next(lengths, None)
        skip = None if length is None else skip + length


def phrases() -> Phrases:
    """For the catalog and the nouns as they are now; built once for each state of them."""
    return _build(tuple(CATALOG.values()), tuple(NOUNS.values()))


@lru_cache(maxsize=4)
def _build(operations: tuple[type[Operation], ...], _nouns: tuple[Noun, ...]) -> Phrases:
    """What was declared goes before what follows from synonyms."""
    built = Phrases(operations, _verbs(operations))
    for op in operations:
        built.put(op.verb, op)
        if op.slug:
            built.put(op.slug, op)
    for op in operations:
        for also in op.also:
            for phrase in _with_forms(also):
                built.put(phrase, op)
    for op in operations:
        for phrase in _ways(op):
            built.put(phrase, op)
    for verb, ops in built.verbs.items():
        if len(ops) == 1 and not named(verb):
            built.put(verb, ops[0])
    for op in operations:
        for phrase, inject in _listings(op):
            built.put(phrase, op, inject)
    return built


def _verbs(operations: tuple[type[Operation], ...]) -> dict[str, list[type[Operation]]]:
    """Operations by each verb they may be called with: `qualify` is enough where only leads have it."""
    found: dict[str, list[type[Operation]]] = {}
    for op in operations:
        verb = op.verb.rpartition(" ")[2]
        for way in (verb, *VERBS.get(verb, ())):
            found.setdefault(way, []).append(op)
    return found


def _with_forms(phrase: str) -> Iterator[str]:
    """The phrase, and the same with the noun in it in its other forms: `my cases`, `my tickets`."""
    yield phrase
    words = phrase.split()
    for i, word in enumerate(words):
        if form := named(word):
            noun = form.noun
            for other in (noun.plural, *noun.plurals) if form.many else (noun.word, *noun.singulars):
                yield " ".join((*words[:i], other, *words[i + 1 :]))


def _ways(op: type[Operation]) -> Iterator[str]:
    """Noun and verb in either order, with every synonym; a verb alone with its synonyms."""
    noun_word, verb = op.noun(), op.verb.rpartition(" ")[2]
    noun = NOUNS.get(noun_word)
    verbs = (verb, *VERBS.get(verb, ()))
    if not noun_word:
        yield from verbs
        return
    for said in forms(noun) if noun else (noun_word,):
        for way in verbs:
            if not way.endswith(" new"):  # `order create New printers`: there it begins the title
                yield f"{said} {way}"
            if not (way == "open" and noun and said in (noun.plural, *noun.plurals)):  # `open cases` lists them
                yield f"{way} {said}"


def _listings(op: type[Operation]) -> Iterator[tuple[str, str]]:
    """`my cases`, `show all open cases`: the phrase and the conditions in it, for an operation that takes any."""
    noun = NOUNS.get(op.noun())
    if noun is None or not any(op.parameters[w].marked(FilterMark) for w in op.words if w in op.parameters):
        return
    for plural in (noun.plural, *noun.plurals):
        for adjective, inject in _LISTED.items():
            for verb in _SHOWN:
                yield f"{verb} {adjective} {plural}", inject
