"""Three people with different roles see and change exactly what their role allows; strangers nothing."""

from collections.abc import AsyncIterator

import pytest

from .api import Api, api

ANNA, BEN, DMITRI, GRACE = (f"00000000-0000-4000-8000-0000000000a{n}" for n in (1, 2, 4, 7))
"""Sales manager (organisation), salesperson (own and team), service engineer (no leads), disabled."""


@pytest.fixture(scope="module")
async def contoso() -> AsyncIterator[Api]:
    async with api(seed="contoso") as client:
        yield client


def _as(person: str) -> dict[str, str]:
    return {"CallerObjectId": person}


async def _user(contoso: Api, person: str) -> str:
    return str((await contoso.get("WhoAmI", headers=_as(person))).body["UserId"])


async def test_everyone_is_who_they_say(contoso: Api) -> None:
    assert len({await _user(contoso, person) for person in (ANNA, BEN, DMITRI)}) == 3
    for stranger in (GRACE, "00000000-0000-4000-8000-00000000dead", "not a guid"):
        answer = await contoso.get("WhoAmI", headers=_as(stranger))
        assert (answer.status, answer.code) == (403, "0x80072560")
    ben = await _user(contoso, BEN)
    assert (await contoso.get("WhoAmI", headers={"MSCRMCallerID": ben})).body["UserId"] == ben


async def test_what_they_make_is_theirs(contoso: Api) -> None:
    lead = await contoso.create("leads", {"subject": "x", "lastname": "Own"}, **_as(BEN))
    row = (await contoso.get(f"leads({lead})")).body
    ben = await _user(contoso, BEN)
    assert (row["_ownerid_value"], row["_createdby_value"]) == (ben, ben)
    assert row["_createdonbehalfby_value"] not in (None, ben)


async def test_lists_hold_what_each_may_read(contoso: Api) -> None:
    everything = await contoso.names("leads", "subject")
    assert len(await contoso.names("leads", "subject", filter="leadid ne null")) == len(everything)
    anna = (await contoso.get("leads", headers=_as(ANNA))).value
    assert len(anna) == len(everything)
    theirs = (await contoso.get("leads", headers=_as(BEN))).value
    units = {row["_owningbusinessunit_value"] for row in theirs}
    assert theirs
    assert len(units) == 1
    refused = await contoso.get("leads", headers=_as(DMITRI))
    assert (refused.status, refused.code) == (403, "0x80040220")
    assert "prvReadLead" in refused.message
    counted = await contoso.get("leads/$count", headers=_as(BEN))
    assert int(counted.text.lstrip("\ufeff")) == len(theirs)


async def test_only_own_leads_are_changed(contoso: Api) -> None:
    ben = await _user(contoso, BEN)
    leads = (await contoso.get("leads", headers=_as(BEN))).value
    own = next(row for row in leads if row["_ownerid_value"] == ben)
    foreign = next(row for row in leads if row["_ownerid_value"] != ben)
    headers = {**_as(BEN), "If-Match": "*"}
    assert (await contoso("PATCH", f"leads({own['leadid']})", {"jobtitle": "x"}, headers=headers)).status == 204
    refused = await contoso("PATCH", f"leads({foreign['leadid']})", {"jobtitle": "x"}, headers=headers)
    assert refused.status == 403
    assert (await contoso.get(f"leads({foreign['leadid']})")).body["jobtitle"] == foreign["jobtitle"]
    assert (await contoso("DELETE", f"leads({foreign['leadid']})", headers=_as(BEN))).status == 403
    anna = {**_as(ANNA), "If-Match": "*"}
    assert (await contoso("PATCH", f"leads({foreign['leadid']})", {"jobtitle": "y"}, headers=anna)).status == 204


async def test_a_batch_acts_as_its_caller_too(contoso: Api) -> None:
    body = (
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        "GET /api/data/v9.2/leads HTTP/1.1\r\n\r\n\r\n--b--\r\n"
    )
    headers = {"Content-Type": 'multipart/mixed; boundary="b"', **_as(DMITRI)}
    answer = await contoso("POST", "$batch", data=body, headers=headers)
    assert "prvReadLead" in answer.text


async def test_nobody_gives_themselves_rights(contoso: Api) -> None:
    ben = await _user(contoso, BEN)
    roles = {row["name"]: row["roleid"] for row in (await contoso.get("roles", headers=_as(BEN))).value}
    mine, admin = roles["Salesperson"], roles["System Administrator"]
    [team, *_] = (await contoso.get("teams", headers=_as(BEN))).value
    me, role, my_team = f"systemusers({ben})", f"roles({admin})", f"teams({team['teamid']})"
    attempts = [
        ("POST", f"{me}/systemuserroles_association/$ref", {"@odata.id": role}),
        ("POST", f"{role}/systemuserroles_association/$ref", {"@odata.id": me}),
        ("POST", f"{my_team}/teamroles_association/$ref", {"@odata.id": role}),
        ("POST", f"{my_team}/teammembership_association/$ref", {"@odata.id": me}),
        ("POST", f"{me}/systemuserroles_association", {"name": "Mine", "businessunitid@odata.bind": "/businessunits"}),
        ("DELETE", f"{me}/systemuserroles_association({mine})/$ref", None),
        ("PATCH", me, {"systemuserroles_association@odata.bind": [role]}),
        ("PATCH", role, {"name": "Salesperson"}),
        ("POST", "systemuserrolescollection", {"systemuserid": ben, "roleid": admin}),
    ]
    before = (await contoso.get(f"{me}/systemuserroles_association", select="name")).value
    for method, path, record in attempts:
        refused = await contoso(method, path, record, headers=_as(BEN))
        assert refused.status in {400, 403}, (method, path, refused.text)
    assert (await contoso.get(f"{me}/systemuserroles_association", select="name")).value == before
    assert [row["name"] for row in before] == ["Salesperson"]
    given = await contoso(
        "POST", f"{me}/systemuserroles_association/$ref", {"@odata.id": f"roles({roles['Sales Manager']})"}
    )
    assert given.status == 204
    held = await contoso.names(f"{me}/systemuserroles_association")
    assert sorted(held) == ["Sales Manager", "Salesperson"]
    taken = await contoso("DELETE", f"{me}/systemuserroles_association({roles['Sales Manager']})/$ref")
    assert taken.status == 204
    assert await contoso.names(f"{me}/systemuserroles_association") == ["Salesperson"]
