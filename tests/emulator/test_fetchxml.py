"""FetchXML and `$apply` over HTTP: links, filters on related rows, orders, aggregates.

Expectations follow learn.microsoft.com/power-apps/developer/data-platform (fetchxml/…, webapi/query/aggregate-data).
"""

from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

import pytest

from .api import Api

ACCOUNT = "<fetch><entity name='account'>"
CONTACT = "<link-entity name='contact' from='contactid' to='primarycontactid'"
COUNT = "<entity name='account'><attribute name='accountid' aggregate='count' alias='n'/></entity>"
FORMATTED = "OData.Community.Display.V1.FormattedValue"
ANNOTATED = {"Prefer": 'odata.include-annotations="*"'}


async def names(dataverse: Api, inside: str, attributes: str = "") -> list[Any]:
    """The names of the accounts that a FetchXML query finds; `inside`: what stands in its <entity>."""
    xml = f"<fetch{attributes}><entity name='account'><attribute name='name'/>{inside}</entity></fetch>"
    answer = await dataverse.get(f"accounts?fetchXml={quote(xml)}")
    assert answer.status == 200, answer.text
    return [row["name"] for row in answer.value]


async def test_filters_on_related_rows(firms: Api) -> None:
    await firms.create("accounts", {"name": "Alone"})
    lee = f"{CONTACT} link-type='%s'><filter><condition attribute='lastname' operator='eq' value='Lee 1'/></filter>"
    inside = "<order attribute='name'/><filter type='or'><condition attribute='revenue' operator='eq' value='0'/>%s"
    found = await names(firms, inside % (lee % "any") + "</link-entity></filter>")
    assert found == ["Firm 0", "Firm 1", "Firm 3", "Firm 5"]
    others = await names(firms, "<order attribute='name'/><filter>" + lee % "not any" + "</link-entity></filter>")
    assert others == [None, "Alone", "Firm 0", "Firm 2", "Firm 4"]
    tasks = "<link-entity name='task' from='regardingobjectid' to='accountid' link-type='%s'/>"
    for kind in ("exists", "in"):
        assert len(await names(firms, tasks % kind)) == 7
    assert len(await names(firms, tasks % "inner")) == 14


async def test_a_filter_names_a_link_that_stands_after_it(firms: Api) -> None:
    await firms.create("accounts", {"name": "Alone", "fax": "alone"})
    link = f"{CONTACT} link-type='outer' alias='c'/>"
    by_alias = "<filter><condition entityname='c' attribute='lastname' operator='null'/></filter>"
    assert await names(firms, by_alias + link) == ["Alone"]
    await firms.create("accounts", {"name": "Bo", "primarycontactid": {"lastname": "Bo"}})
    same = "<filter><condition attribute='name' operator='eq' valueof='c.fullname'/></filter>"
    assert await names(firms, same + link) == ["Bo"]
    inside = (
        f"{CONTACT} link-type='outer' alias='c'><filter><condition entityname='c' attribute='lastname' operator='%s'"
    )
    assert await names(firms, inside % "null" + "/></filter></link-entity>") == ["Alone"]


async def test_orders_of_links_come_last_unless_they_are_named(firms: Api) -> None:
    linked = f"{CONTACT} alias='c'><order attribute='lastname' descending='true'/></link-entity>"
    own = "<order attribute='industrycode'/>"
    alphabet = [None, "Firm 3", "Firm 0", "Firm 1", "Firm 4", "Firm 5", "Firm 2"]
    assert sorted(await names(firms, linked + own), key=str) == sorted(alphabet, key=str)
    first = (await names(firms, linked + own))[:3]
    assert first[0] == "Firm 3"
    assert set(first[1:]) == {None, "Firm 0"}
    named = (
        f"<order entityname='c' attribute='lastname' descending='true'/><order attribute='name'/>{CONTACT} alias='c'/>"
    )
    assert (await names(firms, named))[:3] == ["Firm 1", "Firm 3", "Firm 5"]


async def test_choices_sort_by_label_and_lookups_by_name(dataverse: Api) -> None:
    for name, code, person in (("A", 33, "Zoe"), ("B", 1, "Mia"), ("C", 12, "Ada")):
        await dataverse.create(
            "accounts", {"name": name, "industrycode": code, "primarycontactid": {"lastname": person}}
        )
    await dataverse.create("accounts", {"name": "D"})
    assert await names(dataverse, "<order attribute='industrycode'/>") == ["D", "B", "C", "A"]
    await dataverse.create("accounts", {"name": "E", "industrycode": 2})
    by_number = await names(dataverse, "<order attribute='industrycode' descending='true'/>", " useraworderby='true'")
    assert by_number == ["A", "C", "E", "B", "D"]
    assert (await names(dataverse, "<order attribute='primarycontactid' descending='true'/>"))[:3] == ["A", "B", "C"]
    page = await dataverse.get("accounts?$select=name&$orderby=_primarycontactid_value%20desc,name",
                               headers={"Prefer": "odata.maxpagesize=2"})  # fmt: skip
    following = await dataverse.get(page.body["@odata.nextLink"], headers={"Prefer": "odata.maxpagesize=9"})
    assert [row["name"] for row in (*page.value, *following.value)] == ["A", "B", "C", "D", "E"]


async def test_apply(firms: Api) -> None:
    grouped = "filter(revenue gt 0)/groupby((industrycode),aggregate(revenue with sum as total,$count as n))"
    answer = await firms.get("accounts", apply=grouped, orderby="industrycode desc")
    assert [list(row.values()) for row in answer.value] == [[3, 70, 2], [2, 50, 2], [1, 90, 2]]
    whole = "aggregate(revenue with average as a,revenue with max as m,industrycode with countdistinct as d)"
    assert [list(row.values()) for row in (await firms.get("accounts", apply=whole)).value] == [[30, 60, 3]]


async def test_apply_over_a_related_row_and_without_values(firms: Api) -> None:
    await firms.create("accounts", {"name": "Alone"})
    related = "groupby((primarycontactid/lastname),aggregate(revenue with sum as total,$count as n))"
    answer = await firms.get("accounts", apply=related, headers=ANNOTATED)
    assert answer.status == 200, answer.text
    shown = [(row.get("contact_lastname"), row["total"], row[f"n@{FORMATTED}"]) for row in answer.value]
    assert shown == [(None, 0, "1"), ("Lee 0", 120, "4"), ("Lee 1", 90, "3")]
    assert "contact_lastname" not in answer.value[0]
    by_total = await firms.get("accounts", apply=related, orderby="total desc")
    assert (by_total.status, by_total.message) == (400, "The query node SingleValueOpenPropertyAccess is not supported")
    assert (await firms.get("accounts", apply="groupby((createdon))")).status == 400
    for limit, status in ((8, 200), (7, 400)):
        xml = f"<fetch aggregate='true' aggregatelimit='{limit}'>{COUNT}</fetch>"
        assert (await firms.get(f"accounts?fetchXml={quote(xml)}")).status == status


async def test_fetchxml(firms: Api) -> None:
    async def run(xml: str) -> dict[str, Any]:
        answer = await firms.get(f"accounts?fetchXml={quote(xml)}", headers={"Prefer": 'odata.include-annotations="*"'})
        assert answer.status == 200, answer.text
        body: dict[str, Any] = answer.body
        return body

    joined = await run(
        "<fetch><entity name='account'><attribute name='name'/><order attribute='name'/><filter type='or'>"
        "<condition attribute='name' operator='like' value='%2'/><condition attribute='revenue' operator='in'>"
        "<value>30</value></condition></filter>"
        "<link-entity name='contact' from='contactid' to='primarycontactid' alias='c'>"
        "<attribute name='lastname'/></link-entity></entity></fetch>"
    )
    assert [(row["name"], row["c.lastname"]) for row in joined["value"]] == [("Firm 2", "Lee 0"), ("Firm 3", "Lee 1")]
    outer = await run(
        "<fetch><entity name='account'><attribute name='name'/><filter>"
        "<condition attribute='revenue' operator='eq' value='0'/></filter>"
        "<link-entity name='account' from='parentaccountid' to='accountid' alias='p' link-type='outer'>"
        "<attribute name='name'/></link-entity></entity></fetch>"
    )
    assert [(row["name"], "p.name" in row) for row in outer["value"]] == [("Firm 0", False)]
    sums = await run(
        "<fetch aggregate='true'><entity name='account'><attribute name='revenue' aggregate='sum' alias='total'/>"
        "<attribute name='industrycode' groupby='true' alias='industry'/><order alias='industry'/></entity></fetch>"
    )
    assert [(row["industry"], row["total"]) for row in sums["value"]] == [(1, 90), (2, 50), (3, 70)]
    assert sums["value"][0][f"industry@{FORMATTED}"] == "Accounting"


async def test_fetchxml_pages_by_its_cookie(firms: Api) -> None:
    names: list[str] = []
    cookie, page = "", 1
    while page:
        attributes = f" paging-cookie='{cookie}'" if cookie else ""
        xml = (
            f"<fetch count='3' page='{page}'{attributes}><entity name='account'><attribute name='name'/>"
            "<order attribute='name' descending='true'/></entity></fetch>"
        )
        body = (await firms.get(f"accounts?fetchXml={quote(xml)}")).body
        names += [row["name"] for row in body["value"]]
        page = 0
        if body.get("@Microsoft.Dynamics.CRM.morerecords"):
            outer = ET.fromstring(body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])
            page = int(outer.attrib["pagenumber"])
            inner = unquote(unquote(outer.attrib["pagingcookie"]))
            cookie = inner.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;").replace('"', "&quot;")
    assert names == ["Firm 5", "Firm 4", "Firm 3", "Firm 2", "Firm 1", "Firm 0", None]


@pytest.mark.parametrize(
    ("xml", "status"),
    [
        ("<fetch>", 400),
        ("<!DOCTYPE x [<!ENTITY e 'x'>]><fetch><entity name='account'/></fetch>", 400),
        ("<fetch><entity name='contact'/></fetch>", 400),
        ("<fetch bad='1'><entity name='account'/></fetch>", 400),
        ("<fetch><entity name='account'><attribute name='nam'/></entity></fetch>", 400),
        (f"{ACCOUNT}<filter><condition attribute='name' operator='under' value='x'/></filter></entity></fetch>", 501),
        (f"{ACCOUNT}{CONTACT} link-type='any'/></entity></fetch>", 400),
        (f"{ACCOUNT}{CONTACT} link-type='matchfirstrowusingcrossapply'/></entity></fetch>", 501),
        (f"{ACCOUNT}<filter>{CONTACT} link-type='not all'/></filter></entity></fetch>", 501),
        (f"{ACCOUNT}{CONTACT} link-type='exists'><attribute name='fullname'/></link-entity></entity></fetch>", 400),
        (f"{ACCOUNT}<order entityname='c' attribute='name'/></entity></fetch>", 400),
        (f"{ACCOUNT}<attribute name='accountid' alias='n' rowaggregate='CountChildren'/></entity></fetch>", 501),
        (f"{ACCOUNT}<attribute name='name' colour='red'/></entity></fetch>", 400),
        ("<fetch datasource='retained'><entity name='account'/></fetch>", 501),
    ],
)  # fmt: skip
async def test_fetchxml_that_is_refused(unwritten: Api, xml: str, status: int) -> None:
    answer = await unwritten.get(f"accounts?fetchXml={quote(xml)}")
    assert answer.status == status, answer.text
