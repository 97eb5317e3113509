"""Quotes, chat markup, references and people's names."""

import pytest

from commands.language import markup, people
from commands.language.quotes import Quotes, quote
from commands.language.reading import Unreadable
from commands.language.references import Form, reference

GUID = "5f3c8d2e-0000-4000-8000-00000000000a"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('"a b" c', "a b"),
        ("“a b” c", "a b"),
        ("“a b“ c", "a b"),
        ("„a b“ c", "a b"),
        ("„a b” c", "a b"),
        ("”a b” c", "a b"),
        ("«a b» c", "a b"),
        ("»a b« c", "a b"),
        ("»a b» c", "a b"),
        ("'a b' c", "a b"),
        ("‘a b’ c", "a b"),
        ("‚a b‘ c", "a b"),
        ("‹a b› c", "a b"),
        ("`a b` c", "a b"),
        ("```a\nb``` c", "a\nb"),
        ('"a ""b"" c" d', 'a "b" c'),
        ('"" c', ""),
        ('"a “b” c" d', "a “b” c"),
        ("'it's broken' c", "it's broken"),
        ("‘it’s broken’ c", "it’s broken"),
        ('"a b” c', "a b"),
        ('“a b" c', "a b"),
    ],
)
def test_quotes(text: str, content: str) -> None:
    found = Quotes(text).at(0)
    assert found is not None
    assert found[0] == content
    assert text[found[1] :].strip() in ("c", "d")


@pytest.mark.parametrize("text", ["'twas so", "' x '", "abc", "", "'s morgens", "```never"])
def test_apostrophes_are_no_quotes(text: str) -> None:
    assert Quotes(text).at(0) is None


@pytest.mark.parametrize("text", ['"a b', "“a b", "«a b", '"a ""b', "„a"])
def test_an_open_quote_is_said(text: str) -> None:
    with pytest.raises(Unreadable, match="never closes"):
        Quotes(text).at(0)


@pytest.mark.parametrize("text", ["", '"', '""', 'a"', '"a', 'a "b" c', "x\ny", "'“”«»"])
def test_quoting_reads_back(text: str) -> None:
    assert Quotes(quote(text) + " x").at(0) == (text, len(quote(text)))


@pytest.mark.parametrize(
    ("wrapped", "plain"),
    [
        ("<mailto:a@b.co|a@b.co>", "a@b.co"),
        ("<tel:+4930123|+49 30 123>", "+4930123"),
        ("<https://a.co>", "https://a.co"),
        ("<https://a.co|a.co>", "https://a.co"),
        ("<https://a.co/x|our page>", "our page (https://a.co/x)"),
        ("<https://a.co/?a=1&amp;b=2>", "https://a.co/?a=1&b=2"),
        ("hi <@U012AB|jane>", "hi @jane"),
        ("hi <@U012AB>", "hi @U012AB"),
        ("<#C012|general>", "#general"),
        ("<!here>", "@here"),
        ("a &lt;b&gt; &amp; c", "a <b> & c"),
        ("&amp;lt;", "&lt;"),
        ("a < b > c", "a < b > c"),
        ("&nbsp;", "&nbsp;"),
    ],
)
def test_slack_markup(wrapped: str, plain: str) -> None:
    assert markup.plain(wrapped) == plain
    assert markup.plain(markup.escape(plain)) == plain


def test_tidying_twice_changes_nothing() -> None:
    text = "a\u00a0b\u200b\r\nc\u2028d\x00e\ufeff\ud800 e\u0301 👩\u200d💻"
    assert markup.tidy(text) == "a b\nc\nde \u00e9 👩\u200d💻"
    assert markup.tidy(markup.tidy(text)) == markup.tidy(text)


@pytest.mark.parametrize(
    ("text", "form", "canonical", "table"),
    [
        (GUID, Form.GUID, GUID, ""),
        (f"{{{GUID.upper()}}}", Form.GUID, GUID, ""),
        (GUID.replace("-", ""), Form.GUID, GUID, ""),
        (f"/accounts({GUID})", Form.PATH, f"/accounts({GUID})", "account"),
        (f"accounts({GUID.upper()})", Form.PATH, f"/accounts({GUID})", "account"),
        (f"/accounts({{{GUID}}})", Form.PATH, f"/accounts({GUID})", "account"),
        (f"/new_projects({GUID})", Form.PATH, f"/new_projects({GUID})", ""),
        ("CAS-01042-X1Y2Z3", Form.NUMBER, "CAS-01042-X1Y2Z3", ""),
        ("#CAS-01042", Form.NUMBER, "CAS-01042", ""),
        ("jane@example.com", Form.EMAIL, "jane@example.com", ""),
        ("<mailto:jane@example.com|jane@example.com>", Form.EMAIL, "jane@example.com", ""),
        ("it", Form.LAST, "it", ""),
        ("Last", Form.LAST, "it", ""),
        ("me", Form.ME, "me", ""),
        ("<@U012AB|jane>", Form.MENTION, "<@U012AB|jane>", ""),
        ("Contoso  (Germany)", Form.NAME, "Contoso (Germany)", ""),
        ("Contoso", Form.NAME, "Contoso", ""),
        ("Smith (Jane)", Form.NAME, "Smith (Jane)", ""),
    ],
)
def test_references(text: str, form: Form, canonical: str, table: str) -> None:
    read = reference(text)
    assert (read.form, str(read), read.table) == (form, canonical, table)
    assert reference(str(read)) == read


def test_addresses_in_dynamics() -> None:
    page = f"https://Org.crm4.dynamics.com/main.aspx?appid=1&pagetype=entityrecord&etn=incident&id=%7b{GUID.upper()}%7d"
    read = reference(page)
    assert (read.form, read.id, read.table, read.host) == (Form.URL, GUID, "incident", "org.crm4.dynamics.com")
    api = reference(f"https://org.crm4.dynamics.com/api/data/v9.2/incidents({GUID})")
    assert (api.id, api.table, api.entity_set) == (GUID, "incident", "incidents")
    wrapped = reference(f"<{page.replace('&', '&amp;')}>")
    assert wrapped.id == GUID


@pytest.mark.parametrize("text", ["", "/accounts(12)", "accounts(x)", "https://example.com/", "https://[", "x" * 3000])
def test_what_is_no_reference_is_said(text: str) -> None:
    with pytest.raises(Unreadable):
        reference(text)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Jane Smith", "Jane", "Smith"),
        ("Jane Mary Smith", "Jane Mary", "Smith"),
        ("Smith, Jane", "Jane", "Smith"),
        ("Vincent van Gogh", "Vincent", "van Gogh"),
        ("Ursula von der Leyen", "Ursula", "von der Leyen"),
        ("Cher", "", "Cher"),
        ("山田太郎", "", "山田太郎"),
        ("van Gogh", "van", "Gogh"),
        ("", "", ""),
    ],
)
def test_names_of_people(name: str, first: str, last: str) -> None:
    assert people.split(name) == (first, last)
