"""The friendly list language."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.filters import And, Compare, Expr, Flag, Is, Not, Op, Or, Term, canonical, describe, extract, parse
from commands.language import markup
from commands.language.reading import Unreadable

HOT, MINE = Compare("rating", Op.EQ, ("hot",)), Is(Flag.MINE)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", And()),
        ("rating=hot", HOT),
        ("rating = hot", HOT),
        ("rating==hot", HOT),
        ("rating=“hot”", HOT),
        ("rating!=hot", Compare("rating", Op.NE, ("hot",))),
        ("rating<>hot", Compare("rating", Op.NE, ("hot",))),
        ("rating=hot,warm", Compare("rating", Op.EQ, ("hot", "warm"))),
        ("rating=hot, warm", Compare("rating", Op.EQ, ("hot", "warm"))),
        ("rating='very hot',warm", Compare("rating", Op.EQ, ("very hot", "warm"))),
        ("company~acme", Compare("company", Op.HAS, ("acme",))),
        ("company!~'Acme Corp'", Compare("company", Op.HAS_NOT, ("Acme Corp",))),
        ("created>7d", Compare("created", Op.GT, ("7d",))),
        ("created&gt;7d", Compare("created", Op.GT, ("7d",))),
        ("created >= last week", Compare("created", Op.GE, ("last week",))),
        ("close<end of quarter", Compare("close", Op.LT, ("end of quarter",))),
        ("created=yesterday mine", And((Compare("created", Op.EQ, ("yesterday",)), MINE))),
        ("value>1,000,000", Compare("value", Op.GT, ("1,000,000",))),
        ("value=1,000,000", Compare("value", Op.EQ, ("1,000,000",))),
        ("value>1,5 Mio €", Compare("value", Op.GT, ("1,5 Mio €",))),
        ("value>100 NOT mine", And((Compare("value", Op.GT, ("100",)), Not(MINE)))),
        ("value>100 AND mine", And((Compare("value", Op.GT, ("100",)), MINE))),
        ("value>100 EUR mine", And((Compare("value", Op.GT, ("100 EUR",)), MINE))),
        ("value>100 m or mine", Or((Compare("value", Op.GT, ("100 m",)), MINE))),
        ("priority=1,2", Compare("priority", Op.EQ, ("1", "2"))),
        ("email=", Compare("email", Op.EQ, ())),
        ("email= rating=hot", And((Compare("email", Op.EQ, ()), HOT))),
        ("email!=empty", Compare("email", Op.NE, ())),
        ("email='empty'", Compare("email", Op.EQ, ("empty",))),
        ("value=1k..5k", And((Compare("value", Op.GE, ("1k",)), Compare("value", Op.LE, ("5k",))))),
        ("mine", MINE),
        ("my", MINE),
        ("MINE Open", And((MINE, Is(Flag.OPEN)))),
        ("!mine", Not(MINE)),
        ("NOT mine", Not(MINE)),
        ("not not mine", MINE),
        ("mine OR rating=hot", Or((MINE, HOT))),
        ("mine rating=hot OR open", Or((And((MINE, HOT)), Is(Flag.OPEN)))),
        ("mine (rating=hot or open)", And((MINE, Or((HOT, Is(Flag.OPEN)))))),
        ("NOT (mine OR open)", Not(Or((MINE, Is(Flag.OPEN))))),
        ("mine && rating=hot || open", Or((And((MINE, HOT)), Is(Flag.OPEN)))),
        ("acme corp", And((Term("acme"), Term("corp")))),
        ('"acme corp"', Term("acme corp")),
        ("jane@example.com", Term("jane@example.com")),
        ("'Job title'~engineer", Compare("Job title", Op.HAS, ("engineer",))),
        ("'mine'", Term("mine")),
        ("open=yes", Compare("open", Op.EQ, ("yes",))),
        ("http://a.b/?c=d", Term("http://a.b/?c=d")),
        ("Error: no", And((Term("Error:"), Term("no")))),
        ("name~foo(bar)", Compare("name", Op.HAS, ("foo(bar)",))),
        ("owner=<@U012AB|jane>", Compare("owner", Op.EQ, ("<@U012AB|jane>",))),
        ("email=<mailto:a@b.co|a@b.co>", Compare("email", Op.EQ, ("a@b.co",))),
    ],
)
def test_reading(text: str, tree: Expr) -> None:
    read = parse(text)
    assert read == tree
    assert parse(canonical(read)) == read
    assert not text or describe(read)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(rating=hot", "never closes"),
        ("rating=hot)", "without its ("),
        ("or", "missing before OR"),
        ("mine and", "missing at the end"),
        ("()", "missing before )"),
        ("name~x') or contains(name,'", "without its ("),
        ("created>", "Nothing follows"),
        ('name~"acme', "never closes"),
        ("(" * 40 + "mine" + ")" * 40, "too many parentheses"),
        ("a " * 600, "too many conditions"),
    ],
)
def test_problems(text: str, says: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert says in str(caught.value)


def test_values_are_never_syntax() -> None:
    """What looks like OData stays the text of a value."""
    evil = "x') or contains(name,'"
    assert parse(f'name~"{evil}"') == Compare("name", Op.HAS, (evil,))
    assert parse(f'"{evil}"') == Term(evil)


def test_the_commands_own_names_are_taken_out() -> None:
    pairs: dict[str, str] = {}
    left = extract("company~acme sort=-created (top=1) top:20 mine", {"sort", "top"}, pairs.__setitem__)
    assert pairs == {"sort": "-created", "top": "20"}
    assert left == "company~acme (top=1) mine"


def test_known_names_may_have_a_colon() -> None:
    assert parse("rating:hot", known=lambda key: key == "rating") == HOT
    assert parse("rating:hot") == Term("rating:hot")


def test_describing() -> None:
    words = describe(parse("company~acme NOT (mine OR email=) created>7d"))
    assert words == ("company contains “acme” and not (owned by me or email is empty) and created is above “7d”")


texts = st.text(min_size=1, max_size=12).map(lambda t: " ".join(markup.tidy(t).split())).filter(bool)
leaves = st.one_of(
    st.builds(
        lambda key, op, values: Compare(
            key, op, tuple(values[: None if op in (Op.EQ, Op.NE, Op.HAS, Op.HAS_NOT) else 1])
        ),
        st.one_of(st.sampled_from(["rating", "created", "new_region", "Job title", "not", "mine"]), texts),
        st.sampled_from(list(Op)),
        st.lists(
            st.one_of(texts, st.sampled_from(["a,b", "a..b", "null", ")", '"', "'x'", "7d"])), min_size=1, max_size=3
        ),
    ),
    st.builds(Term, st.one_of(texts, st.sampled_from(["or", "my", "a=b", "(", "!x", "&amp;", "<@U012AB>"]))),
    st.builds(Is, st.sampled_from(list(Flag))),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: And(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=8,
)


def all_leaves(tree: Expr) -> list[Expr]:
    if isinstance(tree, And | Or):
        return [leaf for part in tree.parts for leaf in all_leaves(part)]
    return all_leaves(tree.part) if isinstance(tree, Not) else [tree]


def round_trip(tree: Expr) -> None:
    """Reading what was printed loses no condition and changes no value, and printing settles at once."""
    read = parse(canonical(tree))
    assert all_leaves(read) == all_leaves(tree), canonical(tree)
    assert parse(canonical(read)) == read
    assert describe(read)


@settings(max_examples=250, derandomize=True, deadline=None)
@given(trees)
def test_printing_reads_back(tree: Expr) -> None:
    round_trip(tree)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(trees)
def test_printing_reads_back_soak(tree: Expr) -> None:
    round_trip(tree)


def test_random_texts_are_read_or_refused() -> None:
    rng = random.Random(7)
    pieces = [
        "rating",
        "=",
        "hot",
        " ",
        "(",
        ")",
        "~",
        '"',
        "“",
        "”",
        "'",
        "or",
        "not",
        ",",
        "..",
        ">",
        "!",
        "\n",
        "é",
        "🔥",
        "<@U1A>",
        "&lt;",
    ]
    for _ in range(2_000):
        text = "".join(rng.choices(pieces, k=rng.randint(1, 30)))
        try:
            read = parse(text)
        except Unreadable:
            continue
        assert parse(canonical(read)) == read, text
