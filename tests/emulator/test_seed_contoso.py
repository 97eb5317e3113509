"""The example company: complete, consistent, with right totals, and dates that move with the clock."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm.emulator import Emulator, seeds

from .documents import Documents, serving

FORMATTED = {"Prefer": 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'}


@pytest.fixture(scope="module")
async def api() -> AsyncIterator[Documents]:
    async with serving(seed="contoso") as found:
        yield found


async def test_enough_of_everything(api: Documents) -> None:
    least = {
        "businessunits": 3, "systemusers": 9, "teams": 2, "queues": 2, "transactioncurrencies": 2, "pricelevels": 2,
        "products": 7, "productpricelevels": 14, "accounts": 12, "contacts": 25, "leads": 20, "opportunities": 12,
        "salesorders": 6, "invoices": 6, "incidents": 15, "annotations": 8, "tasks": 6, "phonecalls": 3,
        "queueitems": 3,
    }  # fmt: skip
    for entity_set, count in least.items():
        assert len(await api.rows(f"{entity_set}?$select=createdon")) >= count, entity_set


async def test_every_state_is_there(api: Documents) -> None:
    for entity_set, states in {
        "leads": {0, 1, 2},
        "opportunities": {0, 1, 2},
        "salesorders": {0, 1, 2, 3, 4},
        "invoices": {0, 2, 3},
        "incidents": {0, 1, 2},
        "accounts": {0, 1},
    }.items():
        assert {row["statecode"] for row in await api.rows(f"{entity_set}?$select=statecode")} == states, entity_set


async def test_people(api: Documents) -> None:
    people = await api.rows(
        "systemusers?$select=fullname,isdisabled,applicationid,azureactivedirectoryobjectid,domainname"
    )
    assert sum(1 for person in people if person["isdisabled"]) == 1
    assert [person["fullname"] for person in people if person["applicationid"]] == ["# crmchat"]
    known = [person["azureactivedirectoryobjectid"] for person in people]
    assert len(set(known)) == len(known)
    assert None not in known
    teams = await api.rows("teams?$select=name&$expand=teammembership_association($select=fullname)")
    members = {t["name"]: {m["fullname"] for m in t["teammembership_association"]} for t in teams}
    assert members["Service"] == {"Dmitri Volkov", "Elena Petrova", "Farid Rahimi"}


async def test_names_that_a_person_could_confuse(api: Documents) -> None:
    rows = await api.rows("accounts?$select=name&$filter=startswith(name,'contoso')&$orderby=name")
    assert [row["name"] for row in rows] == ["Contoso", "Contoso Consulting GmbH"]


async def test_mail_domains_match_the_company(api: Documents) -> None:
    rows = await api.rows(
        "contacts?$select=emailaddress1&$expand=parentcustomerid_account($select=websiteurl)"
        "&$filter=_parentcustomerid_value ne null"
    )
    for row in rows:
        domain = row["emailaddress1"].partition("@")[2]
        assert row["parentcustomerid_account"]["websiteurl"] == f"https://www.{domain}"


async def test_money_in_the_second_currency(api: Documents) -> None:
    rows = await api.rows(
        "opportunities?$select=estimatedvalue,estimatedvalue_base,exchangerate&$filter=name eq 'Bürokaffee München'",
        FORMATTED,
    )
    assert rows[0]["exchangerate"] == 0.92
    assert rows[0]["estimatedvalue_base"] == pytest.approx(9660 / 0.92, abs=0.01)
    assert rows[0]["estimatedvalue@OData.Community.Display.V1.FormattedValue"].startswith("€")


async def test_dates_are_relative_to_now(api: Documents) -> None:
    rows = await api.rows("leads?$select=createdon,estimatedclosedate&$filter=lastname eq 'Birkby'")
    today = datetime.now(UTC).date()
    created = datetime.fromisoformat(rows[0]["createdon"]).date()
    closes = datetime.fromisoformat(rows[0]["estimatedclosedate"]).date()
    assert abs((created - (today - timedelta(days=2))).days) <= 1
    assert abs((closes - (today + timedelta(days=40))).days) <= 1


async def test_the_case_of_the_leak(api: Documents) -> None:
    rows = await api.rows(
        "incidents?$select=title,prioritycode&$filter=startswith(ticketnumber,'CAS-01001')"
        "&$expand=customerid_account($select=name),primarycontactid($select=fullname),"
        "Incident_Annotation($select=subject),Incident_Tasks($select=subject)",
        FORMATTED,
    )
    case = rows[0]
    assert case["incidentid"] == seeds.row_id("incident", "printer")
    assert case["prioritycode@OData.Community.Display.V1.FormattedValue"] == "High"
    assert case["customerid_account"]["name"] == "Fabrikam, Inc."
    assert case["primarycontactid"]["fullname"] == "Vincent Lauriant"
    assert {note["subject"] for note in case["Incident_Annotation"]} == {"Call with Vincent", "Photo received"}
    assert [task["subject"] for task in case["Incident_Tasks"]] == ["Order boiler seals"]


async def test_calls_have_both_parties(api: Documents) -> None:
    calls = await api.rows(
        "phonecalls?$select=subject&$expand=phonecall_activity_parties($select=participationtypemask)"
    )
    for call in calls:
        assert {party["participationtypemask"] for party in call["phonecall_activity_parties"]} >= {1, 2}


async def test_numbers_go_on_where_the_seed_ends(api: Documents) -> None:
    bind = f"/accounts({seeds.row_id('account', 'contoso')})"
    made = await api(
        "POST",
        "incidents",
        {"title": "Next", "customerid_account@odata.bind": bind},
        headers={"Prefer": "return=representation"},
    )
    held = {row["ticketnumber"] for row in await api.rows("incidents?$select=ticketnumber&$filter=title ne 'Next'")}
    assert made.body["ticketnumber"].startswith("CAS-0")
    assert made.body["ticketnumber"] not in held


async def test_a_database_is_seeded_once(tmp_path: Path) -> None:
    file = tmp_path / "organisation.db"
    for _ in range(2):
        async with serving(db=file, seed="contoso") as api:
            assert len(await api.rows("salesorders?$select=name")) == 6


async def test_an_unknown_seed_is_named() -> None:
    with pytest.raises(seeds.SeedError, match="contoso"):
        async with Emulator(seed="nothing"):
            pass
