"""Example data: named sets of rows, loaded through the same writes as any client's.

A seed is `<name>.json`: `{"rows": {table: [row, …]}, "associate": [[row, collection, row], …]}`. A row has a `key`,
unique in its table, from which its id follows (or an `id` of its own); the rest are columns by logical name. A lookup
says `table/key`; a date may be an offset from now (`-3d`, `+2h`); a list under a collection's name holds nested rows.
Rows may name rows further down: such lookups, and states other than the first, are written when all rows exist.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import resources
from typing import Any

from crm.emulator.catalog import Column, Table
from crm.emulator.organization import ADMIN_ID, CURRENCY_ID, ROOT_UNIT_ID
from crm.emulator.session import Session
from crm.emulator.values import instant_text
from crm.emulator.write import associate, create, update

_NAMESPACE = uuid.UUID("0d2f6c1a-8f0e-4b7e-9c55-3a1f4d5e6b70")
_GIVEN = {
    "businessunit/root": ROOT_UNIT_ID,
    "systemuser/admin": ADMIN_ID,
    "transactioncurrency/usd": CURRENCY_ID,
}
"""Rows that every database has, as seeds call them."""
_OFFSET = re.compile(r"([+-]\d{1,5})([mhd])")
_DIGITS = re.compile(r"\d+")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_FILE_NAME = re.compile(r"[a-z0-9_-]{1,40}")
_STATES = ("statecode", "statuscode")


class SeedError(ValueError):
    """A seed that does not exist or does not fit the schema; the message names the place."""


def names() -> list[str]:
    """The seeds there are."""
    folder = resources.files(__package__)
    return sorted(e.name.removesuffix(".json") for e in folder.iterdir() if e.name.endswith(".json"))


def row_id(table: str, key: str) -> str:
    """The id of a seed's row, the same in every database."""
    return _GIVEN.get(f"{table}/{key}") or str(uuid.uuid5(_NAMESPACE, f"{table}/{key}"))


def load(session: Session, name: str) -> None:
    """Write a seed's rows in the session's transaction.

    Raises: SeedError; DataverseError for a row that the server refuses (for instance because it is there already).
    """
    if not _FILE_NAME.fullmatch(name) or name not in names():
        raise SeedError(f"There is no seed named '{name}'. There are: {', '.join(names())}.")
    document = json.loads(resources.files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    _Loader(session, document).run()


class _Loader:
    def __init__(self, session: Session, document: Mapping[str, Any]) -> None:
        self.session = session
        self.rows: Mapping[str, list[dict[str, Any]]] = document.get("rows", {})
        self.pairs: list[list[str]] = document.get("associate", [])
        self.ids = dict(_GIVEN)
        self.written = set(_GIVEN)
        for table, rows in self.rows.items():
            for row in rows:
                self.ids[f"{table}/{row['key']}"] = row.get("id") or row_id(table, row["key"])

    def run(self) -> None:
        later: list[tuple[Table, str, dict[str, Any]]] = []
        for name, rows in self.rows.items():
            table = self.session.table(name)
            for row in rows:
                place = f"{name}/{row['key']}"
                record, deferred = self._record(table, row, place)
                create(self.session, table, record, row_id=self.ids[place])
                self.written.add(place)
                if deferred:
                    later.append((table, place, deferred))
        for table, place, values in later:
            record, _ = self._record(table, values, place, whole=True)
            update(self.session, table, self.ids[place], record)
        for near, collection, far in self.pairs:
            self._associate(near, collection, far)
        self._count_on()

    def _count_on(self) -> None:
        """Auto-numbers go on after the highest one given, so that `CAS-01001` stays the number of one case."""
        for name, rows in self.rows.items():
            table = self.session.table(name)
            for column in table.auto_numbers:
                given = (_DIGITS.search(str(row.get(column.name) or "")) for row in rows)
                highest = max((int(found[0]) for found in given if found), default=0)
                self.session.tx.execute(
                    "INSERT INTO _autonumber VALUES (?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET next = MAX(next, excluded.next)",
                    (table.logical_name, column.name, highest + 1),
                )

    def _record(
        self, table: Table, row: Mapping[str, Any], place: str, *, whole: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The row as a Web API record, and what must wait until all rows exist."""
        record: dict[str, Any] = {}
        deferred: dict[str, Any] = {}
        for name, value in row.items():
            if name in {"key", "id"}:
                continue
            if name in table.collections:
                record[name] = list(self._nested(table, name, value, place))
                continue
            column = table.columns.get(name)
            if column is None:
                raise SeedError(f"{place}: the column '{name}' does not exist.")
            if not whole and self._waits(column, value):
                deferred[name] = value
            elif column.type == "lookup":
                record[f"{self._navigation(column, value, place)}@odata.bind"] = self._address(value, place)
            else:
                record[name] = self._value(column, value)
        if not whole and row.get("statecode"):
            deferred.update({key: row[key] for key in _STATES if key in row})
            for key in _STATES:
                record.pop(key, None)
        return record, deferred

    def _waits(self, column: Column, value: Any) -> bool:
        return column.type == "lookup" and value not in self.written

    def _nested(self, table: Table, collection: str, rows: list[Any], place: str) -> Iterator[dict[str, Any]]:
        target = self.session.table(table.collections[collection].table)
        for row in rows:
            yield self._record(target, row, f"{place}/{collection}", whole=True)[0]

    def _navigation(self, column: Column, value: str, place: str) -> str:
        kind = value.partition("/")[0]
        if kind not in column.targets:
            raise SeedError(f"{place}: '{column.name}' cannot point at a {kind}.")
        return column.targets[kind]

    def _address(self, value: str, place: str) -> str:
        if value not in self.ids:
            raise SeedError(f"{place}: there is no row '{value}'.")
        return f"/{self.session.table(value.partition('/')[0]).entity_set}({self.ids[value]})"

    def _value(self, column: Column, value: Any) -> Any:
        if column.type not in {"datetime", "dateonly"} or not isinstance(value, str):
            return value
        offset = _OFFSET.fullmatch(value)
        if offset is None:
            return value
        moved = self.session.now + timedelta(**{_UNITS[offset[2]]: int(offset[1])}).total_seconds()
        text = instant_text(moved)
        return text[:10] if column.type == "dateonly" else text

    def _associate(self, near: str, name: str, far: str) -> None:
        table = self.session.table(near.partition("/")[0])
        if name not in table.collections:
            raise SeedError(f"{near}: there is no collection '{name}'.")
        self._address(far, near)
        associate(self.session, table, self.ids[near], table.collections[name], self.ids[far])
