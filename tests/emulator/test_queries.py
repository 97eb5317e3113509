"""Lists over HTTP: options, expansions, pages, counts, and the other query languages."""

import json
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

import pytest

from .api import Api

ACCOUNT = "<fetch><entity name='account'>"


async def pages(dataverse: Api, path: str, size: int) -> list[list[dict[str, Any]]]:
    headers = {"Prefer": f"odata.maxpagesize={size}"}
    found = []
    link: str | None = path
    while link:
        answer = await dataverse.get(link, headers=headers)
        assert answer.status == 200, answer.text
        found.append(answer.value)
        link = answer.body.get("@odata.nextLink")
    return found


@pytest.mark.parametrize("order", ["", "name", "name desc", "industrycode,name desc", "revenue desc", "createdon desc",
                                   "primarycontactid/fullname,revenue", "description"])  # fmt: skip
async def test_pages_hold_every_row_once_and_in_order(firms: Api, order: str) -> None:
    path = "accounts?$select=name,revenue" + (f"&$orderby={quote(order)}" if order else "")
    whole = (await firms.get(path)).value
    assert len(whole) == 7
    for size in (1, 2, 3, 7):
        cut = await pages(firms, path, size)
        assert [row["accountid"] for page in cut for row in page] == [row["accountid"] for row in whole]
        assert [len(page) for page in cut[:-1]] == [size] * (len(cut) - 1)


async def test_pages_hold_while_rows_come_and_go(firms: Api) -> None:
    headers = {"Prefer": "odata.maxpagesize=3"}
    first = await firms.get("accounts?$select=name&$orderby=revenue", headers=headers)
    await firms("DELETE", f"accounts({first.value[-1]['accountid']})")
    await firms.create("accounts", {"name": "Early", "revenue": 1})
    second = await firms.get(first.body["@odata.nextLink"], headers=headers)
    assert [row["name"] for row in second.value] == ["Firm 3", "Firm 4", "Firm 5"]


async def test_the_next_link_has_dataverses_shape(firms: Api) -> None:
    answer = await firms.get("accounts", headers={"Prefer": "odata.maxpagesize=2"}, select="name", orderby="name")
    link = answer.body["@odata.nextLink"]
    assert link.startswith(firms.url("accounts?"))
    token = unquote(link.split("$skiptoken=")[1])
    outer = ET.fromstring(token)
    assert (outer.tag, outer.attrib["pagenumber"], outer.attrib["istracking"]) == ("cookie", "2", "False")
    inner = ET.fromstring(unquote(unquote(outer.attrib["pagingcookie"])))
    assert [child.tag for child in inner] == ["name", "accountid"]
    assert inner[1].attrib["last"] == "{" + answer.value[-1]["accountid"].upper() + "}"
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=2"


async def test_top_counts_and_caps(firms: Api) -> None:
    answer = await firms.get("accounts", top="2", count="true", filter="revenue ge 20")
    assert (len(answer.value), answer.body["@odata.count"]) == (2, 5)
    assert "@odata.nextLink" not in answer.body
    both = await firms.get("accounts", headers={"Prefer": "odata.maxpagesize=3"}, top="2")
    assert len(both.value) == 3, "$top is ignored beside a page size"
    assert (await firms.get("accounts/$count")).text.lstrip("\ufeff") == "7"
    assert (await firms.get("accounts/$count", filter="revenue lt 20")).text.lstrip("\ufeff") == "2"


async def test_counts_stop_at_five_thousand(dataverse: Api) -> None:
    record = {"@odata.type": "Microsoft.Dynamics.CRM.subject", "title": "x", "featuremask": 1}
    made = await dataverse("POST", "subjects/Microsoft.Dynamics.CRM.CreateMultiple", {"Targets": [record] * 5001})
    assert made.status == 200, made.text
    answer = await dataverse.get("subjects", headers={"Prefer": 'odata.include-annotations="*"'}, count="true", top="1")
    assert answer.body["@odata.count"] == 5000
    assert answer.body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is True
    page = await dataverse.get("subjects", select="subjectid")
    assert (len(page.value), "@odata.nextLink" in page.body) == (5000, True)
    total = (await dataverse.get("RetrieveTotalRecordCount(EntityNames=['subject'])")).body
    assert total["EntityRecordCountCollection"]["Values"] == [5001]


async def test_expansions(firms: Api) -> None:
    expand = (
        "primarycontactid($select=fullname;$expand=account_primary_contact($select=name)),"
        "Account_Tasks($select=subject;$filter=percentcomplete gt 10;$orderby=subject)"
    )
    (row,) = (await firms.get("accounts", select="name", filter="revenue eq 30", expand=expand)).value
    assert row["primarycontactid"]["fullname"] == "Ann Lee 1"
    assert [account["name"] for account in row["primarycontactid"]["account_primary_contact"]] == ["Firm 3"]
    assert [task["subject"] for task in row["Account_Tasks"]] == ["Call 1"]
    rest = await firms.get(row["Account_Tasks@odata.nextLink"])
    assert (rest.status, rest.value) == (200, [])
    (row,) = (await firms.get("accounts", filter="revenue eq 30", expand="primarycontactid/$ref,parentaccountid")).value
    assert row["primarycontactid"]["@odata.id"].startswith(firms.url("contacts("))
    assert row["parentaccountid"] is None


async def test_an_owner_expands_to_whom_it_is(firms: Api) -> None:
    (row,) = (await firms.get("accounts?$top=1&$select=name&$expand=owninguser($select=fullname)")).value
    assert row["owninguser"]["fullname"] == "System Administrator"


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        (
            "accounts?$select=nam",
            400,
            "Could not find a property named 'nam' on type 'Microsoft.Dynamics.CRM.account'.",
        ),
        ("accounts?$filter=nam eq 'x'", 400, "'nam'"),
        ("accounts?$filter=ownerid eq 6f2d1a3c-0000-4000-8000-000000000003", 400, "'ownerid'"),
        ("accounts?$filter=revenue eq '5'", 400, "incompatible types"),
        ("accounts?$filter=name eq 5", 400, "incompatible types"),
        ("accounts?$filter=name", 400, "is no condition"),
        ("accounts?$filter=name eq", 400, "Syntax error"),
        ("accounts?$filter=tolower(name) eq 'x'", 501, "tolower"),
        ("accounts?$filter=name in ('a','b')", 501, "'in'"),
        ("accounts?$filter=Microsoft.Dynamics.CRM.Under(PropertyName='name',PropertyValue='x')", 501, "Under"),
        ("accounts?$skip=5", 400, "$skip"),
        ("accounts?filter=name eq 'x'", 400, "filter"),
        ("accounts?$top=-1", 400, "$top"),
        ("accounts?$orderby=name up", 400, "$orderby"),
        ("accounts?$expand=Account_Tasks($skip=1)", 400, "$skip"),
        ("accounts?$expand=nothing", 400, "'nothing'"),
        ("accounts?$skiptoken=x", 400, "Paging cookie"),
        ("nothings", 404, "Resource not found for the segment 'nothings'."),
        ("accounts/QualifyLead", 404, "QualifyLead"),
        ("accounts(name='x')", 400, "alternate key"),
    ],
)
async def test_queries_that_are_refused(unwritten: Api, path: str, status: int, says: str) -> None:
    answer = await unwritten.get(quote(path, safe="?=&$()/,'"))
    assert answer.status == status, answer.text
    assert says in answer.message


async def test_queries_beyond_every_measure(unwritten: Api) -> None:
    nested = "not (" * 200 + "name eq 'x'" + ")" * 200
    path = "primarycontactid/" + "parentcustomerid_account/primarycontactid/" * 60 + "fullname eq 'x'"
    loops = "".join(
        f"contact_customer_accounts/any(c{n}:c{n}/account_primary_contact/any(a{n}:a{n}/" for n in range(40)
    )
    for text in (nested, path, loops + "name eq 'x'" + "))" * 40):
        answer = await unwritten.get("accounts", filter=text)
        assert answer.status == 400, answer.text
    for count in (15, 16):
        link = "<link-entity name='account' from='accountid' to='parentaccountid'/>"
        answer = await unwritten.get(f"accounts?fetchXml={quote(f'{ACCOUNT}{link * count}</entity></fetch>')}")
        assert answer.status == (200 if count == 15 else 400), answer.text


async def test_parameter_aliases_and_encodings(firms: Api) -> None:
    for path in (
        "accounts?$filter=name%20eq%20@p1&@p1='Firm%202'",
        "accounts?%24filter=name+eq+'Firm+2'",
        "accounts?$filter=name eq 'FIRM 2'".replace(" ", "%20"),
        "accounts?$filter=contains(name,%20'm%202')",
        "accounts?$filter=contains(name,'_irm%202')",
    ):
        assert [row["name"] for row in (await firms.get(path)).value] == ["Firm 2"], path


async def test_an_apostrophe_and_an_ampersand_are_data(dataverse: Api) -> None:
    await dataverse.create("accounts", {"name": "O'Brien & co"})
    assert await dataverse.names("accounts", filter="name eq 'O''Brien & co'") == ["O'Brien & co"]


async def test_dates_are_asked_for_by_function(dataverse: Api) -> None:
    await dataverse.create("tasks", {"subject": "old", "scheduledend": "2020-01-01T00:00:00Z"})
    now = (await dataverse("POST", "tasks", {"subject": "x"}, headers={"Prefer": "return=representation"})).body
    await dataverse.create("tasks", {"subject": "now", "scheduledend": now["createdon"]})

    async def found(function: str) -> list[str]:
        return sorted(await dataverse.names("tasks", "subject", filter=f"Microsoft.Dynamics.CRM.{function}"))

    end = "PropertyName='scheduledend'"
    assert await found(f"Today({end})") == ["now"]
    assert await found(f"ThisYear({end})") == ["now"]
    assert await found(f"LastXDays({end},PropertyValue=3)") == ["now"]
    assert await found(f"OlderThanXYears({end},PropertyValue=1)") == ["old"]
    assert await found(f"On({end},PropertyValue='2020-01-01')") == ["old"]
    assert await found(f"OnOrAfter({end},PropertyValue='2020-01-02')") == ["now"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT TOP 2 name FROM account WHERE name LIKE 'firm%' AND revenue >= 20 ORDER BY name DESC",
         [["Firm 5"], ["Firm 4"]]),
        ("SELECT industrycode, COUNT(*) AS n, SUM(revenue) AS t FROM account GROUP BY industrycode ORDER BY t DESC",
         [[1, 3, 90], [3, 2, 70], [2, 2, 50]]),
        ("""SELECT c.lastname, COUNT(a.accountid) AS n FROM account a JOIN contact c ON a.primarycontactid = c.contactid
            GROUP BY c.lastname ORDER BY c.lastname""", [["Lee 0", 4], ["Lee 1", 3]]),
        ("""SELECT a.name, p.name AS parent FROM account a LEFT JOIN account p ON p.accountid = a.parentaccountid
            WHERE a.revenue IN (10, 20) OR a.name IS NULL ORDER BY a.revenue""",
         [["Firm 1", None], ["Firm 2", None], [None, None]]),
        ("SELECT name FROM account WHERE NOT (revenue > 0) OR (name = 'FIRM 4' AND name IS NOT NULL) ORDER BY name",
         [["Firm 0"], ["Firm 4"]]),
        ("SELECT DISTINCT industrycode FROM account WHERE industrycode NOT IN (2) ORDER BY industrycode", [[1], [3]]),
        ("SELECT name FROM account WHERE revenue BETWEEN 20 AND 40 ORDER BY name OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
         [["Firm 3"]]),
    ],
)  # fmt: skip
async def test_sql(firms: Api, sql: str, expected: list[list[Any]]) -> None:
    answer = await firms.get(f"accounts?sql={quote(sql)}")
    assert answer.status == 200, answer.text
    assert [list(row.values()) for row in answer.value] == expected


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM account", "SELECT * FROM account", "SELECT name FROM account; DROP TABLE account", "",
     "SELECT name FROM contact", "SELECT name FROM account WHERE name IN (SELECT fullname FROM contact)",
     "SELECT upper(name) FROM account",
     "SELECT name FROM account CROSS JOIN contact", "WITH x AS (SELECT name FROM account) SELECT name FROM account",
     "SELECT name FROM account UNION SELECT fullname FROM contact", "SELECT name FROM sqlite_master",
     "SELECT nam FROM account", "SELECT name FROM account HAVING COUNT(*) > 1"],
)  # fmt: skip
async def test_sql_that_is_refused(unwritten: Api, sql: str) -> None:
    answer = await unwritten.get(f"accounts?sql={quote(sql)}")
    assert answer.status in {400, 501}, answer.text
    assert answer.message


async def test_search(firms: Api) -> None:
    await firms.create("leads", {"firstname": "Jane", "lastname": "Firmino", "companyname": "Zürich Ltd"})
    entities = json.dumps(
        [{"name": "lead", "selectColumns": ["fullname"], "searchColumns": ["fullname", "companyname"]}]
    )

    async def search(**parameters: Any) -> dict[str, Any]:
        answer = await firms("POST", "searchquery", parameters)
        assert answer.status == 200, answer.text
        found: dict[str, Any] = json.loads(answer.body["response"])
        return found

    found = await search(search="zurich", entities=entities, count=True)
    assert [hit["Attributes"]["fullname"] for hit in found["Value"]] == ["Jane Firmino"]
    assert found["Value"][0]["Highlights"] == {"companyname": ["{crmhit}Zürich{/crmhit} Ltd"]}
    assert found["Count"] == 1
    assert {hit["EntityName"] for hit in (await search(search="firm"))["Value"]} == {"account", "lead"}
    assert (await search(search="firm", top=2))["Count"] == -1
    assert (await firms("POST", "searchquery", {"search": "ab"})).status == 400


async def test_delta_links(firms: Api) -> None:
    tracking = {"Prefer": "odata.track-changes,odata.maxpagesize=3"}
    answer = await firms.get("accounts", headers=tracking, select="name")
    assert answer.headers["Preference-Applied"] == "odata.track-changes"
    rows = answer.value
    while "@odata.nextLink" in answer.body:
        answer = await firms.get(answer.body["@odata.nextLink"], headers=tracking)
        rows += answer.value
    assert len({row["accountid"] for row in rows}) == len(rows) == 7
    link = answer.body["@odata.deltaLink"]
    quiet = await firms.get(link)
    assert quiet.value == []
    gone, changed = rows[0]["accountid"], rows[1]["accountid"]
    await firms("DELETE", f"accounts({gone})")
    await firms("PATCH", f"accounts({changed})", {"name": "New"})
    after = await firms.get(link)
    assert [row.get("name", row.get("reason")) for row in after.value] == ["New", "deleted"]
    assert after.value[1] == {
        "@odata.context": firms.url("$metadata#accounts/$deletedEntity"),
        "id": gone,
        "reason": "deleted",
    }
    assert (await firms.get(link.replace("accounts?", "accounts/$count?"))).text.lstrip("\ufeff") == "2"
    assert (await firms.get(after.body["@odata.deltaLink"])).value == []
    refused = await firms.get("accounts", headers=tracking, filter="name eq 'x'")
    assert refused.message == 'The "$filter" query parameter isn\'t supported when Change Tracking is enabled.'
    old = await firms.get("accounts?$deltatoken=5%2101%2f02%2f2020%2003%3a04%3a05")
    assert (old.status, old.code) == (400, "0x80044352")


async def test_many_deletions_come_in_pages(dataverse: Api) -> None:
    ids = [await dataverse.create("accounts", {"name": str(n)}) for n in range(7)]
    link = (await dataverse.get("accounts", headers={"Prefer": "odata.track-changes"})).body["@odata.deltaLink"]
    for key in ids[:5]:
        await dataverse("DELETE", f"accounts({key})")
    await dataverse("PATCH", f"accounts({ids[6]})", {"name": "x"})
    found: list[str] = []
    while link:
        answer = await dataverse.get(link, headers={"Prefer": "odata.track-changes,odata.maxpagesize=2"})
        assert len(answer.value) <= 2
        found += [row.get("id") or row["accountid"] for row in answer.value]
        link = answer.body.get("@odata.nextLink")
    assert found == [ids[6], *ids[:5]]


async def test_documented_spellings_and_refusals(firms: Api) -> None:
    """As Microsoft's pages show them: record references in single quotes, `not` before a query function, contexts."""
    account = (await firms.get("accounts?$top=1&$select=name")).value[0]["accountid"]
    reference = quote(f"{{'@odata.id':'accounts({account})'}}")
    begun = await firms.get(
        "InitializeFrom(EntityMoniker=@p1,TargetEntityName=@p2,TargetFieldType=@p3)"
        f"?@p1={reference}&@p2='contact'&@p3=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate'"
    )
    assert begun.status == 200, begun.text
    negated = await firms.get("accounts", filter="not Microsoft.Dynamics.CRM.Last7Days(PropertyName='createdon')")
    assert negated.message == "Not operator along with the Custom Named Condition operators is not allowed"
    links = await firms.get("accounts", expand="Account_Tasks/$ref")
    assert links.message == "Expand with $ref is only supported on lookup type navigation property."
    shown = await firms.get("accounts", select="name", expand="primarycontactid($select=fullname;$expand=createdby)")
    assert shown.body["@odata.context"].endswith("#accounts(name,primarycontactid(fullname,createdby()))")


async def test_what_dataverse_has_and_the_emulator_not(unwritten: Api) -> None:
    for method, path, status, says in (
        ("GET", "RetrieveCurrentOrganization(AccessType=@p)", 501, "RetrieveCurrentOrganization"),
        ("POST", "GrantAccess", 501, "GrantAccess"),
        ("POST", "accounts/Microsoft.Dynamics.CRM.DeleteMultiple", 501, "DeleteMultiple"),
        ("GET", "emails", 501, "emails"),
        ("GET", "emils", 404, "emils"),
        ("GET", "$metadata/accounts", 404, "accounts"),
        ("GET", "accounts?savedQuery=6f2d1a3c-0000-4000-8000-000000000003", 501, "savedQuery"),
    ):
        answer = await unwritten(method, path, {} if method == "POST" else None)
        assert answer.status == status, (path, answer.text)
        assert says in answer.message


async def test_a_wrong_method_is_told_the_right_ones(dataverse: Api) -> None:
    key = await dataverse.create("accounts", {"name": "x"})
    for method, path, allowed in (
        ("DELETE", "accounts", "GET, POST"),
        ("POST", f"accounts({key})", "GET, PATCH, DELETE"),
        ("DELETE", f"accounts({key})/primarycontactid", "GET"),
        ("PATCH", f"accounts({key})/Account_Tasks", "GET, POST"),
    ):
        answer = await dataverse(method, path)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed), path
