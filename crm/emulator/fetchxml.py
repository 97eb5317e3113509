"""Not served yet."""

from typing import Any

from .errors import not_implemented
from .wire import Response


def run_fetchxml(*_: Any, **__: Any) -> Response:
    raise not_implemented("fetchxml")
