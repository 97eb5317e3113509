"""The OData expression language as Dataverse has it: `$filter` text and parameters -> syntax trees.

Grammar: docs.oasis-open.org/odata/odata/v4.0 (ABNF), cut to what Dataverse answers. Knows no schema and no SQL.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from typing import Literal as Lit

from .errors import DataverseError, bad_request, not_implemented
from .odata_tokens import MAX_DEPTH, Token, array, shorten, tokens
from .odata_tree import Compare, Junction, Lambda, Literal, Node, Not, Path, QueryFunction, TextMatch
from .values import parse_date, parse_instant

CRM = "Microsoft.Dynamics.CRM."
COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})


class _Parser:
    def __init__(self, text: str, aliases: Mapping[str, str]) -> None:
        self.text = text
        self.aliases = aliases
        self.tokens = tokens(text)
        self.index = 0
        self.depth = 0

    def error(self, detail: str = "") -> DataverseError:
        at = self.tokens[self.index].start if self.index < len(self.tokens) else len(self.text)
        return bad_request(f"Syntax error at position {at} in '{shorten(self.text)}'.{' ' + detail if detail else ''}")

    def peek(self, offset: int = 0) -> Token | None:
        index = self.index + offset
        return self.tokens[index] if index < len(self.tokens) else None

    def is_mark(self, text: str, offset: int = 0) -> bool:
        token = self.peek(offset)
        return token is not None and token.kind == "mark" and token.text == text

    def word(self) -> str | None:
        token = self.peek()
        return token.text if token is not None and token.kind == "word" else None

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise self.error("The expression ends too early.")
        self.index += 1
        return token

    def expect(self, mark: str) -> None:
        if not self.is_mark(mark):
            raise self.error(f"'{mark}' was expected.")
        self.index += 1

    def whole(self) -> Node:
        if not self.tokens:
            raise bad_request("The filter expression is empty.")
        node = self.either()
        if self.peek() is not None:
            raise self.error()
        return node

    def either(self) -> Node:
        items = [self.both()]
        while self.word() == "or":
            self.index += 1
            items.append(self.both())
        return items[0] if len(items) == 1 else Junction("or", tuple(items))

    def both(self) -> Node:
        items = [self.unary()]
        while self.word() == "and":
            self.index += 1
            items.append(self.unary())
        return items[0] if len(items) == 1 else Junction("and", tuple(items))

    def unary(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise bad_request(f"The query is nested too deeply: more than {MAX_DEPTH} levels.")
        try:
            if self.word() == "not":
                self.index += 1
                return _negation(self.unary())
            if self.is_mark("("):
                self.index += 1
                node = self.either()
                self.expect(")")
                return node
            return self.predicate()
        finally:
            self.depth -= 1

    def predicate(self) -> Node:
        token = self.peek()
        if token is not None and token.kind == "word" and self.is_mark("(", 1):
            return self.function()
        left = self.operand()
        if isinstance(left, Lambda):
            return left
        op = self.word()
        if op in COMPARISONS:
            self.index += 1
            right = self.operand()
            if isinstance(right, Lambda):
                raise self.error("any and all cannot be compared.")
            return Compare(op, left, right)
        if op in {"add", "sub", "mul", "div", "mod", "has", "in"}:
            raise not_implemented(f"The operator '{op}' in $filter")
        if isinstance(left, Path):
            return left
        raise self.error("A comparison was expected.")

    def operand(self) -> "Path | Literal | Lambda":
        token = self.take()
        if token.kind == "alias":
            value = self.aliases.get(token.text)
            if value is None:
                raise bad_request(f"The parameter alias '{token.text}' has no value in the query string.")
            return parse_literal(value)
        if token.kind != "word":
            self.index -= 1
            return self.literal()
        following = self.peek()
        if following is not None and following.kind == "string" and following.start == token.end:
            self.index += 1
            return Literal(_unquote(following.text), "enum")
        if token.text in {"null", "true", "false"} and not self.is_mark("/"):
            return _constant(token.text)
        if self.is_mark("("):
            raise not_implemented(f"The function '{token.text}' in this place of a query")
        return self.path(token.text)

    def path(self, first: str) -> "Path | Lambda":
        parts = [first]
        while self.is_mark("/"):
            self.index += 1
            part = self.take()
            if part.kind != "word":
                raise self.error("A property name was expected.")
            if part.text in {"any", "all"} and self.is_mark("("):
                return self.quantifier(Path(tuple(parts)), part.text)
            parts.append(part.text)
        return Path(tuple(parts))

    def quantifier(self, collection: Path, name: str) -> Lambda:
        quantifier: Lit["any", "all"] = "any" if name == "any" else "all"
        self.expect("(")
        if self.is_mark(")") and quantifier == "any":
            self.index += 1
            return Lambda(collection, quantifier, "", None)
        variable = self.take()
        if variable.kind != "word":
            raise self.error("A range variable was expected.")
        self.expect(":")
        body = self.either()
        self.expect(")")
        return Lambda(collection, quantifier, variable.text, body)

    def literal(self) -> Literal:
        token = self.take()
        match token.kind:
            case "string":
                return Literal(_unquote(token.text), "string")
            case "number":
                return _number(token.text, self)
            case "guid":
                return Literal(token.text.lower(), "guid")
            case "instant":
                seconds = parse_instant(token.text)
                if seconds is not None:
                    return Literal(seconds, "instant")
            case "date":
                day = parse_date(token.text)
                if day is not None:
                    return Literal(day, "date")
            case _:
                pass
        self.index -= 1
        raise self.error("A value was expected.")

    def function(self) -> Node:
        name = self.take().text
        self.expect("(")
        if name in {"contains", "startswith", "endswith"}:
            path = self.operand()
            self.expect(",")
            pattern = self.operand()
            self.expect(")")
            if not isinstance(path, Path) or not isinstance(pattern, Literal) or pattern.kind != "string":
                raise self.error(f"{name} takes a property and a text in quotes.")
            return TextMatch(name, path, pattern.value)
        if not name.startswith(CRM):
            raise not_implemented(f"The function '{name}' in $filter")
        parameters: dict[str, Any] = {}
        while not self.is_mark(")"):
            key = self.take()
            self.expect("=")
            parameters[key.text] = self.parameter()
            if not self.is_mark(")"):
                self.expect(",")
        self.expect(")")
        return _query_function(name.removeprefix(CRM), parameters)

    def parameter(self) -> Any:
        token = self.peek()
        if token is not None and token.kind == "array":
            self.index += 1
            return json.loads(token.text)
        if token is not None and token.kind == "alias":
            self.index += 1
            return parse_parameter(token.text, self.aliases)
        operand = self.operand()
        if not isinstance(operand, Literal):
            raise self.error("A value was expected.")
        return operand.value


def _negation(item: Node) -> Not:
    """Raises: DataverseError 400 before a query function (learn.microsoft.com, "Use Web API functions")."""
    if isinstance(item, QueryFunction):
        raise bad_request("Not operator along with the Custom Named Condition operators is not allowed")
    return Not(item)


def _number(text: str, parser: _Parser) -> Literal:
    try:
        value: int | float = int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        if value not in (float("inf"), float("-inf")) and abs(value) < 2**63:
            return Literal(value, "number")
    except ValueError:
        pass
    parser.index -= 1
    raise parser.error("The number is out of range.")


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _constant(text: str) -> Literal:
    return Literal(None, "null") if text == "null" else Literal(text == "true", "boolean")


def _query_function(name: str, parameters: Mapping[str, Any]) -> QueryFunction:
    property_name = parameters.get("PropertyName")
    if not isinstance(property_name, str) or not property_name:
        raise bad_request(f"The function '{CRM}{name}' needs the parameter PropertyName.")
    if unknown := set(parameters) - {"PropertyName", "PropertyValue", "PropertyValues"}:
        raise bad_request(f"The function '{CRM}{name}' has no parameter {min(unknown)!r}.")
    values: list[Any] = []
    if "PropertyValue" in parameters:
        values.append(parameters["PropertyValue"])
    if "PropertyValues" in parameters:
        many = parameters["PropertyValues"]
        if not isinstance(many, list):
            raise bad_request("PropertyValues must be an array.")
        values.extend(many)
    return QueryFunction(name, Path(tuple(property_name.split("/"))), tuple(values))


def parse_filter(text: str, aliases: Mapping[str, str] | None = None) -> Node:
    """A `$filter` expression.

    Raises: DataverseError 400 for bad syntax, 501 for a function that Dataverse does not have.
    """
    try:
        return _Parser(text, aliases or {}).whole()
    except RecursionError:
        raise bad_request("The query is nested too deeply.") from None


def parse_literal(text: str) -> Literal:
    """One primitive literal (`'x'`, `5`, `null`, a GUID, a date).

    Raises: DataverseError 400.
    """
    parser = _Parser(text, {})
    token = parser.peek()
    if token is not None and token.kind == "word":
        if token.text in {"null", "true", "false"} and len(parser.tokens) == 1:
            return _constant(token.text)
        following = parser.peek(1)
        if following is not None and following.kind == "string" and len(parser.tokens) == 2:
            return Literal(_unquote(following.text), "enum")
        raise parser.error("A value was expected.")
    literal = parser.literal()
    if parser.peek() is not None:
        raise parser.error()
    return literal


def parse_parameter(text: str, aliases: Mapping[str, str]) -> Any:
    """A function parameter: an alias, a literal, or JSON (array, object).

    Raises: DataverseError 400.
    """
    text = text.strip()
    if text.startswith("@"):
        if text not in aliases:
            raise bad_request(f"The parameter alias '{text}' has no value in the query string.")
        return parse_parameter(aliases[text], {})
    if text.startswith("{"):
        try:
            return json.loads(_double_quoted(text))
        except (ValueError, RecursionError):
            raise bad_request(f"The parameter value '{shorten(text)}' is not valid JSON.") from None
    if text.startswith("["):
        value, stop = array(text, 0)
        if text[stop:].strip():
            raise bad_request(f"The parameter value '{shorten(text)}' is not valid.")
        return json.loads(value)
    return parse_literal(text).value


def _double_quoted(text: str) -> str:
    """JSON as Microsoft's examples write it in a URL, `{'@odata.id':'accounts(…)'}`, as JSON."""
    if '"' in text:
        return text
    return re.sub(r"'((?:''|[^'])*)'", lambda found: json.dumps(found[1].replace("''", "'")), text)
