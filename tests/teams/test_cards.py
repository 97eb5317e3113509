"""Cards and forms on the wire: golden files, limits, nothing that a client would parse, values there and back."""

import json
import os
from dataclasses import replace
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from bots.teams.adaptive import Reader, refreshing, render
from bots.teams.elements import BUDGET, size
from bots.teams.forms import pressed, render_form, submission
from commands.cards import Card, CardKind, Fact, Form, Input, InputKind, Option, Row
from commands.press import Do, Press

from .golden import FOLDER, READER, SEAL, rendered, text
from .samples import CARDS, CASE, FORM, FORMS, NASTY, RECORD

RENDERED = rendered()
MODULES = Path(__file__).parents[2] / "node_modules"


def walk(node):
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


@pytest.mark.parametrize("name", RENDERED)
def test_golden(name):
    file = FOLDER / f"{name}.json"
    assert file.exists(), "run `make generate`"
    assert file.read_text(encoding="utf-8") == text(RENDERED[name]), "run `make generate` and look at the difference"


def test_no_golden_file_is_left_over():
    assert {f.stem for f in FOLDER.glob("*.json")} == set(RENDERED)


@pytest.mark.parametrize("name", RENDERED)
def test_limits_and_harmlessness(name):
    card = RENDERED[name]
    assert size(card) <= BUDGET
    assert card["version"] == "1.5"
    assert sum(a.get("mode") != "secondary" for a in card.get("actions", ())) <= 6
    ids = [node["id"] for node in walk(card["body"]) if node.get("type", "").startswith("Input.")]
    assert len(ids) == len(set(ids))
    for node in walk(card):
        # TextBlocks and FactSets parse Markdown: data never goes there.
        assert node.get("type") not in {"TextBlock", "FactSet"}
        assert not str(node.get("url", "https://")).startswith("javascript:")
        for key, value in node.items():
            if isinstance(value, str) and key != "value":  # what an input holds is shown as it is
                assert "{{DATE(" not in value
                assert "\u202e" not in value
                assert "\x00" not in value


@pytest.mark.parametrize("name", ["card-record", "card-list", "card-error"])
def test_every_execute_has_a_fallback_with_the_same_data(name):
    executes = [node for node in walk(RENDERED[name].get("body")) if node.get("type") == "Action.Execute"]
    executes += [a for a in RENDERED[name].get("actions", ()) if a["type"] == "Action.Execute"]
    assert executes
    for action in executes:
        assert action["fallback"]["type"] == "Action.Submit"
        assert action["fallback"]["data"] == action["data"]


def test_data_survives_word_for_word():
    said = "* not a list *, [no](link), 1. no number, `no code` & <no> tag"
    card = render(Card(kind=CardKind.RECORD, title=said, facts=(Fact("a", said),)), SEAL, READER)
    assert [n["text"] for n in walk(card) if n.get("type") == "TextRun" and said in n["text"]] == [said, said]


def test_a_list_that_does_not_fit_says_how_much_is_missing():
    rows = tuple(Row(title=f"{n} {NASTY}", detail=(NASTY,)) for n in range(500))
    card = render(Card(kind=CardKind.LIST, title="All", rows=rows), SEAL, READER)
    assert size(card) <= BUDGET
    texts = [n["text"] for n in walk(card) if n.get("type") == "TextRun"]
    shown = sum(NASTY[:10] in t and t[:1].isdigit() for t in texts)
    assert f"{500 - shown} more did not fit on this card." in texts


def test_dialogs_submit_and_conversations_execute():
    kinds = {n["type"] for n in walk(RENDERED["dialog-card-record"]) if str(n.get("type")).startswith("Action.")}
    assert kinds == {"Action.Submit", "Action.OpenUrl", "Action.ShowCard"}
    fetches = [n for n in walk(RENDERED["card-record"]) if n.get("msteams") == {"type": "task/fetch"}]
    assert len(fetches) == 3  # Edit, Add note, Assign
    assert not [n for n in walk(RENDERED["basic-card-record"]) if n.get("msteams") == {"type": "task/fetch"}]


def test_a_fresh_view_is_read_only_and_for_at_most_sixty():
    assert refreshing(RECORD).verb == "case show"
    many = Reader(viewers=tuple(f"29:{n}" for n in range(100)))
    assert len(render(RECORD, SEAL, many)["refresh"]["userIds"]) == 60
    assert "userIds" not in render(RECORD, SEAL, Reader(viewers=None))["refresh"]
    assert "refresh" not in render(RECORD, SEAL, Reader())
    assert refreshing(replace(RECORD, actions=RECORD.actions[:2], more=RECORD.more[:1], stub=None)) is None


def test_what_was_typed_comes_back_by_name():
    card = render_form(FORM, SEAL, READER, dialog=True)
    inputs = {n["id"]: n for n in walk(card) if str(n.get("type")).startswith("Input.")}
    typed = {i: n.get("value", "") for i, n in inputs.items()}
    data = card["actions"][0]["data"] | typed | {"f.phone": " ", "msteams": {"x": 1}, "stray": "no"}
    press = SEAL.open(pressed(data))
    assert press == FORM.submit
    got = submission(data).values
    assert got == {
        "title": "Printer on fire",
        "customer": "a1",
        "priority": "2",
        "labels": "1\n3",
        "email": "nobody",
        "revenue": "1,5k",
        "count": "3",
        "due": "2026-09-01",
        "start": "2026-09-01T10:30",
        "hold": "no",
    }


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        {"press": 5},
        {"press": None, "f.a": {"b": 1}},
        {5: 6},
        {"f.start.time": "10:00"},
        {"kept": {"a": [1], "b": 2}},
    ],
)
def test_data_that_is_not_ours(data):
    assert pressed(data) == ""
    submission(data)


def test_several_choices_may_contain_commas():
    options = (Option("A", "x,y"), Option("B", "50%2C"), Option("C", "z"))
    form = Form(
        title="t",
        submit=Press(do=Do.SUBMIT, verb="v"),
        inputs=(Input(name="n", label="l", kind=InputKind.CHOICES, options=options, value="x,y\n50%2C"),),
    )
    card = render_form(form, SEAL, READER, dialog=True)
    field = next(n for n in walk(card) if n.get("type") == "Input.ChoiceSet")
    back = submission({field["id"]: field["value"]})
    assert back.values == {"n": "x,y\n50%2C"}


def test_what_is_chosen_is_never_cut_away():
    options = tuple(Option(f"Choice {n}", str(n)) for n in range(1000))
    form = Form(
        title="t",
        submit=Press(do=Do.SUBMIT, verb="v"),
        inputs=(Input(name="n", label="l", kind=InputKind.CHOICE, options=options, value="999"),),
    )
    card = render_form(form, SEAL, READER, dialog=True)
    field = next(n for n in walk(card) if n.get("type") == "Input.ChoiceSet")
    assert field["value"] == "999"
    assert "999" in {c["value"] for c in field["choices"]}


def _only(field, reader, **more):
    form = Form(title="t", submit=Press(do=Do.SUBMIT, verb="v"), inputs=(field,), **more)
    card = render_form(form, SEAL, reader, dialog=True)
    inputs = [n for n in walk(card) if str(n.get("type")).startswith("Input.")]
    return inputs, card["actions"][0]["data"]


def test_times_are_shown_on_the_readers_clock_and_come_back_as_they_were():
    reader = Reader(zone=ZoneInfo("Europe/Berlin"))
    field = Input(name="start", label="Start", kind=InputKind.DATETIME, value="2026-08-28T22:30:00+00:00")
    inputs, data = _only(field, reader)
    assert [i["value"] for i in inputs] == ["2026-08-29", "00:30"]
    untouched = {i["id"]: i["value"] for i in inputs}
    assert submission(data | untouched).values == {"start": field.value}
    assert submission(data | untouched | {"f.start.time": "09:00"}).values == {"start": "2026-08-29T09:00"}


def test_a_lookup_without_typeahead_is_a_name_and_comes_back_as_it_was():
    field = Input(name="owner", label="Owner", kind=InputKind.LOOKUP, value="/systemusers(1)", value_label="Ada")
    inputs, data = _only(field, Reader(typeahead=False))
    assert (inputs[0]["type"], inputs[0]["value"]) == ("Input.Text", "Ada")
    assert submission(data | {"f.owner": "Ada"}).values == {"owner": "/systemusers(1)"}
    assert submission(data | {"f.owner": "Bob"}).values == {"owner": "Bob"}


def test_what_was_typed_is_never_shortened_while_teams_takes_it():
    field = Input(name="d", label="D", kind=InputKind.MULTILINE, value="å" * 30_000)
    inputs, _ = _only(field, Reader())
    assert inputs[0]["value"] == field.value
    huge = replace(field, value="å" * 60_000)
    inputs, _ = _only(huge, Reader())
    assert len(inputs[0]["value"]) == 4000


def test_any_card_fits():
    dice = Random(7)

    def words(most):
        return "".join(dice.choices("ab é漢字🔥\n[]()*_{}<>&", k=dice.randrange(most)))

    for _ in range(15):
        card = Card(
            kind=CardKind.RECORD,
            title=words(400),
            text=tuple(words(3000) for _ in range(dice.randrange(5))),
            facts=tuple(Fact(words(200), words(2000), dice.random() < 0.5) for _ in range(dice.randrange(25))),
            rows=tuple(Row(title=words(400), detail=(words(400),)) for _ in range(dice.randrange(60))),
            record=f"incident/{CASE}",
        )
        made = render(card, SEAL, READER)
        assert size(made) <= BUDGET
        json.dumps(made)


PAGE = """
<!doctype html><meta charset="utf-8"><style>body{width:420px}</style><body></body>
"""
DRAW = """
([name, card]) => {
  const parsed = [];
  AdaptiveCards.AdaptiveCard.onProcessMarkdown = (text, result) => {
    parsed.push(text); result.outputHtml = text.replaceAll("<", "&lt;"); result.didProcess = true;
  };
  const out = document.createElement('div'); out.id = name; document.body.append(out);
  // The renderer counts secondary actions too; Teams shows six and keeps the rest in a menu (tested above).
  const config = new AdaptiveCards.HostConfig({actions: {maxActions: 20}, supportsInteractivity: true});
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_5);
  const drawn = new AdaptiveCards.AdaptiveCard();
  drawn.hostConfig = config;
  drawn.parse(card, context);
  const problems = [];
  for (let n = 0; n < context.eventCount; n++) problems.push(context.getEventAt(n).message);
  for (const found of drawn.validateProperties().validationEvents) problems.push(found.message);
  out.append(drawn.render());
  return {problems, parsed, text: out.innerText, markup: out.querySelectorAll('script, b, iframe').length};
}
"""


# Teams takes typeahead in cards of version 1.5 ("Typeahead search in Adaptive Cards"); the schema has it from 1.6 on.
TEAMS_OWN = {'Property "choices.data" is supported in version 1.6, but you are using version 1.5.'}


@pytest.mark.browser
async def test_microsofts_own_renderer_draws_every_card_without_a_warning():
    chromium = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    script = MODULES / "adaptivecards" / "dist" / "adaptivecards.min.js"
    missing = [str(p) for p in (chromium, script) if not p.exists()]
    if missing and not os.environ.get("CRMCHAT_REQUIRE_ALL"):
        pytest.skip(f"needs {', '.join(missing)}")
    from playwright.async_api import async_playwright

    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        await page.set_content(PAGE)
        await page.add_script_tag(path=str(script))
        for name, card in RENDERED.items():
            drawn = await page.evaluate(DRAW, [name, card])
            assert set(drawn["problems"]) <= TEAMS_OWN, name
            # Only the titles of choices are parsed, and no link survives in them.
            assert not [t for t in drawn["parsed"] if "](" in t or name.startswith("card")], name
            assert drawn["markup"] == 0, name
            assert len(drawn["text"]) > 20, name
        if folder := os.environ.get("SCREENSHOTS"):
            await page.screenshot(path=f"{folder}/teams-cards.png", full_page=True)
        await browser.close()
    assert complaints == []


def test_every_form_is_drawn():
    assert {"form-" + name for name in FORMS} <= set(RENDERED)
    assert {"card-" + kind.value for kind in CardKind} <= {f"card-{card.kind.value}" for card in CARDS.values()}
