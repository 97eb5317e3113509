"""The blocking HTTP client that MSAL uses. It is imported with MSAL, by the first sign-in: both are slow to load."""

import time
from typing import Any

import requests

_TIMEOUT = 20.0
_DISCOVERY = 86_400.0
"""Seconds for which a tenant's endpoints are believed, as MSAL itself does."""


class SignInHttp:
    """With a timeout, and `verify` goes before the environment.

    It keeps what discovery said. MSAL's own `http_cache` would do so, too, yet it also keeps a refusal of one person's
    sign-in (429 and 5xx, for as long as Retry-After says) and gives it to the next person, so that is not shared.
    """

    def __init__(self, *, verify: str | None = None) -> None:
        self._session = requests.Session()
        self._verify = verify
        self._kept: dict[str, tuple[float, requests.Response]] = {}

    def get(self, url: str, **options: Any) -> requests.Response:
        key = f"{url} {options.get('params')}"
        until, answer = self._kept.get(key, (0.0, None))
        if answer is None or until < time.monotonic():
            answer = self._session.get(url, verify=self._verify, timeout=_TIMEOUT, **options)
            if answer.ok:
                self._kept[key] = time.monotonic() + _DISCOVERY, answer
        return answer

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._session.post(url, verify=self._verify, timeout=_TIMEOUT, **options)

    def close(self) -> None:
        """MSAL closes what it was given; connections are shared, so they stay."""
