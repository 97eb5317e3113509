"""A person in the words of a command: `Jane Smith from Acme Corp, jane@acme.example`."""

from typing import Final

from commands.operation import Operation
from crm.tables import Kind

from .doubts import Doubt, left_over
from .people import reached, split, swapped
from .tokens import Word
from .words import decoded, joined

_BEFORE_NAME: Final = frozenset({"for", "called", "named"})
_BEFORE_COMPANY: Final = frozenset({"at", "from", "bei", "@"})
_NO_NAME: Final = frozenset({"for", "with", "about", "and", "&", "und"})
"""Words that are in no name."""
_MOST: Final = 100
"""Words in which a person is looked for."""


def add_person(operation: type[Operation], args: dict[str, str], words: list[Word]) -> None:
    """A person's name, and what else is told of them, into the fields. Raises Doubt."""
    if len(words) <= _MOST:  # more are nobody's name, and would take their time
        words = _without_addresses(operation, args, words)
        if not words:
            return
        words = _without_company(operation, args, words)
    at = next((i for i, w in enumerate(words) if i and not w.quoted and w.text.casefold() in _NO_NAME), 0)
    text = joined(words, Kind.TEXT).replace("\n", " ")
    if not at and len(words) > 1 and "," in text and not swapped(text):  # `Jane Smith, CEO`
        at = next((i for i, w in enumerate(words[:-1]) if not w.quoted and w.text.endswith(",")), -1) + 1
    if at:
        raise left_over(operation, {}, words[at:])
    if "first_name" in args and "last_name" in args:
        raise left_over(operation, args, words)
    if "first_name" in args or "last_name" in args:
        args["last_name" if "first_name" in args else "first_name"] = text
        return
    first, last = split(text if words[-1].quoted else text.rstrip(",;") or text)
    args.update({"first_name": first, "last_name": last} if first else {"last_name": last})


def _without_addresses(operation: type[Operation], args: dict[str, str], words: list[Word]) -> list[Word]:
    """`Jane Smith jane@acme.example +1 206 555 0100`: no name looks so. A company in brackets is asked about."""
    texts = ["" if w.quoted else decoded(w.text, Kind.EMAIL) for w in words]
    if texts[-1].endswith(")") and any(text.startswith("(") for text in texts[1:]):
        raise left_over(operation, {}, words[next(i for i, t in enumerate(texts) if t.startswith("(")) :])
    kept, *found = reached([text or "quoted" for text in texts])
    told = {name: text for name, text in zip(("email", "phone"), found, strict=True) if text}
    if not told or not told.keys() <= operation.parameters.keys():
        return words
    for name, text in told.items():
        _put(args, name, text)
    if not kept:
        return []
    words = [words[i] for i in kept]
    last = words[-1]
    return words if last.quoted else [*words[:-1], last._replace(text=last.text.rstrip(",;") or last.text)]


def _without_company(operation: type[Operation], args: dict[str, str], words: list[Word]) -> list[Word]:
    """`for Jane Smith from Acme Corp`: no name has such words in it, so the company is given."""
    folded = ["" if word.quoted else word.text.casefold() for word in words]
    begin = 1 if folded[0] in _BEFORE_NAME and len(words) > 1 else 0
    at = next((i for i in range(begin + 1, len(words) - 1) if folded[i] in _BEFORE_COMPANY), 0)
    company = operation.parameters.get("company")
    if not at or company is None:
        return words[begin:]
    if company.name in args:
        raise left_over(operation, args, words[at:])
    args[company.name] = joined(words[at + 1 :], company.kind).replace("\n", " ")
    return words[begin:at]


def _put(args: dict[str, str], name: str, text: str) -> None:
    if name in args:
        raise Doubt(f"{name} is given twice.", "Write it once.", name)
    args[name] = text
