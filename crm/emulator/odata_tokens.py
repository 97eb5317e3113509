"""The words of OData's expression language."""

import json
import re
from dataclasses import dataclass

from .errors import bad_request
from .wire import split_outside

MAX_TOKENS, MAX_DEPTH = 20_000, 60
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:''|[^'])*')
    | (?P<guid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![\w-]))
    | (?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)
    | (?P<date>\d{4}-\d\d-\d\d(?![\w-]))
    | (?P<number>-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w]))
    | (?P<alias>@\w+)
    | (?P<word>[^\W\d][\w.]*)
    | (?P<mark>[()\[\],/:=])
    )""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise bad_request(f"Syntax error at position {position} in '{shorten(text)}'.")
        kind = match.lastgroup
        if kind == "mark" and match[kind] == "[":
            value, stop = array(text, match.start(kind))
            found.append(Token("array", value, match.start(kind), stop))
            position = stop
        else:
            found.append(Token(kind, match[kind], match.start(kind), match.end()))
            position = match.end()
        if len(found) > MAX_TOKENS:
            raise bad_request(f"The query is too long: more than {MAX_TOKENS} words.")
    return found


def array(text: str, start: int) -> tuple[str, int]:
    """The JSON text of an array that begins here, and where it ends; single-quoted items are accepted."""
    try:
        _, stop = json.JSONDecoder().raw_decode(text, start)
        return text[start:stop], stop
    except (ValueError, RecursionError):
        pass
    match = re.compile(r"\[\s*('(?:''|[^'])*'\s*(,\s*'(?:''|[^'])*'\s*)*)?\]").match(text, start)
    if match is None:
        raise bad_request(f"Syntax error at position {start} in '{shorten(text)}': an array was expected.")
    items = [item.strip()[1:-1].replace("''", "'") for item in split_outside(match[0][1:-1], ",") if item.strip()]
    return json.dumps(items), match.end()


def shorten(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"
