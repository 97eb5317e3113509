"""What holds for every text: nothing raises, nothing is slow, and a printed command reads back as its operation."""

# ruff: noqa: E501 - tables of odd pieces

import contextlib
import importlib
import os
import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from commands.fields import ColumnsMark, RawMark, Reading
from commands.filters import FilterMark
from commands.grammar import HelpAsked, Menu, OfLast, Parsed, Problem, of_last, parse, unparse
from commands.operation import CATALOG, Operation, Parameter
from crm.tables import Kind

from . import catalog

importlib.import_module("commands.operations")  # joins the operations to the catalog

SLOWEST = 0.020
"""Seconds of CPU that any text of 10 kB may take."""

DE = Reading(locale="de-DE", timezone="Europe/Berlin")
OPERATIONS = (*catalog.OURS.values(), *CATALOG.values())

ODD = [
    *('"', '""', "'", "a'b", "“", "x=1", "priority=high", "a:b", "<", "&amp;", "<@U012AB|j>", "<mailto:a@b.co|a@b.co>", "/"),
    *("it", "me", "5f3c8d2e-0000-4000-8000-000000000001", "a\nb", "\u202eabc", "🔥", "help", "?", "1.234", "`x`", "to x"),
]  # fmt: skip
lines = st.one_of(st.text(max_size=30), st.sampled_from(ODD))
amounts = st.builds(
    lambda value, code: f"{value:.4f} {code}".strip(),
    st.decimals(min_value=-(10**9), max_value=10**12, places=4),
    st.sampled_from(["", "EUR", "USD"]),
)
conditions = st.sampled_from(
    [
        "mine",
        "rating=hot,warm",
        "company~'a \"b\" c'",
        "created>7d (open OR NOT x=)",
        "a&amp;b",
        "top~1",
        '"sort=x"',
        "x<y",
    ]
)
TEXTS = {
    Kind.MONEY: amounts,
    Kind.DECIMAL: st.decimals(min_value=-(10**6), max_value=10**6, places=3).map(str),
    Kind.INTEGER: st.integers(min_value=-(10**6), max_value=10**6).map(str),
    Kind.BOOLEAN: st.sampled_from(["yes", "nein", "да"]),
    Kind.DATE: st.dates().map(str),
    Kind.DATETIME: st.datetimes().map(lambda at: at.isoformat() + "+00:00"),
    Kind.EMAIL: st.emails(),
    Kind.PHONE: st.from_regex(r"\A\+?[0-9 ]{3,12}\Z"),
    Kind.URL: st.from_regex(r"\Ahttps://[a-z]{1,9}\.com/[a-z?=&;\"']{0,9}\Z"),
}


def texts_of(parameter: Parameter) -> st.SearchStrategy[object]:
    if parameter.marked(ColumnsMark):
        return st.dictionaries(st.sampled_from(["new_region", "new_size"]), lines, max_size=2)
    if parameter.marked(FilterMark):
        return conditions
    if parameter.marked(RawMark):
        return st.sampled_from(["contains(fullname,'a top=1 b')", "statecode eq 0", "createdon desc", "a 'b' \"c\""])
    return TEXTS.get(parameter.kind, lines)


@st.composite
def commands(draw: st.DrawFn, kind: type[Operation]) -> Operation | None:
    """An operation with any of its fields; None where a text is none that the field takes."""
    args: dict[str, object] = {}
    for name, parameter in kind.parameters.items():
        if name in {"user_id", "env"}:
            continue
        if parameter.required or draw(st.booleans()):
            args[name] = draw(texts_of(parameter))
    try:
        return kind.model_validate(args)
    except ValidationError:
        return None


def reads_back(operation: Operation | None) -> None:
    if operation is None:
        return
    for reading in (None, DE):
        assert type(operation).read(operation.args(), reading) == operation
    before = dict(CATALOG)
    CATALOG.clear()
    CATALOG.update(catalog.OURS if type(operation) in catalog.OURS.values() else before)
    try:
        said = parse(unparse(operation))
    finally:
        CATALOG.clear()
        CATALOG.update(before)
    assert isinstance(said, Parsed), (unparse(operation), said)
    assert said.operation is type(operation)
    assert said.read(DE) == operation


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda op: f"{op.__module__.rpartition('.')[2]}:{op.verb}")
def test_every_operation_reads_back(kind: type[Operation]) -> None:
    settings(max_examples=8, derandomize=True, deadline=None, database=None)(given(commands(kind))(reads_back))()


@pytest.mark.soak
@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda op: f"{op.__module__.rpartition('.')[2]}:{op.verb}")
def test_every_operation_reads_back_soak(kind: type[Operation]) -> None:
    settings(max_examples=300, deadline=None, database=None)(given(commands(kind))(reads_back))()


@pytest.mark.parametrize("kind", list(CATALOG.values()), ids=lambda op: op.verb)
def test_every_example_is_its_operation(kind: type[Operation]) -> None:
    said = parse(kind.example)
    assert isinstance(said, Parsed), said
    assert said.operation is kind
    assert said.read(DE)


PIECES = [
    *("case", "create", "list", "lead", "update", "help", "my", "open", "cases", "note", "search", " ", "  ", "\n", "\t"),
    *('"', "'", "“", "”", "„", "«", "»", "‘", "’", "`", "```", "=", ":", "~", "!", "<", ">", "(", ")", ",", ";", "..", "-", "--"),
    *("title=", "priority:", "value=", "close=", "phone=", "where=", "filter=", "top=", "a=b", "new_x=1", "description='", "or"),
    *("€1,5 Mio", "1.234", "30 Jun", "next friday", "+49 30 1", "in 3 days", "it", "CAS-01042", "/accounts(", "https://a.b/?c="),
    *("<mailto:a@b.co|a@b.co>", "<https://a.b|x y>", "<@U012AB|j>", "<!here>", "&amp;", "&lt;", "\x00", "\u200b", "\u200f", "\u202e"),
    *("🔥", "👩\u200d💻", "مرحبا", "שלום", "e\u0301", "ß", "İ", "\ud800", "\U0010ffff", "x') or contains(name,'", "%27", "\\", "${x}", "{0}"),
]  # fmt: skip


def texts(rng: random.Random, count: int) -> Iterator[str]:
    """Examples mutated, and pieces in any order; one in fifty as long as 10 kB."""
    examples = [op.example for op in OPERATIONS]
    for number in range(count):
        if number % 50 == 0:
            piece = "".join(rng.choices(PIECES, k=rng.randint(1, 4)))
            yield (rng.choice(("", "case create ", "case list ", "lead create x ")) + piece * 10_000)[:10_000]
        elif number % 2:
            text = list(rng.choice(examples))
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(len(text) + 1)
                text[at : at + rng.randint(0, 3)] = rng.choice(PIECES)
            yield "".join(text)
        else:
            yield "".join(rng.choice(PIECES) + rng.choice(("", " ")) for _ in range(rng.randint(1, 25)))


def cost(text: str) -> float:
    begin = time.thread_time()
    said = parse(text)
    spent = time.thread_time() - begin
    if isinstance(said, OfLast):
        said = of_last(said, "incident")
    assert isinstance(said, Parsed | HelpAsked | Menu | Problem)
    if isinstance(said, Parsed):
        with contextlib.suppress(ValidationError):
            said.read(DE)
    return spent


def any_text_is_answered_soon(count: int, seed: int) -> None:
    slowest, culprit = 0.0, ""
    for text in texts(random.Random(seed), count):
        try:
            spent = cost(text)
        except Exception as e:
            raise AssertionError(f"{text[:300]!r} raised") from e
        if spent > SLOWEST:  # a collection of garbage may have fallen into it
            spent = min(cost(text) for _ in range(5))
        if spent > slowest:
            slowest, culprit = spent, text
    print(f"seed {seed}: {count} texts, the slowest {slowest * 1000:.1f} ms: {culprit[:60]!r}")
    assert slowest < SLOWEST, culprit[:300]


def test_any_text_is_answered_soon() -> None:
    any_text_is_answered_soon(3_000, seed=11)


@pytest.mark.soak
def test_any_text_is_answered_soon_soak() -> None:
    count = int(os.environ.get("SOAK_TEXTS") or 200_000)
    any_text_is_answered_soon(count, seed=int(os.environ.get("SOAK_SEED") or random.randrange(2**32)))


REPEATED = [
    *('"a', "'a", "“a” ", '“a" ', "«a ", "```", "a=b ", "x=", "title= ", "<", "<@", "<https://a", "&lt;", "(", "((a)", ")", "!"),
    *("not ", "a,", "a=1,", "1,", "1 000 ", "value=1,000 ", "close=next ", "phone=1 ", "..", "a..b", "\n", "🔥", "\u202e"),
    *("e\u0301", "\x00", "a~'", "filter=", "filter='", "top=1 ", "a:", "title:", "-", "--a=", "' ", "'x ", "a' ", "`", "`a "),
    *("<mailto:a|", "a|", "ß", "case ", "please ", '«"', "»a ", "a ", "ab"),
]  # fmt: skip


@pytest.mark.parametrize("start", ["", "case create ", "case list ", "help ", "case note ", 'case create "'])
def test_repeating_anything_stays_linear(start: str) -> None:
    for piece in REPEATED:
        text = (start + piece * 10_000)[:10_000]
        assert cost(text) < SLOWEST or min(cost(text) for _ in range(4)) < SLOWEST, text[:40]
