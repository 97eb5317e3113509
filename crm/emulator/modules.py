"""The modules that answer something; each has `register(registry)`. To add one, name it here."""

from importlib import import_module

from .registry import Registry

MODULES: tuple[str, ...] = (
    "actions",
    "attachments",
    "functions",
    "metadata",
    "multiple",
    "roles",
    "sales",
    "search",
    "steps",
    "totals",
    "usersettings",
)


def register_all() -> Registry:
    """A registry with everything the emulator answers besides rows."""
    registry = Registry()
    for name in MODULES:
        import_module(f".{name}", __package__).register(registry)
    return registry
