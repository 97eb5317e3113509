"""The schema changed at run time by plain requests: labels, choices, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from .api import Answer
from .documents import Documents, serving

CRM = "Microsoft.Dynamics.CRM"
ACCOUNT = "EntityDefinitions(LogicalName='account')"
CATEGORY = f"{ACCOUNT}/Attributes(LogicalName='accountcategorycode')/{CRM}.PicklistAttributeMetadata/OptionSet/Options"


@pytest.fixture
async def api() -> AsyncIterator[Documents]:
    async with serving() as found:
        yield found


def label(**texts: str) -> dict[str, Any]:
    codes = {"en": 1033, "de": 1031, "ru": 1049, "fr": 1036}
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": codes[name]} for name, text in texts.items()]}


def category(**more: Any) -> dict[str, Any]:
    return {"EntityLogicalName": "account", "AttributeLogicalName": "accountcategorycode", **more}


async def options(api: Documents, place: str = CATEGORY) -> dict[int, dict[int, str]]:
    return {
        option["Value"]: {entry["LanguageCode"]: entry["Label"] for entry in option["Label"]["LocalizedLabels"]}
        for option in await api.rows(place)
    }


async def test_options_are_added_renamed_sorted_and_deleted(api: Documents) -> None:
    added = await api("POST", "InsertOptionValue", category(Label=label(en="Gold", de="Gold")))
    assert added.body["NewOptionValue"] == 100_000_000
    await api("POST", "InsertOptionValue", category(Value=7, Label=label(en="Seven")))
    await api("POST", "UpdateOptionValue", category(Value=1, Label=label(en="VIP"), MergeLabels=True))
    await api("POST", "UpdateOptionValue", category(Value=2, Label=label(en="Plain"), MergeLabels=False))
    assert await options(api) == {
        1: {1033: "VIP", 1031: "Bevorzugter Kunde", 1049: "Привилегированный клиент"},
        2: {1033: "Plain"},
        100_000_000: {1033: "Gold", 1031: "Gold"},
        7: {1033: "Seven"},
    }
    assert (await api("POST", "OrderOption", category(Values=[7, 100_000_000, 2, 1]))).status == 204
    assert list(await options(api)) == [7, 100_000_000, 2, 1]
    row = await api(
        "POST",
        "accounts",
        {"name": "A", "accountcategorycode": 7},
        headers={"Prefer": 'return=representation,odata.include-annotations="*"'},
    )
    assert row.body["accountcategorycode@OData.Community.Display.V1.FormattedValue"] == "Seven"
    used = await api("POST", "DeleteOptionValue", category(Value=7))
    assert (used.status, "used by rows" in used.body["error"]["message"]) == (400, True)
    assert (await api("POST", "DeleteOptionValue", category(Value=100_000_000))).status == 204
    assert list(await options(api)) == [7, 2, 1]
    refused = await api("POST", "accounts", {"name": "B", "accountcategorycode": 100_000_000})
    assert refused.status == 400


async def test_a_new_status_belongs_to_its_state(api: Documents) -> None:
    where = {"EntityLogicalName": "incident", "AttributeLogicalName": "statuscode"}
    made = await api("POST", "InsertStatusValue", {**where, "StateCode": 0, "Label": label(en="Escalated")})
    value = made.body["NewOptionValue"]
    account = await api("POST", "accounts", {"name": "A"}, headers={"Prefer": "return=representation"})
    bind = f"/accounts({account.body['accountid']})"
    case = {"title": "x", "customerid_account@odata.bind": bind, "statuscode": value}
    row = await api("POST", "incidents", case, headers={"Prefer": "return=representation"})
    assert (row.body["statecode"], row.body["statuscode"]) == (0, value)
    wrong = await api("POST", "InsertStatusValue", {**where, "StateCode": 9, "Label": label(en="Nowhere")})
    assert wrong.status == 400


async def test_a_global_choice_changes_everywhere(api: Documents) -> None:
    body = {"OptionSetName": "budgetstatus", "Value": 0, "Label": label(en="Nothing yet"), "MergeLabels": True}
    assert (await api("POST", "UpdateOptionValue", body)).status == 204
    for table in ("lead", "opportunity"):
        place = f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='budgetstatus')"
        found = await options(api, f"{place}/{CRM}.PicklistAttributeMetadata/OptionSet/Options")
        assert found[0][1033] == "Nothing yet"
    local = await api(
        "POST",
        "UpdateOptionValue",
        {"EntityLogicalName": "lead", "AttributeLogicalName": "budgetstatus", "Value": 0, "Label": label(en="x")},
    )
    assert "OptionSetName" in local.body["error"]["message"]


async def test_labels_of_columns_and_tables(api: Documents) -> None:
    place = f"{ACCOUNT}/Attributes(LogicalName='telephone1')"
    assert (await api("PATCH", place, {"DisplayName": label(en="Switchboard")})).status == 204
    column = await api.document(f"{place}?$select=DisplayName")
    assert [entry["Label"] for entry in column["DisplayName"]["LocalizedLabels"]] == ["Switchboard"]
    changed = await api(
        "PUT", ACCOUNT, {"DisplayName": label(en="Company", ru="Компания")}, headers={"MSCRM.MergeLabels": "true"}
    )
    assert changed.status == 204
    table = await api.document(f"{ACCOUNT}?$select=DisplayName")
    texts = {entry["LanguageCode"]: entry["Label"] for entry in table["DisplayName"]["LocalizedLabels"]}
    assert texts == {1033: "Company", 1031: "Firma", 1049: "Компания"}


async def test_required_level_and_default_reach_new_rows(api: Documents) -> None:
    place = f"{ACCOUNT}/Attributes(LogicalName='accountcategorycode')"
    assert (await api("PUT", place, {"DefaultFormValue": 2})).status == 204
    row = await api("POST", "accounts", {"name": "A"}, headers={"Prefer": "return=representation"})
    assert row.body["accountcategorycode"] == 2
    level = {"RequiredLevel": {"Value": "Recommended"}}
    assert (await api("PUT", place, level)).status == 204
    assert (await api.document(f"{place}?$select=RequiredLevel"))["RequiredLevel"]["Value"] == "Recommended"


async def test_publishing_is_accepted(api: Documents) -> None:
    assert (await api("POST", "PublishAllXml")).status == 204
    assert (await api("POST", "PublishXml", {"ParameterXml": "<importexportxml/>"})).status == 204


def table(name: str, *columns: dict[str, Any], **more: Any) -> dict[str, Any]:
    primary = {"@odata.type": f"{CRM}.StringAttributeMetadata", "SchemaName": "new_Name", "IsPrimaryName": True}
    return {"SchemaName": name, "Attributes": [primary, *columns], **more}


def column(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"@odata.type": f"{CRM}.{kind}AttributeMetadata", "SchemaName": name, **more}


async def test_kinds_of_columns_that_the_sdk_does_not_make(api: Documents) -> None:
    choices = {"Options": [{"Value": 1, "Label": label(en="One")}, {"Value": 2, "Label": label(en="Two")}]}
    made = await api(
        "POST",
        "EntityDefinitions",
        table(
            "new_Kinds",
            column("Money", "new_Price"),
            column("MultiSelectPicklist", "new_Colours", OptionSet=choices),
            column("BigInt", "new_Big"),
            column("UniqueIdentifier", "new_Other"),
            column("DateTime", "new_When", Format="DateAndTime"),
            column("String", "new_Code", AutoNumberFormat="K-{SEQNUM:4}"),
            HasActivities=True,
            HasNotes=True,
        ),
    )
    assert made.status == 204, made
    assert made.headers["OData-EntityId"].endswith(")")
    other = "3c0ffee0-0000-4000-8000-000000000001"
    sent = {
        "new_name": "x", "new_price": 9.5, "new_colours": "1,2", "new_big": 2**40, "new_other": other,
        "new_when": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    row = (await api("POST", "new_kindses", sent, headers={"Prefer": "return=representation"})).body
    assert sent.items() <= row.items()
    assert (row["new_price_base"], row["new_code"]) == (9.5, "K-1000")
    place = (
        "EntityDefinitions(LogicalName='task')/ManyToOneRelationships?$select=ReferencingEntityNavigationPropertyName"
    )
    names = {r["ReferencingEntityNavigationPropertyName"] for r in await api.rows(place)}
    assert "regardingobjectid_new_kinds_task" in names
    task = {"subject": "do", "regardingobjectid_new_kinds_task@odata.bind": f"/new_kindses({row['new_kindsid']})"}
    assert (await api("POST", "tasks", task)).status == 204


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("EntityDefinitions", {"SchemaName": "new_NoPrimary"}, "IsPrimaryName"),
    ("EntityDefinitions", table("NoPrefix"), "customization prefix"),
    ("EntityDefinitions", table("new_Twice", column("String", "new_A"), column("String", "new_a")), "twice"),
    ("EntityDefinitions", table("new_Act", IsActivity=True), "not supported"),
    ("EntityDefinitions", table("new_Clash", EntitySetName="accounts"), "already exists"),
    (f"{ACCOUNT}/Attributes", column("String", "new_A", MaxLength=0), "MaxLength"),
    (f"{ACCOUNT}/Attributes", column("Integer", "new_A", MinValue=5, MaxValue=1), "MinValue"),
    (f"{ACCOUNT}/Attributes", column("Picklist", "new_A"), "OptionSet"),
    (f"{ACCOUNT}/Attributes", column("Picklist", "new_A", OptionSet={"Options": []}), "at least one option"),
    (f"{ACCOUNT}/Attributes", column("Lookup", "new_A"), "RelationshipDefinitions"),
    (f"{ACCOUNT}/Attributes", column("Nonsense", "new_A"), "not supported"),
    (f"{ACCOUNT}/Attributes", column("String", "new_A", DisplayName=label(fr="Nom")), "not installed"),
    (f"{ACCOUNT}/Attributes", column("String", "new_A", DisplayName="plain text"), "LocalizedLabels"),
    (f"{ACCOUNT}/Keys", {"SchemaName": "new_K", "KeyAttributes": ["nothing"]}, "does not exist"),
    (f"{ACCOUNT}/Keys", {"SchemaName": "new_K", "KeyAttributes": []}, "list of column names"),
    (f"{ACCOUNT}/Keys", {"SchemaName": "new_K", "KeyAttributes": ["description"]}, "cannot be part of a key"),
    ("RelationshipDefinitions", {"SchemaName": "new_R"}, "@odata.type"),
    (
        "RelationshipDefinitions",
        {"@odata.type": f"{CRM}.OneToManyRelationshipMetadata", "SchemaName": "new_R", "ReferencedEntity": "account"},
        "Lookup",
    ),
    ("InsertOptionValue", category(Value=1, Label=label(en="Again")), "exists already"),
    ("InsertOptionValue", category(Label=label()), "at least one language"),
    ("UpdateOptionValue", category(Value=99, Label=label(en="x")), "does not exist"),
    ("OrderOption", category(Values=[1]), "every option"),
    ("CreateEntities", {"Entities": []}, "Entities"),
]


@pytest.mark.parametrize(("path", "body", "reason"), REFUSED)
async def test_what_is_refused_changes_nothing(api: Documents, path: str, body: dict[str, Any], reason: str) -> None:
    before = (await api.document("RetrieveTimestamp()"))["Timestamp"]
    answer: Answer = await api("POST", path, body)
    assert answer.status in {400, 501}, answer
    assert reason in answer.body["error"]["message"]
    assert (await api.document("RetrieveTimestamp()"))["Timestamp"] == before


async def test_several_tables_come_together_or_not_at_all(api: Documents) -> None:
    answer = await api("POST", "CreateEntities", {"Entities": [table("new_First"), table("Second")]})
    assert answer.status == 400
    assert (await api("GET", "EntityDefinitions(LogicalName='new_first')")).status == 404


async def test_columns_in_use_are_not_deleted(api: Documents) -> None:
    await api("POST", f"{ACCOUNT}/Attributes", column("String", "new_Code"))
    await api("POST", f"{ACCOUNT}/Keys", {"SchemaName": "new_CodeKey", "KeyAttributes": ["new_code"]})
    refused = await api("DELETE", f"{ACCOUNT}/Attributes(LogicalName='new_code')")
    assert (refused.status, "new_codekey" in refused.body["error"]["message"]) == (400, True)
    assert (await api("DELETE", f"{ACCOUNT}/Keys(LogicalName='new_codekey')")).status == 204
    assert (await api("DELETE", f"{ACCOUNT}/Attributes(LogicalName='new_code')")).status == 204
    assert (await api("GET", "accounts?$select=new_code")).status == 400


async def test_readers_never_see_half_of_a_schema_change(tmp_path: Path) -> None:
    async with serving(db=tmp_path / "organisation.db") as api:
        await api("POST", "accounts", {"name": "A"})
        done = asyncio.Event()

        async def read() -> set[int]:
            seen = set()
            while not done.is_set():
                seen.add((await api.get("accounts")).status)
            return seen

        readers = [asyncio.create_task(read()) for _ in range(4)]
        for _ in range(15):
            await api("POST", f"{ACCOUNT}/Attributes", column("String", "new_X"))
            assert (await api("DELETE", f"{ACCOUNT}/Attributes(LogicalName='new_x')")).status == 204
        done.set()
        assert set().union(*await asyncio.gather(*readers)) == {200}
