"""`make generate`: everything that is made from the declarations and committed.

Golden files, both manifests, and the command reference. The tests compare the committed copies with fresh ones.
"""

import asyncio
import json
from pathlib import Path

import commands.operations  # noqa: F401  fills the catalog
from bots.slack.manifest import manifest as slack_manifest
from bots.slack.settings import SlackSettings
from commands.helping import reference_markdown
from commands.operation import CATALOG

from .commands import payloads
from .slack import golden as slack_golden
from .teams import golden as teams_golden

ROOT = Path(__file__).parents[1]
URL = "https://crmchat.example.com"
AGAIN = "run: make generate"


def single_files() -> dict[Path, str]:
    """Generated files that stand alone, with what belongs into them."""
    nouns = [noun for op in CATALOG.values() if (noun := op.noun())]
    made = slack_manifest(SlackSettings(public_url=URL, unfurl_domains=("crm.dynamics.com",)), nouns)
    return {
        ROOT / "docs" / "commands.md": reference_markdown(),
        ROOT / "manifest" / "slack.json": json.dumps(made, indent=2, ensure_ascii=False) + "\n",
    }


def main() -> None:
    """Write everything anew."""
    for path, text in (single_files() | slack_golden.files()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    teams_golden.write()
    teams_golden.write_package()
    asyncio.run(payloads.generate())


if __name__ == "__main__":
    main()
