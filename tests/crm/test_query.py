"""Queries: what they say on the wire, and that no text gets out of its quotes."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.query import Condition, Expand, Literal, Query, all_of, any_of, col, literal, lookup
from crm.records import Ref

ID = UUID("00000000-0000-0000-0000-00000000000a")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (Decimal("1E+3"), "1000"),
        (0.1, "0.1"),
        ("O'Neil", "'O''Neil'"),
        (ID, str(ID)),
        (Ref("lead", ID), str(ID)),
        (date(2026, 6, 30), "2026-06-30"),
        (datetime(2026, 6, 30, 12, tzinfo=UTC), "2026-06-30T12:00:00Z"),
        (datetime(2026, 6, 30, 12, tzinfo=timezone(timedelta(hours=2))), "2026-06-30T10:00:00Z"),
        (datetime(2026, 6, 30, 12), "2026-06-30T12:00:00Z"),  # noqa: DTZ001  a naive moment is the point
    ],
)
def test_a_literal_is_written_as_dataverse_reads_it(value: Literal, text: str) -> None:
    assert literal(value) == text


def test_a_whole_query() -> None:
    query = (
        Query("lead")
        .select("subject", "ownerid", "subject")
        .where(col("companyname").contains("acme") & (col("createdon") > date(2026, 1, 1)))
        .where((col("a") == 1) | (col("b") != None))  # noqa: E711  the operator is overloaded
        .order("createdon", desc=True)
        .order("subject")
        .expand(
            Expand("parentaccountid", ("name",)), Expand("Lead_Tasks", ("subject",), order=("createdon desc",), top=3)
        )
        .top(20)
        .count()
    )
    assert dict(parse_qsl(query.odata({"ownerid"}))) == {
        "$select": "subject,_ownerid_value",
        "$filter": "contains(companyname,'acme') and createdon gt 2026-01-01 and (a eq 1 or b ne null)",
        "$orderby": "createdon desc,subject",
        "$expand": "parentaccountid($select=name),Lead_Tasks($select=subject;$orderby=createdon desc;$top=3)",
        "$top": "20",
        "$count": "true",
    }


@pytest.mark.parametrize(
    ("condition", "odata"),
    [
        (col("ownerid") == Ref("systemuser", ID), f"_ownerid_value eq {ID}"),
        (lookup("parentaccountid") == None, "_parentaccountid_value eq null"),  # noqa: E711  overloaded
        (col("primarycontactid/fullname").startswith("A"), "startswith(primarycontactid/fullname,'A')"),
        (~(col("a") == 1), "not (a eq 1)"),
        (((col("a") == 1) | (col("b") == 2)) & (col("c") == 3), "(a eq 1 or b eq 2) and c eq 3"),
        ((col("a") == 1) | (col("b") == 2) & (col("c") == 3), "a eq 1 or b eq 2 and c eq 3"),
        (
            col("a").is_in([1, "x'y\"z"]),
            'Microsoft.Dynamics.CRM.In(PropertyName=\'a\',PropertyValues=["1","x\'y\\"z"])',
        ),
        (
            col("createdon").function("LastXDays", 7),
            "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=7)",
        ),
        (col("ownerid").function("EqualUserId"), "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')"),
        (col("name").contains("100%_[a]"), "contains(name,'100[%][_][[]a]')"),
        (all_of([col("a") == 1, any_of([col("b") == 2, col("c") == 3])]), "a eq 1 and (b eq 2 or c eq 3)"),
    ],
)
def test_conditions(condition: Condition, odata: str) -> None:
    assert condition.odata == odata


@given(st.text())
def test_no_text_gets_out_of_its_quotes(text: str) -> None:
    condition = (col("name") == text) & col("name").contains(text)
    # Take away every quoted string, as an OData parser does: what is left is ours alone.
    assert re.sub(r"'(?:[^']|'')*'", "''", condition.odata) == "name eq '' and contains(name,'')"


@given(st.text())
def test_only_a_name_can_be_a_column(text: str) -> None:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*", text):
        return
    for attempt in (col, lookup, Query("lead").select, Query("lead").order):
        with pytest.raises(ValueError, match="not the name"):
            attempt(text)


def test_raw_text_narrows_and_never_widens() -> None:
    query = Query("lead").where(col("statecode") == 0).raw(filter="a eq 1 or b eq 2", orderby="a desc", select="a,b")
    assert dict(parse_qsl(query.odata())) == {
        "$select": "a,b",
        "$filter": "statecode eq 0 and (a eq 1 or b eq 2)",
        "$orderby": "a desc",
    }


def test_a_condition_is_no_truth_value() -> None:
    with pytest.raises(TypeError, match="Combine conditions"):
        assert col("a") == 1 and col("b") == 2  # noqa: PT018  the mistake itself
