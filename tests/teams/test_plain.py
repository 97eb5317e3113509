"""Text in and out: HTML made plain, data made harmless."""

from datetime import UTC, date, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest

from bots.teams.plain import for_thumbnail, harmless, one_line, plain, show_moment


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<div><p>Hi&nbsp;<b>you</b></p><p>there</p></div>", "Hi you\n\nthere"),
        ('<at id="0">Ada</at> look', "Ada look"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ('see <a href="https://x.example/">this</a>', "see this (https://x.example/)"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ("a<script>alert(1)</script><style>p{}</style>b", "ab"),
        ('<img alt="😀" src="x"><emoji alt="🔥"></emoji>', "😀🔥"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("&lt;b&gt; not a tag", "<b> not a tag"),
        ("<div><div>unclosed", "unclosed"),
        ("", ""),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<p>x</p>\n\n\n<p>y</p>", "x\n\ny"),
    ],
)
def test_html_becomes_plain(markup, text):
    assert plain(markup) == text


def test_any_text_becomes_harmless_and_breaks_nothing():
    dice = Random(5)
    pieces = ["<", ">", "</", "&", ";", "a", "{{DATE(", "{{ time (", "\u202e", "\x00", "<p", "<!--", "]]>", "é", "\n"]
    for _ in range(500):
        text = "".join(dice.choices(pieces, k=dice.randrange(30)))
        assert "\x00" not in plain(text)
        shown = harmless(text)
        assert "{{date(" not in shown.lower()
        assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
        assert "\u202e" not in shown


def test_details():
    assert harmless("{{DATE(2020,SHORT)}} {{ time(x)}}").count("\u2060") == 2
    assert one_line("a\n b\t c", 4) == "a b…"
    assert for_thumbnail("<b>", 9) == "&lt;b&gt;"


def test_moments_are_the_readers():
    at = datetime(2026, 8, 28, 22, 5, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    assert show_moment(at, "de-DE", berlin, name_zone=False) == "29.08.2026, 00:05"
    assert show_moment(at, "de-DE", berlin, name_zone=True, brief=True) == "29.08.2026"
    assert show_moment(at, "en-GB", berlin, name_zone=True).endswith("CEST")
    assert show_moment(date(2026, 8, 28), "xx-nonsense", berlin, name_zone=True) == "Aug 28, 2026"
