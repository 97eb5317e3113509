"""Orders, invoices and opportunities follow their lines; a line's price comes from the price list.

Source: Microsoft's description of sales calculations (detail total = price x quantity - discounts + tax; total =
lines - discount + freight + tax).
"""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from dataclasses import dataclass
from typing import Any, Final

from . import write
from .catalog import Table
from .errors import DataverseError
from .registry import Registry
from .session import Change, Row, Session
from .sqlite_tables import quote

PRICING_LOCKED = "0x80043b15"


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one kind of document."""

    table: str
    document: str
    parent: str
    """The line's lookup to its document."""


LINES: Final = (
    Lines("salesorderdetail", "salesorder", "salesorderid"),
    Lines("invoicedetail", "invoice", "invoiceid"),
    Lines("opportunityproduct", "opportunity", "opportunityid"),
)
_CHANGES_TOTAL: Final = frozenset(
    {"discountamount", "discountpercentage", "freightamount", "isrevenuesystemcalculated"}
)


def register(registry: Registry) -> None:
    for lines in LINES:
        registry.rule_before(lines.table, _price_line)
        registry.rule_after(lines.table, _follow(lines))
        registry.rule_before(lines.document, _document(lines))


def _number(row: Row, name: str) -> float:
    return float(row.get(name) or 0)


def _price_line(session: Session, table: Table, values: Row, before: Row | None) -> None:
    """Take the price from the document's price list unless it was overridden; work out the line."""
    lines = next(entry for entry in LINES if entry.table == table.logical_name)
    line = {**(before or {}), **values}
    document = write.fetch_row(session, session.table(lines.document), str(line.get(lines.parent)))
    if document and document.get("ispricelocked") and before is None:
        raise DataverseError(400, PRICING_LOCKED, f"The {lines.document} is locked; its lines cannot be changed.")
    overridden = line.get("ispriceoverridden") or line.get("isproductoverridden") or "priceperunit" in values
    if line.get("productid") and not overridden and (before is None or "productid" in values):
        price = _listed(session, line, document or {})
        if price is not None:
            values["priceperunit"] = price
    line |= values
    base = _number(line, "priceperunit") * _number(line, "quantity")
    values["baseamount"] = base
    values["extendedamount"] = (
        base - _number(line, "manualdiscountamount") - _number(line, "volumediscountamount") + _number(line, "tax")
    )


def _listed(session: Session, line: Row, document: Row) -> float | None:
    found = session.tx.execute(
        "SELECT amount FROM productpricelevel WHERE productid = ? AND pricelevelid = ? "
        "AND (uomid = ? OR ? IS NULL) LIMIT 1",
        (line["productid"], document.get("pricelevelid"), line.get("uomid"), line.get("uomid")),
    ).fetchone()
    return float(found[0]) if found and found[0] is not None else None


def _follow(lines: Lines) -> Any:
    def rule(session: Session, change: Change) -> None:
        parents = {row.get(lines.parent) for row in (change.before, change.after)} - {None}
        for parent in parents:
            before = write.fetch_row(session, session.table(lines.document), str(parent))
            if before is not None:
                recalculate(session, lines, before)

    return rule


def recalculate(session: Session, lines: Lines, before: Row) -> None:
    """Write a document's totals anew from its lines."""
    table = session.table(lines.document)
    totals = _totals(session, lines, before[table.primary_id], before)
    changed = {name: value for name, value in totals.items() if before.get(name) != value}
    if changed:
        write.modify(session, table, before, changed)


def _document(lines: Lines) -> Any:
    def rule(session: Session, table: Table, values: Row, before: Row | None) -> None:
        if before is None or _CHANGES_TOTAL & values.keys():
            key = (before or values)[table.primary_id]
            values.update(_totals(session, lines, key, {**(before or {}), **values}))

    return rule


def _totals(session: Session, lines: Lines, key: str, document: Row) -> Row:
    reduced = "coalesce(manualdiscountamount, 0) + coalesce(volumediscountamount, 0)"
    found = session.tx.execute(
        f"SELECT coalesce(sum(baseamount - ({reduced})), 0), coalesce(sum(tax), 0), coalesce(sum({reduced}), 0)"
        f" FROM {quote(lines.table)} WHERE {quote(lines.parent)} = ?",
        (key,),
    ).fetchone()
    amount, tax, line_discount = (float(value) for value in found)
    discount = _number(document, "discountamount") + amount * _number(document, "discountpercentage") / 100
    without_freight = amount - discount
    totals = {
        "totallineitemamount": amount,
        "totallineitemdiscountamount": line_discount,
        "totaldiscountamount": discount + line_discount,
        "totalamountlessfreight": without_freight,
        "totaltax": tax,
        "totalamount": without_freight + _number(document, "freightamount") + tax,
    }
    if lines.document == "opportunity" and document.get("isrevenuesystemcalculated"):
        totals["estimatedvalue"] = totals["totalamount"]
    return totals
