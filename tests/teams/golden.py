"""The golden Adaptive Cards: what each kind of card and form looks like on the wire."""

import json
from pathlib import Path
from typing import Any

from bots.teams.adaptive import Reader, render
from bots.teams.forms import render_form
from commands.press import Seal

from .samples import CARDS, FORMS

FOLDER = Path(__file__).parents[1] / "golden" / "teams"
SEAL = Seal(b"a secret for golden files")
READER = Reader(viewers=("29:ada",))


def rendered() -> dict[str, dict[str, Any]]:
    """Adaptive Card by the name of its golden file."""
    made = {f"card-{name}": render(card, SEAL, READER) for name, card in CARDS.items()}
    made |= {f"dialog-card-{name}": render(CARDS[name], SEAL, READER, dialog=True) for name in ("record", "error")}
    made |= {f"form-{name}": render_form(form, SEAL, READER, dialog=False) for name, form in FORMS.items()}
    made |= {f"dialog-{name}": render_form(form, SEAL, READER, dialog=True) for name, form in FORMS.items()}
    basic = Reader(dialogs=False, typeahead=False)
    return made | {
        "basic-card-record": render(CARDS["record"], SEAL, basic),
        "basic-form-create": render_form(FORMS["create"], SEAL, basic, dialog=False),
    }


def text(card: dict[str, Any]) -> str:
    """A golden file's content."""
    return json.dumps(card, indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def write_package() -> None:
    """Writes the committed app package."""
    import commands.operations  # noqa: F401 - fills the catalog
    from bots.teams.manifest import manifest, write
    from commands.operation import CATALOG

    made = manifest(
        app_id="",
        url="https://crmchat.example.com",
        catalog=CATALOG,
        dataverse_hosts=["*.crm.dynamics.com"],
    )
    write(Path(__file__).parents[2] / "manifest" / "teams", made, zipped=False)


def write() -> None:
    """Writes all golden files and removes those of cards that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = {f"{name}.json": text(card) for name, card in rendered().items()}
    for old in FOLDER.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        (FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write()
    write_package()
