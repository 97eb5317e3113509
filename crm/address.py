"""Which addresses a token may be sent to."""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from .errors import ConfigurationError

DOMAINS: Final = (
    "dynamics.com",
    "microsoftdynamics.us",
    "appsplatform.us",
    "dynamics.cn",
)
"""Clouds: commercial and GCC, GCC High, DoD, China. An organisation is `{org}.crm[N].{domain}`."""

API: Final = "/api/data/v9.2"


@dataclass(frozen=True, slots=True)
class Organisation:
    """A checked address: `https://contoso.crm4.dynamics.com`, without a slash at the end."""

    url: str
    host: str
    loopback: bool

    @property
    def api(self) -> str:
        """Root of the Web API."""
        return self.url + API


def is_loopback(host: str) -> bool:
    """`localhost` or an address of the loopback ranges; a name that merely resolves there does not count."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def organisation(url: str, *, trusted_hosts: Collection[str] = ()) -> Organisation:
    """The organisation behind `DATAVERSE_URL`; whatever stands after the host is dropped.

    Raises ConfigurationError for anything that is not Dataverse, this machine, or one of `trusted_hosts`.
    """
    example = "It looks like https://contoso.crm.dynamics.com."
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"The Dataverse address {url!r} is malformed. {example}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigurationError(f"The Dataverse address {url!r} is malformed. {example}")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"The Dataverse address for {host} must not contain a user name or password.")
    loopback = is_loopback(host)
    if parts.scheme == "http" and not loopback:
        raise ConfigurationError(
            f"The Dataverse address of {host} begins with http://, which would send credentials unprotected. "
            "Use https://."
        )
    if not loopback and host not in trusted_hosts and not _is_dataverse(host):
        raise ConfigurationError(
            f"{host} is not a Dataverse address, so no token is sent there. {example} "
            "Name it among the trusted hosts if it is meant."
        )
    shown = f"[{host}]" if ":" in host else host
    return Organisation(f"{parts.scheme}://{shown}" + (f":{port}" if port else ""), host, loopback)


def _is_dataverse(host: str) -> bool:
    for domain in DOMAINS:
        if host.endswith("." + domain):
            *_, org, region = ["", "", *host.removesuffix("." + domain).split(".")]
            return bool(org) and region.startswith("crm") and (region[3:] == "" or region[3:].isdecimal())
    return False
