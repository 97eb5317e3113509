"""What people typed, from the blocks that Slack sends of it, made plain."""

import pytest

from bots.slack.rich_text import wire_text
from bots.slack.text import plain

NAMES = {"U2": "Ben Carter"}


def section(*elements: dict[str, object], kind: str = "rich_text_section", **further: object) -> dict[str, object]:
    return {"type": kind, "elements": list(elements), **further}


def text(said: str, **style: bool) -> dict[str, object]:
    return {"type": "text", "text": said, **({"style": style} if style else {})}


def message(*parts: dict[str, object], **further: object) -> dict[str, object]:
    return {"user": "U2", "blocks": [{"type": "rich_text", "block_id": "b", "elements": list(parts)}], **further}


def test_what_a_person_typed_loses_its_formatting_and_nothing_else() -> None:
    typed = message(
        section(
            text("2*3*4 is "),
            text("not", bold=True, italic=True),
            text(" _24_ & <b>; ask "),
            {"type": "user", "user_id": "U2"},
            text(" in "),
            {"type": "channel", "channel_id": "C2"},
            text(" "),
            {"type": "usergroup", "usergroup_id": "S1"},
            {"type": "emoji", "name": "thumbsup", "unicode": "1f44d-1f3fd"},
            {"type": "emoji", "name": "our_logo"},
            {"type": "emoji", "name": "half", "unicode": "d83d"},
            {"type": "broadcast", "range": "here"},
            text("\n"),
            {"type": "link", "url": "https://x.example/?a=1&b=2", "text": "the log"},
            {"type": "color", "value": "#ff0000"},
            {"type": "date", "timestamp": 1700000000, "fallback": " 14 November"},
        ),
        section(
            section(text("one")),
            section(text("two")),
            kind="rich_text_list",
            style="ordered",
            offset=2,
        ),
        section(section(text("deep")), kind="rich_text_list", style="bullet", indent=1),
        section(text("they said\nso"), kind="rich_text_quote"),
        section(text("if a < b:\n    *p = &q"), kind="rich_text_preformatted"),
        text="2*3*4 is *_not_* … <#C2|sales> <!subteam^S1|@oncall>",
    )
    assert plain(wire_text(typed), NAMES).split("\n") == [
        "2*3*4 is not _24_ & <b>; ask @Ben Carter in #sales @oncall👍🏽:our_logo::half:@here",
        "the log (https://x.example/?a=1&b=2)#ff0000 14 November",
        "3. one",
        "4. two",
        "    • deep",
        "> they said",
        "> so",
        "if a < b:",
        "    *p = &q",
    ]


LINK = {"type": "mrkdwn", "text": "see <https://x.example|x>"}
CELLS = [{"type": "raw_text", "text": "a"}, {"type": "rich_text", "elements": [section(text("b"))]}]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "header", "text": {"type": "plain_text", "text": "Disk <full>"}}, "Disk <full>"),
        ({"type": "section", "text": LINK}, "see x (https://x.example)"),
        ({"type": "section", "fields": [{"type": "plain_text", "text": "a"}, LINK]}, "a\nsee x (https://x.example)"),
        ({"type": "markdown", "text": "**bold** & <b>"}, "**bold** & <b>"),
        ({"type": "context", "elements": [{"type": "image", "alt_text": "x"}, {"type": "mrkdwn", "text": "c"}]}, "c"),
        ({"type": "image", "alt_text": "a chart", "title": {"type": "plain_text", "text": "Load"}}, "Load\na chart"),
        ({"type": "table", "rows": [CELLS]}, "a\tb"),
    ],
)
def test_what_an_app_shows_without_a_text_is_read_from_its_blocks(block: object, said: str) -> None:
    assert plain(wire_text({"bot_id": "B1", "text": "", "blocks": [block]}), {}) == said


def test_the_text_of_an_app_counts_and_so_do_its_attachments_where_it_has_none() -> None:
    told = {"bot_id": "B1", "text": "Disk full", "blocks": [{"type": "divider"}], "attachments": [{"text": "no"}]}
    assert wire_text(told) == "Disk full"
    section_ = {"type": "section", "text": {"type": "plain_text", "text": "srv1"}}
    attached = [{"text": "Alert"}, {"fallback": "Graph"}, {"fallback": "[no preview]", "blocks": [section_]}]
    assert wire_text({"bot_id": "B1", "text": "", "attachments": attached}) == "Alert\nGraph\nsrv1"


def test_previews_of_links_are_not_what_a_person_said() -> None:
    typed = message(section(text("see above")), attachments=[{"text": "preview of a page"}])
    assert wire_text(typed) == "see above"
    assert wire_text({"user": "U2", "text": "plain", "blocks": []}) == "plain"


@pytest.mark.parametrize("junk", [None, 7, "x", [None], {"type": 7}, [{"type": "rich_text_list", "indent": 10**9}]])
def test_what_is_of_another_shape_is_left_out(junk: object) -> None:
    for key in ("elements", "text", "rows", "fields", "unicode", "url"):
        for kind in ("rich_text", "rich_text_section", "rich_text_list", "emoji", "link", "table", "section"):
            part = {"type": kind, key: junk}
            blocks = [
                part,
                {"type": "rich_text", "elements": [part, {"type": "rich_text_section", "elements": [part]}]},
            ]
            assert isinstance(wire_text({"text": "", "blocks": blocks}), str)
