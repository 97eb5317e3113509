"""What chat clients wrap around words: Slack's `<mailto:a@b.c|a@b.c>`, `<@U1|jane>`, `&amp;`; spaces that are not.

Slack: https://docs.slack.dev/messaging/formatting-message-text (retrieving messages; escaping).
"""

import re
import unicodedata
from typing import Final

MENTION: Final = re.compile(r"<@(?P<user>[UWB][A-Z0-9]{1,30})(?:\|(?P<name>[^<>|]{0,100}))?>")
"""A person, as Slack writes it."""

ATOM: Final = re.compile(r"<(?:[@#!][^<>\s|]{1,100}|(?:https?://|mailto:|tel:)[^<>\s|]{1,4000})(?:\|[^<>]{0,4000})?>")
"""One wrapped thing; it counts as a single word, whatever its label contains."""

_ENTITIES: Final = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_ENTITY = re.compile("&(?:amp|lt|gt);")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t]")
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2060\ufeff\ud800-\udfff]")


def tidy(text: str) -> str:
    """One kind of line break and of space, composed letters; no control or zero-width characters except joiners.

    Doing it twice changes nothing.
    """
    text = (
        text.replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("\u2028", "\n")
        .replace("\u2029", "\n")
        .replace("\x85", "\n")
    )
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", _SPACES.sub(" ", text)))


def plain(text: str) -> str:
    """The words that a person saw, from Slack's wrapped form."""
    if "<" in text:
        text = ATOM.sub(lambda m: _plain(m[0]), text)
    return unescape(text)


def targets(text: str) -> str:
    """The same with addresses instead of labels, and people left wrapped: for text that is read further."""
    if "<" in text:
        text = ATOM.sub(lambda m: m[0] if m[0][1] == "@" else link_target(m[0]), text)
    return unescape(text)


def escape(text: str) -> str:
    """Text that `plain` gives back as it is."""
    text = _ENTITY.sub(lambda m: "&amp;" + m[0][1:], text)
    return text.replace("<", "&lt;") if ATOM.search(text) else text


def unescape(text: str) -> str:
    """`&amp;`, `&lt;` and `&gt;` as the characters they stand for; no other entities exist in Slack's texts."""
    return _ENTITY.sub(lambda m: _ENTITIES[m[0]], text) if "&" in text else text


def _plain(atom: str) -> str:
    target, _, label = atom[1:-1].partition("|")
    if target[0] == "@":
        return f"@{label.removeprefix('@') or target[1:]}"
    if target[0] == "#":
        return f"#{label.removeprefix('#') or target[1:]}"
    if target[0] == "!":
        return f"@{label.removeprefix('@') or target[1:].partition('^')[0]}"
    return link_target(atom) if _same(target, label) else f"{label} ({link_target(atom)})"


def _same(target: str, label: str) -> bool:
    """Whether the label says nothing but the address."""
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    return (
        not label or label.replace(" ", "") in (bare, bare.split("://", 1)[-1].rstrip("/"), target) or ":" not in target
    )


def link_target(text: str) -> str:
    """The address in `<mailto:a@b.c|a@b.c>`, `<tel:+49…|…>` or `<https://…|…>`; any other text unchanged."""
    if not (text.startswith("<") and ATOM.fullmatch(text)) or text[1] in "@#!":
        return text
    target = text[1:-1].partition("|")[0]
    target = target.removeprefix("mailto:").removeprefix("tel:")
    return unescape(target)
