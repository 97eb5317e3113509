"""RetrieveMetadataChanges: one request for what a client needs, and a cheap question whether anything changed."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from .api import Answer
from .documents import Documents, serving


@pytest.fixture
async def api() -> AsyncIterator[Documents]:
    async with serving() as found:
        yield found


def path(query: dict[str, Any], stamp: str | None = None) -> str:
    encoded = quote(json.dumps(query))
    if stamp is None:
        return f"RetrieveMetadataChanges(Query=@p1)?@p1={encoded}"
    return f"RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)?@p1={encoded}&@p2={quote(repr(stamp))}"


def condition(name: str, operator: str, value: Any, kind: str = "System.String") -> dict[str, Any]:
    return {"PropertyName": name, "ConditionOperator": operator, "Value": {"Type": kind, "Value": value}}


def tables(*names: str, **more: Any) -> dict[str, Any]:
    return {
        "Criteria": {"Conditions": [condition("LogicalName", "In", list(names), "System.String[]")]},
        "Properties": {"PropertyNames": ["LogicalName"]},
        **more,
    }


NAMES_ONLY = {"Properties": {"PropertyNames": ["LogicalName"]}}


def label(text: str) -> dict[str, Any]:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


async def rename_priority(api: Documents, text: str) -> Answer:
    return await api(
        "POST",
        "UpdateOptionValue",
        {
            "EntityLogicalName": "incident",
            "AttributeLogicalName": "prioritycode",
            "Value": 1,
            "Label": label(text),
            "MergeLabels": True,
        },
    )


async def test_typed_columns_of_several_tables_in_one_request(api: Documents) -> None:
    query = tables(
        "lead",
        "incident",
        Properties={"PropertyNames": ["LogicalName", "EntitySetName", "Attributes", "ManyToOneRelationships"]},
        AttributeQuery={"Properties": {"PropertyNames": ["LogicalName", "MaxLength", "OptionSet", "Targets"]}},
        RelationshipQuery={"Properties": {"PropertyNames": ["ReferencingAttribute"]}},
        LabelQuery={"FilterLanguages": [1031], "MissingLabelBehavior": 0},
    )
    answer = await api.document(path(query))
    found = {table["LogicalName"]: table for table in answer["EntityMetadata"]}
    assert set(found) == {"lead", "incident"}
    columns = {column["LogicalName"]: column for column in found["incident"]["Attributes"]}
    assert columns["title"]["MaxLength"] == 200
    assert columns["customerid"]["Targets"] == ["account", "contact"]
    high = columns["prioritycode"]["OptionSet"]["Options"][0]["Label"]["LocalizedLabels"]
    assert [(entry["Label"], entry["LanguageCode"]) for entry in high] == [("Hoch", 1031)]
    assert "customerid" in {r["ReferencingAttribute"] for r in found["incident"]["ManyToOneRelationships"]}
    assert "DisplayName" not in found["incident"]


async def test_criteria(api: Documents) -> None:
    async def names(criteria: dict[str, Any]) -> set[str]:
        answer = await api.document(path({**NAMES_ONLY, "Criteria": criteria}))
        return {table["LogicalName"] for table in answer["EntityMetadata"]}

    assert await names({"Conditions": [condition("ObjectTypeCode", "Equals", 112, "System.Int32")]}) == {"incident"}
    either = {
        "FilterOperator": "Or",
        "Conditions": [condition("LogicalName", "Equals", "lead"), condition("LogicalName", "Equals", "task")],
    }
    assert await names(either) == {"lead", "task"}
    assert await names({"Filters": [either], "Conditions": [condition("LogicalName", "NotEquals", "task")]}) == {"lead"}
    assert "lead" not in await names({"Conditions": [condition("LogicalName", "NotIn", ["lead"], "System.String[]")]})


@pytest.mark.parametrize(
    "query",
    [
        {"Criteria": {"Conditions": [condition("Nothing", "Equals", "x")]}},
        {"Criteria": {"Conditions": [condition("LogicalName", "In", "x")]}},
        {"Criteria": {"Conditions": [{"PropertyName": 1}]}},
        {"Criteria": []},
        {"Properties": {"PropertyNames": "LogicalName"}},
        {"Nonsense": 1},
    ],
)
async def test_malformed_queries_are_refused(api: Documents, query: dict[str, Any]) -> None:
    answer = await api("GET", path(query))
    assert answer.status == 400, answer


async def test_nothing_changed_costs_nothing(api: Documents) -> None:
    stamp = (await api.document(path(NAMES_ONLY)))["ServerVersionStamp"]
    await api("POST", "accounts", {"name": "rows are not metadata"})
    answer = await api.document(path(NAMES_ONLY, stamp))
    assert answer["ServerVersionStamp"] == stamp
    assert answer["EntityMetadata"] == []


async def test_changes_since_a_stamp(api: Documents) -> None:
    first = (await api.document(path(NAMES_ONLY)))["ServerVersionStamp"]
    assert (await rename_priority(api, "Burning")).status == 204
    answer = await api.document(path(NAMES_ONLY, first))
    assert [table["LogicalName"] for table in answer["EntityMetadata"]] == ["incident"]
    second = answer["ServerVersionStamp"]
    created = await api(
        "POST",
        "EntityDefinitions",
        {
            "SchemaName": "new_Thing",
            "Attributes": [
                {
                    "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
                    "SchemaName": "new_Name",
                    "IsPrimaryName": True,
                }
            ],
        },
    )
    assert created.status == 204
    third = await api.document(path(NAMES_ONLY, second))
    changed = {table["LogicalName"] for table in third["EntityMetadata"]}
    assert "new_thing" in changed
    assert "incident" not in changed
    thing = next(t for t in third["EntityMetadata"] if t["LogicalName"] == "new_thing")
    assert (await api("DELETE", "EntityDefinitions(LogicalName='new_thing')")).status == 204
    fourth = await api.document(path(NAMES_ONLY, third["ServerVersionStamp"]))
    assert thing["MetadataId"] in fourth["DeletedMetadata"]["Values"][0]["Items"]


async def test_stamps_of_another_database_have_expired(api: Documents) -> None:
    async with serving() as other:
        await rename_priority(other, "Elsewhere")
        foreign = (await other.document(path(NAMES_ONLY)))["ServerVersionStamp"]
    for stamp in (foreign, "7!shipped", "nonsense"):
        answer = await api("GET", path(NAMES_ONLY, stamp))
        assert (answer.status, answer.code) == (400, "0x80044352")


async def test_changes_and_stamps_outlive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "organisation.db"
    place = (
        "EntityDefinitions(LogicalName='incident')/Attributes(LogicalName='prioritycode')"
        "/Microsoft.Dynamics.CRM.PicklistAttributeMetadata/OptionSet/Options"
    )
    async with serving(db=file) as api:
        await rename_priority(api, "Burning")
        column = {
            "@odata.type": "Microsoft.Dynamics.CRM.MoneyAttributeMetadata",
            "SchemaName": "new_Damage",
            "DisplayName": label("Damage"),
        }
        assert (await api("POST", "EntityDefinitions(LogicalName='incident')/Attributes", column)).status == 204
        key = {"SchemaName": "new_Serial", "KeyAttributes": ["productserialnumber"]}
        assert (await api("POST", "EntityDefinitions(LogicalName='incident')/Keys", key)).status == 204
        renamed = await api(
            "PUT",
            "EntityDefinitions(LogicalName='lead')",
            {"DisplayName": label("Prospect")},
            headers={"MSCRM.MergeLabels": "true"},
        )
        assert renamed.status == 204, renamed
        account = (await api("POST", "accounts", {"name": "A"}, headers={"Prefer": "return=representation"})).body[
            "accountid"
        ]
        made = await api(
            "POST",
            "incidents",
            {
                "title": "Broken",
                "customerid_account@odata.bind": f"/accounts({account})",
                "productserialnumber": "S1",
                "new_damage": 12.5,
            },
        )
        assert made.status == 204, made
        stamp = (await api.document(path(NAMES_ONLY)))["ServerVersionStamp"]
    async with serving(db=file) as api:
        options = await api.rows(place)
        labels = {entry["LanguageCode"]: entry["Label"] for entry in options[0]["Label"]["LocalizedLabels"]}
        assert labels == {1033: "Burning", 1031: "Hoch", 1049: "Высокий"}
        lead = await api.document("EntityDefinitions(LogicalName='lead')?$select=DisplayName")
        texts = {entry["LanguageCode"]: entry["Label"] for entry in lead["DisplayName"]["LocalizedLabels"]}
        assert texts == {1033: "Prospect", 1031: "Lead", 1049: "Интерес"}
        row = await api.document("incidents(productserialnumber='S1')?$select=new_damage,new_damage_base")
        assert (row["new_damage"], row["new_damage_base"]) == (12.5, 12.5)
        answer = await api.document(path(NAMES_ONLY, stamp))
        assert (answer["ServerVersionStamp"], answer["EntityMetadata"]) == (stamp, [])
