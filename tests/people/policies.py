"""A policy for the length of a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.policy import Policy
from commands.policy_file import load
from tests.bot import Bot


@contextmanager
def under(bot: Bot, folder: Path, rules: str) -> Iterator[None]:
    """The bot, with this below `version` and `ask` in its policy file."""
    path = folder / "policy.yaml"
    path.write_text(f"version: 1\nask: crm-desk@contoso.example\n{rules}")
    dispatcher = bot.app.dispatcher
    before, dispatcher.access.policy = dispatcher.access.policy, Policy(load(path))
    try:
        yield
    finally:
        dispatcher.access.policy = before
        for environment in dispatcher.environments:
            environment.memberships._known.clear()
