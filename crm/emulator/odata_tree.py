"""What a `$filter` says, as a tree: constants, paths, conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Literal as Lit

Kind = Lit["string", "number", "boolean", "null", "guid", "instant", "date", "enum"]


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. A guid is lower-case text, an instant seconds since 1970, a date `YYYY-MM-DD`."""

    value: Any
    kind: Kind


@dataclass(frozen=True, slots=True)
class Path:
    """A property, through navigation properties: `primarycontactid/fullname`."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True, slots=True)
class Compare:
    op: str
    left: "Path | Literal"
    right: "Path | Literal"


@dataclass(frozen=True, slots=True)
class Junction:
    """`and` or `or` of two or more."""

    op: Lit["and", "or"]
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    item: "Node"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """`contains`, `startswith` or `endswith`."""

    function: str
    path: Path
    pattern: str


@dataclass(frozen=True, slots=True)
class QueryFunction:
    """A Dataverse query function, by its bare name, with its parameters as Python values."""

    name: str
    path: Path
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """`collection/any(v: body)` or `all`; `any()` has no body."""

    collection: Path
    quantifier: Lit["any", "all"]
    variable: str
    body: "Node | None"


Node = Compare | Junction | Not | TextMatch | QueryFunction | Lambda | Path


def conjunction(nodes: Sequence[Node | None]) -> Node | None:
    """All of these, or None when there are none."""
    present = tuple(node for node in nodes if node is not None)
    if not present:
        return None
    return present[0] if len(present) == 1 else Junction("and", present)
