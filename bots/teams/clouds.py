"""The Microsoft clouds a Teams bot can live in: whose tokens it believes, whose it asks for, where it may send them.

GCC shares the public cloud's bot service; GCC High and DoD use the government one. Sources: the authentication
constants of the Bot Framework SDK and "Configure your bot for US Government" (learn.microsoft.com/azure/bot-service).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Addresses of one cloud. `hosts` are exact names, or suffixes when they begin with a dot."""

    issuer: str
    metadata_url: str
    login_url: str
    default_tenant: str
    """The tenant that issues tokens to multi-tenant bots."""
    scope: str
    graph_url: str
    hosts: tuple[str, ...]


PUBLIC: Final = Cloud(
    issuer="https://api.botframework.com",
    metadata_url="https://login.botframework.com/v1/.well-known/openidconfiguration",
    login_url="https://login.microsoftonline.com",
    default_tenant="botframework.com",
    scope="https://api.botframework.com/.default",
    graph_url="https://graph.microsoft.com",
    hosts=("smba.trafficmanager.net", ".botframework.com", ".teams.microsoft.com"),
)
US_GOVERNMENT: Final = Cloud(
    issuer="https://api.botframework.us",
    metadata_url="https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
    login_url="https://login.microsoftonline.us",
    default_tenant="MicrosoftServices.onmicrosoft.us",
    scope="https://api.botframework.us/.default",
    graph_url="https://graph.microsoft.us",
    hosts=(".botframework.us", ".botframework.azure.us", ".teams.microsoft.us"),
)
CLOUDS: Final[Mapping[str, Cloud]] = MappingProxyType({"public": PUBLIC, "usgov": US_GOVERNMENT})

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@lru_cache(maxsize=256)  # asked for every call, of the same few service URLs
def may_send_to(url: str, cloud: Cloud, *, loopback: bool) -> bool:
    """Whether a bot's token may travel to this address: https to one of Microsoft's hosts, or (if allowed) loopback."""
    host = _host(url)
    if not host:
        return False
    if loopback and host in _LOOPBACK:
        return True
    if urlsplit(url).scheme != "https":
        return False
    return any(host.endswith(entry) if entry.startswith(".") else host == entry for entry in cloud.hosts)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or parts.username is not None or "\\" in url:
        return ""
    return (parts.hostname or "").lower()
