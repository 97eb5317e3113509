"""The example company's orders and invoices add up."""

from collections.abc import AsyncIterator

import pytest

from .documents import Documents, serving


@pytest.fixture(scope="module")
async def api() -> AsyncIterator[Documents]:
    async with serving(seed="contoso") as found:
        yield found


@pytest.mark.parametrize(("entity_set", "lines"), [("salesorders", "order_details"), ("invoices", "invoice_details")])
async def test_totals_follow_the_lines(api: Documents, entity_set: str, lines: str) -> None:
    rows = await api.rows(
        f"{entity_set}?$select=name,totallineitemamount,totaltax,totalamount,discountpercentage,discountamount,"
        f"freightamount&$expand={lines}($select=quantity,priceperunit,manualdiscountamount,tax,baseamount,extendedamount)"
    )
    for row in rows:
        items = row[lines]
        assert items, row["name"]
        for item in items:
            base = item["quantity"] * item["priceperunit"]
            assert item["baseamount"] == pytest.approx(base, abs=0.01)
            extended = base - (item["manualdiscountamount"] or 0) + (item["tax"] or 0)
            assert item["extendedamount"] == pytest.approx(extended, abs=0.01)
        net = sum(item["extendedamount"] - (item["tax"] or 0) for item in items)
        tax = sum(item["tax"] or 0 for item in items)
        discount = net * (row["discountpercentage"] or 0) / 100 + (row["discountamount"] or 0)
        assert row["totallineitemamount"] == pytest.approx(net, abs=0.01)
        assert row["totaltax"] == pytest.approx(tax, abs=0.01)
        total = net - discount + (row["freightamount"] or 0) + tax
        assert row["totalamount"] == pytest.approx(total, abs=0.01), row["name"]
