"""Syntax trees -> parameterised SQL conditions over the store's tables.

Truth is two-valued, as plain Python has it: a comparison with a missing value is false, and `not` and `ne` are exact
complements, so `name ne 'x'` finds rows without a name too.
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from dataclasses import replace

from .catalog import NUMBERS, Column, Table
from .errors import bad_request, not_implemented
from .odata_tree import Compare, Junction, Lambda, Literal, Node, Not, Path, QueryFunction, TextMatch
from .operands import (
    GUIDS,
    OPERATORS,
    TEXT,
    TRUE,
    WHOLE,
    Operand,
    Scope,
    Sql,
    compare_value,
    join,
    negate,
    operand,
    unknown_property,
)
from .queryfunctions import function_condition
from .sqlite_tables import quote
from .text import fold, like_glob

_MIRROR = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}


def condition(scope: Scope, node: Node) -> Sql:
    """A `$filter` tree as an SQL condition.

    Raises: DataverseError 400, 501.
    """
    match node:
        case Junction(op, items):
            return join(op.upper(), [condition(scope, item) for item in items])
        case Not(item):
            return negate(condition(scope, item))
        case Compare():
            return _compare(scope, node)
        case TextMatch(function, path, pattern):
            return _text_match(operand(scope, path), function, pattern)
        case QueryFunction():
            return _query_function(scope, node)
        case Lambda():
            return _lambda(scope, node)
        case Path():
            held = operand(scope, node)
            if held.column.type != "boolean":
                raise bad_request(f"The property '{node}' is no condition: compare it with a value.")
            return Sql(f"{held.stored.text} = 1")


def _compare(scope: Scope, node: Compare) -> Sql:
    left, op, right = node.left, node.op, node.right
    if isinstance(left, Literal):
        if isinstance(right, Literal):
            raise bad_request("A comparison needs a property on one side.")
        left, op, right = right, _MIRROR[op], left
    held = operand(scope, left)
    if isinstance(right, Path):
        return _compare_columns(held, op, operand(scope, right))
    return compare_value(held, op, right)


def _compare_columns(left: Operand, op: str, right: Operand) -> Sql:
    if _family(left.column) != _family(right.column):
        raise bad_request(
            f"The columns '{left.column.name}' and '{right.column.name}' have different types and cannot be compared."
        )
    values = left.comparable.values + right.comparable.values
    if op == "ne":
        return negate(Sql(f"{left.comparable.text} = {right.comparable.text}", values))
    return Sql(f"{left.comparable.text} {OPERATORS[op]} {right.comparable.text}", values)


def _family(column: Column) -> str:
    if column.type in TEXT:
        return "text"
    if column.type in NUMBERS or column.type in WHOLE:
        return "number"
    return "guid" if column.type in GUIDS else column.type


def _text_match(held: Operand, function: str, pattern: str) -> Sql:
    if held.column.type not in TEXT:
        raise bad_request(f"The function '{function}' needs a text column; '{held.column.wire_name}' is none.")
    return text_match(held.comparable, function, pattern)


def text_match(comparable: Sql, function: str, pattern: str) -> Sql:
    """`contains`, `startswith`, `endswith` on folded text; `%`, `_`, `[…]` in the pattern are wildcards."""
    folded, text = fold(pattern), comparable.text
    if any(char in folded for char in "%_["):
        glob = like_glob(folded)
        before = "" if function == "startswith" else "*"
        after = "" if function == "endswith" else "*"
        return Sql(f"{text} GLOB ?", (*comparable.values, f"{before}{glob}{after}"))
    if not folded:
        return Sql(f"{text} IS NOT NULL", comparable.values)
    if function == "contains":
        return Sql(f"instr({text}, ?) > 0", (*comparable.values, folded))
    if function == "startswith":
        upper = folded[:-1] + chr(min(ord(folded[-1]) + 1, 0x10FFFF))
        if 0xD800 <= ord(upper[-1]) <= 0xDFFF:
            upper = folded[:-1] + "\ue000"
        twice = comparable.values + comparable.values
        if ord(folded[-1]) == 0x10FFFF:
            return Sql(f"substr({text}, 1, ?) = ?", (*comparable.values, len(folded), folded))
        if len(comparable.values):
            return Sql(f"substr({text}, 1, ?) = ?", (*comparable.values, len(folded), folded))
        return Sql(f"({text} >= ? AND {text} < ?)", (*twice, folded, upper))
    return Sql(f"substr({text}, ?) = ?", (*comparable.values, -len(folded), folded))


def _lambda(scope: Scope, node: Lambda) -> Sql:
    parts = node.collection.parts
    owner = scope
    if len(parts) > 1 and parts[0] in scope.variables:
        owner, parts = scope.variables[parts[0]], parts[1:]
    if len(parts) != 1:
        raise not_implemented("A collection behind a lookup in any or all")
    collection = owner.table.collections.get(parts[0])
    if collection is None:
        raise unknown_property(parts[0], owner.table)
    target = scope.session.table(collection.table)
    alias = scope.fresh()
    source = related(owner, collection.name, target, alias)
    body = TRUE
    if node.body is not None:
        inner = Scope(scope.session, target, alias, dict(scope.variables), scope.counter)
        inner.variables[node.variable] = inner
        outer = replace(scope, variables={**scope.variables, node.variable: inner})
        body = condition(outer, node.body)
    if node.quantifier == "any":
        return Sql(f"EXISTS (SELECT 1 FROM {source} AND {body.text})", body.values)
    body = negate(body)
    return Sql(f"NOT EXISTS (SELECT 1 FROM {source} AND {body.text})", body.values)


def related(owner: Scope, name: str, target: Table, alias: str) -> str:
    """`table alias WHERE …`: the rows of a collection of the owner's row."""
    collection = owner.table.collections[name]
    key = f"{owner.alias}.{quote(owner.table.primary_id)}"
    if collection.intersect:
        middle = owner.fresh()
        return (
            f"{quote(target.logical_name)} {alias} WHERE EXISTS (SELECT 1 FROM {quote(collection.intersect)} {middle} "
            f"WHERE {middle}.{quote(collection.near)} = {key} "
            f"AND {middle}.{quote(collection.far)} = {alias}.{quote(target.primary_id)})"
        )
    column = target.columns.get(collection.column)
    if column is None:
        raise unknown_property(name, owner.table)
    text = f"{quote(target.logical_name)} {alias} WHERE {alias}.{quote(column.name)} = {key}"
    if column.polymorphic:
        text += f" AND {alias}.{quote(column.name + '__t')} = '{owner.table.logical_name}'"
    return text


def _query_function(scope: Scope, node: QueryFunction) -> Sql:
    *way, last = node.path.parts
    # Functions take a lookup by its logical name (`ownerid`); `_ownerid_value` is understood, too.
    column = scope.table.columns.get(last) if not way else None
    path = Path((column.wire_name,)) if column else node.path
    return function_condition(scope.session, operand(scope, path), node.name, node.values)
