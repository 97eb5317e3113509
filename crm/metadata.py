"""Tables, columns, choices and lookups as this organisation has them now.

Two requests load everything: the names of all tables, and the standard tables in detail; any other table is fetched
when it is first needed. A copy on disk lets the next start begin with it, after which one request asks whether
anything changed since (`ClientVersionStamp`). Source: Microsoft, `RetrieveMetadataChanges` and "Cache schema data".
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import orjson

from .definitions import STANDARD_NAMES, ColumnInfo, Names, TableInfo, fold, table_from
from .errors import BadAnswer, CrmError, UnknownTable
from .payload import PayloadBuilder, find_column, listed, nearest
from .records import Json
from .tables import TABLES

log = logging.getLogger("crm")

_TABLE = (
    "LogicalName",
    "SchemaName",
    "EntitySetName",
    "PrimaryIdAttribute",
    "PrimaryNameAttribute",
    "DisplayName",
    "DisplayCollectionName",
    "ObjectTypeCode",
)
_COLUMN = (
    "LogicalName",
    "SchemaName",
    "AttributeType",
    "AttributeTypeName",
    "AttributeOf",
    "DisplayName",
    "RequiredLevel",
    "IsValidForCreate",
    "IsValidForUpdate",
    "MaxLength",
    "Format",
    "FormatName",
    "DateTimeBehavior",
    "MinValue",
    "MaxValue",
    "Precision",
    "OptionSet",
)
_RELATIONSHIP = ("ReferencingAttribute", "ReferencedEntity", "ReferencingEntityNavigationPropertyName")

Fetch = Callable[[str], Awaitable[Any]]
"""GET of a path under the API root, as JSON."""


def _names(*names: str) -> dict[str, Json]:
    return {"AllProperties": False, "PropertyNames": list(names)}


def _detail(tables: Iterable[str]) -> dict[str, Json]:
    conditions: list[Json] = [
        {
            "PropertyName": "LogicalName",
            "ConditionOperator": "Equals",
            "Value": {"Type": "System.String", "Value": table},
        }
        for table in sorted(tables)
    ]
    return {
        "Criteria": {"FilterOperator": "Or", "Conditions": conditions},
        "Properties": _names(*_TABLE, "Attributes", "ManyToOneRelationships", "Keys"),
        "AttributeQuery": {"Properties": _names(*_COLUMN)},
        "RelationshipQuery": {"Properties": _names(*_RELATIONSHIP)},
        "KeyQuery": {"Properties": _names("LogicalName", "KeyAttributes")},
    }


def _changes(query: dict[str, Json], stamp: str | None = None) -> str:
    """Path of a RetrieveMetadataChanges call."""
    path = "/RetrieveMetadataChanges(Query=@p1{})?@p1=" + quote(orjson.dumps(query))
    return path.format(",ClientVersionStamp=@p2") + f"&@p2='{quote(stamp)}'" if stamp else path.format("")


_STRANGE = "Dataverse answered the question about its tables with something else. Check the address."


def _tables(items: list[Any]) -> dict[str, TableInfo]:
    """Tables by logical name. Raises BadAnswer, and nothing is taken of an answer that is wrong in a part."""
    try:
        return {item["LogicalName"]: table_from(item) for item in items}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise BadAnswer(_STRANGE) from None


class Metadata:
    """One organisation's metadata. Cheap to ask once loaded; loading happens once however many ask."""

    def __init__(
        self, fetch: Fetch, *, cache: Path | None = None, language: int = 1033, check_every: float = 300.0
    ) -> None:
        self._fetch = fetch
        self._cache = cache
        self.language = language
        self._check_every = check_every
        self._checked = 0.0
        self._stamp: str | None = None
        self._index: dict[str, TableInfo] = {}
        self._raw_index: list[Any] = []
        self._raw: dict[str, Any] = {}
        self._tables: dict[str, TableInfo] = {}
        self._lock = asyncio.Lock()
        self._check: asyncio.Task[None] | None = None
        self._seen_version: str | None = None
        self._search_off_until = 0.0

    @property
    def search_is_on(self) -> bool:
        """Whether Dataverse search is worth asking: it was not refused within the last hour."""
        return monotonic() >= self._search_off_until

    def search_is_off(self, error: CrmError) -> None:
        """Take note that Dataverse search was refused."""
        log.info("Dataverse search is not used for an hour: %s", error.message)
        self._search_off_until = monotonic() + 3600

    @property
    def loaded(self) -> bool:
        """Whether the standard tables are known."""
        return bool(self._tables)

    def known(self, table: str) -> TableInfo | None:
        """The table in detail, if it is loaded; never waits."""
        return self._tables.get(table)

    async def load(self) -> None:
        """Make sure the standard tables are known: from disk, else from the organisation."""
        if self.loaded:
            self._check_in_background()
            return
        async with self._lock:
            if self.loaded:
                return
            if await asyncio.to_thread(self._read_cache):
                self._check_in_background()
                return
            await self._load_all(set(TABLES))

    async def refresh(self) -> bool:
        """Ask whether anything changed since the last load; load again if so. True when it did."""
        async with self._lock:
            self._checked = monotonic()
            tables = set(self._raw) or set(TABLES)
            if self._stamp is not None:
                try:
                    answer = await self._ask(_changes(_detail(tables), self._stamp))
                except CrmError as error:
                    # An expired stamp answers an error; a full load then settles it, or fails for the real reason.
                    log.info("metadata version check: %s", error.message)
                else:
                    if not answer["EntityMetadata"] and not (answer.get("DeletedMetadata") or {}).get("Keys"):
                        return False
            await self._load_all(tables)
            return True

    def notice(self, version: str | None) -> None:
        """Take note of the metadata version that an answer carried; a new one causes a check."""
        if version and version != self._seen_version:
            changed = self._seen_version is not None
            self._seen_version = version
            if changed:
                self._checked = 0.0
                self._check_in_background()

    async def aclose(self) -> None:
        """Stop what runs in the background."""
        if self._check:
            self._check.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._check

    async def table(self, table: str) -> TableInfo:
        """A table in detail, by logical name. Raises UnknownTable."""
        await self.load()
        found = self._tables.get(table)
        if found:
            return found
        async with self._lock:
            if table not in self._tables:
                if self._index and table not in self._index:
                    raise self._unknown(table)
                await self._fetch_detail({table})
            if table not in self._tables:
                raise self._unknown(table)
        return self._tables[table]

    async def names(self, table: str) -> Names:
        """What a request must know about a table; without waiting for the standard ones."""
        info = self._tables.get(table)
        if info is None:
            standard = STANDARD_NAMES.get(table)
            if standard:
                return standard
            info = await self.table(table)
        return info.wire

    async def find_table(self, word: str) -> TableInfo:
        """A table by logical name, schema name, entity set or label, singular or plural, in any language."""
        await self.load()
        folded = fold(word)
        for info in self._index.values():
            if folded in map(fold, (info.logical, info.schema_name, info.entity_set)):
                return await self.table(info.logical)
        for logical in sorted(self._index, key=lambda name: name not in TABLES):
            info = self._index[logical]
            if folded in map(fold, (*info.labels.values(), *info.plural_labels.values())):
                return await self.table(logical)
        raise self._unknown(word)

    async def find_column(self, table: str, word: str) -> ColumnInfo:
        """A column by logical name, schema name or label in any language. Raises UnknownColumn."""
        return find_column(await self.table(table), word, self.language)

    async def payload(self, table: str, values: Mapping[str, object], *, for_update: bool = False) -> dict[str, Json]:
        """Values -> wire JSON: labels to numbers, `Ref` to `@odata.bind`, dates and amounts to their wire types.

        Keys are logical names, schema names or labels; None clears. Raises a ValueProblem with what is allowed.
        """
        info = await self.table(table)
        sets = {name: entry.entity_set for name, entry in self._index.items()}
        return PayloadBuilder(info, sets, for_update=for_update, language=self.language).build(values)

    def _unknown(self, word: str) -> UnknownTable:
        names = [info.label(self.language) for info in self._index.values() if info.labels]
        near = nearest(word, [*names, *self._index])
        hint = f" Did you mean {listed(near)}?" if near else ""
        return UnknownTable(f"There is no table called {word!r}.{hint}", table=word, value=word, allowed=near)

    def _check_in_background(self) -> None:
        due = monotonic() - self._checked >= self._check_every
        if due and (self._check is None or self._check.done()):
            self._checked = monotonic()
            self._check = asyncio.create_task(self._quiet_refresh(), name="metadata check")

    async def _quiet_refresh(self) -> None:
        try:
            await self.refresh()
        except CrmError as error:
            log.warning("metadata could not be checked, the known one stays in use: %s", error.message)

    async def _load_all(self, tables: set[str]) -> None:
        index, detail = await asyncio.gather(
            self._ask(_changes({"Properties": _names(*_TABLE)})),
            self._ask(_changes(_detail(tables))),
        )
        self._take_index(index["EntityMetadata"])
        self._take(detail["EntityMetadata"], {})
        self._stamp = detail.get("ServerVersionStamp")
        self._checked = monotonic()
        await asyncio.to_thread(self._write_cache)

    async def _fetch_detail(self, tables: set[str]) -> None:
        answer = await self._ask(_changes(_detail(tables)))
        self._take(answer["EntityMetadata"], self._raw)
        await asyncio.to_thread(self._write_cache)

    async def _ask(self, path: str) -> dict[str, Any]:
        """A RetrieveMetadataChanges answer, its "EntityMetadata" a list. Raises BadAnswer, among others."""
        answer = await self._fetch(path)
        if not isinstance(answer, dict) or not isinstance(answer.get("EntityMetadata") or [], list):
            raise BadAnswer(_STRANGE)
        return {**answer, "EntityMetadata": answer.get("EntityMetadata") or []}

    def _take_index(self, items: list[Any]) -> None:
        self._index = _tables(items)
        self._raw_index = items

    def _take(self, items: list[Any], known: Mapping[str, Any]) -> None:
        """Know these tables in detail, besides those that were known."""
        self._tables = _tables([*known.values(), *items])
        self._raw = {**known, **{item["LogicalName"]: item for item in items}}

    def _read_cache(self) -> bool:
        if self._cache is None:
            return False
        try:
            stored = orjson.loads(self._cache.read_bytes())
            if stored["format"] != _FORMAT:
                return False
            self._take_index(stored["index"])
            self._take(stored["tables"], {})
            self._stamp = stored["stamp"]
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError, BadAnswer) as exc:
            log.warning("the metadata copy %s is unusable and will be replaced: %s", self._cache, exc)
            return False
        return self.loaded

    def _write_cache(self) -> None:
        if self._cache is None:
            return
        content = {
            "format": _FORMAT,
            "stamp": self._stamp,
            "index": self._raw_index,
            "tables": list(self._raw.values()),
        }
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._cache.with_suffix(f".{os.getpid()}")  # several processes may write at once
            fresh.write_bytes(orjson.dumps(content))
            fresh.replace(self._cache)
        except OSError as exc:
            log.warning("the metadata copy %s could not be written: %s", self._cache, exc)


_FORMAT = 1
"""Of the file on disk; another number makes old files be fetched anew."""
