"""What stands behind the verb -> text by field name."""

from dataclasses import dataclass, field
from typing import Final

from commands import filters
from commands.errors import BadInput
from commands.fields import ColumnsMark, RawMark
from commands.nouns import named
from commands.operation import Operation, Parameter
from crm.tables import Kind

from . import markup, references
from .doubts import Doubt, left_over, torn, unknown
from .filter_prose import formal
from .names import Names, condition, names, squash
from .persons import add_person
from .pointing import said_last
from .reading import Unreadable, shown
from .results import Parsed, Problem, Vocabulary
from .tokens import Pair, Word, items, labelled, take_raw
from .words import decoded, joined

_SEVERAL_WORDS: Final = frozenset({Kind.TEXT, Kind.MULTILINE, Kind.LOOKUP, Kind.ID, None})
"""Kinds whose values often have several words, so that words after an unquoted one are in doubt."""
_MAYBE_SEVERAL: Final = frozenset({Kind.MONEY, Kind.DATE, Kind.DATETIME, Kind.CHOICE, Kind.INTEGER, Kind.DECIMAL})
"""Kinds whose values may have several words: in doubt where the title has been given before (`value=12 boxes`)."""
PREPOSITIONS: Final = frozenset({"to", "on", "for", "of", "as"})
_LEADING: Final = frozenset({"where", "for", "of", "from", "with", "about"})
"""Words that only lead to the conditions of a list."""
_NAME: Final = "name"
_WHOLE_NAMES: Final = frozenset({"name", "fullname"})
_RECORD: Final = "record"
_SETTING: Final = frozenset({"set", "change", "make"})
_POLITE: Final = frozenset({"please", "pls", "thanks", "bitte", "now"})
_TO: Final = frozenset({"to", "=", "is", "as"})
_AND: Final = frozenset({"and", "und", "et", "&"})
_CLEAR: Final = "clear"
"""The field of an update that names the fields to empty."""


def read_arguments(operation: type[Operation], text: str, vocabulary: Vocabulary | None) -> Parsed | Problem:
    """Fill the operation's fields. `text` is tidy; never raises."""
    filling = _Filling(operation, vocabulary)
    try:
        conditions = next((w for w in operation.words if w in operation.parameters and _is_filter(operation, w)), None)
        if conditions:
            filling.listing(text, conditions)
        else:
            filling.everything(text)
    except Unreadable as e:
        return Problem(error=BadInput(str(e)), operation=operation, args=filling.args)
    except Doubt as e:
        return Problem(error=e.error, operation=operation, args=filling.args)
    return Parsed(operation=operation, args=filling.args, columns=filling.columns)


def _is_filter(operation: type[Operation], name: str) -> bool:
    return operation.parameters[name].marked(filters.FilterMark)


@dataclass
class _Filling:
    operation: type[Operation]
    vocabulary: Vocabulary | None
    args: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def _names(self) -> dict[str, Parameter]:
        return names(self.operation)

    @property
    def _takes_person(self) -> bool:
        """Whether a person's whole name is split into its parts."""
        return _NAME in self.operation.words and _NAME not in self.operation.parameters

    def listing(self, text: str, conditions: str) -> None:
        """Conditions in the friendly language, and the list's own fields (`sort=`, `top=`, raw `filter=`)."""
        own = Names(self._names)
        raw = Names(name for name, p in self._names.items() if p.marked(RawMark))
        put = self._named
        text = formal(take_raw(markup.targets(text), raw, own, put), lambda word: condition(self.operation, word))
        text = filters.extract(text, own, put)
        first, _, rest = text.partition(" ")
        if rest.strip() and first.casefold() in _LEADING:
            text = rest.strip()
        if text and conditions in self.args:
            raise Doubt(f"There are conditions twice: {shown(text)} too.", f"Write all of them in {conditions}=.")
        if text:
            self.args[conditions] = markup.escape(text)

    def everything(self, text: str) -> None:
        """Words, quoted phrases and pairs."""
        words: list[Word] = []
        before: tuple[Pair, Kind | None] | None = None
        for item in items(labelled(text, self._named_kind), self._kind):
            if isinstance(item, Word):
                if before:
                    doubtful = _SEVERAL_WORDS | _MAYBE_SEVERAL if words else _SEVERAL_WORDS
                    if not item.breaks and not before[0].quoted and before[1] in doubtful:
                        raise torn(self.operation, before[0], item)
                    before = None
                words.append(item)
            else:
                if words and not words[-1].quoted and len(words[-1].text) > 1:  # `Printer broken, account=Contoso`
                    words[-1] = words[-1]._replace(text=words[-1].text.rstrip(",;") or words[-1].text)
                before = (item, self._pair(item, words))
        if words:
            self._words(words)
        self._clear()

    def _clear(self) -> None:
        """`phone=` empties the field, where the operation can empty fields."""
        if _CLEAR not in self.operation.parameters:
            return
        emptied = [name for name, text in self.args.items() if not text and self.operation.parameters[name].column]
        for name in emptied:
            del self.args[name]
        if emptied:
            self.args[_CLEAR] = ",".join(filter(None, (self.args.get(_CLEAR, ""), *emptied)))

    def _kind(self, name: str) -> Kind | None:
        found = self._names.get(squash(name))
        return found.kind if found else None

    def _named_kind(self, name: str) -> Kind | None:
        whole = squash(name) in _WHOLE_NAMES and self._takes_person
        return self._kind(name) or (Kind.TEXT if whole else None)

    def _pair(self, pair: Pair, words: list[Word]) -> Kind | None:
        """Put the value where its name says; the kind of that place."""
        for back in range(min(4, len(words) + 1)):
            label = words[len(words) - back :]
            if any(w.quoted or w.breaks for w in label[1:]) or any(w.quoted for w in label):
                break
            key = " ".join((*(w.text for w in label), pair.key))
            if parameter := self._parameter(key):
                del words[len(words) - back :]
                self._put(parameter, decoded(pair.value, parameter.kind), key)
                return parameter.kind
            if column := self._column(key):
                del words[len(words) - back :]
                if column in self.columns:
                    raise Doubt(f"{key} is given twice.", "Write it once.", column)
                self.columns[column] = markup.targets(pair.value)
                return None
        if squash(pair.key) in _WHOLE_NAMES and self._takes_person:
            words.append(Word(pair.value, pair.start, 0, quoted=True))
            return Kind.TEXT
        raise unknown(self.operation, pair, self.vocabulary)

    def _parameter(self, key: str) -> Parameter | None:
        if found := self._names.get(squash(key)):
            return found
        column = self._looked_up(key)
        own = (p for p in self.operation.parameters.values() if p.column and p.column.logical == column)
        return next(own, None) if column else None

    def _column(self, key: str) -> str | None:
        """The logical name of a column that the operation does not name, where it takes such columns."""
        if not any(p.marked(ColumnsMark) for p in self.operation.parameters.values()):
            return None
        if self.vocabulary is None or self.operation.table is None:
            # Only custom columns have a publisher's prefix; whether this one exists is found out when it runs.
            return key.casefold() if "_" in key.strip("_") and " " not in key else None
        return self._looked_up(key)

    def _looked_up(self, key: str) -> str | None:
        if self.vocabulary is None or self.operation.table is None:
            return None
        found = self.vocabulary.column(self.operation.table.logical, key)
        return found[0] if found else None

    def _named(self, key: str, value: str) -> None:
        self._put(self._names[squash(key)], value, key)

    def _put(self, parameter: Parameter, value: str, key: str) -> None:
        if parameter.name in self.args:
            raise Doubt(f"{key} is given twice.", "Write it once.", parameter.name)
        self.args[parameter.name] = value

    def _words(self, words: list[Word]) -> None:
        wanted = [name for name in self.operation.words if name not in self.args]
        if _NAME in wanted and self._takes_person:
            wanted = [name for name in wanted if name != _NAME]
            if not wanted:
                add_person(self.operation, self.args, words)
                return
        if not wanted:
            raise left_over(self.operation, self.args, words)
        for name in wanted[:-1]:
            words = self._without_preposition(name, words)
            first, words = words[0], words[1:]
            text = first.text.rstrip(":,") if words and not first.quoted else first.text
            self.args[name] = decoded(text, self.operation.parameters[name].kind)
            if not words:
                return
        self._rest(wanted[-1], self._without_preposition(wanted[-1], words))

    def _without_preposition(self, name: str, words: list[Word]) -> list[Word]:
        """`note on case CAS-1`, `assign it to Jane`: what only leads to a reference is no part of it.

        `this case` is `it`.
        """
        if self.operation.parameters[name].kind not in (Kind.LOOKUP, Kind.ID):
            return words
        if len(words) > 1 and not words[0].quoted and words[0].text.casefold() in PREPOSITIONS:
            words = words[1:]
        count, form = said_last([w.text for w in words[:3] if not w.quoted])
        table = self.operation.table
        if count > 1:
            if form and table and form.noun.table != table.logical:
                said = " ".join(w.text for w in words[:count])
                raise Doubt(f"{shown(said)} is not what {self.operation.verb} is for.", "Name the record.", name)
            return [Word("it", words[0].start, words[0].breaks), *words[count:]]
        form = named(words[0].text)
        fits = form and (not table or form.noun.table == table.logical)
        return words[1:] if len(words) > 1 and fits and not words[0].quoted else words

    def _rest(self, name: str, words: list[Word]) -> None:
        """All the words into one field; lines after the first become the description where there is one to fill."""
        parameter = self.operation.parameters[name]
        if name == _RECORD and len(words) > 1 and (words[0].quoted or _tells(words[0].text)):
            self._said_of(words[1:])
            words = [words[0] if words[0].quoted else words[0]._replace(text=words[0].text.rstrip(":,"))]
        text = joined(words, parameter.kind)
        if parameter.kind is not Kind.MULTILINE and "\n" in text:
            memo = next(
                (p for p in self.operation.parameters.values() if _takes_lines(p) and p.name not in self.args), None
            )
            if memo:
                text, _, rest = text.partition("\n")
                if rest.strip():
                    self.args[memo.name] = rest.strip("\n")
        self.args[name] = text

    def _said_of(self, words: list[Word]) -> None:
        """`CAS-01004 set priority to low`: one field of the record in words."""
        if all(w.text.casefold().rstrip(".!") in _POLITE for w in words):
            return
        texts = [w.text for w in words if not w.quoted or w is words[-1]]
        if texts[0].casefold() in _SETTING:
            texts = texts[1:]
        for length in (3, 2, 1):
            parameter = self._parameter(" ".join(texts[:length])) if len(texts) > length else None
            value = (
                texts[length + 1 :]
                if texts[length : length + 1] and texts[length].casefold() in _TO
                else texts[length:]
            )
            if parameter and value and _CLEAR in self.operation.parameters and _AND.isdisjoint(value):
                self._put(parameter, decoded(" ".join(value), parameter.kind), parameter.name)
                return
        raise left_over(self.operation, {}, words)


def _tells(text: str) -> bool:
    """Whether a word tells by its shape that it means a record."""
    try:
        form = references.reference(text.rstrip(":,")).form
    except Unreadable:
        return False
    return form not in (references.Form.NAME, references.Form.ME, references.Form.MENTION)


def _takes_lines(parameter: Parameter) -> bool:
    return parameter.kind is Kind.MULTILINE
