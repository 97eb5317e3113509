"""Keeps secrets out of the log: tokens, `response_url`s, bearer headers, the secrets that the settings hold.

A last line of defence: nothing of ours logs them on purpose, but libraries log requests, and exceptions quote URLs.
"""

import logging
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from .settings import Settings

HIDDEN = "[hidden]"
_PATTERNS = re.compile(
    r"xox[a-z](?:\.xox[a-z])?-[\w-]+"  # Slack tokens
    r"|xapp-[\w-]+"
    r"|https?://hooks\.slack(?:-gov)?\.com/[^\s'\"]+"  # response_url: whoever has it may post
    r"|eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"  # JSON Web Tokens
    r"|(?<=Bearer )[\w.~+/=-]{8,}"
    r"|(?<=client_secret=)[^&\s'\"]+|(?<=refresh_token=)[^&\s'\"]+|(?<=code=)[^&\s'\"]{16,}",
    re.IGNORECASE,
)
_SHORTEST = 6
"""A shorter secret is no secret, and hiding it everywhere would make the log unreadable."""


class Redacting(logging.Formatter):
    """Formats as another formatter does, tracebacks included, and hides what must not be seen."""

    def __init__(self, inner: logging.Formatter, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._inner = inner
        known = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def format(self, record: logging.LogRecord) -> str:
        """The line, without secrets."""
        line = _PATTERNS.sub(HIDDEN, self._inner.format(record))
        return self._known.sub(HIDDEN, line) if self._known else line


def redact(settings: Settings | None = None) -> None:
    """Put it before every handler of the root logger; with `settings`, their secrets are hidden by value too."""
    for handler in logging.getLogger().handlers:
        inner = handler.formatter or logging.Formatter()
        if isinstance(inner, Redacting):
            inner = inner._inner  # noqa: SLF001  our own, set up again with more to hide
        handler.setFormatter(Redacting(inner, _secrets(settings) if settings else ()))


def _secrets(settings: Settings) -> list[str]:
    values = (getattr(settings, name) for name in type(settings).model_fields)
    found = [v.get_secret_value() for v in values if isinstance(v, SecretStr)]
    password = urlsplit(settings.database_url).password or ""
    return [*found, *(key.decode() for key in settings.secret_keys), password, unquote(password)]
