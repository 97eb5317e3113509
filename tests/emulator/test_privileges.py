"""Who holds which privilege, as Dataverse tells it; the names are the ones that its refusals have."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from .api import Api, api

ANNA, DMITRI = "00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a4"


@pytest.fixture(scope="module")
async def contoso() -> AsyncIterator[Api]:
    async with api(seed="contoso") as client:
        yield client


async def _user(contoso: Api, person: str | None = None) -> str:
    headers = {"CallerObjectId": person} if person else {}
    return str((await contoso.get("WhoAmI", headers=headers)).body["UserId"])


async def _held(contoso: Api, user: str, *names: str, **headers: str) -> dict[str, str]:
    listed = quote("[" + ",".join(f'"{name}"' for name in names) + "]")
    answer = await contoso.get(
        f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p1)?@p1={listed}",
        headers=headers,
    )
    assert answer.status == 200, answer.text
    return {given["PrivilegeName"]: given["Depth"] for given in answer.body["RolePrivileges"]}


async def test_names_of_a_table_s_privileges(contoso: Api) -> None:
    tables = ("lead", "annotation", "salesorder", "systemuser", "salesorderdetail")
    condition = quote(" or ".join(f"LogicalName eq '{table}'" for table in tables))
    answer = await contoso.get(f"EntityDefinitions?$select=LogicalName,Privileges&$filter={condition}")
    names = {d["LogicalName"]: {p["PrivilegeType"]: p["Name"] for p in d["Privileges"]} for d in answer.value}
    assert names["lead"]["AppendTo"] == "prvAppendToLead"
    assert names["annotation"]["Create"] == "prvCreateNote"
    assert names["salesorder"]["Assign"] == "prvAssignOrder"
    assert names["systemuser"]["Read"] == "prvReadUser"
    assert "Assign" not in names["systemuser"]
    assert names["salesorderdetail"] == {}
    [read] = [
        p
        for p in (await contoso.get("EntityDefinitions(LogicalName='lead')/Privileges")).value
        if p["PrivilegeType"] == "Read"
    ]
    assert read["CanBeBasic"]


async def test_what_a_person_holds(contoso: Api) -> None:
    anna, dmitri, admin = [await _user(contoso, person) for person in (ANNA, DMITRI, None)]
    asked = ("prvReadLead", "prvCreateLead", "prvCreateIncident", "prvWriteIncident", "prvWriteIncident", "prvFlyLead")
    assert await _held(contoso, anna, *asked) == {
        "prvReadLead": "Global", "prvCreateLead": "Global", "prvCreateIncident": "Global", "prvWriteIncident": "Global"
    }  # fmt: skip
    assert await _held(contoso, dmitri, *asked) == {"prvCreateIncident": "Global", "prvWriteIncident": "Local"}
    acting = "prvActOnBehalfOfAnotherUser"
    assert await _held(contoso, admin, acting, "prvDeleteNote") == {acting: "Global", "prvDeleteNote": "Global"}
    assert await _held(contoso, anna, acting) == {}
    assert await _held(contoso, anna, "prvReadLead", CallerObjectId=DMITRI) == {"prvReadLead": "Global"}


async def test_what_is_refused_has_the_same_name(contoso: Api) -> None:
    refused = await contoso("POST", "salesorders", {"name": "x"}, headers={"CallerObjectId": DMITRI})
    assert (refused.status, refused.code) == (403, "0x80040220")
    assert "prvCreateOrder" in refused.message


async def test_what_is_not_understood(contoso: Api) -> None:
    anna = await _user(contoso, ANNA)
    function = f"systemusers({anna})/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames"
    assert (await contoso.get(f"{function}()")).status == 400
    assert (await contoso.get(f"{function}(PrivilegeNames=@a,ExcludeTeamBasic=true)?@a=['prvReadLead']")).status == 501
    assert (await contoso.get(function.replace(anna, DMITRI) + "(PrivilegeNames=@a)?@a=[]")).status == 404
    leads = f"leads({anna})/Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@a)?@a=[]"
    assert (await contoso.get(leads)).status in {400, 404}
