"""`GET set?sql=SELECT …`: the read-only SQL that Microsoft's Python SDK documents.

SELECT [DISTINCT] [TOP n] columns and aggregates, INNER and LEFT JOIN, WHERE, GROUP BY, ORDER BY, OFFSET … FETCH.
Everything else
is refused by name. Parsed by sqlglot; nothing of the text reaches SQLite.
"""

from typing import Any

import sqlglot
from sqlglot import exp

from .catalog import Table
from .errors import DataverseError, bad_request, not_implemented
from .fetching import MAX_PAGE, next_link
from .joined import Output, Statement, aggregate_output, column_output, logical_column, render, start
from .odata_tree import Literal
from .operands import Operand, Scope, Sql, any_of, comparable_value, compare_value, join, literal_of, negate
from .session import Session
from .text import fold, like_glob
from .wire import Request, Response, json_response

INVALID_SQL = "0x80040265"
_OPERATORS: dict[type[exp.Expression], str] = {
    exp.EQ: "eq", exp.NEQ: "ne", exp.GT: "gt", exp.GTE: "ge", exp.LT: "lt", exp.LTE: "le",
}  # fmt: skip
_SIGNS = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_MIRROR = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_AGGREGATES: dict[type[exp.Expression], str] = {
    exp.Count: "countcolumn", exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max",
}  # fmt: skip
_CLAUSES = {"kind", "expressions", "from_", "from", "joins", "where", "group", "order", "limit", "offset", "distinct"}
_MAX_LENGTH = 32_768


def invalid(detail: str) -> DataverseError:
    return bad_request(f"SQL query is not valid: {detail}", INVALID_SQL)


def run_sql(session: Session, table: Table, request: Request) -> Response:
    """Answer a SQL query.

    Raises: DataverseError 400, 501.
    """
    unknown = [name for name in request.query if name not in {"sql", "$skiptoken"}]
    if unknown:
        raise bad_request(f"The query parameter {unknown[0]} cannot be combined with sql.")
    select = _parse(request.query["sql"])
    statement = _from(session, table, select)
    _joins(statement, select)
    if select.args.get("where"):
        statement.where.append(_condition(statement, select.args["where"].this))
    statement.distinct = select.args.get("distinct") is not None
    _outputs(statement, select)
    _group_and_order(statement, select)
    return _page(session, table, request, statement, select)


def _parse(text: str) -> exp.Select:
    if len(text) > _MAX_LENGTH:
        raise invalid(f"it is longer than {_MAX_LENGTH} characters.")
    try:
        found = sqlglot.parse(text, read="tsql")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise invalid(str(error).split("\n", 1)[0][:200]) from None
    if len(found) != 1 or not isinstance(found[0], exp.Select):
        raise invalid("one SELECT statement was expected.")
    select = found[0]
    used = {name for name, value in select.args.items() if value}
    if extra := used - _CLAUSES:
        raise not_implemented(f"The clause '{min(extra)}' in SQL")
    return select


def _from(session: Session, table: Table, select: exp.Select) -> Statement:
    source = select.args.get("from_") or select.args.get("from")
    if source is None or not isinstance(source.this, exp.Table):
        raise invalid("FROM must name one table.")
    if source.this.name.lower() != table.logical_name:
        raise invalid(f"FROM names '{source.this.name}', the entity set is '{table.entity_set}'.")
    return start(session, table, source.this.alias or table.logical_name)


def _joins(statement: Statement, select: exp.Select) -> None:
    for item in select.args.get("joins") or ():
        side, kind = (item.side or "").upper(), (item.kind or "").upper()
        if side not in {"", "LEFT"} or kind not in {"", "INNER", "OUTER"} or not isinstance(item.this, exp.Table):
            raise not_implemented(f"The join '{f'{side} {kind}'.strip() or 'without ON'}' in SQL")
        on = item.args.get("on")
        if on is None:
            raise invalid("each JOIN needs ON.")
        table = statement.session.table(item.this.name.lower())
        scope = statement.new_scope(table, item.this.alias or table.logical_name)
        statement.add_join(scope, [_condition(statement, on)], outer=side == "LEFT")


def _column(statement: Statement, node: exp.Column) -> tuple[Scope, Operand]:
    qualifier = node.table.lower()
    if qualifier:
        scope = statement.scopes.get(qualifier)
        if scope is None:
            raise invalid(f"'{node.table}' is no table of this query.")
        return scope, logical_column(scope, node.name)
    holding = [scope for scope in statement.scopes.values() if node.name.lower() in scope.table.columns]
    if len(holding) > 1:
        raise invalid(f"the column '{node.name}' is ambiguous; write it with its table.")
    scope = holding[0] if holding else statement.root
    return scope, logical_column(scope, node.name)


def _outputs(statement: Statement, select: exp.Select) -> None:
    taken: set[str] = set()
    for item in select.expressions:
        node = item.this if isinstance(item, exp.Alias) else item
        if isinstance(node, exp.Star):
            raise invalid("SELECT * is not supported; name the columns.")
        output = _output(statement, node, item.alias if isinstance(item, exp.Alias) else "")
        if output.name in taken:
            raise invalid(f"the column name '{output.name}' is used twice; give one an alias.")
        taken.add(output.name)
        statement.outputs.append(output)


def _output(statement: Statement, node: exp.Expression, alias: str) -> Output:
    if isinstance(node, exp.Column):
        scope, held = _column(statement, node)
        return column_output(scope, held, alias or held.column.name)
    function = _AGGREGATES.get(type(node))
    if function is None:
        raise not_implemented(f"'{node.sql(dialect='tsql')[:100]}' in SELECT")
    inner = node.this
    if isinstance(node, exp.Count) and isinstance(inner, exp.Star):
        return aggregate_output(None, "count", alias or "count")
    if isinstance(inner, exp.Distinct):
        if function != "countcolumn" or len(inner.expressions) != 1:
            raise not_implemented("DISTINCT in this aggregate")
        function, inner = "countdistinct", inner.expressions[0]
    if not isinstance(inner, exp.Column):
        raise not_implemented(f"'{node.sql(dialect='tsql')[:100]}' in SELECT")
    _, held = _column(statement, inner)
    return aggregate_output(held, function, alias or f"{node.key}_{held.column.name}")


def _group_and_order(statement: Statement, select: exp.Select) -> None:
    group = select.args.get("group")
    for node in group.expressions if group else ():
        if not isinstance(node, exp.Column):
            raise not_implemented("An expression in GROUP BY")
        statement.group.append(_column(statement, node)[1].comparable)
    order = select.args.get("order")
    for item in order.expressions if order else ():
        node = item.this
        output = next((o for o in statement.outputs if isinstance(node, exp.Column) and o.name == node.name), None)
        if output is not None and output.column is None:
            key = output.sql
        elif isinstance(node, exp.Column):
            key = (
                output.sql if output and not node.table and statement.group else _column(statement, node)[1].comparable
            )
        else:
            key = _output(statement, node, "").sql
        statement.order.append(Sql(f"{key.text}{' DESC' if item.args.get('desc') else ''}", key.values))


def _condition(statement: Statement, node: Any, depth: int = 0) -> Sql:
    if depth > 60:
        raise invalid("conditions are nested too deeply.")

    def inner(child: Any) -> Sql:
        return _condition(statement, child, depth + 1)

    if isinstance(node, exp.Paren):
        return inner(node.this)
    if isinstance(node, exp.And | exp.Or):
        word = "AND" if isinstance(node, exp.And) else "OR"
        return join(word, [inner(child) for child in node.flatten(unnest=False)])
    if isinstance(node, exp.Not):
        return _negated(inner(node.this), node.this)
    return _predicate(statement, node)


def _negated(found: Sql, node: Any) -> Sql:
    if isinstance(node, exp.Is):
        return Sql(found.text.replace("IS NULL", "IS NOT NULL"), found.values)
    return negate(found)


def _predicate(statement: Statement, node: Any) -> Sql:
    if type(node) in _OPERATORS:
        return _compare(statement, node, _OPERATORS[type(node)])
    if not isinstance(node, exp.Is | exp.Like | exp.In | exp.Between) or not isinstance(node.this, exp.Column):
        raise not_implemented(f"'{node.sql(dialect='tsql')[:100]}' in a condition")
    _, held = _column(statement, node.this)
    if isinstance(node, exp.Is):
        if not isinstance(node.expression, exp.Null):
            raise invalid("IS takes NULL or NOT NULL.")
        return compare_value(held, "eq", Literal(None, "null"))
    if isinstance(node, exp.Like):
        if held.column.type not in {"string", "memo"}:
            raise invalid(f"LIKE needs a text column; '{held.column.name}' is none.")
        pattern = like_glob(fold(str(_literal(node.expression))))
        return Sql(f"{held.comparable.text} GLOB ?", (pattern,))
    if isinstance(node, exp.In):
        if node.args.get("query") or not node.expressions:
            raise not_implemented("A subquery in SQL")
        values = [comparable_value(held.column, literal_of(held.column, _literal(e))) for e in node.expressions]
        return any_of(held, values)
    low, high = (
        comparable_value(held.column, literal_of(held.column, _literal(node.args[end]))) for end in ("low", "high")
    )
    return Sql(f"{held.comparable.text} BETWEEN ? AND ?", (low, high))


def _compare(statement: Statement, node: Any, op: str) -> Sql:
    left, right = node.this, node.expression
    if not isinstance(left, exp.Column):
        left, right, op = right, left, _MIRROR[op]
    if not isinstance(left, exp.Column):
        raise not_implemented("A comparison without a column in SQL")
    _, held = _column(statement, left)
    if isinstance(right, exp.Column):
        _, other = _column(statement, right)
        if op == "ne":
            return negate(Sql(f"{held.comparable.text} = {other.comparable.text}"))
        return Sql(f"{held.comparable.text} {_SIGNS[op]} {other.comparable.text}")
    return compare_value(held, op, literal_of(held.column, _literal(right)))


def _literal(node: Any) -> Any:
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        return -_literal(node.this)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.National):
        return str(node.this)
    if not isinstance(node, exp.Literal):
        raise not_implemented(f"'{node.sql(dialect='tsql')[:100]}' as a value in SQL")
    if node.is_string:
        return str(node.this)
    try:
        return int(node.this) if str(node.this).isdigit() else float(node.this)
    except ValueError:
        raise invalid(f"'{node.this}' is no number.") from None


def _number(node: Any, name: str, high: int) -> int | None:
    if node is None:
        return None
    value = node.args.get("count") if isinstance(node, exp.Fetch) else node.expression
    if not isinstance(value, exp.Literal) or not str(value.this).isdigit() or int(str(value.this)[:9]) > high:
        raise invalid(f"{name} must be a number from 0 to {high}.")
    return int(value.this)


def _page(session: Session, table: Table, request: Request, statement: Statement, select: exp.Select) -> Response:
    limit = _number(select.args.get("limit"), "TOP", MAX_PAGE)
    offset = _number(select.args.get("offset"), "OFFSET", 10**9) or 0
    token = request.query.get("$skiptoken", "0")
    if not token.isascii() or not token.isdigit() or len(token) > 9:
        raise DataverseError(400, "0x8004112a", "Paging cookie is invalid: follow @odata.nextLink as it was given.")
    skipped = int(token)
    size = MAX_PAGE if limit is None else limit
    rows = statement.run(size + 1, offset + skipped)
    document: dict[str, Any] = {
        "@odata.context": session.context(table.entity_set),
        "value": render(statement, rows[:size], request.prefer),
    }
    if len(rows) > size and limit is None:
        document["@odata.nextLink"] = next_link(session, table.entity_set, request, str(skipped + size))
    return json_response(document, annotations=request.prefer.annotations)
