"""The paging cookie: where the last page ended, in the shape that Dataverse gives it.

`<cookie pagenumber="2" pagingcookie="…" istracking="False" />`, whose inner cookie (percent-encoded twice) names each
sort column with its `last` and `first` value
(learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as encode
from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

from defusedxml.ElementTree import fromstring

from .errors import BAD_COOKIE, DataverseError
from .sorting import SortKey


@dataclass(frozen=True, slots=True)
class Cookie:
    """Page number to give, and the sort values of the row before it (None: count pages instead)."""

    page: int
    last: tuple[Any, ...] | None


def _element(key: SortKey, first: Any, last: Any, *, primary: bool) -> str:
    name = key.name.replace("/", ".")
    if primary:
        return f'<{name} last="{{{str(last).upper()}}}" first="{{{str(first).upper()}}}" />'
    return f"<{name} last={quoteattr(json.dumps(last))} first={quoteattr(json.dumps(first))} />"


def inner_cookie(keys: Sequence[SortKey], page: int, first: Sequence[Any], last: Sequence[Any]) -> str:
    """`<cookie page="1"><accountid last="{GUID}" first="{GUID}" /></cookie>`."""
    body = "".join(
        _element(key, first[index], last[index], primary=index == len(keys) - 1) for index, key in enumerate(keys)
    )
    return f'<cookie page="{page}">{body}</cookie>'


def outer_cookie(inner: str, next_page: int) -> str:
    """The cookie as `$skiptoken` and the FetchXML annotation carry it."""
    twice = encode(encode(inner, safe=""), safe="")
    return f'<cookie pagenumber="{next_page}" pagingcookie="{twice}" istracking="False" />'


def bad_cookie() -> DataverseError:
    return DataverseError(400, BAD_COOKIE, "Paging cookie is invalid: follow @odata.nextLink as it was given.")


def read_outer(text: str, keys: Sequence[SortKey]) -> Cookie:
    """A `$skiptoken` back into a place in the list.

    Raises: DataverseError 400.
    """
    try:
        element = fromstring(text)
        page = int(element.attrib["pagenumber"])
        inner = unquote(unquote(element.attrib["pagingcookie"]))
    except Exception:
        raise bad_cookie() from None
    return Cookie(page, read_inner(inner, keys))


def read_inner(text: str, keys: Sequence[SortKey]) -> tuple[Any, ...]:
    """The `last` values of an inner cookie.

    Raises: DataverseError 400.
    """
    try:
        element = fromstring(text)
        held = {child.tag: child.attrib["last"] for child in element}
        last = [json.loads(held[key.name.replace("/", ".")]) for key in keys[:-1]]
        primary = held[keys[-1].name.replace("/", ".")].strip("{}").lower()
    except Exception:
        raise bad_cookie() from None
    if any(isinstance(value, dict | list) for value in last):
        raise bad_cookie()
    return (*last, primary)
