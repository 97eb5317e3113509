"""Block Kit of every kind of card and form, kept beside the tests so that a change of look is seen in review.

`python -m tests.slack.golden` writes `tests/golden/slack/`. Sealed tokens are shown as what they carry.
"""

import json
from pathlib import Path
from typing import Any

from bots.slack.blocks import render
from bots.slack.modals import Modals
from commands.press import BadSeal, Seal
from commands.request import Place, Principal

from .samples import SLACK_CARDS, SLACK_FORMS

FOLDER = Path(__file__).parents[1] / "golden" / "slack"
SEAL = Seal(b"a secret for golden files")
ANNA = Principal(platform="slack", tenant="T1", user="U1", timezone="Europe/Amsterdam")
PLACE = Place(platform="slack", tenant="T1", conversation="C1", address={"team": "T1", "user": "U1"})


def files() -> dict[Path, str]:
    """Every golden file with what belongs into it."""
    shown = {f"card-{n}": render(card, SEAL).message() for n, card in SLACK_CARDS.items() if n != "longest"}
    shown |= {f"form-{n}": Modals(SEAL).form(form, ANNA, PLACE) for n, form in SLACK_FORMS.items() if n != "longest"}
    return {
        FOLDER / f"{name}.json": json.dumps(_opened(v), indent=1, ensure_ascii=False) + "\n"
        for name, v in shown.items()
    }


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _opened(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_opened(v) for v in value]
    if isinstance(value, str) and len(value) > 24:
        try:
            return " ".join(repr(SEAL.open(token)) for token in value.split(" "))
        except BadSeal:
            return value
    return value


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in files().items():
        path.write_text(text, "utf-8")
