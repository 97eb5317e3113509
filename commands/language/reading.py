"""`Reading`: in whose eyes a text is read; `Unreadable`: what cannot be read, in a sentence."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError


class Unreadable(ValueError):
    """A text that is not what was asked for. The message names it and gives an example that works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Locale, zone and clock of the person who typed. Values written in canonical form read the same in every one."""

    locale: str = "en-US"
    """BCP 47 or POSIX: `de-AT`, `en_GB`; an unknown one is read as `en-US`."""
    timezone: str = "UTC"
    """IANA name; an unknown one is read as UTC."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Aware, in any zone; relative dates count from here."""
    language: str = ""
    """Of the words, where it differs from the locale's: `ru`."""

    @property
    def babel(self) -> Locale:
        """Number and date conventions."""
        return _locale(self.locale)

    @property
    def words(self) -> str:
        """Two-letter code of the language that the person writes; English is understood beside it."""
        return self.language or self.babel.language

    @property
    def zone(self) -> tzinfo:
        """The person's time zone."""
        return _zone(self.timezone)

    @property
    def here(self) -> datetime:
        """Now, on the person's clock."""
        return self.now.astimezone(self.zone)

    @property
    def today(self) -> date:
        """The person's date."""
        return self.here.date()


@lru_cache(maxsize=256)
def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name.replace("-", "_"))
    except (ValueError, UnknownLocaleError, TypeError):
        return Locale("en", "US")


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def shown(text: str, limit: int = 60) -> str:
    """What was typed, quoted for a sentence; long texts are cut."""
    line = " ".join(text.split())
    return f"“{line if len(line) <= limit else line[: limit - 1] + '…'}”"
