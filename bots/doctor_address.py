"""The public address: written as the platforms need it, and led to us by whatever stands in front."""

from urllib.parse import urlsplit

import aiohttp

from crm.address import is_loopback

from .finding import Finding
from .settings import Settings

_CHECK = "public address"
_HEALTH = "/healthz"


async def public_address(settings: Settings, session: aiohttp.ClientSession) -> Finding:
    """What is wrong with PUBLIC_URL, seen from here. That nothing answers yet is no fault: the server may not run."""
    if not settings.public_url:
        if settings.slack_client_id and not settings.only_loopback:
            return Finding(
                _CHECK,
                "PUBLIC_URL is not set, and people are sent back to it after signing in.",
                "Set it to the https address under which Slack and Teams reach this server.",
            )
        return Finding(_CHECK, note="not set; taken from what the platforms call")
    url = settings.public_url.rstrip("/")
    host = urlsplit(url).hostname or ""
    if urlsplit(url).scheme != "https" and not is_loopback(host):
        return Finding(
            _CHECK,
            f"PUBLIC_URL is {url}; Slack and Teams call https addresses only.",
            "Put a reverse proxy with a certificate in front, and its https address here.",
        )
    try:
        async with session.get(url + _HEALTH, allow_redirects=False) as answer:
            status, alive = answer.status, await _is_ours(answer)
    except aiohttp.ClientConnectorDNSError:
        return Finding(_CHECK, f"The name {host} is not known.", "Check PUBLIC_URL, and the name's DNS record.")
    except aiohttp.ClientSSLError as e:
        return Finding(
            _CHECK,
            f"The certificate of {host} is not accepted ({type(e).__name__}); Slack and Teams insist on a good one.",
            "Give the reverse proxy a certificate for this name from a public authority, with its whole chain.",
        )
    except (aiohttp.ClientError, TimeoutError, OSError) as e:
        return Finding(_CHECK, note=f"{url}; nothing answers from here ({type(e).__name__})")
    if alive:
        return Finding(_CHECK, note=f"{url} leads here")
    if status >= 500:
        return Finding(_CHECK, note=f"{url}; a proxy answers {status}: crmchat does not run behind it")
    return Finding(
        _CHECK,
        f"Something else than crmchat answers {url}{_HEALTH} (status {status}).",
        "Let the reverse proxy pass every path of this address to this server, without sign-in and redirects.",
    )


async def _is_ours(answer: aiohttp.ClientResponse) -> bool:
    try:
        return answer.status == 200 and (await answer.json()) == {"status": "alive"}
    except (ValueError, aiohttp.ContentTypeError):
        return False
