"""`$select`, `$filter` and `$expand` over metadata documents, which live in memory rather than in SQLite.

Metadata knows fewer options than rows do: no paging, no sorting, and comparisons alone in a filter
(learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api).
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import bad_request
from .odata import parse_filter
from .odata_tree import Compare, Junction, Literal, Node, Not, Path
from .options import Expand, parse_expand, parse_names
from .wire import Request

Document = dict[str, Any]
Navigate = Callable[[], Any]

_KEPT = ("@odata.type", "MetadataId")
_OPTIONS = frozenset({"$select", "$filter", "$expand", "$count", "LabelLanguages"})
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One metadata item: its own properties, and what `$expand` may add, computed when asked for."""

    document: Document
    navigations: Mapping[str, Navigate]


@dataclass(frozen=True, slots=True)
class Options:
    """The query options of one level."""

    type_name: str
    select: tuple[str, ...] | None = None
    filter: Node | None = None
    expand: tuple[Expand, ...] = ()

    def apply(self, items: Iterable[Item], known: frozenset[str] | None = None) -> list[Document]:
        """The documents that pass, cut to what is selected.

        Args:
            known: property names that may be selected though an item lacks them (those of derived types).

        Raises: DataverseError 400.
        """
        return [
            self.shape(item, known)
            for item in items
            if self.filter is None or matches(self.filter, item.document, self.type_name)
        ]

    def shape(self, item: Item, known: frozenset[str] | None = None) -> Document:
        """One document cut to what is selected, with what is expanded."""
        document = item.document
        if self.select is not None:
            for name in self.select:
                if name not in document and name not in (known or ()) and name not in item.navigations:
                    raise unknown_property(name, self.type_name)
            wanted = {*self.select, *_KEPT}
            document = {name: value for name, value in document.items() if name in wanted}
        for expand in self.expand:
            if expand.name not in item.navigations:
                raise unknown_property(expand.name, self.type_name)
            document = {**document, expand.name: _expanded(item.navigations[expand.name](), expand)}
        return document


def unknown_property(name: str, type_name: str) -> Exception:
    return bad_request(f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{type_name}'.")


def read_options(request: Request, type_name: str) -> Options:
    """The options of a request.

    Raises: DataverseError 400 for options that metadata does not know.
    """
    for name in request.query:
        if name not in _OPTIONS and not name.startswith("@"):
            raise bad_request(f"The query parameter {name} is not supported on metadata.")
    query = request.query
    return Options(
        type_name,
        parse_names(query["$select"]) if "$select" in query else None,
        parse_filter(query["$filter"], query) if "$filter" in query else None,
        parse_expand(query.get("$expand", "")),
    )


def _expanded(found: Any, expand: Expand) -> Any:
    if expand.top is not None or expand.orderby:
        raise bad_request("$top and $orderby are not supported in an $expand of metadata.")
    options = Options(expand.name, expand.select, expand.filter, expand.expand)
    if found is None:
        return None
    if isinstance(found, list):
        return options.apply(found)
    item = found if isinstance(found, Item) else Item(found, {})
    return options.shape(item)


def matches(node: Node, document: Document, type_name: str) -> bool:
    """Whether a document passes a filter.

    Raises: DataverseError 400 for unknown properties and for functions.
    """
    match node:
        case Junction(op="and"):
            return all(matches(item, document, type_name) for item in node.items)
        case Junction():
            return any(matches(item, document, type_name) for item in node.items)
        case Not():
            return not matches(node.item, document, type_name)
        case Compare():
            return _compare(node, document, type_name)
        case Path():
            return _value(node, document, type_name) is True
        case _:
            name = getattr(node, "function", None) or getattr(node, "name", None) or getattr(node, "quantifier", "")
            raise bad_request(f'The "{name}" function isn\'t supported for Metadata Entities.')


def _compare(node: Compare, document: Document, type_name: str) -> bool:
    left, right = _value(node.left, document, type_name), _value(node.right, document, type_name)
    if node.op in {"eq", "ne"}:
        return (left == right) is (node.op == "eq")
    if left is None or right is None:
        return False
    try:
        return _TESTS[node.op](left, right)
    except TypeError:
        raise bad_request(
            f"A binary operator with incompatible types was detected: '{node.op}' cannot compare these values."
        ) from None


def _value(operand: Path | Literal, document: Document, type_name: str) -> Any:
    """A literal's value, or what a path leads to; an enum literal is compared by its member name."""
    if isinstance(operand, Literal):
        return operand.value
    found: Any = document
    for part in operand.parts:
        if found is None:
            return None
        if not isinstance(found, dict) or part not in found:
            if found is document and part not in document:
                raise unknown_property(part, type_name)
            return None
        found = found[part]
    return found
