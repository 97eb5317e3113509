"""The text of a reference to a record: a GUID in any dress, `/accounts(GUID)`, a Dynamics address, a number, a name."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, urlsplit

from crm.tables import TABLES

from .markup import MENTION, link_target
from .reading import Unreadable, shown

_LONGEST = 2000


class Form(StrEnum):
    """What the text looks like. NUMBER and NAME are guesses from its shape; the table decides."""

    GUID = "guid"
    PATH = "path"
    """`/accounts(GUID)`."""
    URL = "url"
    """A record's address in Dynamics; `host` must be checked against the organisation's."""
    NUMBER = "number"
    """`CAS-01042-X1Y2`."""
    EMAIL = "email"
    LAST = "last"
    """`it`, `last`: the record last shown."""
    ME = "me"
    """The person who asks."""
    MENTION = "mention"
    """Somebody of the chat platform: `<@U012|jane>`; `id` is theirs there."""
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A reference as it was typed; `str()` gives text that reads as the same reference everywhere."""

    form: Form
    text: str
    id: str = ""
    """Lower-case GUID with dashes (GUID, PATH, URL), or the platform's user id (MENTION)."""
    table: str = ""
    """Logical name of the table, where the text names it and it is one of ours, or `etn` of an address."""
    entity_set: str = ""
    """PATH: the entity set as it was written."""
    host: str = ""
    """URL: lower case, without a port."""

    def __str__(self) -> str:
        return self.text


_GUID = re.compile(
    r"\{?\(?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\)?\}?", re.IGNORECASE
)
_PATH = re.compile(r"/?([A-Za-z][A-Za-z0-9_]*)\(\s*([^()]*?)\s*\)")
_NUMBER = re.compile(r"#?[A-Za-z]{2,6}-\d{2,}(?:-[A-Za-z0-9]+)*")
_EMAIL = re.compile(r"[^\s@<>\"',;:]+@[^\s@<>\"',;:]+\.[^\s@<>\"',;:.]+")
_LAST: Final = {"it", "last", "this", "that", "this one", "that one", "the last one"}
_ME: Final = {"me", "myself", "@me"}
_SETS: Final = {table.entity_set: table.logical for table in TABLES.values()}


def guid(text: str) -> str | None:
    """The GUID in lower case with dashes, from braces, upper case or bare digits; None for anything else."""
    found = _GUID.fullmatch(text.strip())
    return "-".join(found.groups()).lower() if found else None


def reference(text: str) -> Named:
    """What the text refers to, as far as its shape says. Raises Unreadable."""
    text = " ".join(text.split())
    if mention := MENTION.fullmatch(text):
        return Named(form=Form.MENTION, text=text, id=mention["user"])
    text = link_target(text)
    if not text or len(text) > _LONGEST:
        raise Unreadable("Name a record: by its number, its name, an e-mail address or its address in Dynamics.")
    if found := guid(text):
        return Named(form=Form.GUID, text=found, id=found)
    if text.casefold() in _LAST:
        return Named(form=Form.LAST, text="it")
    if text.casefold() in _ME:
        return Named(form=Form.ME, text="me")
    if text.casefold().startswith(("https://", "http://")):
        return _address(text)
    return _path(text) or _plain(text)


def _path(text: str) -> Named | None:
    found = _PATH.fullmatch(text)
    if found is None:
        return None
    id_, entity_set = guid(found[2]), found[1]
    if id_:
        canonical = f"/{entity_set.lower()}({id_})"
        table = _SETS.get(entity_set.lower(), "")
        return Named(form=Form.PATH, text=canonical, id=id_, table=table, entity_set=entity_set.lower())
    if text.startswith("/") or entity_set.lower() in _SETS:
        raise Unreadable(
            f"{shown(found[2])} is not a GUID. Write it like /accounts(5f3c8d2e-0000-4000-8000-000000000001)."
        )
    return None


def _plain(text: str) -> Named:
    if _NUMBER.fullmatch(text):
        return Named(form=Form.NUMBER, text=text.removeprefix("#"))
    if _EMAIL.fullmatch(text):
        return Named(form=Form.EMAIL, text=text)
    return Named(form=Form.NAME, text=text)


def _address(text: str) -> Named:
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
        asked = {k.lower(): v[0].strip() for k, v in parse_qs(parts.query, max_num_fields=50).items()}
    except ValueError:
        raise Unreadable(f"{shown(text)} is not an address that I can read.") from None
    found = _PATH.search(parts.path)
    id_ = guid(asked.get("id", "")) or (guid(found[2]) if found else None)
    if not host or not id_:
        raise Unreadable(
            f"{shown(text)} is not a record's address. Open the record in Dynamics and copy the address from there."
        )
    entity_set = found[1].lower() if found and not asked.get("id") else ""
    table = asked.get("etn", "").lower() or _SETS.get(entity_set, "")
    return Named(form=Form.URL, text=text, id=id_, table=table, entity_set=entity_set, host=host)
