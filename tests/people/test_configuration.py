"""Every setting is documented, and nothing else is."""

import re
from pathlib import Path

from pydantic import AliasChoices

from bots.settings import Settings


def test_every_setting_is_documented() -> None:
    names = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names.add(str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper())
    text = Path("docs/configuration.md").read_text()
    told = {n for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for n in re.findall(r"`([A-Z_]+)`", row)}
    assert told - {"LOG_LEVEL"} == names
