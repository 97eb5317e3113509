"""Answers about metadata that all kinds of it share."""

from collections.abc import Iterable

from .errors import DataverseError, no_segment
from .metadata_labels import Document
from .metadata_query import Item
from .session import Session
from .wire import Request, Response, created_headers, json_response


def items(documents: Iterable[Document]) -> list[Item]:
    return [Item(document, {}) for document in documents]


def property_answer(session: Session, request: Request, document: Document, place: str, name: str) -> Response:
    allow_only(request, "GET")
    if name not in document or name.startswith("@"):
        raise no_segment(name)
    return json_response({"@odata.context": session.context(f"{place}/{name}"), "value": document[name]})


def collection_answer(session: Session, request: Request, place: str, documents: list[Document]) -> Response:
    counted = {"@odata.count": len(documents)} if request.query.get("$count") == "true" else {}
    return json_response({"@odata.context": session.context(place), **counted, "value": documents})


def created_at(session: Session, request: Request, new_id: str) -> list[tuple[str, str]]:
    """Where a new part of a table is; the table is addressed as the request did, for clients search this for the id."""
    return created_headers(f"{session.base}/{'/'.join(map(str, request.segments))}({new_id})")


def merges_labels(request: Request) -> bool:
    return request.headers.get("mscrm.mergelabels", "").lower() == "true"


def allow_only(request: Request, method: str) -> None:
    if request.method != method:
        raise wrong_method(request)


def wrong_method(request: Request) -> DataverseError:
    return DataverseError(405, "0x80060888", f"{request.method} is not possible on '{request.path.strip('/')}'.")
