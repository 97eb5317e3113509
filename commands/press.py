"""What a button or a form carries back to us, and the seal that proves we made it.

A `Press` travels through the platform inside a button's value, an Adaptive Card's data or a modal's metadata. People
and clients can see it and replay it, so it is signed, and every press is authorised again as the person who pressed.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import TypeAdapter, ValidationError


class Do(StrEnum):
    """What a press does."""

    RUN = "run"
    """Run the command `verb` with `args`."""
    FORM = "form"
    """Open the form of `verb`, filled with `args`."""
    CONFIRM = "confirm"
    """Run it, although the environment asks before it is changed: the person was asked."""
    SUBMIT = "submit"
    """Run `verb` with `args` and the values of the form that this press came with."""
    SHARE = "share"
    """Show the card that `verb` and `args` give to everyone in the conversation."""
    DISMISS = "dismiss"
    """Put the card away; nothing else happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A command as data, in words as they would be typed: `case update`, {"record": "CAS-1", "priority": "High"}."""

    do: Do
    verb: str = ""
    args: dict[str, str] = field(default_factory=dict)
    key: str = ""
    """The intent key, fixed when the person started; empty where each press is an intent of its own."""
    etag: str = ""
    """The version of the record that the person saw; an update from a card is refused if it has changed since."""
    owner: str = ""
    """`Principal.key` of the only person who may use this; empty where anyone who sees it may (as themselves)."""
    kept: str = ""
    """Where `args` are kept in `state` when they are too long to travel; empty where they travel."""


class BadSeal(Exception):
    """The token was not made by us, was changed on its way, or is of a deployment that no longer exists."""


_PRESS: TypeAdapter[Press] = TypeAdapter(Press)
_VERSION = "1"
_MAC_BYTES = 16


class Seal:
    """Signs presses with keys derived from `CRMCHAT_SECRET_KEY`; the first key signs, all of them verify (rotation)."""

    def __init__(self, *secrets: bytes) -> None:
        if not secrets or not all(secrets):
            raise ValueError("Seal needs at least one non-empty secret")
        self._keys = [hashlib.sha256(b"crmchat/press/" + s).digest() for s in secrets]

    def seal(self, press: Press) -> str:
        """A URL-safe token; about 4/3 of the JSON's length plus 24 characters."""
        body = urlsafe_b64encode(_PRESS.dump_json(press, exclude_defaults=True)).rstrip(b"=")
        return f"{_VERSION}{self._mac(self._keys[0], body)}{body.decode()}"

    def open(self, token: str) -> Press:
        """The press that was sealed. Raises BadSeal."""
        length = 1 + (_MAC_BYTES * 4 + 2) // 3
        mac, body = token[1:length], token[length:].encode("utf-8", "replace")
        if token[:1] != _VERSION or not any(
            hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(key, body).encode()) for key in self._keys
        ):
            raise BadSeal
        try:
            return _PRESS.validate_json(urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
        except (ValueError, ValidationError) as e:
            raise BadSeal from e

    @staticmethod
    def _mac(key: bytes, body: bytes) -> str:
        mac = hmac.new(key, _VERSION.encode() + body, hashlib.sha256).digest()[:_MAC_BYTES]
        return urlsafe_b64encode(mac).rstrip(b"=").decode()
