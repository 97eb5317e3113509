"""Every call to Dataverse as one caller."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, overload
from urllib.parse import quote
from uuid import UUID

import orjson

from . import notes
from .address import API
from .auth import Caller, Impersonated
from .batch import ANNOTATED, Batch, Encoder, Part, Result, paged
from .batch_answers import decode
from .comparison import lookup_columns, same_values, scalar_columns
from .definitions import Names
from .errors import BadAnswer, CrmError, DuplicateId, DuplicateKey, NotFound
from .exchange import Call, Exchange
from .metadata import Metadata
from .notes import File
from .query import Expand, Key, Query, literal
from .records import Hit, Json, Page, Ref, Row, page_of, row_of
from .search import search
from .transport import Answer

_READ = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
    "Prefer": ANNOTATED,
}
_WRITE = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "Content-Type": "application/json; charset=utf-8",
}
_RETURNING = {**_WRITE, "Prefer": f"return=representation,{ANNOTATED}"}
_LONGEST = 32_768
"""Characters of an address. Source: Microsoft, "Compose HTTP requests and handle errors"."""
_VERSION = "@Microsoft.Dynamics.CRM.globalmetadataversion"


class Session:
    """Every call as one caller. All methods raise `CrmError`s (crm.errors)."""

    __slots__ = ("_caller", "_deadline", "_exchange", "_root", "metadata", "url")

    def __init__(self, url: str, exchange: Exchange, metadata: Metadata, caller: Caller, *, deadline: float) -> None:
        self.url = url
        self._exchange = exchange
        self.metadata = metadata
        self._caller = caller
        self._deadline = deadline
        self._root = url + API

    def within(self, seconds: float) -> "Session":
        """The same caller with another deadline per call."""
        return Session(self.url, self._exchange, self.metadata, self._caller, deadline=seconds)

    # Writing

    @overload
    async def create(
        self, table: str, payload: Mapping[str, Json], *, id: UUID | None = None, detect_duplicates: bool = False
    ) -> Ref: ...
    @overload
    async def create(
        self,
        table: str,
        payload: Mapping[str, Json],
        *,
        id: UUID | None = None,
        returning: Sequence[str],
        detect_duplicates: bool = False,
    ) -> Row: ...
    async def create(
        self,
        table: str,
        payload: Mapping[str, Json],
        *,
        id: UUID | None = None,  # noqa: A002  the field's own word
        returning: Sequence[str] | None = None,
        detect_duplicates: bool = False,
    ) -> Ref | Row:
        """Create a row from wire JSON (see `Metadata.payload`); nested objects are created along with it.

        With an `id` of the caller's choice the request may be repeated: after a lost answer it is sent again, and
        "exists already" then means success if the row holds these values. Raises DuplicateId when it does not, or
        when the row existed before. `detect_duplicates`: let the organisation's duplicate rules refuse the row
        (DuplicateDetected).
        """
        names = await self.metadata.names(table)
        body = {**payload, names.primary_id: str(id)} if id else payload
        url = f"{self._root}/{names.entity_set}{_select(returning, names)}"
        headers = _WRITE if returning is None else _RETURNING
        call = Call(
            method="POST",
            url=url,
            verb="create",
            table=table,
            body=encoded(body),
            headers={**headers, "MSCRM.SuppressDuplicateDetection": "false"} if detect_duplicates else headers,
            repeatable=id is not None,
            writes=True,
            empty=returning is None,
        )
        try:
            answer = await self._send(call)
        except (DuplicateId, DuplicateKey) as error:
            if id is None or not await self._is_ours(error, Ref(table, id), payload):
                raise
            return Ref(table, id) if returning is None else await self.get(Ref(table, id), select=returning)
        if returning is not None:
            return self._row(table, names, answer, wrote=True)
        return Ref(table, id or self._created_id(answer))

    @overload
    async def update(self, ref: Ref | Key, payload: Mapping[str, Json], *, etag: str = "*") -> None: ...
    @overload
    async def update(
        self, ref: Ref | Key, payload: Mapping[str, Json], *, etag: str = "*", returning: Sequence[str]
    ) -> Row: ...
    async def update(
        self, ref: Ref | Key, payload: Mapping[str, Json], *, etag: str = "*", returning: Sequence[str] | None = None
    ) -> Row | None:
        """Change columns of a row that exists. `etag`: only if it is still that version, else VersionMismatch.

        A VersionMismatch with `outcome_unknown` may be the echo of our own write: compare with `holds`.
        """
        return await self._patch(ref, payload, {"If-Match": etag}, "update", returning)

    @overload
    async def upsert(self, ref: Ref | Key, payload: Mapping[str, Json]) -> None: ...
    @overload
    async def upsert(self, ref: Ref | Key, payload: Mapping[str, Json], *, returning: Sequence[str]) -> Row: ...
    async def upsert(
        self, ref: Ref | Key, payload: Mapping[str, Json], *, returning: Sequence[str] | None = None
    ) -> Row | None:
        """Change the row, or create it with this id."""
        return await self._patch(ref, payload, {}, "upsert", returning)

    async def _patch(
        self,
        ref: Ref | Key,
        payload: Mapping[str, Json],
        condition: Mapping[str, str],
        verb: str,
        returning: Sequence[str] | None,
    ) -> Row | None:
        names = await self.metadata.names(ref.table)
        call = Call(
            method="PATCH",
            url=f"{self._root}{ref.path(names.entity_set)}{_select(returning, names)}",
            verb=verb,
            table=ref.table,
            body=encoded(payload),
            headers={**(_WRITE if returning is None else _RETURNING), **condition},
            writes=True,
            empty=returning is None,
        )
        answer = await self._send(call)
        if returning is None:
            return None
        return self._row(ref.table, names, answer, wrote=True)

    async def delete(self, ref: Ref | Key, *, etag: str | None = None) -> None:
        """Delete a row. Raises NotFound when there was none."""
        names = await self.metadata.names(ref.table)
        call = Call(
            method="DELETE",
            url=self._root + ref.path(names.entity_set),
            verb="delete",
            table=ref.table,
            headers={**_WRITE, "If-Match": etag} if etag else _WRITE,
            writes=True,
            empty=True,
        )
        try:
            await self._send(call)
        except NotFound as error:
            # Gone after a lost answer: that was us.
            if not error.outcome_unknown:
                raise

    # Reading

    async def get(self, ref: Ref | Key, *, select: Sequence[str] = (), expand: Sequence[Expand] = ()) -> Row:
        """One row. `select`: logical names; all columns when empty. Raises NotFound."""
        names = await self.metadata.names(ref.table)
        query = Query(ref.table).select(*select).expand(*expand).odata(names.lookups)
        url = self._root + ref.path(names.entity_set) + (f"?{query}" if query else "")
        answer = await self._send(Call(method="GET", url=url, verb="get", table=ref.table, headers=_READ))
        return self._row(ref.table, names, answer)

    async def page(self, query: Query, *, next_link: str | None = None, page_size: int | None = None) -> Page:
        """One page. `next_link`: of the page before; `page_size`: at most 5,000, without effect beside `top`.

        A query too long for an address travels inside a batch, which takes twice as much.
        """
        names = await self.metadata.names(query.table)
        if next_link is None:
            odata = query.odata(names.lookups)
            url = f"{self._root}/{names.entity_set}" + (f"?{odata}" if odata else "")
        else:
            url = self._own(next_link)
        if len(url) > _LONGEST:
            batch = Batch()
            part = batch.page(query, next_link=next_link, page_size=page_size)
            return (await self.batch(batch))[part].page()
        headers = _READ
        if page_size and query.limit is None:
            headers = {**_READ, "Prefer": paged(page_size)}
        answer = await self._send(Call(method="GET", url=url, verb="list", table=query.table, headers=headers))
        data = self._exchange.json(answer)
        try:
            page = page_of(query.table, names.primary_id, data)
        except (AttributeError, KeyError, TypeError):
            raise BadAnswer(f"{self._exchange.host} answered a list with something else.") from None
        if page.next_link is not None and page.next_link == next_link:
            raise BadAnswer(
                f"A paging link of {self._exchange.host} leads to itself; the list cannot be read to its end."
            )
        self.metadata.notice(data.get(_VERSION))
        return page

    async def list(self, query: Query, *, page_size: int | None = None) -> AsyncIterator[Row]:
        """Every row, page by page, holding one page at a time."""
        page = await self.page(query, page_size=page_size)
        while True:
            for row in page.rows:
                yield row
            if page.next_link is None:
                return
            page = await self.page(query, next_link=page.next_link, page_size=page_size)

    async def count(self, query: Query) -> tuple[int, bool]:
        """How many rows, and whether there are more than that (Dataverse stops counting at 5,000)."""
        names = await self.metadata.names(query.table)
        asked = Query(query.table, condition=query.condition).select(names.primary_id).top(1).count()
        page = await self.page(asked)
        return page.count or 0, page.count_exceeded

    async def get_json(self, path: str, *, verb: str = "get") -> Any:
        """GET of a path under the API root, encoded by the caller, as JSON."""
        answer = await self._send(Call(method="GET", url=self._root + path, verb=verb, headers=_READ))
        return self._exchange.json(answer)

    async def who_am_i(self) -> UUID:
        """The caller's `systemuserid`."""
        answer = await self.get_json("/WhoAmI", verb="whoami")
        try:
            return UUID(answer["UserId"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise BadAnswer(f"{self._exchange.host} did not say who the caller is. Check the address.") from None

    async def holds(self, ref: Ref, payload: Mapping[str, Json]) -> bool:
        """Whether the row exists with the values of this payload; nested rows are not compared."""
        table = await self.metadata.table(ref.table)
        lookups = lookup_columns(table, payload)
        try:
            row = await self.get(ref, select=[table.primary_id, *scalar_columns(payload), *lookups.values()])
        except NotFound:
            return False
        return same_values(row, payload, lookups)

    # Actions

    async def action(
        self, name: str, body: Mapping[str, Json], *, bound: Ref | str | None = None, repeatable: bool = False
    ) -> Any:
        """Call an action; `bound` to a row, or to a table by its logical name. Its JSON, None for 204.

        An action is not repeated after a lost answer unless the caller says that this is harmless.
        """
        call = Call(
            method="POST",
            url=self._root + await self._bound(name, bound),
            verb=name,
            table=bound.table if isinstance(bound, Ref) else bound,
            body=encoded(body),
            headers=_WRITE,
            repeatable=repeatable,
            writes=True,
        )
        return self._exchange.json(await self._send(call), wrote=True)

    async def function(
        self, name: str, parameters: Mapping[str, Any] | None = None, *, bound: Ref | str | None = None
    ) -> Any:
        """Call a function. Parameters are literals, or objects and lists as JSON."""
        aliases, values = [], []
        for number, (key, value) in enumerate((parameters or {}).items(), 1):
            text = orjson.dumps(value).decode() if isinstance(value, (dict, list)) else literal(value)
            aliases.append(f"{key}=@p{number}")
            values.append(f"@p{number}={quote(text)}")
        path = f"{await self._bound(name, bound)}({','.join(aliases)})" + ("?" + "&".join(values) if values else "")
        return await self.get_json(path, verb=name)

    async def _bound(self, name: str, bound: Ref | str | None) -> str:
        if bound is None:
            return f"/{name}"
        table = bound.table if isinstance(bound, Ref) else bound
        entity_set = (await self.metadata.names(table)).entity_set
        where = bound.path(entity_set) if isinstance(bound, Ref) else f"/{entity_set}"
        return f"{where}/Microsoft.Dynamics.CRM.{name}"

    async def batch(self, batch: Batch, *, continue_on_error: bool = False) -> dict[Part, Result]:
        """Send several requests as one; what became of each, by part. See `crm.batch`."""
        caller = self._caller
        for_whom = {"CallerObjectId": str(caller.object_id)} if isinstance(caller, Impersonated) else {}
        encoder = Encoder(self.metadata, self._root, for_whom)
        body = await encoder.encode(batch)
        headers = {**_WRITE, "Content-Type": f'multipart/mixed; boundary="{encoder.boundary}"'}
        if continue_on_error:
            headers["Prefer"] = "odata.continue-on-error"
        methods = {part.method for part in batch.parts}
        call = Call(
            method="POST",
            url=f"{self._root}/$batch",
            verb="batch",
            body=body,
            headers=headers,
            repeatable=methods <= {"GET", "PATCH"},
            writes=methods != {"GET"},
            multipart=True,
        )
        answer = await self._send(call)
        return await decode(batch, answer, self._exchange.host, self.metadata)

    # Notes and search

    async def attach(
        self,
        ref: Ref,
        *,
        subject: str,
        text: str | None = None,
        file: File | None = None,
        id: UUID | None = None,  # noqa: A002  the field's own word
    ) -> Ref:
        """Put a note on a row, with a file or without; see `crm.notes.attach`."""
        return await notes.attach(self, ref, subject=subject, text=text, file=file, id=id)

    async def read_file(self, note: Ref) -> bytes:
        """The bytes of a note's file; empty for a note without one."""
        return await notes.read_file(self, note)

    async def search(self, text: str, tables: Mapping[str, Sequence[str]], *, top: int = 10) -> Sequence[Hit]:
        """Rows that match a text, best first. `tables`: columns to bring along, by table. See `crm.search`."""
        return await search(self, text, tables, top=top)

    # Within

    async def _send(self, call: Call) -> Answer:
        return await self._exchange.send(call, self._caller, deadline=self._deadline)

    async def _is_ours(self, error: CrmError, ref: Ref, payload: Mapping[str, Json]) -> bool:
        """Whether a row that "exists already" is what an earlier attempt of the same call made."""
        if not error.outcome_unknown:
            return False
        try:
            return await self.holds(ref, payload)
        except CrmError:
            return False  # it cannot be read; the outcome stays unknown

    def _row(self, table: str, names: Names, answer: Answer, *, wrote: bool = False) -> Row:
        data = self._exchange.json(answer, wrote=wrote)
        try:
            return row_of(table, names.primary_id, data)
        except (KeyError, TypeError):
            raise BadAnswer(
                f"{self._exchange.host} answered without the row that was asked for.",
                status=answer.status,
                outcome_unknown=wrote,
            ) from None

    def _own(self, link: str) -> str:
        """A link that Dataverse gave, if it leads back there: the token goes nowhere else."""
        if not link.startswith(self._root + "/"):
            raise BadAnswer(f"A paging link leads away from {self._exchange.host}; it was not followed.")
        return link

    def _created_id(self, answer: Answer) -> UUID:
        location = answer.headers.get("OData-EntityId") or answer.headers.get("Location") or ""
        try:
            return UUID(location.rpartition("(")[2].rstrip(")"))
        except ValueError:
            raise BadAnswer(
                f"{self._exchange.host} did not say which row it created.", status=answer.status, outcome_unknown=True
            ) from None


def encoded(payload: Mapping[str, Any]) -> bytes:
    """JSON as it goes over the wire."""
    return orjson.dumps(payload if isinstance(payload, dict) else dict(payload))


def _select(returning: Sequence[str] | None, names: Names) -> str:
    if not returning:
        return ""
    return "?" + Query("", columns=tuple(returning)).odata(names.lookups)
