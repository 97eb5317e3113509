"""Several requests in one: `$batch`, and change sets that happen altogether or not at all.

    batch = Batch()
    lead = batch.get(ref, select=["subject"])
    with batch.change_set() as together:
        person = together.create("contact", {"lastname": "Smith"})
        together.create("account", {"name": "Contoso", "primarycontactid@odata.bind": person.reference})
    results = await session.batch(batch)
    results[lead].row()

At most 1,000 requests. Without `continue_on_error` the first failure ends the batch; what came later was not carried
out. Source: Microsoft, "Execute batch operations using the Web API".
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from .errors import CrmError
from .metadata import Metadata
from .query import Query
from .records import Json, Page, Ref, Row

CRLF = b"\r\n"
LIMIT = 1000
ANNOTATED = 'odata.include-annotations="*"'


def paged(size: int) -> str:
    """The preference for pages of so many rows, with annotations."""
    return f"odata.maxpagesize={size},{ANNOTATED}"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One request of a batch; the key to its result."""

    method: str
    table: str
    number: int
    ref: Ref | None = None
    query: Query | None = None
    payload: Mapping[str, Json] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    action: str = ""
    """Name of an action, bound to `ref` or to the collection of `table` where `bound`."""
    bound: bool = False
    link: str = ""
    """The whole address, where it is known: a paging link."""

    @property
    def reference(self) -> str:
        """Stands for the row that this part creates, in `@odata.bind` values of later parts of its change set."""
        return f"${self.number}"


class ChangeSet:
    """Writes that happen altogether or not at all."""

    def __init__(self, first: int) -> None:
        self.parts: list[Part] = []
        self._first = first

    def create(self, table: str, payload: Mapping[str, Json]) -> Part:
        """Create a row."""
        return self._add("POST", table, payload=payload)

    def update(self, ref: Ref, payload: Mapping[str, Json], *, etag: str = "*") -> Part:
        """Change a row that exists."""
        return self._add("PATCH", ref.table, ref=ref, payload=payload, headers={"If-Match": etag})

    def delete(self, ref: Ref) -> Part:
        """Delete a row."""
        return self._add("DELETE", ref.table, ref=ref)

    def _add(self, method: str, table: str, **more: Any) -> Part:
        part = Part(method, table, self._first + len(self.parts), **more)
        self.parts.append(part)
        return part


class Batch:
    """Requests to be sent together."""

    def __init__(self) -> None:
        self.items: list[Part | ChangeSet] = []
        self._count = 0

    def get(self, ref: Ref, *, select: Sequence[str] = ()) -> Part:
        """Read a row."""
        return self._add(ref=ref, query=Query(ref.table).select(*select), table=ref.table)

    def page(self, query: Query, *, next_link: str | None = None, page_size: int | None = None) -> Part:
        """Read a page of a list; see `Session.page`."""
        prefer = {"Prefer": paged(page_size)} if page_size and query.limit is None else {}
        return self._add(query=query, table=query.table, link=next_link or "", headers=prefer)

    def action(self, name: str, body: Mapping[str, Json], *, table: str, bound: Ref | str | None = None) -> Part:
        """Call an action; `bound` as in `Session.action`. A batch with one is not repeated.

        `table`: which table it is about, for error messages.
        """
        ref = bound if isinstance(bound, Ref) else None
        self._count += 1
        part = Part("POST", table, self._count, ref=ref, payload=body, action=name, bound=bound is not None)
        self.items.append(part)
        return part

    @contextmanager
    def change_set(self) -> Iterator[ChangeSet]:
        """Collect writes that belong together."""
        together = ChangeSet(self._count + 1)
        yield together
        if together.parts:
            self._count += len(together.parts)
            self.items.append(together)

    @property
    def parts(self) -> list[Part]:
        """Every request, in order."""
        return [part for item in self.items for part in (item.parts if isinstance(item, ChangeSet) else [item])]

    def _add(self, **more: Any) -> Part:
        self._count += 1
        part = Part("GET", number=self._count, **more)
        self.items.append(part)
        return part


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one part: at most one of these."""

    value: Row | Page | Ref | None = None
    """A row, a page, or the reference of a row created; None for update, delete and actions."""
    error: CrmError | None = None
    answer: Json = None
    """What an action answered."""

    def row(self) -> Row:
        """The row that was read; raises what went wrong instead."""
        value = self._done()
        if not isinstance(value, Row):
            raise TypeError("This part of the batch reads no single row.")
        return value

    def page(self) -> Page:
        """The page that was listed; raises what went wrong instead."""
        value = self._done()
        if not isinstance(value, Page):
            raise TypeError("This part of the batch lists nothing.")
        return value

    def rows(self) -> list[Row]:
        """The rows that were listed; raises what went wrong instead."""
        return self.page().rows

    def answered(self) -> Json:
        """What an action answered, None for nothing; raises what went wrong instead."""
        self._done()
        return self.answer

    def ref(self) -> Ref:
        """The row that was created; raises what went wrong instead."""
        value = self._done()
        if not isinstance(value, Ref):
            raise TypeError("This part of the batch creates nothing.")
        return value

    def _done(self) -> Row | Page | Ref | None:
        if self.error:
            raise self.error
        return self.value


class Encoder:
    """A batch as multipart bytes."""

    def __init__(self, metadata: Metadata, root: str, caller: Mapping[str, str]) -> None:
        """`caller`: headers that say for whom; repeated in every part, so that none runs as the application."""
        self._metadata = metadata
        self._root = root
        self._caller = caller
        self.boundary = f"batch_{uuid4()}"

    async def encode(self, batch: Batch) -> bytes:
        """The body. Raises ValueError for an empty or too long batch."""
        if not 0 < len(batch.parts) <= LIMIT:
            raise ValueError(f"A batch holds 1 to {LIMIT} requests, not {len(batch.parts)}.")
        lines: list[bytes] = []
        for item in batch.items:
            lines.append(f"--{self.boundary}".encode())
            if isinstance(item, Part):
                lines += await self._part(item)
                continue
            inner = f"changeset_{uuid4()}"
            lines += [f'Content-Type: multipart/mixed; boundary="{inner}"'.encode(), b""]
            for part in item.parts:
                lines.append(f"--{inner}".encode())
                lines += await self._part(part, content_id=True)
            lines += [f"--{inner}--".encode(), b""]
        return CRLF.join([*lines, f"--{self.boundary}--".encode(), b""])

    async def _part(self, part: Part, *, content_id: bool = False) -> list[bytes]:
        names = await self._metadata.names(part.table)
        url = self._root + (part.ref.path(names.entity_set) if part.ref else f"/{names.entity_set}")
        if part.action:
            url = f"{url}/Microsoft.Dynamics.CRM.{part.action}" if part.bound else f"{self._root}/{part.action}"
        if part.query and (odata := part.query.odata(names.lookups)):
            url += f"?{odata}"
        url = part.link or url
        headers = {"Accept": "application/json", **self._caller, **part.headers}
        if part.method == "GET":
            headers.setdefault("Prefer", ANNOTATED)
        if part.payload is not None:
            headers["Content-Type"] = "application/json; type=entry"
        lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
        if content_id:
            lines.append(f"Content-ID: {part.number}")
        lines += ["", f"{part.method} {url} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), ""]
        body = b"" if part.payload is None else orjson.dumps(dict(part.payload))
        return [*(line.encode() for line in lines), body]
