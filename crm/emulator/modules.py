"""The modules that answer something; each has `register(registry)`. To add one, name it here."""

from importlib import import_module

from aiohttp import web

from .registry import Registry
from .service import Service

MODULES: tuple[str, ...] = (
    "actions",
    "attachments",
    "functions",
    "metadata",
    "multiple",
    "sales",
    "search",
    "totals",
)

EXTENSIONS: tuple[str, ...] = ()
"""Modules with `extend(app, service)`: routes and middlewares around the Web API (faults, limits, /_emulator/)."""


def register_all() -> Registry:
    """A registry with everything the emulator answers besides rows."""
    registry = Registry()
    for name in MODULES:
        import_module(f".{name}", __package__).register(registry)
    return registry


def extend_all(app: web.Application, service: Service) -> None:
    """Let the extensions add what they serve."""
    for name in EXTENSIONS:
        import_module(f".{name}", __package__).extend(app, service)
