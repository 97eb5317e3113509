"""Not served yet."""

from typing import Any

from .errors import not_implemented
from .wire import Response


def answer_file(*_: Any, **__: Any) -> Response:
    raise not_implemented("filecolumns")
