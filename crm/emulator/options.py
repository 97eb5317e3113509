"""The other query options, and keys in URLs: `$orderby`, `$select`, `$expand`, counts -> their parts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import QUERY, DataverseError, bad_request, not_implemented
from .odata import parse_filter, parse_literal
from .odata_tokens import shorten
from .odata_tree import Literal, Node, Path
from .values import parse_guid
from .wire import pairs, split_outside


@dataclass(frozen=True, slots=True)
class Order:
    path: Path
    descending: bool = False


def parse_orderby(text: str) -> tuple[Order, ...]:
    """`a desc,b/c` -> orders.

    Raises: DataverseError 400.
    """
    found = []
    for part in split_outside(text, ","):
        words = part.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1].lower() not in {"asc", "desc"}):
            raise bad_request(f"Syntax error in $orderby: '{shorten(text)}'.")
        if "(" in words[0]:
            raise not_implemented("A function in $orderby")
        found.append(Order(Path(tuple(words[0].split("/"))), len(words) == 2 and words[1].lower() == "desc"))
    return tuple(found)


def parse_names(text: str) -> tuple[str, ...]:
    """`$select` text -> names; empty parts are dropped, as Dataverse does."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """One navigation property of `$expand`, with its own options."""

    name: str
    ref: bool = False
    select: tuple[str, ...] | None = None
    filter: Node | None = None
    filter_text: str = ""
    orderby: tuple[Order, ...] = ()
    top: int | None = None
    expand: "tuple[Expand, ...]" = field(default=())


def parse_expand(text: str, *, depth: int = 0) -> tuple[Expand, ...]:
    """`a,b($select=x;$filter=…)` -> trees.

    Raises: DataverseError 400, 501.
    """
    if depth > 10:
        raise bad_request("The $expand is nested too deeply: more than 10 levels.")
    found = [_expand_item(part.strip(), depth) for part in split_outside(text, ",") if part.strip()]
    if len(found) > 15:
        raise bad_request("The number of $expand options exceeds the limit of 15.")
    return tuple(found)


def _expand_item(text: str, depth: int) -> Expand:
    opening = text.find("(")
    name, options = text, ""
    if opening >= 0:
        if not text.endswith(")"):
            raise bad_request(f"Syntax error in $expand: '{shorten(text)}'.")
        name, options = text[:opening].strip(), text[opening + 1 : -1]
    ref = name.endswith("/$ref")
    name = name.removesuffix("/$ref")
    if not re.fullmatch(r"\w+", name):
        raise bad_request(f"Syntax error in $expand: '{shorten(text)}'.")
    values: dict[str, Any] = {}
    for option in split_outside(options, ";"):
        if not option.strip():
            continue
        key, _, value = option.strip().partition("=")
        key = key.strip()
        if key in {"$skip", "$count", "$search", "$levels"}:
            raise bad_request(f"The query option '{key}' is not supported in $expand.")
        if key not in _EXPAND_OPTIONS:
            raise bad_request(f"The query option '{key}' is not valid in $expand.")
        values[key.removeprefix("$")] = _EXPAND_OPTIONS[key](value, depth)
        if key == "$filter":
            values["filter_text"] = value
    return Expand(name=name, ref=ref, **values)


_EXPAND_OPTIONS: dict[str, Any] = {
    "$select": lambda value, _: parse_names(value),
    "$filter": lambda value, _: parse_filter(value),
    "$orderby": lambda value, _: parse_orderby(value),
    "$top": lambda value, _: parse_count("$top", value),
    "$expand": lambda value, depth: parse_expand(value, depth=depth + 1),
}


def parse_count(option: str, text: str) -> int:
    """A non-negative whole number.

    Raises: DataverseError 400.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise bad_request(
            f"Invalid value '{shorten(text)}' for {option} query option found. It must be a non-negative integer."
        )
    return int(text)


def parse_key(text: str, aliases: Mapping[str, str] | None = None) -> str | dict[str, Literal]:
    """What stands in the brackets of `accounts(…)`: a GUID, or an alternate key's parts.

    Raises: DataverseError 400.
    """
    guid = parse_guid(text.strip().strip("'"))
    if guid is not None:
        return guid
    found: dict[str, Literal] = {}
    for name, value in pairs(text):
        if not name or not re.fullmatch(r"\w+", name) or name in found:
            raise DataverseError(
                400, QUERY, f"Bad Request - Error in query syntax: the key '({shorten(text)})' is not valid."
            )
        found[name] = parse_literal((aliases or {}).get(value, value))
    return found
