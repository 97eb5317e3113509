"""Microsoft's SDK for Python: tables, columns, keys and relationships at run time."""

from collections.abc import AsyncIterator
from enum import IntEnum
from typing import Any

import pytest
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError
from PowerPlatform.Dataverse.models.labels import Label, LocalizedLabel
from PowerPlatform.Dataverse.models.relationship import (
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
)

from .sdk import MODES, Sdk, connected

TABLE = "new_Project"


class Phase(IntEnum):
    Draft = 1
    Running = 2
    Done = 3
    __labels__ = {  # noqa: RUF012 - the SDK reads this attribute of the class
        1033: {"Draft": "Draft", "Running": "Running", "Done": "Done"},
        1031: {"Draft": "Entwurf", "Running": "Läuft", "Done": "Fertig"},
    }


COLUMNS: dict[str, Any] = {
    "new_Text": "string",
    "new_Long": "memo",
    "new_Count": "int",
    "new_Amount": "decimal",
    "new_Ratio": "float",
    "new_Day": "datetime",
    "new_Open": "bool",
    "new_Phase": Phase,
    "new_Small": {"type": "int", "min_value": 1, "max_value": 5, "required": "ApplicationRequired"},
    "new_Mail": {"type": "string", "max_length": 80, "format": "Email", "display_name": "E-mail"},
}


@pytest.fixture(scope="module", params=MODES)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    async with connected(request.param) as found:
        await found(lambda c: c.tables.create(TABLE, COLUMNS, display_name="Project"))
        yield found


async def test_get_and_list(sdk: Sdk) -> None:
    info = await sdk(lambda c: c.tables.get(TABLE))
    assert (info.schema_name, info.logical_name, info.entity_set_name) == (TABLE, "new_project", "new_projects")
    assert await sdk(lambda c: c.tables.get("new_Nothing")) is None
    listed = await sdk(lambda c: c.tables.list(select=["LogicalName"]))
    assert {"account", "incident", "new_project"} <= {table["LogicalName"] for table in listed}
    only = await sdk(lambda c: c.tables.list(filter="IsCustomEntity eq true", select=["LogicalName", "SchemaName"]))
    assert [table["SchemaName"] for table in only if table["LogicalName"] == "new_project"] == [TABLE]


async def test_a_created_table_holds_rows(sdk: Sdk) -> None:
    values = {
        "new_Name": "Bridge", "new_Text": "x", "new_Long": "y" * 4000, "new_Count": 3, "new_Amount": 1.25,
        "new_Ratio": 0.12345, "new_Day": "2026-01-02", "new_Open": True, "new_Phase": "läuft", "new_Small": 5,
    }  # fmt: skip
    key = await sdk(lambda c: c.records.create(TABLE, values))
    row = await sdk(
        lambda c: c.records.retrieve(TABLE, key, include_annotations="OData.Community.Display.V1.FormattedValue")
    )
    assert {name: row[name.lower()] for name in values if name != "new_Phase"} == {
        name: value for name, value in values.items() if name != "new_Phase"
    }
    assert row["new_phase"] == 2
    assert row["new_phase@OData.Community.Display.V1.FormattedValue"] == "Running"
    assert row["statecode@OData.Community.Display.V1.FormattedValue"] == "Active"
    assert row["_ownerid_value"]
    with pytest.raises(HttpError, match="valid range"):
        await sdk(lambda c: c.records.update(TABLE, key, {"new_small": 6}))
    note = {"subject": "on a custom table", "objectid_new_project@odata.bind": f"/new_projects({key})"}
    assert await sdk(lambda c: c.records.create("annotation", note))


async def test_creating_a_table_twice_or_without_a_prefix_is_refused(sdk: Sdk) -> None:
    with pytest.raises(MetadataError):
        await sdk(lambda c: c.tables.create(TABLE, {}))
    with pytest.raises(HttpError, match="customization prefix"):
        await sdk(lambda c: c.tables.create("Project", {}))


async def test_columns(sdk: Sdk) -> None:
    assert await sdk(lambda c: c.tables.add_columns(TABLE, {"new_Extra": "string", "new_Score": "decimal"}))
    columns = {c["LogicalName"]: c for c in await sdk(lambda c: c.tables.list_columns(TABLE))}
    assert columns["new_extra"]["@odata.type"] == "#Microsoft.Dynamics.CRM.StringAttributeMetadata"
    assert columns["new_score"]["AttributeType"] == "Decimal"
    strings = await sdk(
        lambda c: c.tables.list_columns(TABLE, select=["LogicalName"], filter="AttributeType eq 'String'")
    )
    assert {c["LogicalName"] for c in strings} >= {"new_name", "new_text", "new_extra"}
    assert "new_score" not in {c["LogicalName"] for c in strings}
    typed = {c["LogicalName"]: c for c in await sdk(lambda c: c.tables.list_columns(TABLE, typed=True))}
    assert typed["new_mail"]["MaxLength"] == 80
    assert (typed["new_small"]["MinValue"], typed["new_small"]["MaxValue"]) == (1, 5)
    one = await sdk(lambda c: c.tables.get_column(TABLE, "new_Small"))
    assert one["RequiredLevel"]["Value"] == "ApplicationRequired"
    assert (await sdk(lambda c: c.tables.get_column(TABLE, "new_Mail", typed=True)))["MaxLength"] == 80
    assert await sdk(lambda c: c.tables.get_column(TABLE, "new_Absent")) is None
    key = await sdk(lambda c: c.records.create(TABLE, {"new_Name": "Extra", "new_Extra": "kept?"}))
    assert await sdk(lambda c: c.tables.remove_columns(TABLE, ["new_Extra", "new_Score"]))
    assert await sdk(lambda c: c.tables.get_column(TABLE, "new_Extra")) is None
    await sdk(lambda c: c.tables.add_columns(TABLE, {"new_Extra": "string"}))
    assert (await sdk(lambda c: c.records.retrieve(TABLE, key)))["new_extra"] is None
    await sdk(lambda c: c.tables.remove_columns(TABLE, "new_Extra"))


async def test_changing_columns_keeps_what_was_not_named(sdk: Sdk) -> None:
    await sdk(lambda c: c.tables.update_column(TABLE, "new_Mail", {"max_length": 120, "display_name": "Mail address"}))
    await sdk(
        lambda c: c.tables.update_columns(
            TABLE, {"new_Count": {"min_value": 0, "max_value": 10}, "new_Amount": {"precision": 4}}
        )
    )
    mail = await sdk(lambda c: c.tables.get_column(TABLE, "new_Mail", typed=True))
    assert (mail["MaxLength"], mail["DisplayName"]["UserLocalizedLabel"]["Label"]) == (120, "Mail address")
    amount = await sdk(lambda c: c.tables.get_column(TABLE, "new_Amount", typed=True))
    assert amount["Precision"] == 4
    with pytest.raises(HttpError, match="valid range"):
        await sdk(lambda c: c.records.create(TABLE, {"new_Name": "x", "new_Count": 11}))
    with pytest.raises(HttpError, match="MaxLength must be"):
        await sdk(lambda c: c.tables.update_column(TABLE, "new_Mail", {"max_length": 4001}))
    with pytest.raises(MetadataError):
        await sdk(lambda c: c.tables.update_column(TABLE, "new_Absent", {"max_length": 5}))


async def test_changing_a_shipped_column_keeps_its_other_languages(sdk: Sdk) -> None:
    await sdk(lambda c: c.tables.update_column("account", "tickersymbol", {"display_name": "Ticker"}))
    column = await sdk(lambda c: c.tables.get_column("account", "tickersymbol"))
    labels = {entry["LanguageCode"]: entry["Label"] for entry in column["DisplayName"]["LocalizedLabels"]}
    assert labels == {1033: "Ticker", 1031: "Börsenkürzel", 1049: "Символ тикера"}


async def test_shipped_tables_and_columns_stay(sdk: Sdk) -> None:
    with pytest.raises(HttpError, match="part of the product"):
        await sdk(lambda c: c.tables.delete("account"))
    with pytest.raises(HttpError, match="part of the product"):
        await sdk(lambda c: c.tables.remove_columns("account", "tickersymbol"))
    with pytest.raises(MetadataError):
        await sdk(lambda c: c.tables.delete("new_Nothing"))


async def test_alternate_keys(sdk: Sdk) -> None:
    made = await sdk(
        lambda c: c.tables.create_alternate_key(
            "contact",
            "new_MailKey",
            ["emailaddress1"],
            display_name="Mail key",
        )
    )
    listed = await sdk(lambda c: c.tables.get_alternate_keys("contact"))
    assert [(key.schema_name, key.key_attributes, key.status) for key in listed] == [
        ("new_MailKey", ["emailaddress1"], "Active")
    ]
    await sdk(lambda c: c.records.create("contact", {"lastname": "A", "emailaddress1": "a@x.example"}))
    with pytest.raises(HttpError) as twice:
        await sdk(lambda c: c.records.create("contact", {"lastname": "B", "emailaddress1": "A@x.example"}))
    assert twice.value.status_code == 412
    assert twice.value.details["service_error_code"] == "0x80060892"
    await sdk(lambda c: c.tables.delete_alternate_key("contact", made.metadata_id))
    assert await sdk(lambda c: c.tables.get_alternate_keys("contact")) == []
    await sdk(lambda c: c.records.create("contact", {"lastname": "B", "emailaddress1": "A@x.example"}))
    with pytest.raises(HttpError) as duplicates:
        await sdk(lambda c: c.tables.create_alternate_key("contact", "new_MailKey", ["emailaddress1"]))
    assert duplicates.value.status_code == 412


async def test_one_to_many(sdk: Sdk) -> None:
    lookup = LookupAttributeMetadata(
        schema_name="new_AccountId", display_name=Label([LocalizedLabel("Customer", 1033)])
    )
    relationship = OneToManyRelationshipMetadata(
        schema_name="new_Account_Projects",
        referenced_entity="account",
        referencing_entity="new_project",
        referenced_attribute="accountid",
    )
    made = await sdk(lambda c: c.tables.create_one_to_many_relationship(lookup, relationship))
    assert made.relationship_id
    found = await sdk(lambda c: c.tables.get_relationship("new_Account_Projects"))
    assert (found.relationship_id, found.referenced_entity) == (made.relationship_id, "account")
    account = await sdk(lambda c: c.records.create("account", {"name": "Owner of projects"}))
    values = {"new_Name": "Tunnel", "new_AccountId@odata.bind": f"/accounts({account})"}
    await sdk(lambda c: c.records.create(TABLE, values))
    row = await sdk(lambda c: c.records.retrieve("account", account, expand=["new_Account_Projects($select=new_name)"]))
    assert [project["new_name"] for project in row["new_Account_Projects"]] == ["Tunnel"]
    await sdk(lambda c: c.tables.delete_relationship(made.relationship_id))
    assert await sdk(lambda c: c.tables.get_relationship("new_Account_Projects")) is None
    assert await sdk(lambda c: c.tables.get_column(TABLE, "new_accountid")) is None


async def test_lookup_field(sdk: Sdk) -> None:
    made = await sdk(
        lambda c: c.tables.create_lookup_field(
            TABLE, "new_ContactId", "contact", display_name="Contact", description="Whom to ask", required=True
        )
    )
    assert made.lookup_schema_name == "new_ContactId"
    column = await sdk(
        lambda c: c.tables.get_column(TABLE, "new_contactid", typed=True, select=["Targets", "RequiredLevel"])
    )
    assert column["Targets"] == ["contact"]
    assert column["RequiredLevel"]["Value"] == "ApplicationRequired"
    contact = await sdk(lambda c: c.records.create("contact", {"lastname": "Asked"}))
    key = await sdk(
        lambda c: c.records.create(
            TABLE, {"new_Name": "With contact", "new_ContactId@odata.bind": f"/contacts({contact})"}
        )
    )
    row = await sdk(lambda c: c.records.retrieve(TABLE, key, expand=["new_ContactId($select=lastname)"]))
    assert row["new_ContactId"]["lastname"] == "Asked"


async def test_many_to_many(sdk: Sdk) -> None:
    relationship = ManyToManyRelationshipMetadata(
        schema_name="new_project_systemuser", entity1_logical_name="new_project", entity2_logical_name="systemuser"
    )
    made = await sdk(lambda c: c.tables.create_many_to_many_relationship(relationship))
    found = await sdk(lambda c: c.tables.get_relationship("new_project_systemuser"))
    assert (found.relationship_type, found.entity1_logical_name) == ("many_to_many", "new_project")
    users = await sdk(lambda c: c.records.list("systemuser", select=["systemuserid"], top=1))
    user = users.first()["systemuserid"]
    values = {"new_Name": "Staffed", "new_project_systemuser@odata.bind": [f"/systemusers({user})"]}
    key = await sdk(lambda c: c.records.create(TABLE, values))
    row = await sdk(lambda c: c.records.retrieve(TABLE, key, expand=["new_project_systemuser($select=systemuserid)"]))
    assert [member["systemuserid"] for member in row["new_project_systemuser"]] == [user]
    await sdk(lambda c: c.tables.delete_relationship(made.relationship_id))
    assert await sdk(lambda c: c.tables.get("new_project_systemuser")) is None


async def test_listing_relationships(sdk: Sdk) -> None:
    everything = await sdk(lambda c: c.tables.list_relationships(select=["SchemaName", "ReferencedEntity"]))
    assert {"SchemaName", "ReferencedEntity"} <= set(everything[0])
    many = await sdk(
        lambda c: c.tables.list_relationships(
            filter="RelationshipType eq Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'"
        )
    )
    assert "teammembership_association" in {r["SchemaName"] for r in many}
    of_incident = await sdk(lambda c: c.tables.list_table_relationships("incident"))
    names = {r["SchemaName"] for r in of_incident}
    assert {"incident_customer_accounts", "Incident_Annotation", "Incident_Tasks", "owner_incidents"} <= names


async def test_deleting_a_table_takes_its_rows_and_relationships(sdk: Sdk) -> None:
    await sdk(lambda c: c.tables.create("new_Passing", {"new_Count": "int"}))
    await sdk(lambda c: c.tables.create_lookup_field("new_Passing", "new_OwnerAccount", "account"))
    await sdk(lambda c: c.records.create("new_Passing", {"new_Name": "gone soon"}))
    await sdk(lambda c: c.tables.delete("new_Passing"))
    assert await sdk(lambda c: c.tables.get("new_Passing")) is None
    relations = await sdk(lambda c: c.tables.list_table_relationships("account", select=["SchemaName"]))
    assert not [r for r in relations if "passing" in r["SchemaName"].lower()]
    await sdk(lambda c: c.tables.create("new_Passing", {"new_Count": "int"}))
    assert not list(await sdk(lambda c: c.records.list("new_Passing")))
