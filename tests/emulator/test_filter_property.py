"""Random filters over random rows: the emulator's answer is what plain Python says of the same rows."""

import os
import random
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .api import Api

WORDS = [
    "",
    "Ann",
    "ann",
    "ÄNN",
    "Bob",
    "bo",
    "O'Brien",
    "a b",
    "100",
    "ß",
    "Straße",
    "STRASSE",
    "naïve",
    "é",
    "e",
    "Zoë",
]
TABLE = "accounts"
Row = dict[str, Any]
Test = Callable[[Row], bool]


def fold(text: str) -> str:
    """Equal for texts that differ in case and accents only."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


@dataclass(frozen=True)
class Column:
    name: str
    kind: str
    values: list[Any]


COLUMNS = [
    Column("name", "text", WORDS),
    Column("description", "text", WORDS),
    Column("telephone1", "text", ["1", "12", "+49 1", "2"]),
    Column("numberofemployees", "number", [0, 1, 2, 3, 10]),
    Column("revenue", "number", [0, 1.5, 2, 100.25, 1e6]),
    Column("creditlimit", "number", [0, 1.5, 2, 100.25]),
    Column("industrycode", "number", [1, 2, 3]),
    Column("creditonhold", "boolean", [True, False]),
]
CONTACT = [Column("firstname", "text", WORDS), Column("birthdate", "date", ["2000-01-01", "2001-02-03"])]
TASK = [
    Column("subject", "text", WORDS),
    Column("percentcomplete", "number", [0, 50, 100]),
    Column("scheduledend", "instant", ["2024-01-01T00:00:00Z", "2024-01-02T03:04:05Z", "2025-06-01T12:00:00Z"]),
]


def literal(value: Any, kind: str) -> str:
    if value is None:
        return "null"
    if kind == "text":
        return "'" + value.replace("'", "''") + "'"
    if kind == "boolean":
        return str(value).lower()
    return repr(value) if kind == "number" else str(value)


def plain(value: Any, kind: str) -> Any:
    return fold(value) if kind == "text" and value is not None else value


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
}  # fmt: skip


def compare(op: str, left: Any, right: Any) -> bool:
    """A missing value equals nothing; `ne` is the complement of `eq`."""
    if left is None or right is None:
        return op == "ne"
    return OPERATORS[op](left, right)


class Maker:
    """Random conditions, each as filter text and as a Python test of one row."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def condition(self, columns: list[Column], prefix: str = "", depth: int = 3) -> tuple[str, Test]:
        pick = self.rng.random()
        if depth and pick < 0.35:
            word = self.rng.choice(["and", "or"])
            parts = [self.condition(columns, prefix, depth - 1) for _ in range(self.rng.randint(2, 3))]
            tests = [test for _, test in parts]
            joined = f" {word} ".join(f"({text})" for text, _ in parts)
            return joined, (lambda row: all(t(row) for t in tests)) if word == "and" else (
                lambda row: any(t(row) for t in tests)
            )
        if depth and pick < 0.45:
            text, test = self.condition(columns, prefix, depth - 1)
            if text.startswith("Microsoft.Dynamics.CRM."):  # Dataverse negates no query function
                return text, test
            return f"not ({text})", lambda row: not test(row)
        return self.simple(columns, prefix)

    def simple(self, columns: list[Column], prefix: str) -> tuple[str, Test]:
        column = self.rng.choice(columns)
        name, kind = prefix + column.name, column.kind
        value = self.rng.choice(column.values)
        pick = self.rng.random()
        if kind == "text" and pick < 0.4:
            return self.match(column, name)
        if pick < 0.5:
            op = self.rng.choice(["eq", "ne"])
            return f"{name} {op} null", lambda row: (row[column.name] is None) == (op == "eq")
        if not prefix and pick < 0.6:
            return self.many(column)
        twins = [c for c in columns if c.kind == kind and c is not column and kind != "boolean"]
        if twins and pick < 0.68:
            other, op = self.rng.choice(twins), self.rng.choice(list(OPERATORS))
            return f"{name} {op} {prefix}{other.name}", lambda row: compare(
                op, plain(row[column.name], kind), plain(row[other.name], kind)
            )
        op = self.rng.choice(["eq", "ne"] if kind == "boolean" else list(OPERATORS))
        sides = [name, literal(value, kind)]
        test: Test = lambda row: compare(op, plain(row[column.name], kind), plain(value, kind))  # noqa: E731
        if self.rng.random() < 0.1:
            mirrored = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}.get(op, op)
            return f"{sides[1]} {mirrored} {sides[0]}", test
        return f"{sides[0]} {op} {sides[1]}", test

    def match(self, column: Column, name: str) -> tuple[str, Test]:
        function = self.rng.choice(["contains", "startswith", "endswith"])
        whole = self.rng.choice(WORDS)
        start = self.rng.randrange(len(whole) + 1)
        part = whole[start : start + self.rng.randint(0, 3)]

        def test(row: Row) -> bool:
            if row[column.name] is None:
                return False
            held, wanted = fold(row[column.name]), fold(part)
            if function == "contains":
                return wanted in held
            return held.startswith(wanted) if function == "startswith" else held.endswith(wanted)

        return f"{function}({name}, {literal(part, 'text')})", test

    def many(self, column: Column) -> tuple[str, Test]:
        kind = column.kind
        chosen = [self.rng.choice(column.values) for _ in range(2)]
        texts = ",".join('"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"' for v in chosen)
        values = [plain(v, kind) for v in chosen]
        name = self.rng.choice(["In", "NotIn"] if kind == "boolean" else ["In", "NotIn", "Between", "NotBetween"])

        def test(row: Row) -> bool:
            held = plain(row[column.name], kind)
            found = held is not None and (held in values if name.endswith("In") else values[0] <= held <= values[1])
            return found != name.startswith("Not")

        return f"Microsoft.Dynamics.CRM.{name}(PropertyName='{column.name}',PropertyValues=[{texts}])", test

    def whole(self) -> tuple[str, Test]:
        pick = self.rng.random()
        if pick < 0.15:
            text, test = self.condition(CONTACT, "primarycontactid/", 1)
            empty = dict.fromkeys((column.name for column in CONTACT), None)
            return text, lambda row: test(row["contact"] or empty)
        if pick < 0.35:
            quantifier = self.rng.choice(["any", "all"])
            text, test = self.condition(TASK, "t/", 1)
            fold_all = any if quantifier == "any" else all
            return f"Account_Tasks/{quantifier}(t:{text})", lambda row: fold_all(test(task) for task in row["tasks"])
        if pick < 0.5:
            left, right = self.condition(COLUMNS, "", 1), self.whole()
            return f"({left[0]}) or ({right[0]})", lambda row: left[1](row) or right[1](row)
        return self.condition(COLUMNS)


def some(rng: random.Random, columns: list[Column]) -> Row:
    return {c.name: rng.choice(c.values) if rng.random() < 0.8 else None for c in columns}


async def fill(dataverse: Api, rng: random.Random, count: int) -> list[Row]:
    rows = []
    for _ in range(count):
        row = {"accountid": str(uuid.UUID(int=rng.getrandbits(128), version=4)), **some(rng, COLUMNS)}
        contact = some(rng, CONTACT) if rng.random() < 0.7 else None
        tasks = [some(rng, TASK) for _ in range(rng.randrange(3))]
        record: Row = {**row, "Account_Tasks": tasks}
        if contact is not None:
            record["primarycontactid"] = contact
        answer = await dataverse("POST", TABLE, record)
        assert answer.status == 204, answer.text
        rows.append({**row, "contact": contact, "tasks": tasks})
    return rows


async def check(dataverse: Api, seed: int, filters: int) -> None:
    rng = random.Random(seed)
    rows = await fill(dataverse, rng, 60)
    maker = Maker(rng)
    for number in range(filters):
        text, test = maker.whole()
        order = rng.choice(["name", "revenue desc", "createdon", "industrycode,name desc", ""])
        answer = await dataverse.get(TABLE, select="accountid", filter=text, **({"orderby": order} if order else {}))
        assert answer.status == 200, (seed, number, text, answer.text)
        found = {row["accountid"] for row in answer.value}
        expected = {row["accountid"] for row in rows if test(row)}
        assert found == expected, (seed, number, text)
        assert len(answer.value) == len(found), (seed, number, text)


async def test_filters_mean_what_python_means(dataverse: Api) -> None:
    await check(dataverse, 20261124, 400)


@pytest.mark.soak
async def test_filters_mean_what_python_means_at_length(dataverse: Api) -> None:
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(2**32))
    print(f"SOAK_SEED={seed}")
    await check(dataverse, seed, 20_000)
