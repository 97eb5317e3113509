"""Block Kit within Slack's limits, whatever the records hold; and unchanged unless somebody meant it."""

import html
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bots.playground import blockkit
from bots.slack.blocks import render
from bots.slack.fitting import MESSAGE_BLOCKS, MESSAGE_TEXT, VIEW_BLOCKS, size
from bots.slack.modals import Modals
from bots.slack.text import clip_escaped, escape, link, plain
from commands.cards import Action, Card, CardKind, Confirm, Fact, InputKind, Link, Moment, Row
from commands.press import Do, Press

from .golden import ANNA, PLACE, SEAL, files
from .samples import LONGEST, SLACK_CARDS, SLACK_FORMS


@pytest.mark.parametrize("path", list(files()), ids=lambda p: p.stem)
def test_golden(path: Path) -> None:
    assert path.exists(), "run `make generate`"
    assert files()[path] == path.read_text("utf-8"), "the look has changed; if that was meant, run `make generate`"


@pytest.mark.parametrize("name", SLACK_CARDS)
def test_every_card_is_within_slacks_limits(name: str) -> None:
    card = SLACK_CARDS[name]
    shown = render(card, SEAL)
    assert blockkit.problems(shown.blocks) == []
    assert len(shown.blocks) <= MESSAGE_BLOCKS
    assert len(shown.text) <= 3000
    wide = render(card, SEAL, most=VIEW_BLOCKS)
    assert blockkit.problems(wide.blocks, surface="home") == []
    assert blockkit.problems(shown.blocks, surface="unfurl") == []
    assert blockkit.view_problems(Modals(SEAL).card(card, ANNA, PLACE)) == []
    assert blockkit.view_problems(Modals(SEAL).home(card, ANNA, PLACE)) == []


def test_every_kind_of_card_has_a_sample() -> None:
    assert {card.kind for card in SLACK_CARDS.values()} == set(CardKind)
    assert any(card.badge for card in SLACK_CARDS.values())
    assert {i.kind for form in SLACK_FORMS.values() for i in form.inputs} == set(InputKind)


def test_what_is_done_seldom_waits_in_a_menu() -> None:
    press = Press(do=Do.RUN, verb="account get", args={"record": "0" * 36})
    more = (
        Action(label="Account: Contoso", press=press),
        Action(label="Open in Dynamics", url="https://contoso.crm.dynamics.com/main.aspx"),
        Action(label="Too long", press=replace(press, args={"record": "0" * 200})),
        Action(label="Asks first", press=press, confirm=Confirm("Sure?", "It stays so.")),
    )
    blocks = render(Card(kind=CardKind.RECORD, title="x", actions=more[:1], more=more), SEAL).blocks
    assert blockkit.problems(blocks) == []
    *buttons, menu = blocks[-1]["elements"]
    assert [b["text"]["text"] for b in buttons] == ["Account: Contoso", "Too long", "Asks first"]
    assert [o["text"]["text"] for o in menu["options"]] == ["Account: Contoso", "Open in Dynamics"]
    assert SEAL.open(menu["options"][0]["value"]) == press
    alone = render(Card(kind=CardKind.RECORD, title="x", more=more[:1]), SEAL).blocks
    assert [e["type"] for e in alone[-1]["elements"]] == ["button"]


@pytest.mark.parametrize("name", SLACK_FORMS)
def test_every_form_is_within_slacks_limits(name: str) -> None:
    assert blockkit.view_problems(Modals(SEAL).form(SLACK_FORMS[name], ANNA, PLACE)) == []


def test_what_is_cut_keeps_its_buttons_and_says_so() -> None:
    shown = render(SLACK_CARDS["longest"], SEAL)
    assert shown.clipped
    assert sum(map(size, shown.blocks)) <= MESSAGE_TEXT
    assert shown.blocks[-1]["type"] == "context"
    assert any("do not fit" in str(b) for b in shown.blocks)
    assert any(b["type"] == "actions" for b in shown.blocks[-4:])


def test_a_message_of_many_long_texts_is_cut_before_slack_refuses_it() -> None:
    """Far from fifty blocks, each within its own limit; `msg_blocks_too_long` all the same."""
    card = Card(
        kind=CardKind.LIST,
        title="Cases",
        rows=tuple(Row(title=f"Case {n}", detail=("x" * 390,) * 4) for n in range(20)),
        actions=(Action(label="Next", press=Press(do=Do.RUN, verb="case list")),),
    )
    shown = render(card, SEAL)
    assert shown.clipped
    assert blockkit.message_size(shown.blocks) <= blockkit.MESSAGE_SIZE
    assert [b["type"] for b in shown.blocks[-2:]] == ["context", "actions"]
    assert "Case 5" in str(shown.blocks)
    assert "Case 19" in str(render(card, SEAL, most=VIEW_BLOCKS).blocks)  # a view has room


def test_escaped_text_is_the_same_text() -> None:
    draw = random.Random(7)
    for _ in range(3000):
        text = "".join(draw.choices("&<>*_~`|ab \n\x00\u202eé🔥", k=draw.randint(0, 60)))
        limit = draw.randint(5, 80)
        shown = escape(text)
        assert "<" not in shown
        assert ">" not in shown
        seen = shown.replace("\u200b", "")
        assert html.unescape(seen) == text.replace("\x00", "").replace("\u202e", "")
        clipped = clip_escaped(text, limit)
        assert len(clipped) <= limit
        for piece in clipped.split("&")[1:]:  # no entity is cut in two
            assert piece.startswith(("amp;", "lt;", "gt;"))


def test_a_link_cannot_be_broken_out_of() -> None:
    markup = link("https://x.example/a|b>c&d", "label | <!channel> >")
    assert markup.count("<") == 1
    assert markup.count(">") == 1
    assert markup.count("|") == 1
    card = Card(
        kind=CardKind.NOTICE,
        title="x",
        url="javascript:alert(1)",
        facts=(Fact("a", Link("click", "javascript:alert(1)")), Fact("b", Link("click", "slack://x"))),
    )
    assert "javascript:" not in str(render(card, SEAL).blocks)


def test_instants_are_shown_in_the_readers_zone() -> None:
    card = SLACK_CARDS["record"]
    said = str(render(card, SEAL).blocks)
    assert "<!date^1787925900^{date_short_pretty} {time}|2026-08-28 14:05 UTC>" in said
    assert "2026-09-01" in said  # a date has no zone


def test_a_list_shows_the_day_alone() -> None:
    when = Moment(datetime(2026, 8, 28, 14, 5, tzinfo=UTC), brief=True)
    card = Card(kind=CardKind.LIST, title="1 lead", rows=(Row(title="Jane", detail=(when,)),))
    assert "<!date^1787925900^{date_short_pretty}|2026-08-28 14:05 UTC>" in str(render(card, SEAL).blocks)


def test_status_is_never_colour_alone() -> None:
    for card in SLACK_CARDS.values():
        if card.status and len(card.status.text) < 50:
            assert card.status.text in str(render(card, SEAL).blocks[0])


def test_values_survive_what_their_widget_cannot_show() -> None:
    """A date that is no date stays as it was typed, in a text field."""
    view = Modals(SEAL).form(SLACK_FORMS["problem"], ANNA, PLACE)
    due = next(b for b in view["blocks"] if b.get("block_id") == "due")
    assert due["element"] == {
        "type": "plain_text_input",
        "multiline": False,
        "initial_value": "tomorrow-ish",
        "action_id": "input",
    }


def test_a_form_too_large_for_a_view_is_refused_by_name() -> None:
    form = replace(
        SLACK_FORMS["create"], submit=Press(do=SLACK_FORMS["create"].submit.do, verb="case create", args={"x": LONGEST})
    )
    with pytest.raises(ValueError, match="case create"):
        Modals(SEAL).form(form, ANNA, PLACE)


def test_a_message_is_read_as_its_reader_saw_it() -> None:
    wire = (
        "<@U1> &amp; <@U2|ben>: see <https://x.example/?a=1&amp;b=2|the &lt;page&gt;> or <https://y.example>, mail "
        "<mailto:a@b.example|a@b.example>, <#C1|support> <!here> <!date^1787925900^{date} at {time}|28 Aug> &lt;ok&gt;"
    )
    assert plain(wire, {"U1": "Anna <Berg>"}) == (
        "@Anna Berg & @ben: see the <page> (https://x.example/?a=1&b=2) or https://y.example, mail a@b.example, "
        "#support @here 28 Aug <ok>"
    )
    assert plain("&amp;lt;!channel&amp;gt; <!subteam^S1|@agents>", {}) == "&lt;!channel&gt; @agents"  # decoded once
