"""From a request to its answer: which handler, in which thread, in which transaction. Knows no sockets."""

import logging
import uuid
from collections.abc import Callable, Sequence

from .batch import Part, resolve, run_batch
from .calls import call_unbound, find_bound, find_unbound
from .errors import UNEXPECTED, DataverseError
from .odata import CRM
from .organization import bootstrap
from .registry import Registry
from .rows import answer_rows
from .session import Change, Security, Session
from .store import Store, Transaction
from .wire import Request, Response, json_response

log = logging.getLogger(__name__)
AfterCommit = Callable[[Sequence[Change]], None]


class _ChangeSetFailedError(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Service:
    """The Web API.

    Attributes:
        after_commit: called on the event loop with the changes of each committed request, in commit order.
            A listener must return at once; what takes time belongs in a task of its own.
    """

    def __init__(self, store: Store, registry: Registry, security: Security) -> None:
        self.store = store
        self.registry = registry
        self.security = security
        self.after_commit: list[AfterCommit] = []

    async def start(self) -> None:
        """Open the database and make sure that the organisation exists.

        Raises: StoreError.
        """
        await self.store.open()
        await self.store.write(bootstrap)

    async def handle(self, request: Request) -> Response:
        """Answer one request, `$batch` included; errors become answers, never exceptions."""
        try:
            segments = request.segments
            if len(segments) == 1 and segments[0].name == "$batch":
                return await run_batch(self, request)
            if not self._writes(request):
                return await self.store.read(lambda tx: self._answer(tx, request)[0])
            response, changes = await self.store.write(lambda tx: self._answer(tx, request))
        except DataverseError as error:
            return self.error(error)
        except Exception:
            return self._unexpected(request)
        self._announce(changes)
        return response

    async def handle_change_set(self, parts: Sequence[Part]) -> tuple[list[Response], Response | None]:
        """Run the parts of a change set in one transaction.

        Returns: the answers, and None; or nothing and the answer of the part that failed, with everything undone.
        """
        try:
            responses, changes = await self.store.write(lambda tx: self._answer_all(tx, parts))
        except _ChangeSetFailedError as failure:
            return [], failure.response
        except Exception:
            return [], self._unexpected(parts[0].request)
        self._announce(changes)
        return responses, None

    async def run(self, base: str, work: Callable[[Session], object]) -> None:
        """Run `work` as the administrator in one transaction (seeds, control plane); changes are announced.

        Raises: whatever `work` raises, after the rollback.
        """

        def whole(tx: Transaction) -> list[Change]:
            session = self._session(
                tx, Request(method="POST", path="", base=base, headers={"authorization": "Bearer -"})
            )
            work(session)
            return session.changes

        self._announce(await self.store.write(whole))

    def _announce(self, changes: Sequence[Change]) -> None:
        if changes:
            for listener in self.after_commit:
                listener(changes)

    def _writes(self, request: Request) -> bool:
        if request.method in {"GET", "HEAD"}:
            return False
        if request.method != "POST" or not request.segments:
            return True
        operation = find_unbound(self.registry, request)
        first, *rest = request.segments
        if operation is None and rest and rest[0].name.startswith(CRM) and first.name in self.store.catalog.sets:
            table = self.store.catalog.sets[first.name]
            operation = find_bound(self.registry, table, rest, request, row=first.args is not None)
        return operation is None or not operation.reads

    def _session(self, tx: Transaction, request: Request) -> Session:
        return Session(
            tx,
            caller=self.security.identify(tx, request.headers),
            security=self.security,
            rules=self.registry,
            base=request.base,
            references=request.references,
            detect_duplicates=request.headers.get("mscrm.suppressduplicatedetection", "").lower() == "false",
        )

    def _answer(self, tx: Transaction, request: Request) -> tuple[Response, list[Change]]:
        session = self._session(tx, request)
        first = request.segments[0].name if request.segments else ""
        if first in self.registry.resources:
            response = self.registry.resources[first](session, request)
        elif first in session.catalog.sets:
            response = answer_rows(session, request, self.registry)
        else:
            response = call_unbound(session, request, self.registry)
        return response, session.changes

    def _answer_all(self, tx: Transaction, parts: Sequence[Part]) -> tuple[list[Response], list[Change]]:
        responses: list[Response] = []
        changes: list[Change] = []
        references: dict[str, str] = {}
        for part in parts:
            try:
                response, made = self._answer(tx, resolve(part, references, part.request.base))
            except DataverseError as error:
                raise _ChangeSetFailedError(self.error(error)) from None
            responses.append(response)
            changes.extend(made)
            url = response.header("OData-EntityId") or response.header("Location")
            if part.content_id and url:
                references[part.content_id] = url
        return responses, changes

    def error(self, error: DataverseError) -> Response:
        """An error as an answer."""
        return json_response(error.body(), error.status, list(error.headers.items()))

    def _unexpected(self, request: Request) -> Response:
        reference = str(uuid.uuid4())
        log.exception("%s %s failed (%s)", request.method, request.path, reference)
        message = f"An unexpected error occurred; the emulator's log tells more under {reference}."
        return self.error(DataverseError(500, UNEXPECTED, message))
