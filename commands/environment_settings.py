"""The part of the policy file that names further organisations, and what in it cannot be meant."""

import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field

from crm.address import organisation
from crm.errors import ConfigurationError

Where = tuple[str | int, ...]
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


class EnvironmentPart(BaseModel):
    """One organisation, as an administrator describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    """Its address; left out at exactly one: that is DATAVERSE_URL's."""
    badge: str = Field("", max_length=30)
    """What stands on its cards; left out: its name."""
    production: bool = Field(False, strict=True)
    """Its badge says so."""
    confirm: bool = Field(False, strict=True)
    """A change is asked back before it is made."""
    channels: tuple[str, ...] = ()
    """Conversations whose commands go here, by the platforms' ids."""

    def badge_for(self, name: str) -> str:
        """`Production`, `Sandbox`, `Emea (production)`."""
        badge = self.badge or name.capitalize()
        return f"{badge} (production)" if self.production and "production" not in badge.casefold() else badge


def problems(parts: Mapping[str, EnvironmentPart]) -> Iterator[tuple[Where, str]]:
    """What is well-formed and yet cannot be meant: where, and a sentence."""
    urls: dict[str, str] = {}
    channels: dict[str, str] = {}
    for name, part in parts.items():
        at: Where = ("environments", name)
        if not _NAME.fullmatch(name):
            yield at, f"{name!r} is no name of an environment: up to 20 small letters, digits and hyphens."
        try:
            url = organisation(part.url).url.casefold() if part.url else ""
        except ConfigurationError as e:
            yield (*at, "url"), e.message
        else:
            if url in urls:
                same = f"has the same url as {urls[url]}" if url else f"has no url, and neither has {urls[url]}"
                yield (*at, "url"), f"{name} {same}; only DATAVERSE_URL's leaves it out."
            urls[url] = name
        for n, channel in enumerate(part.channels):
            if channel in channels:
                yield (*at, "channels", n), f"{channel} is the channel of {channels[channel]} already."
            channels[channel] = name
    if parts and not any(not part.url for part in parts.values()):
        yield ("environments",), "one of them must leave out `url`: it is the organisation of DATAVERSE_URL."
